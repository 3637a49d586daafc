//! Two changes of one conversion at the same instant: between what one reads and what it writes,
//! the other happens. The guard is the revision; the control takes it away.

use std::cell::RefCell;
use std::rc::Rc;

use backtrail::app::settings::Moment;
use backtrail::http::request::{Method, Request};
use backtrail::http::{self, App, Isolate};
use backtrail::store::{Database, DatabaseFault, Row, Statement, Stores};
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::shop::{TOKEN, server};
use crate::support::world::json_of;
use crate::support::{Shop, SqliteDatabase, World, block_on};

/// The guard in the statement that changes conversions.
const GUARD: &str = "AND conversions.revision = new.value ->> 'revision' - 1";

/// A connection before whose first change something else happens.
struct Between<'a> {
    inner: &'a SqliteDatabase,
    first: RefCell<Option<Box<dyn FnOnce() + 'a>>>,
    is_guarded: bool,
}

impl Database for Between<'_> {
    async fn batch(&self, mut statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, DatabaseFault> {
        if statements.iter().any(|statement| statement.sql.starts_with("UPDATE conversions"))
            && let Some(first) = self.first.take()
        {
            first();
        }
        for statement in &mut statements {
            if !self.is_guarded && statement.sql.contains(GUARD) {
                statement.sql = statement.sql.replace(GUARD, "").into();
            }
        }
        self.inner.batch(statements).await
    }
}

/// Sends `query` while `other` happens at the same instant; the body of `query`'s answer.
fn meanwhile(shop: &Shop<'_>, query: &str, is_guarded: bool, other: impl FnOnce()) -> Value {
    let world = shop.world();
    let isolate = Isolate::default();
    let stores = Stores {
        database: Between {
            inner: world.database(),
            first: RefCell::new(Some(Box::new(other))),
            is_guarded,
        },
        blobs: &world.stores.blobs,
        memory: Rc::clone(&isolate.memory),
        settings: Rc::clone(&world.stores.settings),
        log: |_| {},
        network: crate::support::silent(),
        allowance: Default::default(),
    };
    let url = format!("http://{}/postback?{query}&token={TOKEN}", shop.host);
    let request = Request::new(Method::Get, &url, server(), b"").unwrap();
    let random = || [7; 32];
    let moment = Moment { now: world.now(), random: &random };
    let app = App { ports: &stores, isolate: &isolate, settings: &stores.settings, moment };
    let response = block_on(http::respond(&app, &request)).response;
    assert!(stores.database.first.borrow().is_none(), "there was no change: {response:?}");
    json_of(&response, response.status)
}

fn refund(id: &str, amount: u8) -> String {
    format!("campaign_id=1&order_id=A&status=refunded&refund_id={id}&amount={amount}")
}

fn sale(shop: &Shop<'_>) {
    shop.reports(200, &format!("click_id={}&order_id=A&amount=10", shop.clicks(1)));
    shop.edge.settles();
}

#[test]
fn of_two_refunds_at_once_that_exceed_the_sale_one_is_taken() {
    let world = World::new();
    let shop = Shop::open(&world);
    sale(&shop);
    let body = meanwhile(&shop, &refund("a", 6), true, || {
        assert_eq!(shop.reports(200, &refund("b", 6))["verdict"], "updated");
    });
    assert_eq!(body["reason"], "refund_too_large", "{body}");
    assert_eq!(shop.value("SELECT revenue FROM conversions"), 320);
    assert_eq!(shop.count("changes"), 1);
}

#[test]
fn the_one_that_comes_second_is_decided_anew() {
    let world = World::new();
    let shop = Shop::open(&world);
    sale(&shop);
    let body = meanwhile(&shop, &refund("a", 3), true, || {
        assert_eq!(shop.reports(200, &refund("b", 6))["verdict"], "updated");
    });
    assert_eq!((&body["verdict"], &body["revenue"]["amount"]), (&json!("updated"), &json!("0.80")));
    assert_eq!(shop.value("SELECT revision FROM conversions"), 3);
    // The very same at once is one change and a duplicate.
    let query = "campaign_id=1&order_id=A&status=rejected";
    let body = meanwhile(&shop, query, true, || {
        assert_eq!(shop.reports(200, query)["verdict"], "updated");
    });
    assert_eq!(body["verdict"], "duplicate");
    assert_eq!(shop.count("changes"), 3);
}

#[test]
fn without_the_guard_a_refund_is_acknowledged_and_lost() {
    let world = World::new();
    let shop = Shop::open(&world);
    sale(&shop);
    meanwhile(&shop, &refund("a", 6), false, || {
        assert_eq!(shop.reports(200, &refund("b", 6))["verdict"], "updated");
    });
    let refunds = shop.value("SELECT refunds FROM conversions");
    assert!(!refunds.as_str().unwrap().contains("\"b\""), "{refunds}");
}

#[test]
fn a_rejection_of_everything_happens_to_all_or_to_none() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "conversions_per_click": "per_order" }));
    let id = shop.clicks(1);
    for order in ["A", "B"] {
        shop.reports(200, &format!("click_id={id}&order_id={order}"));
    }
    shop.edge.settles();
    let query = format!("click_id={id}&new_rejected_reason=x&all_events=true");
    // The other changes one of them, and then the ledger fails before this one can decide anew.
    let body = meanwhile(&shop, &query, true, || {
        shop.reports(200, "campaign_id=1&order_id=B&status=hold");
        world.database().breaks_after(Break::BeforeCommit, 1);
    });
    assert_eq!(body["reason"], "storage_unavailable");
    let statuses = || shop.rows("SELECT status FROM conversions ORDER BY order_id");
    let of = |a: &str, b: &str| [json!({ "status": a }), json!({ "status": b })];
    assert_eq!(statuses(), of("approved", "hold"), "neither was changed");
    assert_eq!(shop.reports(200, &query)["verdict"], "updated");
    assert_eq!(statuses(), of("rejected", "rejected"));
}
