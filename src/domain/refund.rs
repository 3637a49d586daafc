//! Refunds, in whole or in parts (wire.md 5): how much is taken back, and what is left.
//!
//! Parts are reckoned in the amount and currency in which the sale was reported, so that no rate
//! is needed: who gives back half of the amount gives back half of revenue and payout. What is
//! left after some parts is `whole − whole × refunded ÷ amount`, the subtrahend rounded half away
//! from zero once, over all parts together; so parts never add up to more than the whole.
//!
//! A refund of all that is left changes the status only: the money that was left stays in the
//! row, and the status says that it does not count. The last part thus takes the rest exactly.

use super::configuration::Status;
use super::conversion::Conversion;
use super::money::{Currency, Decimal};
use super::transition::{Author, refused};
use super::verdict::{Reason, Refusal};

/// The most refunds of one sale. They stand in one column, so their number is bounded; nobody
/// gives back one sale in more pieces.
const MAX_PARTS: usize = 100;

/// The longest `refund_id` in bytes, as of an order_id.
const MAX_ID: usize = 128;

/// What a refund asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// How much of the sale, in the currency in which it was reported; `None` for all that is left.
    pub amount: Option<Decimal>,
    /// Its name, which tells several apart.
    pub id: Option<&'a str>,
}

/// One refund that happened. Amounts are minor units: `asked` and `amount` of the sale's currency,
/// revenue and payout of the campaign's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, if it has one.
    pub id: Option<String>,
    /// What was asked for; `None` for all that was left.
    pub asked: Option<i64>,
    /// How much of the amount it took; 0 if the sale was reported without one.
    pub amount: i64,
    /// How much of the revenue it took.
    pub revenue: i64,
    /// How much of the payout it took.
    pub payout: i64,
}

/// The refunds of a sale, of which there is at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refunds {
    /// The revenue before any of them.
    pub whole_revenue: i64,
    /// The payout before any of them.
    pub whole_payout: i64,
    /// Each, in their order.
    pub parts: Vec<Part>,
}

/// Takes a refund off a sale; `None` if this one has been taken before. The revision is left to
/// the caller.
///
/// # Errors
/// `invalid_transition` unless the sale is approved, `refund_too_large` beyond what is left,
/// `conflict` if a refund of this name had another amount, `invalid_parameter`.
pub fn take(
    known: &Conversion,
    request: Request<'_>,
    author: Author,
) -> Result<Option<Conversion>, Refusal> {
    if request.id.is_some_and(|id| id.len() > MAX_ID) {
        let detail = format!("refund_id has at most {MAX_ID} bytes");
        return Err(Refusal::of(Reason::InvalidParameter, "refund_id", detail));
    }
    let whole = whole(known);
    let asked = request.amount.map(|amount| minor(amount, whole)).transpose()?;
    if is_repeat(known, request.id, asked)? {
        return Ok(None);
    }
    if !matches!(known.status, Status::Approved | Status::Refunded) {
        return Err(refused(known.status, Status::Refunded, author));
    }
    let refunds = known.refunds.clone().unwrap_or_else(|| Refunds {
        whole_revenue: known.revenue,
        whole_payout: known.payout,
        parts: Vec::new(),
    });
    let (whole, currency) = whole.unwrap_or((0, known.currency));
    let left = whole - refunds.parts.iter().map(|part| part.amount).sum::<i64>();
    if known.status == Status::Refunded || asked.is_some_and(|asked| asked > left) {
        let detail = format!(
            "the sale was {} {code}, of which {} {code} are left to refund",
            currency.format(whole),
            currency.format(left),
            code = currency.code()
        );
        return Err(Refusal::of(Reason::RefundTooLarge, "amount", detail));
    }
    if refunds.parts.len() >= MAX_PARTS {
        let detail =
            format!("a sale takes {MAX_PARTS} refunds; leave amount out to refund the rest");
        return Err(Refusal::of(Reason::InvalidParameter, "refund_id", detail));
    }
    let is_rest = asked.is_none_or(|asked| asked == left);
    let amount = asked.unwrap_or(left);
    let mut after = known.clone();
    if is_rest {
        after.status = Status::Refunded;
    } else {
        let refunded = whole - left + amount;
        after.revenue = refunds.whole_revenue - share(refunds.whole_revenue, refunded, whole);
        after.payout = refunds.whole_payout - share(refunds.whole_payout, refunded, whole);
    }
    let gone = |before: i64, after: i64| if is_rest { before } else { before - after };
    let part = Part {
        id: request.id.map(str::to_owned),
        asked,
        amount,
        revenue: gone(known.revenue, after.revenue),
        payout: gone(known.payout, after.payout),
    };
    after.explain(
        "refund",
        match (is_rest, refunds.parts.len()) {
            (true, 0) => "all of the sale was refunded".to_owned(),
            (true, before) => format!("the rest of the sale was refunded, after {before} parts"),
            (false, before) => format!(
                "{} of {} {} refunded, in {} parts; revenue and payout are reduced in proportion",
                currency.format(whole - left + amount),
                currency.format(whole),
                currency.code(),
                before + 1
            ),
        },
    );
    let mut refunds = refunds;
    refunds.parts.push(part);
    after.refunds = Some(refunds);
    Ok(Some(after))
}

/// Lets the whole sale count again.
pub fn undo(conversion: &mut Conversion) {
    if let Some(refunds) = conversion.refunds.take() {
        conversion.revenue = refunds.whole_revenue;
        conversion.payout = refunds.whole_payout;
        conversion.explain("refund", "undone; the whole sale counts again".to_owned());
    }
}

/// Takes the refunds so far off a sale whose money was reported anew: `conversion` has the new
/// whole revenue and payout.
///
/// # Errors
/// `refund_too_large` if more was refunded than the sale is now.
pub fn take_again(conversion: &mut Conversion) -> Result<(), Refusal> {
    let Some(mut refunds) = conversion.refunds.take() else { return Ok(()) };
    let (whole, _) = whole(conversion).unwrap_or((0, conversion.currency));
    refunds.whole_revenue = conversion.revenue;
    refunds.whole_payout = conversion.payout;
    let mut refunded = 0;
    for part in &mut refunds.parts {
        refunded += part.amount;
        // Only the refund of a rest may take all, and then nothing is updated any more.
        if refunded >= whole {
            let detail = "as much as that, or more, is refunded already; refund the rest instead";
            return Err(Refusal::of(Reason::RefundTooLarge, "amount", detail));
        }
        let revenue = refunds.whole_revenue - share(refunds.whole_revenue, refunded, whole);
        let payout = refunds.whole_payout - share(refunds.whole_payout, refunded, whole);
        part.revenue = conversion.revenue - revenue;
        part.payout = conversion.payout - payout;
        conversion.revenue = revenue;
        conversion.payout = payout;
    }
    conversion.refunds = Some(refunds);
    Ok(())
}

/// The amount of a sale as it was reported, in minor units of the currency it was reported in.
fn whole(known: &Conversion) -> Option<(i64, Currency)> {
    let sent = |name: &str| {
        known.sent_money.iter().find(|(sent, _)| *sent == name).map(|(_, value)| value.as_str())
    };
    let amount = sent("amount").or_else(|| sent("commission")).and_then(Decimal::parse_amount)?;
    let currency = sent("currency").and_then(Currency::parse).unwrap_or(known.currency);
    amount.to_minor(currency).map(|(minor, _)| (minor, currency))
}

fn minor(amount: Decimal, whole: Option<(i64, Currency)>) -> Result<i64, Refusal> {
    let Some((_, currency)) = whole else {
        return Err(Refusal::of(
            Reason::InvalidParameter,
            "amount",
            "the sale was reported without an amount, so that no part of it can be reckoned; leave amount out to refund all of it",
        ));
    };
    match amount.to_minor(currency) {
        Some((minor, _)) if minor > 0 => Ok(minor),
        Some(_) => Err(Refusal::of(
            Reason::InvalidParameter,
            "amount",
            "a refund has an amount above zero; leave amount out to refund all that is left",
        )),
        None => Err(Refusal::of(Reason::InvalidParameter, "amount", "amount is too large")),
    }
}

/// Whether this refund has been taken before.
fn is_repeat(known: &Conversion, id: Option<&str>, asked: Option<i64>) -> Result<bool, Refusal> {
    let parts = known.refunds.iter().flat_map(|refunds| &refunds.parts);
    let mut namesakes = parts.filter(|part| part.id.as_deref() == id).peekable();
    let is_known = namesakes.peek().is_some();
    if namesakes.any(|part| part.asked == asked) {
        return Ok(true);
    }
    // All of it is refunded already: the same status.
    if asked.is_none() && known.status == Status::Refunded {
        return Ok(true);
    }
    // Without a name there can be one part, and then the rest.
    if is_known && (id.is_some() || asked.is_some()) {
        let detail = match id {
            Some(_) => {
                "a refund of this refund_id was recorded with another amount; nothing was changed"
            }
            None => {
                "a refund without a refund_id was recorded with another amount; send a refund_id with each of several partial refunds"
            }
        };
        return Err(Refusal::of(Reason::Conflict, "amount", detail));
    }
    Ok(false)
}

/// `money × part ÷ whole`, rounded half away from zero; money is never negative.
fn share(money: i64, part: i64, whole: i64) -> i64 {
    if whole <= 0 {
        return 0;
    }
    let (money, part, whole) = (i128::from(money), i128::from(part), i128::from(whole));
    let share = (2 * money * part + whole) / (2 * whole);
    i64::try_from(share).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
