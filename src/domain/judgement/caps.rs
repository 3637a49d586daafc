//! Caps in the decision: which of them bound a new conversion, and whether there is a place.

use super::status::map_status;
use super::{Case, Click, Credit, Facts};
use crate::domain::cap::{Bounded, Mode, Place, bounding_conversions, looked_at, places};
use crate::domain::configuration::Status;
use crate::domain::conversion::{Conversion, INITIAL};
use crate::domain::event::Event;
use crate::domain::verdict::{Reason, Refusal};

/// What a new conversion takes for granted of its campaign's caps, and what it does to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssumedCaps {
    /// Where it counts; empty where nothing bounds it.
    pub places: Vec<Place>,
    /// Where to look if something is not as assumed.
    pub looked_at: Vec<Place>,
    /// What must not be used up yet.
    pub free: Vec<Free>,
}

/// That less than the limit is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Free {
    /// Where.
    pub place: Place,
    /// Of what.
    pub what: Bounded,
    /// How many, or how much in minor units.
    pub limit: i64,
}

/// Refuses if a hard cap is full. One whose use was not read is taken to have a place, which the
/// commit checks. What is reported as rejected takes none, and so needs none.
pub(super) fn refuse_if_full(
    case: &Case<'_>,
    event: Option<&Event>,
    credit: &Credit,
    facts: &Facts,
) -> Result<(), Refusal> {
    if !is_bounded(event, credit) || is_rejected_at_once(case) {
        return Ok(());
    }
    match first_full(case, credit, facts, Mode::Hard) {
        None => Ok(()),
        Some(cap) => {
            let detail = format!(
                "{cap}; nothing was recorded. The operator can raise the cap and then judge the postback again"
            );
            Err(Refusal::new(Reason::Capped, detail))
        }
    }
}

/// The status of a conversion for which a soft cap has no place left, and which one that is.
pub(super) fn soften(
    case: &Case<'_>,
    event: Option<&Event>,
    credit: &Credit,
    facts: &Facts,
    status: (Status, String),
) -> ((Status, String), Option<String>) {
    if status.0 != Status::Approved || !is_bounded(event, credit) {
        return (status, None);
    }
    match first_full(case, credit, facts, Mode::Soft) {
        None => (status, None),
        Some(cap) => {
            let why = format!("{}, limited to pending because {cap}", status.1);
            ((Status::Pending, why), Some(cap))
        }
    }
}

/// Events and tests are neither bounded nor counted.
fn is_bounded(event: Option<&Event>, credit: &Credit) -> bool {
    event.is_none() && !credit.is_test
}

fn is_rejected_at_once(case: &Case<'_>) -> bool {
    let word = case.postback.status.as_deref();
    case.postback.third_party_rejected_reason.is_some()
        || word.is_some_and(|word| map_status(word, case.campaign) == Ok(Status::Rejected))
}

/// The first full cap of a mode, in words.
fn first_full(case: &Case<'_>, credit: &Credit, facts: &Facts, mode: Mode) -> Option<String> {
    let (uses, today) = (facts.uses.as_deref()?, case.today?);
    bounding_conversions(&case.campaign.caps, credit.credited.affiliate_id)
        .filter(|cap| cap.mode == mode)
        .map(|cap| (cap, cap.used(uses, today)))
        .find(|(cap, used)| *used >= cap.limit)
        .map(|(cap, used)| cap.in_words(used, today, case.campaign.currency))
}

/// Which uses are asked for with the other facts: those that a click's conversion depends on.
pub(super) fn asked(case: &Case<'_>, event: Option<&Event>) -> Vec<Place> {
    match (case.click, case.today) {
        (Click::Genuine { link, .. }, Some(today)) if event.is_none() => {
            looked_at(&case.campaign.caps, link.affiliate_id, today)
        }
        _ => Vec::new(),
    }
}

/// What the commit of a conversion has to check. A soft cap matters only to what it would make
/// pending.
pub(super) fn assumed(case: &Case<'_>, conversion: &Conversion) -> AssumedCaps {
    let Some(today) = case.today else { return AssumedCaps::default() };
    if conversion.event_id != INITIAL || conversion.is_test {
        return AssumedCaps::default();
    }
    let (caps, affiliate_id) = (&case.campaign.caps, conversion.affiliate_id);
    let is_assumed = |mode| match mode {
        Mode::Hard => conversion.status != Status::Rejected,
        Mode::Soft => conversion.status == Status::Approved,
    };
    let caps_in_force = bounding_conversions(caps, affiliate_id);
    let free = caps_in_force.filter(|cap| is_assumed(cap.mode)).map(|cap| Free {
        place: cap.place(today),
        what: cap.what,
        limit: cap.limit,
    });
    AssumedCaps {
        free: free.collect(),
        places: places(caps, affiliate_id, today),
        looked_at: looked_at(caps, affiliate_id, today),
    }
}
