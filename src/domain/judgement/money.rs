//! The money of a conversion: what was sent, converted, and what the campaign's rules make of it.

use super::Case;
use super::events::rules;
use crate::domain::conversion::SentMoney;
use crate::domain::money::{Currency, Decimal, Rule};
use crate::domain::permission::{Act, may};
use crate::domain::postback::Postback;
use crate::domain::verdict::{Reason, Refusal, Warning, WarningCode};

/// What a conversion earns and pays, and why.
pub(super) struct Money {
    pub(super) amount: Option<i64>,
    pub(super) revenue: i64,
    pub(super) payout: i64,
    pub(super) why_revenue: String,
    pub(super) why_payout: String,
}

pub(super) fn money(case: &Case<'_>, warnings: &mut Vec<Warning>) -> Result<Money, Refusal> {
    let (campaign, postback) = (case.campaign, case.postback);
    let (revenue_rule, payout_rule) = rules(case);
    let may_send_amount = may(case.proof, Act::SendAmount, campaign);
    let may_send_money = may(case.proof, Act::SendExplicitMoney, campaign);

    let ignored = [
        ("amount", postback.amount.is_some() && !may_send_amount),
        ("commission", postback.commission.is_some() && !may_send_amount),
        ("currency", postback.currency.is_some() && !may_send_amount),
    ];
    for (name, _) in ignored.into_iter().filter(|(_, is_ignored)| *is_ignored) {
        let message = format!("{name} was ignored: without a token the campaign does not trust it");
        warnings.push(Warning::about(WarningCode::NotPermitted, name, message));
    }
    let explicit = [
        ("revenue", postback.revenue.is_some()),
        ("payout", postback.payout.is_some()),
        ("conversion_rate", postback.conversion_rate.is_some()),
        ("occurred_at", postback.occurred_at.is_some()),
    ];
    for (name, _) in explicit.into_iter().filter(|(_, is_sent)| *is_sent && !may_send_money) {
        let message = format!("{name} was ignored: the campaign does not take it by postback");
        warnings.push(Warning::about(WarningCode::PayoutNotAllowed, name, message));
    }

    let exchange = exchange(case, may_send_amount, may_send_money)?;
    let mut minor = |name: &'static str, value: Option<Decimal>, exchange: Option<Decimal>| {
        let Some(value) = value else { return Ok(None) };
        let (minor, was_rounded) =
            to_minor(value, exchange, campaign.currency).ok_or_else(|| {
                Refusal::of(Reason::InvalidParameter, name, format!("{name} is too large"))
            })?;
        if was_rounded {
            let message = format!(
                "{name} was rounded to {} {}",
                campaign.currency.format(minor),
                campaign.currency.code()
            );
            warnings.push(Warning::about(WarningCode::Rounded, name, message));
        }
        Ok(Some(minor))
    };
    let amount = minor("amount", postback.amount.filter(|_| may_send_amount), exchange)?;
    let commission =
        minor("commission", postback.commission.filter(|_| may_send_amount), exchange)?;
    let sent_revenue = minor("revenue", postback.revenue.filter(|_| may_send_money), None)?;
    let sent_payout = minor("payout", postback.payout.filter(|_| may_send_money), None)?;

    let base = commission.or(amount);
    let is_reckoned = [(sent_revenue, revenue_rule), (sent_payout, payout_rule)];
    let lacks_base = base.is_none()
        && is_reckoned.iter().any(|(sent, rule)| sent.is_none() && rule.needs_amount());
    if lacks_base {
        return Err(missing_base(postback, may_send_amount));
    }
    let revenue = sent_revenue.unwrap_or_else(|| revenue_rule.reckon(base, 0));
    let payout = sent_payout.unwrap_or_else(|| payout_rule.reckon(base, revenue));
    let is_event = postback.event_id.is_some() || postback.event_name.is_some();
    let owner = if is_event { "event" } else { "campaign" };
    let why = |sent: Option<i64>, rule: Rule| match sent {
        Some(_) => "sent explicitly, which the campaign allows".to_owned(),
        None => format!(
            "the {owner}'s rule {}: {} {} and {} %",
            rule.kind.as_str(),
            campaign.currency.format(rule.fixed_minor),
            campaign.currency.code(),
            rule.percent.to_percent()
        ),
    };
    Ok(Money {
        amount,
        revenue,
        payout,
        why_revenue: why(sent_revenue, revenue_rule),
        why_payout: why(sent_payout, payout_rule),
    })
}

/// The rate from the sender's currency into the campaign's, if one is needed or was sent.
fn exchange(
    case: &Case<'_>,
    may_send_amount: bool,
    may_send_money: bool,
) -> Result<Option<Decimal>, Refusal> {
    let rate = case.postback.conversion_rate.filter(|_| may_send_money);
    let sent = case.postback.currency.filter(|_| may_send_amount);
    match sent {
        Some(currency) if currency != case.campaign.currency && rate.is_none() => {
            let detail = format!(
                "no rate from {} into the campaign's {}; send amounts in {}",
                currency.code(),
                case.campaign.currency.code(),
                case.campaign.currency.code()
            );
            Err(Refusal::of(Reason::NoExchangeRate, "currency", detail))
        }
        _ => Ok(rate),
    }
}

fn to_minor(value: Decimal, rate: Option<Decimal>, currency: Currency) -> Option<(i64, bool)> {
    match rate {
        Some(rate) => value.converted(rate, currency),
        None => value.to_minor(currency),
    }
}

fn missing_base(postback: &Postback, may_send_amount: bool) -> Refusal {
    let is_sent = postback.amount.is_some() || postback.commission.is_some();
    if is_sent && !may_send_amount {
        return Refusal::of(
            Reason::BadToken,
            "amount",
            "the campaign pays a percentage, and an amount counts only with a token",
        );
    }
    Refusal::of(
        Reason::MissingParameter,
        "amount",
        "the campaign pays a percentage: send what the customer paid as amount, such as amount=49.90",
    )
}

/// The fields that decide money as this case sends them, in their normal form; those that the
/// sender may not send do not decide anything. `default_currency` is what an absent one means;
/// it is recorded, but a repeat that leaves it out says nothing new.
pub(super) fn sent_money(case: &Case<'_>, default_currency: Option<Currency>) -> SentMoney {
    let postback = case.postback;
    let may_send_amount = may(case.proof, Act::SendAmount, case.campaign);
    let may_send_money = may(case.proof, Act::SendExplicitMoney, case.campaign);
    let currency = postback.currency.filter(|_| may_send_amount).or(default_currency);
    let number =
        |value: Option<Decimal>, allowed: bool| value.filter(|_| allowed).map(Decimal::normalised);
    let fields = [
        ("click_id", case.click.text().map(str::to_owned)),
        ("amount", number(postback.amount, may_send_amount)),
        ("commission", number(postback.commission, may_send_amount)),
        ("currency", currency.map(|c| c.code().to_owned())),
        ("revenue", number(postback.revenue, may_send_money)),
        ("payout", number(postback.payout, may_send_money)),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
