//! `POST /inbox/judge-again`: judges refused postbacks again, a step at each call.

use serde_json::{Map, Value, json};

use super::problem::{self, FieldFault};
use super::{Call, Stores, body, paging};
use crate::app::judge_again::{Cursor, Filter, step};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reason, Verdict};
use crate::http::response::Response;

const FIELDS: &str = "reason, campaign_id, from, to, cursor";

/// Takes a step: the first one, or the one after `cursor`.
pub(super) async fn respond<S: Stores>(call: &Call<'_, S>) -> Result<Response, Response> {
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let sent = body::object(call.request)?;
    let filter = filter(&sent).map_err(problem::invalid_fields)?;
    let cursor = match sent.get("cursor") {
        None | Some(Value::Null) => None,
        Some(sent) => Some(cursor(sent).ok_or_else(problem::invalid_cursor)?),
    };
    let step = step(call.stores, call.memory, call.moment, namespace, &filter, cursor).await;
    let step = step.map_err(|_| problem::storage_unavailable())?;
    let count = |verdict: Verdict| {
        let word = verdict.as_str();
        (word.to_owned(), Value::from(step.verdicts.get(word).copied().unwrap_or_default()))
    };
    let verdicts = [Verdict::Recorded, Verdict::Updated, Verdict::Duplicate, Verdict::Rejected];
    let next = step.next.map(|next| paging::cursor(&json!([next.after, next.to.ms()])));
    let answer = json!({
        "judged": step.verdicts.values().sum::<u64>(),
        "verdicts": verdicts.map(count).into_iter().collect::<Map<_, _>>(),
        "reasons": step.reasons,
        "next_cursor": next,
    });
    Ok(Response::json(200, &answer))
}

fn cursor(sent: &Value) -> Option<Cursor> {
    let key = paging::key_of_cursor(sent.as_str()?).ok()?;
    let [after, to] = key.as_array()?.as_slice() else { return None };
    let after = after.as_str().filter(|after| paging::is_plain(after))?.to_owned();
    Some(Cursor { after, to: Timestamp::from_ms(to.as_u64()?) })
}

/// The filter, or all that is wrong with it.
fn filter(sent: &Map<String, Value>) -> Result<Filter, Vec<FieldFault>> {
    let mut filter = Filter::default();
    let mut faults = Vec::new();
    for (name, value) in sent.iter().filter(|(_, value)| !value.is_null()) {
        let instant = || value.as_str().and_then(Timestamp::parse);
        let (is_valid, wanted) = match name.as_str() {
            "reason" => {
                filter.reason = value.as_str().and_then(Reason::from_word);
                (filter.reason.is_some(), "Send a reason of refusals, such as \"unknown_coupon\".")
            }
            "campaign_id" => {
                filter.campaign_id = value.as_u64().and_then(|id| id.try_into().ok());
                (filter.campaign_id.is_some(), "Send the number of a campaign.")
            }
            "from" => {
                filter.from = instant();
                (
                    filter.from.is_some(),
                    "Send a time of RFC 3339, such as \"2026-11-21T09:30:00Z\".",
                )
            }
            "to" => {
                filter.to = instant();
                (filter.to.is_some(), "Send a time of RFC 3339, such as \"2026-11-21T09:30:00Z\".")
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
