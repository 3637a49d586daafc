//! Previewing and testing what a connector sends, and approving its pixel.

use serde_json::{Map, Value, json};

use super::shown::mask_pair;
use super::{names, part};
use crate::app::bins;
use crate::app::catalog::Facts;
use crate::app::catalog::resource::{Item, Kind, Part, Record};
use crate::app::catalog::resources::CONNECTORS;
use crate::app::connectors::Approval;
use crate::domain::connector::address::{self, Policy};
use crate::domain::connector::pixel::Pixel;
use crate::domain::connector::preview::{sample, sample_event};
use crate::domain::connector::render::Outgoing;
use crate::domain::connector::webhook::Webhook;
use crate::domain::delivery::standard_webhooks;
use crate::domain::encoding::hex;
use crate::domain::namespace::Namespace;
use crate::domain::time::SECOND_MS;
use crate::http::api::problem::FieldFault;
use crate::http::api::{Call, Stores, body, objects, paging, problem, value};
use crate::http::response::Response;

type Answer = Result<Response, Response>;

/// How long a receiver has for the answer to a test; whoever tests waits for it.
const TEST_TIMEOUT_MS: u64 = 15 * SECOND_MS;

fn namespace_of<'a, S>(call: &'a Call<'_, S>) -> Result<&'a Namespace, Response> {
    call.access.namespace.as_ref().ok_or_else(problem::namespace_required)
}

/// A connector by the number in an address.
async fn connector<S: Stores>(call: &Call<'_, S>, id: &str) -> Result<(u64, Record), Response> {
    let not_found = || problem::not_found(CONNECTORS.singular);
    let key = paging::number(id).ok_or_else(not_found)?;
    let found = call.stores.find(call.place(&CONNECTORS), &key).await;
    let record = found.map_err(|_| problem::storage_unavailable())?.ok_or_else(not_found)?;
    Ok((key.as_u64().unwrap_or_default(), record))
}

/// `POST /connectors/preview`: what a connector would send, saved or not. Nothing is written or sent.
pub(in crate::http::api) async fn preview(call: &Call<'_, impl Stores>) -> Answer {
    const FIELDS: [&str; 4] = ["affiliate_id", "events", "webhook", "pixel"];
    let sent = body::object(call.request)?;
    let surroundings = super::surroundings(call, &CONNECTORS, &sent, None).await?;
    let facts = Facts::default();
    let reading = objects::reading(call, &facts, &surroundings);
    let mut faults: Vec<FieldFault> = Vec::new();
    for name in sent.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
        let message = format!("There is no such field; there are {}.", FIELDS.join(", "));
        faults.push(problem::field(name, ("unknown_field", message)));
    }
    let mut record = Record::new();
    let of_fields =
        [("affiliate_id", Kind::Limit("affiliates")), ("events", Kind::List(Item::TriggerEvent))];
    for (name, kind) in of_fields {
        let Some(value) = sent.get(name).filter(|value| !value.is_null()) else { continue };
        match value::read(kind, value, &reading, &record) {
            Ok(stored) => drop(record.insert(name.to_owned(), stored)),
            Err(wrong) => faults.push(problem::field(name, wrong)),
        }
    }
    for (kind, name) in [(Part::Webhook, "webhook"), (Part::Pixel, "pixel")] {
        let Some(value) = sent.get(name).filter(|value| !value.is_null()) else { continue };
        match super::read_part(kind, name, value, &reading, &record) {
            Ok(stored) => drop(record.insert(name.to_owned(), stored)),
            Err(wrong) => faults.extend(wrong),
        }
    }
    if !faults.is_empty() {
        return Err(problem::invalid_fields(faults));
    }
    let events = names(&record, "events");
    let event = sample_event(&events);
    let webhook = part(&record, "webhook").and_then(|text| Webhook::parse(text).ok());
    let pixel = part(&record, "pixel").and_then(|text| Pixel::parse(text).ok());
    let shown = json!({
        "event_name": event,
        "webhook": webhook.map(|webhook| shown(&webhook.preview(event))),
        "pixel": pixel.map(|pixel| json!({
            "html": pixel.render(&sample(event)).html, "is_sandboxed": pixel.is_sandboxed,
        })),
        "warnings": super::warnings(&record, &surroundings),
    });
    Ok(Response::json(200, &shown))
}

/// A request as previews show it.
fn shown(request: &Outgoing) -> Value {
    let header = |(name, value): &(String, String)| json!({ "name": name, "value": value });
    json!({
        "method": request.method,
        "url": request.url,
        "headers": request.headers.iter().map(header).collect::<Vec<_>>(),
        "body": request.body,
    })
}

/// `POST /connectors/{id}/test`: one real request with samples, now, signed as every other. It is
/// no delivery: nothing of it is kept, and nothing is tried again.
pub(in crate::http::api) async fn test(call: &Call<'_, impl Stores>, id: &str) -> Answer {
    let namespace = namespace_of(call)?;
    let (id, record) = connector(call, id).await?;
    let webhook = part(&record, "webhook").and_then(|text| Webhook::parse(text).ok());
    let Some(webhook) = webhook else {
        return Err(Response::problem(400, "no_webhook", "This connector has no webhook to test."));
    };
    let events = names(&record, "events");
    let mut request = webhook.render(&sample(sample_event(&events)));
    let refused = match request.fault() {
        Some(message) => Some(message),
        None => address_fault(call, &request).await?.map(str::to_owned),
    };
    let number = u32::try_from(id).unwrap_or_default();
    let secrets = call.stores.secrets(namespace, id).await;
    let secrets = secrets.map_err(|_| problem::storage_unavailable())?;
    let secrets = secrets.ok_or_else(|| problem::not_found(CONNECTORS.singular))?;
    let now = call.moment.now;
    let keys = secrets.signing(&call.settings.keyring, namespace, number, now);
    let random = (call.moment.random)();
    let name = random.first_chunk::<12>().map_or_else(String::new, |bytes| hex(bytes));
    let name = format!("test_{name}");
    let body = request.body.as_deref().unwrap_or_default();
    let signed = standard_webhooks::headers(&keys, &name, now, &request.url, body);
    request.headers.extend(signed);
    let result = match refused {
        Some(message) => Err((message, 0)),
        None => {
            let sent = bins::send(
                call.stores,
                call.stores,
                namespace,
                &request,
                call.moment,
                TEST_TIMEOUT_MS,
            );
            sent.await.map_err(|fault| (fault.detail, fault.duration_ms))
        }
    };
    let mut answer = Map::new();
    if let Value::Object(shown) = shown(&request) {
        answer.extend(shown);
    }
    // The caller may write, and so knows the secrets; whoever looks over the shoulder need not.
    if let Some(Value::Array(headers)) = answer.get_mut("headers") {
        for header in headers {
            mask_pair(header);
        }
    }
    answer.insert("url".to_owned(), request.shown_url.as_str().into());
    let is_delivered = result.as_ref().is_ok_and(|received| (200..300).contains(&received.status));
    let (status, duration, error, text) = match result {
        Ok(received) => (Some(received.status), received.duration_ms, None, Some(received.answer)),
        Err((detail, duration)) => (None, duration, Some(detail), None),
    };
    answer.insert("is_delivered".to_owned(), is_delivered.into());
    answer.insert("status".to_owned(), status.into());
    answer.insert("duration_ms".to_owned(), duration.into());
    answer.insert("error".to_owned(), error.into());
    answer.insert("answer".to_owned(), text.into());
    Ok(Response::json(200, &Value::Object(answer)))
}

/// Why a request may not be sent, if it may not; checked again, since hosts are added and rules grow.
async fn address_fault<S: Stores>(
    call: &Call<'_, S>,
    request: &Outgoing,
) -> Result<Option<&'static str>, Response> {
    if request.bin.is_some() {
        return Ok(None);
    }
    let settings = call.settings;
    let policy = Policy { allows_loopback: settings.allows_loopback, zone: settings.zone() };
    let receiver = match address::check(&request.url, &policy) {
        Ok(receiver) => receiver,
        Err(fault) => return Ok(Some(fault.message())),
    };
    let found = call.stores.surroundings(namespace_of(call)?, &[], &receiver.host).await;
    let is_own = found.map_err(|_| problem::storage_unavailable())?.is_own_host;
    Ok(is_own.then(|| address::AddressFault::Own.message()))
}

/// `POST /connectors/{id}/approve`: lets the pixel fire as it is. With `hash` only if it is what
/// the approver has seen.
pub(in crate::http::api) async fn approve(call: &Call<'_, impl Stores>, id: &str) -> Answer {
    let namespace = namespace_of(call)?;
    let (id, record) = connector(call, id).await?;
    let stored = part(&record, "pixel");
    let pixel = stored.and_then(|text| Pixel::parse(text).ok());
    let (Some(stored), Some(pixel)) = (stored, pixel) else {
        return Err(Response::problem(400, "no_pixel", "This connector has no pixel to approve."));
    };
    let hash = pixel.hash();
    let changed = || {
        Response::problem(
            400,
            "pixel_changed",
            "The pixel is not the one that you have seen; read it again.",
        )
    };
    for (name, value) in paging::parameters(call.request)? {
        if name != "hash" {
            return Err(problem::unknown_parameter(&name, "hash"));
        }
        if value != hash {
            return Err(changed());
        }
    }
    let approval = Approval {
        connector_id: id,
        pixel: stored,
        hash: &hash,
        at: call.moment.now,
        key_id: call.access.key_id,
    };
    let approved = call.stores.approve(namespace, &approval).await;
    if !approved.map_err(|_| problem::storage_unavailable())? {
        return Err(changed());
    }
    objects::show(call, &CONNECTORS, &id.to_string()).await
}
