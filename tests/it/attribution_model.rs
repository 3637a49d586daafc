//! Random histories of sales by click, coupon and customer: repeats in any form, a ledger that fails
//! before or after the commit, and an operator who archives coupons, re-assigns customers and
//! reorders the claims meanwhile.
//!
//! **What must hold after every step and every history:**
//! 1. An order counts at most once, a click as well, and what has no click has an order.
//! 2. What was acknowledged is there, exactly once, with the affiliate and payout that it named.
//! 3. Nobody but the operator moves a customer from one affiliate to another.
//! 4. A lifetime payout went to whom the customer belonged.
//! 5. Each conversion is credited by a link of its affiliate, and whose it is was written once.

use std::collections::BTreeMap;

use backtrail::app::ports::{Commit, Ledger as _};
use backtrail::domain::conversion::{Conversion, Customership};
use backtrail::domain::judgement::{Assumptions, Question};
use backtrail::domain::namespace::Namespace;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::shop::TOKEN;
use crate::support::{Shop, World, block_on};

#[derive(Clone, Debug)]
enum Step {
    /// A sale: by a click of affiliate 1 or 2, by a coupon, by a customer, or by several.
    Sale {
        click: Option<usize>,
        coupon: Option<u8>,
        customer: Option<u8>,
        order: Option<u8>,
        new: bool,
        skip: bool,
    },
    /// The last sale comes again.
    Again,
    /// The next batches of the ledger fail.
    Fault { is_after: bool, well: u8 },
    /// The coupon is archived, or active again.
    Coupon(bool),
    /// The operator gives a customer to somebody else, or to nobody.
    Assign { customer: u8, affiliate: Option<u32> },
    /// The claims stand in another order.
    Order(u8),
    /// Time passes, in seconds.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let sale = (
        prop::option::of(0..4usize),
        prop::option::weighted(0.4, 0..2u8),
        prop::option::weighted(0.7, 0..2u8),
        prop::option::weighted(0.8, 0..5u8),
        any::<bool>(),
        prop::bool::weighted(0.1),
    );
    prop_oneof![
        12 => sale.prop_map(|(click, coupon, customer, order, new, skip)| Step::Sale {
            click, coupon, customer, order, new, skip
        }),
        4 => Just(Step::Again),
        3 => (any::<bool>(), 0..3u8).prop_map(|(is_after, well)| Step::Fault { is_after, well }),
        1 => any::<bool>().prop_map(Step::Coupon),
        2 => (0..2u8, prop::option::of(1..3u32))
            .prop_map(|(customer, affiliate)| Step::Assign { customer, affiliate }),
        1 => (0..4u8).prop_map(Step::Order),
        2 => (0..40u64).prop_map(Step::Wait),
    ]
}

struct History<'w> {
    shop: Shop<'w>,
    clicks: Vec<String>,
    last: Option<String>,
    acknowledged: BTreeMap<String, Value>,
}

impl<'w> History<'w> {
    fn new(world: &'w World) -> Self {
        let shop = Shop::open(world);
        let rule = json!({ "campaign_id": 1, "is_lifetime": true, "payout_fixed": "2.00" });
        shop.operator.creates("payouts", rule);
        let coupon = json!({ "campaign_id": 1, "affiliate_id": 2, "code": "C0" });
        shop.operator.creates("coupons", coupon);
        world.waits_ms(30_001);
        let clicks = (0..4).map(|n| shop.clicks(1 + n % 2)).collect();
        Self { shop, clicks, last: None, acknowledged: BTreeMap::new() }
    }

    /// Who belongs to whom.
    fn owners(&self) -> BTreeMap<String, u64> {
        let rows = self.shop.rows("SELECT customer_id, affiliate_id FROM customers");
        let pair = |row: &Value| {
            (row["customer_id"].as_str().unwrap().to_owned(), row["affiliate_id"].as_u64().unwrap())
        };
        rows.iter().map(pair).collect()
    }

    fn run(&mut self, step: &Step) -> Result<(), String> {
        let before = self.owners();
        let database = self.shop.world().database();
        match step {
            Step::Sale { click, coupon, customer, order, new, skip } => {
                let click = click.map(|n| format!("click_id={}", self.clicks[n]));
                let parts = [
                    click,
                    coupon.map(|n| format!("coupon=c{n}")),
                    customer.map(|n| format!("customer_id=K{n}")),
                    order.map(|n| format!("order_id=O{n}")),
                    new.then(|| "new_customer=true".to_owned()),
                    skip.then(|| "skip_lifetime=true".to_owned()),
                ];
                let parts: Vec<String> = parts.into_iter().flatten().collect();
                self.sends(format!("campaign_id=1&{}", parts.join("&")))?;
            }
            Step::Again => {
                if let Some(query) = self.last.clone() {
                    self.sends(query)?;
                }
            }
            Step::Fault { is_after, well } => {
                let how = if *is_after { Break::AfterCommit } else { Break::BeforeCommit };
                database.breaks_after(how, usize::from(*well));
            }
            Step::Coupon(is_active) => {
                database.mends();
                let state = if *is_active { "active" } else { "archived" };
                self.shop.operator.changes("coupons/1", json!({ "state": state }));
            }
            Step::Assign { customer, affiliate } => {
                database.mends();
                let found = self.shop.operator.lists(&format!("customers?customer_id=K{customer}"));
                if let Some(found) = found.first() {
                    let path = format!("customers/{}", found["id"]);
                    self.shop.operator.changes(&path, json!({ "affiliate_id": affiliate }));
                }
                return Ok(());
            }
            Step::Order(number) => {
                database.mends();
                let orders = [
                    ["click_id", "coupon", "customer_id"],
                    ["coupon", "click_id", "customer_id"],
                    ["customer_id", "coupon", "click_id"],
                    ["customer_id", "click_id", "coupon"],
                ];
                let order = orders[usize::from(*number)];
                self.shop.operator.changes("campaigns/1", json!({ "attribution_order": order }));
            }
            Step::Wait(seconds) => self.shop.world().waits_ms(seconds * 1_000),
        }
        let after = self.owners();
        match before.iter().find(|(id, owner)| **owner != 0 && after.get(*id) != Some(*owner)) {
            Some((id, owner)) => Err(format!("{id} was taken from {owner}: {after:?}")),
            None => Ok(()),
        }
    }

    /// Sends a sale until there is an answer, as shops do.
    fn sends(&mut self, query: String) -> Result<(), String> {
        self.last = Some(query.clone());
        for _ in 0..5 {
            let owners = self.owners();
            let response = self.shop.asks(&format!("{query}&token={TOKEN}"));
            if response.status == 503 {
                continue;
            }
            if response.status != 200 {
                return Ok(());
            }
            let body = crate::support::world::json_of(&response, 200);
            let id = body["conversion_id"].as_str().unwrap().to_owned();
            let told = json!([body["affiliate_id"], body["payout"]]);
            if let Some(first) = self.acknowledged.insert(id, told.clone())
                && first != told
            {
                return Err(format!("{query}: told {first}, then {told}"));
            }
            let is_lifetime = body["payout"]["amount"] == "2.00" && body["verdict"] == "recorded";
            let customer = query.split('&').find_map(|pair| pair.strip_prefix("customer_id="));
            if is_lifetime
                && self.owners().get(customer.unwrap_or_default())
                    != body["affiliate_id"].as_u64().as_ref()
            {
                return Err(format!("{query}: paid for life to {told}, owned by {owners:?}"));
            }
            return Ok(());
        }
        Ok(())
    }

    fn holds(&self) -> Result<(), String> {
        for (sql, complaint) in [
            (
                "SELECT order_id FROM conversions WHERE order_id IS NOT NULL GROUP BY order_id HAVING COUNT(*) > 1",
                "an order counts twice",
            ),
            (
                "SELECT click_id FROM conversions WHERE click_id IS NOT NULL GROUP BY click_id HAVING COUNT(*) > 1",
                "a click counts twice",
            ),
            (
                "SELECT conversion_id FROM conversions WHERE click_id IS NULL AND order_id IS NULL",
                "nothing tells a repeat",
            ),
            (
                "SELECT c.conversion_id FROM conversions AS c LEFT JOIN links AS l ON l.id = c.ref_id \
              WHERE l.affiliate_id IS NOT c.affiliate_id",
                "credited by a link of somebody else",
            ),
            (
                "SELECT k.conversion_id FROM conversion_customers AS k LEFT JOIN conversions AS c USING (conversion_id) \
              WHERE c.conversion_id IS NULL",
                "whose is what is not there",
            ),
            (
                "SELECT conversion_id FROM conversion_customers GROUP BY conversion_id HAVING COUNT(*) > 1",
                "two customers of one sale",
            ),
            (
                "SELECT c.conversion_id FROM conversions AS c JOIN inbox AS i ON i.request_id = c.request_id \
              WHERE i.parameters ->> 'customer_id' IS NOT (SELECT k.customer_id FROM conversion_customers AS k \
              WHERE k.conversion_id = c.conversion_id)",
                "another customer than was sent",
            ),
        ] {
            let rows = self.shop.rows(sql);
            if !rows.is_empty() {
                return Err(format!("{complaint}: {rows:?}"));
            }
        }
        for (id, told) in &self.acknowledged {
            let rows = self.shop.rows(&format!(
                "SELECT affiliate_id, first_payout FROM conversions WHERE conversion_id = '{id}'"
            ));
            let cents =
                told[1]["amount"].as_str().unwrap().replace('.', "").parse::<u64>().unwrap();
            if rows != [json!({ "affiliate_id": told[0], "first_payout": cents })] {
                return Err(format!("told {told}, and there is {rows:?}"));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_is_credited_a_sale_counts_once_and_a_customer_stays(
        steps in prop::collection::vec(step(), 1..50),
    ) {
        let world = World::new();
        let mut history = History::new(&world);
        for step in &steps {
            let went = history.run(step);
            prop_assert_eq!(went, Ok(()));
        }
        world.database().mends();
        prop_assert_eq!(history.holds(), Ok(()));
    }
}

#[test]
fn the_model_notices_what_must_not_be() {
    let world = World::new();
    let mut history = History::new(&world);
    let sale = |click, order| Step::Sale {
        click: Some(click),
        coupon: None,
        customer: Some(0),
        order: Some(order),
        new: true,
        skip: false,
    };
    for step in [sale(0, 1), sale(1, 2), Step::Again] {
        assert_eq!(history.run(&step), Ok(()));
    }
    assert_eq!((history.holds(), history.acknowledged.len()), (Ok(()), 2));
    for (breaks, complaint) in [
        ("UPDATE conversions SET affiliate_id = 3 - affiliate_id", "a link of somebody else"),
        ("UPDATE conversions SET affiliate_id = 3 - affiliate_id, first_payout = 1", "there is"),
        ("UPDATE conversion_customers SET customer_id = 'L'", "another customer"),
        ("UPDATE conversions SET click_id = 'x'", "a click counts twice"),
        ("UPDATE conversions SET click_id = NULL, order_id = NULL", "nothing tells a repeat"),
        ("DELETE FROM conversions", "what is not there"),
    ] {
        world.database().execute(breaks);
        let told = history.holds().unwrap_err();
        assert!(told.contains(complaint), "{breaks}: {told}");
    }
}

#[test]
fn a_commit_that_is_repeated_takes_no_customer_back_from_the_operator() {
    let world = World::new();
    let mut history = History::new(&world);
    let (coupon, customer) = (None, Some(0));
    let sale = Step::Sale { click: Some(1), coupon, customer, order: None, new: true, skip: false };
    assert_eq!(history.run(&sale), Ok(()));
    let (shop, demo) = (&history.shop, Namespace::parse("demo").unwrap());
    assert_eq!(shop.operator.sees("customers/1")["affiliate_id"], 2);
    shop.operator.changes("customers/1", json!({ "affiliate_id": 1 }));

    let id = history.acknowledged.keys().next().unwrap();
    let question = Question { conversion_id: Some(id.clone()), ..Question::default() };
    let stores = &shop.edge.stores;
    let known = block_on(stores.facts(&demo, &question)).unwrap().by_key.unwrap();
    let customer =
        Customership { customer_id: "K0".to_owned(), seen_ref_id: Some(0), is_link_made: true };
    let again = Conversion { customer: Some(customer), ..known };
    let entry = block_on(stores.inbox_entry(&demo, &again.request_id)).unwrap().unwrap();
    let assumed = Assumptions {
        question,
        is_one_per_click: false,
        initial: None,
        is_doubtful: false,
        caps: Default::default(),
    };
    let commit = block_on(stores.commit(&demo, &again, &assumed, &[], &entry)).unwrap();
    assert!(matches!(commit, Commit::Done), "{commit:?}");
    assert_eq!(shop.operator.sees("customers/1")["affiliate_id"], 1);
    assert_eq!((shop.count("customers"), shop.count("conversion_customers")), (1, 1));
}
