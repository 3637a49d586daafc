//! Random histories against a small model (design.md 9): clicks, postbacks in any order and any
//! number, edits, stores that fail before or after the commit, isolates that restart, refused
//! requests judged again. A sender that is told 503 sends again, as real ones do.
//!
//! **What must hold after every history:**
//! 1. An order counts at most once, and so does a click while its campaign counts one per click.
//! 2. Whatever was acknowledged with 2xx is in the ledger, exactly once, with the money it named.
//! 3. A repeat gets the first body, but for verdict, request_id and current_status.
//! 4. A conversion is credited to the affiliate of its click's link.
//! 5. Every conversion has the inbox row of the request that made it.
//! 6. No event counts without an initial conversion of its click, however they were reordered.

use std::collections::{BTreeMap, BTreeSet};

use backtrail::app::ports::Ledger as _;
use backtrail::domain::namespace::Namespace;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::shop::{TOKEN, server};
use crate::support::world::ROOT_KEY;
use crate::support::{Edge, Shop, World, block_on};
use backtrail::http::request::{Headers, Method};

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody follows the link of this affiliate (1 or 2).
    Click(u32),
    /// A postback for one of the clicks so far, with one of a few orders or none, and an amount.
    Post { click: usize, order: Option<u8>, amount: Option<u8>, is_form: bool },
    /// An event of one of the clicks so far, before or after its conversion; by its click, or by
    /// its initial conversion's order.
    Event { click: usize, order: Option<u8>, is_by_parent: bool },
    /// The event counts otherwise from now on.
    Repeat(u8),
    /// The last postback comes again, word for word.
    Again,
    /// A postback that names only an order.
    Order(u8),
    /// The campaign counts per order from now on, or per click.
    Mode(bool),
    /// The campaign is paused, archived, or active.
    State(u8),
    /// The campaign pays so much from now on.
    Payout(u8),
    /// Other money updates from now on, or conflicts.
    Updates(bool),
    /// The next batches of the ledger fail, before or after they are written.
    Fault { is_after: bool, well: u8 },
    /// KV fails until it is switched back.
    Copies(bool),
    /// The isolate is replaced by a new one.
    Restart,
    /// What is to be done behind replies is done.
    Settle,
    /// Time passes, in hours; the window is two days.
    Wait(u8),
    /// The last refused request is judged again.
    Judge,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..=2u32).prop_map(Step::Click),
        10 => (0..6usize, prop::option::of(0..4u8), prop::option::of(1..4u8), any::<bool>())
            .prop_map(|(click, order, amount, is_form)| Step::Post { click, order, amount, is_form }),
        5 => (0..6usize, prop::option::of(0..4u8), prop::bool::weighted(0.2))
            .prop_map(|(click, order, is_by_parent)| Step::Event { click, order, is_by_parent }),
        1 => (0..3u8).prop_map(Step::Repeat),
        4 => Just(Step::Again),
        1 => (0..4u8).prop_map(Step::Order),
        1 => any::<bool>().prop_map(Step::Mode),
        1 => (0..4u8).prop_map(Step::State),
        1 => (0..4u8).prop_map(Step::Payout),
        1 => any::<bool>().prop_map(Step::Updates),
        3 => (any::<bool>(), 0..3u8).prop_map(|(is_after, well)| Step::Fault { is_after, well }),
        1 => any::<bool>().prop_map(Step::Copies),
        1 => Just(Step::Restart),
        1 => Just(Step::Settle),
        1 => (0..30u8).prop_map(Step::Wait),
        1 => Just(Step::Judge),
    ]
}

/// What the model remembers.
#[derive(Default)]
struct Model {
    /// Every click and the affiliate whose link it was.
    clicks: Vec<(String, u32)>,
    /// The first acknowledged body of each conversion, as it may be compared.
    acknowledged: BTreeMap<String, Value>,
    /// What was sent last, and whether as a form.
    last_query: Option<(String, bool)>,
}

struct History<'w> {
    shop: Shop<'w>,
    model: Model,
}

impl<'w> History<'w> {
    fn new(world: &'w World) -> Self {
        let shop = Shop::with(world, json!({ "window_days": 2, "payout_percent": "10" }));
        let event = json!({ "campaign_id": 1, "name": "renewal", "payout_fixed": "2.00" });
        shop.operator.creates("events", event);
        Self { shop, model: Model::default() }
    }

    fn world(&self) -> &'w World {
        self.shop.world()
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Click(link) => {
                let response = self.shop.visits(&format!("/click?ref_id={link}"));
                // A campaign that is not active takes no clicks; without its stores nobody knows.
                if response.status == 302 {
                    let id = crate::support::shop::id_in(response.header("location").unwrap());
                    self.model.clicks.push((id, *link));
                }
            }
            Step::Post { click, order, amount, is_form } => {
                if self.model.clicks.is_empty() {
                    return;
                }
                let (id, _) = &self.model.clicks[click % self.model.clicks.len()];
                let mut query = format!("click_id={id}");
                query.extend(order.map(|order| format!("&order_id=O{order}")));
                query.extend(amount.map(|amount| format!("&amount={amount}.005")));
                self.posts(query, *is_form);
            }
            Step::Event { click, order, is_by_parent } => {
                if self.model.clicks.is_empty() {
                    return;
                }
                let (id, _) = &self.model.clicks[click % self.model.clicks.len()];
                let mut query = match is_by_parent {
                    true => format!("campaign_id=1&parent_order_id=O{}", click % 4),
                    false => format!("click_id={id}"),
                };
                query.push_str("&event_name=renewal");
                query.extend(order.map(|order| format!("&order_id=O{order}")));
                self.posts(query, false);
            }
            Step::Repeat(repeat) => {
                let repeat = ["once", "per_order", "every_request"][usize::from(*repeat)];
                self.edits("events/1", json!({ "repeat": repeat }));
            }
            Step::Again => {
                if let Some((query, is_form)) = self.model.last_query.clone() {
                    self.posts(query, !is_form);
                }
            }
            Step::Order(order) => self.posts(format!("campaign_id=1&order_id=O{order}"), false),
            Step::Mode(per_order) => {
                let mode = if *per_order { "per_order" } else { "one" };
                self.edits("campaigns/1", json!({ "conversions_per_click": mode }));
            }
            Step::State(state) => {
                let state = ["active", "active", "paused", "archived"][usize::from(*state)];
                self.edits("campaigns/1", json!({ "state": state }));
            }
            Step::Payout(payout) => {
                self.edits("campaigns/1", json!({ "payout_fixed": format!("{payout}.50") }))
            }
            Step::Updates(updates) => {
                self.edits("campaigns/1", json!({ "is_conflict_updated": updates }))
            }
            Step::Fault { is_after, well } => {
                let how = if *is_after { Break::AfterCommit } else { Break::BeforeCommit };
                self.world().database().breaks_after(how, usize::from(*well));
            }
            Step::Copies(true) => self.world().stores.blobs.breaks(),
            Step::Copies(false) => self.world().stores.blobs.mends(),
            Step::Restart => self.shop.edge = Edge::of(self.world()),
            Step::Settle => self.shop.edge.settles(),
            Step::Wait(hours) => self.world().waits_ms(u64::from(*hours) * 3_600_000),
            Step::Judge => self.judges_again(),
        }
        self.world().waits_ms(1);
    }

    /// An edit through the isolate that answers, until it is acknowledged. It is not undone if it
    /// was lost: the ledger decides, and the model does not depend on the settings.
    fn edits(&self, path: &str, changes: Value) {
        let authorization = format!("Bearer {ROOT_KEY}");
        let headers = Headers {
            authorization: &authorization,
            content_type: "application/json",
            namespace: "demo",
            ..Headers::default()
        };
        for _ in 0..4 {
            let body = changes.to_string();
            let address = format!("example.com/api/v1/{path}");
            let response =
                self.shop.edge.answers(Method::Patch, &address, headers, body.as_bytes());
            if response.status == 200 {
                return;
            }
            assert_eq!(response.status, 503, "{response:?}");
        }
        panic!("an edit was not taken");
    }

    /// Sends a postback until it is answered with something else than 503.
    fn posts(&mut self, query: String, is_form: bool) {
        for _ in 0..6 {
            let query = format!("{query}&token={TOKEN}");
            let response = if is_form {
                self.shop.posts("/postback", "application/x-www-form-urlencoded", query.as_bytes())
            } else {
                self.shop.asks_with(server(), &query)
            };
            let body: Value = serde_json::from_str(crate::support::shop::text(&response)).unwrap();
            match response.status {
                503 => assert_eq!(body["reason"], "storage_unavailable"),
                200 => {
                    self.acknowledged(body);
                    break;
                }
                _ => {
                    assert_eq!(body["verdict"], "rejected", "{body}");
                    break;
                }
            }
            self.world().waits_ms(1);
        }
        self.model.last_query = Some((query, is_form));
    }

    fn acknowledged(&mut self, mut body: Value) {
        let verdict = body["verdict"].as_str().unwrap().to_owned();
        for name in ["verdict", "request_id", "current_status"] {
            body.as_object_mut().unwrap().remove(name);
        }
        let conversion_id = body["conversion_id"].as_str().unwrap().to_owned();
        let known = self.model.acknowledged.get(&conversion_id);
        match (verdict.as_str(), known) {
            ("recorded", None) => {
                self.model.acknowledged.insert(conversion_id, body);
            }
            ("recorded", Some(first)) => panic!("recorded twice: {first} {body}"),
            ("duplicate", Some(first)) => assert_eq!(*first, body, "a repeat has the first body"),
            // The answer of the first was lost, or it was judged again behind the sender's back.
            ("duplicate", None) => {
                self.model.acknowledged.insert(conversion_id, body);
            }
            // Its own money is named, not the first's.
            ("updated", _) => {}
            other => panic!("{other:?}"),
        }
    }

    fn judges_again(&self) {
        let refused = self.shop.rows("SELECT request_id FROM inbox WHERE verdict = 'rejected' ORDER BY request_id DESC LIMIT 1");
        let Some(request_id) =
            refused.first().map(|row| row["request_id"].as_str().unwrap().to_owned())
        else {
            return;
        };
        let demo = Namespace::parse("demo").unwrap();
        let stores = &self.shop.edge.stores;
        let Ok(Some(entry)) = block_on(stores.inbox_entry(&demo, &request_id)) else { return };
        let random = || self.shop.edge.draws();
        let moment = backtrail::app::settings::Moment { now: self.world().now(), random: &random };
        let memory = &self.shop.edge.isolate.memory;
        let _ = block_on(backtrail::app::judge::again(stores, memory, &moment, &demo, &entry));
    }

    /// The invariants of the module's doc.
    fn holds(&self) -> Result<(), String> {
        let rows = self.shop.rows("SELECT * FROM conversions");
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let mut orders = BTreeSet::new();
        for row in &rows {
            let order = text(row, "order_id");
            let event = row["event_id"].as_u64().unwrap();
            if !order.is_empty() && !orders.insert((event, order.clone())) {
                return Err(format!("order {order} counts twice"));
            }
            let click = self.model.clicks.iter().find(|(id, _)| *id == text(row, "click_id"));
            let Some((_, affiliate)) = click else {
                return Err(format!("whose click is it? {row}"));
            };
            if row["affiliate_id"] != *affiliate || row["ref_id"] != *affiliate {
                return Err(format!("credited to another affiliate: {row}"));
            }
            let is_initial =
                |other: &&Value| other["event_id"] == 0 && other["click_id"] == row["click_id"];
            if !rows.iter().any(|other| is_initial(&other)) {
                return Err(format!("an event without its conversion: {row}"));
            }
            let request_id = text(row, "request_id");
            let inbox = self.shop.rows(&format!(
                "SELECT verdict FROM inbox WHERE request_id = '{request_id}' AND conversion_id = '{}'",
                text(row, "conversion_id")
            ));
            if inbox != [json!({ "verdict": "recorded" })] {
                return Err(format!("no inbox row: {row} {inbox:?}"));
            }
        }
        for (conversion_id, body) in &self.model.acknowledged {
            let found: Vec<&Value> =
                rows.iter().filter(|row| text(row, "conversion_id") == *conversion_id).collect();
            let [row] = found[..] else {
                return Err(format!("acknowledged, and {} times there: {body}", found.len()));
            };
            let minor = |name: &str| {
                body[name]["amount"].as_str().unwrap().replace('.', "").parse::<u64>().unwrap()
            };
            if row["first_payout"] != minor("payout") || row["first_revenue"] != minor("revenue") {
                return Err(format!("other money: {body} {row}"));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_conversion_counts_once_and_is_never_lost(
        per_order in any::<bool>(),
        steps in prop::collection::vec(step(), 1..45),
    ) {
        let world = World::new();
        let mut history = History::new(&world);
        if per_order {
            history.run(&Step::Mode(true));
        }
        for step in &steps {
            history.run(step);
        }
        world.database().mends();
        world.stores.blobs.mends();
        if let Err(broken) = history.holds() {
            prop_assert!(false, "{broken}");
        }
    }

    #[test]
    fn while_a_campaign_counts_one_per_click_no_click_counts_twice(
        steps in prop::collection::vec(step(), 1..45),
    ) {
        let world = World::new();
        let mut history = History::new(&world);
        for step in steps.iter().filter(|step| !matches!(step, Step::Mode(_) | Step::Repeat(_))) {
            history.run(step);
        }
        let twice = history.shop.rows("SELECT click_id FROM conversions GROUP BY click_id, event_id HAVING COUNT(*) > 1");
        prop_assert_eq!(twice, Vec::<Value>::new());
        prop_assert!(history.holds().is_ok());
    }
}

#[test]
fn the_invariants_can_be_broken() {
    let world = World::new();
    let mut history = History::new(&world);
    for step in [
        Step::Click(1),
        Step::Click(2),
        Step::Post { click: 0, order: Some(1), amount: Some(2), is_form: false },
        Step::Again,
        Step::Event { click: 0, order: None, is_by_parent: false },
    ] {
        history.run(&step);
    }
    assert_eq!((history.holds(), history.model.acknowledged.len()), (Ok(()), 2));
    for (breaks, complaint) in [
        ("UPDATE conversions SET affiliate_id = 2", "another affiliate"),
        ("UPDATE conversions SET affiliate_id = 1, first_payout = 1", "other money"),
        ("UPDATE inbox SET verdict = 'duplicate'", "no inbox row"),
        ("DELETE FROM conversions WHERE event_id = 0", "without its conversion"),
        ("DELETE FROM conversions", "0 times there"),
    ] {
        world.database().execute(breaks);
        let told = history.holds().unwrap_err();
        assert!(told.contains(complaint), "{breaks}: {told}");
    }
}
