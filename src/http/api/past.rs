//! Lists of what happened, the newest first, and single entries of them.

use serde_json::{Value, json};

use super::{Call, Stores, deliveries, paging, problem, render, value};
use crate::app::catalog::resource::{Kind, Record, Resource};
use crate::app::history::{DELIVERIES, Period};
use crate::domain::time::Timestamp;
use crate::http::response::Response;

type Answer = Result<Response, Response>;

/// `GET /{clicks|conversions|inbox|deliveries}`.
pub(super) async fn list<S: Stores>(call: &Call<'_, S>, of: &'static Resource) -> Answer {
    let (period, limit) = period::<S>(call, of)?;
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let found = call.stores.entries(of, namespace, &period).await;
    let mut entries = found.map_err(|_| problem::storage_unavailable())?;
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| has_more).map(|entry| Value::from(S::position(of, entry)));
    let data: Vec<Value> = entries.iter().map(|entry| shown(call, of, entry)).collect();
    let cursor = last.as_ref().map(paging::cursor);
    Ok(Response::json(200, &json!({ "data": data, "next_cursor": cursor })))
}

/// `GET /{clicks|conversions|inbox|deliveries}/{key}`.
pub(super) async fn show<S: Stores>(
    call: &Call<'_, S>,
    of: &'static Resource,
    key: &str,
) -> Answer {
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let not_found = || problem::not_found(of.singular);
    let key = Some(key).filter(|key| paging::is_plain(key)).ok_or_else(not_found)?;
    let found = call.stores.entry(of, namespace, key).await;
    let entry = found.map_err(|_| problem::storage_unavailable())?.ok_or_else(not_found)?;
    Ok(Response::json(200, &shown(call, of, &entry)))
}

fn shown<S>(call: &Call<'_, S>, of: &'static Resource, entry: &Record) -> Value {
    let mut shown = render::object(of, entry, call.settings, call.access.namespace.as_ref());
    if of.name == DELIVERIES.name {
        deliveries::mask(call, &mut shown);
    }
    shown
}

fn period<S: Stores>(
    call: &Call<'_, S>,
    of: &'static Resource,
) -> Result<(Period, usize), Response> {
    let mut period = Period::default();
    let mut limit = paging::DEFAULT_LIMIT;
    for (name, text) in paging::parameters(call.request)? {
        match (name.as_str(), of.field(&name).filter(|field| field.is_filter)) {
            ("limit", _) => limit = paging::limit(&text)?,
            ("cursor", _) => period.before = Some(position::<S>(of, &text)?),
            ("from", _) => period.from = Some(instant("from", &text)?),
            ("to", _) => period.to = Some(instant("to", &text)?),
            (_, Some(field)) => {
                let sent = match field.kind {
                    Kind::Count(..) => paging::number(&text),
                    _ => Some(Value::String(text)),
                };
                let stored = value::filter(field.kind, sent)
                    .map_err(|(_, message)| problem::invalid_parameter(&name, &message))?;
                period.filters.push((field.name, stored));
            }
            (_, None) => {
                let own = ["limit", "cursor", "from", "to"];
                return Err(problem::unknown_parameter(&name, &paging::known(of, &own)));
            }
        }
    }
    // One more, to know whether there are more.
    period.limit = limit + 1;
    Ok((period, limit as usize))
}

/// The position in a cursor: as many plain values as a position of this list has.
fn position<S: Stores>(of: &'static Resource, text: &str) -> Result<Vec<Value>, Response> {
    let is_plain = |value: &Value| value.is_u64() || value.as_str().is_some_and(paging::is_plain);
    match paging::key_of_cursor(text)? {
        Value::Array(values)
            if values.len() == S::position(of, &Record::new()).len()
                && values.iter().all(is_plain) =>
        {
            Ok(values)
        }
        _ => Err(problem::invalid_cursor()),
    }
}

fn instant(name: &str, text: &str) -> Result<Timestamp, Response> {
    let detail = "send a time of RFC 3339, such as 2026-11-21T09:30:00Z, or Unix seconds.";
    Timestamp::parse(text).ok_or_else(|| problem::invalid_parameter(name, detail))
}
