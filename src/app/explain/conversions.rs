//! What was decided of a conversion when it was recorded, and what was changed later.

use serde_json::{Map, Value, json};

use super::{Entry, entry, instant, shown, text, value};
use crate::app::catalog::resource::Record;
use crate::domain::conversion::RULE_PREFIX;
use crate::domain::money::Currency;
use crate::domain::time::Timestamp;

/// What was decided of a conversion: each pair of its explanation, whatever judging put there. It
/// keeps one reason of each kind, so that an update of its money replaces those of the money, and a
/// refund that of the refund before; they are told at the time of the last update or refund.
pub(super) fn decided(conversion: &Record, changes: &[Record], at: Timestamp) -> Vec<Entry> {
    let explanation = match shown("explanation", &value(conversion, "explanation")) {
        Value::Object(explanation) => explanation,
        _ => Map::new(),
    };
    let owned = |record: &Record, name: &str| text(record, name).map(str::to_owned);
    let is_its = |c: &&Record| text(c, "conversion_id") == text(conversion, "conversion_id");
    let last = |what: &str| changes.iter().filter(is_its).rfind(|c| text(c, "what") == Some(what));
    let pair = |(what, because): (String, Value)| {
        let because = because.as_str().map_or_else(|| because.to_string(), str::to_owned);
        let change = match what.as_str() {
            "updated" | "revenue" | "payout" => last("money"),
            "refund" => last("refund"),
            "rule" => changes.iter().filter(is_its).rfind(|c| is_by_rule(c)),
            _ => None,
        };
        let (at, request_id) = match change {
            Some(change) => (instant(change, "at"), owned(change, "request_id")),
            None => (at, owned(conversion, "request_id")),
        };
        let details = if what == "attribution" { first_reply(conversion) } else { Map::new() };
        Entry {
            conversion_id: owned(conversion, "conversion_id"),
            click_id: owned(conversion, "click_id"),
            request_id,
            ..entry(at, &what, because, details)
        }
    };
    explanation.into_iter().map(pair).collect()
}

fn is_by_rule(change: &Record) -> bool {
    text(change, "request_id").is_some_and(|name| name.starts_with(RULE_PREFIX))
}

/// That the click of a conversion was examined by the rules that need its row, or is going to be.
pub(super) fn examined(doubt: &Record, conversions: &[Record]) -> Entry {
    let of = |c: &&Record| text(c, "conversion_id") == text(doubt, "conversion_id");
    let conversion = conversions.iter().find(of);
    let (at, because) = match text(doubt, "finding") {
        Some(finding) => (instant(doubt, "examined_at"), finding.to_owned()),
        None => (
            instant(doubt, "received_at"),
            "not yet: the rules that need the click's row wait for it".to_owned(),
        ),
    };
    Entry {
        conversion_id: text(doubt, "conversion_id").map(str::to_owned),
        click_id: conversion.and_then(|c| text(c, "click_id")).map(str::to_owned),
        ..entry(at, "examined", because, Map::new())
    }
}

/// A change of a conversion: what was otherwise afterwards, by whom, and the reason that was given.
pub(super) fn changed(change: &Record, conversions: &[Record]) -> Entry {
    let of = |c: &&Record| text(c, "conversion_id") == text(change, "conversion_id");
    let conversion = conversions.iter().find(of);
    let currency = conversion.and_then(|c| text(c, "currency")).and_then(Currency::parse);
    let (before, after) = (state(change, "before", currency), state(change, "after", currency));
    let word = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let differing = after.iter().filter(|(name, now)| before.get(*name) != Some(*now));
    let differing = differing.map(|(name, now)| {
        let until_then = word(before.get(name).unwrap_or(&Value::Null));
        format!("{name} {until_then} became {}", word(now))
    });
    let by = match change.get("key_id").and_then(Value::as_u64) {
        None if is_by_rule(change) => "a rule of the campaign".to_owned(),
        None => "a postback".to_owned(),
        Some(0) => "the root key".to_owned(),
        Some(id) => format!("key {id}"),
    };
    let mut because = format!("by {by}: {}", differing.collect::<Vec<_>>().join(", "));
    if let Some(reason) = text(change, "reason") {
        because.push_str(&format!(" ({reason})"));
    }
    let details = [
        ("what", value(change, "what")),
        ("revision", value(change, "revision")),
        ("before", Value::Object(before)),
        ("after", Value::Object(after)),
    ];
    let details = details.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    Entry {
        conversion_id: text(change, "conversion_id").map(str::to_owned),
        click_id: conversion.and_then(|c| text(c, "click_id")).map(str::to_owned),
        request_id: text(change, "request_id").map(str::to_owned),
        ..entry(instant(change, "at"), "changed", because, details)
    }
}

/// A conversion before or after a change, its money as people write it.
fn state(change: &Record, name: &str, currency: Option<Currency>) -> Map<String, Value> {
    let Value::Object(state) = shown(name, &value(change, name)) else { return Map::new() };
    let written = |(name, value): (String, Value)| {
        let is_money = ["amount", "revenue", "payout"].contains(&name.as_str());
        let value = match (value.as_i64().filter(|_| is_money), currency) {
            (Some(minor), Some(currency)) => {
                format!("{} {}", currency.format(minor), currency.code()).into()
            }
            _ => value,
        };
        (name, value)
    };
    state.into_iter().map(written).collect()
}

/// Whom a conversion credits, and what it was worth when it was recorded.
fn first_reply(conversion: &Record) -> Map<String, Value> {
    let currency = text(conversion, "currency").and_then(Currency::parse);
    let money = |name: &str| match (currency, value(conversion, name).as_i64()) {
        (Some(currency), Some(minor)) => {
            json!({ "amount": currency.format(minor), "currency": currency.code() })
        }
        _ => Value::Null,
    };
    let mut details = Map::new();
    for name in ["campaign_id", "ref_id", "affiliate_id", "event_id", "order_id"] {
        details.insert(name.to_owned(), value(conversion, name));
    }
    details.insert("status".to_owned(), value(conversion, "first_status"));
    details.insert("revenue".to_owned(), money("first_revenue"));
    details.insert("payout".to_owned(), money("first_payout"));
    details.insert("warnings".to_owned(), shown("warnings", &value(conversion, "warnings")));
    details
}
