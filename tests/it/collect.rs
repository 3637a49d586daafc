//! Site events (wire.md 8): who may report them, how many, and when one becomes a conversion.

use backtrail::http::request::{Headers, Method};
use backtrail::http::response::{Body, Response};
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::shop::{person, text};
use crate::support::world::json_of;
use crate::support::{Shop, World};

const ORIGIN: &str = "https://shop.example";

fn open(world: &World) -> Shop<'_> {
    let campaign = json!({ "is_pixel_allowed": true, "site_events": { "Purchase": "initial" } });
    let shop = Shop::with(world, campaign);
    shop.operator.changes("namespaces/demo", json!({ "collect_origins": [ORIGIN] }));
    shop
}

fn sends(shop: &Shop<'_>, headers: Headers<'_>, body: &str) -> Response {
    let address = format!("{}/collect", shop.host);
    shop.edge.answers(Method::Post, &address, headers, body.as_bytes())
}

fn page() -> Headers<'static> {
    Headers { origin: ORIGIN, content_type: "text/plain", ..person() }
}

#[test]
fn a_mapped_event_becomes_a_pending_conversion_once() {
    let world = World::new();
    let shop = open(&world);
    let id = shop.clicks(2);
    let event = |name: &str, data: Value| {
        json!({ "event": name, "click_id": id, "data": data }).to_string()
    };
    let reply = |body: String| json_of(&sends(&shop, page(), &body), 200);
    for name in ["AddToCart", "Wishlist"] {
        let noted = reply(event(name, json!({ "value": 5 })));
        let nothing =
            json!({ "received": true, "conversion": null, "is_arrival_kept": true, "pixels": [] });
        assert_eq!(noted, nothing);
    }
    // Here transaction_id is the merchant's, and status is nobody's.
    let data = json!({ "value": 49.9, "currency": "USD", "eventId": "A", "transaction_id": "T", "status": "approved" });
    let first = reply(event("Purchase", data.clone()));
    assert_eq!(
        (&first["conversion"]["verdict"], &first["conversion"]["status"]),
        (&json!("recorded"), &json!("pending"))
    );
    assert_eq!(
        (&first["conversion"]["payout"], &first["conversion"]["affiliate_id"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(reply(event("Purchase", data))["conversion"]["verdict"], "duplicate");
    let row = shop
        .rows("SELECT click_id, affiliate_id, order_id, amount, source, proof FROM conversions")
        .remove(0);
    assert_eq!(
        row,
        json!({ "click_id": id, "affiliate_id": 2, "order_id": "A", "amount": null, "source": "collect", "proof": "nothing" })
    );
    let names = shop.rows("SELECT name FROM site_event_names ORDER BY name");
    // Standard names are known, and a mapped event's name stands in its campaign.
    assert_eq!(names, [json!({ "name": "Wishlist" })]);
    shop.changes_campaign(json!({ "is_pixel_allowed": false }));
    let id = shop.clicks(1);
    let body = json!({ "event": "Purchase", "click_id": id }).to_string();
    assert_eq!(json_of(&sends(&shop, page(), &body), 401)["conversion"]["reason"], "bad_token");
    assert_eq!(shop.count("conversions"), 1);
}

#[test]
fn only_listed_origins_are_heard_and_they_are_echoed() {
    let world = World::new();
    let shop = open(&world);
    let body = json!({ "event": "PageView" }).to_string();
    for origin in [
        "",
        "null",
        "https://evil.example",
        "http://shop.example",
        "https://shop.example.evil.example",
        "https://shop.example:8443",
    ] {
        let response = sends(&shop, Headers { origin, ..page() }, &body);
        assert_eq!(json_of(&response, 403)["verdict"], "rejected", "{origin}");
        assert_eq!(response.header("access-control-allow-origin"), None);
        assert_eq!(response.header("vary"), Some("Origin"));
    }
    let response = sends(&shop, page(), &body);
    assert_eq!(response.status, 200);
    let header = |name: &str| response.header(name).map(str::to_owned);
    assert_eq!(header("access-control-allow-origin").as_deref(), Some(ORIGIN));
    assert_eq!(
        (header("vary").as_deref(), header("access-control-allow-credentials")),
        (Some("Origin"), None)
    );
    let address = format!("{}/collect", shop.host);
    let preflight = shop.edge.answers(Method::Options, &address, page(), b"");
    assert_eq!((preflight.status, &preflight.body), (204, &Body::Empty));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("POST"));
}

#[test]
fn events_are_small_few_and_have_at_most_200_names() {
    let world = World::new();
    let shop = open(&world);
    let large = json!({ "event": "PageView", "page": "x".repeat(8_192) }).to_string();
    assert_eq!(json_of(&sends(&shop, page(), &large), 413)["reason"], "too_large");
    for n in 0..201 {
        world.waits_ms(1_000);
        let body = json!({ "event": format!("E{n}") }).to_string();
        let response = sends(&shop, page(), &body);
        assert_eq!(response.status, if n < 200 { 200 } else { 400 }, "{}", text(&response));
    }
    // One of the 200 is taken still.
    assert_eq!(sends(&shop, page(), &json!({ "event": "E0" }).to_string()).status, 200);
    assert_eq!(shop.count("site_event_names"), 200);
}

#[test]
fn a_visitor_who_posts_too_often_is_told_to_wait_and_others_are_not() {
    let world = World::new();
    let shop = open(&world);
    let body = json!({ "event": "PageView" }).to_string();
    let statuses: Vec<u16> = (0..121).map(|_| sends(&shop, page(), &body).status).collect();
    assert!(statuses[..120].iter().all(|status| *status == 200));
    let response = sends(&shop, page(), &body);
    assert_eq!(json_of(&response, 429)["reason"], "rate_limited");
    assert!(response.header("retry-after").is_some());
    assert_eq!(sends(&shop, Headers { client_ip: "203.0.113.8", ..page() }, &body).status, 200);
    world.waits_ms(60_000);
    assert_eq!(sends(&shop, page(), &body).status, 200);
}

#[test]
fn an_event_is_not_acknowledged_while_the_ledger_is_down() {
    let world = World::new();
    let shop = open(&world);
    let id = shop.clicks(1);
    let body = json!({ "event": "Purchase", "click_id": id }).to_string();
    sends(&shop, page(), &json!({ "event": "PageView" }).to_string());
    world.database().breaks(Break::BeforeCommit, usize::MAX);
    let response = sends(&shop, page(), &body);
    assert_eq!((response.status, response.header("retry-after")), (503, Some("5")));
    assert_eq!(response.header("access-control-allow-origin"), Some(ORIGIN));
    world.database().mends();
    assert_eq!(json_of(&sends(&shop, page(), &body), 200)["conversion"]["verdict"], "recorded");
}

#[test]
fn the_site_script_is_small_cacheable_and_any_pages() {
    let world = World::new();
    let shop = open(&world);
    let response = shop.visits("/tracker.js");
    assert_eq!(
        (response.status, response.header("content-type")),
        (200, Some("text/javascript; charset=utf-8"))
    );
    assert!(response.header("cache-control").unwrap().contains("max-age="));
    assert!(text(&response).len() < 8_000, "4 KB gzipped are about 8 KB");
}

#[test]
fn health_says_which_stores_answer_and_when_the_cron_job_is_late() {
    let world = World::new();
    let shop = open(&world);
    let health = |status: u16| json_of(&shop.visits("/health"), status);
    let warnings = |health: &Value| health["warnings"].as_array().unwrap().len();
    assert_eq!(warnings(&health(200)), 1, "the cron job has never run");
    shop.edge.ticks();
    let good = health(200);
    assert_eq!(
        (&good["status"], &good["ledger"], &good["copies"], warnings(&good)),
        (&json!("ok"), &json!("ok"), &json!("ok"), 0)
    );
    world.waits_ms(300_000);
    assert_eq!(warnings(&health(200)), 0);
    world.waits_ms(1);
    assert_eq!(warnings(&health(200)), 1);
    world.stores.blobs.breaks();
    assert_eq!(health(200)["copies"], "down");
    world.database().breaks(Break::BeforeCommit, usize::MAX);
    let down = health(503);
    assert_eq!((&down["status"], &down["ledger"]), (&json!("down"), &json!("down")));
}

#[test]
fn a_sum_that_javascript_added_up_is_an_amount_all_the_same() {
    let world = World::new();
    let shop = open(&world);
    shop.changes_campaign(json!({ "is_amount_trusted": true }));
    for (value, amount) in [(json!(1.1 + 2.2), 330), (json!(1e-9), 0), (json!(49.9), 4_990)] {
        let id = shop.clicks(1);
        let data = json!({ "value": value, "eventId": id });
        let body = json!({ "event": "Purchase", "click_id": id, "data": data }).to_string();
        assert_eq!(json_of(&sends(&shop, page(), &body), 200)["conversion"]["verdict"], "recorded");
        let of_id = format!("SELECT amount FROM conversions WHERE click_id = '{id}'");
        assert_eq!(shop.rows(&of_id).remove(0)["amount"], amount);
    }
    let id = shop.clicks(1);
    for value in [json!(-1), json!(1e15), json!("1,5")] {
        let data = json!({ "value": value });
        let body = json!({ "event": "Purchase", "click_id": id, "data": data }).to_string();
        sends(&shop, page(), &body);
    }
    assert_eq!(shop.count("conversions"), 3);
}
