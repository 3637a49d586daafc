//! What a connector is shown with besides its fields.

use serde_json::{Map, Value, json};

use super::{names, part};
use crate::app::catalog::resource::Record;
use crate::domain::connector::address::receiver;
use crate::domain::connector::pixel::Pixel;
use crate::domain::connector::preview::sample_event;
use crate::domain::connector::render::{body_without_secrets, is_secret, without_secrets};
use crate::domain::connector::webhook::Webhook;
use crate::domain::time::Timestamp;
use crate::http::api::render::instant;

/// Who approved the pixel, while it is as it was then; null otherwise.
fn approval(record: &Record, pixel: Option<&Pixel>) -> Value {
    let stored = part(record, "approval").unwrap_or_default();
    if !pixel.is_some_and(|pixel| pixel.is_approved(stored)) {
        return Value::Null;
    }
    let stored: Value = serde_json::from_str(stored).unwrap_or_default();
    let of = |name: &str| stored.get(name).cloned().unwrap_or_default();
    json!({ "at": instant(&of("at")), "key_id": of("key_id") })
}

/// What follows from a connector's fields, by name.
pub(in crate::http::api) fn derived(record: &Record) -> Vec<(&'static str, Value)> {
    let webhook = part(record, "webhook").and_then(|text| Webhook::parse(text).ok());
    let pixel = part(record, "pixel").and_then(|text| Pixel::parse(text).ok());
    let events = names(record, "events");
    let preview = webhook.as_ref().map(|webhook| webhook.preview(sample_event(&events)).url);
    let approval = approval(record, pixel.as_ref());
    vec![
        ("url_preview", preview.into()),
        ("receiver", webhook.map(|webhook| receiver(&webhook.written_url)).into()),
        ("approved", approved(&approval).into()),
        ("approval", approval),
        ("pixel_hash", pixel.map(|pixel| pixel.hash()).into()),
    ]
}

/// *Approved on 2026-11-22 by key 3*.
fn approved(approval: &Value) -> Option<String> {
    let at = Timestamp::parse(approval.get("at")?.as_str()?)?.to_rfc3339();
    let date = at.split('T').next()?;
    let by = match approval.get("key_id")?.as_u64()? {
        0 => "the root key".to_owned(),
        id => format!("key {id}"),
    };
    Some(format!("Approved on {date} by {by}"))
}

/// Takes the secrets out of what is shown to a key that may not write.
pub(in crate::http::api) fn mask_secrets(shown: &mut Map<String, Value>) {
    if let Some(url) = shown.get_mut("url_preview")
        && let Some(text) = url.as_str()
    {
        *url = without_secrets(text).into();
    }
    let Some(Value::Object(webhook)) = shown.get_mut("webhook") else { return };
    if let Some(url) = webhook.get_mut("url")
        && let Some(text) = url.as_str()
    {
        *url = without_secrets(text).into();
    }
    if let Some(body) = webhook.get_mut("body")
        && let Some(text) = body.as_str()
    {
        *body = body_without_secrets(text).into();
    }
    for list in ["parameters", "headers"] {
        let pairs = webhook.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for pair in pairs {
            mask_pair(pair);
        }
    }
}

/// Masks the value of a pair whose name says that it is a secret.
pub(super) fn mask_pair(pair: &mut Value) {
    let is_secret = pair.get("name").and_then(Value::as_str).is_some_and(is_secret);
    if let Some(value) = pair.get_mut("value").filter(|_| is_secret) {
        *value = "***".into();
    }
}
