//! `GET /explain`: why everything is as it is.

use serde_json::{Value, json};

use super::{Call, Stores, paging, problem};
use crate::app::explain::{Entry, Subject, explain};
use crate::http::response::Response;

/// What the address takes.
const PARAMETERS: &str = "click_id, order_id (with campaign_id, if the order's number may occur in several), conversion_id";

/// Tells the story of a click, an order or a conversion.
pub(super) async fn show<S: Stores>(call: &Call<'_, S>) -> Result<Response, Response> {
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let subject = subject(call)?;
    let story = explain(call.stores, call.memory, namespace, &subject, call.moment.now).await;
    let story = story.map_err(|_| problem::storage_unavailable())?;
    let story = story.ok_or_else(|| problem::not_found(singular(&subject)))?;
    let timeline: Vec<Value> = story.entries.iter().map(shown).collect();
    Ok(Response::json(200, &json!({ "timeline": timeline, "has_more": story.has_more })))
}

fn shown(entry: &Entry) -> Value {
    json!({
        "at": entry.at.to_rfc3339(),
        "what": entry.what,
        "because": entry.because,
        "click_id": entry.click_id,
        "request_id": entry.request_id,
        "conversion_id": entry.conversion_id,
        "details": entry.details,
    })
}

fn singular(subject: &Subject) -> &'static str {
    match subject {
        Subject::Click(_) => "click",
        Subject::Order { .. } => "order",
        Subject::Conversion(_) => "conversion",
    }
}

fn subject<S>(call: &Call<'_, S>) -> Result<Subject, Response> {
    let (mut subjects, mut of_campaign) = (Vec::new(), None);
    for (name, text) in paging::parameters(call.request)? {
        let is_name = matches!(name.as_str(), "click_id" | "order_id" | "conversion_id");
        if is_name && !paging::is_plain(&text) {
            let detail = "it has control characters, or more than 300 bytes.";
            return Err(problem::invalid_parameter(&name, detail));
        }
        match name.as_str() {
            "click_id" => subjects.push(Subject::Click(text)),
            "order_id" => subjects.push(Subject::Order { order_id: text, campaign_id: None }),
            "conversion_id" => subjects.push(Subject::Conversion(text)),
            "campaign_id" => {
                let id = paging::number(&text).and_then(|id| id.as_u64()?.try_into().ok());
                let detail = "send the campaign's number, as the list of campaigns shows it.";
                let id: u32 = id.ok_or_else(|| problem::invalid_parameter(&name, detail))?;
                of_campaign = Some(id);
            }
            _ => return Err(problem::unknown_parameter(&name, PARAMETERS)),
        }
    }
    match (subjects.as_mut_slice(), of_campaign) {
        ([Subject::Order { campaign_id, .. }], Some(id)) => *campaign_id = Some(id),
        ([_], None) => {}
        ([_], Some(_)) => {
            let detail = "it goes with order_id only; leave it out.";
            return Err(problem::invalid_parameter("campaign_id", detail));
        }
        _ => {
            let detail = "send one of click_id, order_id and conversion_id.";
            return Err(problem::invalid_parameter("of the subject", detail));
        }
    }
    subjects.pop().ok_or_else(problem::no_such_address)
}
