//! Exchange rates: the table of a namespace.

use super::money::{Currency, Decimal};
use super::time::Timestamp;

/// One unit of `from` is worth `rate` units of `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The currency that an amount was sent in.
    pub from: Currency,
    /// The currency of a campaign.
    pub to: Currency,
    /// What the amount is multiplied by.
    pub rate: Decimal,
    /// From when on, until a later rate of the same two currencies.
    pub valid_from: Timestamp,
}

/// The rate at a time: of those that were valid already, the newest. A rate is never turned round:
/// what somebody sells at is not what he buys at, and the rounding of one way is not the other's.
pub fn rate_at(rates: &[Rate], from: Currency, to: Currency, at: Timestamp) -> Option<&Rate> {
    let of_these = rates.iter().filter(|rate| rate.from == from && rate.to == to);
    of_these.filter(|rate| rate.valid_from <= at).max_by_key(|rate| rate.valid_from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_rate_that_is_valid_already_counts_and_none_is_turned_round() {
        let currency = |code| Currency::parse(code).unwrap();
        let rate = |from, to, rate, ms| Rate {
            from: currency(from),
            to: currency(to),
            rate: Decimal::parse_rate(rate).unwrap(),
            valid_from: Timestamp::from_ms(ms),
        };
        let table = [
            rate("EUR", "USD", "1.2", 200),
            rate("EUR", "USD", "1.1", 100),
            rate("EUR", "USD", "1.3", 300),
            rate("GBP", "USD", "1.5", 0),
            rate("USD", "JPY", "150", 0),
        ];
        let at = |from, to, ms| {
            rate_at(&table, currency(from), currency(to), Timestamp::from_ms(ms))
                .map(|found| found.rate.normalised())
        };
        assert_eq!(at("EUR", "USD", 99), None);
        assert_eq!(at("EUR", "USD", 100).as_deref(), Some("1.1"));
        assert_eq!(at("EUR", "USD", 299).as_deref(), Some("1.2"));
        assert_eq!(at("EUR", "USD", 9_999).as_deref(), Some("1.3"));
        assert_eq!(at("USD", "EUR", 9_999), None);
        assert_eq!(at("EUR", "JPY", 9_999), None);
    }
}
