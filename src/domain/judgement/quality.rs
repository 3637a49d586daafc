//! Rules for clicks that deserve no money, as far as id, request and memory suffice to judge them.

use super::{Case, Credit, occurred_at};
use crate::domain::click_id::Flags;
use crate::domain::click_rules::{
    Action, ClickRule, Found, customer_mark, decisive, in_words, reason,
};
use crate::domain::configuration::Status;
use crate::domain::conversion::{CALL_PREFIX, Conversion};
use crate::domain::examination::is_credited;
use crate::domain::time::SECOND_MS;
use crate::domain::verdict::{Warning, WarningCode};

/// The name under which a conversion's explanation says which rules applied.
pub(crate) const RULE: &str = "rule";

/// What the rules make of the status of a new conversion.
pub(super) struct Quality {
    pub(super) status: Status,
    /// How that status came about.
    pub(super) why: String,
    /// The reason of that status, if a rule made it.
    pub(super) reason: Option<String>,
    /// The entry of the explanation, if a rule applies.
    pub(super) because: Option<(&'static str, String)>,
}

/// Applies the rules to a new conversion that would start with `wanted`, and why it would. What its
/// sender rejects stays rejected.
pub(super) fn quality(
    case: &Case<'_>,
    credit: &Credit,
    (wanted, why): (Status, String),
    warnings: &mut Vec<Warning>,
) -> Quality {
    let all = applying(case, credit);
    let because = (!all.is_empty()).then(|| (RULE, in_words(&all)));
    let Some(decisive) = decisive(&all).filter(|_| wanted != Status::Rejected) else {
        return Quality { status: wanted, why, reason: None, because };
    };
    let status = match decisive.action {
        Action::Reject => Status::Rejected,
        _ => Status::Hold,
    };
    // That a bot's conversion is held has been told.
    if decisive.rule != ClickRule::Bot || status == Status::Rejected {
        warnings.retain(|warning| warning.code != WarningCode::HeldForClick);
        let message = format!(
            "rule {} of the campaign: the conversion starts as {}; an operator can approve it",
            decisive.rule.as_str(),
            status.as_str()
        );
        warnings.push(Warning::general(WarningCode::StoppedByRule, message));
    }
    let why = match status == wanted {
        true => why,
        false => {
            format!("rule {}; otherwise {}: {why}", decisive.rule.as_str(), wanted.as_str())
        }
    };
    Quality { status, why, reason: Some(reason(decisive)), because }
}

fn applying(case: &Case<'_>, credit: &Credit) -> Vec<Found> {
    let rules = &case.campaign.click_rules;
    let mut all = Vec::new();
    // Nobody is paid for a test; and whoever tries a shop out is fast.
    if credit.is_test {
        return all;
    }
    // A coupon or customer may credit somebody else than the click that was sent.
    let link = case.click.link();
    if link.is_some_and(|link| {
        !is_credited(&link, credit.credited.ref_id, credit.credited.affiliate_id)
    }) {
        return all;
    }
    let mut add = |rule, action, why: String| all.push(Found { rule, action, why });
    if let Some(clicked_at) = credit.clicked_at.filter(|_| rules.too_fast.is_on()) {
        let (took, least) = (occurred_at(case).ms_since(clicked_at), rules.too_fast_seconds);
        if took < u64::from(least) * SECOND_MS {
            let took = took / SECOND_MS;
            let why = format!("{took} s from click to conversion, at least {least} s are wanted");
            add(ClickRule::TooFast, rules.too_fast, why);
        }
    }
    if credit.flags.has(Flags::SUSPECTED_BOT) {
        add(ClickRule::Bot, rules.bot, "the click was made by a known bot".to_owned());
    }
    let customer = case.postback.customer_id.as_deref().filter(|_| rules.self_referral.is_on());
    if let (Some(link), Some(customer)) = (link, customer)
        && link.own_customers.contains(&customer_mark(customer))
    {
        let why = "customer_id is the affiliate's own number".to_owned();
        add(ClickRule::SelfReferral, rules.self_referral, why);
    }
    all
}

/// Whether a rule made the status of a conversion, and no operator has decided since. A sender's
/// word that says more is then a repeat: only an operator approves what a rule has stopped.
pub(super) fn is_stopped(known: &Conversion, wanted: Status) -> bool {
    let is_by_operator = known.changed_by.as_deref().is_some_and(|by| by.starts_with(CALL_PREFIX));
    matches!(known.status, Status::Hold | Status::Rejected)
        && matches!(wanted, Status::Approved | Status::Pending | Status::Hold)
        && known.explanation.iter().any(|(what, _)| *what == RULE)
        && !is_by_operator
}
