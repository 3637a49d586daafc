//! Customers for life (design.md 5). A customer belongs to an affiliate from the purchase on that
//! brings `customer_id` and `new_customer=true` and for which a lifetime payout applies; every
//! later purchase is then credited without a click. The first link wins for good, unless an
//! operator changes it.

use super::attribution::Credit;
use super::{Case, Facts};
use crate::domain::attribution::Way;
use crate::domain::conversion::Customership;
use crate::domain::event::Event;
use crate::domain::payout::Traits;
use crate::domain::permission::{Act, may};
use crate::domain::verdict::{Reason, Refusal};

/// What a conversion has to do with its customer.
#[derive(Default)]
pub(super) struct Lifetime {
    /// Whether lifetime payouts apply.
    pub(super) is_lifetime: bool,
    /// What is written of the customer; `None` if none was named.
    pub(super) customer: Option<Customership>,
    /// Why, for the explanation.
    pub(super) why: Option<String>,
}

/// The customer whom a case may speak of. Whoever proves nothing could make anybody a customer.
pub(super) fn customer_of<'a>(case: &Case<'a>) -> Option<&'a str> {
    let may_name = may(case.proof, Act::CreateWithoutClick, case.campaign);
    case.postback.customer_id.as_deref().filter(|_| may_name)
}

/// Where the campaign requires it, a purchase names its customer, and the first one says so.
pub(super) fn require(
    case: &Case<'_>,
    event: Option<&Event>,
    facts: &Facts,
) -> Result<(), Refusal> {
    let postback = case.postback;
    if !case.campaign.is_customer_required || event.is_some() {
        return Ok(());
    }
    if postback.customer_id.is_none() {
        let detail =
            "the campaign pays for customers: send your number of the customer as customer_id";
        return Err(Refusal::of(Reason::MissingParameter, "customer_id", detail));
    }
    if !postback.is_new_customer && customer_of(case).is_some() && facts.customer.is_none() {
        let detail =
            "this customer is not known yet: send new_customer=true with the first purchase";
        return Err(Refusal::of(Reason::MissingParameter, "new_customer", detail));
    }
    Ok(())
}

/// What becomes of the customer. Until the store was asked it is assumed that he belongs to nobody,
/// which the commit checks wherever it matters.
pub(super) fn lifetime(
    case: &Case<'_>,
    traits: &Traits<'_>,
    facts: &Facts,
    credit: &Credit,
) -> Lifetime {
    let Some(customer_id) = customer_of(case) else { return Lifetime::default() };
    let is_open = case.campaign.attribution_order.contains(&Way::CustomerId);
    let owner = facts.customer.and_then(|known| known.credited);
    let affiliate = credit.credited.affiliate_id;
    let applies = || {
        let traits = Traits { is_lifetime: true, ..*traits };
        let rules = case.campaign.payouts.iter();
        rules.filter(|rule| rule.limits.is_lifetime).find(|rule| rule.limits.match_case(&traits))
    };
    let (is_lifetime, is_link_made, why) = match owner {
        _ if case.postback.skips_lifetime => {
            (false, false, "skip_lifetime=true was sent: the customer is remembered, and no lifetime payout applies".to_owned())
        }
        _ if !is_open => (false, false, "the campaign keeps no customers for life (attribution_order)".to_owned()),
        Some(owner) if owner.affiliate_id == affiliate => {
            (true, false, format!("the customer belongs to affiliate {affiliate}"))
        }
        Some(owner) => {
            let owner = owner.affiliate_id;
            (false, false, format!("the customer belongs to affiliate {owner}, and {affiliate} is credited"))
        }
        None if !case.postback.is_new_customer => {
            (false, false, "the customer is remembered, but belongs to nobody: new_customer=true was not sent".to_owned())
        }
        None => match applies() {
            // What would be paid is shown, and nothing is begun.
            Some(rule) if credit.is_test => {
                (true, false, format!("{rule} applies; a test makes nobody a customer for life"))
            }
            Some(rule) => (
                true,
                true,
                format!("from now on the customer belongs to affiliate {affiliate}: new_customer=true was sent, and {rule} applies"),
            ),
            None => {
                (false, false, "the customer is remembered, but belongs to nobody: no lifetime payout applies".to_owned())
            }
        },
    };
    let is_checked = is_open && !case.postback.skips_lifetime;
    let customer = Customership {
        customer_id: customer_id.to_owned(),
        seen_ref_id: is_checked.then(|| owner.map_or(0, |owner| owner.ref_id)),
        is_link_made,
    };
    Lifetime { is_lifetime, customer: Some(customer), why: Some(why) }
}
