//! Webhook, pixel and matching: objects within a connector, merged, validated and stored whole.

use serde_json::{Map, Value, json};

use crate::app::catalog::resource::{Part, Record};
use crate::domain::connector::Matching;
use crate::domain::connector::address::{self, MAX_CALLED_BYTES, Policy};
use crate::domain::connector::bin::Bin;
use crate::domain::connector::macros;
use crate::domain::connector::pixel::Pixel;
use crate::domain::connector::preview::sample;
use crate::domain::connector::text::{MAX_REQUEST_BYTES, Piece, Text, Use};
use crate::domain::connector::webhook::{Fault, Format, Webhook};
use crate::http::api::input::Reading;
use crate::http::api::problem::FieldFault;

/// A part in its stored form. `before` holds the connector's fields that stand before it.
pub(in crate::http::api) fn read(
    part: Part,
    name: &str,
    sent: &Value,
    reading: &Reading<'_>,
    before: &Record,
) -> Result<Value, Vec<FieldFault>> {
    let current = reading.facts.current.as_ref().and_then(|record| record.get(name));
    let current = current.and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
    let merged = merged(current, sent);
    let stored = match part {
        Part::Webhook => webhook(&merged, reading, before),
        Part::Pixel => pixel(&merged, reading, before),
        Part::Matching => matching(&merged),
    };
    let named = |fault: Fault| {
        let field = match fault.field.as_str() {
            "" => name.to_owned(),
            within => format!("{name}.{within}"),
        };
        (field, fault.code, fault.message)
    };
    match stored {
        Ok(stored) => Ok(stored.to_string().into()),
        Err(faults) => Err(faults.into_iter().map(named).collect()),
    }
}

/// What was sent, on top of what there is (RFC 7396): null takes a member away.
fn merged(current: Option<Value>, sent: &Value) -> Value {
    let (Some(Value::Object(mut merged)), Value::Object(sent)) = (current, sent) else {
        return sent.clone();
    };
    for (name, value) in sent {
        merged.insert(name.clone(), value.clone());
    }
    Value::Object(merged)
}

fn fault(field: &str, code: &'static str, message: impl Into<String>) -> Fault {
    Fault { field: field.to_owned(), code, message: message.into() }
}

fn webhook(sent: &Value, reading: &Reading<'_>, before: &Record) -> Result<Value, Vec<Fault>> {
    let webhook = Webhook::read(sent)?;
    let mut faults = Vec::new();
    if let Err(wrong) = check_address(&webhook, reading) {
        faults.push(wrong);
    }
    if is_of_affiliate(reading, before) {
        for (field, text) in webhook.texts() {
            faults.extend(text.uses().find_map(|one| not_for_affiliates(&field, one)));
        }
    }
    faults.extend(check_length(&webhook).or_else(|| check_body(&webhook)));
    if !faults.is_empty() {
        return Err(faults);
    }
    let of = |name: &str, default: Value| {
        let sent = sent.get(name).filter(|value| !value.is_null());
        (name.to_owned(), sent.cloned().unwrap_or(default))
    };
    Ok(Value::Object(Map::from_iter([
        of("method", json!("GET")),
        of("url", Value::Null),
        of("format", json!("form")),
        of("parameters", json!([])),
        of("headers", json!([])),
        of("body", Value::Null),
        of("renamed_events", json!({})),
    ])))
}

/// Of a template the host stands there already; what a macro brings cannot change it. Nor can it
/// make a dot segment, unless only dots are left where it is empty.
fn check_address(webhook: &Webhook, reading: &Reading<'_>) -> Result<(), Fault> {
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Value(_) => String::new(),
    };
    let url: String = webhook.url.pieces.iter().map(piece).collect();
    if url.starts_with("bin:") {
        let message = "A bin is bin: and 1 to 40 lower-case letters, digits and hyphens, with \
                       ?status= and a status code from 200 to 599 if it shall not answer 200, \
                       all without macros.";
        return match Bin::parse(&webhook.written_url) {
            Some(_) => Ok(()),
            None => Err(fault("url", "invalid", message)),
        };
    }
    let settings = reading.settings;
    let policy = Policy { allows_loopback: settings.allows_loopback, zone: settings.zone() };
    match address::check(&url, &policy) {
        _ if reading.surroundings.is_own_host => {
            let own = address::AddressFault::Own;
            Err(fault("url", own.code(), own.message()))
        }
        Ok(_) => Ok(()),
        Err(wrong) => Err(fault("url", wrong.code(), wrong.message())),
    }
}

/// What is too long without any value can never be sent.
fn check_length(webhook: &Webhook) -> Option<Fault> {
    let empty = webhook.render(&|_| None);
    let message = empty.fault()?;
    let field = match (&empty.body, &webhook.body) {
        (Some(body), written) if body.len() > MAX_REQUEST_BYTES => {
            if written.is_some() {
                "body"
            } else {
                "parameters"
            }
        }
        _ if empty.url.len() <= MAX_CALLED_BYTES => "headers",
        (None, _) if !webhook.parameters.is_empty() => "parameters",
        _ => "url",
    };
    Some(fault(field, "invalid", format!("Even where its macros are empty {message}.")))
}

/// A body of JSON has to be JSON, with samples and without any value.
fn check_body(webhook: &Webhook) -> Option<Fault> {
    if webhook.body.is_none() || webhook.format != Format::Json {
        return None;
    }
    let with_samples = webhook.render(&sample("Purchase"));
    if let Some(message) = with_samples.fault() {
        return Some(fault("body", "invalid", format!("With samples {message}.")));
    }
    let with_samples = with_samples.body?;
    let empty = webhook.render(&|_| None).body?;
    let wrong = [with_samples, empty].iter().find_map(|body| {
        serde_json::from_str::<serde::de::IgnoredAny>(body).err().map(|error| error.to_string())
    })?;
    Some(fault("body", "invalid", format!("With its macros filled in it is not JSON: {wrong}.")))
}

/// Connectors never change hands, so that it is known from creation on.
fn is_of_affiliate(reading: &Reading<'_>, before: &Record) -> bool {
    let current = reading.facts.current.as_ref();
    let owner = before.get("affiliate_id").or_else(|| current?.get("affiliate_id"));
    owner.and_then(Value::as_u64).is_some_and(|id| id != 0)
}

/// What the advertiser pays, and what he sends besides, is nothing for affiliates (design.md 6),
/// whichever way it is named.
fn not_for_affiliates(field: &str, one: &Use) -> Option<Fault> {
    let key = one.key.to_ascii_lowercase();
    let is_custom =
        key.strip_prefix("custom").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    if key != "revenue" && !is_custom {
        return None;
    }
    let message = format!("{} is not told to affiliates; leave it out.", one.key);
    Some(fault(field, "not_for_affiliates", message))
}

fn pixel(sent: &Value, reading: &Reading<'_>, before: &Record) -> Result<Value, Vec<Fault>> {
    let pixel = Pixel::read(sent)?;
    if let Some(message) = pixel.render(&|_| None).fault() {
        let message = format!("Even where its macros are empty {message}.");
        return Err(vec![fault("code", "invalid", message)]);
    }
    if is_of_affiliate(reading, before)
        && let Some(wrong) = pixel.text().uses().find_map(|one| not_for_affiliates("code", one))
    {
        return Err(vec![wrong]);
    }
    Ok(json!({ "code": pixel.code, "is_sandboxed": pixel.is_sandboxed }))
}

fn matching(sent: &Value) -> Result<Value, Vec<Fault>> {
    let matching = Matching::read(sent)?;
    Ok(json!({
        "parameter": matching.parameter,
        "source_parameter": matching.source_parameter,
        "source_value": matching.source_value,
        "model": matching.model.as_str(),
        "window_days": matching.window_days,
    }))
}

/// The `{{UPPER}}` macros of a text that are not built in.
pub(super) fn unknown_keys(text: &Text) -> impl Iterator<Item = &str> {
    let keys = text.uses().map(|one| one.key.as_str());
    keys.filter(|key| macros::Macro::of_key(key).is_none())
}
