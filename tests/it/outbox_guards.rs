//! Who is told of what and who is not, that it is written once whatever happens, and what it costs.

use std::collections::BTreeSet;

use backtrail::http::request::{Headers, Method};
use serde_json::{Value, json};

use crate::outbox::{column, connects, only_delivery, open_to_pages, page_sends, waiting};
use crate::support::database::Break;
use crate::support::shop::person;
use crate::support::{Edge, Shop, World};
use crate::test_clicks::tries;

/// The connectors that are told of something since the last time.
fn told(shop: &Shop<'_>, of: impl FnOnce()) -> Vec<u64> {
    let world = shop.world();
    world.waits_ms(1_000);
    let now = world.now().ms();
    of();
    let sql = format!(
        "SELECT connector_id FROM deliveries WHERE created_at >= {now} ORDER BY connector_id"
    );
    shop.rows(&sql).iter().map(|row| row["connector_id"].as_u64().unwrap()).collect()
}

#[test]
fn of_a_test_only_connectors_in_test_mode_are_told_unless_it_is_forced() {
    let world = World::new();
    let shop = open_to_pages(&world, json!({}));
    connects(&shop, 1, json!(["Purchase", "Lead"]), "");
    connects(&shop, 2, json!(["Purchase", "Lead"]), "mode = 'test'");
    let sale = |id: &str, more: &str| {
        shop.reports(200, &format!("click_id={id}{more}"));
    };
    let id = tries(&shop, 1);
    assert_eq!(told(&shop, || sale(&id, "")), [2]);
    assert_eq!(column(&only_delivery(&shop), "values")["test"], "1");
    assert_eq!(only_delivery(&shop)["is_forced"], 0);
    let id = tries(&shop, 1);
    assert_eq!(told(&shop, || sale(&id, "&bt_test=1")), [1, 2]);
    assert_eq!(shop.value("SELECT SUM(is_forced) FROM deliveries"), 2);
    let id = shop.clicks(1);
    assert_eq!(told(&shop, || sale(&id, "&trl_test=1")), [1, 2]);
    assert_eq!(shop.value("SELECT SUM(is_forced) FROM deliveries"), 4);
    let names = shop.value("SELECT group_concat(\"values\") FROM deliveries");
    assert!(!names.as_str().unwrap().contains("BT_TEST"), "a wish is no key of the event: {names}");
    // Of a site event a page's address forces it, or the first one of the session.
    let forced = |more: Value, id: &str| {
        let mut body = json!({ "event": "Lead", "click_id": id });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let ids = told(&shop, || drop(page_sends(&shop, 200, &body.to_string())));
        let sql = "SELECT is_forced FROM deliveries ORDER BY created_at DESC LIMIT 1";
        (ids, shop.value(sql) == 1)
    };
    for (more, is_forced) in [
        (json!({}), false),
        (json!({ "page": "https://shop.example/thanks?a=1&bt_test=1#x" }), true),
        (json!({ "page": "https://shop.example/thanks#?bt_test=1" }), false),
        (
            json!({ "page": "https://shop.example/", "landing": "https://shop.example/?trl_test=1" }),
            true,
        ),
        (json!({ "landing": "https://shop.example/?bt_test=0" }), false),
        (json!({ "data": { "bt_test": "1" } }), false),
    ] {
        assert_eq!(forced(more.clone(), &shop.clicks(1)), (vec![1, 2], is_forced), "{more}");
        let of_test = if is_forced { vec![1, 2] } else { vec![2] };
        assert_eq!(forced(more, &tries(&shop, 1)), (of_test, is_forced));
    }
}

#[test]
fn whoever_proves_nothing_forces_nothing() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "authentication": "none", "is_pixel_allowed": true }));
    connects(&shop, 1, json!(["Purchase"]), "mode = 'test'");
    for (address, _) in [("/postback", 0), ("/pixel.gif", 1)] {
        let id = shop.clicks(1);
        let response = shop.visits(&format!("{address}?click_id={id}&bt_test=1"));
        assert_eq!(response.status, 200, "{response:?}");
    }
    assert_eq!(shop.value("SELECT COUNT(*) || ' ' || SUM(is_forced) FROM deliveries"), "2 0");
}

#[test]
fn an_affiliates_connector_hears_of_his_conversions_and_not_what_the_network_earns() {
    let world = World::new();
    let shop = open_to_pages(&world, json!({}));
    connects(&shop, 1, json!(["Purchase", "Lead"]), "affiliate_id = 1");
    connects(&shop, 2, json!(["Purchase", "Lead"]), "affiliate_id = 2");
    connects(&shop, 3, json!(["Purchase"]), "affiliate_id = 2, statuses = '[\"rejected\"]'");
    connects(&shop, 4, json!(["Purchase"]), "campaign_id = 9");
    let query = format!("click_id={}&order_id=A&custom1=secret&unknown=u", shop.clicks(2));
    assert_eq!(told(&shop, || drop(shop.reports(200, &query))), [2]);
    let values = column(&only_delivery(&shop), "values");
    assert_eq!(values["PAYOUT"], "5.00");
    for key in ["revenue", "custom1", "CUSTOM1", "UNKNOWN"] {
        assert_eq!(values[key], Value::Null, "{key}");
    }
    let item = json!({ "items": [{ "campaign_id": 1, "order_id": "A", "status": "rejected" }] });
    let change =
        || drop(shop.operator.calls(Method::Post, "conversions/statuses", Some(item), 200));
    assert_eq!(told(&shop, change), [3]);
    let id = shop.clicks(2);
    let event = json!({ "event": "Lead", "click_id": id }).to_string();
    assert_eq!(told(&shop, || drop(page_sends(&shop, 200, &event))), [] as [u64; 0]);
    // Nobody else is told what the operator's connectors are.
    connects(&shop, 5, json!(["Purchase"]), "");
    world.stores.blobs.clear();
    let query = format!("click_id={}&order_id=B&custom1=secret&unknown=u", shop.clicks(2));
    let fresh = Edge::of(&world);
    let address = format!("{}/postback?{query}&token={}", shop.host, crate::support::shop::TOKEN);
    let send = || drop(fresh.answers(Method::Get, &address, crate::support::shop::server(), b""));
    assert_eq!(told(&shop, send), [2, 5]);
    let sql = "SELECT \"values\" ->> 'UNKNOWN' AS unknown FROM deliveries WHERE connector_id = 5";
    assert_eq!(shop.value(sql), "u");
}

#[test]
fn a_pixel_waits_for_a_day_and_a_webhook_as_long_as_its_connector_wants() {
    let world = World::new();
    let shop = Shop::open(&world);
    let both = "pixel = '{}', is_pixel_on = 1, delay_seconds = 90";
    connects(&shop, 1, json!(["Purchase"]), both);
    connects(&shop, 2, json!(["Purchase"]), "is_webhook_on = 0");
    shop.reports(200, &format!("click_id={}", shop.clicks(1)));
    let rows = shop.rows(
        "SELECT connector_id, kind, due_at - created_at AS after FROM deliveries ORDER BY kind",
    );
    assert_eq!(
        rows,
        [
            json!({ "connector_id": 1, "kind": "pixel", "after": 86_400_000 }),
            json!({ "connector_id": 1, "kind": "webhook", "after": 90_000 }),
        ]
    );
    assert!(!shop.edge.isolate.memory.wake.take(), "nothing is due yet");
}

#[test]
fn what_memory_still_believes_of_a_connector_writes_nothing_that_would_wait_for_ever() {
    let world = World::new();
    let shop = Shop::open(&world);
    for id in 1..=3 {
        connects(&shop, id, json!(["Purchase"]), "");
    }
    let sale = || drop(shop.reports(200, &format!("click_id={}", shop.clicks(1))));
    assert_eq!(told(&shop, sale), [1, 2, 3]);
    world.database().execute("UPDATE connectors SET mode = 'disabled' WHERE id = 1");
    world.database().execute("DELETE FROM connectors WHERE id = 2");
    assert_eq!(told(&shop, sale), [3]);
    // Another namespace's connectors of the same numbers hear of nothing.
    let other = Shop::named(&world, "other", json!({}));
    let sale = || drop(other.reports(200, &format!("click_id={}", other.clicks(1))));
    assert_eq!(told(&shop, sale), [] as [u64; 0]);
}

#[test]
fn a_delivery_is_written_once_however_its_commit_goes() {
    for how in [Break::BeforeCommit, Break::AfterCommit] {
        let world = World::new();
        let shop = Shop::with(&world, json!({ "default_status": "pending" }));
        connects(&shop, 1, json!(["Purchase"]), "");
        connects(&shop, 2, json!(["Purchase"]), "statuses = '[\"approved\"]'");
        // What is read first is in memory then.
        shop.reports(200, &format!("click_id={}", shop.clicks(1)));
        let id = shop.clicks(1);
        let sale = format!("click_id={id}&order_id=A");
        let approval = format!("{sale}&status=approved");
        // A change is decided on facts, which are read after the commit of a new one was refused.
        for (query, well) in [(sale, 0), (approval, 2)] {
            let before = shop.count("deliveries");
            world.database().breaks_after(how, well);
            shop.reports(503, &query);
            let written = u64::from(how == Break::AfterCommit);
            assert_eq!(shop.count("deliveries"), before + written, "all or nothing");
            world.waits_ms(5_000);
            shop.reports(200, &query);
            assert_eq!(shop.count("deliveries"), before + 1, "{how:?} {query}");
        }
        assert_eq!(waiting(&shop).len(), 3);
    }
}

#[test]
fn what_is_matched_late_is_told_then_and_once() {
    let world = World::new();
    let shop = Shop::open(&world);
    connects(&shop, 1, json!(["Purchase"]), "");
    let id = shop.clicks(1);
    shop.changes_campaign(json!({ "state": "archived" }));
    let arrived = world.now().ms();
    shop.reports(422, &format!("click_id={id}&order_id=A&amount=7.50&bt_test=1"));
    assert_eq!(shop.count("deliveries"), 0);
    shop.changes_campaign(json!({ "state": "active" }));
    let request = shop.value("SELECT request_id FROM inbox");
    let path = format!("inbox/{}/judge", request.as_str().unwrap());
    // The answer of the first try is lost.
    world.database().breaks_after(Break::AfterCommit, 4);
    for status in [503, 200, 200] {
        world.waits_ms(60_000);
        let response = shop.operator.sends(Method::Post, &path, None, "");
        assert!(response.status == 200 || status == 503, "{response:?}");
    }
    world.database().mends();
    let delivery = only_delivery(&shop);
    let begins = format!("msg_{arrived:012x}");
    assert!(delivery["delivery_id"].as_str().unwrap().starts_with(&begins), "{delivery}");
    assert_eq!(delivery["due_at"], delivery["created_at"]);
    assert!(delivery["due_at"].as_u64().unwrap() > arrived);
    assert_eq!((&delivery["happened_at"], &delivery["is_forced"]), (&json!(arrived), &json!(1)));
    assert_eq!(column(&delivery, "values")["VALUE"], "7.50");
}

#[test]
fn what_a_rule_changes_is_told() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "data_centre_action": "hold" }));
    connects(&shop, 1, json!(["Purchase"]), "statuses = '[\"hold\"]'");
    let id = shop.clicks_with(Headers { asn: "24940", ..person() }, 1);
    shop.reports(200, &format!("click_id={id}&order_id=A"));
    shop.edge.settles();
    assert_eq!(shop.count("deliveries"), 0);
    shop.edge.examines();
    assert_eq!(waiting(&shop), [json!([1, "webhook", "Purchase", 2, "hold"])]);
    assert!(shop.edge.isolate.memory.wake.take());
}

#[test]
fn a_rejection_of_all_events_of_a_click_is_told_of_each() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.operator.creates("events", json!({ "campaign_id": 1, "name": "Renew" }));
    connects(&shop, 1, json!(["Renew", "Purchase"]), "statuses = '[\"rejected\"]'");
    world.waits_ms(30_001);
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}"));
    shop.reports(200, &format!("click_id={id}&event_name=Renew"));
    shop.reports(200, &format!("click_id={id}&new_rejected_reason=fraud&all_events=true"));
    let names: BTreeSet<String> = waiting(&shop).iter().map(Value::to_string).collect();
    let name = |event: &str| json!([1, "webhook", event, 2, "rejected"]).to_string();
    assert_eq!(names, BTreeSet::from([name("Purchase"), name("Renew")]));
}

#[test]
fn a_thousand_changes_are_told_in_few_statements() {
    let world = World::new();
    let shop = Shop::with(
        &world,
        json!({ "conversions_per_click": "per_order", "site_events": { "Sale": "initial" } }),
    );
    for id in 1..=5 {
        connects(&shop, id, json!(["Sale"]), "statuses = '[\"rejected\"]'");
    }
    connects(&shop, 6, json!(["Sale"]), "affiliate_id = 1, statuses = '[\"rejected\"]'");
    let id = shop.clicks(1);
    for order in 0..1_000 {
        shop.reports(200, &format!("click_id={id}&order_id={order}"));
    }
    let item = |order: u32| json!({ "campaign_id": 1, "order_id": order.to_string(), "status": "rejected" });
    let items = json!({ "items": (0..1_000).map(item).collect::<Vec<_>>() });
    let before = world.database().statements();
    shop.operator.calls(Method::Post, "conversions/statuses", Some(items), 200);
    let statements = world.database().statements() - before;
    assert_eq!(shop.count("deliveries"), 6_000);
    assert!(statements <= 32, "{statements}; a free plan has 50");
}

#[test]
fn five_connectors_cost_ten_written_rows_one_statement_and_no_round_trip() {
    let sale = |connectors: u32| {
        let world = World::new();
        let shop = Shop::open(&world);
        for id in 1..=connectors {
            connects(&shop, id, json!(["Purchase"]), "");
        }
        shop.reports(200, &format!("click_id={}", shop.clicks(1)));
        let id = shop.clicks(1);
        let before = (world.database().batches(), world.database().statements());
        shop.reports(200, &format!("click_id={id}"));
        let database = world.database();
        let rows: u64 = ["conversions", "inbox", "deliveries"].iter().map(|t| shop.count(t)).sum();
        // Each delivery stands in one index: that of what is due.
        let indexes = shop
            .rows("SELECT sql FROM sqlite_schema WHERE tbl_name = 'deliveries' AND type = 'index'");
        let entered = indexes.iter().map(|index| {
            let (_, condition) = index["sql"].as_str().unwrap().split_once("WHERE").unwrap();
            shop.value(&format!("SELECT COUNT(*) FROM deliveries WHERE {condition}"))
                .as_u64()
                .unwrap()
        });
        (
            database.batches() - before.0,
            database.statements() - before.1,
            rows + entered.sum::<u64>(),
        )
    };
    let (batches, statements, rows) = sale(0);
    assert_eq!(sale(5), (batches, statements + 1, rows + 2 * 10));
    assert_eq!(batches, 1);
}

#[test]
fn the_story_of_a_conversion_tells_its_deliveries_and_their_attempts() {
    let world = World::new();
    let shop = open_to_pages(&world, json!({}));
    connects(&shop, 1, json!(["Purchase", "Lead"]), "");
    connects(&shop, 2, json!(["Purchase"]), "statuses = '[\"rejected\"]'");
    let id = shop.clicks(1);
    let first = shop.reports(200, &format!("click_id={id}&order_id=A"));
    // Others at the same moment are no part of it.
    shop.reports(200, &format!("click_id={}&order_id=B", shop.clicks(1)));
    page_sends(&shop, 200, &json!({ "event": "Lead", "click_id": id }).to_string());
    world.waits_ms(7_000);
    shop.reports(200, "campaign_id=1&order_id=A&new_rejected_reason=returned");
    world.database().execute(
        "INSERT INTO attempts SELECT namespace, delivery_id, n.value, happened_at + n.value * 1000, 'GET', \
         'https://receiver.example/?a=1', CASE n.value WHEN 1 THEN 500 ELSE 200 END, 12, \
         CASE n.value WHEN 1 THEN 'not 2xx' END, 'answer' FROM deliveries, json_each('[1,2]') AS n WHERE connector_id = 1",
    );
    let lines = |query: &str| -> Vec<String> {
        let story = shop.operator.sees(&format!("explain?{query}"));
        let entries = story["timeline"].as_array().unwrap().iter();
        let entries = entries.filter(|e| e["what"] == "delivery" || e["what"] == "attempt");
        entries.map(|e| e["because"].as_str().unwrap().to_owned()).collect()
    };
    let of_sale = [
        "connector 1 is told of Purchase by webhook: waiting, not before 2026-11-21T09:30:00.000Z",
        "attempt 1 of connector 1: answered 500: not 2xx",
        "attempt 2 of connector 1: answered 200",
        "connector 2 is told of Purchase by webhook: waiting, not before 2026-11-21T09:30:07.000Z",
    ];
    assert_eq!(lines("order_id=A"), of_sale);
    let conversion = first["conversion_id"].as_str().unwrap();
    assert_eq!(lines(&format!("conversion_id={conversion}")), of_sale);
    let of_click = lines(&format!("click_id={id}"));
    assert_eq!(of_click.len(), 7, "and the site event's: {of_click:?}");
    assert!(of_click.iter().any(|line| line.contains("told of Lead")));
}

#[test]
fn no_statement_about_deliveries_goes_through_those_of_others() {
    let world = World::new();
    let shop = open_to_pages(&world, json!({}));
    connects(
        &shop,
        1,
        json!(["Purchase", "Lead"]),
        "affiliate_id = 1, statuses = '[\"rejected\"]'",
    );
    connects(&shop, 2, json!(["Purchase", "Lead"]), "");
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}&order_id=A"));
    page_sends(
        &shop,
        200,
        &json!({ "event": "Lead", "click_id": id, "data": { "k": 1 } }).to_string(),
    );
    page_sends(&shop, 200, &json!({ "event": "Wish", "data": { "k": 1 } }).to_string());
    shop.reports(200, "campaign_id=1&order_id=A&new_rejected_reason=x");
    let item = json!({ "items": [{ "campaign_id": 1, "order_id": "A", "status": "approved" }] });
    shop.operator.calls(Method::Post, "conversions/statuses", Some(item), 200);
    shop.operator.sees(&format!("explain?click_id={id}"));
    shop.operator.calls(Method::Delete, &format!("persons?click_id={id}"), None, 200);
    let tables = ["deliveries", "connectors", "event_keys"];
    let plans = world.database().plans().into_iter();
    // A namespace's settings are read with all its rates.
    let is_about = |sql: &str| {
        tables.iter().any(|table| sql.contains(table)) && !sql.contains("FROM namespaces")
    };
    let about: Vec<_> = plans.filter(|(sql, _)| is_about(sql)).collect();
    assert!(about.len() >= 10, "{about:#?}");
    for (sql, steps) in about {
        for step in steps {
            let is_list = step.contains("VIRTUAL TABLE") || step.contains("CONSTANT ROW");
            let is_scan = step.starts_with("SCAN") && !is_list;
            assert!(!is_scan && !step.ends_with("(namespace=?)"), "{step}: {sql}");
        }
    }
}
