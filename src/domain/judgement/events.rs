//! Events (wire.md 5, design.md 5): which one a postback reports, which conversion it follows, and
//! whom that credits. An event counts only after an initial conversion that stands.

use super::lifetime::customer_of;
use super::{Case, Click, Credit, Facts, no_attribution, occurred_at, unknown_click};
use crate::domain::attribution::Credited;
use crate::domain::configuration::{ConversionsPerClick, Status};
use crate::domain::conversion::{Conversion, INITIAL, Key, fingerprint, id_of_test};
use crate::domain::event::{self, Event, Repeat, SAME_REQUEST_MS};
use crate::domain::money::Rule;
use crate::domain::permission::{Act, bad_token, may};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reason, Refusal};

/// What is known of the initial conversion that an event follows.
#[derive(Clone, Debug, Default)]
pub enum Initial {
    /// Nothing was read: one is assumed where a click names whom to credit.
    #[default]
    Assumed,
    /// There is none.
    Absent,
    /// This one.
    Known(Box<Conversion>),
}

/// By what the initial conversion of an event is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitialBy {
    /// The click.
    Click(String),
    /// The customer, and where he has none in the campaign, the order.
    Customer {
        /// The campaign.
        campaign_id: u32,
        /// The merchant's number of the customer.
        customer_id: String,
        /// The order.
        parent_order_id: Option<String>,
    },
    /// The campaign and the order.
    Order(u32, String),
}

impl InitialBy {
    /// What a case names: its click, else its customer, else `parent_order_id`.
    pub(super) fn named(case: &Case<'_>) -> Option<Self> {
        let (campaign_id, parent) = (case.campaign.id, case.postback.parent_order_id.clone());
        match (case.click.text(), customer_of(case), parent) {
            (Some(click_id), ..) => Some(Self::Click(click_id.to_owned())),
            (None, Some(customer_id), parent_order_id) => Some(Self::Customer {
                campaign_id,
                customer_id: customer_id.to_owned(),
                parent_order_id,
            }),
            (None, None, Some(order_id)) => Some(Self::Order(campaign_id, order_id)),
            (None, None, None) => None,
        }
    }
}

/// Requests without an order are told apart by time: two with the same parameters within
/// [`SAME_REQUEST_MS`] are one. Their key counts such spans from the epoch, so that within one the
/// key itself forbids a second; what is near in the span before or after stands here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// The conversion_ids that the same parameters have in the spans before and after.
    pub conversion_ids: [String; 2],
    /// The earliest and the latest arrival that is near.
    pub between: (Timestamp, Timestamp),
}

impl Near {
    /// Whether a conversion of this key and arrival is near.
    pub fn holds(&self, conversion_id: &str, at: Timestamp) -> bool {
        let (earliest, latest) = self.between;
        (earliest..=latest).contains(&at)
            && self.conversion_ids.iter().any(|id| id == conversion_id)
    }
}

/// The initial conversion that a commit assumes, by `Question::initial`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumedInitial {
    /// Whom it credits.
    pub affiliate_id: u32,
    /// Its link.
    pub ref_id: u32,
    /// The earliest time at which it may have happened, where the event has a window.
    pub since: Option<Timestamp>,
}

/// The event that a case reports; `None` is the initial conversion.
pub(super) fn resolve<'a>(case: &Case<'a>) -> Result<Option<&'a Event>, Refusal> {
    let (campaign, postback) = (case.campaign, case.postback);
    event::find(&campaign.events, campaign.id, postback.event_id, postback.event_name.as_deref())
}

/// The number of an event, or of the initial conversion.
pub(super) fn number(event: Option<&Event>) -> u32 {
    event.map_or(INITIAL, |event| event.id)
}

/// What decides revenue and payout: the event's own rules in place of the campaign's.
pub(super) fn rules(case: &Case<'_>) -> (Rule, Rule) {
    match resolve(case) {
        Ok(Some(event)) => (event.revenue, event.payout),
        _ => (case.campaign.revenue, case.campaign.payout),
    }
}

/// Whether a click has one conversion of this kind at most.
pub(super) fn is_one_per_click(case: &Case<'_>, event: Option<&Event>) -> bool {
    match event {
        None => case.campaign.conversions_per_click == ConversionsPerClick::One,
        Some(event) => event.repeat == Repeat::Once,
    }
}

/// Whether nothing but the request itself tells a repeat from a new event.
pub(super) fn has_no_key(case: &Case<'_>, event: Option<&Event>) -> bool {
    let is_counted = event.is_some_and(|event| event.repeat == Repeat::EveryRequest);
    is_counted && case.postback.order_id.is_none()
}

/// The conversion_id of an event, new or repeated.
pub(super) fn key(case: &Case<'_>, event: &Event, facts: &Facts) -> Result<String, Refusal> {
    let (campaign_id, event_id) = (case.campaign.id, event.id);
    let order_id = case.postback.order_id.as_deref();
    let key = match (event.repeat, order_id) {
        (Repeat::PerOrder | Repeat::EveryRequest, Some(order_id)) => {
            Key::Order { campaign_id, event_id, order_id }
        }
        (Repeat::PerOrder, None) => {
            return Err(Refusal::of(
                Reason::MissingParameter,
                "order_id",
                format!(
                    "event {event_id} counts per order: send the merchant's number of this order as order_id"
                ),
            ));
        }
        (Repeat::EveryRequest, None) => return Ok(request_key(case, event, span(case))),
        (Repeat::Once, _) => match (case.click.text(), &facts.initial) {
            (Some(click_id), _) => Key::Click { click_id, event_id },
            // Without a click the initial conversion stands for it.
            (None, Initial::Known(initial)) => {
                let click_id = initial.click_id.as_ref().unwrap_or(&initial.conversion_id);
                Key::Click { click_id, event_id }
            }
            (None, _) => return Err(unattributed(case)),
        },
    };
    Ok(key.conversion_id())
}

fn request_key(case: &Case<'_>, event: &Event, span: u64) -> String {
    // How to answer is no part of what is reported.
    let is_told = |name: &str| !matches!(name, "response" | "dry_run" | "bt_test");
    let told = case.postback.stored.iter().filter(|(name, _)| is_told(name));
    let fingerprint = fingerprint(told.map(|(name, value)| (name.as_str(), value.as_str())));
    let (campaign_id, event_id) = (case.campaign.id, event.id);
    Key::Request { campaign_id, event_id, fingerprint, span }.conversion_id()
}

fn span(case: &Case<'_>) -> u64 {
    case.arrived_at.ms() / SAME_REQUEST_MS
}

/// What is near a case that nothing but time tells from a repeat.
pub(super) fn near(case: &Case<'_>, event: Option<&Event>) -> Option<Near> {
    let event = event.filter(|event| has_no_key(case, Some(event)))?;
    let at = case.arrived_at;
    let earliest = Timestamp::from_ms(at.ms().saturating_sub(SAME_REQUEST_MS));
    let of = |span| {
        let id = request_key(case, event, span);
        if super::is_test(case) { id_of_test(&id) } else { id }
    };
    Some(Near {
        conversion_ids: [of(span(case).saturating_sub(1)), of(span(case) + 1)],
        between: (earliest, at.plus_ms(SAME_REQUEST_MS)),
    })
}

/// What the commit of an event has to check of its initial conversion.
pub(super) fn assumed_initial(
    case: &Case<'_>,
    event: &Event,
    conversion: &Conversion,
) -> AssumedInitial {
    let at = conversion.occurred_at.ms();
    let since = event.window_ms().map(|window| Timestamp::from_ms(at.saturating_sub(window)));
    debug_assert_eq!(case.campaign.id, conversion.campaign_id, "a case has one campaign");
    AssumedInitial { affiliate_id: conversion.affiliate_id, ref_id: conversion.ref_id, since }
}

/// Whom an event credits: whoever its initial conversion does.
pub(super) fn credit(case: &Case<'_>, event: &Event, facts: &Facts) -> Result<Credit, Refusal> {
    if !event.is_active {
        let detail = format!("event {} is archived and takes no new conversions", event.id);
        return Err(Refusal::of(Reason::UnknownEvent, named_by(case), detail));
    }
    let is_without_click = matches!(case.click, Click::Absent);
    if is_without_click && !may(case.proof, Act::CreateWithoutClick, case.campaign) {
        return Err(bad_token("an event without a click_id needs a token"));
    }
    let initial = match (&facts.initial, case.click) {
        (Initial::Known(initial), _) if initial.campaign_id == case.campaign.id => initial,
        (Initial::Assumed, Click::Genuine { text, id, link }) => {
            return Ok(Credit::of_click(text, id, link));
        }
        (_, Click::Unverified(text)) => return Err(unknown_click(text)),
        _ => return Err(unattributed(case)),
    };
    if !stands(initial.status) {
        let detail = format!(
            "the initial conversion is {}; events count only after one that is pending, on hold or approved",
            initial.status.as_str()
        );
        return Err(Refusal::of(Reason::NoConversionForEvent, initial_named_by(case), detail));
    }
    let age = occurred_at(case).ms_since(initial.occurred_at);
    if event.window_ms().is_some_and(|window| age > window) {
        let detail = format!(
            "event {} counts for {} days after the initial conversion, which was on {}",
            event.id,
            event.window_days.unwrap_or_default(),
            initial.occurred_at.to_rfc3339()
        );
        return Err(Refusal::of(Reason::NoConversionForEvent, initial_named_by(case), detail));
    }
    Ok(Credit {
        click_id: initial.click_id.clone(),
        clicked_at: initial.clicked_at,
        credited: Credited { affiliate_id: initial.affiliate_id, ref_id: initial.ref_id },
        flags: initial.click_flags,
        country: initial.country,
        is_test: initial.is_test,
        // The coupon credits the sale; what follows it is paid by the event's own rules.
        coupon: None,
        why: format!("as the initial conversion {}", initial.conversion_id),
        lost: String::new(),
    })
}

/// Whether an initial conversion of this status can be followed by events.
fn stands(status: Status) -> bool {
    matches!(status, Status::Pending | Status::Hold | Status::Approved)
}

/// Nothing that the case names has an initial conversion.
fn unattributed(case: &Case<'_>) -> Refusal {
    let Some(by) = InitialBy::named(case) else { return no_attribution() };
    let what = match by {
        InitialBy::Click(_) => "this click has no initial conversion yet",
        InitialBy::Customer { .. } => "this customer has no initial conversion in the campaign yet",
        InitialBy::Order(..) => "the campaign has no initial conversion of this parent_order_id",
    };
    let detail = format!(
        "{what}; report that one first, without event_id and event_name, then the event again (or let the operator judge it again)"
    );
    Refusal::of(Reason::NoConversionForEvent, initial_named_by(case), detail)
}

fn initial_named_by(case: &Case<'_>) -> &'static str {
    match InitialBy::named(case) {
        Some(InitialBy::Customer { parent_order_id: None, .. }) => "customer_id",
        Some(InitialBy::Customer { .. } | InitialBy::Order(..)) => "parent_order_id",
        Some(InitialBy::Click(_)) | None => "click_id",
    }
}

fn named_by(case: &Case<'_>) -> &'static str {
    if case.postback.event_id.is_some() { "event_id" } else { "event_name" }
}

/// The refusal of another order where a click converts once.
pub(super) fn repeated(known: &Conversion) -> Refusal {
    if known.event_id == INITIAL {
        return Refusal::of(
            Reason::RepeatedConversion,
            "order_id",
            "the click has its conversion already, and the campaign counts one per click; an operator can let it count per order",
        );
    }
    let detail = format!(
        "the click has event {} already, which counts once per click; an operator can let it repeat per order",
        known.event_id
    );
    Refusal::of(Reason::RepeatedEvent, "order_id", detail)
}
