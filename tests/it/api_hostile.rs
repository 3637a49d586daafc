//! No input makes the API panic or answer 500, and none gets past its checks into SQL.

use backtrail::http::request::Method::{Delete, Get, Patch, Post};
use backtrail::http::request::{Headers, Method};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::World;
use crate::support::world::ROOT_KEY;

const RESOURCES: [&str; 12] = [
    "namespaces",
    "hosts",
    "keys",
    "advertisers",
    "campaigns",
    "landing-pages",
    "affiliates",
    "links",
    "tokens",
    "signing-secrets",
    "payouts",
    "rates",
];

/// Names of fields, so that random objects get past the first check often.
const FIELDS: [&str; 32] = [
    "name",
    "hostname",
    "scopes",
    "key",
    "advertiser_id",
    "currency",
    "window_days",
    "revenue_fixed",
    "payout_percent",
    "authentication",
    "ip_allow",
    "required_parameters",
    "click_id_parameter",
    "deep_link_hosts",
    "deep_link_parameters",
    "traffic_back_url",
    "site_events",
    "campaign_id",
    "affiliate_id",
    "url",
    "is_default",
    "level",
    "level_id",
    "links",
    "secret",
    "countries",
    "event_id",
    "payout_max",
    "from_currency",
    "to_currency",
    "rate",
    "valid_from",
];

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0u64..3).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a-z0-9.:/*{}'\"-]{0,20}".prop_map(Value::from),
        prop::sample::select(vec![
            "USD",
            "token",
            "none",
            "campaign",
            "read",
            "https://shop.example/",
            "1.5",
            "\0",
            "a.example",
            "10.0.0.0/8",
            "'; DROP TABLE links; --",
            "{click_id}",
            "initial",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any_field(), inner), 0..6).prop_map(object),
        ]
    })
}

fn any_field() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => prop::sample::select(FIELDS.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn object(entries: Vec<(String, Value)>) -> Value {
    Value::Object(entries.into_iter().collect::<Map<_, _>>())
}

fn any_method() -> impl Strategy<Value = Method> {
    prop::sample::select(vec![Get, Post, Patch, Delete, Method::Head, Method::Other])
}

fn world() -> World {
    let world = World::new();
    let demo = world.operator_of("demo");
    demo.creates("advertisers", json!({ "name": "Shop" }));
    let campaign =
        json!({ "name": "c", "advertiser_id": 1, "currency": "USD", "authentication": "none" });
    demo.creates("campaigns", campaign);
    demo.creates("affiliates", json!({ "name": "Ann" }));
    demo.creates("links", json!({ "campaign_id": 1, "affiliate_id": 1 }));
    world
}

fn status(world: &World, method: Method, path: &str, key: &str, body: &[u8]) -> u16 {
    let authorization = format!("Bearer {ROOT_KEY}");
    let headers = Headers {
        authorization: &authorization,
        namespace: "demo",
        content_type: "application/json",
        idempotency_key: key,
        ..Headers::default()
    };
    let address = format!("x.example/api/v1/{path}");
    world.answers(method, &address, headers, body).status
}

/// Everything a caller may be told; never 500, and 503 only when the database is down.
const EXPECTED: [u16; 8] = [200, 201, 204, 400, 404, 405, 409, 413];

#[test]
fn random_objects_are_created_or_refused() {
    let world = world();
    let cases = (
        prop::sample::select(RESOURCES.to_vec()),
        prop::collection::vec((any_field(), any_value()), 0..4).prop_map(object),
        any::<bool>(),
    );
    let written = std::cell::Cell::new(0);
    proptest!(ProptestConfig::with_cases(2_000), |((resource, body, is_change) in cases)| {
        let body = body.to_string();
        let (method, path) = match is_change {
            true => (Patch, format!("{resource}/1")),
            false => (Post, resource.to_owned()),
        };
        let status = status(&world, method, &path, "", body.as_bytes());
        prop_assert!(EXPECTED.contains(&status), "{status} {method:?} {path} {body}");
        written.set(written.get() + usize::from(status < 300));
    });
    assert!(written.get() > 0, "nothing got past the checks, so nothing was tried");
    assert_eq!(world.database().rows("PRAGMA foreign_key_check").len(), 0);
}

#[test]
fn random_addresses_queries_keys_and_bytes_are_answered() {
    let world = world();
    let address = prop_oneof![
        (prop::sample::select(RESOURCES.to_vec()), "\\PC{0,12}")
            .prop_map(|(r, rest)| format!("{r}/{rest}")),
        (
            prop::sample::select(vec!["affiliates", "links", "clicks", "conversions", "inbox"]),
            prop::sample::select(vec![
                "limit",
                "cursor",
                "from",
                "to",
                "status",
                "campaign_id",
                "click_id",
                "reason"
            ]),
            "[\\PC\0%]{0,12}",
        )
            .prop_map(|(r, name, value)| format!("{r}?{name}={value}")),
        any::<String>(),
    ];
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    proptest!(|(method in any_method(), address in address, key in "\\PC{0,4}", bytes in bytes)| {
        let status = status(&world, method, &address, &key, &bytes);
        prop_assert!(EXPECTED.contains(&status), "{status} {method:?} {address}");
    });
}

#[test]
fn an_id_beyond_what_the_ledger_can_hold_is_invalid() {
    let world = World::new();
    let demo = world.operator_of("demo");
    for id in [1u64 << 53, (1 << 53) + 1, u64::MAX] {
        let page = json!({ "campaign_id": id, "name": "a", "url": "https://shop.example/" });
        demo.is_told(Method::Post, "landing-pages", page, &["campaign_id: invalid"]);
    }
}
