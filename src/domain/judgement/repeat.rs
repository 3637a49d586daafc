//! What a known key means: a repeat, a contradiction, or an update.

use super::money::{money, sent_money};
use super::status::map_status;
use super::{Case, Judgement};
use crate::domain::conversion::{Conversion, SentMoney};
use crate::domain::permission::{Act, may};
use crate::domain::verdict::{Reason, Refusal};

/// A known key: repeated, or contradicted.
pub(super) fn repeat(case: &Case<'_>, known: &Conversion) -> Result<Judgement, Refusal> {
    let has_new_order =
        case.postback.order_id.is_some() && case.postback.order_id != known.order_id;
    if has_new_order {
        return Err(Refusal::of(
            Reason::RepeatedConversion,
            "order_id",
            "the click has its conversion already, and the campaign counts one per click; an operator can let it count per order",
        ));
    }
    if let Some(name) = contradicted(&sent_money(case, None), known) {
        return conflict(case, known, name);
    }
    let mapped = case.postback.status.as_deref().map(map_status).transpose()?;
    if mapped.is_some_and(|status| status != known.status) {
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
    let recorded =
        |name: &str| known.sent_money.iter().find(|(n, _)| *n == name).map(|(_, value)| value);
    sent.iter().find(|(name, value)| recorded(name) != Some(value)).map(|(name, _)| *name)
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
    let money = money(case, &mut Vec::new())?;
    let mut explanation = known.explanation.clone();
    explanation.push((
        "updated",
        format!("a later postback sent another {name}; the campaign lets it update"),
    ));
    explanation.push(("revenue", money.why_revenue));
    explanation.push(("payout", money.why_payout));
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
        ..known.clone()
    })))
}
