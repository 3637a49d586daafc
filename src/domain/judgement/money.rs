//! The money of a conversion: what was sent, converted, and what the rules that apply make of it.

use super::{Case, events};
use crate::domain::configuration::{Campaign, Status};
use crate::domain::conversion::{Conversion, INITIAL, SentMoney};
use crate::domain::exchange::rate_at;
use crate::domain::money::{Currency, Decimal, MoneyType, Rule};
use crate::domain::payout::{Limits, OWN, PayoutRule, Terms, Traits, choose};
use crate::domain::permission::{Act, may};
use crate::domain::postback::Postback;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reason, Refusal, Warning, WarningCode};

/// What a conversion earns and pays, and why.
pub(super) struct Money {
    pub(super) amount: Option<i64>,
    pub(super) revenue: i64,
    pub(super) payout: i64,
    pub(super) is_lead: bool,
    pub(super) exchange_rate: Option<Decimal>,
    /// Entries of the conversion's explanation.
    pub(super) because: Vec<(&'static str, String)>,
}

/// What money depends on besides what is sent.
pub(super) struct Basis<'a> {
    /// What payout rules are matched against.
    pub(super) traits: Traits<'a>,
    /// When it happened; rates are taken as of then.
    pub(super) occurred_at: Timestamp,
    /// From which currency and at which rate it was converted before.
    pub(super) earlier_rate: Option<(Currency, Decimal)>,
}

impl<'a> Basis<'a> {
    /// The basis on which a recorded conversion is reckoned anew.
    pub(super) fn of_known(known: &'a Conversion, postback: &'a Postback) -> Self {
        let currency = known.sent_money.iter().find(|(name, _)| *name == "currency");
        let currency = currency.and_then(|(_, code)| Currency::parse(code));
        Self {
            traits: Traits {
                affiliate_id: known.affiliate_id,
                coupon: known.coupon(),
                is_lifetime: known.is_lifetime(),
                event_id: known.event_id,
                goal: postback.goal.as_deref().or(known.goal.as_deref()),
                country: known.country,
            },
            occurred_at: known.occurred_at,
            earlier_rate: currency.zip(known.exchange_rate),
        }
    }
}

/// The payout rule that applies, or what campaign or event pay by themselves.
pub(super) struct Chosen {
    terms: Terms,
    /// The rule in words, with what it pays.
    what: String,
    why: String,
}

impl Chosen {
    /// What the conversion starts as if nothing was sent, and whose wish that is.
    pub(super) fn default_status(&self, campaign: &Campaign) -> (Status, String) {
        match self.terms.default_status {
            Some(status) => (status, format!("the default of {}", self.what)),
            None => (campaign.default_status, "the campaign's default".to_owned()),
        }
    }
}

/// What is earned and paid where no payout rule says otherwise.
fn own_rules(case: &Case<'_>) -> (Rule, Rule) {
    events::rules(case)
}

/// Whose own rules these are.
fn owner(event_id: u32) -> &'static str {
    if event_id == INITIAL { "campaign" } else { "event" }
}

/// Chooses what a case is paid by. What a campaign pays by itself is a rule without limits, what an
/// event pays by itself one that is limited to the event; both come after others of their kind.
pub(super) fn payout_rule(case: &Case<'_>, traits: &Traits<'_>) -> Chosen {
    let event_id = Some(traits.event_id).filter(|id| *id != INITIAL);
    let own = PayoutRule {
        id: OWN,
        limits: Limits { event_id, ..Limits::default() },
        terms: Terms { rule: own_rules(case).1, max_minor: None, default_status: None },
    };
    let rules = &case.campaign.payouts;
    match choose(rules.iter().chain([&own]), traits) {
        Some(choice) if !rules.is_empty() => {
            Chosen { terms: choice.rule.terms, what: choice.rule.to_string(), why: choice.why() }
        }
        _ => Chosen { terms: own.terms, what: own.to_string(), why: String::new() },
    }
}

/// Reckons the money of a case.
///
/// # Errors
/// `no_exchange_rate`, `missing_parameter` (or `bad_token`) where a percentage has no base,
/// `invalid_parameter` for what does not stay below 2^53 minor units.
pub(super) fn money(
    case: &Case<'_>,
    basis: &Basis<'_>,
    chosen: &Chosen,
    warnings: &mut Vec<Warning>,
) -> Result<Money, Refusal> {
    let (campaign, postback) = (case.campaign, case.postback);
    let may_send_amount = may(case.proof, Act::SendAmount, campaign);
    let may_send_money = may(case.proof, Act::SendExplicitMoney, campaign);
    warn_of_ignored(postback, may_send_amount, may_send_money, warnings);

    let exchange = exchange(case, basis, may_send_amount, may_send_money)?;
    let rate = exchange.as_ref().map(|(rate, _)| *rate);
    let mut minor = |name: &'static str, value: Option<Decimal>, rate: Option<Decimal>| {
        let Some(value) = value else { return Ok(None) };
        let (minor, was_rounded) =
            to_minor(value, rate, campaign.currency).ok_or_else(|| too_large(name))?;
        if was_rounded {
            let message = format!("{name} was rounded to {}", price(campaign, minor));
            warnings.push(Warning::about(WarningCode::Rounded, name, message));
        }
        Ok(Some(minor))
    };
    let amount = minor("amount", postback.amount.filter(|_| may_send_amount), rate)?;
    let commission = minor("commission", postback.commission.filter(|_| may_send_amount), rate)?;
    let sent_revenue = minor("revenue", postback.revenue.filter(|_| may_send_money), None)?;
    let sent_payout = minor("payout", postback.payout.filter(|_| may_send_money), None)?;

    let base = commission.or(amount);
    let base_name = if commission.is_some() { "commission" } else { "amount" };
    let owner = owner(basis.traits.event_id);
    let revenue_rule = own_rules(case).0;
    let is_reckoned = [(sent_revenue, revenue_rule), (sent_payout, chosen.terms.rule)];
    let lacks_base = base.is_none()
        && is_reckoned.iter().any(|(sent, rule)| sent.is_none() && rule.needs_amount());
    if lacks_base {
        return Err(missing_base(postback, may_send_amount));
    }
    let revenue = match sent_revenue {
        Some(sent) => sent,
        None => revenue_rule.reckon(base, 0).ok_or_else(|| too_large(base_name))?,
    };
    let (payout, why_payout) = match sent_payout {
        Some(sent) => (sent, SENT.to_owned()),
        None => pay(campaign, chosen, owner, base, revenue).ok_or_else(|| too_large(base_name))?,
    };
    let why_revenue = match sent_revenue {
        Some(_) => SENT.to_owned(),
        None => format!("the {owner}'s rule {}", in_words(campaign, revenue_rule)),
    };
    let exchange = exchange.filter(|_| base.is_some());
    let mut because = vec![("revenue", why_revenue), ("payout", why_payout)];
    because.extend(exchange.as_ref().map(|(_, why)| ("exchange", why.clone())));
    let is_lead = chosen.terms.rule.kind == MoneyType::Cpl;
    let exchange_rate = exchange.map(|(rate, _)| rate);
    Ok(Money { amount, revenue, payout, is_lead, exchange_rate, because })
}

const SENT: &str = "sent explicitly, which the campaign allows";

/// What the chosen rule pays, and why; `None` beyond what can be stored.
fn pay(
    campaign: &Campaign,
    chosen: &Chosen,
    owner: &str,
    base: Option<i64>,
    revenue: i64,
) -> Option<(i64, String)> {
    let Chosen { terms, what, why } = chosen;
    let in_words = in_words(campaign, terms.rule);
    let full = terms.rule.reckon(base, revenue);
    let (payout, capped) = match terms.max_minor {
        Some(max) if full.is_none_or(|full| full > max) => {
            (max, format!(", capped at its maximum of {}", price(campaign, max)))
        }
        _ => (full?, String::new()),
    };
    // Where a campaign has no payout rules there is nothing to say about a choice.
    if why.is_empty() {
        return Some((payout, format!("the {owner}'s rule {in_words}")));
    }
    Some((payout, format!("{what}, {in_words}{capped}; {why}")))
}

fn in_words(campaign: &Campaign, rule: Rule) -> String {
    let fixed = price(campaign, rule.fixed_minor);
    format!("{}: {fixed} and {} %", rule.kind.as_str(), rule.percent.to_percent())
}

fn price(campaign: &Campaign, minor: i64) -> String {
    format!("{} {}", campaign.currency.format(minor), campaign.currency.code())
}

fn warn_of_ignored(
    postback: &Postback,
    may_send_amount: bool,
    may_send_money: bool,
    warnings: &mut Vec<Warning>,
) {
    let amounts = [
        ("amount", postback.amount.is_some()),
        ("commission", postback.commission.is_some()),
        ("currency", postback.currency.is_some()),
    ];
    for (name, _) in amounts.into_iter().filter(|(_, is_sent)| *is_sent && !may_send_amount) {
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
}

/// The rate from the sender's currency into the campaign's, and where it comes from: the sender's
/// own where he may send one, else the one that the conversion was recorded with, else the table's.
fn exchange(
    case: &Case<'_>,
    basis: &Basis<'_>,
    may_send_amount: bool,
    may_send_money: bool,
) -> Result<Option<(Decimal, String)>, Refusal> {
    let to = case.campaign.currency;
    let from = case.postback.currency.filter(|_| may_send_amount).unwrap_or(to);
    let pair = |rate: Decimal| format!("1 {} = {} {}", from.code(), rate.normalised(), to.code());
    if let Some(rate) = case.postback.conversion_rate.filter(|_| may_send_money) {
        return Ok(Some((rate, format!("{}, sent as conversion_rate", pair(rate)))));
    }
    if let Some((_, rate)) = basis.earlier_rate.filter(|(earlier, _)| *earlier == from) {
        return Ok(Some((rate, format!("{}, as when it was recorded", pair(rate)))));
    }
    if from == to {
        return Ok(None);
    }
    if let Some(found) = rate_at(case.rates, from, to, basis.occurred_at) {
        let since = found.valid_from.to_rfc3339();
        let why = format!("{}, of the rate table, valid from {since}", pair(found.rate));
        return Ok(Some((found.rate, why)));
    }
    let (from, to) = (from.code(), to.code());
    let at = basis.occurred_at.to_rfc3339();
    let detail = format!(
        "there is no rate from {from} into the campaign's {to} at {at}; send amounts in {to}, or ask the operator for a rate (under /api/v1/rates)"
    );
    Err(Refusal::of(Reason::NoExchangeRate, "currency", detail))
}

fn to_minor(value: Decimal, rate: Option<Decimal>, currency: Currency) -> Option<(i64, bool)> {
    match rate {
        Some(rate) => value.converted(rate, currency),
        None => value.to_minor(currency),
    }
}

fn too_large(name: &'static str) -> Refusal {
    let detail = format!("{name} is too large: money has to stay below 2^53 minor units");
    Refusal::of(Reason::InvalidParameter, name, detail)
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
