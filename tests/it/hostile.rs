//! No input crashes the Worker (design.md 9, promise 6): random and crafted requests through the
//! whole route table, while the stores work. A panic fails the test by itself.

use backtrail::http::request::{Headers, Method, Request, country};
use backtrail::http::response::{Body, Response};
use proptest::prelude::*;
use serde_json::json;

use crate::support::shop::TOKEN;
use crate::support::{Shop, World};

/// What every answer must be, whatever was asked.
fn is_decent(response: &Response) -> Result<(), String> {
    if !(200..500).contains(&response.status) {
        return Err(format!("status {}", response.status));
    }
    for (name, value) in &response.headers {
        if value.bytes().any(|b| b.is_ascii_control())
            || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        {
            return Err(format!("header {name:?}: {value:?}"));
        }
        if *name == "location" && !value.is_ascii() {
            return Err(format!("location {value}"));
        }
    }
    match response.status {
        302 if response.header("location").is_none() => Err("302 without a location".into()),
        204 | 304 if response.body != Body::Empty => Err("a body that may not be".into()),
        _ => Ok(()),
    }
}

fn world_of_everything(world: &World) -> Shop<'_> {
    let campaign = json!({
        "is_pixel_allowed": true, "is_explicit_money_allowed": true, "is_conflict_updated": true,
        "deep_link_hosts": ["shop.example"], "deep_link_parameters": { "a": "{sub1} {referer}" },
        "site_events": { "Purchase": "initial" }, "traffic_back_url": "https://back.example/?{sub1}",
    });
    let shop = Shop::with(world, campaign);
    let page = "https://shop.example/{sub1}/?a={source}&r={referer}&u={user_agent}#{sub2}";
    shop.operator.changes("landing-pages/1", json!({ "url": page }));
    shop.operator
        .changes("namespaces/demo", json!({ "collect_origins": ["https://shop.example"] }));
    shop
}

fn method() -> impl Strategy<Value = Method> {
    use Method::{Delete, Get, Head, Options, Other, Patch, Post};
    prop_oneof![
        4 => Just(Get), 3 => Just(Post), 1 => Just(Head), 1 => Just(Patch), 1 => Just(Delete),
        1 => Just(Options), 1 => Just(Other),
    ]
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just("demo-tracking.example.com".to_owned()),
        1 => Just(String::new()),
        1 => "[a-z0-9.:-]{0,40}",
        1 => "[a-z]{1,60}-tracking(\\.[a-z]{1,63}){0,6}",
        1 => Just(format!("{}.example.com", "a".repeat(600))),
        1 => "\\PC{0,20}".prop_filter("no delimiters", |text| !text.contains(['/', '?', '#'])),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let known = [
        "/click",
        "/postback",
        "/",
        "/pixel.gif",
        "/tracker.js",
        "/collect",
        "/health",
        "/demo-shop",
        "/api/v1/campaigns",
        "/api/v1/campaigns/1",
        "/api/v1/clicks/x",
        "/api/v1/conversions",
        "/api/v1/inbox/x/judge",
        "/api/v1/links",
        "/api/",
        "/dashboard/",
    ];
    prop_oneof![
        8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => "/[ -~]{0,30}".prop_filter("no query", |text| !text.contains(['?', '#'])),
    ]
}

/// A value that somebody might send on purpose.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => "[0-9]{1,3}",
        1 => prop::sample::select([
            "1e309", "NaN", "-0", "1,5", "999999999999.999999", "4294967296", "0", "null", "%00",
            "%FF", "%0D%0ASet-Cookie:a=b", "{click_id}", "{{X}}", "%E2%80%AE", "%", "%Z", "+",
            "https://shop.example/", "javascript:alert(1)", "https%3A%2F%2Fshop.example%5C@evil",
            "approved", "rejected", "2026-11-21T09:30:00Z", "9999-12-31T23:59:60.999999999Z",
            "0000-01-01T00:00:00+23:59", "USD", "JPY", "gif", "text", "..", "%2E%2E", "';--",
        ].as_slice()).prop_map(str::to_owned),
        1 => "\\PC{0,30}".prop_filter("no delimiters", |text| !text.contains(['#', '&'])),
        1 => Just("x".repeat(600)),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let names = [
        "click_id",
        "transaction_id",
        "campaign_id",
        "offer",
        "affiliate_id",
        "ref_id",
        "ref_custom_id",
        "order_id",
        "amount",
        "commission",
        "currency",
        "conversion_rate",
        "revenue",
        "payout",
        "coupon",
        "goal",
        "customer_id",
        "event_id",
        "event_name",
        "status",
        "reason",
        "third_party_rejected_reason",
        "new_rejected_reason",
        "refund_id",
        "occurred_at",
        "secure",
        "token",
        "timestamp",
        "signature",
        "comment",
        "custom1",
        "dry_run",
        "response",
        "lp",
        "dl",
        "redirect_url",
        "sub1",
        "sub_id_2",
        "source",
        "utm_source",
        "consent",
        "cons",
        "external_click_id",
        "limit",
        "cursor",
        "from",
        "to",
        "x",
    ];
    let pair = (prop::sample::select(names.to_vec()), value());
    let pairs = prop::collection::vec(pair, 0..8).prop_map(|pairs| {
        let text = |(name, value): &(&str, String)| format!("{name}={value}");
        pairs.iter().map(text).collect::<Vec<_>>().join("&")
    });
    prop_oneof![6 => pairs, 1 => "[ -~]{0,60}".prop_filter("no fragment", |text| !text.contains('#'))]
}

fn header() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        2 => prop::sample::select([
            "prefetch", "image", "1", "DE", "application/json", "application/x-www-form-urlencoded",
            "text/plain", "multipart/form-data", "https://shop.example", "Bearer x", "Bearer ",
            "click_id=x; click_id_1=y; click_id_99999999999=z", "192.0.2.1", "::ffff:1.2.3.4",
            "Mozilla/5.0 (compatible; Googlebot/2.1)", "demo",
        ].as_slice()).prop_map(str::to_owned),
        1 => "[ -~]{0,60}",
        1 => "[^\\p{C}]{0,30}",
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let json = prop_oneof![
        Just(format!(r#"{{"event":"Purchase","click_id":"x","data":{{"value":1,"eventId":"a"}},"token":"{TOKEN}"}}"#)),
        Just(r#"{"event":"Purchase","click_id":"x\u0000","data":{"eventId":"\u0000","currency":"USD"}}"#.to_owned()),
        Just(r#"{"event":"Purchase","data":{"value":{"a":[1]},"eventId":["x"]}}"#.to_owned()),
        Just(format!("{{\"a\":{}}}", "[".repeat(5_000))),
        "\\{\"[a-z_]{1,10}\":(\"[ -~]{0,10}\"|-?[0-9e.]{1,8}|null|true|\\[\\])\\}",
    ];
    prop_oneof![
        2 => Just(Vec::new()),
        2 => json.prop_map(String::into_bytes),
        2 => query().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

/// A request in parts; the id and token of the shop are put in where `x` stands for them.
fn asks(
    shop: &Shop<'_>,
    id: &str,
    parts: &(Method, String, String, String, Vec<String>, Vec<u8>),
) -> Response {
    let (method, host, path, query, headers, body) = parts;
    let query = query
        .replace("click_id=1", &format!("click_id={id}"))
        .replace("token=1", &format!("token={TOKEN}"));
    let body = String::from_utf8_lossy(body).replace("\"x\"", &format!("\"{id}\"")).into_bytes();
    let header = |index: usize| headers[index].as_str();
    let headers = Headers {
        client_ip: header(0),
        user_agent: header(1),
        referer: header(2),
        cookie: header(3),
        purpose: header(4),
        fetch_dest: header(5),
        gpc: header(6),
        country: header(7),
        content_type: header(8),
        authorization: header(9),
        origin: header(10),
        idempotency_key: header(11),
        namespace: header(12),
        timestamp: header(13),
        signature: header(14),
        asn: header(7),
    };
    shop.edge.answers(*method, &format!("{host}{path}?{query}"), headers, &body)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Forty requests a case, all to one installation, so that they meet each other's traces.
    #[test]
    fn no_request_is_answered_by_a_failure(
        requests in prop::collection::vec(
            (method(), host(), path(), query(), prop::collection::vec(header(), 15), body()),
            40,
        ),
    ) {
        let world = World::new();
        let shop = world_of_everything(&world);
        let id = shop.clicks_with(crate::support::shop::person(), 1);
        for parts in &requests {
            let response = asks(&shop, &id, parts);
            // Guessing numbers is slowed down by 503, which is no failure but a brake.
            world.waits_ms(1_000);
            if let Err(what) = is_decent(&response) {
                prop_assert!(false, "{what}: {response:?}");
            }
        }
        shop.edge.settles();
        shop.edge.ticks();
    }

    #[test]
    fn no_address_makes_a_request_panic(url in "\\PC{0,80}", scheme in prop::sample::select(vec!["", "http://", "https://", "://"])) {
        let url = format!("{scheme}{url}");
        if let Some(request) = Request::new(Method::Get, &url, Headers::default(), b"") {
            let _ = (request.bare_host(), request.query_value("x"), country(request.headers.country));
        }
    }
}

#[test]
fn the_check_of_answers_can_fail() {
    let bad = [
        Response::empty(500),
        Response::empty(302),
        Response { headers: vec![("location", "a\r\nb".into())], ..Response::empty(302) },
        Response {
            headers: vec![("location", "https://ä.example".into())],
            ..Response::empty(302)
        },
        Response { status: 204, ..Response::text(200, "text/plain", "x") },
    ];
    for response in bad {
        assert!(is_decent(&response).is_err(), "{response:?}");
    }
    assert_eq!(is_decent(&Response::empty(204)), Ok(()));
}

#[test]
fn a_site_event_with_control_characters_is_refused() {
    let world = World::new();
    let shop = world_of_everything(&world);
    let collect = |body: &str| {
        let headers = Headers { origin: "https://shop.example", ..crate::support::shop::person() };
        let address = format!("{}/collect", shop.host);
        shop.edge.answers(Method::Post, &address, headers, body.as_bytes())
    };
    for body in [
        r#"{"event":"Purchase","click_id":"x\u0000","data":{}}"#,
        r#"{"event":"Purchase","data":{"eventId":"a\u0000b"}}"#,
        r#"{"event":"Pur\u0000chase","data":{}}"#,
        r#"{"event":"Purchase","data":{"value":"1\n2"}}"#,
        "[]",
        "",
        "{}",
        "\u{0}",
        r#"{"event":5}"#,
        r#"{"event":"Purchase","data":[]}"#,
    ] {
        let response = collect(body);
        assert_eq!(response.status, 400, "{body}");
        assert_eq!(response.header("access-control-allow-origin"), Some("https://shop.example"));
    }
}
