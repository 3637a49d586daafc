//! Random histories of conversions and their statuses, with stores that fail before or after the
//! commit, isolates that restart, requests that race each other, and refused ones judged again.
//!
//! **What must hold:** every conversion that is recorded, and every status that it has had since,
//! has exactly the deliveries that the connectors ask for, each once: no more, no fewer. What they
//! ask for is reckoned here anew, from the ledger's conversions and its audit trail.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use backtrail::app::settings::Moment;
use backtrail::http::request::{Headers, Method, Request};
use backtrail::http::{self, App, Isolate};
use backtrail::store::{Database, DatabaseFault, Row, Statement, Stores};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::outbox::{connects, open_to_pages};
use crate::support::database::Break;
use crate::support::shop::{TOKEN, person, server};
use crate::support::{Edge, Shop, SqliteDatabase, World, block_on};
use crate::test_clicks::tries;

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody follows the link of affiliate 1 or 2.
    Click(u32),
    /// An operator tries the link of affiliate 1.
    Try,
    /// A postback: of which click, with which order and status.
    Post { click: usize, order: Option<u8>, status: Option<usize> },
    /// The same twice at the same instant: both find nothing recorded.
    Race { click: usize, order: u8 },
    /// A page reports a sale.
    Collect { click: usize },
    /// An event of a click.
    Event { click: usize },
    /// Everything of a click is rejected.
    Reject { click: usize },
    /// An operator changes the statuses of everything that is recorded.
    Change { status: usize },
    /// The campaign is archived, or active again.
    Archive(bool),
    /// The last refused request is judged again, by two isolates.
    Judge,
    /// One of the next batches of the ledger fails.
    Fault { is_after: bool, well: u8 },
    /// KV fails from now on, or works.
    Copies(bool),
    /// The isolate is replaced by a new one.
    Restart,
    /// Time passes, in seconds.
    Wait(u64),
}

const STATUSES: [&str; 5] = ["pending", "approved", "hold", "rejected", "refunded"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..=2u32).prop_map(Step::Click),
        1 => Just(Step::Try),
        10 => (0..5usize, prop::option::of(0..4u8), prop::option::of(0..5usize))
            .prop_map(|(click, order, status)| Step::Post { click, order, status }),
        3 => (0..5usize, 0..4u8).prop_map(|(click, order)| Step::Race { click, order }),
        2 => (0..5usize).prop_map(|click| Step::Collect { click }),
        3 => (0..5usize).prop_map(|click| Step::Event { click }),
        2 => (0..5usize).prop_map(|click| Step::Reject { click }),
        2 => (0..5usize).prop_map(|status| Step::Change { status }),
        1 => any::<bool>().prop_map(Step::Archive),
        2 => Just(Step::Judge),
        4 => (any::<bool>(), 0..4u8).prop_map(|(is_after, well)| Step::Fault { is_after, well }),
        1 => any::<bool>().prop_map(Step::Copies),
        1 => Just(Step::Restart),
        2 => (0..60u64).prop_map(Step::Wait),
    ]
}

/// A connector as the model knows it.
struct Known {
    id: u32,
    columns: &'static str,
    events: &'static [&'static str],
    statuses: &'static [&'static str],
    affiliate: Option<u32>,
    is_test: bool,
    is_dead: bool,
    kinds: &'static [&'static str],
}

const PLAIN: Known = Known {
    id: 1,
    columns: "",
    events: &["Purchase"],
    statuses: &[],
    affiliate: None,
    is_test: false,
    is_dead: false,
    kinds: &["webhook"],
};

const CONNECTORS: [Known; 7] = [
    PLAIN,
    Known {
        id: 2,
        columns: "statuses = '[\"approved\",\"refunded\"]'",
        events: &["Purchase", "renewal"],
        statuses: &["approved", "refunded"],
        ..PLAIN
    },
    Known {
        id: 3,
        columns: "mode = 'test', statuses = '[\"pending\",\"rejected\"]'",
        statuses: &["pending", "rejected"],
        is_test: true,
        ..PLAIN
    },
    Known {
        id: 4,
        columns: "affiliate_id = 2",
        events: &["Purchase", "renewal"],
        affiliate: Some(2),
        ..PLAIN
    },
    Known {
        id: 5,
        columns: "affiliate_id = 1, statuses = '[\"rejected\"]', pixel = '{}', is_pixel_on = 1",
        statuses: &["rejected"],
        affiliate: Some(1),
        kinds: &["webhook", "pixel"],
        ..PLAIN
    },
    Known { id: 6, columns: "campaign_id = 2", is_dead: true, ..PLAIN },
    Known { id: 7, columns: "mode = 'disabled'", is_dead: true, ..PLAIN },
];

struct History<'w> {
    shop: Shop<'w>,
    clicks: Vec<String>,
    /// Whether the guard of the commit is left out, as a control.
    is_unguarded: bool,
}

impl<'w> History<'w> {
    fn new(world: &'w World) -> Self {
        let shop = open_to_pages(world, json!({ "Purchase": "initial" }));
        let mode = json!({ "default_status": "pending", "conversions_per_click": "per_order" });
        shop.operator.changes("campaigns/1", mode);
        shop.operator.creates("events", json!({ "campaign_id": 1, "name": "renewal" }));
        for known in &CONNECTORS {
            connects(&shop, known.id, json!(known.events), known.columns);
        }
        world.waits_ms(30_001);
        Self { shop, clicks: Vec::new(), is_unguarded: false }
    }

    fn world(&self) -> &'w World {
        self.shop.world()
    }

    fn click(&self, click: usize) -> Option<&str> {
        let place = click.checked_rem(self.clicks.len())?;
        Some(&self.clicks[place])
    }

    fn run(&mut self, step: &Step) {
        let database = self.world().database();
        match step {
            Step::Click(link) => {
                let response = self.shop.visits(&format!("/click?ref_id={link}"));
                if response.status == 302 {
                    let location = response.header("location").unwrap();
                    self.clicks.push(crate::support::shop::id_in(location));
                }
            }
            // Its address comes from the API, which fails where the ledger does.
            Step::Try => {
                database.mends();
                self.world().stores.blobs.mends();
                self.shop.operator.changes("campaigns/1", json!({ "state": "active" }));
                self.shop.edge = Edge::of(self.world());
                self.clicks.push(tries(&self.shop, 1));
            }
            Step::Post { click, order, status } => {
                let Some(id) = self.click(*click) else { return };
                let mut query = format!("click_id={id}");
                query.extend(order.map(|order| format!("&order_id=O{order}")));
                query.extend(status.map(|status| format!("&status={}", STATUSES[status])));
                self.posts(&query);
            }
            Step::Race { click, order } => {
                let Some(id) = self.click(*click) else { return };
                let query = format!("click_id={id}&order_id=O{order}");
                self.races(&query, || {
                    self.world().waits_ms(1);
                    self.posts(&query);
                });
            }
            Step::Collect { click } => {
                let Some(id) = self.click(*click) else { return };
                let data = json!({ "eventId": format!("C{click}"), "value": 5 });
                let body = json!({ "event": "Purchase", "click_id": id, "data": data }).to_string();
                let headers = Headers { origin: "https://shop.example", ..person() };
                let address = format!("{}/collect", self.shop.host);
                self.shop.edge.answers(Method::Post, &address, headers, body.as_bytes());
            }
            Step::Event { click } => {
                let Some(id) = self.click(*click) else { return };
                self.posts(&format!("click_id={id}&event_name=renewal"));
            }
            Step::Reject { click } => {
                let Some(id) = self.click(*click) else { return };
                self.posts(&format!("click_id={id}&new_rejected_reason=fraud&all_events=true"));
            }
            Step::Change { status } => {
                let rows = self.shop.rows("SELECT conversion_id FROM conversions");
                let item = |row: &Value| json!({ "conversion_id": row["conversion_id"], "status": STATUSES[*status] });
                let items: Vec<Value> = rows.iter().map(item).collect();
                let body = json!({ "items": items });
                self.shop.operator.sends(Method::Post, "conversions/statuses", Some(body), "");
            }
            Step::Archive(is_archived) => {
                let state = if *is_archived { "archived" } else { "active" };
                let body = json!({ "state": state });
                self.shop.operator.sends(Method::Patch, "campaigns/1", Some(body), "");
                self.world().waits_ms(30_001);
            }
            Step::Judge => {
                let newest = "SELECT request_id FROM inbox WHERE verdict = 'rejected' ORDER BY request_id DESC LIMIT 1";
                let rows = self.shop.rows(newest);
                let Some(row) = rows.first() else { return };
                let path = format!("inbox/{}/judge", row["request_id"].as_str().unwrap());
                for _ in 0..2 {
                    self.shop.operator.sends(Method::Post, &path, None, "");
                    self.world().waits_ms(7);
                }
            }
            Step::Fault { is_after, well } => {
                let how = if *is_after { Break::AfterCommit } else { Break::BeforeCommit };
                database.breaks_after(how, usize::from(*well));
            }
            Step::Copies(true) => self.world().stores.blobs.breaks(),
            Step::Copies(false) => self.world().stores.blobs.mends(),
            Step::Restart => self.shop.edge = Edge::of(self.world()),
            Step::Wait(seconds) => self.world().waits_ms(seconds * 1_000),
        }
        self.world().waits_ms(1);
    }

    /// Sends a postback until it is answered with something else than 503.
    fn posts(&self, query: &str) {
        for _ in 0..6 {
            let response = self.shop.asks_with(server(), &format!("{query}&token={TOKEN}"));
            if response.status != 503 {
                return;
            }
            self.world().waits_ms(1);
        }
    }

    /// Sends `query` from an isolate of its own, before whose first commit `other` happens.
    fn races(&self, query: &str, other: impl FnOnce()) {
        let isolate = Isolate::default();
        let stores = Stores {
            database: Between {
                inner: self.world().database(),
                first: RefCell::new(Some(Box::new(other))),
                is_unguarded: self.is_unguarded,
            },
            blobs: &self.world().stores.blobs,
            memory: Rc::clone(&isolate.memory),
            settings: Rc::clone(&self.world().stores.settings),
            log: |_| {},
            allowance: Default::default(),
            network: Rc::clone(&self.world().stores.network),
        };
        let url = format!("http://{}/postback?{query}&token={TOKEN}", self.shop.host);
        let request = Request::new(Method::Get, &url, server(), b"").unwrap();
        let random = || self.shop.edge.draws();
        let moment = Moment { now: self.world().now(), random: &random };
        let app = App { ports: &stores, isolate: &isolate, settings: &stores.settings, moment };
        block_on(http::respond(&app, &request));
    }

    /// What was asked for and what is there: connector, conversion, revision, status and kind.
    fn differences(&self) -> Vec<String> {
        let mut wanted = BTreeSet::new();
        for row in self.shop.rows("SELECT * FROM conversions") {
            let id = row["conversion_id"].as_str().unwrap();
            let mut occasions = vec![(1, row["first_status"].as_str().unwrap().to_owned(), true)];
            let changes = format!(
                "SELECT revision, after ->> 'status' AS status FROM changes WHERE conversion_id = '{id}' \
                 AND after ->> 'status' <> before ->> 'status'"
            );
            occasions.extend(self.shop.rows(&changes).iter().map(|change| {
                (
                    change["revision"].as_u64().unwrap(),
                    change["status"].as_str().unwrap().to_owned(),
                    false,
                )
            }));
            let event = if row["event_id"] == 0 { "Purchase" } else { "renewal" };
            for known in CONNECTORS.iter().filter(|known| !known.is_dead) {
                let hears = known.events.contains(&event)
                    && known.affiliate.is_none_or(|affiliate| row["affiliate_id"] == affiliate)
                    && (row["is_test"] == 0 || known.is_test);
                for (revision, status, is_new) in occasions.iter().filter(|_| hears) {
                    let is_asked = match known.statuses {
                        [] => *is_new,
                        statuses => statuses.contains(&status.as_str()),
                    };
                    for kind in known.kinds.iter().filter(|_| is_asked) {
                        wanted.insert(format!("{} {id} {revision} {status} {kind}", known.id));
                    }
                }
            }
        }
        let sql = "SELECT connector_id || ' ' || conversion_id || ' ' || revision || ' ' || (\"values\" ->> 'STATUS') \
                   || ' ' || kind AS what FROM deliveries WHERE conversion_id IS NOT NULL";
        let there: Vec<String> = self
            .shop
            .rows(sql)
            .iter()
            .map(|row| row["what"].as_str().unwrap().to_owned())
            .collect();
        let set: BTreeSet<String> = there.iter().cloned().collect();
        let mut all: Vec<String> = wanted.symmetric_difference(&set).cloned().collect();
        if set.len() < there.len() {
            all.push("some are there twice".to_owned());
        }
        all
    }
}

/// A connection before whose first commit something else happens.
struct Between<'a> {
    inner: &'a SqliteDatabase,
    first: RefCell<Option<Box<dyn FnOnce() + 'a>>>,
    is_unguarded: bool,
}

impl Database for Between<'_> {
    async fn batch(&self, mut statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, DatabaseFault> {
        let is_commit = |s: &Statement| s.sql.starts_with("INSERT INTO conversions");
        if statements.iter().any(is_commit)
            && let Some(first) = self.first.take()
        {
            first();
        }
        for statement in statements.iter_mut().filter(|_| self.is_unguarded) {
            let guard = "AND COALESCE(v.changed_by, v.request_id) = ?4";
            statement.sql = statement.sql.replace(guard, "AND ?4 <> ''").into();
        }
        self.inner.batch(statements).await
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_conversion_and_each_of_its_statuses_has_exactly_the_deliveries_that_are_asked_for(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let world = World::new();
        let mut history = History::new(&world);
        for step in [&Step::Click(1), &Step::Click(2)].into_iter().chain(&steps) {
            history.run(step);
        }
        prop_assert_eq!(history.differences(), Vec::<String>::new());
    }
}

#[test]
fn the_model_finds_what_is_missing_what_is_too_much_and_what_no_guard_kept_out() {
    let world = World::new();
    let mut history = History::new(&world);
    history.run(&Step::Click(2));
    history.run(&Step::Post { click: 0, order: Some(1), status: None });
    assert_eq!(history.differences(), [""; 0]);
    assert_eq!(history.shop.count("deliveries"), 3);
    for breaks in
        ["DELETE FROM deliveries WHERE connector_id = 4", "UPDATE deliveries SET connector_id = 7"]
    {
        let before = history.shop.rows("SELECT connector_id, delivery_id FROM deliveries");
        world.database().execute(breaks);
        assert!(!history.differences().is_empty(), "{breaks}: {before:?}");
    }
    let world = World::new();
    let mut history = History::new(&world);
    history.run(&Step::Click(2));
    history.run(&Step::Race { click: 0, order: 1 });
    assert_eq!(history.differences(), [""; 0]);
    history.is_unguarded = true;
    history.run(&Step::Race { click: 0, order: 2 });
    assert_eq!(history.differences(), ["some are there twice"]);
}
