//! `GET /macros`: everything that connectors can name.

use serde_json::{Value, json};

use crate::domain::connector::macros::{self, Macro, Origin};
use crate::http::api::{Call, Stores, problem};
use crate::http::response::Response;

/// Where macros in double braces may stand, and where those in single ones.
const DOUBLE: [&str; 5] =
    ["webhook.url", "webhook.parameters", "webhook.headers", "webhook.body", "pixel.code"];
const SINGLE: [&str; 3] = ["webhook.url", "webhook.parameters", "webhook.headers"];

/// What is done to values, with an example each.
const FILTERS: [(&str, &str, &str); 4] = [
    ("lower", "Small letters.", "{{EVENT_NAME:lower}}"),
    (
        "sha256",
        "The SHA-256 of the trimmed value in small letters, in hexadecimal digits; of nothing nothing.",
        "{{EMAIL:lower:sha256}}",
    ),
    (
        "urlencode",
        "Percent-encoded once more, for an address within an address.",
        "{{PAGE:urlencode}}",
    ),
    ("default=…", "This text where the value is empty.", "{{VALUE:default=0}}"),
];

pub(in crate::http::api) async fn macros(
    call: &Call<'_, impl Stores>,
) -> Result<Response, Response> {
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let received = call.stores.received_keys(namespace).await;
    let received = received.map_err(|_| problem::storage_unavailable())?;
    let mut data: Vec<Value> = macros::ALL.iter().map(built_in).collect();
    let mut keys: Vec<(&str, Vec<&str>)> = Vec::new();
    for (event, key) in received.iter().filter(|(_, key)| Macro::of_key(key).is_none()) {
        match keys.last_mut().filter(|(known, _)| known == key) {
            Some((_, events)) => events.push(event),
            None => keys.push((key, vec![event])),
        }
    }
    for (key, events) in keys {
        let description = format!("A key of events that were received: {}.", events.join(", "));
        data.push(entry(format!("{{{{{key}}}}}"), &[], &description, "", &DOUBLE, false, true));
    }
    let filter = |(name, description, example): &(&str, &str, &str)| json!({ "name": name, "description": description, "example": example });
    let filters: Vec<Value> = FILTERS.iter().map(filter).collect();
    Ok(Response::json(200, &json!({ "data": data, "filters": filters })))
}

fn built_in(one: &Macro) -> Value {
    let single: Vec<String> = one.single.iter().map(|name| format!("{{{name}}}")).collect();
    let is_personal = one.origin == Origin::Person;
    let is_for_affiliates = one.key != "revenue" && !one.key.starts_with("custom");
    let (name, also, places) = match single.split_first() {
        Some((first, rest)) if !one.is_double() => (first.clone(), rest, &SINGLE[..]),
        _ => (format!("{{{{{}}}}}", one.key), single.as_slice(), &DOUBLE[..]),
    };
    entry(name, also, one.description, one.sample, places, is_personal, is_for_affiliates)
}

fn entry(
    name: String,
    also: &[String],
    description: &str,
    example: &str,
    places: &[&str],
    is_personal: bool,
    is_for_affiliates: bool,
) -> Value {
    json!({
        "name": name,
        "also": also,
        "description": description,
        "example": example,
        "where": places,
        "is_personal": is_personal,
        "is_for_affiliates": is_for_affiliates,
    })
}
