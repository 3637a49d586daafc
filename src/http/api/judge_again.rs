//! `POST /inbox/judge-again`: judges refused postbacks again, a step at each call.

use serde_json::{Map, Value, json};

use super::steps::{self, Wrong};
use super::{Call, Stores, body, problem};
use crate::app::judge_again::{Filter, step};
use crate::domain::verdict::{Reason, Verdict};
use crate::http::response::Response;

/// Takes a step: the first one, or the one after `cursor`.
pub(super) async fn respond<S: Stores>(call: &Call<'_, S>) -> Result<Response, Response> {
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let sent = body::object(call.request)?;
    let filter = filter(&sent)?;
    let cursor = steps::cursor(&sent)?;
    let step = step(call.stores, call.memory, call.moment, namespace, &filter, cursor).await;
    let step = step.map_err(|_| problem::storage_unavailable())?;
    let count = |verdict: Verdict| {
        let word = verdict.as_str();
        (word.to_owned(), Value::from(step.verdicts.get(word).copied().unwrap_or_default()))
    };
    let verdicts = [Verdict::Recorded, Verdict::Updated, Verdict::Duplicate, Verdict::Rejected];
    let answer = json!({
        "judged": step.verdicts.values().sum::<u64>(),
        "verdicts": verdicts.map(count).into_iter().collect::<Map<_, _>>(),
        "reasons": step.reasons,
        "next_cursor": steps::next_cursor(step.next.as_ref()),
    });
    Ok(Response::json(200, &answer))
}

/// The filter, or all that is wrong with it.
fn filter(sent: &Map<String, Value>) -> Result<Filter, Response> {
    let mut filter = Filter::default();
    steps::read_filter(sent, "reason, campaign_id, from, to", |name, value| match name {
        "reason" => {
            let reason = value.as_str().and_then(Reason::from_word);
            let wanted = "Send a reason of refusals, such as \"unknown_coupon\".";
            steps::keep(&mut filter.reason, reason, wanted)
        }
        "campaign_id" => {
            let wanted = "Send the number of a campaign.";
            steps::keep(&mut filter.campaign_id, steps::number(value), wanted)
        }
        "from" => steps::keep_time(&mut filter.from, value),
        "to" => steps::keep_time(&mut filter.to, value),
        _ => Err(Wrong::Unknown),
    })?;
    Ok(filter)
}
