//! The decision about one authenticated postback: pure, so that it can be made on what memory and
//! request say, made again on what the store says, and made again next week.

mod attribution;
mod caps;
mod events;
mod facts;
mod lifetime;
mod money;
pub(crate) mod quality;
mod rejection;
mod repeat;
mod status;

use super::attribution::Parties;
use super::cap::LocalDate;
use super::click_id::{ClickId, Flags, looks_lower_cased};
use super::configuration::{Campaign, CampaignState, ConversionsPerClick, Link};
use super::conversion::{BY_COUPON, Conversion, FOR_LIFE, Key, OVER_CAP, Source, id_of_test};
use super::erasure::{erased_click, keeps_order};
use super::event::Event;
use super::exchange::Rate;
use super::payout::Traits;
use super::permission::{Act, Proof, may};
use super::postback::Postback;
use super::time::Timestamp;
use super::transition::Change;
use super::verdict::{Reason, Refusal, Warning, WarningCode};
use attribution::{Credit, attribute, names_others, no_attribution, order_needed};
pub use caps::{AssumedCaps, Free};
pub use events::{AssumedInitial, Initial, InitialBy, Near};
pub use facts::{Assumptions, Facts, Question};
use money::{Basis, money, payout_rule, sent_money};
use quality::quality;
use rejection::rejection;
use repeat::repeat;
use status::{is_unknown_refund, status, status_reason};

/// What a postback says of its click.
#[derive(Clone, Copy, Debug)]
pub enum Click<'a> {
    /// Nothing.
    Absent,
    /// An id that a key of the namespace verifies, and its link.
    Genuine {
        /// As sent.
        text: &'a str,
        /// What it says.
        id: ClickId,
        /// The link that it names.
        link: Link,
    },
    /// An id that no key verifies; a recorded conversion may bear it all the same.
    Unverified(&'a str),
}

impl<'a> Click<'a> {
    /// The link that made it, of an id that verifies.
    pub fn link(&self) -> Option<Link> {
        match *self {
            Self::Genuine { link, .. } => Some(link),
            Self::Absent | Self::Unverified(_) => None,
        }
    }

    /// The id as sent.
    pub fn text(&self) -> Option<&'a str> {
        match *self {
            Self::Absent => None,
            Self::Genuine { text, .. } | Self::Unverified(text) => Some(text),
        }
    }
}

/// One postback on the bench, after authentication.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The request's name.
    pub request_id: &'a str,
    /// Where it came in.
    pub source: Source,
    /// How it proved itself.
    pub proof: Proof,
    /// When it arrived: *now*, also when it is judged again later.
    pub arrived_at: Timestamp,
    /// The date of the arrival in the namespace's time zone, where the campaign has caps.
    pub today: Option<&'a LocalDate>,
    /// The campaign that it was authenticated for.
    pub campaign: &'a Campaign,
    /// The namespace's rates of exchange.
    pub rates: &'a [Rate],
    /// Its click.
    pub click: Click<'a>,
    /// Whom it names besides.
    pub parties: &'a Parties,
    /// Affiliates who are credited for nothing but earlier clicks.
    pub blocked_affiliates: &'a [u32],
    /// Its parameters.
    pub postback: &'a Postback,
    /// Warnings of parsing.
    pub warnings: &'a [Warning],
}

/// What is to be done about a case.
#[derive(Clone, Debug)]
pub enum Judgement {
    /// Commit this conversion, provided that nothing of the same key, click (where it converts
    /// once) or order is there; the commit checks it.
    Create(Box<Conversion>),
    /// Commit these changes, at least one and all or none, provided that each conversion still has
    /// the revision that was seen.
    Change(Vec<Change>),
    /// The same was reported before.
    Repeat(Box<Conversion>),
    /// No.
    Refuse(Refusal),
}

/// Judges a case: the steps of design and contract after authentication, in their order. The
/// first step that does not go on is the reason.
pub fn judge(case: &Case<'_>, facts: &Facts) -> Judgement {
    let is_erased = facts.is_click_erased || facts.is_customer_erased;
    let decided = if is_erased {
        decide(&Case { postback: &case.postback.without_person(), ..*case }, facts)
    } else {
        decide(case, facts)
    };
    let mut judgement = decided.unwrap_or_else(Judgement::Refuse);
    if let Judgement::Create(conversion) = &mut judgement {
        conversion.order_id.take_if(|order_id| is_erased && !keeps_order(order_id));
    }
    judgement
}

fn decide(case: &Case<'_>, facts: &Facts) -> Result<Judgement, Refusal> {
    permit(case)?;
    agree(case)?;
    let event = events::resolve(case)?;
    if let Some(reason) = case.postback.new_rejected_reason.as_deref() {
        return rejection(case, events::number(event), reason, facts);
    }
    if let Some(known) = known(case, event, facts) {
        return repeat(case, known, facts);
    }
    if facts.is_click_erased {
        return Err(erased_click());
    }
    is_unknown_refund(case)?;
    let lacks_key = event.is_none() && lacks_key(case);
    let conversion_id = if lacks_key { None } else { Some(key(case, event, facts)?) };
    let credit = match event {
        None => attribute(case, facts)?,
        Some(event) => events::credit(case, event, facts)?,
    };
    let mut conversion_id = conversion_id.ok_or_else(order_needed)?;
    // An event of a test whose click no key verifies any more.
    if credit.is_test && !is_test(case) {
        conversion_id = id_of_test(&conversion_id);
    }
    intake(case)?;
    lifetime::require(case, event, facts)?;
    caps::refuse_if_full(case, event, &credit, facts)?;
    let mut warnings = case.warnings.to_vec();
    attribution::warn(case, &mut warnings);
    if events::has_no_key(case, event) {
        let message = "without order_id only the time tells a repeat from a new event: the same parameters within 10 minutes are a repeat";
        warnings.push(Warning::about(WarningCode::NoIdempotencyKey, "order_id", message));
    }
    if credit.is_test {
        let message =
            "the click is a test: the conversion counts nowhere and nobody is paid for it";
        warnings.push(Warning::about(WarningCode::TestClick, "click_id", message));
    }
    let mut basis = basis(case, event, &credit);
    let lifetime = lifetime::lifetime(case, &basis.traits, facts, &credit);
    basis.traits.is_lifetime = lifetime.is_lifetime;
    let rule = payout_rule(case, &basis.traits);
    let default = rule.default_status(case.campaign);
    let wanted = status(case, credit.flags, default, &mut warnings)?;
    let quality = quality(case, &credit, wanted, &mut warnings);
    let wanted = (quality.status, quality.why);
    let ((status, why), full_cap) = caps::soften(case, event, &credit, facts, wanted);
    let money = money(case, &basis, &rule, &mut warnings)?;
    let mut explanation = vec![("attribution", credit.why), ("status", why)];
    explanation.extend(credit.is_test.then(|| ("test", IS_TEST.to_owned())));
    explanation.extend(full_cap.map(|cap| (OVER_CAP, cap)));
    explanation.extend(money.because);
    explanation.extend(quality.because);
    explanation.extend(Some(("claims_lost", credit.lost)).filter(|(_, lost)| !lost.is_empty()));
    explanation.extend(lifetime.why.map(|why| ("lifetime", why)));
    let mut sent_money = sent_money(case, Some(case.campaign.currency));
    // A repeat may name the click that this one left to its initial conversion.
    if let Some(click_id) = credit.click_id.as_ref().filter(|_| case.click.text().is_none()) {
        sent_money.push(("click_id", click_id.clone()));
    }
    sent_money.extend(credit.coupon.map(|code| (BY_COUPON, code)));
    sent_money.extend(lifetime.is_lifetime.then(|| (FOR_LIFE, "true".to_owned())));
    Ok(Judgement::Create(Box::new(Conversion {
        conversion_id,
        request_id: case.request_id.to_owned(),
        received_at: case.arrived_at,
        occurred_at: occurred_at(case),
        source: case.source,
        proof: case.proof,
        click_id: credit.click_id,
        clicked_at: credit.clicked_at,
        ref_id: credit.credited.ref_id,
        campaign_id: case.campaign.id,
        affiliate_id: credit.credited.affiliate_id,
        event_id: events::number(event),
        event_name: event.map(|event| event.name.clone()),
        order_id: case.postback.order_id.clone(),
        status,
        status_reason: quality.reason.or_else(|| status_reason(case.postback)),
        currency: case.campaign.currency,
        amount: money.amount,
        revenue: money.revenue,
        payout: money.payout,
        is_test: credit.is_test,
        is_lead: money.is_lead,
        click_flags: credit.flags,
        country: credit.country,
        sent_money,
        first_status: status,
        first_revenue: money.revenue,
        first_payout: money.payout,
        warnings,
        kept: case.postback.kept.clone(),
        goal: case.postback.goal.clone(),
        comment: case.postback.comment.clone(),
        explanation,
        revision: 1,
        changed_by: None,
        refunds: None,
        exchange_rate: money.exchange_rate,
        customer: lifetime.customer,
    })))
}

/// What the sender asks for but may not have is refused as a whole, never half done.
fn permit(case: &Case<'_>) -> Result<(), Refusal> {
    let postback = case.postback;
    if !may(case.proof, Act::ChangeStatus, case.campaign) {
        let acts = [
            ("status", postback.status.is_some()),
            ("reason", postback.reason.is_some()),
            ("third_party_rejected_reason", postback.third_party_rejected_reason.is_some()),
            ("new_rejected_reason", postback.new_rejected_reason.is_some()),
            ("refund_id", postback.refund_id.is_some()),
        ];
        if let Some((name, _)) = acts.into_iter().find(|(_, is_sent)| *is_sent) {
            let detail =
                format!("{name} needs a token: whoever may reject or approve must prove it");
            return Err(Refusal::of(Reason::BadToken, name, detail));
        }
    }
    if postback.is_dry_run && !may(case.proof, Act::SeeMoney, case.campaign) {
        return Err(Refusal::of(Reason::BadToken, "dry_run", "dry_run needs a token"));
    }
    Ok(())
}

/// Click and `campaign_id` must name the same campaign.
fn agree(case: &Case<'_>) -> Result<(), Refusal> {
    let (Click::Genuine { link, .. }, Some(sent)) = (case.click, case.postback.campaign_id) else {
        return Ok(());
    };
    if link.campaign_id == sent {
        return Ok(());
    }
    let detail = format!(
        "the click belongs to campaign {}, not {sent}; leave campaign_id out or send the click's own",
        link.campaign_id
    );
    Err(Refusal::of(Reason::CampaignMismatch, "campaign_id", detail))
}

/// Whether a case reports on a test click. What names no click is never a test, so that a test is
/// repeated, changed and followed by naming its click.
fn is_test(case: &Case<'_>) -> bool {
    matches!(case.click, Click::Genuine { id, .. } if id.flags.has(Flags::TEST))
}

const IS_TEST: &str = "the click is a test: out of caps, sums and payouts";

/// The conversion_id of the key by which a repeat is recognised. That of a test is another one.
fn key(case: &Case<'_>, event: Option<&Event>, facts: &Facts) -> Result<String, Refusal> {
    let id = key_of_sale(case, event, facts)?;
    Ok(if is_test(case) { id_of_test(&id) } else { id })
}

fn key_of_sale(case: &Case<'_>, event: Option<&Event>, facts: &Facts) -> Result<String, Refusal> {
    if let Some(event) = event {
        return events::key(case, event, facts);
    }
    let event_id = events::number(None);
    let campaign_id = case.campaign.id;
    let key = match (case.campaign.conversions_per_click, case.postback.order_id.as_deref()) {
        (ConversionsPerClick::One, order_id) => match (keying_click(case), order_id) {
            (Some(click_id), _) => Key::Click { click_id, event_id },
            // So are a sale without a click, and a repeat of a known order that leaves its click out.
            (None, Some(order_id)) => Key::Order { campaign_id, event_id, order_id },
            (None, None) => return Err(order_needed()),
        },
        (ConversionsPerClick::PerOrder, Some(order_id)) => {
            Key::Order { campaign_id, event_id, order_id }
        }
        (ConversionsPerClick::PerOrder, None) => {
            return Err(Refusal::of(
                Reason::MissingParameter,
                "order_id",
                "the campaign counts conversions per order: send the merchant's order number as order_id",
            ));
        }
    };
    Ok(key.conversion_id())
}

/// The click that makes an initial conversion unique where a click converts once. It does not
/// depend on who is credited: an operator who archives a coupon must not give a repeat another key.
/// A text that is no click of ours is none where something else says whom to credit: shops send
/// the same `none` with all their sales.
fn keying_click<'a>(case: &Case<'a>) -> Option<&'a str> {
    match case.click {
        Click::Genuine { text, .. } => Some(text),
        Click::Unverified(text) => Some(text).filter(|_| !names_others(case)),
        Click::Absent => None,
    }
}

/// Whether nothing tells an initial conversion from the next one.
fn lacks_key(case: &Case<'_>) -> bool {
    case.campaign.conversions_per_click == ConversionsPerClick::One
        && case.postback.order_id.is_none()
        && keying_click(case).is_none()
}

/// The conversion that a case repeats. The order is stronger than the click: it names one sale.
///
/// An id that no key verifies may be recorded in a campaign for which nothing was proved; there it
/// stays as unknown as if it did not exist.
///
/// What makes a repeat may have been changed since, so that the older conversion's id is another.
fn known<'a>(case: &Case<'_>, event: Option<&Event>, facts: &'a Facts) -> Option<&'a Conversion> {
    let of_click = facts.by_click.as_ref().or(facts.by_customer.as_ref());
    let of_click = of_click.filter(|_| events::is_one_per_click(case, event));
    // Of a click that no key verifies any more only its conversion says that it was a test.
    let of_test = of_click.filter(|c| c.is_test && c.order_id == case.postback.order_id);
    let found = [of_test, facts.by_key.as_ref(), facts.by_order.as_ref(), of_click];
    found.into_iter().flatten().find(|known| known.campaign_id == case.campaign.id)
}

/// What the money of a new conversion depends on besides what is sent.
fn basis<'a>(case: &Case<'a>, event: Option<&Event>, credit: &'a Credit) -> Basis<'a> {
    let traits = Traits {
        affiliate_id: credit.credited.affiliate_id,
        // A coupon that was merely sent is none.
        coupon: credit.coupon.as_deref(),
        is_lifetime: false,
        event_id: events::number(event),
        goal: case.postback.goal.as_deref(),
        country: credit.country,
    };
    Basis { traits, occurred_at: occurred_at(case), earlier_rate: None }
}

/// The refusal of an id that nothing verifies.
pub fn unknown_click(text: &str) -> Refusal {
    let detail = if looks_lower_cased(text) {
        "no click has this id; it looks like a click_id whose capital letters were changed to small ones: keep it exactly as it came"
    } else {
        "no click of this namespace has this id; send the click_id of the landing page's address exactly as it came"
    };
    Refusal::of(Reason::UnknownClick, "click_id", detail)
}

fn occurred_at(case: &Case<'_>) -> Timestamp {
    let may_say = may(case.proof, Act::SendExplicitMoney, case.campaign);
    case.postback.occurred_at.filter(|_| may_say).unwrap_or(case.arrived_at)
}

/// Whether the campaign takes new conversions, and these parameters suffice.
fn intake(case: &Case<'_>) -> Result<(), Refusal> {
    if case.campaign.state == CampaignState::Archived {
        return Err(Refusal::new(
            Reason::CampaignArchived,
            "the campaign is archived and takes no new conversions",
        ));
    }
    let is_sent = |name: &str| case.postback.stored.iter().any(|(sent, _)| sent == name);
    match case.campaign.required_parameters.iter().find(|name| !is_sent(name)) {
        None => Ok(()),
        Some(name) => {
            let detail = format!("the campaign requires {name} in every postback");
            Err(Refusal::of(Reason::MissingParameter, name, detail))
        }
    }
}
