//! Trying connectors out: previews, tests, request bins, macros; and approving pixels.

use backtrail::http::request::Method::{Delete, Get, Post};
use serde_json::{Value, json};

use crate::connectors::{seed, world};
use crate::support::receivers::Reaction;
use crate::support::{Operator, Shop, World};

const BIN: &str = "bin:try-it";

fn to(url: &str) -> Value {
    let mut connector = seed();
    connector["webhook"]["url"] = url.into();
    connector
}

fn bin(operator: &Operator<'_>, name: &str) -> Vec<Value> {
    operator.lists(&format!("bins/{name}"))
}

fn tests(operator: &Operator<'_>, id: u32) -> Value {
    operator.calls(Post, &format!("connectors/{id}/test"), None, 200)
}

#[test]
fn a_preview_shows_webhook_and_pixel_and_writes_nothing() {
    let world = world();
    let operator = world.operator_of("demo");
    let mut sample = json!({ "events": ["Lead"], "webhook": seed()["webhook"] });
    sample["webhook"]["method"] = "POST".into();
    sample["webhook"]["renamed_events"] = json!({ "Lead": "lead_in" });
    sample["pixel"] = json!({ "code": "track(\"{{EVENT_NAME}}\", {{VALUE}})" });
    let shown = operator.calls(Post, "connectors/preview", Some(sample.clone()), 200);
    assert_eq!(shown["webhook"]["url"], "https://example.com/webhook");
    assert_eq!(
        shown["webhook"]["body"],
        "value=15&track=lead_in&gclid=12a34bC&email=example@email.com"
    );
    assert_eq!(shown["pixel"]["html"], "<script>track(\"Lead\", 15)</script>");
    assert_eq!(
        (&shown["pixel"]["is_sandboxed"], &shown["event_name"]),
        (&json!(true), &json!("Lead"))
    );
    assert!(operator.lists("connectors").is_empty() && world.receivers.got().is_empty());
    sample["webhook"]["url"] = "https://10.1.2.3/".into();
    sample["url"] = "x".into();
    let faults = ["url: unknown_field", "webhook.url: forbidden_address"];
    operator.is_told(Post, "connectors/preview", sample, &faults);
    let wrong = json!({ "affiliate_id": "x", "events": "x" });
    operator.is_told(
        Post,
        "connectors/preview",
        wrong,
        &["affiliate_id: invalid", "events: invalid"],
    );
    let key = operator.creates("keys", json!({ "name": "reader", "scopes": ["read"] }));
    let reader = operator.with_key(&key["key"]);
    reader.calls(Post, "connectors/preview", Some(json!({})), 200);
}

#[test]
fn a_test_sends_one_signed_request_with_samples_and_tells_what_came_back() {
    let world = world();
    let operator = world.operator_of("demo");
    operator.creates("connectors", seed());
    let told = tests(&operator, 1);
    let got = world.receivers.got();
    assert_eq!(got.len(), 1);
    assert_eq!(
        got[0].url,
        "https://example.com/webhook?value=15&track=Purchase&gclid=12a34bC&fbc=&email=example@email.com&phone="
    );
    let header = |name: &str| {
        let found = got[0].headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    assert_eq!(header("Authorization"), "Bearer abc123");
    assert!(
        header("webhook-id").starts_with("test_") && header("webhook-signature").starts_with("v1,")
    );
    assert!(header("webhook-signature-url").starts_with("v1,"));
    assert_eq!((&told["status"], &told["is_delivered"]), (&json!(200), &json!(true)));
    assert_eq!((&told["answer"], &told["error"]), (&json!("answer 200"), &Value::Null));
    assert!(told["url"].as_str().unwrap().contains("email=e***@email.com"), "{told}");
    assert!(!told.to_string().contains("abc123"));
    for (reaction, status, is_failed) in [
        (Reaction::Answers(500), json!(500), true),
        (Reaction::Answers(301), json!(301), true),
        (Reaction::Answers(204), json!(204), false),
        (Reaction::Resets, Value::Null, true),
        (Reaction::Hangs, Value::Null, true),
    ] {
        world.receivers.reacts("example.com", reaction);
        let told = tests(&operator, 1);
        assert_eq!(
            (&told["status"], &told["is_delivered"]),
            (&status, &json!(!is_failed)),
            "{told}"
        );
        assert_eq!(told["error"].is_null(), !status.is_null());
    }
    assert!(operator.lists("deliveries").is_empty(), "a test is no delivery");
}

#[test]
fn a_test_calls_no_address_that_became_forbidden() {
    let world = world();
    let operator = world.operator_of("demo");
    operator.creates("connectors", to("https://shop.example/x"));
    world.operator_of("other").creates("hosts", json!({ "hostname": "shop.example" }));
    let told = tests(&operator, 1);
    assert!(told["error"].as_str().unwrap().contains("Backtrail's own"), "{told}");
    assert!(world.receivers.got().is_empty());
    let mut pixel = seed();
    pixel["webhook"] = Value::Null;
    pixel["pixel"] = json!({ "code": "<p>{{VALUE}}</p>" });
    operator.creates("connectors", pixel);
    operator.is_refused(Post, "connectors/2/test", None, (400, "no_webhook"));
    let key = operator.creates("keys", json!({ "name": "reader", "scopes": ["read"] }));
    operator.with_key(&key["key"]).is_refused(
        Post,
        "connectors/1/test",
        None,
        (403, "missing_scope"),
    );
}

#[test]
fn a_bin_keeps_the_last_fifty_requests_of_a_day() {
    let world = world();
    let operator = world.operator_of("demo");
    operator.creates("connectors", to(BIN));
    operator.creates("connectors", to("bin:broken?status=503"));
    assert_eq!(tests(&operator, 1)["status"], 200);
    let told = tests(&operator, 2);
    assert_eq!((&told["status"], &told["is_delivered"]), (&json!(503), &json!(false)));
    let kept = bin(&operator, "try-it");
    assert_eq!(kept.len(), 1);
    assert_eq!((&kept[0]["method"], &kept[0]["status"]), (&json!("GET"), &json!(200)));
    assert!(kept[0]["url"].as_str().unwrap().starts_with("bin:try-it?value=15&track=Purchase"));
    assert!(kept[0]["headers"].to_string().contains("Bearer abc123"));
    assert!(world.receivers.got().is_empty(), "nothing leaves the installation");
    for _ in 0..60 {
        world.waits_ms(1_000);
        tests(&operator, 1);
    }
    let kept = bin(&operator, "try-it");
    assert_eq!(kept.len(), 50);
    assert!(kept[0]["at"].as_str() > kept[49]["at"].as_str());
    let other = world.operator_of("other");
    assert!(bin(&other, "try-it").is_empty(), "bins are the namespace's own");
    operator.is_refused(Get, "bins/Try", None, (404, "not_found"));
    world.waits_ms(86_400_000);
    assert!(bin(&operator, "try-it").is_empty());
}

#[test]
fn a_bin_shows_persons_to_those_who_may_see_them() {
    let world = world();
    let operator = world.operator_of("demo");
    let mut connector = to(BIN);
    connector["webhook"]["method"] = "POST".into();
    connector["webhook"]["headers"] = json!([{ "name": "X-Mail", "value": "{{EMAIL}}" }]);
    operator.creates("connectors", connector);
    tests(&operator, 1);
    let seen_with = |scopes: Value| {
        let key = operator.creates("keys", json!({ "name": "key", "scopes": scopes }));
        bin(&operator.with_key(&key["key"]), "try-it")[0].to_string()
    };
    assert!(seen_with(json!(["read", "write", "pii"])).contains("example@email.com"));
    for scopes in [json!(["read"]), json!(["read", "write"])] {
        let seen = seen_with(scopes);
        assert!(!seen.contains("example@") && seen.contains("e***@email.com"), "{seen}");
    }
}

#[test]
fn a_bin_shows_secrets_to_those_who_may_write() {
    let world = world();
    let operator = world.operator_of("demo");
    let pair = |name: &str, value: &str| json!({ "name": name, "value": value });
    let webhook = |format: &str, parameters: Value, body: Value| json!({ "url": BIN, "method": "POST", "format": format, "parameters": parameters, "body": body });
    let parameters = json!([pair("api_token", "s3cret"), pair("value", "{{VALUE}}")]);
    let body = json!(r#"{"api_token":"s3cret","value":{{VALUE}}}"#);
    let key = operator.creates("keys", json!({ "name": "reader", "scopes": ["read", "pii"] }));
    let reader = operator.with_key(&key["key"]);
    for (id, webhook) in [
        (1, webhook("form", parameters.clone(), Value::Null)),
        (2, webhook("json", parameters, Value::Null)),
        (3, webhook("json", json!([]), body)),
    ] {
        let connector = json!({ "name": "Secrets", "events": ["Purchase"], "webhook": webhook });
        operator.creates("connectors", connector);
        tests(&operator, id);
        assert!(bin(&operator, "try-it")[0]["body"].as_str().unwrap().contains("s3cret"));
        let seen = bin(&reader, "try-it").remove(0);
        assert!(!seen.to_string().contains("s3cret"), "{seen}");
        assert!(seen["body"].as_str().unwrap().contains("15"), "{seen}");
        let shown = reader.sees(&format!("connectors/{id}"));
        assert!(!shown.to_string().contains("s3cret"), "{shown}");
        world.waits_ms(1);
    }
}

#[test]
fn erasing_a_person_empties_the_bins() {
    let world = world();
    let shop = Shop::open(&world);
    shop.operator.creates("connectors", to(BIN));
    tests(&shop.operator, 1);
    assert_eq!(bin(&shop.operator, "try-it").len(), 1);
    let erased = shop.operator.sends(Delete, "persons?customer_id=somebody", None, "");
    assert_eq!(erased.status, 200);
    assert!(bin(&shop.operator, "try-it").is_empty());
}

#[test]
fn an_approval_holds_for_the_code_and_mode_that_were_approved() {
    let world = world();
    let operator = world.operator_of("demo");
    let mut connector = seed();
    connector["pixel"] = json!({ "code": "<img src=\"https://ads.example/?v={{VALUE}}\">" });
    let made = operator.creates("connectors", connector);
    assert_eq!((&made["approved"], &made["approval"]), (&Value::Null, &Value::Null));
    assert_eq!(made["warnings"][0]["code"], "not_approved");
    let with_scopes = |scopes: Value| {
        let key = operator.creates("keys", json!({ "name": "key", "scopes": scopes }));
        operator.with_key(&key["key"])
    };
    let writer = with_scopes(json!(["read", "write"]));
    writer.is_refused(Post, "connectors/1/approve", None, (403, "missing_scope"));
    let approver = with_scopes(json!(["approve"]));
    let approved = approver.calls(Post, "connectors/1/approve", None, 200);
    assert_eq!(approved["approved"], "Approved on 2026-11-21 by key 2");
    assert_eq!(approved["approval"]["key_id"], 2);

    let change = |pixel: Value| operator.changes("connectors/1", json!({ "pixel": pixel }));
    assert_eq!(change(json!({ "is_sandboxed": false }))["approved"], Value::Null, "another mode");
    assert_eq!(change(json!({ "is_sandboxed": true }))["approved"], approved["approved"]);
    let changed = change(json!({ "code": "<img src=\"https://ads.example/?w={{VALUE}}\">" }));
    assert_eq!((&changed["approved"], &changed["approval"]), (&Value::Null, &Value::Null));

    // Whoever names what was seen approves nothing else.
    let seen = approved["pixel_hash"].as_str().unwrap();
    let stale = format!("connectors/1/approve?hash={seen}");
    approver.is_refused(Post, &stale, None, (400, "pixel_changed"));
    let seen = changed["pixel_hash"].as_str().unwrap();
    let again = approver.calls(Post, &format!("connectors/1/approve?hash={seen}"), None, 200);
    assert_eq!(again["approved"], "Approved on 2026-11-21 by key 2");
    operator.calls(Post, "connectors/1/approve", None, 200);
    assert_eq!(operator.sees("connectors/1")["approved"], "Approved on 2026-11-21 by the root key");
    operator.creates("connectors", seed());
    operator.is_refused(Post, "connectors/2/approve", None, (400, "no_pixel"));
}

#[test]
fn every_macro_is_listed_with_what_was_received() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.operator
        .changes("namespaces/demo", json!({ "collect_origins": ["https://shop.example"] }));
    let listed = shop.operator.sees("macros");
    let find = |listed: &Value, name: &str| {
        let all = listed["data"].as_array().unwrap().iter();
        all.clone().find(|entry| entry["name"] == name).cloned().unwrap_or_default()
    };
    for name in
        ["{{VALUE}}", "{{CLICK_SOURCE}}", "{{EMAIL}}", "{{SUB10}}", "{revenue}", "{country}"]
    {
        let entry = find(&listed, name);
        assert!(!entry["description"].as_str().unwrap().is_empty(), "{name}");
    }
    assert_eq!(
        find(&listed, "{{BACKTRAIL_CLICK_ID}}")["also"],
        json!(["{click_id}", "{transaction_id}"])
    );
    assert_eq!(find(&listed, "{{EMAIL}}")["is_personal"], true);
    assert_eq!(find(&listed, "{revenue}")["is_for_affiliates"], false);
    assert_eq!(find(&listed, "{revenue}")["where"].as_array().unwrap().len(), 3);
    assert_eq!(find(&listed, "{{VALUE}}")["where"].as_array().unwrap().len(), 5);
    assert_eq!(listed["filters"].as_array().unwrap().len(), 4);
    assert_eq!(find(&listed, "{{BASKET_SIZE}}"), Value::Null);
    shop.rows(
        "INSERT INTO event_keys (namespace, name, key) VALUES ('demo', 'Purchase', 'BASKET_SIZE')",
    );
    let entry = find(&shop.operator.sees("macros"), "{{BASKET_SIZE}}");
    assert!(entry["description"].as_str().unwrap().contains("Purchase"), "{entry}");
    let with = |value: &str| {
        let mut connector = seed();
        connector["webhook"] =
            json!({ "url": "https://a.example/", "parameters": [{ "name": "a", "value": value }] });
        shop.operator.creates("connectors", connector)["warnings"].clone()
    };
    assert_eq!(with("{{BASKET_SIZE}}"), json!([]));
    let near = with("{{BASKET_SIZ}}");
    assert!(near[0]["message"].as_str().unwrap().contains("{{BASKET_SIZE}}"), "{near}");
}

#[test]
fn the_cron_job_forgets_what_bins_had() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.operator.creates("connectors", to(BIN));
    tests(&shop.operator, 1);
    let kept = || shop.rows("SELECT COUNT(*) AS kept FROM bin_requests")[0]["kept"].clone();
    shop.edge.ticks();
    assert_eq!(kept(), 1);
    world.waits_ms(86_400_000);
    shop.edge.ticks();
    assert_eq!(kept(), 0);
}

#[test]
fn a_bins_name_and_answer_are_those_of_the_address_as_it_was_written() {
    let world = world();
    let operator = world.operator_of("demo");
    let mut connector = to(BIN);
    connector["webhook"]["parameters"] = json!([{ "name": "status", "value": "410" }]);
    operator.creates("connectors", connector.clone());
    assert_eq!(tests(&operator, 1)["status"], 200);
    connector["webhook"]["parameters"] = json!([{ "name": "status", "value": "{{EVENT_NAME}}" }]);
    connector["webhook"]["url"] = "bin:try-it?x={{VALUE}}&status=503".into();
    let created = operator.creates("connectors", connector);
    assert_eq!(created["receiver"], "bin:try-it");
    assert_eq!(tests(&operator, 2)["status"], 503);
    let kept = bin(&operator, "try-it");
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().any(|one| one["url"] == "bin:try-it?x=15&status=503&status=Purchase"));
    for url in ["bin:{{VALUE}}", "bin:a{sub1}", "bin:a?status={{VALUE}}", "bin:a?status=5{{VALUE}}"]
    {
        operator.is_told(Post, "connectors", to(url), &["webhook.url: invalid"]);
    }
}

#[test]
fn a_test_whose_request_would_be_too_long_says_so_and_sends_nothing() {
    let world = world();
    let operator = world.operator_of("demo");
    let mut connector = seed();
    let long = |n: u32| json!({ "name": format!("p{n}"), "value": "/".repeat(1_200) });
    connector["webhook"]["method"] = "POST".into();
    connector["webhook"]["parameters"] = (0..20).map(long).collect();
    // What nothing but values could make short enough is not kept.
    let refused = ["webhook.parameters: invalid"];
    operator.is_told(Post, "connectors", connector.clone(), &refused);
    connector["webhook"]["method"] = "GET".into();
    connector["webhook"]["parameters"] = (0..10).map(long).collect();
    let answer = operator.calls(Post, "connectors", Some(connector.clone()), 400);
    assert!(answer["detail"].as_str().unwrap().contains("longer than 32768 bytes"), "{answer}");
    connector["webhook"]["method"] = "POST".into();
    let macros = "{{BACKTRAIL_CLICK_ID}}".repeat(90);
    let long = |n: u32| json!({ "name": format!("p{n}"), "value": macros });
    connector["webhook"]["parameters"] = (0..20).map(long).collect();
    let made = operator.creates("connectors", connector.clone());
    let warning = json!(["too_long", "webhook"]);
    let is_told = |told: &Value| {
        let one = &told["warnings"][0];
        assert_eq!(json!([one["code"], one["field"]]), warning, "{told}");
    };
    is_told(&made);
    let sample = json!({ "webhook": connector["webhook"] });
    is_told(&operator.calls(Post, "connectors/preview", Some(sample), 200));
    let told = tests(&operator, 1);
    assert!(told.to_string().contains("would be longer than 65536 bytes"), "{told}");
    assert!(world.receivers.got().is_empty());
    // A body is judged with samples before it is kept.
    connector["webhook"]["format"] = "json".into();
    connector["webhook"]["parameters"] = json!([]);
    let (slashes, filters) = ("/".repeat(4_000), ":urlencode".repeat(10));
    connector["webhook"]["body"] = format!("\"{{{{X:default={slashes}{filters}}}}}\"").into();
    operator.is_told(Post, "connectors", connector, &["webhook.body: invalid"]);
}
