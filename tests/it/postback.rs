//! What a postback is answered (wire.md 2, 5, 6): the body, every reason that exists in this
//! version, and which one wins where several apply.

use backtrail::http::request::{Headers, Method};
use serde_json::{Value, json};

use crate::support::shop::{TOKEN, server, text};
use crate::support::world::json_of;
use crate::support::{Shop, World};

#[test]
fn the_reply_has_every_key_in_its_order() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    let response = shop.asks(&format!("click_id={id}&order_id=A&amount=49.90&token={TOKEN}"));
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let body = json_of(&response, 200);
    let conversion_id = body["conversion_id"].as_str().unwrap();
    let request_id = body["request_id"].as_str().unwrap();
    assert_eq!(
        text(&response),
        format!(
            "{{\"verdict\":\"recorded\",\"reason\":null,\"conversion_id\":\"{conversion_id}\",\
             \"click_id\":\"{id}\",\"campaign_id\":1,\"affiliate_id\":1,\"event\":null,\
             \"status\":\"approved\",\"revenue\":{{\"amount\":\"8.00\",\"currency\":\"USD\"}},\
             \"payout\":{{\"amount\":\"5.00\",\"currency\":\"USD\"}},\"warnings\":[],\
             \"request_id\":\"{request_id}\"}}"
        )
    );
    assert_eq!(request_id, shop.value("SELECT request_id FROM inbox"));
    assert_eq!(conversion_id, shop.value("SELECT conversion_id FROM conversions"));
}

#[test]
fn a_refusal_adds_parameter_and_detail_and_still_has_every_key() {
    let world = World::new();
    let shop = Shop::open(&world);
    let body = shop.is_refused((404, "unknown_click"), "click_id=nonsense&campaign_id=1");
    let keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = vec![
        "verdict",
        "reason",
        "conversion_id",
        "click_id",
        "campaign_id",
        "affiliate_id",
        "event",
        "status",
        "revenue",
        "payout",
        "warnings",
        "request_id",
        "parameter",
        "detail",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(body["parameter"], "click_id");
    assert_eq!(body["warnings"], json!([]));
}

/// A campaign with which every refusal behind authentication can be had.
fn difficult(world: &World) -> (Shop<'_>, String) {
    let shop = Shop::with(world, json!({ "payout_percent": "10", "window_days": 1 }));
    let other =
        json!({ "name": "B", "advertiser_id": 1, "currency": "USD", "authentication": "token" });
    shop.operator.creates("campaigns", other);
    let id = shop.clicks(1);
    (shop, id)
}

#[test]
fn every_reason_comes_with_its_status_and_its_parameter() {
    let world = World::new();
    let (shop, id) = difficult(&world);
    let done = shop.clicks(1);
    shop.reports(200, &format!("click_id={done}&order_id=DONE&amount=10"));
    let long = "x".repeat(129);
    let cases: Vec<(u16, &str, Value, String)> = vec![
        (400, "missing_parameter", json!("amount"), format!("click_id={id}")),
        (400, "invalid_parameter", json!("amount"), format!("click_id={id}&amount=1,5")),
        (
            400,
            "invalid_parameter",
            json!("purchase_value"),
            format!("click_id={id}&purchase_value=1e309"),
        ),
        (400, "invalid_parameter", json!("offer"), format!("click_id={id}&amount=1&offer=one")),
        (
            400,
            "invalid_parameter",
            json!("order_id"),
            format!("click_id={id}&amount=1&order_id={long}"),
        ),
        (
            400,
            "invalid_parameter",
            json!("event_id"),
            format!("click_id={id}&amount=1&event_id=05"),
        ),
        (
            400,
            "invalid_parameter",
            json!("currency"),
            format!("click_id={id}&amount=1&currency=EURO"),
        ),
        (
            400,
            "invalid_parameter",
            json!("response"),
            format!("click_id={id}&amount=1&response=xml"),
        ),
        (
            400,
            "invalid_parameter",
            json!("conversion_time"),
            format!("click_id={id}&amount=1&conversion_time=soon"),
        ),
        (
            400,
            "invalid_parameter",
            json!("transaction_id"),
            format!("click_id={id}&transaction_id=x"),
        ),
        (400, "invalid_parameter", json!("click_id"), "click_id=%FF%FE".to_owned()),
        (
            400,
            "placeholder_not_replaced",
            json!("transaction_id"),
            "transaction_id={click_id}".to_owned(),
        ),
        (400, "placeholder_not_replaced", json!("click_id"), "click_id=CLICK_ID".to_owned()),
        (400, "unmapped_status", json!("status"), format!("click_id={id}&amount=1&status=paid")),
        (404, "unknown_campaign", json!("campaign_id"), "campaign_id=99".to_owned()),
        (404, "unknown_event", json!("event_id"), format!("click_id={id}&amount=1&event_id=5")),
        (
            404,
            "unknown_event",
            json!("event_name"),
            format!("click_id={id}&amount=1&event_name=purchase"),
        ),
        (
            404,
            "unknown_click",
            json!("click_id"),
            "campaign_id=1&click_id=nonsense&amount=1".to_owned(),
        ),
        (409, "conflict", json!("amount"), format!("click_id={done}&amount=11")),
        (
            409,
            "campaign_mismatch",
            json!("campaign_id"),
            format!("click_id={id}&amount=1&campaign_id=2"),
        ),
        (409, "invalid_transition", json!("status"), format!("click_id={done}&status=pending")),
        (
            409,
            "refund_too_large",
            json!("amount"),
            format!("click_id={done}&amount=11&status=refunded"),
        ),
        (
            404,
            "unknown_click",
            json!("click_id"),
            format!("click_id={id}&amount=1&status=refunded"),
        ),
        (
            404,
            "unknown_order",
            json!("order_id"),
            format!("click_id={id}&order_id=NONE&status=refunded"),
        ),
        (422, "no_attribution", json!("click_id"), "campaign_id=1&amount=1".to_owned()),
        (
            422,
            "repeated_conversion",
            json!("order_id"),
            format!("click_id={done}&amount=10&order_id=NEW"),
        ),
        (
            422,
            "no_exchange_rate",
            json!("currency"),
            format!("click_id={id}&amount=1&currency=EUR"),
        ),
    ];
    // The namespace's own token works for everything, also for a campaign that does not exist.
    let token = shop.operator.creates("tokens", json!({ "level": "namespace" }));
    let token = token["token"].as_str().unwrap();
    world.waits_ms(30_001);
    for (status, reason, parameter, query) in cases {
        let body = json_of(&shop.asks(&format!("{query}&token={token}")), status);
        let told = (&body["verdict"], &body["reason"], &body["parameter"]);
        assert_eq!(told, (&json!("rejected"), &json!(reason), &parameter), "{query}");
        assert!(body["detail"].as_str().unwrap().len() > 15, "{body}");
        assert!(!body.to_string().contains(token), "{body}");
    }
    world.waits_ms(86_400_000);
    let expired = shop.is_refused((410, "expired_click"), &format!("click_id={id}&amount=1"));
    assert_eq!(expired["parameter"], "click_id");
    let fresh = shop.clicks(1);
    shop.changes_campaign(json!({ "required_parameters": ["order_id", "customer_id"] }));
    let missing = shop
        .is_refused((400, "missing_parameter"), &format!("click_id={fresh}&amount=1&order_id=A"));
    assert_eq!(missing["parameter"], "customer_id");
    shop.changes_campaign(json!({ "state": "archived" }));
    shop.is_refused((422, "campaign_archived"), &format!("click_id={fresh}&amount=1"));
    assert_eq!(shop.count("conversions"), 1);
}

#[test]
fn of_several_failures_the_first_step_names_the_reason() {
    let world = World::new();
    let (shop, id) = difficult(&world);
    let ask = |query: &str| json_of(&shop.asks(query), shop.asks(query).status);
    let reason = |query: String| ask(&query)["reason"].as_str().unwrap().to_owned();
    // Size, parse, authenticate.
    let big = "x".repeat(17_000);
    assert_eq!(reason(format!("click_id={id}&amount=no&comment={big}")), "too_large");
    assert_eq!(reason(format!("click_id={id}&amount=no&token=wrong")), "invalid_parameter");
    assert_eq!(reason(format!("click_id={id}&status=paid&event_id=9&token=wrong")), "bad_token");
    let reason = |query: String| reason(format!("{query}&token={TOKEN}"));
    // Key before attribution, attribution before window, window before status, status before money.
    shop.reports(200, &format!("click_id={id}&amount=1&order_id=A"));
    assert_eq!(reason(format!("click_id={id}&amount=2&status=paid")), "conflict");
    assert_eq!(reason("click_id=nonsense&campaign_id=1&status=paid".to_owned()), "unknown_click");
    let late = shop.clicks(1);
    world.waits_ms(86_400_001);
    assert_eq!(reason(format!("click_id={late}&status=paid")), "expired_click");
    let fresh = shop.clicks(1);
    assert_eq!(reason(format!("click_id={fresh}&status=paid")), "unmapped_status");
    assert_eq!(reason(format!("click_id={fresh}&status=hold")), "missing_parameter");
}

#[test]
fn hosts_and_methods_are_refused_by_name() {
    let world = World::new();
    let shop = Shop::open(&world);
    let production =
        backtrail::app::settings::Settings { is_development: false, ..World::settings() };
    let edge = crate::support::Edge::with(&world, production);
    for host in ["nobody-tracking.example.com", "example.com", "127.0.0.1:8787"] {
        let response =
            edge.answers(Method::Get, &format!("{host}/postback?click_id=x"), server(), b"");
        assert_eq!(json_of(&response, 404)["reason"], "unknown_namespace");
    }
    for (method, path, allow) in [
        (Method::Head, "/postback?token=x", "GET, POST"),
        (Method::Head, "/?token=x", "GET, POST"),
        (Method::Patch, "/postback", "GET, POST"),
        (Method::Delete, "/", "GET, HEAD, POST"),
        (Method::Post, "/click?ref_id=1", "GET, HEAD"),
        (Method::Other, "/health", "GET, HEAD"),
        (Method::Get, "/collect", "POST, OPTIONS"),
    ] {
        let response = shop.edge.answers(method, &format!("{}{path}", shop.host), server(), b"");
        assert_eq!(response.header("allow"), Some(allow), "{path}");
        assert_eq!(json_of(&response, 405)["reason"], "method_not_allowed");
    }
    for path in ["/Postback", "/postback/", "/click/", "/api", "/favicon.ico", "//click"] {
        assert_eq!(json_of(&shop.visits(path), 404)["reason"], "not_found", "{path}");
    }
}

#[test]
fn a_head_request_never_converts() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    for path in ["/postback", "/"] {
        let address = format!("{}{path}?transaction_id={id}&token={TOKEN}", shop.host);
        assert_eq!(shop.edge.answers(Method::Head, &address, server(), b"").status, 405);
    }
    assert_eq!(shop.count("conversions"), 0);
}

#[test]
fn a_dry_run_says_what_would_follow_and_writes_nothing() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    let dry = |status: u16, query: &str| {
        let body = shop.reports(status, &format!("{query}&dry_run=1"));
        assert_eq!(body["dry_run"], true, "{body}");
        body
    };
    let first = dry(200, &format!("click_id={id}&order_id=A"));
    assert_eq!(
        (&first["verdict"], &first["payout"]["amount"]),
        (&json!("recorded"), &json!("5.00"))
    );
    assert_eq!(dry(404, "click_id=nonsense&campaign_id=1")["reason"], "unknown_click");
    assert_eq!((shop.count("conversions"), shop.count("inbox")), (0, 0));
    let real = shop.reports(200, &format!("click_id={id}&order_id=A&dry_run=0"));
    assert_eq!((&real["verdict"], real.get("dry_run")), (&json!("recorded"), None));
    assert_eq!(real["conversion_id"], first["conversion_id"]);
    assert_eq!(dry(200, &format!("click_id={id}&order_id=A"))["verdict"], "duplicate");
    assert_eq!(dry(409, &format!("click_id={id}&order_id=A&amount=7"))["reason"], "conflict");
    assert_eq!((shop.count("conversions"), shop.count("inbox")), (1, 1));
    let token = shop.operator.creates("tokens", json!({ "level": "namespace" }));
    world.waits_ms(30_001);
    let token = token["token"].as_str().unwrap();
    let body = json_of(&shop.asks(&format!("campaign_id=99&dry_run=1&token={token}")), 404);
    assert_eq!((&body["reason"], &body["dry_run"]), (&json!("unknown_campaign"), &json!(true)));
    assert_eq!(shop.count("inbox"), 1, "nothing is written");
}

#[test]
fn a_lower_cased_id_is_told_apart_from_an_unknown_one() {
    let world = World::new();
    let shop = Shop::open(&world);
    let lower = shop.clicks(1).to_lowercase();
    let told = shop.is_refused((404, "unknown_click"), &format!("campaign_id=1&click_id={lower}"));
    assert!(told["detail"].as_str().unwrap().contains("capital"), "{told}");
    let other = shop.is_refused((404, "unknown_click"), "campaign_id=1&click_id=abc");
    assert!(!other["detail"].as_str().unwrap().contains("capital"), "{other}");
}

#[test]
fn an_id_converts_although_its_click_was_never_stored() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(2);
    let other_country =
        shop.clicks_with(Headers { country: "T1", ..crate::support::shop::person() }, 1);
    assert_eq!(shop.count("clicks"), 0);
    assert_eq!(shop.reports(200, &format!("click_id={id}"))["affiliate_id"], 2);
    let row =
        shop.rows("SELECT ref_id, affiliate_id, clicked_at, country FROM conversions").remove(0);
    let clicked_at = crate::support::world::BEGINNING_MS;
    assert_eq!(
        row,
        json!({ "ref_id": 2, "affiliate_id": 2, "clicked_at": clicked_at, "country": "DE" })
    );
    shop.reports(200, &format!("click_id={other_country}"));
}
