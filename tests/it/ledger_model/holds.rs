//! What must hold after a history: of the rows by themselves, and of rows and model together.

use std::collections::BTreeMap;

use serde_json::Value;

use super::step::STATUSES;
use super::{History, cents, decimal};

type Sums = BTreeMap<(u64, String), (u64, i64, i64)>;

impl History<'_> {
    /// Says what does not hold.
    pub(super) fn holds(&self) -> Result<(), String> {
        self.nothing_counts_twice()?;
        self.rows_are_the_models()?;
        let (expected, listed) = (self.model.sums(), self.listed_sums());
        if listed != expected {
            return Err(format!("the sums are {listed:?}, not {expected:?}"));
        }
        self.refusals_are_the_models()
    }

    /// The rows alone: no order counts twice, no click where it counts once.
    fn nothing_counts_twice(&self) -> Result<(), String> {
        let twice = |what: &str, which: &str| {
            let sql = format!(
                "SELECT {what} FROM conversions WHERE {which} GROUP BY event_id, {what} HAVING COUNT(*) > 1"
            );
            match self.shop.rows(&sql).first() {
                None => Ok(()),
                Some(row) => Err(format!("counts twice: {row}")),
            }
        };
        twice("order_id", "order_id IS NOT NULL")?;
        twice("click_id", "event_id = 1")?;
        if self.model.terms.is_per_order { Ok(()) } else { twice("click_id", "event_id = 0") }
    }

    fn rows_are_the_models(&self) -> Result<(), String> {
        let rows = self.shop.rows("SELECT * FROM conversions");
        if rows.len() != self.model.sales.len() {
            return Err(format!("{} conversions, not {}", rows.len(), self.model.sales.len()));
        }
        for sale in &self.model.sales {
            let request_id = self.request_ids[sale.request].as_str();
            let row = rows.iter().find(|row| row["request_id"] == request_id);
            let Some(row) = row else { return Err(format!("{sale:?} is lost")) };
            let [revenue, payout] = sale.money();
            let (status, [first_revenue, first_payout]) = sale.first;
            let lines = self.lines(row);
            let rate = sale.rate.map(|rate| {
                decimal(rate, 4).trim_end_matches('0').trim_end_matches('.').to_owned()
            });
            let expected: [(&str, Value); 14] = [
                ("click_id", self.click_ids[sale.click].as_str().into()),
                ("affiliate_id", sale.affiliate.into()),
                ("event_id", sale.event.into()),
                ("order_id", sale.order.map(|order| format!("O{order}")).into()),
                ("received_at", sale.at.into()),
                ("status", STATUSES[sale.status].into()),
                ("revenue", revenue.into()),
                ("payout", payout.into()),
                ("first_status", STATUSES[status].into()),
                ("first_revenue", first_revenue.into()),
                ("first_payout", first_payout.into()),
                ("exchange_rate", rate.into()),
                ("revision", (sale.changes + 1).into()),
                ("country", if sale.is_austrian { "AT" } else { "DE" }.into()),
            ];
            if let Some((name, value)) = expected.iter().find(|(name, value)| row[*name] != *value)
            {
                return Err(format!("{name} is {}, not {value}: {sale:?}", row[*name]));
            }
            if lines != sale.changes {
                return Err(format!("{lines} lines for {} changes of {sale:?}", sale.changes));
            }
        }
        Ok(())
    }

    /// How many lines the audit trail of a conversion has.
    fn lines(&self, row: &Value) -> u64 {
        let id = row["conversion_id"].as_str().unwrap();
        let sql = format!("SELECT COUNT(*) FROM changes WHERE conversion_id = '{id}'");
        self.shop.value(&sql).as_u64().unwrap()
    }

    /// Number, revenue and payout of each affiliate and status, added up from the API's list.
    fn listed_sums(&self) -> Sums {
        let mut sums = Sums::new();
        let mut path = "conversions?limit=7".to_owned();
        loop {
            let page = self.shop.operator.sees(&path);
            for listed in page["data"].as_array().unwrap() {
                let status = listed["status"].as_str().unwrap().to_owned();
                let sum =
                    sums.entry((listed["affiliate_id"].as_u64().unwrap(), status)).or_default();
                *sum = (
                    sum.0 + 1,
                    sum.1 + cents(&listed["revenue"]),
                    sum.2 + cents(&listed["payout"]),
                );
            }
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("conversions?limit=7&cursor={cursor}"),
                None => return sums,
            }
        }
    }

    fn refusals_are_the_models(&self) -> Result<(), String> {
        let rows =
            self.shop.rows("SELECT request_id, reason FROM inbox WHERE verdict = 'rejected'");
        let found: BTreeMap<&str, &str> = rows
            .iter()
            .map(|row| (row["request_id"].as_str().unwrap(), row["reason"].as_str().unwrap()))
            .collect();
        let requests = self.request_ids.iter().zip(&self.model.requests);
        let expected: BTreeMap<&str, &str> =
            requests.filter_map(|(id, request)| Some((id.as_str(), request.refused?))).collect();
        if found == expected {
            Ok(())
        } else {
            Err(format!("refused is {found:?}, not {expected:?}"))
        }
    }
}
