//! What operators do with deliveries: send them again, one or many, and cancel those that wait.
//! Their lists are served by `past`.

use serde_json::{Map, Value, json};

use super::steps::{self, Wrong};
use super::{Call, Stores, body, paging, past, problem};
use crate::app::access::Scope;
use crate::app::deliveries::{Filter, replay_step};
use crate::app::history::DELIVERIES;
use crate::domain::connector::text::masked;
use crate::domain::delivery::{Kind, State};
use crate::http::response::Response;

type Answer = Result<Response, Response>;

/// Deliveries that one call cancels.
const CANCELLED_TOGETHER: usize = 5_000;

/// Hides personal values from whoever may not see them.
pub(super) fn mask<S>(call: &Call<'_, S>, shown: &mut Value) {
    if call.access.may(Scope::Pii) {
        return;
    }
    let Some(Value::Object(personal)) = shown.get_mut("personal") else { return };
    for value in personal.values_mut() {
        *value = masked(value.as_str().unwrap_or_default()).into();
    }
}

/// `POST /deliveries/{delivery_id}/replay`, then shows it.
pub(super) async fn replay<S: Stores>(call: &Call<'_, S>, delivery_id: &str) -> Answer {
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    if paging::is_plain(delivery_id) {
        let replayed = call.stores.replay(namespace, delivery_id, call.moment.now).await;
        if !replayed.map_err(|_| problem::storage_unavailable())? {
            let message = "What this delivery told was erased; there is nothing left to send.";
            return Err(Response::problem(400, "erased", message));
        }
        call.memory.wake.ask();
    }
    past::show(call, &DELIVERIES, delivery_id).await
}

/// `POST /deliveries/replay`: takes a step, the first one or the one after `cursor`.
pub(super) async fn replay_many<S: Stores>(call: &Call<'_, S>) -> Answer {
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let sent = body::object(call.request)?;
    let filter = filter(&sent)?;
    let cursor = steps::cursor(&sent)?;
    let step = replay_step(call.stores, namespace, &filter, cursor, call.moment.now).await;
    let step = step.map_err(|_| problem::storage_unavailable())?;
    if step.replayed > 0 {
        call.memory.wake.ask();
    }
    let next = steps::next_cursor(step.next.as_ref());
    Ok(Response::json(200, &json!({ "replayed": step.replayed, "next_cursor": next })))
}

/// `POST /connectors/{id}/cancel`: cancels what waits for a connector.
pub(super) async fn cancel<S: Stores>(call: &Call<'_, S>, id: &str) -> Answer {
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let id = connector_id(id)?;
    let cancelled = call.stores.cancel(namespace, id, CANCELLED_TOGETHER, call.moment.now).await;
    let cancelled = cancelled.map_err(|_| problem::storage_unavailable())?;
    let cancelled = cancelled.ok_or_else(|| problem::not_found("connector"))?;
    let is_done = cancelled < CANCELLED_TOGETHER as u64;
    Ok(Response::json(200, &json!({ "cancelled": cancelled, "is_done": is_done })))
}

/// The number of a connector in an address.
pub(super) fn connector_id(text: &str) -> Result<u32, Response> {
    let number = paging::number(text).and_then(|number| number.as_u64()?.try_into().ok());
    number.ok_or_else(|| problem::not_found("connector"))
}

/// The filter, or all that is wrong with it.
fn filter(sent: &Map<String, Value>) -> Result<Filter, Response> {
    let (mut state, mut kind) = (None, None);
    let (mut connector_id, mut conversion_id, mut from, mut to) = (None, None, None, None);
    let known = "state, kind, connector_id, conversion_id, from, to";
    steps::read_filter(sent, known, |name, value| match name {
        "state" => {
            let ended = value.as_str().and_then(State::from_word);
            let ended = ended.filter(|state| *state != State::Waiting);
            let wanted = "Send the state of deliveries that have ended, such as \"exhausted\".";
            steps::keep(&mut state, ended, wanted)
        }
        "kind" => {
            let read = value.as_str().and_then(Kind::from_word);
            steps::keep(&mut kind, read, "Send \"webhook\" or \"pixel\".")
        }
        "connector_id" => {
            let wanted = "Send the number of a connector.";
            steps::keep(&mut connector_id, steps::number(value), wanted)
        }
        "conversion_id" => {
            // No conversion has a longer one; the description says so too.
            let is_id = |id: &&str| paging::is_plain(id) && id.chars().count() <= 128;
            let id = value.as_str().filter(is_id).map(str::to_owned);
            steps::keep(&mut conversion_id, id, "Send the conversion_id of a conversion.")
        }
        "from" => steps::keep_time(&mut from, value),
        "to" => steps::keep_time(&mut to, value),
        _ => Err(Wrong::Unknown),
    })?;
    let (state, kind) = (state.unwrap_or(State::Exhausted), kind.unwrap_or(Kind::Webhook));
    Ok(Filter { state, kind, connector_id, conversion_id, from, to })
}
