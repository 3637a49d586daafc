//! What operators do with deliveries: send them again, one or many, and cancel those that wait.
//! Their lists are served by `past`.

use serde_json::{Map, Value, json};

use super::problem::{self, FieldFault};
use super::{Call, Stores, body, paging, past};
use crate::app::access::Scope;
use crate::app::deliveries::{Cursor, Filter, replay_step};
use crate::app::history::DELIVERIES;
use crate::domain::connector::text::masked;
use crate::domain::delivery::{Kind, State};
use crate::domain::time::Timestamp;
use crate::http::response::Response;

type Answer = Result<Response, Response>;

/// Deliveries that one call cancels.
const CANCELLED_TOGETHER: usize = 5_000;

const FIELDS: &str = "state, kind, connector_id, conversion_id, from, to, cursor";

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
    let filter = filter(&sent).map_err(problem::invalid_fields)?;
    let cursor = match sent.get("cursor") {
        None | Some(Value::Null) => None,
        Some(sent) => Some(cursor(sent).ok_or_else(problem::invalid_cursor)?),
    };
    let step = replay_step(call.stores, namespace, &filter, cursor, call.moment.now).await;
    let step = step.map_err(|_| problem::storage_unavailable())?;
    if step.replayed > 0 {
        call.memory.wake.ask();
    }
    let next = step.next.map(|next| paging::cursor(&json!([next.after, next.to.ms()])));
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

fn cursor(sent: &Value) -> Option<Cursor> {
    let key = paging::key_of_cursor(sent.as_str()?).ok()?;
    let [after, to] = key.as_array()?.as_slice() else { return None };
    let after = after.as_str().filter(|after| paging::is_plain(after))?.to_owned();
    Some(Cursor { after, to: Timestamp::from_ms(to.as_u64()?) })
}

/// The filter, or all that is wrong with it.
fn filter(sent: &Map<String, Value>) -> Result<Filter, Vec<FieldFault>> {
    let mut filter = Filter {
        state: State::Exhausted,
        kind: Kind::Webhook,
        connector_id: None,
        conversion_id: None,
        from: None,
        to: None,
    };
    const INSTANT: &str = "Send a time of RFC 3339, such as \"2026-11-21T09:30:00Z\".";
    let mut faults = Vec::new();
    for (name, value) in sent.iter().filter(|(_, value)| !value.is_null()) {
        let instant = || value.as_str().and_then(Timestamp::parse);
        let (is_valid, wanted) = match name.as_str() {
            "state" => {
                let ended = value.as_str().and_then(State::from_word);
                let ended = ended.filter(|state| *state != State::Waiting);
                filter.state = ended.unwrap_or(filter.state);
                (
                    ended.is_some(),
                    "Send the state of deliveries that have ended, such as \"exhausted\".",
                )
            }
            "kind" => {
                let kind = value.as_str().and_then(Kind::from_word);
                filter.kind = kind.unwrap_or(filter.kind);
                (kind.is_some(), "Send \"webhook\" or \"pixel\".")
            }
            "connector_id" => {
                filter.connector_id = value.as_u64().and_then(|id| id.try_into().ok());
                (filter.connector_id.is_some(), "Send the number of a connector.")
            }
            "conversion_id" => {
                // No conversion has a longer one; the description says so too.
                let is_id = |id: &&str| paging::is_plain(id) && id.chars().count() <= 128;
                let id = value.as_str().filter(is_id);
                filter.conversion_id = id.map(str::to_owned);
                (id.is_some(), "Send the conversion_id of a conversion.")
            }
            "from" => {
                filter.from = instant();
                (filter.from.is_some(), INSTANT)
            }
            "to" => {
                filter.to = instant();
                (filter.to.is_some(), INSTANT)
            }
            "cursor" => (true, ""),
            _ => {
                let message = format!("There is no such field; there are {FIELDS}.");
                faults.push(problem::field(name, ("unknown_field", message)));
                continue;
            }
        };
        if !is_valid {
            faults.push(problem::field(name, ("invalid", wanted.to_owned())));
        }
    }
    if faults.is_empty() { Ok(filter) } else { Err(faults) }
}
