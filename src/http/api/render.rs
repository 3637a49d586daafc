//! Stored objects as JSON: the fields in their order, and what follows from them.

use serde_json::{Map, Value, json};

use super::{connectors, postback_urls};
use crate::app::catalog::resource::{Field, Kind, Record, Resource};
use crate::app::catalog::resources::CONNECTORS;
use crate::app::catalog::secrets::PLAIN;
use crate::app::settings::Settings;
use crate::domain::money::{BasisPoints, Currency};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// An object as callers see it.
pub(super) fn object(
    resource: &Resource,
    record: &Record,
    settings: &Settings,
    namespace: Option<&Namespace>,
) -> Value {
    let mut object = Map::new();
    for field in resource.fields {
        match field.kind {
            Kind::Secret(_) | Kind::SigningSecret => {
                if let Some(plain) = record.get(PLAIN) {
                    object.insert(field.name.to_owned(), plain.clone());
                }
            }
            // It follows from the approval and the pixel, as below.
            Kind::Approval => {}
            _ => {
                object.insert(field.name.to_owned(), shown(field, record));
            }
        }
    }
    let origin = namespace.map(|namespace| settings.origin_of(namespace)).unwrap_or_default();
    if let Some((name, url)) = address(resource, record, &origin) {
        object.insert(name.to_owned(), url.into());
    }
    if resource.name == CONNECTORS.name {
        let derived = connectors::derived(record).into_iter();
        object.extend(derived.map(|(name, value)| (name.to_owned(), value)));
    }
    Value::Object(object)
}

fn shown(field: &Field, record: &Record) -> Value {
    let stored = record.get(field.name).cloned().unwrap_or(Value::Null);
    match field.kind {
        Kind::Flag | Kind::Default(_) | Kind::Switch(_) => (stored.as_i64() == Some(1)).into(),
        Kind::List(_) | Kind::Map(_) | Kind::Json | Kind::Part(_) => json_text(&stored),
        Kind::Money => amount(&stored, record).into(),
        Kind::Percent => BasisPoints(number(&stored)).to_percent().into(),
        Kind::Time => instant(&stored),
        Kind::Price => price(&stored, record),
        Kind::Used if is_of_money(record) => amount(&stored, record).into(),
        // A token of the namespace itself belongs to no object, and a limit of 0 is none.
        Kind::TokenOwner | Kind::Limit(_) | Kind::DefaultLink if stored.as_i64() == Some(0) => {
            Value::Null
        }
        _ => stored,
    }
}

fn amount(minor: &Value, record: &Record) -> Option<String> {
    let currency = Currency::parse(record.get("currency")?.as_str()?)?;
    Some(currency.format(minor.as_i64()?))
}

/// Whether a cap bounds money.
fn is_of_money(cap: &Record) -> bool {
    let what = cap.get("what").and_then(Value::as_str);
    what.is_some_and(|what| ["payout", "revenue"].contains(&what))
}

fn price(minor: &Value, record: &Record) -> Value {
    match amount(minor, record) {
        Some(amount) => json!({ "amount": amount, "currency": record.get("currency") }),
        None => Value::Null,
    }
}

/// Milliseconds as RFC 3339.
pub(super) fn instant(stored: &Value) -> Value {
    stored.as_u64().map(|ms| Timestamp::from_ms(ms).to_rfc3339()).into()
}

/// JSON that is stored as text.
pub(super) fn json_text(stored: &Value) -> Value {
    stored.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}

fn number(stored: &Value) -> u32 {
    stored.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
}

/// The address to hand out with an object.
fn address(resource: &Resource, record: &Record, origin: &str) -> Option<(&'static str, String)> {
    let id = |name: &str| record.get(name).and_then(Value::as_u64).unwrap_or_default();
    match resource.name {
        "campaigns" => Some(("postback_url", postback_urls::of_campaign(record, origin))),
        "links" => {
            let (campaign, link) = (id("campaign_id"), id("id"));
            Some(("click_url", format!("{origin}/click?campaign_id={campaign}&ref_id={link}")))
        }
        _ => None,
    }
}
