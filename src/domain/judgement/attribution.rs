//! Whom to credit for an initial conversion. Every parameter that says so makes a claim, or is
//! told why it makes none; the first of the campaign's order that holds wins, and the others are
//! kept with what they lost by.

use super::{Case, Click, Facts, occurred_at, unknown_click};
use crate::domain::attribution::{Credited, MAX_CODE, Sought, Way};
use crate::domain::click_id::{ClickId, Country, Flags};
use crate::domain::configuration::Link;
use crate::domain::permission::{Act, may};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reason, Refusal, Warning, WarningCode};

/// Whom a conversion is credited to, and what is known of the click behind it.
pub(super) struct Credit {
    /// The click, also where something else than the click decided.
    pub(super) click_id: Option<String>,
    pub(super) clicked_at: Option<Timestamp>,
    pub(super) credited: Credited,
    pub(super) flags: Flags,
    pub(super) country: Option<Country>,
    pub(super) is_test: bool,
    /// The code of the coupon by which it is credited, as the operator wrote it.
    pub(super) coupon: Option<String>,
    pub(super) why: String,
    /// The claims that lost, and why; empty if there were none.
    pub(super) lost: String,
}

impl Credit {
    /// The credit that a click carries.
    pub(super) fn of_click(text: &str, id: ClickId, link: Link) -> Self {
        Self {
            click_id: Some(text.to_owned()),
            clicked_at: Some(id.time),
            credited: link.into(),
            flags: id.flags,
            country: id.country,
            is_test: id.flags.has(Flags::TEST),
            coupon: None,
            why: format!("the click_id verifies and names link {}", link.id),
            lost: String::new(),
        }
    }

    /// A credit by something else. A click that verifies stays the click of the sale: it converts
    /// once, whoever is paid. But its flags say nothing about whoever is, so that they hold nothing.
    fn besides(case: &Case<'_>, credited: Credited, why: String) -> Self {
        let click = match case.click {
            Click::Genuine { text, id, .. } => Some((text, id)),
            Click::Absent | Click::Unverified(_) => None,
        };
        Self {
            click_id: click.map(|(text, _)| text.to_owned()),
            clicked_at: click.map(|(_, id)| id.time),
            credited,
            flags: Flags::COUNTED,
            country: click.and_then(|(_, id)| id.country),
            is_test: click.is_some_and(|(_, id)| id.flags.has(Flags::TEST)),
            coupon: None,
            why,
            lost: String::new(),
        }
    }
}

/// Whom to credit.
///
/// # Errors
/// The reason of the strongest claim that was made; `no_attribution` if there was none.
/// `storage_unavailable` if nobody knows whether a stronger claim than the winner's holds.
pub(super) fn attribute(case: &Case<'_>, facts: &Facts) -> Result<Credit, Refusal> {
    // It may be recorded, and then it is a repeat, whatever else was sent.
    if let (Click::Unverified(text), false) = (case.click, facts.is_read) {
        return Err(unknown_click(text));
    }
    let mut winner: Option<(Way, Credit)> = None;
    let mut lost: Vec<String> = Vec::new();
    let mut refused: Option<Refusal> = None;
    let order = &case.campaign.attribution_order;
    for way in order.iter().copied().filter(|way| is_sent(case, *way)) {
        match (claim(case, facts, way), &winner) {
            (Ok(credit), None) => winner = Some((way, credit)),
            (Ok(credit), Some((stronger, _))) => {
                let why = format!("{}, but {} comes first", credit.why, stronger.as_str());
                lost.push(format!("{}: {why}", way.as_str()));
            }
            (Err(refusal), None) if refusal.reason == Reason::StorageUnavailable => {
                return Err(refusal);
            }
            (Err(refusal), _) => {
                // A customer who belongs to nobody claims nothing; what becomes of him is told as
                // `lifetime`.
                if way != Way::CustomerId || owner(facts).is_some() {
                    let reason = refusal.reason.as_str();
                    lost.push(format!("{}: {reason}, {}", way.as_str(), refusal.detail));
                }
                refused.get_or_insert(refusal);
            }
        }
    }
    let closed = Way::ALL.iter().filter(|way| !order.contains(way) && is_sent(case, **way));
    lost.extend(closed.map(|way| format!("{}: {CLOSED}", way.as_str())));
    match winner {
        Some((_, credit)) => Ok(Credit { lost: lost.join("; "), ..credit }),
        None => Err(refused.unwrap_or_else(|| nobody(case))),
    }
}

const CLOSED: &str = "the campaign does not credit by it (attribution_order)";

/// Whether a postback names somebody in this way.
fn is_sent(case: &Case<'_>, way: Way) -> bool {
    let postback = case.postback;
    match way {
        Way::ClickId => case.click.text().is_some(),
        Way::Coupon => postback.coupon.is_some(),
        Way::CustomerId => postback.customer_id.is_some(),
        Way::RefId => postback.ref_id.is_some(),
        Way::RefCustomId => postback.ref_custom_id.is_some(),
        Way::AffiliateId => postback.affiliate_id.is_some(),
    }
}

/// Whether a postback that names no click that verifies names somebody else.
pub(super) fn names_others(case: &Case<'_>) -> bool {
    Way::ALL.iter().any(|way| *way != Way::ClickId && is_sent(case, *way))
}

/// What was sent to credit by, and is ignored because of how the sender proved himself.
pub(super) fn warn(case: &Case<'_>, warnings: &mut Vec<Warning>) {
    if may(case.proof, Act::CreateWithoutClick, case.campaign) {
        return;
    }
    let order = case.campaign.attribution_order.iter().copied();
    for way in order.filter(|way| *way != Way::ClickId && is_sent(case, *way)) {
        let name = way.as_str();
        let message = format!("{name} was ignored: without a token it credits nobody");
        warnings.push(Warning::about(WarningCode::NotPermitted, name, message));
    }
}

/// Whom one way credits, or why nobody.
fn claim(case: &Case<'_>, facts: &Facts, way: Way) -> Result<Credit, Refusal> {
    let name = way.as_str();
    if way == Way::ClickId {
        return match case.click {
            Click::Genuine { text, id, link } => {
                window(case, id)?;
                Ok(Credit::of_click(text, id, link))
            }
            Click::Unverified(text) => Err(unknown_click(text)),
            Click::Absent => Err(nobody(case)),
        };
    }
    if !may(case.proof, Act::CreateWithoutClick, case.campaign) {
        let detail = format!(
            "a conversion by {name} needs a token: whoever names whom to pay must prove it"
        );
        return Err(Refusal::of(Reason::BadToken, name, detail));
    }
    let credit = match way {
        Way::Coupon => coupon(case)?,
        Way::CustomerId => customer(case, facts)?,
        Way::RefId => link(case, way, &case.parties.ref_id)?,
        Way::RefCustomId => link(case, way, &case.parties.ref_custom_id)?,
        Way::ClickId | Way::AffiliateId => link(case, way, &case.parties.affiliate_id)?,
    };
    if case.blocked_affiliates.contains(&credit.credited.affiliate_id) {
        let affiliate = credit.credited.affiliate_id;
        let detail = format!(
            "affiliate {affiliate} is blocked, and credited for nothing but earlier clicks"
        );
        return Err(Refusal::of(Reason::NoAttribution, name, detail));
    }
    Ok(credit)
}

/// The owner of a coupon, if it was valid when the sale happened.
fn coupon(case: &Case<'_>) -> Result<Credit, Refusal> {
    let name = Way::Coupon.as_str();
    let coupon = match &case.parties.coupon {
        Sought::Found(coupon) => coupon,
        Sought::Unanswered => return Err(unanswered()),
        Sought::Absent | Sought::Unasked => {
            let sent = case.postback.coupon.as_deref().unwrap_or_default();
            let shown: String = sent.chars().take(MAX_CODE).collect();
            let detail = format!(
                "campaign {} has no coupon {shown:?}; its codes stand in the list of coupons, capital and small letters are the same",
                case.campaign.id
            );
            return Err(Refusal::of(Reason::UnknownCoupon, name, detail));
        }
    };
    let at = occurred_at(case);
    if !coupon.is_valid_at(at) {
        let detail = format!(
            "coupon {:?} is valid {}, and the sale was at {}",
            coupon.code,
            coupon.period(),
            at.to_rfc3339()
        );
        return Err(Refusal::of(Reason::ExpiredCoupon, name, detail));
    }
    let Credited { affiliate_id, ref_id } = coupon.credited;
    let why =
        format!("coupon {:?} belongs to affiliate {affiliate_id} (link {ref_id})", coupon.code);
    let coupon_of = Some(coupon.code.clone());
    Ok(Credit { coupon: coupon_of, ..Credit::besides(case, coupon.credited, why) })
}

/// The affiliate to whom a customer belongs for life. Until the store was asked it is assumed that
/// there is none, which the commit checks.
fn customer(case: &Case<'_>, facts: &Facts) -> Result<Credit, Refusal> {
    let name = Way::CustomerId.as_str();
    let nobody = |detail: &str| Err(Refusal::of(Reason::NoAttribution, name, detail));
    if case.postback.skips_lifetime {
        return nobody(
            "skip_lifetime=true was sent, so that the customer's affiliate is not looked for",
        );
    }
    let Some((id, credited)) = owner(facts) else {
        return nobody(
            "the customer belongs to no affiliate; that begins with a purchase with new_customer=true for which a lifetime payout applies, or by the operator's hand",
        );
    };
    let Credited { affiliate_id, ref_id } = credited;
    let why = format!("customer {id} belongs to affiliate {affiliate_id} for life (link {ref_id})");
    Ok(Credit::besides(case, credited, why))
}

/// The number of the customer, and to whom he belongs.
fn owner(facts: &Facts) -> Option<(u64, Credited)> {
    facts.customer.and_then(|known| Some((known.id, known.credited?)))
}

/// Whom the sender names outright.
fn link(case: &Case<'_>, way: Way, sought: &Sought<Link>) -> Result<Credit, Refusal> {
    let (name, campaign) = (way.as_str(), case.campaign.id);
    let link = match sought {
        Sought::Found(link) if link.campaign_id == campaign => link,
        Sought::Unanswered => return Err(unanswered()),
        _ => {
            let detail = format!(
                "{name} names no link of campaign {campaign}, and no affiliate who has one there; numbers stand in the lists of links and affiliates"
            );
            return Err(Refusal::of(Reason::NoAttribution, name, detail));
        }
    };
    if !link.is_active {
        let detail =
            format!("link {} is archived and credits nothing but its earlier clicks", link.id);
        return Err(Refusal::of(Reason::NoAttribution, name, detail));
    }
    if link.is_test {
        let detail = format!("link {} is for tests, which are made by clicking on it", link.id);
        return Err(Refusal::of(Reason::NoAttribution, name, detail));
    }
    let why = format!("{name} names affiliate {} (link {})", link.affiliate_id, link.id);
    Ok(Credit::besides(case, (*link).into(), why))
}

fn unanswered() -> Refusal {
    let detail =
        "the store did not answer, and nothing was acknowledged; send the same request again";
    Refusal::new(Reason::StorageUnavailable, detail)
}

/// The click must be recent enough, reckoned at the time of the sale.
fn window(case: &Case<'_>, id: ClickId) -> Result<(), Refusal> {
    if occurred_at(case).ms_since(id.time) <= case.campaign.window_ms() {
        return Ok(());
    }
    let detail = format!(
        "the click of {} is older than the campaign's window of {} days",
        id.time.to_rfc3339(),
        case.campaign.window_days
    );
    Err(Refusal::of(Reason::ExpiredClick, "click_id", detail))
}

/// Nothing says whom to credit; which ways are open.
fn nobody(case: &Case<'_>) -> Refusal {
    let may_name = may(case.proof, Act::CreateWithoutClick, case.campaign);
    let open =
        case.campaign.attribution_order.iter().filter(|way| **way != Way::ClickId && may_name);
    let others: Vec<&str> = open
        .map(|way| match way {
            Way::CustomerId => "customer_id of a customer who belongs to an affiliate",
            way => way.as_str(),
        })
        .collect();
    let others = match others.as_slice() {
        [] => String::new(),
        some => format!("; this campaign also takes {}", some.join(", ")),
    };
    let detail = format!("{NOTHING_SENT}{others}");
    Refusal::of(Reason::NoAttribution, "click_id", detail)
}

const NOTHING_SENT: &str =
    "nothing says whom to credit: send the click_id that the landing page got in its address";

/// The refusal of what has to name a conversion, and names none.
pub(super) fn no_attribution() -> Refusal {
    Refusal::of(Reason::NoAttribution, "click_id", NOTHING_SENT)
}

/// The refusal of a sale without a click that no order tells from others. The click would have
/// counted once; a coupon or customer counts often, so that without an order's number a repeated
/// request could not be told from the next sale, and would be paid twice.
pub(super) fn order_needed() -> Refusal {
    let detail = "without a click_id only the order tells a repeated request from another sale: send the merchant's order number as order_id";
    Refusal::of(Reason::MissingParameter, "order_id", detail)
}
