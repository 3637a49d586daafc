//! Connectors over the API: what is saved, what is shown, and what is refused by which field.

use backtrail::http::request::Method::{Get, Patch, Post};
use serde_json::{Value, json};

use crate::support::{Operator, Shop, World};

/// The example of the original: a GET with four parameters.
pub fn seed() -> Value {
    json!({
        "name": "Affiliate Network X",
        "events": ["Purchase"],
        "webhook": {
            "method": "GET",
            "url": "https://example.com/webhook",
            "parameters": [
                { "name": "value", "value": "{{VALUE}}" },
                { "name": "track", "value": "{{EVENT_NAME}}" },
                { "name": "gclid", "value": "{{GCLID}}" },
                { "name": "fbc", "value": "{{FBC}}" },
                { "name": "email", "value": "{{EMAIL}}" },
                { "name": "phone", "value": "{{PHONE}}" },
            ],
            "headers": [{ "name": "Authorization", "value": "Bearer abc123" }],
        },
    })
}

fn changed(changes: Value) -> Value {
    let mut connector = seed();
    for (name, value) in changes.as_object().unwrap() {
        connector[name] = value.clone();
    }
    connector
}

/// An installation below another domain than that of the example.
pub fn world() -> World {
    let mut settings = World::settings();
    settings.tracking_url = "https://{namespace}-tracking.tracker.example".into();
    World::of(settings)
}

fn operator(world: &World) -> Operator<'_> {
    world.operator_of("demo")
}

#[test]
fn a_connector_is_saved_in_test_mode_and_shows_what_it_would_send() {
    let world = world();
    let operator = operator(&world);
    let made = operator.creates("connectors", seed());
    assert_eq!(made["id"], 1);
    assert_eq!((&made["mode"], &made["is_webhook_on"]), (&json!("test"), &json!(true)));
    assert_eq!((&made["is_pixel_on"], &made["pixel"]), (&json!(false), &Value::Null));
    assert_eq!(
        made["url_preview"],
        "https://example.com/webhook?value=15&track=Purchase&gclid=12a34bC&email=example@email.com"
    );
    assert_eq!(made["receiver"], "example.com");
    assert_eq!(made["webhook"]["format"], "form");
    assert_eq!(made["warnings"], json!([]));
    let mut shown = operator.sees("connectors/1");
    assert_eq!(shown["webhook"], made["webhook"]);
    shown["warnings"] = json!([]);
    assert_eq!(shown, made);
    assert_eq!(operator.lists("connectors?mode=test").len(), 1);
    assert_eq!(operator.lists("connectors?mode=enabled").len(), 0);
}

#[test]
fn a_change_merges_into_the_webhook_and_a_switch_keeps_it() {
    let world = world();
    let operator = operator(&world);
    operator.creates("connectors", seed());
    let url = json!({ "webhook": { "url": "https://other.example/a", "headers": null } });
    let changed = operator.changes("connectors/1", url);
    assert_eq!(changed["webhook"]["url"], "https://other.example/a");
    assert_eq!(changed["webhook"]["headers"], json!([]));
    assert_eq!(changed["webhook"]["parameters"].as_array().unwrap().len(), 6);
    let off =
        operator.changes("connectors/1", json!({ "is_webhook_on": false, "mode": "enabled" }));
    assert_eq!((&off["is_webhook_on"], &off["mode"]), (&json!(false), &json!("enabled")));
    assert_eq!(off["webhook"], changed["webhook"]);
    operator.is_told(
        Patch,
        "connectors/1",
        json!({ "is_pixel_on": true }),
        &["is_pixel_on: invalid"],
    );
    let without = json!({ "webhook": null, "is_webhook_on": true });
    operator.is_told(Patch, "connectors/1", without, &["is_webhook_on: invalid"]);
    operator.is_told(
        Patch,
        "connectors/1",
        json!({ "webhook": { "url": "https://10.0.0.1/" } }),
        &["webhook.url: forbidden_address"],
    );
    operator.is_told(
        Patch,
        "connectors/1",
        json!({ "affiliate_id": 1 }),
        &["affiliate_id: create_only"],
    );
}

#[test]
fn what_cannot_be_sent_is_refused_by_its_field() {
    let world = world();
    let operator = operator(&world);
    operator.creates("hosts", json!({ "hostname": "go.shop.example" }));
    let told = |changes: Value, faults: &[&str]| {
        operator.is_told(Post, "connectors", changed(changes), faults);
    };
    let url = |url: &str| json!({ "webhook": { "url": url } });
    for (address, code) in [
        ("https://127.0.0.1/", "forbidden_address"),
        ("https://127.0.0.1.nip.io/", "forbidden_address"),
        ("https://demo-tracking.tracker.example/postback", "forbidden_address"),
        ("https://go.shop.example/x", "forbidden_address"),
        ("https://go.shop.example:8443/x", "forbidden_address"),
        ("https://good.example:22/", "forbidden_address"),
        ("http://good.example/", "invalid"),
        ("https://a b.example/", "invalid"),
        ("ftp://good.example/", "invalid"),
        ("bin:Not a bin", "invalid"),
        ("bin:a?status=9", "invalid"),
        ("https://example.com./", "invalid"),
        ("https://example.com/a/../b", "invalid"),
        ("https://example.com/.{sub1}/", "invalid"),
        ("https://{{HOST}}.example/", "invalid"),
        ("https://good.example/{click_di}", "unknown_macro"),
        ("https://good.example/{{VALUE", "invalid"),
    ] {
        told(url(address), &[format!("webhook.url: {code}").as_str()]);
    }
    told(json!({ "events": [] }), &["events: invalid"]);
    told(json!({ "events": ["Purchase", "Nothing"] }), &["events: unknown_event"]);
    told(json!({ "statuses": ["paid"] }), &["statuses: invalid"]);
    told(json!({ "delay_seconds": -1 }), &["delay_seconds: invalid"]);
    told(json!({ "webhook": "x" }), &["webhook: invalid"]);
    told(
        json!({ "webhook": { "uri": "x", "url": "https://good.example/" } }),
        &["webhook.uri: unknown_field"],
    );
    for (days, is_valid) in [(0, false), (1, true), (365, true), (366, false)] {
        let matching = json!({ "matching": { "parameter": "cid", "window_days": days } });
        if is_valid {
            operator.creates("connectors", changed(matching));
        } else {
            told(matching, &["matching.window_days: invalid"]);
        }
    }
    told(json!({ "matching": {} }), &["matching.parameter: required"]);
    told(
        json!({ "matching": { "parameter": "cid", "source_value": "x" } }),
        &["matching.source_value: invalid"],
    );
    told(
        json!({ "webhook": {
            "method": "POST", "url": "https://good.example/", "format": "json", "body": "{\"a\":{{VALUE}}",
        } }),
        &["webhook.body: invalid"],
    );
    told(
        json!({ "webhook": {
            "method": "DELETE", "url": "https://10.0.0.1/",
            "headers": [{ "name": "Host", "value": "x" }, { "name": "a", "value": "{x}" }],
        } }),
        &[
            "webhook.headers[0].name: reserved",
            "webhook.headers[1].value: unknown_macro",
            "webhook.method: invalid",
        ],
    );
    told(json!({ "pixel": { "code": "<b {{VALUE}}>" } }), &["pixel.code: macro_place"]);
}

#[test]
fn backtrails_own_hosts_are_no_receivers() {
    let world = world();
    let operator = operator(&world);
    operator.creates("hosts", json!({ "hostname": "go.shop.example" }));
    for host in [
        "demo-tracking.tracker.example",
        "other-tracking.tracker.example",
        "tracker.example",
        "go.shop.example",
        "GO.shop.example.",
    ] {
        let webhook = json!({ "webhook": { "url": format!("https://{host}/postback") } });
        operator.is_told(Post, "connectors", changed(webhook), &["webhook.url: forbidden_address"]);
    }
    operator
        .creates("connectors", changed(json!({ "webhook": { "url": "https://shop.example/" } })));
}

#[test]
fn an_event_is_known_by_standard_definition_or_receipt() {
    let world = world();
    let shop = Shop::open(&world);
    let operator = &shop.operator;
    let custom = || changed(json!({ "events": ["Renewal"] }));
    operator.is_told(Post, "connectors", custom(), &["events: unknown_event"]);
    operator.creates("events", json!({ "campaign_id": 1, "name": "Renewal" }));
    operator.creates("connectors", custom());
    let mapped = || changed(json!({ "events": ["SignedUp"] }));
    operator.is_told(Post, "connectors", mapped(), &["events: unknown_event"]);
    operator.changes("campaigns/1", json!({ "site_events": { "SignedUp": "initial" } }));
    operator.creates("connectors", mapped());
    let problem = operator.is_refused(
        Post,
        "connectors",
        Some(changed(json!({ "events": ["purchase"] }))),
        (400, "invalid_fields"),
    );
    assert!(problem["detail"].as_str().unwrap().contains("Do you mean Purchase?"), "{problem}");
}

#[test]
fn what_the_advertiser_pays_is_not_told_to_affiliates() {
    let world = world();
    let shop = Shop::open(&world);
    let with = |affiliate: Option<u32>, value: &str| {
        changed(json!({
            "affiliate_id": affiliate,
            "webhook": { "url": "https://affiliate.example/", "parameters": [{ "name": "a", "value": value }] },
        }))
    };
    for value in ["{revenue}", "{custom1}", "{custom10}", "{{REVENUE}}", "{{CUSTOM3}}"] {
        shop.operator.is_told(
            Post,
            "connectors",
            with(Some(1), value),
            &["webhook.parameters[0].value: not_for_affiliates"],
        );
        shop.operator.creates("connectors", with(None, value));
    }
    let made = shop.operator.creates("connectors", with(Some(1), "{external_click_id}{payout}"));
    let id = made["id"].as_u64().unwrap();
    let worse = json!({ "webhook": { "headers": [{ "name": "a", "value": "{revenue}" }] } });
    let field = "webhook.headers[0].value: not_for_affiliates";
    shop.operator.is_told(Patch, &format!("connectors/{id}"), worse, &[field]);
    let preview = json!({ "affiliate_id": 1, "webhook": { "url": "https://a.example/{revenue}" } });
    shop.operator.is_told(
        Post,
        "connectors/preview",
        preview,
        &["webhook.url: not_for_affiliates"],
    );
    shop.operator.is_told(
        Post,
        "connectors",
        changed(json!({ "affiliate_id": 99 })),
        &["affiliate_id: unknown_reference"],
    );
}

#[test]
fn what_is_odd_is_said_without_being_refused() {
    let world = world();
    let operator = operator(&world);
    let codes = |made: &Value| -> Vec<String> {
        let warnings = made["warnings"].as_array().unwrap().iter();
        warnings
            .map(|warning| {
                format!(
                    "{}: {}",
                    warning["field"].as_str().unwrap(),
                    warning["code"].as_str().unwrap()
                )
            })
            .collect()
    };
    let made = operator.creates(
        "connectors",
        changed(json!({
            "webhook": { "url": "https://good.example/", "parameters": [
                { "name": "a", "value": "{{CURENCY}}" }, { "name": "b", "value": "{{EXTRA}}" },
            ] },
            "pixel": { "code": "<img src=\"https://good.example/?{{VALUE}}\">" },
            "matching": { "parameter": "click_id" },
        })),
    );
    assert_eq!(
        codes(&made),
        [
            "webhook.parameters[0].value: unknown_macro",
            "webhook.parameters[1].value: unknown_macro",
            "pixel: not_approved",
        ]
    );
    let message = made["warnings"][0]["message"].as_str().unwrap();
    assert!(message.contains("{{CURRENCY}}"), "{message}");
    let again = changed(json!({ "matching": { "parameter": "click_id" } }));
    assert_eq!(
        codes(&operator.creates("connectors", again.clone())),
        ["matching.parameter: shared_parameter"]
    );
    let source = json!({ "parameter": "click_id", "source_parameter": "utm_source" });
    assert_eq!(
        codes(&operator.creates("connectors", changed(json!({ "matching": source })))),
        [""; 0]
    );
}

#[test]
fn the_number_of_a_removed_connector_is_not_given_again() {
    let world = world();
    let operator = operator(&world);
    for id in [1, 2] {
        assert_eq!(operator.creates("connectors", seed())["id"], id);
    }
    operator.removes("connectors/2");
    operator.is_refused(Get, "connectors/2", None, (404, "not_found"));
    operator.removes("connectors/1");
    assert_eq!(operator.creates("connectors", seed())["id"], 3);
}

#[test]
fn whoever_may_only_read_sees_no_secrets() {
    let world = world();
    let operator = operator(&world);
    let mut connector = seed();
    connector["webhook"]["url"] = "https://example.com/webhook?token=abc&a=1".into();
    operator.creates("connectors", connector);
    let key = operator.creates("keys", json!({ "name": "reader", "scopes": ["read"] }));
    let shown = operator.with_key(&key["key"]).sees("connectors/1");
    assert!(!shown.to_string().contains("abc"), "{shown}");
    assert_eq!(shown["webhook"]["url"], "https://example.com/webhook?token=***&a=1");
    assert_eq!(shown["webhook"]["headers"][0]["value"], "***");
    assert!(operator.sees("connectors/1").to_string().contains("Bearer abc123"));
}

#[test]
fn another_namespaces_connector_does_not_exist() {
    let world = world();
    operator(&world).creates("connectors", seed());
    let other = world.operator_of("other");
    for path in ["connectors/1", "connectors/1/test", "connectors/1/approve"] {
        let method = if path == "connectors/1" { Get } else { Post };
        other.is_refused(method, path, None, (404, "not_found"));
    }
    assert_eq!(other.creates("connectors", seed())["id"], 1);
}
