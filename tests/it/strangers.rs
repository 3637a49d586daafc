//! What strangers can cost, fill, take away or find out: nothing that others notice.

use backtrail::domain::click_id::Keyring;
use backtrail::http::request::{Headers, Method};
use backtrail::http::response::Response;
use serde_json::{Value, json};

use crate::support::shop::{TOKEN, person, server, text};
use crate::support::world::{World, json_of};
use crate::support::{Edge, Shop};

/// D1 is asked for so many values a second that turn out not to exist, by one isolate.
const GUESSES: usize = 100;

#[test]
fn whoever_guesses_links_or_tokens_asks_the_ledger_a_hundred_times_a_second_at_most() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.clicks(1);
    let asked = |guess: &dyn Fn(usize) -> Response| -> (usize, u16) {
        let before = world.database().batches();
        let last = (0..3 * GUESSES).map(guess).last().unwrap();
        (world.database().batches() - before, last.status)
    };
    let link = |n: usize| shop.visits(&format!("/click?ref_id={}", 1_000 + n));
    assert_eq!(asked(&link), (GUESSES, 503));
    // Links that are known, in memory or as a copy, are followed all the same.
    shop.clicks(1);
    let other = Edge::of(&world);
    for number in 0..=GUESSES {
        let address = format!("{}/click?ref_id={}", shop.host, 2_000 + number);
        other.answers(Method::Get, &address, person(), b"");
    }
    let known = format!("{}/click?campaign_id=1&ref_id=1", shop.host);
    assert_eq!(other.answers(Method::Get, &known, person(), b"").status, 302);

    world.waits_ms(1_000);
    let token = |n: usize| shop.asks(&format!("order_id=A&token=guess-{n}"));
    assert_eq!(asked(&token), (GUESSES, 503));
    // The next second is a new one.
    world.waits_ms(1_000);
    assert_eq!(link(9_999).status, 404);
}

#[test]
fn refusals_under_made_up_names_fill_no_table() {
    let world = World::new();
    let shop = Shop::open(&world);
    for number in 0..20 {
        let host = format!("made-up-{number}-tracking.example.com");
        for query in ["amount=x", "amount=1", "click_id=x&token=y"] {
            let address = format!("{host}/postback?{query}");
            shop.edge.answers(Method::Get, &address, server(), b"");
        }
    }
    shop.asks("amount=x");
    shop.edge.settles();
    let rows = shop.rows("SELECT DISTINCT namespace FROM refusals ORDER BY 1");
    assert_eq!(rows, [json!({ "namespace": "" }), json!({ "namespace": "demo" })]);
    let rows = shop.rows("SELECT DISTINCT namespace FROM refusal_samples ORDER BY 1");
    assert_eq!(rows, [json!({ "namespace": "" }), json!({ "namespace": "demo" })]);
}

#[test]
fn what_cannot_be_read_is_not_quoted() {
    let world = World::new();
    let shop = Shop::open(&world);
    let body = br#""token=btp_not-for-the-samples""#;
    let response = shop.posts("/postback", "application/json", body);
    let told = json_of(&response, 400).to_string();
    shop.edge.settles();
    let kept = format!("{:?}", shop.rows("SELECT * FROM refusal_samples"));
    assert!(!told.contains("btp_") && !kept.contains("btp_"), "{told} {kept}");
}

/// A site event of a page that may report.
fn reports_event(shop: &Shop<'_>, body: Value) -> Value {
    let headers = Headers { origin: "https://shop.example", ..person() };
    let address = format!("{}/collect", shop.host);
    let response = shop.edge.answers(Method::Post, &address, headers, body.to_string().as_bytes());
    serde_json::from_str(text(&response)).unwrap()
}

#[test]
fn made_up_events_keep_no_conversion_out() {
    let world = World::new();
    let events = json!({ "is_pixel_allowed": true, "site_events": { "Order done": "initial" } });
    let shop = Shop::with(&world, events);
    shop.operator
        .changes("namespaces/demo", json!({ "collect_origins": ["https://shop.example"] }));
    for number in 0..=200 {
        let told = reports_event(&shop, json!({ "event": format!("made up {number}") }));
        assert_eq!(told["reason"] == "invalid_parameter", number == 200, "{number}: {told}");
        world.waits_ms(1_000);
    }
    assert_eq!(shop.count("site_event_names"), 200);
    assert_eq!(reports_event(&shop, json!({ "event": "AddToCart" }))["received"], true);
    let done = json!({ "event": "Order done", "click_id": shop.clicks(1) });
    assert_eq!(reports_event(&shop, done)["conversion"]["verdict"], "recorded");
}

#[test]
fn a_deny_list_holds_for_browsers_too_and_an_allow_list_names_servers() {
    let world = World::new();
    let shop = Shop::with(
        &world,
        json!({ "is_pixel_allowed": true, "ip_allow": ["198.51.100.0/24"], "ip_deny": ["203.0.113.9"] }),
    );
    let verdict = |client_ip: &'static str| {
        let id = shop.clicks(1);
        let headers = Headers { client_ip, ..person() };
        let response = shop.visits_with(headers, &format!("/pixel.gif?click_id={id}"));
        response.header("x-backtrail-verdict").unwrap().to_owned()
    };
    assert_eq!(verdict("203.0.113.7"), "recorded");
    assert_eq!(verdict("203.0.113.9"), "rejected ip_not_allowed");
    assert_eq!(verdict(""), "rejected ip_not_allowed");
}

#[test]
fn an_id_that_no_key_verifies_is_unknown_in_every_campaign_but_that_of_its_conversion() {
    let world = World::new();
    let shop = Shop::open(&world);
    let operator = &shop.operator;
    operator.creates("advertisers", json!({ "name": "Rival" }));
    let rival = json!({
        "name": "Rival's", "advertiser_id": 2, "currency": "USD", "authentication": "token",
        "payout_fixed": "1.00", "is_conflict_updated": true,
    });
    operator.creates("campaigns", rival);
    let rivals = "btp_campaign-2-0123456789abcdefghijklmn";
    operator.creates("tokens", json!({ "level": "campaign", "level_id": 2, "token": rivals }));
    let id = shop.clicks(1);
    let first = shop.reports(200, &format!("click_id={id}&order_id=A&amount=10"));

    // Its key is retired.
    let mut settings = World::settings();
    settings.keyring = Keyring::parse("1:11111111111111111111111111111111").unwrap();
    let edge = Edge::with(&world, settings);
    let asks = |query: &str, status: u16| {
        let address = format!("{}/postback?click_id={id}&{query}", shop.host);
        json_of(&edge.answers(Method::Get, &address, server(), b""), status)
    };
    for query in ["", "&campaign_id=2", "&order_id=A&amount=99", "&amount=99"] {
        let told = asks(&format!("token={rivals}{query}"), 404);
        assert_eq!(told["reason"], "unknown_click", "{query}: {told}");
    }
    let again = asks(&format!("order_id=A&amount=10&token={TOKEN}"), 200);
    assert_eq!((&again["verdict"], &again["payout"]), (&json!("duplicate"), &first["payout"]));
}

#[test]
fn nobody_takes_a_host_of_the_installation_away_from_others() {
    let world = World::new();
    let demo = world.operator_of("demo");
    let key = demo.creates("keys", json!({ "name": "k", "scopes": ["read", "write"] }));
    let tenant = demo.with_key(&key["key"]);
    for host in ["example.com", "api.example.com", "A.B.example.com"] {
        tenant.is_told(
            Method::Post,
            "hosts",
            json!({ "hostname": host }),
            &["hostname: root_only"],
        );
    }
    tenant.creates("hosts", json!({ "hostname": "go.notexample.com" }));
    demo.creates("hosts", json!({ "hostname": "go.example.com" }));
}
