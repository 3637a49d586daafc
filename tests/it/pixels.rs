//! Pixels: each waits for its visitor's browser, and fires once, if it is approved as it is.

use backtrail::app::pixels::{Ended, Pixels as _};
use backtrail::domain::delivery::State;
use backtrail::domain::namespace::Namespace;
use backtrail::domain::time::DAY_MS;
use backtrail::http::request::Method;
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::visitor::{Visitor, open};
use crate::support::{Shop, World, block_on};

const CODE: &str = "<b>{{VALUE}}|{{EMAIL}}|{{SUB1}}{{NOTE}}</b>";

fn connects(shop: &Shop<'_>, more: Value) -> Value {
    let mut fields = json!({ "pixel": { "code": CODE }, "is_pixel_on": true });
    for (field, value) in more.as_object().unwrap() {
        fields[field] = value.clone();
    }
    shop.connects("pixel", &[], fields)
}

fn approves(shop: &Shop<'_>, connector: &Value) {
    let path = format!("connectors/{}/approve", connector["id"]);
    shop.operator.calls(Method::Post, &path, None, 200);
}

fn approved(shop: &Shop<'_>, more: Value) -> Value {
    let connector = connects(shop, more);
    approves(shop, &connector);
    connector
}

/// The code of pixels.
fn html(pixels: &[Value]) -> Vec<&str> {
    pixels.iter().map(|pixel| pixel["html"].as_str().unwrap()).collect()
}

#[test]
fn what_a_browser_reports_fires_the_pixel_with_the_answer_and_once() {
    let world = World::new();
    let shop = open(&world);
    let connector = approved(&shop, json!({}));
    let visitor = Visitor::of(&shop, 1);
    let data = json!({ "value": 15, "note": "<script>", "email": "jane@example.com" });
    let pixels = visitor.tracks("Purchase", data);
    assert_eq!(html(&pixels), ["<b>15|jane@example.com|&#60;script&#62;</b>"]);
    assert_eq!(pixels[0]["is_sandboxed"], true);
    let row = shop.rows("SELECT * FROM deliveries").remove(0);
    assert_eq!(pixels[0]["id"], row["delivery_id"]);
    assert_eq!(
        (&row["state"], &row["personal"], &row["attempts"]),
        (&json!("delivered"), &Value::Null, &json!(1))
    );
    let line = shop.rows("SELECT * FROM attempts").remove(0);
    assert_eq!(line["method"], "PIXEL");
    assert!(line["url"].as_str().unwrap().contains("15|j***@example.com|"), "{line}");
    assert!(visitor.tracks("PageView", json!({})).is_empty());
    assert_eq!(shop.states(&connector), ["delivered"]);
}

#[test]
fn what_a_server_reports_waits_for_the_browser_that_brought_the_click() {
    let world = World::new();
    let shop = open(&world);
    let connector = approved(&shop, json!({}));
    let click_id = shop.clicks(1);
    shop.edge.settles();
    let (jane, bob) = (Visitor::of(&shop, 1), Visitor::of(&shop, 2));
    jane.arrives(&format!("click_id={click_id}"));
    world.waits_ms(1);
    // Somebody else who has the address.
    bob.arrives(&format!("click_id={click_id}"));
    shop.reports(200, &format!("click_id={click_id}&order_id=A&amount=15.00"));
    assert_eq!(shop.states(&connector), ["waiting"]);
    assert_eq!(html(&bob.tracks("PageView", json!({}))), [""; 0]);
    assert_eq!(html(&jane.tracks("PageView", json!({}))), ["<b>15.00||</b>"]);
    assert_eq!(html(&jane.tracks("PageView", json!({}))), [""; 0]);
    assert_eq!(shop.states(&connector), ["delivered"]);
}

#[test]
fn a_pixel_nobody_comes_for_within_a_day_does_not_fire_later() {
    let world = World::new();
    let shop = open(&world);
    approved(&shop, json!({}));
    let [first, second] = [shop.clicks(1), shop.clicks(1)];
    let visitor = Visitor::of(&shop, 1);
    visitor.arrives(&format!("click_id={first}"));
    visitor.arrives(&format!("click_id={second}"));
    shop.reports(200, &format!("click_id={first}&order_id=A&amount=1"));
    world.waits_ms(1);
    shop.reports(200, &format!("click_id={second}&order_id=B&amount=2"));
    world.waits_ms(DAY_MS - 1);
    // It is 24 hours after the first, and a moment less after the second.
    assert_eq!(html(&visitor.tracks("PageView", json!({}))), ["<b>2||</b>"]);
}

#[test]
fn an_unapproved_pixel_does_not_fire_and_neither_does_one_that_was_changed_since() {
    let world = World::new();
    let shop = open(&world);
    let connector = connects(&shop, json!({}));
    let path = format!("connectors/{}", connector["id"]);
    let visitor = Visitor::of(&shop, 1);
    let tracks = || visitor.tracks("Purchase", json!({ "value": 1 })).len();
    assert_eq!((tracks(), shop.states(&connector)), (0, vec!["not_approved".to_owned()]));
    approves(&shop, &connector);
    assert_eq!(tracks(), 1);
    for change in [json!({ "code": "<i>{{VALUE}}</i>" }), json!({ "is_sandboxed": false })] {
        world.waits_ms(1);
        shop.operator.changes(&path, json!({ "pixel": change }));
        assert_eq!(
            (tracks(), shop.states(&connector).pop().unwrap()),
            (0, "not_approved".to_owned())
        );
        world.waits_ms(1);
        approves(&shop, &connector);
        assert_eq!(tracks(), 1, "the control");
    }
}

#[test]
fn a_connector_that_is_disabled_or_has_its_pixel_off_keeps_what_waits() {
    let world = World::new();
    let shop = open(&world);
    let connector = approved(&shop, json!({}));
    let path = format!("connectors/{}", connector["id"]);
    let click_id = shop.clicks(1);
    shop.edge.settles();
    let visitor = Visitor::of(&shop, 1);
    visitor.arrives(&format!("click_id={click_id}"));
    shop.reports(200, &format!("click_id={click_id}&order_id=A"));
    for (off, on) in [
        (json!({ "mode": "disabled" }), json!({ "mode": "enabled" })),
        (json!({ "is_pixel_on": false }), json!({ "is_pixel_on": true })),
    ] {
        shop.operator.changes(&path, off);
        assert_eq!(visitor.tracks("PageView", json!({})).len(), 0);
        assert_eq!(shop.states(&connector), ["waiting"]);
        shop.operator.changes(&path, on);
    }
    world.waits_ms(30_001);
    assert_eq!(visitor.tracks("PageView", json!({})).len(), 1);
}

#[test]
fn in_test_mode_a_pixel_is_shown_in_the_log_and_fires_only_where_it_is_forced() {
    let world = World::new();
    let shop = open(&world);
    let connector = connects(&shop, json!({ "mode": "test" }));
    let visitor = Visitor::of(&shop, 1);
    assert_eq!(visitor.tracks("Purchase", json!({ "value": 15 })).len(), 0);
    assert_eq!(shop.states(&connector), ["logged"]);
    assert_eq!(shop.value("SELECT url FROM attempts"), "<b>15||</b>");
    approves(&shop, &connector);
    world.waits_ms(1);
    let page = "https://shop.example/thanks?trl_test=1";
    let body = json!({ "event": "Purchase", "page": page, "data": { "value": 16 } });
    let answer = visitor.reports(body);
    assert_eq!(html(answer["pixels"].as_array().unwrap()), ["<b>16||</b>"]);
    assert_eq!(shop.states(&connector), ["logged", "delivered"]);
}

#[test]
fn a_pixel_with_matching_fires_for_whom_its_platform_sent() {
    let world = World::new();
    let shop = open(&world);
    let matching = json!({ "parameter": "cid", "model": "last", "window_days": 7 });
    let code = json!({ "code": "<b>{{CLICK_ID}}</b>" });
    let connector = approved(&shop, json!({ "matching": matching, "pixel": code }));
    let (jane, bob) = (Visitor::of(&shop, 1), Visitor::of(&shop, 2));
    jane.arrives("cid=theirs");
    assert_eq!(html(&jane.tracks("Purchase", json!({}))), ["<b>theirs</b>"]);
    world.waits_ms(1);
    assert_eq!(html(&bob.tracks("Purchase", json!({}))), [""; 0]);
    assert_eq!(shop.states(&connector), ["delivered", "no_click_match"]);
}

#[test]
fn a_pixel_that_names_the_clicks_sub_id_waits_for_its_row() {
    let world = World::new();
    let shop = open(&world);
    approved(&shop, json!({}));
    let [first, second] = [1, 2].map(|_| {
        let redirect = shop.visits("/click?campaign_id=1&ref_id=1&sub1=s");
        crate::support::shop::id_in(&crate::support::shop::location(&redirect))
    });
    let visitor = Visitor::of(&shop, 1);
    let lead = |click_id: &str| {
        let answer = visitor.reports(json!({ "event": "Lead", "click_id": click_id }));
        html(answer["pixels"].as_array().unwrap()).join(",")
    };
    assert_eq!(lead(&first), "");
    shop.edge.settles();
    assert_eq!(lead(&second), "<b>||s</b>,<b>||s</b>");
}

#[test]
fn a_pixel_waits_for_a_click_that_could_not_be_read_however_long_that_takes() {
    let world = World::new();
    let shop = open(&world);
    let connector = approved(&shop, json!({}));
    let redirect = shop.visits("/click?campaign_id=1&ref_id=1&sub1=s");
    let click_id = crate::support::shop::id_in(&crate::support::shop::location(&redirect));
    shop.edge.settles();
    world.database().execute("DELETE FROM clicks");
    world.stores.blobs.breaks();
    let visitor = Visitor::of(&shop, 1);
    visitor.reports(json!({ "event": "Lead", "click_id": click_id }));
    world.waits_ms(3 * 60_000);
    assert!(visitor.tracks("PageView", json!({})).is_empty());
    assert_eq!(shop.states(&connector), ["waiting"]);
    world.stores.blobs.mends();
    assert_eq!(html(&visitor.tracks("PageView", json!({}))), ["<b>||s</b>"]);
}

#[test]
fn of_two_answers_one_has_the_pixel() {
    let world = World::new();
    let shop = open(&world);
    approved(&shop, json!({}));
    let click_id = shop.clicks(1);
    let visitor = Visitor::of(&shop, 1);
    visitor.arrives(&format!("click_id={click_id}"));
    shop.reports(200, &format!("click_id={click_id}&order_id=A"));
    let demo = Namespace::parse("demo").unwrap();
    let stores = &shop.edge.stores;
    let seen = || {
        let found = block_on(stores.waiting_pixels(&demo, &visitor.name, world.now())).unwrap();
        let end = |pixel: backtrail::domain::delivery::pixel::WaitingPixel| Ended {
            delivery_id: pixel.delivery_id,
            state: State::Delivered,
            shown: Some("shown".into()),
            error: None,
        };
        found.0.into_iter().map(end).collect::<Vec<Ended>>()
    };
    let (one, other) = (seen(), seen());
    assert_eq!((one.len(), &one), (1, &other));
    let ended = |ended: &[Ended]| block_on(stores.end_pixels(&demo, ended, world.now())).unwrap();
    assert_eq!((ended(&one).len(), ended(&other).len()), (1, 0));
    assert_eq!((shop.count("attempts"), seen().len()), (1, 0));
}

#[test]
fn while_the_ledger_fails_pixels_wait_and_the_event_counts() {
    let world = World::new();
    let shop = open(&world);
    let connector = approved(&shop, json!({}));
    let visitor = Visitor::of(&shop, 1);
    visitor.tracks("PageView", json!({}));
    // The event's own deliveries, what waits, and then the end of that.
    for well in [1, 2] {
        world.waits_ms(1);
        world.database().breaks_after(Break::BeforeCommit, well);
        assert_eq!(visitor.tracks("Purchase", json!({})).len(), 0);
        world.database().mends();
    }
    assert_eq!(shop.states(&connector), ["waiting", "waiting"]);
    assert_eq!(visitor.tracks("PageView", json!({})).len(), 2);
}

#[test]
fn no_statement_for_visitors_goes_through_a_whole_table() {
    let world = World::new();
    let shop = open(&world);
    let before = world.database().plans();
    let matching = json!({ "parameter": "cid", "model": "last", "window_days": 7 });
    approved(&shop, json!({ "matching": matching }));
    shop.connects("x", &["{{EMAIL}}", "{{SUB1}}"], json!({ "matching": matching }));
    let click_id = shop.clicks(1);
    let visitor = Visitor::of(&shop, 1);
    let address = format!("https://shop.example/?click_id={click_id}&cid=c&gclid=g");
    let contact = json!({ "email": "jane@example.com" });
    visitor.reports(json!({ "arrival": address, "contact": contact, "click_id": click_id }));
    visitor.tracks("Purchase", json!({}));
    shop.reports(200, &format!("click_id={click_id}&order_id=A"));
    shop.edge.settles();
    visitor.tracks("PageView", json!({}));
    shop.delivers();
    shop.edge.ticks();
    let tables = ["touches", "visitors ", "deliveries", "connectors"];
    let mut seen = 0;
    for (sql, steps) in world.database().plans().into_iter().filter(|p| !before.contains(p)) {
        if !tables.iter().any(|table| sql.contains(table)) || sql.contains("MAX(id)") {
            continue;
        }
        seen += 1;
        for step in steps {
            let is_list = step.contains("VIRTUAL TABLE") || step.contains("CONSTANT ROW");
            let is_small =
                ["SCAN (", "SCAN pair", "SCAN p", "SCAN k", "SCAN stale", "SCAN heartbeats"];
            let is_small = is_small.iter().any(|small| step.starts_with(small));
            assert!(is_list || is_small || !step.starts_with("SCAN"), "{step}: {sql}");
            let is_few = step.contains("connectors_") || step.contains("SEARCH connectors");
            assert!(is_few || !step.ends_with("(namespace=?)"), "{step}: {sql}");
        }
    }
    assert!(seen > 8, "{seen}");
}
