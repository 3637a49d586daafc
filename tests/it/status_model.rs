//! Random histories of one sale's statuses and refunds against a small model.
//!
//! **What must hold after every step:** status and money are the model's; money is never below
//! zero; what was refunded and what is left add up to the whole; every change has one line in the
//! audit trail, and each line begins where the one before it ended.

use std::collections::BTreeSet;

use backtrail::http::request::Method::Patch;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::shop::TOKEN;
use crate::support::{Shop, World};

const STATUSES: [&str; 4] = ["pending", "approved", "hold", "rejected"];
/// The sale: amount, revenue and payout in cents.
const WHOLE: [i64; 3] = [1_000, 800, 333];

#[derive(Clone, Debug)]
enum Step {
    /// The sender reports a status.
    Says(usize),
    /// The sender rejects for one of a few reasons.
    Rejects(u8),
    /// Somebody refunds a part in cents, or all; under one of a few names.
    Refunds { by_operator: bool, id: u8, cents: Option<i64> },
    /// An operator sets a status.
    Sets(usize),
    /// The sender's last request comes again.
    Again,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..4usize).prop_map(Step::Says),
        1 => (0..2u8).prop_map(Step::Rejects),
        5 => (any::<bool>(), 0..6u8, prop::option::weighted(0.9, 1..500i64))
            .prop_map(|(by_operator, id, cents)| Step::Refunds { by_operator, id, cents }),
        2 => (0..4usize).prop_map(Step::Sets),
        2 => Just(Step::Again),
    ]
}

/// The sale as it should be.
struct Model {
    status: String,
    reason: Option<String>,
    /// Name, what was asked for, and the cents that were taken.
    refunds: Vec<(u8, Option<i64>, i64)>,
    is_operators: bool,
    heard: BTreeSet<String>,
    changes: u64,
}

impl Model {
    fn left(&self) -> i64 {
        WHOLE[0] - self.refunds.iter().map(|(.., cents)| cents).sum::<i64>()
    }

    /// Revenue or payout: of the amount that is not refunded; a refund of the rest takes nothing
    /// off, because the status says that it does not count.
    fn money(&self, whole: i64) -> i64 {
        let is_all = self.status == "refunded";
        let parts = self.refunds.len() - usize::from(is_all);
        let refunded: i64 = self.refunds[..parts].iter().map(|(.., cents)| cents).sum();
        // Half away from zero, in another way than the code does it.
        let (share, rest) = (whole * refunded / WHOLE[0], whole * refunded % WHOLE[0]);
        whole - share - i64::from(rest * 2 >= WHOLE[0])
    }

    /// Whether a status may be set, which is different from the one now.
    fn allows(&self, to: &str, by_operator: bool) -> bool {
        match (self.status.as_str(), to) {
            ("approved" | "rejected", "pending") | ("rejected", "hold") => by_operator,
            ("refunded", "approved") => by_operator,
            ("refunded", _) => false,
            _ => true,
        }
    }

    /// Expects a status; says whether that is a change, a repeat (`Some(false)`) or refused.
    fn sets(
        &mut self,
        to: &str,
        reason: Option<&str>,
        by: Option<&str>,
        replaces: bool,
    ) -> Option<bool> {
        if self.status == to {
            let is_new = replaces && reason.is_some() && reason != self.reason.as_deref();
            if is_new && !self.is_old(by) {
                self.reason = reason.map(str::to_owned);
                self.changed(by);
                return Some(true);
            }
            return Some(false);
        }
        if !self.allows(to, by.is_none()) {
            return None;
        }
        if self.is_old(by) {
            return Some(false);
        }
        if self.status == "refunded" {
            self.refunds.clear();
        }
        self.status = to.to_owned();
        self.reason = reason.map(str::to_owned);
        self.changed(by);
        Some(true)
    }

    fn refunds(&mut self, id: u8, cents: Option<i64>, by: Option<&str>) -> Option<bool> {
        let mut same = self.refunds.iter().filter(|(name, ..)| *name == id);
        if let Some((_, asked, _)) = same.next() {
            let is_repeat = *asked == cents || cents.is_none() && self.status == "refunded";
            return is_repeat.then_some(false);
        }
        if self.status == "refunded" && cents.is_none() {
            return Some(false);
        }
        if self.status != "approved" || cents.is_some_and(|cents| cents > self.left()) {
            return None;
        }
        if self.is_old(by) {
            return Some(false);
        }
        let taken = cents.unwrap_or(self.left());
        if taken == self.left() {
            self.status = "refunded".to_owned();
        }
        self.refunds.push((id, cents, taken));
        self.changed(by);
        Some(true)
    }

    /// An operator's decision stands against what the sender had said before it.
    fn is_old(&self, by: Option<&str>) -> bool {
        self.is_operators && by.is_some_and(|query| self.heard.contains(query))
    }

    fn changed(&mut self, by: Option<&str>) {
        self.is_operators = by.is_none();
        self.heard.extend(by.map(str::to_owned));
        self.changes += 1;
    }
}

struct History<'w> {
    shop: Shop<'w>,
    path: String,
    model: Model,
    last: Option<(String, Step)>,
}

impl<'w> History<'w> {
    fn new(world: &'w World) -> Self {
        let shop = Shop::with(world, json!({ "payout_fixed": "3.33" }));
        let body = shop.reports(200, &format!("click_id={}&order_id=A&amount=10", shop.clicks(1)));
        let path = format!("conversions/{}", body["conversion_id"].as_str().unwrap());
        let model = Model {
            status: "approved".to_owned(),
            reason: None,
            refunds: vec![],
            is_operators: false,
            heard: BTreeSet::new(),
            changes: 0,
        };
        Self { shop, path, model, last: None }
    }

    fn run(&mut self, step: &Step) {
        let money = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
        match step {
            Step::Says(status) => {
                let query = format!("status={}", STATUSES[*status]);
                let expected = self.model.sets(STATUSES[*status], None, Some(&query), false);
                self.sends(query, step, expected);
            }
            Step::Rejects(reason) => {
                let reason = format!("reason{reason}");
                let query = format!("new_rejected_reason={reason}");
                let expected = self.model.sets("rejected", Some(&reason), Some(&query), true);
                self.sends(query, step, expected);
            }
            Step::Refunds { by_operator: false, id, cents } => {
                let mut query = format!("status=refunded&refund_id=r{id}");
                query.extend(cents.map(|cents| format!("&amount={}", money(cents))));
                let expected = self.model.refunds(*id, *cents, Some(&query));
                self.sends(query, step, expected);
            }
            Step::Refunds { by_operator: true, id, cents } => {
                let mut body = json!({ "status": "refunded", "refund_id": format!("r{id}") });
                if let Some(cents) = cents {
                    body["amount"] = money(*cents).into();
                }
                let expected = self.model.refunds(*id, *cents, None);
                self.patches(body, expected);
            }
            Step::Sets(status) => {
                let expected = self.model.sets(STATUSES[*status], None, None, true);
                self.patches(json!({ "status": STATUSES[*status] }), expected);
            }
            Step::Again => {
                if let Some((_, step)) = self.last.clone() {
                    self.run(&step);
                }
            }
        }
        self.shop.world().waits_ms(1);
    }

    fn sends(&mut self, query: String, step: &Step, expected: Option<bool>) {
        let response = self.shop.asks(&format!("campaign_id=1&order_id=A&{query}&token={TOKEN}"));
        let body: Value = serde_json::from_str(crate::support::shop::text(&response)).unwrap();
        let verdict = match expected {
            Some(true) => "updated",
            Some(false) => "duplicate",
            None => "rejected",
        };
        assert_eq!(body["verdict"], verdict, "{query}: {body}");
        self.last = Some((query, step.clone()));
    }

    fn patches(&self, body: Value, expected: Option<bool>) {
        let response = self.shop.operator.sends(Patch, &self.path, Some(body.clone()), "");
        assert_eq!(response.status == 200, expected.is_some(), "{body}: {response:?}");
    }

    fn holds(&self) -> Result<(), String> {
        let row = self.shop.rows("SELECT * FROM conversions").remove(0);
        let minor = |name: &str| row[name].as_i64().unwrap();
        let model = &self.model;
        let expected = (model.status.as_str(), model.money(WHOLE[1]), model.money(WHOLE[2]));
        let stored = (row["status"].as_str().unwrap(), minor("revenue"), minor("payout"));
        if stored != expected {
            return Err(format!("stored {stored:?}, expected {expected:?}"));
        }
        if stored.1 < 0 || stored.2 < 0 {
            return Err(format!("below zero: {stored:?}"));
        }
        if let Some(text) = row["refunds"].as_str() {
            let refunds: Value = serde_json::from_str(text).unwrap();
            let parts = refunds["parts"].as_array().unwrap();
            let sum =
                |name: &str| parts.iter().map(|part| part[name].as_i64().unwrap()).sum::<i64>();
            let rest = |now: i64| if model.status == "refunded" { 0 } else { now };
            let sums = (sum("revenue") + rest(stored.1), sum("payout") + rest(stored.2));
            if sums != (WHOLE[1], WHOLE[2]) {
                return Err(format!("the parts and what is left are {sums:?}"));
            }
        }
        let lines = self.shop.rows("SELECT * FROM changes ORDER BY revision");
        if lines.len() as u64 != model.changes || minor("revision") != lines.len() as i64 + 1 {
            return Err(format!("{} lines for {} changes", lines.len(), model.changes));
        }
        if lines.windows(2).any(|pair| pair[0]["after"] != pair[1]["before"]) {
            return Err("the audit trail has a gap".to_owned());
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_changed_status_and_money_are_the_models(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let world = World::new();
        let mut history = History::new(&world);
        for step in &steps {
            history.run(step);
            if let Err(broken) = history.holds() {
                prop_assert!(false, "after {step:?}: {broken}");
            }
        }
    }
}

#[test]
fn the_models_invariants_can_be_broken() {
    let world = World::new();
    let mut history = History::new(&world);
    for id in 0..2 {
        history.run(&Step::Refunds { by_operator: false, id, cents: Some(300) });
    }
    assert_eq!(history.holds(), Ok(()));
    for (breaks, complaint) in [
        ("UPDATE conversions SET revenue = revenue + 1", "stored"),
        (
            "UPDATE conversions SET revenue = revenue - 1, refunds = replace(refunds, '240', '241')",
            "the parts",
        ),
        (
            "UPDATE conversions SET refunds = NULL; UPDATE changes SET before = '{}' WHERE revision = 3",
            "gap",
        ),
        ("DELETE FROM changes WHERE revision = 2", "lines"),
    ] {
        world.database().execute(breaks);
        let told = history.holds().unwrap_err();
        assert!(told.contains(complaint), "{breaks}: {told}");
    }
}
