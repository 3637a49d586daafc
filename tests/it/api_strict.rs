//! What a call does not take is refused by name (wire.md 10): a call that acts on everything must
//! not be taken for one that acts on what a parameter or field names.

use backtrail::http::request::Method::{self, Delete, Get, Patch, Post};
use serde_json::{Value, json};

use crate::connectors::{seed, world};
use crate::outbox::connects;
use crate::support::{Shop, World};

#[test]
fn a_call_on_many_rows_with_a_parameter_that_it_does_not_take_does_nothing() {
    let world = World::new();
    let shop = Shop::open(&world);
    connects(&shop, 3, json!(["Purchase"]), "");
    for order in ["A", "B"] {
        shop.reports(200, &format!("click_id={}&order_id={order}", shop.clicks(1)));
    }
    let states = || shop.rows("SELECT state FROM deliveries ORDER BY delivery_id");
    let is_refused = |path: &str, body: Option<Value>, code: &str, names: &str| {
        let before = states();
        let answer = shop.operator.calls(Post, path, body, 400);
        assert_eq!(answer["code"], code, "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains(names), "{answer}");
        assert_eq!(states(), before, "{path}");
    };
    let cancel = "connectors/3/cancel";
    is_refused(&format!("{cancel}?conversion_id=cv_1"), None, "unknown_parameter", "conversion_id");
    let body = json!({ "conversion_id": "cv_1" });
    is_refused(cancel, Some(body), "invalid_fields", "conversion_id");
    is_refused(cancel, Some(json!(["cv_1"])), "invalid_json", "no body");
    let ends = "UPDATE deliveries SET state = 'exhausted', due_at = NULL, ended_at = 1";
    shop.world().database().execute(ends);
    let replay = "deliveries/replay?connector_id=4";
    is_refused(replay, Some(json!({})), "unknown_parameter", "connector_id");
    // As before, with nothing or an empty object.
    shop.operator.calls(Post, "deliveries/replay", Some(json!({})), 200);
    shop.operator.calls(Post, cancel, Some(json!({})), 200);
    assert!(states().iter().all(|row| row["state"] == "cancelled"), "{:?}", states());
    shop.operator.calls(Post, cancel, None, 200);
}

#[test]
fn no_call_takes_a_parameter_that_it_does_not_read() {
    let world = world();
    let operator = world.operator_of("demo");
    operator.creates("connectors", seed());
    operator.creates("advertisers", json!({ "name": "Shop" }));
    let calls: [(Method, &str, Option<Value>); 13] = [
        (Get, "macros", None),
        (Get, "bins/try-it", None),
        (Get, "connectors/1", None),
        (Get, "connectors/1/secret", None),
        (Get, "namespaces/demo", None),
        (Get, "conversions/cv_1/changes", None),
        (Post, "connectors/1/rotate", None),
        (Post, "connectors/1/test", None),
        (Post, "connectors/preview", Some(json!({}))),
        (Post, "advertisers", Some(json!({ "name": "Other" }))),
        (Post, "inbox/judge-again", Some(json!({}))),
        (Patch, "advertisers/1", Some(json!({ "name": "Other" }))),
        (Delete, "connectors/1", None),
    ];
    for (method, path, body) in calls {
        let answer = operator.calls(method, &format!("{path}?dry_run=1"), body, 400);
        assert_eq!(answer["code"], "unknown_parameter", "{path}: {answer}");
    }
    assert!(world.receivers.got().is_empty());
    assert_eq!(operator.lists("advertisers").len(), 1);
    assert_eq!(operator.sees("advertisers/1")["name"], "Shop");
    operator.sees("connectors/1");
    // Whoever may not call is told that first.
    let key = operator.creates("keys", json!({ "name": "reader", "scopes": ["read"] }));
    let reader = operator.with_key(&key["key"]);
    reader.calls(Post, "connectors/1/rotate?dry_run=1", None, 403);
}

#[test]
fn an_address_that_is_not_there_is_told_all_that_are() {
    let world = world();
    let operator = world.operator_of("demo");
    let told = operator.calls(Get, "nothing", None, 404)["detail"].to_string();
    let description = include_str!("../../docs/openapi.json");
    let description: Value = serde_json::from_str(description).unwrap();
    let paths = description["paths"].as_object().unwrap().keys();
    let names: Vec<&str> =
        paths.filter_map(|path| path.strip_prefix("/api/v1/")?.split('/').next()).collect();
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        assert!(told.contains(&format!(" {name}")), "{name} is not told: {told}");
    }
}

#[test]
fn a_number_has_one_form() {
    let world = world();
    let operator = world.operator_of("demo");
    operator.creates("advertisers", json!({ "name": "Shop" }));
    for text in ["%2B1", "01", "1.0", "-1", "1e0", "0x1"] {
        for list in ["advertisers?limit=", "clicks?limit=", "clicks?campaign_id="] {
            let answer = operator.calls(Get, &format!("{list}{text}"), None, 400);
            assert_eq!(answer["code"], "invalid_parameter", "{list}{text}: {answer}");
        }
        operator.calls(Get, &format!("advertisers/{text}"), None, 404);
    }
    operator.sees("advertisers/1");
    operator.sees("clicks?limit=1&campaign_id=1");
}
