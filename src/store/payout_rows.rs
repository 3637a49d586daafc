//! Payout rules and rates, as the rows of campaigns and namespaces hold them.
//!
//! Unlike other entries of a row, none of these is left out if it cannot be read: a conversion
//! would be paid by another rule, or refused. A copy that an earlier version wrote has none, as
//! nobody had any then; with it redirects go on even if the ledger is down while a version changes.

use serde_json::Value;

use super::row::{Read as _, rows};
use super::{Row, json};
use crate::domain::click_id::Country;
use crate::domain::configuration::Status;
use crate::domain::exchange::Rate;
use crate::domain::money::{BasisPoints, Currency, Decimal, MoneyType, Rule};
use crate::domain::payout::{Limits, PayoutRule, Terms};
use crate::domain::time::Timestamp;

rows! {
    struct PayoutRow {
        id: u32,
        affiliate_id: u32,
        coupon: Option<String>,
        is_lifetime: u8,
        event_id: Option<u32>,
        goal: Option<String>,
        countries: String,
        payout_type: String,
        payout_fixed: i64,
        payout_percent: u32,
        payout_max: Option<i64>,
        default_status: Option<String>,
    }
}

impl PayoutRow {
    fn value(self) -> Option<PayoutRule> {
        let countries = json::texts(&self.countries);
        let countries: Option<Vec<Country>> = countries.iter().map(|c| Country::parse(c)).collect();
        let default_status = match self.default_status.as_deref() {
            Some(word) => Some(Status::from_word(word)?),
            None => None,
        };
        Some(PayoutRule {
            id: self.id,
            limits: Limits {
                affiliate_id: Some(self.affiliate_id).filter(|id| *id != 0),
                coupon: self.coupon,
                is_lifetime: self.is_lifetime != 0,
                event_id: self.event_id,
                goal: self.goal,
                countries: countries?,
            },
            terms: Terms {
                rule: Rule {
                    kind: MoneyType::from_word(&self.payout_type)?,
                    fixed_minor: self.payout_fixed,
                    percent: BasisPoints(self.payout_percent),
                },
                max_minor: self.payout_max,
                default_status,
            },
        })
    }
}

/// A row without the column.
const NONE: &str = "[]";

/// The rules of a campaign's row.
pub(crate) fn payouts(text: Option<&str>) -> Option<Vec<PayoutRule>> {
    let rows: Vec<Row> = serde_json::from_str(text.unwrap_or(NONE)).ok()?;
    rows.iter().map(|row| PayoutRow::read(row).and_then(PayoutRow::value)).collect()
}

/// The rates of a namespace's row.
pub(crate) fn rates(text: Option<&str>) -> Option<Vec<Rate>> {
    let rows: Vec<Row> = serde_json::from_str(text.unwrap_or(NONE)).ok()?;
    rows.iter().map(rate).collect()
}

fn rate(row: &Value) -> Option<Rate> {
    Some(Rate {
        from: Currency::parse(row.get(0)?.as_str()?)?,
        to: Currency::parse(row.get(1)?.as_str()?)?,
        rate: Decimal::parse_rate(row.get(2)?.as_str()?)?,
        valid_from: Timestamp::from_ms(row.get(3)?.as_u64()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_version_copied_has_no_rules_and_what_cannot_be_read_is_none() {
        assert_eq!((payouts(None), rates(None)), (Some(vec![]), Some(vec![])));
        assert_eq!(rates(Some(r#"[["EUR","USD","1.1",7]]"#)).map(|rates| rates.len()), Some(1));
        for text in [r#"[["EUR","USD","0",7]]"#, r#"[["EUR","XXX","1",7]]"#, "[{}]", "null", ""] {
            assert_eq!((payouts(Some(text)), rates(Some(text))), (None, None), "{text}");
        }
    }
}
