//! What becomes of a report: what is answered, and what is left to do behind the answer.

use crate::app::parties::names_parties;
use crate::app::ports::RefusedRequest;
use crate::domain::cap;
use crate::domain::configuration::Status;
use crate::domain::conversion::Conversion;
use crate::domain::judgement::unknown_click;
use crate::domain::namespace::Namespace;
use crate::domain::postback::{Postback, ReplyFormat};
use crate::domain::verdict::{Reason, Refusal, Verdict};

/// What is answered, and what is left to do behind the answer.
#[derive(Debug)]
pub struct Outcome {
    /// The request's name.
    pub request_id: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
    /// The campaign that it was judged for, also where it was refused.
    pub campaign_id: Option<u32>,
    /// The click that it named, if a key verifies it.
    pub click_id: Option<String>,
    /// The event that it reported, by number and name, if the campaign has it.
    pub event: Option<(u32, String)>,
    /// The conversion that it made or repeated.
    pub conversion: Option<Conversion>,
    /// The status now, where the store was read.
    pub current_status: Option<Status>,
    /// Whether the sender may see money and affiliate.
    pub sees_money: bool,
    /// Whether nothing was written because only the verdict was wanted.
    pub is_dry_run: bool,
    /// How the sender wants the reply.
    pub format: ReplyFormat,
    /// What is left to do behind the answer.
    pub errand: Option<Errand>,
}

/// Something to do behind an answer.
#[derive(Debug)]
pub enum Errand {
    /// Keep a copy of a conversion for the time when the ledger is down.
    KeepAnswer(Namespace, Box<Conversion>),
    /// The same, and examine the conversion by the row of its click.
    KeepAndExamine(Namespace, Box<Conversion>),
    /// Count a request that failed before authentication.
    CountRefusal(Box<RefusedRequest>),
}

impl Outcome {
    /// A refusal.
    pub fn refused(request_id: String, refusal: Refusal, format: ReplyFormat) -> Self {
        Self {
            request_id,
            verdict: Verdict::Rejected,
            refusal: Some(refusal),
            campaign_id: None,
            click_id: None,
            event: None,
            conversion: None,
            current_status: None,
            sees_money: false,
            is_dry_run: false,
            format,
            errand: None,
        }
    }
}

/// The refusal when a store did not answer: as far as the sender is concerned nothing happened.
pub fn storage_unavailable() -> Refusal {
    Refusal::new(
        Reason::StorageUnavailable,
        "the store did not answer and nothing was acknowledged; send the same request again",
    )
}

/// A refusal as its sender is told of it.
pub(super) fn as_told(refusal: Refusal, sees_money: bool) -> Refusal {
    if refusal.reason == Reason::Capped && !sees_money { cap::without_numbers() } else { refusal }
}

/// The refusal where no campaign was found, for a sender who proved himself with the namespace's
/// own token.
pub(super) fn no_campaign(postback: &Postback) -> Refusal {
    match (postback.campaign_id, &postback.click_id) {
        (Some(id), _) => Refusal::of(
            Reason::UnknownCampaign,
            "campaign_id",
            format!("this namespace has no campaign {id}; its number stands in the campaign list"),
        ),
        (None, Some(text)) => unknown_click(text),
        // Whoever is named is somebody in a campaign.
        (None, None) if names_parties(postback) || postback.customer_id.is_some() => Refusal::of(
            Reason::MissingParameter,
            "campaign_id",
            "without a click_id nothing says which campaign is meant: send its number as campaign_id",
        ),
        (None, None) => Refusal::of(
            Reason::NoAttribution,
            "click_id",
            "nothing says whom to credit: send the click_id that the landing page got in its address, \
             or campaign_id beside the order_id of a recorded conversion",
        ),
    }
}
