//! The status that a conversion starts with.

use super::Case;
use super::rejection::{unknown_conversion, unknown_order};
use crate::domain::click_id::Flags;
use crate::domain::configuration::{Campaign, Status};
use crate::domain::permission::{Act, may};
use crate::domain::postback::Postback;
use crate::domain::verdict::{Reason, Refusal, Warning, WarningCode};

/// The status that a new conversion starts with, and why. `default` is what it is if nothing says
/// otherwise.
pub(super) fn status(
    case: &Case<'_>,
    click: Flags,
    default: (Status, String),
    warnings: &mut Vec<Warning>,
) -> Result<(Status, String), Refusal> {
    let postback = case.postback;
    let (wanted, why) = if postback.third_party_rejected_reason.is_some() {
        (Status::Rejected, "third_party_rejected_reason was sent".to_owned())
    } else if let Some(word) = postback.status.as_deref() {
        (map_status(word, case.campaign)?, format!("status={word} was sent"))
    } else {
        default
    };
    if !click.has(Flags::COUNTED) && !click.has(Flags::TEST) {
        let message = "the click had been stored as not counted; it converted and counts now";
        warnings.push(Warning::about(WarningCode::ClickWasUncounted, "click_id", message));
    }
    if is_held(wanted, click) {
        let message = "the conversion is held: its click came from a likely bot, or was loaded as an image or frame";
        warnings.push(Warning::about(WarningCode::HeldForClick, "click_id", message));
        return Ok((Status::Hold, "the click looks like a bot's or was embedded".to_owned()));
    }
    if wanted == Status::Approved && !may(case.proof, Act::StartAbovePending, case.campaign) {
        let message = "without a token a conversion starts as pending";
        warnings.push(Warning::general(WarningCode::StatusLimited, message));
        return Ok((
            Status::Pending,
            format!("{why}, limited to pending because the request proved nothing"),
        ));
    }
    Ok((wanted, why))
}

/// Whether a conversion is held because of its click, whatever status is wanted.
pub(super) fn is_held(wanted: Status, click: Flags) -> bool {
    let is_suspect = click.has(Flags::SUSPECTED_BOT) || click.has(Flags::EMBEDDED);
    is_suspect && wanted != Status::Rejected
}

/// A refund of what nobody reported is refused before anything else is asked of it: it creates
/// nothing, so neither the click's age nor the campaign's state matters.
pub(super) fn is_unknown_refund(case: &Case<'_>) -> Result<(), Refusal> {
    let postback = case.postback;
    let status = postback.status.as_deref().map(|word| map_status(word, case.campaign));
    match (status == Some(Ok(Status::Refunded)), postback.order_id.is_some()) {
        (true, true) => Err(unknown_order()),
        (true, false) => Err(unknown_conversion()),
        (false, _) if postback.refund_id.is_some() => Err(refund_without_status()),
        (false, _) => Ok(()),
    }
}

/// The refusal of a `refund_id` that comes without a refund.
pub(super) fn refund_without_status() -> Refusal {
    let detail = "refund_id names a refund: send status=refunded with it";
    Refusal::of(Reason::MissingParameter, "status", detail)
}

/// The status of a sender's word: the campaign's own words, then those that every campaign knows
/// (wire.md 5).
pub(super) fn map_status(word: &str, campaign: &Campaign) -> Result<Status, Refusal> {
    let lower = word.to_lowercase();
    let own = campaign.status_words.iter().find(|(word, _)| *word == lower).map(|(_, s)| *s);
    let status = own.or_else(|| match lower.as_str() {
        "confirmed" => Some(Status::Approved),
        "denied" | "declined" | "cancelled" => Some(Status::Rejected),
        "revision" | "on_hold" => Some(Status::Hold),
        "chargeback" => Some(Status::Refunded),
        own => Status::from_word(own),
    });
    status.ok_or_else(|| {
        Refusal::of(
            Reason::UnmappedStatus,
            "status",
            "this status is not known; send approved, pending, hold, rejected or refunded, or let the operator map the word in the campaign's status_words",
        )
    })
}

pub(super) fn status_reason(postback: &Postback) -> Option<String> {
    postback.third_party_rejected_reason.clone().or_else(|| postback.reason.clone())
}
