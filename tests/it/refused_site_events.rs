//! A site event needs no credit: one that is refused as a conversion triggers connectors all the
//! same (wire.md 8).

use backtrail::domain::time::DAY_MS;
use backtrail::http::request::Method;
use serde_json::{Value, json};

use crate::caps::cap;
use crate::outbox::{column, connects, only_delivery, open_to_pages, page_sends, waiting};
use crate::support::database::Break;
use crate::support::visitor::{Visitor, open};
use crate::support::world::json_of;
use crate::support::{Shop, World};

fn purchase(click_id: &str, data: Value) -> String {
    json!({ "event": "Order done", "click_id": click_id, "data": data }).to_string()
}

/// A shop that makes conversions of a name of its own, and the connectors that listen for it: the
/// first to whatever happens, the second to a status.
fn listens(world: &World) -> Shop<'_> {
    let shop = open_to_pages(world, json!({ "Order done": "initial" }));
    connects(&shop, 1, json!(["Order done"]), "");
    connects(&shop, 2, json!(["Order done"]), "statuses = '[\"approved\"]'");
    shop
}

#[test]
fn an_event_without_credit_is_told_as_a_site_event_and_the_answer_stays() {
    let world = World::new();
    let shop = listens(&world);
    let told = json!([1, "webhook", "Order done", null, null]);
    let id = shop.clicks(1);
    page_sends(&shop, 200, &purchase(&id, json!({ "eventId": "A" })));
    world.waits_ms(1_000);
    world.database().execute("DELETE FROM deliveries");
    // The second purchase of a click that may have one.
    let body = purchase(&id, json!({ "eventId": "B", "value": 15.5 }));
    let reply = page_sends(&shop, 422, &body);
    assert_eq!(reply["conversion"]["reason"], "repeated_conversion");
    assert_eq!(waiting(&shop), std::slice::from_ref(&told));
    let delivery = only_delivery(&shop);
    assert_eq!((&delivery["click_id"], &delivery["conversion_id"]), (&json!(id), &Value::Null));
    let values = column(&delivery, "values");
    assert_eq!((&values["ORDER_ID"], &values["VALUE"]), (&json!("B"), &json!("15.5")));
    assert!(shop.edge.isolate.memory.wake.take(), "the sender is to be woken");
    assert_eq!(shop.count("site_event_names"), 0, "its name stands in its campaign");
    world.database().execute("DELETE FROM deliveries");
    // A click whose time is over.
    let late = shop.clicks(1);
    world.waits_ms(400 * DAY_MS);
    let reply = page_sends(&shop, 410, &purchase(&late, json!({})));
    assert_eq!(reply["conversion"]["reason"], "expired_click");
    assert_eq!(waiting(&shop), std::slice::from_ref(&told));
    world.database().execute("DELETE FROM deliveries");
    // A campaign that takes no conversions from browsers.
    shop.changes_campaign(json!({ "is_pixel_allowed": false }));
    let reply = page_sends(&shop, 401, &purchase(&shop.clicks(1), json!({})));
    assert_eq!(reply["conversion"]["reason"], "bad_token");
    assert_eq!(waiting(&shop), [told]);
}

#[test]
fn what_was_told_before_or_cannot_be_read_is_not_told_as_a_site_event() {
    let world = World::new();
    let shop = listens(&world);
    let id = shop.clicks(1);
    let body = purchase(&id, json!({ "eventId": "A" }));
    page_sends(&shop, 200, &body);
    page_sends(&shop, 200, &body);
    page_sends(&shop, 400, &purchase(&shop.clicks(1), json!({ "value": -15 })));
    assert_eq!(waiting(&shop), [json!([1, "webhook", "Order done", 1, "pending"])]);
    // The same order with another amount.
    shop.changes_campaign(json!({ "is_amount_trusted": true }));
    let sold = shop.clicks(1);
    let order = |value: u32| purchase(&sold, json!({ "eventId": "C", "value": value }));
    page_sends(&shop, 200, &order(5));
    assert_eq!(page_sends(&shop, 409, &order(6))["conversion"]["reason"], "conflict");
    assert_eq!(waiting(&shop).len(), 2);
    // While the ledger is down the page is asked to come again.
    world.database().breaks(Break::BeforeCommit, usize::MAX);
    page_sends(&shop, 503, &purchase(&id, json!({ "eventId": "B" })));
    world.database().mends();
    assert_eq!(waiting(&shop).len(), 2);
}

#[test]
fn an_event_that_becomes_no_conversion_may_have_any_value() {
    let world = World::new();
    let shop = open_to_pages(&world, json!({ "Purchase": "initial" }));
    connects(&shop, 1, json!(["Refund"]), "");
    let data = json!({ "value": -15, "currency": "points" });
    let body = json!({ "event": "Refund", "click_id": shop.clicks(1), "data": data });
    page_sends(&shop, 200, &body.to_string());
    let values = column(&only_delivery(&shop), "values");
    assert_eq!((&values["VALUE"], &values["CURRENCY"]), (&json!("-15"), &json!("points")));
}

#[test]
fn an_event_without_credit_fires_its_pixel_with_the_answer() {
    let world = World::new();
    let shop = open(&world);
    let fields = json!({ "pixel": { "code": "<b>{{VALUE}}</b>" }, "is_pixel_on": true });
    let connector = shop.connects("pixel", &[], fields);
    let path = format!("connectors/{}/approve", connector["id"]);
    shop.operator.calls(Method::Post, &path, None, 200);
    shop.changes_campaign(json!({ "is_pixel_allowed": false }));
    let click_id = shop.clicks(1);
    let body = json!({ "event": "Lead", "click_id": click_id, "data": { "value": 15 } });
    let answer = json_of(&Visitor::of(&shop, 1).sends(body), 401);
    assert_eq!(answer["pixels"][0]["html"], "<b>15</b>");
    assert_eq!(shop.states(&connector), ["delivered"]);
}

#[test]
fn a_purchase_that_is_told_as_a_site_event_is_not_told_again_when_its_report_is_taken_after_all() {
    let world = World::new();
    let shop = open_to_pages(&world, json!({ "Purchase": "initial" }));
    cap(&shop, json!({ "conversions_limit": 1 }));
    connects(&shop, 1, json!(["Purchase"]), "pixel = '{}', is_pixel_on = 1");
    // Nobody has told this one: what credits nobody does not concern an affiliate's own connector.
    connects(&shop, 2, json!(["Purchase"]), "affiliate_id = 1");
    page_sends(&shop, 200, &purchase_of(&shop, "A"));
    world.waits_ms(1_000);
    world.database().execute("DELETE FROM deliveries");
    let reply = page_sends(&shop, 422, &purchase_of(&shop, "B"));
    assert_eq!(reply["conversion"]["reason"], "capped");
    let as_event = |kind| json!([1, kind, "Purchase", null, null]);
    let told = [as_event("webhook"), as_event("pixel")];
    assert_eq!(waiting(&shop), told);
    world.waits_ms(1_000);
    shop.operator.changes("caps/1", json!({ "conversions_limit": 9 }));
    world.waits_ms(30_001);
    let refused = shop.value("SELECT request_id FROM inbox WHERE verdict = 'rejected'");
    let path = format!("inbox/{}/judge", refused.as_str().unwrap());
    let judged = shop.operator.calls(Method::Post, &path, None, 200);
    assert_eq!(judged["verdict"], "recorded");
    let mut all = told.to_vec();
    all.push(json!([2, "webhook", "Purchase", 1, "pending"]));
    assert_eq!(waiting(&shop), all);
}

#[test]
fn what_is_taken_after_all_before_it_is_told_as_a_site_event_is_not_told_as_one() {
    let world = World::new();
    let shop = listens(&world);
    let id = shop.clicks(1);
    page_sends(&shop, 200, &purchase(&id, json!({ "eventId": "A" })));
    world.database().execute("DELETE FROM deliveries");
    let refused = || page_sends(&shop, 422, &purchase(&id, json!({ "eventId": "B" })));
    refused();
    assert_eq!(shop.count("deliveries"), 1);
    // As if it were judged again between the refusal and what is told of it.
    world.database().execute(
        "CREATE TRIGGER taken AFTER INSERT ON inbox BEGIN UPDATE inbox SET verdict = 'recorded', reason = NULL, detail = NULL \
         WHERE namespace = new.namespace AND request_id = new.request_id; END",
    );
    refused();
    assert_eq!(shop.count("deliveries"), 1);
}

fn purchase_of(shop: &Shop<'_>, order_id: &str) -> String {
    let data = json!({ "eventId": order_id });
    json!({ "event": "Purchase", "click_id": shop.clicks(1), "data": data }).to_string()
}
