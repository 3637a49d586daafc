//! Connectors in the API, as far as the engine of resources does not know them: what a new one is
//! measured against, what it is shown with, and calls of its own.

mod bins;
mod calls;
mod listed;
mod parts;
mod rules;
mod shown;

pub(super) use bins::show as show_bin;
pub(super) use calls::{approve, preview, test};
pub(super) use listed::macros;
pub(super) use parts::read as read_part;
pub(super) use rules::{of_change, of_creation, warnings};
pub(super) use shown::{derived, mask_secrets};

use serde_json::{Map, Value};

use super::{Call, Stores, problem};
use crate::app::catalog::resource::{Record, Resource};
use crate::app::catalog::resources::CONNECTORS;
use crate::app::connectors::Surroundings;
use crate::domain::connector::address;
use crate::http::response::Response;

/// Names of a stored list.
fn names(record: &Record, field: &str) -> Vec<String> {
    let text = record.get(field).and_then(Value::as_str).unwrap_or("[]");
    serde_json::from_str(text).unwrap_or_default()
}

/// A part of a connector, as stored.
fn part<'a>(record: &'a Record, field: &str) -> Option<&'a str> {
    record.get(field).and_then(Value::as_str)
}

/// What surrounds a connector that is being created, or changed (`key`). Nothing for other
/// resources.
pub(super) async fn surroundings<S: Stores>(
    call: &Call<'_, S>,
    resource: &Resource,
    body: &Map<String, Value>,
    key: Option<&Value>,
) -> Result<Surroundings, Response> {
    if resource.name != CONNECTORS.name {
        return Ok(Surroundings::default());
    }
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let current = match key {
        None => None,
        Some(key) => {
            let found = call.stores.find(call.place(&CONNECTORS), key).await;
            found.map_err(|_| problem::storage_unavailable())?
        }
    };
    let sent = |value: &Value| value.as_array().map(|list| texts(list));
    let events = body.get("events").and_then(sent);
    let events = events.or_else(|| current.as_ref().map(|record| names(record, "events")));
    let url = body.get("webhook").and_then(|webhook| webhook.get("url")).and_then(Value::as_str);
    // With or without its port: hosts are kept without.
    let host = address::receiver(url.unwrap_or_default());
    let host = host.split(':').next().unwrap_or_default();
    let found = call.stores.surroundings(namespace, &events.unwrap_or_default(), host).await;
    found.map_err(|_| problem::storage_unavailable())
}

fn texts(list: &[Value]) -> Vec<String> {
    list.iter()
        .take(super::value::MAX_ITEMS)
        .filter_map(|v| v.as_str().map(str::to_owned))
        .collect()
}
