//! What a known key means: a repeat, a contradiction, an update, or a transition.

use super::events::repeated;
use super::money::{Basis, money, payout_rule, sent_money};
use super::quality::is_stopped;
use super::rejection::unknown_order;
use super::status::{is_held, map_status, refund_without_status};
use super::{Case, Facts, Judgement};
use crate::domain::configuration::Status;
use crate::domain::conversion::{Conversion, SentMoney};
use crate::domain::erasure::keeps_order;
use crate::domain::money::{Currency, Decimal};
use crate::domain::permission::{Act, may};
use crate::domain::postback::Postback;
use crate::domain::refund::{Request, take_again};
use crate::domain::transition::{Author, Change, What, Wish, change};
use crate::domain::verdict::{Reason, Refusal};

/// A known key: repeated, contradicted, or changed.
pub(super) fn repeat(
    case: &Case<'_>,
    known: &Conversion,
    facts: &Facts,
) -> Result<Judgement, Refusal> {
    let wanted = case.postback.status.as_deref();
    let wanted = wanted.map(|word| map_status(word, case.campaign)).transpose();
    let is_refund = wanted == Ok(Some(Status::Refunded));
    let has_new_order = match (&case.postback.order_id, &known.order_id) {
        // That of somebody erased was taken away; whoever names the conversion otherwise means this one.
        (Some(sent), None) => {
            keeps_order(sent) || !facts.is_click_erased && !facts.is_customer_erased
        }
        (Some(sent), Some(known)) => sent != known,
        (None, _) => false,
    };
    if has_new_order && is_refund {
        return Err(unknown_order());
    }
    if has_new_order {
        return Err(repeated(known));
    }
    let mut changed = None;
    if let Some(name) = contradicted(case, known) {
        changed = Some(updated(case, known, name, is_refund)?);
    }
    let wanted = wanted?;
    if case.postback.refund_id.is_some() && !is_refund {
        return Err(refund_without_status());
    }
    // What was sent the first time may have been held because of the click; it is a repeat still.
    let is_current = |status: Status| {
        status == known.status
            || known.status == Status::Hold && is_held(status, known.click_flags)
            || is_stopped(known, status)
    };
    let wanted = wanted.filter(|status| is_refund || !is_current(*status));
    if let Some(status) = wanted {
        let refund = Request {
            amount: case.postback.amount.filter(|_| is_refund),
            id: case.postback.refund_id.as_deref(),
        };
        let reason = case.postback.reason.as_deref();
        let wish = Wish { status, reason, is_reason_replaced: false, refund };
        // Other money and another status at once are one change, so that neither is left out.
        let base = changed.as_ref().map_or(known, |update| &update.after);
        let transition = change(base, &wish, Author::Sender, case.request_id)?;
        changed = transition
            .map(|step| Change::new(step.what, known, step.after, case.request_id))
            .or(changed);
    }
    Ok(effect(case, facts, known, changed.into_iter().collect()))
}

/// What changes amount to: without any it is a repeat of the conversion that was asked for.
///
/// So it is also if an operator changed the conversion last (or a soft cap lets it wait), and this
/// very request had taken effect before: then it came again late, or says nothing new, and must not
/// undo that.
/// A sender's own later words stand against each other as they come.
pub(super) fn effect(
    case: &Case<'_>,
    facts: &Facts,
    known: &Conversion,
    changes: Vec<Change>,
) -> Judgement {
    let is_overruled = changes.iter().any(|change| change.before.withstands_repeats());
    let is_old = is_overruled
        && facts.heard.iter().flatten().any(|heard| says_the_same(heard, &case.postback.stored));
    if changes.is_empty() || is_old {
        Judgement::Repeat(Box::new(known.clone()))
    } else {
        Judgement::Change(changes)
    }
}

/// Whether two requests have the same parameters, in whatever order, but for how to reply.
fn says_the_same(one: &[(String, String)], other: &[(String, String)]) -> bool {
    let sorted = |pairs: &[(String, String)]| {
        let mut pairs = pairs.to_vec();
        pairs.retain(|(name, _)| name != "response");
        pairs.sort();
        pairs
    };
    sorted(one) == sorted(other)
}

/// The first field that decides money and was sent with another value than the first time. The
/// amounts of a refund are the part that is refunded, and say nothing against the sale.
pub(super) fn contradicted(case: &Case<'_>, known: &Conversion) -> Option<&'static str> {
    let status = case.postback.status.as_deref();
    let is_refund =
        status.is_some_and(|word| map_status(word, case.campaign) == Ok(Status::Refunded));
    let is_compared = |name: &str| !is_refund || matches!(name, "click_id" | "currency");
    let is_other = |name: &str, value: &str| recorded(known, name) != Some(value);
    sent_money(case, None)
        .iter()
        .find(|(name, value)| is_compared(name) && is_other(name, value))
        .map(|(name, _)| *name)
}

/// A field that decides money as it was first sent.
fn recorded<'a>(known: &'a Conversion, name: &str) -> Option<&'a str> {
    known.sent_money.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
}

/// A postback together with what it leaves out, as that was sent before: an update that names
/// only a new payout says nothing against the amount.
fn completed(postback: &Postback, known: &Conversion) -> Postback {
    let number = |name: &str| recorded(known, name).and_then(Decimal::parse_amount);
    let currency = || recorded(known, "currency").and_then(Currency::parse);
    Postback {
        amount: postback.amount.or_else(|| number("amount")),
        commission: postback.commission.or_else(|| number("commission")),
        currency: postback.currency.or_else(currency),
        revenue: postback.revenue.or_else(|| number("revenue")),
        payout: postback.payout.or_else(|| number("payout")),
        ..postback.clone()
    }
}

/// The conversion with the other money that was sent, where the campaign lets that update. The
/// money of a refund is a part of the sale and never updates it.
fn updated(
    case: &Case<'_>,
    known: &Conversion,
    name: &'static str,
    is_refund: bool,
) -> Result<Change, Refusal> {
    let may_update = case.campaign.is_conflict_updated
        && name != "click_id"
        && known.status != Status::Refunded
        && may(case.proof, Act::ChangeStatus, case.campaign);
    if !may_update || is_refund {
        let detail = format!(
            "this conversion was recorded with another {name}; nothing was changed. Send what was sent first, or a new order_id if it is a new sale"
        );
        return Err(Refusal::of(Reason::Conflict, name, detail));
    }
    let postback = completed(case.postback, known);
    let basis = Basis::of_known(known, &postback);
    let rule = payout_rule(case, &basis.traits);
    let money = money(&Case { postback: &postback, ..*case }, &basis, &rule, &mut Vec::new())?;
    let mut sent = sent_money(case, None);
    let kept = known.sent_money.iter().filter(|(n, _)| !sent.iter().any(|(s, _)| s == n));
    let kept: SentMoney = kept.cloned().collect();
    sent.extend(kept);
    let mut after = Conversion {
        amount: money.amount,
        revenue: money.revenue,
        payout: money.payout,
        sent_money: sent,
        exchange_rate: money.exchange_rate,
        ..known.clone()
    };
    take_again(&mut after)?;
    after.explain(
        "updated",
        format!("a later postback sent another {name}; the campaign lets it update"),
    );
    for (what, why) in money.because {
        after.explain(what, why);
    }
    Ok(Change::new(What::Money, known, after, case.request_id))
}
