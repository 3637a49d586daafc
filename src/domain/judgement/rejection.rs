//! `new_rejected_reason`: rejects what is recorded (wire.md 5, as Integr8's rejection address).

use super::repeat::{contradicted, effect};
use super::status::map_status;
use super::{Case, Facts, Judgement, no_attribution};
use crate::domain::configuration::Status;
use crate::domain::conversion::Conversion;
use crate::domain::refund::Request;
use crate::domain::transition::{Author, Wish, change, refused};
use crate::domain::verdict::{Reason, Refusal};

/// Rejects the conversion that the case names, or gives a rejected one another reason.
pub(super) fn rejection(
    case: &Case<'_>,
    event_id: u32,
    reason: &str,
    facts: &Facts,
) -> Result<Judgement, Refusal> {
    if let Some(word) = case.postback.status.as_deref()
        && map_status(word, case.campaign)? != Status::Rejected
    {
        let detail =
            "new_rejected_reason rejects, but status says something else; send one of them";
        return Err(Refusal::of(Reason::InvalidParameter, "status", detail));
    }
    let named = named(case, event_id, facts)?;
    let wish = Wish {
        status: Status::Rejected,
        reason: Some(reason),
        is_reason_replaced: true,
        refund: Request::default(),
    };
    let mut changes = Vec::new();
    for known in &named {
        if let Some(name) = contradicted(case, known) {
            let detail = format!(
                "the conversion was recorded with another {name}; nothing was changed. To reject it, name it by order_id or click_id only"
            );
            return Err(Refusal::of(Reason::Conflict, name, detail));
        }
        // Of several, what was refunded is out already, and no reason to leave the others in.
        if named.len() > 1 && known.status == Status::Refunded {
            continue;
        }
        changes.extend(change(known, &wish, Author::Sender, case.request_id)?);
    }
    match named.first() {
        Some(first) if changes.is_empty() && named.iter().all(|c| c.status == Status::Refunded) => {
            Err(refused(first.status, Status::Rejected, Author::Sender))
        }
        Some(first) => Ok(effect(case, facts, first, changes)),
        None => Err(no_attribution()),
    }
}

/// The conversions that a rejection names: that of the order, else of the event, else the initial
/// one of the click; with `all_events` every one of the click.
fn named<'a>(
    case: &Case<'_>,
    event_id: u32,
    facts: &'a Facts,
) -> Result<Vec<&'a Conversion>, Refusal> {
    let is_here = |known: &&Conversion| known.campaign_id == case.campaign.id;
    let is_all = case.postback.is_all_events;
    if case.postback.order_id.is_some() && !is_all {
        return match facts.by_order.as_ref().filter(is_here) {
            Some(known) => Ok(vec![known]),
            None => Err(unknown_order()),
        };
    }
    if case.click.text().is_none() {
        return Err(no_attribution());
    }
    let of_click = facts.of_click.iter().filter(is_here);
    let found: Vec<&Conversion> =
        of_click.filter(|known| is_all || known.event_id == event_id).collect();
    match found.len() {
        0 => Err(unknown_conversion()),
        1 => Ok(found),
        _ if is_all => Ok(found),
        many => {
            let detail = format!(
                "the click has {many} conversions; say which by order_id, or send all_events=true for all of them"
            );
            Err(Refusal::of(Reason::MissingParameter, "order_id", detail))
        }
    }
}

/// The refusal of a change of an order that nobody reported.
pub(super) fn unknown_order() -> Refusal {
    Refusal::of(
        Reason::UnknownOrder,
        "order_id",
        "no conversion of this order is recorded in the campaign; send the order_id of the postback that reported the sale",
    )
}

/// The refusal of a change of a click's conversion that there is not.
pub(super) fn unknown_conversion() -> Refusal {
    Refusal::of(
        Reason::UnknownClick,
        "click_id",
        "no such conversion of this click is recorded; report the sale first, or send its order_id",
    )
}
