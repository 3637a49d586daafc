//! Random histories of sales, rejections, refunds and approvals, with caps that come and go.
//!
//! **What must hold after every step:** what is counted as used is what the conversions add up to;
//! no conversion was taken over a hard cap, nor approved at once over a soft one; a conversion is
//! refused only where a hard cap was full.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::caps::cap;
use crate::support::database::Break;
use crate::support::shop::{TOKEN, text};
use crate::support::{Shop, World};

const PERIODS: [&str; 3] = ["day", "month", "total"];
const WHATS: [&str; 3] = ["conversions", "payout", "revenue"];
const CHANGES: [&str; 5] = [
    "status=rejected",
    "status=approved",
    "status=hold",
    "status=refunded",
    "status=refunded&refund_id=1&amount=3",
];

#[derive(Clone, Debug)]
enum Step {
    /// A click on the link of this affiliate (1 or 2) converts.
    Sale { affiliate: u32, amount: u8, is_rejected: bool },
    /// One of the sales so far is said again, word for word.
    Again(usize),
    /// Something becomes of one of the sales so far.
    Change { sale: usize, change: usize },
    /// Another cap; affiliate 0 is everybody.
    Cap { affiliate: u32, what: usize, period: usize, limit: u8, is_soft: bool },
    /// A cap ends.
    Archive(u32),
    /// The next postback is committed, but the answer of the ledger is lost.
    Lost,
    /// Hours pass.
    Wait(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..3u32, 1..20u8, prop::bool::weighted(0.1))
            .prop_map(|(affiliate, amount, is_rejected)| Step::Sale { affiliate, amount, is_rejected }),
        2 => any::<usize>().prop_map(Step::Again),
        5 => (any::<usize>(), 0..CHANGES.len()).prop_map(|(sale, change)| Step::Change { sale, change }),
        2 => (0..3u32, 0..3usize, 0..3usize, 1..6u8, any::<bool>())
            .prop_map(|(affiliate, what, period, limit, is_soft)| Step::Cap { affiliate, what, period, limit, is_soft }),
        1 => (1..4u32).prop_map(Step::Archive),
        1 => Just(Step::Lost),
        1 => (1..30u8).prop_map(Step::Wait),
    ]
}

/// What is used in each place: of an affiliate (0: of all), on a day.
type Uses = BTreeMap<(u64, String), [i64; 3]>;

struct History<'w> {
    shop: Shop<'w>,
    sold: Vec<String>,
    is_lost: bool,
}

impl<'w> History<'w> {
    fn new(world: &'w World) -> Self {
        let shop = Shop::with(
            world,
            json!({
                "revenue_type": "cps", "revenue_fixed": "0", "revenue_percent": "100",
                "payout_type": "cps", "payout_fixed": "0", "payout_percent": "50",
            }),
        );
        shop.operator.changes("namespaces/demo", json!({ "time_zone": "Asia/Tokyo" }));
        Self { shop, sold: vec![], is_lost: false }
    }

    fn counted(&self) -> Uses {
        let number = |row: &Value, name: &str| row[name].as_i64().unwrap();
        let rows = self.shop.rows("SELECT * FROM cap_uses");
        let uses = rows.iter().map(|row| {
            let place =
                (row["affiliate_id"].as_u64().unwrap(), row["day"].as_str().unwrap().to_owned());
            (place, ["conversions", "payout", "revenue"].map(|name| number(row, name)))
        });
        uses.filter(|(_, used)| *used != [0; 3]).collect()
    }

    /// The same, added up from the conversions themselves.
    fn added_up(&self) -> Uses {
        let mut uses = Uses::new();
        for row in self.shop.rows("SELECT status, payout, revenue, caps FROM conversions") {
            let Some(caps) = row["caps"].as_str() else { continue };
            if ["rejected", "refunded"].contains(&row["status"].as_str().unwrap()) {
                continue;
            }
            let places: Vec<(u64, String)> = serde_json::from_str(caps).unwrap();
            for place in places {
                let used = uses.entry(place).or_default();
                used[0] += 1;
                used[1] += row["payout"].as_i64().unwrap();
                used[2] += row["revenue"].as_i64().unwrap();
            }
        }
        uses
    }

    /// The active caps of a mode that bound an affiliate, and are full now.
    fn full(&self, affiliate: u32, mode: &str) -> Vec<Value> {
        let rows = self.shop.rows("SELECT * FROM caps WHERE state = 'active'");
        let uses = self.counted();
        let local = self.shop.world().now().plus_ms(9 * 3_600_000).to_rfc3339();
        let same = |a: &Value, b: &Value| a["what"] == b["what"] && a["period"] == b["period"];
        let own = |row: &Value| row["affiliate_id"] == affiliate;
        let bounds = |row: &&Value| {
            own(row) || row["affiliate_id"] == 0 && !rows.iter().any(|o| own(o) && same(o, row))
        };
        let is_full = |row: &&Value| {
            let begins = match row["period"].as_str().unwrap() {
                "day" => &local[..10],
                "month" => &local[..7],
                _ => "",
            };
            let affiliate = row["affiliate_id"].as_u64().unwrap();
            let days =
                uses.iter().filter(|((of, day), _)| *of == affiliate && day.starts_with(begins));
            let what = WHATS.iter().position(|what| row["what"] == *what).unwrap();
            let limit = row["conversions_limit"].as_i64().or(row["amount_limit"].as_i64()).unwrap();
            days.map(|(_, used)| used[what]).sum::<i64>() >= limit
        };
        let full = rows.iter().filter(|row| row["mode"] == mode).filter(bounds).filter(is_full);
        full.cloned().collect()
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Sale { affiliate, amount, is_rejected } => {
                let rest = if *is_rejected { "&third_party_rejected_reason=x" } else { "" };
                let order = self.sold.len();
                let id = self.shop.clicks(*affiliate);
                let query = format!("click_id={id}&order_id={order}&amount={amount}{rest}");
                let hard = self.full(*affiliate, "hard");
                let soft = self.full(*affiliate, "soft");
                let body = self.sends(&query);
                let expected = match (is_rejected, hard.is_empty(), soft.is_empty()) {
                    (true, ..) => "rejected",
                    (false, false, _) => "capped",
                    (false, true, false) => "pending",
                    (false, true, true) => "approved",
                };
                let found =
                    if body["verdict"] == "recorded" { &body["status"] } else { &body["reason"] };
                assert_eq!(found, expected, "{query}: {body}, hard {hard:?}, soft {soft:?}");
                if body["verdict"] == "recorded" {
                    self.sold.push(query);
                }
            }
            Step::Again(sale) => {
                if let Some(query) = sale.checked_rem(self.sold.len()).map(|i| self.sold[i].clone())
                {
                    assert_eq!(self.sends(&query)["verdict"], "duplicate");
                }
            }
            Step::Change { sale, change } => {
                if let Some(order) = sale.checked_rem(self.sold.len()) {
                    let query = format!("campaign_id=1&order_id={order}&{}", CHANGES[*change]);
                    let body = self.sends(&query);
                    let is_refused = ["invalid_transition", "refund_too_large", "conflict"]
                        .map(Value::from)
                        .contains(&body["reason"]);
                    assert!(body["reason"].is_null() || is_refused, "{query}: {body}");
                }
            }
            Step::Cap { affiliate, what, period, limit, is_soft } => {
                let mut fields = json!({
                    "what": WHATS[*what], "period": PERIODS[*period],
                    "mode": if *is_soft { "soft" } else { "hard" },
                });
                if *affiliate > 0 {
                    fields["affiliate_id"] = json!(affiliate);
                }
                match what {
                    0 => fields["conversions_limit"] = json!(limit),
                    _ => fields["amount_limit"] = json!(format!("{limit}0.00")),
                }
                cap(&self.shop, fields);
            }
            Step::Archive(id) => {
                let archived = Some(json!({ "state": "archived" }));
                let path = format!("caps/{id}");
                self.shop.operator.sends(
                    backtrail::http::request::Method::Patch,
                    &path,
                    archived,
                    "",
                );
                self.shop.world().waits_ms(30_001);
            }
            Step::Lost => self.is_lost = true,
            Step::Wait(hours) => self.shop.world().waits_ms(u64::from(*hours) * 3_600_000),
        }
        self.shop.world().waits_ms(1);
    }

    /// Sends a postback; where its answer is lost, again, as a shop does.
    fn sends(&mut self, query: &str) -> Value {
        let asks = || self.shop.asks(&format!("{query}&token={TOKEN}"));
        let body = |answer| serde_json::from_str::<Value>(text(&answer)).unwrap();
        if !std::mem::take(&mut self.is_lost) {
            return body(asks());
        }
        self.shop.world().database().breaks(Break::AfterCommit, 1);
        let lost = asks();
        self.shop.world().database().mends();
        if lost.status != 503 {
            return body(lost);
        }
        let mut again = body(asks());
        if again["verdict"] == "duplicate" && !self.sold.iter().any(|sold| sold == query) {
            again["verdict"] = "recorded".into();
        }
        again
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_used_is_what_the_conversions_add_up_to(steps in prop::collection::vec(step(), 1..40)) {
        let world = World::new();
        let mut history = History::new(&world);
        for step in &steps {
            history.run(step);
            prop_assert_eq!(history.counted(), history.added_up(), "after {:?}", step);
        }
    }
}

#[test]
fn a_count_that_went_wrong_is_noticed() {
    let sale = Step::Sale { affiliate: 1, amount: 9, is_rejected: false };
    for breaks in [
        "UPDATE cap_uses SET conversions = conversions + 1",
        "UPDATE cap_uses SET payout = payout - 1",
        "DROP TRIGGER caps_follow_changes; UPDATE conversions SET status = 'rejected'",
        "DROP TRIGGER caps_follow_changes; UPDATE conversions SET revenue = 1",
        "DELETE FROM cap_uses",
    ] {
        let world = World::new();
        let mut history = History::new(&world);
        history.run(&Step::Cap { affiliate: 0, what: 0, period: 0, limit: 5, is_soft: false });
        history.run(&sale);
        assert_eq!(history.counted(), history.added_up());
        assert_eq!(history.counted().len(), 1);
        world.database().execute(breaks);
        assert_ne!(history.counted(), history.added_up(), "{breaks}");
    }
}
