//! What a known key means: a repeat, a contradiction, or an update.

use super::events::repeated;
use super::money::{Basis, money, payout_rule, sent_money};
use super::status::{is_held, map_status};
use super::{Case, Judgement};
use crate::domain::configuration::Status;
use crate::domain::conversion::{Conversion, SentMoney};
use crate::domain::money::{Currency, Decimal};
use crate::domain::permission::{Act, may};
use crate::domain::postback::Postback;
use crate::domain::verdict::{Reason, Refusal};

/// A known key: repeated, or contradicted.
pub(super) fn repeat(case: &Case<'_>, known: &Conversion) -> Result<Judgement, Refusal> {
    let has_new_order =
        case.postback.order_id.is_some() && case.postback.order_id != known.order_id;
    if has_new_order {
        return Err(repeated(known));
    }
    if let Some(name) = contradicted(&sent_money(case, None), known) {
        return conflict(case, known, name);
    }
    let wanted = case.postback.status.as_deref().map(map_status).transpose()?;
    // What was sent the first time may have been held because of the click; it is a repeat still.
    let is_current = |status: Status| {
        status == known.status || known.status == Status::Hold && is_held(status, known.click_flags)
    };
    if wanted.is_some_and(|status| !is_current(status)) {
        return Err(Refusal::of(
            Reason::InvalidTransition,
            "status",
            format!(
                "the conversion is {}; its status cannot be changed by postback in this version",
                known.status.as_str()
            ),
        ));
    }
    Ok(Judgement::Repeat(Box::new(known.clone())))
}

/// The first field that was sent with another value than the first time.
fn contradicted(sent: &SentMoney, known: &Conversion) -> Option<&'static str> {
    let is_other = |name: &str, value: &str| recorded(known, name) != Some(value);
    sent.iter().find(|(name, value)| is_other(name, value)).map(|(name, _)| *name)
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

fn conflict(case: &Case<'_>, known: &Conversion, name: &'static str) -> Result<Judgement, Refusal> {
    let may_update = case.campaign.is_conflict_updated
        && name != "click_id"
        && may(case.proof, Act::ChangeStatus, case.campaign);
    if !may_update {
        let detail = format!(
            "this conversion was recorded with another {name}; nothing was changed. Send what was sent first, or a new order_id if it is a new sale"
        );
        return Err(Refusal::of(Reason::Conflict, name, detail));
    }
    let postback = completed(case.postback, known);
    let basis = Basis::of_known(known, &postback);
    let rule = payout_rule(case, &basis.traits);
    let money = money(&Case { postback: &postback, ..*case }, &basis, &rule, &mut Vec::new())?;
    let mut explanation = known.explanation.clone();
    explanation.push((
        "updated",
        format!("a later postback sent another {name}; the campaign lets it update"),
    ));
    explanation.extend(money.because);
    let mut sent = sent_money(case, None);
    let kept = known.sent_money.iter().filter(|(n, _)| !sent.iter().any(|(s, _)| s == n));
    let kept: SentMoney = kept.cloned().collect();
    sent.extend(kept);
    Ok(Judgement::Change(Box::new(Conversion {
        amount: money.amount,
        revenue: money.revenue,
        payout: money.payout,
        sent_money: sent,
        explanation,
        revision: known.revision + 1,
        changed_by: Some(case.request_id.to_owned()),
        exchange_rate: money.exchange_rate,
        ..known.clone()
    })))
}
