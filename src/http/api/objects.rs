//! List, show, create, change and remove: the same five for every resource that is managed.

use serde_json::{Map, Value, json};

use super::problem::{self, FieldFault};
use super::{Call, Stores, body, input, paging, render, value};
use crate::app::catalog::resource::{Kind, Record, Resource};
use crate::app::catalog::secrets::Mint;
use crate::app::catalog::{self, Stopped};
use crate::http::response::Response;

type Answer = Result<Response, Response>;

/// `GET /{resource}`.
pub(super) async fn list<S: Stores>(call: &Call<'_, S>, resource: &'static Resource) -> Answer {
    let (selection, limit) = paging::selection(call.request, resource)?;
    let found = call.stores.list(call.place(resource), &selection).await;
    let mut records = found.map_err(|_| problem::storage_unavailable())?;
    // One more than asked for was read, to know whether there are more.
    let has_more = records.len() > limit;
    records.truncate(limit);
    note_used(call, resource, &mut records).await;
    let last = records.last().and_then(|record| record.get(resource.key));
    let cursor = last.filter(|_| has_more).map(paging::cursor);
    let data: Vec<Value> = records.iter().map(|record| shown(call, resource, record)).collect();
    Ok(Response::json(200, &json!({ "data": data, "next_cursor": cursor })))
}

/// `GET /{resource}/{key}`.
pub(super) async fn show<S: Stores>(
    call: &Call<'_, S>,
    resource: &'static Resource,
    key: &str,
) -> Answer {
    let key = key_of(resource, key)?;
    let found = call.stores.find(call.place(resource), &key).await;
    let record = found.map_err(|_| problem::storage_unavailable())?;
    let mut record = [record.ok_or_else(|| problem::not_found(resource.singular))?];
    note_used(call, resource, &mut record).await;
    let [record] = record;
    Ok(Response::json(200, &shown(call, resource, &record)))
}

/// `POST /{resource}`, with one object or, where that is allowed, a list of them.
pub(super) async fn create<S: Stores>(call: &Call<'_, S>, resource: &'static Resource) -> Answer {
    let mut body = body::object(call.request)?;
    let idempotency = body::idempotency(call.request, &body)?;
    // It is looked up before its field is validated; a number that D1 would round names nothing.
    let campaign_id = body.get("campaign_id").and_then(Value::as_u64);
    let campaign_id = campaign_id.filter(|id| *id <= value::MAX_ID);
    let many = match body.remove(resource.name) {
        Some(list) if resource.most_at_once > 1 => {
            Some(input::objects(resource, list, &body).map_err(problem::invalid_fields)?)
        }
        Some(other) => {
            body.insert(resource.name.to_owned(), other);
            None
        }
        None => None,
    };
    let is_many = many.is_some();
    let read = |facts: &catalog::Facts| -> Result<Vec<Map<String, Value>>, Vec<FieldFault>> {
        let reading = reading(call, facts);
        match &many {
            Some(bodies) => input::many(resource, bodies, &reading),
            None => input::creation(resource, &body, &reading, &call.access).map(|one| vec![one]),
        }
    };
    let mut records = catalog::create(
        call.stores,
        Mint { access: &call.access, keyring: &call.settings.keyring },
        call.moment,
        call.place(resource),
        campaign_id,
        idempotency.as_ref(),
        read,
    )
    .await
    .map_err(|stopped| problem::stopped(resource, stopped))?;

    note_used(call, resource, &mut records).await;
    let mut data: Vec<Value> = records.iter().map(|record| shown(call, resource, record)).collect();
    let answer = if is_many { json!({ "data": data }) } else { data.pop().unwrap_or(Value::Null) };
    Ok(Response::json(201, &answer))
}

/// `PATCH /{resource}/{key}`.
pub(super) async fn change<S: Stores>(
    call: &Call<'_, S>,
    resource: &'static Resource,
    key: &str,
) -> Answer {
    let key = key_of(resource, key)?;
    let body = body::object(call.request)?;
    let place = call.place(resource);
    let wants_events = body.contains_key("site_events");
    let record = catalog::change(call.stores, call.moment, place, &key, wants_events, |facts| {
        let reading = reading(call, facts);
        input::change(resource, &body, &reading, &call.access)
    })
    .await
    .map_err(|stopped| problem::stopped(resource, stopped))?;
    let mut record = [record];
    note_used(call, resource, &mut record).await;
    let [record] = record;
    Ok(Response::json(200, &shown(call, resource, &record)))
}

/// `DELETE /{resource}/{key}`.
pub(super) async fn remove<S: Stores>(
    call: &Call<'_, S>,
    resource: &'static Resource,
    key: &str,
) -> Answer {
    let key = key_of(resource, key)?;
    match catalog::remove(call.stores, call.moment, call.place(resource), &key).await {
        Ok(()) => Ok(Response::empty(204)),
        Err(Stopped::NotFound) => Err(problem::not_found(resource.singular)),
        Err(_) => Err(problem::storage_unavailable()),
    }
}

/// Adds to caps what is used of them; null if that cannot be read, since what was asked for is done.
async fn note_used<S: Stores>(call: &Call<'_, S>, resource: &Resource, records: &mut [Record]) {
    let field = resource.fields.iter().find(|field| field.kind == Kind::Used);
    let (Some(field), Some(namespace)) = (field, &call.access.namespace) else { return };
    let id = |record: &Record| record.get(resource.key).and_then(Value::as_u64);
    let ids: Vec<u64> = records.iter().filter_map(id).collect();
    if ids.is_empty() {
        return;
    }
    let used = call.stores.used_of(namespace, &ids, call.moment.now).await.unwrap_or_default();
    for record in records {
        let used = used.iter().find(|(of, _)| Some(*of) == id(record)).map(|(_, used)| *used);
        record.insert(field.name.to_owned(), used.into());
    }
}

/// What bodies are read by. Whoever may create hosts for one customer only must not take a name
/// away from all others, as `api.` of the installation's domain would be.
fn reading<'a, S>(call: &'a Call<'_, S>, facts: &'a catalog::Facts) -> input::Reading<'a> {
    let zone = call.settings.zone();
    let is_reserved = !call.access.is_root() && !zone.is_empty();
    input::Reading {
        call_is_development: call.settings.is_development,
        settings: call.settings,
        now: call.moment.now,
        reserved_zone: is_reserved.then_some(zone),
        facts,
    }
}

fn shown<S: Stores>(
    call: &Call<'_, S>,
    resource: &'static Resource,
    record: &catalog::resource::Record,
) -> Value {
    render::object(resource, record, call.settings, call.access.namespace.as_ref())
}

/// The key in an address; what cannot be one is not found.
fn key_of(resource: &Resource, text: &str) -> Result<Value, Response> {
    let key = if resource.is_numbered() {
        paging::number(text)
    } else {
        // Names are in lower case and have no characters that an address would have to encode.
        Some(text).filter(|text| paging::is_plain(text)).map(|t| t.to_ascii_lowercase().into())
    };
    key.ok_or_else(|| problem::not_found(resource.singular))
}
