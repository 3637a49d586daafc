//! The outbox: what connectors have to send is written in the commit of what it tells of.

use backtrail::http::request::{Headers, Method};
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::shop::person;
use crate::support::world::json_of;
use crate::support::{Shop, World};

/// Adds a connector with a webhook that is on; `columns` are others to set, as `name = value`.
pub fn connects(shop: &Shop<'_>, id: u32, events: Value, columns: &str) {
    let namespace = shop.host.strip_suffix("-tracking.example.com").unwrap();
    let columns = if columns.is_empty() { String::new() } else { format!(", {columns}") };
    shop.world().database().execute(&format!(
        "INSERT INTO connectors (namespace, id, name, mode, events, webhook, is_webhook_on, created_at) \
         VALUES ('{namespace}', {id}, 'C{id}', 'enabled', '{events}', '{{}}', 1, 0); \
         UPDATE connectors SET id = id{columns} WHERE namespace = '{namespace}' AND id = {id}"
    ));
}

/// The only delivery.
pub fn only_delivery(shop: &Shop<'_>) -> Value {
    let rows = shop.rows("SELECT * FROM deliveries");
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].clone()
}

/// A JSON column.
pub fn column(row: &Value, name: &str) -> Value {
    row[name].as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

#[test]
fn a_conversion_writes_the_delivery_of_its_connector() {
    let world = World::new();
    let shop = Shop::open(&world);
    connects(&shop, 7, json!(["Purchase"]), "");
    let id = shop.clicks(2);
    let body = shop.reports(200, &format!("click_id={id}&order_id=A&amount=15.00&custom1=x"));
    let delivery = only_delivery(&shop);
    assert_eq!(delivery["connector_id"], 7);
    assert_eq!((&delivery["kind"], &delivery["state"]), (&json!("webhook"), &json!("waiting")));
    assert_eq!(delivery["conversion_id"], body["conversion_id"]);
    assert_eq!((&delivery["revision"], &delivery["event_name"]), (&json!(1), &json!("Purchase")));
    assert_eq!(delivery["click_id"], id.as_str());
    for name in ["due_at", "created_at", "happened_at"] {
        assert_eq!(delivery[name], world.now().ms(), "{name}");
    }
    let begins = format!("msg_{:012x}", world.now().ms());
    assert!(delivery["delivery_id"].as_str().unwrap().starts_with(&begins));
    assert_eq!(delivery["personal"], Value::Null);
    assert_eq!(
        column(&delivery, "values"),
        json!({
            "VALUE": "15.00", "CURRENCY": "USD", "TRANSACTION_ID": "A", "ORDER_ID": "A", "STATUS": "approved",
            "PAYOUT": "5.00", "AFFILIATE_ID": "2", "CAMPAIGN_ID": "1", "ref_id": "2", "advertiser_id": "1",
            "TIMESTAMP": world.now().seconds().to_string(), "BACKTRAIL_CLICK_ID": id, "country": "DE",
            "revenue": "8.00", "custom1": "x", "CUSTOM1": "x",
        })
    );
    assert!(shop.edge.isolate.memory.wake.take(), "the sender is to be woken");
    // Not again for a repeat.
    shop.reports(200, &format!("click_id={id}&order_id=A&amount=15.00&custom1=x"));
    only_delivery(&shop);
    assert!(!shop.edge.isolate.memory.wake.take());
}

const ORIGIN: &str = "https://shop.example";

/// A shop whose pages may report, with site events mapped as given.
pub fn open_to_pages(world: &World, site_events: Value) -> Shop<'_> {
    let shop = Shop::with(world, json!({ "is_pixel_allowed": true, "site_events": site_events }));
    shop.operator.changes("namespaces/demo", json!({ "collect_origins": [ORIGIN] }));
    shop
}

/// A page reports.
pub fn page_sends(shop: &Shop<'_>, status: u16, body: &str) -> Value {
    let headers = Headers { origin: ORIGIN, content_type: "text/plain", ..person() };
    let address = format!("{}/collect", shop.host);
    json_of(&shop.edge.answers(Method::Post, &address, headers, body.as_bytes()), status)
}

/// Who has to send what: connector, kind, event, revision and status, in order.
pub fn waiting(shop: &Shop<'_>) -> Vec<Value> {
    let rows = shop.rows(
        "SELECT connector_id, kind, event_name, revision, \"values\" ->> 'STATUS' AS status FROM deliveries \
         ORDER BY created_at, connector_id, kind DESC, revision",
    );
    let row = |row: Value| {
        json!([row["connector_id"], row["kind"], row["event_name"], row["revision"], row["status"]])
    };
    rows.into_iter().map(row).collect()
}

#[test]
fn a_site_event_that_becomes_no_conversion_is_told_with_all_its_keys_as_sent() {
    let world = World::new();
    let shop = open_to_pages(&world, json!({}));
    connects(&shop, 1, json!(["AddToCart", "Wish"]), "");
    connects(&shop, 2, json!(["AddToCart"]), "statuses = '[\"approved\"]'");
    connects(&shop, 3, json!(["AddToCart"]), "campaign_id = 2");
    let id = shop.clicks(1);
    let body = format!(
        r#"{{"event":"AddToCart","click_id":"{id}","data":{{"value":15.50,"currency":"EUR","transaction_id":12345,
        "eventId":"E-1","Basket - size":3,"gone":null,"lines":[ {{"sku": "a b"}} ],"email":"a@b.example","payout":1e9,
        "big":123456789012345678901234567890}}}}"#
    );
    page_sends(&shop, 200, &body);
    let delivery = only_delivery(&shop);
    assert_eq!(
        (&delivery["connector_id"], &delivery["event_name"]),
        (&json!(1), &json!("AddToCart"))
    );
    assert_eq!((&delivery["conversion_id"], &delivery["revision"]), (&Value::Null, &Value::Null));
    assert_eq!(delivery["click_id"], id.as_str());
    assert_eq!(
        column(&delivery, "values"),
        json!({
            "VALUE": "15.50", "CURRENCY": "EUR", "TRANSACTION_ID": "12345", "ORDER_ID": "E-1", "EVENTID": "E-1",
            "BASKET_SIZE": "3", "LINES": "[{\"sku\":\"a b\"}]", "BIG": "123456789012345678901234567890",
            "TIMESTAMP": world.now().seconds().to_string(), "BACKTRAIL_CLICK_ID": id, "AFFILIATE_ID": "1",
            "CAMPAIGN_ID": "1", "ref_id": "1", "country": "DE", "advertiser_id": "1",
        })
    );
    assert_eq!(column(&delivery, "personal"), json!({ "EMAIL": "a@b.example" }));
    assert!(shop.edge.isolate.memory.wake.take());
    // A custom name, without a click; its delivery is another one however often it is sent.
    world.waits_ms(1_000);
    for _ in 0..2 {
        page_sends(&shop, 200, r#"{"event":"Wish"}"#);
    }
    assert_eq!(shop.count("deliveries"), 3);
}

#[test]
fn a_name_beyond_the_bound_is_neither_noted_nor_told() {
    let world = World::new();
    let shop = open_to_pages(&world, json!({}));
    connects(&shop, 1, json!(["Wish", "One more"]), "");
    page_sends(&shop, 200, r#"{"event":"Wish"}"#);
    let names: Vec<String> = (0..199).map(|n| format!("('demo','N{n}',0)")).collect();
    world.database().execute(&format!("INSERT INTO site_event_names VALUES {}", names.join(",")));
    page_sends(&shop, 400, r#"{"event":"One more","data":{"key":1}}"#);
    page_sends(&shop, 200, r#"{"event":"Wish"}"#);
    assert_eq!(waiting(&shop).len(), 2);
    assert_eq!(shop.count("event_keys"), 0);
}

#[test]
fn keys_of_events_are_noted_once_and_at_most_fifty_of_a_name() {
    let world = World::new();
    let shop = open_to_pages(&world, json!({ "Order": "initial" }));
    let id = shop.clicks(1);
    let keys = |from: u32, to: u32| -> Value {
        (from..to).map(|n| (format!("key {n}"), json!(n))).collect::<serde_json::Map<_, _>>().into()
    };
    let send = |name: &str, data: Value| {
        let body = json!({ "event": name, "click_id": id, "data": data }).to_string();
        page_sends(&shop, 200, &body);
    };
    send("PageView", keys(0, 2));
    send("Wish", keys(0, 30));
    send("Order", keys(5, 6));
    let before = world.database().statements();
    send("PageView", keys(0, 2));
    assert_eq!(world.database().statements(), before, "what is noted needs no statement");
    send("Wish", keys(20, 60));
    let count =
        |name: &str| shop.value(&format!("SELECT COUNT(*) FROM event_keys WHERE name = '{name}'"));
    assert_eq!([count("PageView"), count("Wish"), count("Order")], [2, 50, 1]);
    let first = shop.rows("SELECT key FROM event_keys WHERE name = 'Order'");
    assert_eq!(first, [json!({ "key": "KEY_5" })]);
    let long = format!("k{}", "x".repeat(64));
    send("PageView", json!({ long: 1 }));
    assert_eq!(count("PageView"), 2, "nobody writes that in a template");
    // The ledger need not answer for an event that only has new keys.
    world.database().breaks(Break::BeforeCommit, 1);
    send("PageView", json!({ "new": 1 }));
    world.database().mends();
    // Whoever makes keys up makes the ledger work thirty times a minute.
    world.waits_ms(60_000);
    let before = world.database().statements();
    for n in 0..40 {
        world.waits_ms(700);
        send("PageView", keys(100 + n, 101 + n));
    }
    assert_eq!(world.database().statements() - before, 30);
    assert_eq!(count("PageView"), 32);
}

#[test]
fn a_conversion_that_a_page_reports_is_told_under_the_name_and_with_the_keys_of_its_event() {
    let world = World::new();
    let events = json!({ "Purchase": "initial", "Subscribe": "initial" });
    let shop = open_to_pages(&world, events);
    connects(&shop, 1, json!(["Subscribe"]), "");
    connects(&shop, 2, json!(["Purchase"]), "");
    connects(&shop, 3, json!(["Subscribe"]), "statuses = '[\"approved\"]'");
    let id = shop.clicks(1);
    let body = format!(
        r#"{{"event":"Subscribe","click_id":"{id}","data":{{"value":15.00,"plan":"gold","eventId":"A","status":"x","email":"a@b.example"}}}}"#
    );
    let reply = page_sends(&shop, 200, &body);
    assert_eq!(reply["conversion"]["status"], "pending");
    assert_eq!(waiting(&shop), [json!([1, "webhook", "Subscribe", 1, "pending"])]);
    let values = column(&only_delivery(&shop), "values");
    assert_eq!((&values["VALUE"], &values["PLAN"]), (&json!("15.00"), &json!("gold")));
    // A later change goes by the name that was reported, not by the first one that is mapped.
    world.waits_ms(1_000);
    let path = format!("conversions/{}", reply["conversion"]["conversion_id"].as_str().unwrap());
    shop.operator.changes(&path, json!({ "status": "approved" }));
    assert_eq!(waiting(&shop)[1..], [json!([3, "webhook", "Subscribe", 2, "approved"])]);
    let later =
        shop.rows("SELECT \"values\", personal FROM deliveries WHERE connector_id = 3").remove(0);
    let values = column(&later, "values");
    assert_eq!((&values["VALUE"], &values["PLAN"]), (&json!("15.00"), &json!("gold")));
    assert_eq!(later["personal"], Value::Null, "that is not kept with the conversion");
    let kept = shop.value("SELECT parameters FROM conversions");
    assert!(!kept.as_str().unwrap().contains("example"), "{kept}");
    // A postback's is called as the first one.
    world.waits_ms(1_000);
    shop.reports(200, &format!("click_id={}", shop.clicks(1)));
    assert_eq!(waiting(&shop)[2..], [json!([2, "webhook", "Purchase", 1, "approved"])]);
}

#[test]
fn statuses_are_told_when_they_are_entered_by_whomever() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "default_status": "pending" }));
    connects(&shop, 1, json!(["Purchase"]), "statuses = '[\"approved\",\"rejected\"]'");
    connects(&shop, 2, json!(["Purchase"]), "");
    let id = shop.clicks(1);
    let query = format!("click_id={id}&order_id=A&amount=20.50&currency=USD");
    shop.reports(200, &query);
    assert_eq!(waiting(&shop), [json!([2, "webhook", "Purchase", 1, "pending"])]);
    world.waits_ms(1_000);
    for _ in 0..2 {
        shop.reports(200, &format!("{query}&status=approved"));
    }
    assert_eq!(waiting(&shop)[1..], [json!([1, "webhook", "Purchase", 2, "approved"])]);
    let values = shop.value("SELECT \"values\" FROM deliveries WHERE revision = 2");
    assert!(values.as_str().unwrap().contains(r#""VALUE":"20.5","CURRENCY":"USD""#), "{values}");
    // A reason alone is no entry.
    world.waits_ms(1_000);
    let item = |status: &str, reason: &str| json!({ "items": [{ "campaign_id": 1, "order_id": "A", "status": status, "reason": reason }] });
    let change = |body: Value| {
        shop.operator.calls(Method::Post, "conversions/statuses", Some(body), 200);
    };
    change(item("approved", "sure"));
    assert_eq!(waiting(&shop).len(), 2);
    world.waits_ms(1_000);
    change(item("rejected", "not sure"));
    assert_eq!(waiting(&shop)[2..], [json!([1, "webhook", "Purchase", 4, "rejected"])]);
    assert!(shop.edge.isolate.memory.wake.take(), "by the postbacks");
    assert!(world.isolate.memory.wake.take(), "by the operator");
}

#[test]
fn a_first_name_is_in_the_first_delivery_alone_however_its_key_is_written() {
    let world = World::new();
    let shop = open_to_pages(&world, json!({ "Purchase": "initial" }));
    connects(&shop, 1, json!(["Purchase"]), "");
    let data = json!({ "firstName": "Jane", "LAST-name": "Doe", "plan": "gold" });
    let body = json!({ "event": "Purchase", "click_id": shop.clicks(1), "data": data });
    page_sends(&shop, 200, &body.to_string());
    let delivery = only_delivery(&shop);
    let personal = json!({ "FIRST_NAME": "Jane", "LAST_NAME": "Doe" });
    assert_eq!(column(&delivery, "personal"), personal);
    assert_eq!(column(&delivery, "values")["PLAN"], "gold");
    let kept = shop.value("SELECT parameters FROM conversions").to_string();
    let tells = |word: &&str| kept.contains(word) || delivery["values"].to_string().contains(word);
    assert!(kept.contains("gold") && !["Jane", "Doe"].iter().any(tells), "{kept}");
}
