//! Two postbacks that want the last place at the same instant: between what one assumes and what
//! it writes, the other is recorded. The guard stands in the commit; the control takes it away.

use std::cell::RefCell;
use std::rc::Rc;

use backtrail::app::settings::Moment;
use backtrail::http::request::{Method, Request};
use backtrail::http::{self, App, Isolate};
use backtrail::store::{Database, DatabaseFault, Row, Statement, Stores};
use serde_json::{Value, json};

use crate::caps::{cap, sale, used};
use crate::support::shop::{TOKEN, server};
use crate::support::world::json_of;
use crate::support::{Shop, SqliteDatabase, World, block_on};

/// The guard's comparison in the statement that records a conversion.
const GUARD: &str = ">= json_each.value ->> 3";

/// A connection before whose first commits something else happens.
struct Between<'a> {
    inner: &'a SqliteDatabase,
    others: RefCell<Vec<Box<dyn FnOnce() + 'a>>>,
    is_guarded: bool,
}

impl Database for Between<'_> {
    async fn batch(&self, mut statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, DatabaseFault> {
        let is_commit = |s: &Statement| s.sql.starts_with("INSERT INTO conversions");
        if statements.iter().any(is_commit) {
            let other = self.others.borrow_mut().pop();
            other.into_iter().for_each(|other| other());
        }
        for statement in &mut statements {
            if !self.is_guarded && is_commit(statement) {
                assert!(statement.sql.contains(GUARD));
                statement.sql =
                    statement.sql.replace(GUARD, "> 1000 + json_each.value ->> 3").into();
            }
        }
        self.inner.batch(statements).await
    }
}

/// Sends a sale while others happen at the same instant; the body of its answer.
fn meanwhile<'a>(
    shop: &'a Shop<'_>,
    is_guarded: bool,
    others: Vec<Box<dyn FnOnce() + 'a>>,
) -> Value {
    let world = shop.world();
    let isolate = Isolate::default();
    let query = sale(shop, 1);
    let stores = Stores {
        database: Between { inner: world.database(), others: RefCell::new(others), is_guarded },
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
    assert!(stores.database.others.borrow().is_empty(), "it did not come to that: {response:?}");
    json_of(&response, response.status)
}

fn sells<'a>(shop: &'a Shop<'_>) -> Box<dyn FnOnce() + 'a> {
    Box::new(|| assert_eq!(shop.reports(200, &sale(shop, 2))["verdict"], "recorded"))
}

#[test]
fn of_two_that_want_the_last_place_one_gets_it_and_the_other_is_capped() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 2 }));
    shop.reports(200, &sale(&shop, 1));
    let body = meanwhile(&shop, true, vec![sells(&shop)]);
    assert_eq!((&body["reason"], used(&shop)), (&json!("capped"), json!(2)), "{body}");
}

#[test]
fn of_two_that_want_the_last_place_of_a_soft_cap_the_other_waits() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 2, "mode": "soft" }));
    shop.reports(200, &sale(&shop, 1));
    let body = meanwhile(&shop, true, vec![sells(&shop)]);
    assert_eq!((&body["status"], used(&shop)), (&json!("pending"), json!(3)), "{body}");
    let approved = shop.rows("SELECT 1 AS one FROM conversions WHERE status = 'approved'");
    assert_eq!(approved.len(), 2);
}

#[test]
fn a_soft_cap_and_then_a_hard_one_may_become_full_while_it_is_decided() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 1, "mode": "soft" }));
    cap(&shop, json!({ "conversions_limit": 2 }));
    // First somebody takes the place before the soft cap, then somebody the one before the hard one.
    let body = meanwhile(&shop, true, vec![sells(&shop), sells(&shop)]);
    assert_eq!((&body["reason"], used(&shop)), (&json!("capped"), json!(2)), "{body}");
}

#[test]
fn without_the_guard_both_get_the_last_place() {
    for mode in ["hard", "soft"] {
        let world = World::new();
        let shop = Shop::open(&world);
        cap(&shop, json!({ "conversions_limit": 2, "mode": mode }));
        shop.reports(200, &sale(&shop, 1));
        let body = meanwhile(&shop, false, vec![sells(&shop)]);
        assert_eq!((&body["status"], used(&shop)), (&json!("approved"), json!(3)), "{body}");
    }
}
