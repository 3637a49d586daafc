//! `/tracker.js`, and `/collect`, to which it reports arrivals and site events.

mod visitor;

use serde_json::{Map, Number, Value};

use super::reply;
use super::request::{Method, Request};
use super::response::Response;
use super::{Answer, App, Ports, namespace_of};
use crate::app::arrive::{Arrival, arrive};
use crate::app::collect::{Collected, SiteEvent, collect};
use crate::app::judge::storage_unavailable;
use crate::app::outbox::Said;
use crate::app::pixels::hand_out;
use crate::app::situate::{space, unknown_namespace};
use crate::domain::configuration::NamespaceSettings;
use crate::domain::delivery::occasion::is_forced_by;
use crate::domain::money::Decimal;
use crate::domain::network::IpAddress;
use crate::domain::parameters;
use crate::domain::verdict::{Reason, Refusal};

/// The bound of wire.md 8.
const MAX_BODY: usize = 8 * 1024;
/// The longest name of a site event.
const MAX_NAME: usize = 64;

/// The site script. Browsers keep it for five minutes, so that a new version arrives soon.
pub(super) fn script() -> Response {
    let mut response =
        Response::text(200, "text/javascript; charset=utf-8", include_str!("tracker.js"));
    response.headers.retain(|(name, _)| *name != "cache-control");
    response.with("cache-control", "public, max-age=300").with("x-content-type-options", "nosniff")
}

/// Answers a site event, or the preflight of one.
pub(super) async fn respond<P: Ports>(app: &App<'_, P>, request: &Request<'_>) -> Answer {
    let moment = &app.moment;
    let namespace = match namespace_of(app, request).await {
        Ok(Some(namespace)) => namespace,
        Ok(None) => return reply::refused(moment, unknown_namespace()).into(),
        Err(_) => return reply::refused(moment, storage_unavailable()).into(),
    };
    let space = match space(app.ports, &app.isolate.memory, &namespace, moment.now).await {
        Ok(Some(space)) => space,
        Ok(None) => return reply::refused(moment, unknown_namespace()).into(),
        Err(_) => return reply::refused(moment, storage_unavailable()).into(),
    };
    let origin = request.headers.origin;
    if !space.collect_origins.iter().any(|allowed| allowed == origin) {
        let detail = "pages of this origin may not report here; the operator lists them in the namespace's collect_origins";
        return reply::refused(moment, Refusal::new(Reason::IpNotAllowed, detail))
            .with("vary", "Origin")
            .into();
    }
    let mut answer = match request.method {
        Method::Options => preflight().into(),
        _ => report(app, request, &space).await,
    };
    answer.response =
        answer.response.with("access-control-allow-origin", origin).with("vary", "Origin");
    answer
}

fn preflight() -> Response {
    Response::empty(204)
        .with("access-control-allow-methods", "POST")
        .with("access-control-allow-headers", "content-type")
        .with("access-control-max-age", "86400")
}

async fn report<P: Ports>(
    app: &App<'_, P>,
    request: &Request<'_>,
    space: &NamespaceSettings,
) -> Answer {
    let moment = &app.moment;
    if !app.isolate.rates.allow(request.headers.client_ip, moment.now) {
        let detail = "too many events from this visitor; try again in a minute";
        return reply::refused(moment, Refusal::new(Reason::RateLimited, detail)).into();
    }
    let (event, arrival) = match read(request.body, request.headers.gpc) {
        Ok(read) => read,
        Err(refusal) => return reply::refused(moment, refusal).into(),
    };
    // Before the event, so that whoever is told of it finds what led to it.
    let keep = async || match &arrival {
        Some(arrival) => arrive(app.ports, space, arrival, moment.now).await.is_ok(),
        None => true,
    };
    let mut is_arrival_kept = keep().await;
    let address = IpAddress::parse(request.headers.client_ip);
    let (memory, name) = (&app.isolate.memory, &space.name);
    let collected = match event {
        Some(mut event) => {
            event.said.is_arrival_missing = !is_arrival_kept;
            let collected = collect(app.ports, memory, moment, name, event, address).await;
            // The ledger may answer again by now, and a visitor who has bought may report nothing more.
            is_arrival_kept = is_arrival_kept || keep().await;
            collected
        }
        None if is_arrival_kept => Collected::Noted,
        None => Collected::Refused(storage_unavailable()),
    };
    let (reason, is_told, conversion, errand) = match collected {
        Collected::Refused(refusal) => return reply::refused(moment, refusal).into(),
        Collected::Noted => (None, true, "null".to_owned(), None),
        Collected::Judged { outcome, is_told } => {
            let reason = outcome.refusal.as_ref().map(|refusal| refusal.reason);
            (reason, is_told, reply::json_of(&outcome).to_string(), outcome.errand)
        }
    };
    let mut pixels = Vec::new();
    let may_fire = is_told && is_arrival_kept && space.tracking.has_pixels;
    if let (true, Some(arrival)) = (may_fire, &arrival) {
        // What was taken is taken; pixels that cannot be read go on waiting, and so they do while it
        // is not known what led to the visitor.
        let fired = hand_out(app.ports, moment, name, &space.tracking, &arrival.visitor).await;
        pixels = fired.unwrap_or_default();
    }
    // The page's script gets the verdict of its conversion within the receipt.
    let more = visitor::receipt(is_arrival_kept, &pixels);
    let body = format!("{{\"received\":true,\"conversion\":{conversion}{more}}}");
    let status = reason.map_or(200, reply::status_of);
    let response = Response::text(status, "application/json", body);
    let response = reply::with_retry_after(response, reason);
    Answer { response, duty: Default::default(), errand }
}

/// Reads `{"event": …, "click_id": …, "data": {…}, "visitor": …}`. A report of an arrival has a
/// visitor and no event.
fn read(body: &[u8], gpc: &str) -> Result<(Option<SiteEvent>, Option<Arrival>), Refusal> {
    if body.len() > MAX_BODY {
        return Err(Refusal::new(Reason::TooLarge, "an event has at most 8 KiB"));
    }
    let unreadable = || {
        Refusal::new(
            Reason::InvalidParameter,
            "the body must be a JSON object with event, click_id and data",
        )
    };
    let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(body) else {
        return Err(unreadable());
    };
    let arrival = visitor::read(&fields, gpc);
    if fields.get("event").is_none_or(Value::is_null) && fields.contains_key("visitor") {
        return Ok((None, arrival));
    }
    let text =
        |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name =
        text("event").filter(|name| name.len() <= MAX_NAME && !name.chars().any(char::is_control));
    let Some(name) = name else {
        let detail = format!("event must be a name of 1 to {MAX_NAME} bytes");
        return Err(Refusal::of(Reason::InvalidParameter, "event", detail));
    };
    let none = Map::new();
    let data = match fields.get("data") {
        None | Some(Value::Null) => &none,
        Some(Value::Object(data)) => data,
        Some(_) => return Err(unreadable()),
    };
    let mut keys = keys(body);
    if let Some(arrival) = &arrival {
        // The event's own keys come first.
        keys.extend(arrival.contact.iter().cloned());
        keys.extend(arrival.fbc.iter().map(|fbc| ("FBC".to_owned(), fbc.clone())));
    }
    let event = SiteEvent {
        name: name.to_owned(),
        click_id: text("click_id").map(str::to_owned),
        parameters: parameters(data),
        said: Said {
            keys,
            visitor: arrival.as_ref().map(|arrival| arrival.visitor.clone()),
            is_forced: ["page", "landing"].into_iter().filter_map(text).any(is_forced_by),
            ..Said::default()
        },
    };
    let values = event.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let click_id = event.click_id.iter().map(|id| ("click_id", id.as_str()));
    match values.chain(click_id).find(|(_, value)| value.contains(char::is_control)) {
        None => Ok((Some(event), arrival)),
        Some((name, _)) => {
            let detail = format!("the value of {name} contains control characters");
            Err(Refusal::of(Reason::InvalidParameter, name, detail))
        }
    }
}

/// The keys of `data` and their values as sent, for connectors.
fn keys(body: &[u8]) -> Vec<(String, String)> {
    let members = |text: &str| parameters::members(text).unwrap_or_default();
    let fields = std::str::from_utf8(body).map(members).unwrap_or_default();
    let data = fields.into_iter().rfind(|(name, _)| name == "data");
    data.map(|(_, data)| members(&data)).unwrap_or_default()
}

/// The event's keys as a postback's query: `eventId` is the order_id and `value` the amount; in
/// `/collect` every other key is the event's own, whatever a postback would take it for.
fn parameters(data: &Map<String, Value>) -> Vec<(String, String)> {
    let canonical = |key: &str| match key {
        "eventId" => Some("order_id"),
        "value" => Some("amount"),
        "currency" => Some("currency"),
        _ => None,
    };
    // JavaScript adds 1.1 and 2.2 up to 3.3000000000000003; a page that sends a number means it
    // to the digits that an amount may have.
    let number = |number: &Number| {
        let text = number.to_string();
        let is_amount = Decimal::parse_amount(&text).is_some();
        let rounded = number.as_f64().filter(|n| !is_amount && (0.0..1e12).contains(n));
        rounded.map_or(text, |n| format!("{n:.6}"))
    };
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::Number(value) => Some(number(value)),
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    };
    data.iter()
        .filter_map(|(key, value)| Some((canonical(key)?.to_owned(), text(value)?)))
        .collect()
}
