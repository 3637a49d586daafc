//! Who may call the API, and what a call must look like (wire.md 1 and 10).

use backtrail::http::request::Headers;
use backtrail::http::request::Method::{Delete, Get, Other, Patch, Post};
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::world::{ROOT_KEY, json_of};
use crate::support::{Operator, World};

fn key_with<'a>(operator: &Operator<'a>, scopes: &[&str]) -> Operator<'a> {
    let key = operator.creates("keys", json!({ "name": "k", "scopes": scopes }));
    operator.with_key(&key["key"])
}

fn reads<'a>(host: &str, authorization: &'a str, namespace: &'a str) -> (String, Headers<'a>) {
    let headers = Headers { authorization, namespace, ..Headers::default() };
    (format!("{host}/api/v1/affiliates"), headers)
}

#[test]
fn only_known_keys_are_let_in() {
    let world = World::new();
    let demo = world.operator_of("demo");
    let key = demo.creates("keys", json!({ "name": "k", "scopes": ["read"] }));
    let plain = key["key"].as_str().unwrap();
    assert!(plain.starts_with("bt_") && plain.len() == 46, "{plain}");
    assert_eq!(demo.sees("keys/1").get("key"), None, "it is shown once");
    assert_eq!(demo.with_key(&key["key"]).lists("affiliates").len(), 0);

    let batches = world.database().batches();
    for header in ["", "Bearer", "Bearer ", ROOT_KEY, &format!("Basic {ROOT_KEY}")] {
        let (address, headers) = reads("demo-tracking.x", header, "");
        let response = world.answers(Get, &address, headers, b"");
        assert_eq!(json_of(&response, 401)["code"], "unauthorized", "{header}");
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(world.database().batches(), batches, "without a key nothing is looked up");
    let wrong = format!("Bearer {}x", ROOT_KEY);
    let (address, headers) = reads("demo-tracking.x", &wrong, "");
    json_of(&world.answers(Get, &address, headers, b""), 401);
    // Before anything is known of the caller, an address that does not exist is a 401 as well.
    let nowhere = world.answers(Get, "x/api/v2/nothing", Headers::default(), b"");
    json_of(&nowhere, 401);

    demo.removes("keys/1");
    demo.with_key(&key["key"]).is_refused(Get, "affiliates", None, (401, "unauthorized"));
}

#[test]
fn the_key_decides_the_namespace_and_nothing_may_name_another() {
    let world = World::new();
    let demo = world.operator_of("demo");
    world.operator_of("other").creates("hosts", json!({ "hostname": "go.other.example" }));
    demo.creates("hosts", json!({ "hostname": "go.demo.example" }));
    let key = demo.creates("keys", json!({ "name": "k", "scopes": ["read"] }));
    let bearer = format!("Bearer {}", key["key"].as_str().unwrap());
    let root = format!("Bearer {ROOT_KEY}");
    for (host, header, of_key, of_root) in [
        ("backtrail.example", "", 200, 400),
        ("demo-tracking.example", "", 200, 200),
        ("DEMO-tracking.example.:8787", "demo", 200, 200),
        ("go.demo.example", "", 200, 200),
        ("backtrail.example", "demo", 200, 200),
        ("other-tracking.example", "", 404, 200),
        ("go.other.example", "", 404, 200),
        ("backtrail.example", "other", 404, 200),
        ("demo-tracking.example", "other", 404, 404),
        ("go.other.example", "demo", 404, 404),
        ("nobody-tracking.example", "", 404, 404),
        ("backtrail.example", "Not A Name", 404, 404),
    ] {
        for (authorization, status) in [(&bearer, of_key), (&root, of_root)] {
            let (address, headers) = reads(host, authorization, header);
            let response = world.answers(Get, &address, headers, b"");
            assert_eq!(response.status, status, "{host} {header}: {response:?}");
        }
    }
}

#[test]
fn another_namespaces_objects_are_as_absent_as_those_that_never_were() {
    let world = World::new();
    let demo = world.operator_of("demo");
    demo.creates("affiliates", json!({ "name": "Ann" }));
    let other = world.operator_of("other");
    let absent = |path: &str| other.is_refused(Get, path, None, (404, "not_found"));
    assert_eq!(absent("affiliates/1"), absent("affiliates/2"));
    for path in ["affiliates/0", "affiliates/x", "affiliates/-1", "affiliates/99999999999999999999"]
    {
        absent(path);
    }
    other.is_refused(Patch, "affiliates/1", Some(json!({ "name": "x" })), (404, "not_found"));
    assert_eq!(other.lists("affiliates").len(), 0);
    // Each counts its own ids.
    assert_eq!(other.creates("affiliates", json!({ "name": "Bea" }))["id"], 1);
}

#[test]
fn scopes_say_what_a_key_may_do() {
    let world = World::new();
    let demo = world.operator_of("demo");
    let (reader, writer) = (key_with(&demo, &["read"]), key_with(&demo, &["write"]));
    let ann = json!({ "name": "Ann" });
    reader.is_refused(Post, "affiliates", Some(ann.clone()), (403, "missing_scope"));
    writer.creates("affiliates", ann.clone());
    writer.is_refused(Get, "affiliates", None, (403, "missing_scope"));
    reader.sees("affiliates/1");
    reader.is_refused(Patch, "affiliates/1", Some(ann), (403, "missing_scope"));
    reader.is_refused(Delete, "keys/1", None, (403, "missing_scope"));
    let wider = json!({ "name": "w", "scopes": ["write", "pii"] });
    writer.is_told(Post, "keys", wider, &["scopes: missing_scope"]);
    writer.is_told(Patch, "keys/2", json!({ "scopes": ["read"] }), &["scopes: missing_scope"]);
    writer.changes("keys/2", json!({ "name": "renamed" }));
    for scopes in [json!([]), json!(["admin"]), json!("read"), json!(null)] {
        demo.is_told(Post, "keys", json!({ "name": "k", "scopes": scopes }), &["scopes: invalid"]);
    }
}

#[test]
fn a_namespaces_key_sees_its_own_namespace_only() {
    let world = World::new();
    let demo = world.operator_of("demo");
    world.operator_of("other");
    let key = key_with(&demo, &["read", "write"]);
    assert_eq!(key.lists("namespaces").len(), 1);
    assert_eq!(
        key.changes("namespaces/demo", json!({ "is_pixels_enabled": true }))["name"],
        "demo"
    );
    key.is_refused(Get, "namespaces/other", None, (404, "not_found"));
    key.is_refused(Post, "namespaces", Some(json!({ "name": "third" })), (403, "missing_scope"));
    assert_eq!(world.root().lists("namespaces").len(), 2);
    world.root().changes("namespaces/other", json!({ "time_zone": "Asia/Tokyo" }));
    world.root().is_refused(Get, "affiliates", None, (400, "namespace_required"));
    let early = Operator { namespace: "fourth".into(), ..world.root() };
    early.is_refused(Get, "affiliates", None, (404, "not_found"));
    early.creates("namespaces", json!({ "name": "fourth" }));
    assert_eq!(early.lists("affiliates").len(), 0);
}

#[test]
fn addresses_and_methods_that_do_not_exist_are_told_apart() {
    let world = World::new();
    let demo = world.operator_of("demo");
    for path in ["nothing", "affiliates/1/2", "affiliates/", "", "inbox/1/judge/x"] {
        demo.is_refused(Get, path, None, (404, "not_found"));
    }
    for (method, path, allow) in [
        (Patch, "affiliates", "GET, POST"),
        (Delete, "affiliates/1", "GET, PATCH"),
        (Patch, "hosts/a.example", "GET, DELETE"),
        (Post, "keys/1", "GET, PATCH, DELETE"),
        (Patch, "tokens/1", "GET, DELETE"),
        (Get, "inbox/1/judge", "POST"),
        (Other, "affiliates", "GET, POST"),
    ] {
        let response = demo.sends(method, path, None, "");
        assert_eq!(response.header("allow"), Some(allow), "{path}");
        assert_eq!(json_of(&response, 405)["code"], "method_not_allowed");
    }
}

#[test]
fn bodies_are_json_objects_of_bounded_size() {
    let world = World::new();
    world.operator_of("demo");
    let authorization = format!("Bearer {ROOT_KEY}");
    let posts = |path: &str, content_type: &str, body: &[u8]| -> (u16, Value) {
        let headers = Headers {
            authorization: &authorization,
            namespace: "demo",
            content_type,
            ..Headers::default()
        };
        let response = world.answers(Post, &format!("x/api/v1/{path}"), headers, body);
        (response.status, json_of(&response, response.status)["code"].clone())
    };
    let json = "application/json; charset=utf-8";
    for body in ["", "{", "[]", "\"x\"", "null", "{\"name\":\"\\ud800\"}", "{\"name\":1e999}"] {
        assert_eq!(
            posts("affiliates", json, body.as_bytes()),
            (400, "invalid_json".into()),
            "{body}"
        );
    }
    assert_eq!(posts("affiliates", json, b"{\"name\":\"\xff\"}").1, "invalid_json");
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000));
    assert_eq!(posts("affiliates", json, deep.as_bytes()).1, "invalid_json");
    for content_type in ["", "text/plain", "application/x-www-form-urlencoded"] {
        let refused = posts("affiliates", content_type, b"{}");
        assert_eq!(refused, (415, "unsupported_media_type".into()));
    }
    let long = |length: usize| format!("{{\"name\":\"{}\"}}", "x".repeat(length));
    assert_eq!(posts("affiliates", json, long(66_000).as_bytes()), (413, "too_large".into()));
    assert_eq!(posts("links", json, long(66_000).as_bytes()).0, 400);
    assert_eq!(posts("links", json, long(2_100_000).as_bytes()).0, 413);
}

#[test]
fn a_repeated_key_gets_the_same_object_again() {
    let world = World::new();
    let demo = world.operator_of("demo");
    let ann = || Some(json!({ "name": "Ann", "custom_id": "a" }));
    let first = json_of(&demo.sends(Post, "affiliates", ann(), "once"), 201);
    demo.creates("affiliates", json!({ "name": "Bea" }));
    assert_eq!(json_of(&demo.sends(Post, "affiliates", ann(), "once"), 201), first);
    assert_eq!(demo.lists("affiliates").len(), 2);
    let other = Some(json!({ "name": "Cid" }));
    let reused = demo.sends(Post, "affiliates", other.clone(), "once");
    assert_eq!(json_of(&reused, 409)["code"], "idempotency_key_reused");
    let elsewhere =
        demo.sends(Post, "advertisers", ann().map(|_| json!({ "name": "Ann" })), "once");
    assert_eq!(json_of(&elsewhere, 409)["code"], "idempotency_key_reused");
    json_of(&world.operator_of("other").sends(Post, "affiliates", other, "once"), 201);
    let long = "x".repeat(201);
    for key in ["with space", "ü", long.as_str()] {
        let response = demo.sends(Post, "affiliates", ann(), key);
        assert_eq!(json_of(&response, 400)["code"], "invalid_idempotency_key");
    }
    // A refused request leaves its key free.
    let taken = demo.sends(Post, "affiliates", ann(), "again");
    assert_eq!(json_of(&taken, 409)["code"], "conflict");
    json_of(&demo.sends(Post, "affiliates", Some(json!({ "name": "Dot" })), "again"), 201);
    let root =
        |key: &str| world.root().sends(Post, "namespaces", Some(json!({ "name": "n" })), key);
    assert_eq!(json_of(&root("n"), 201), json_of(&root("n"), 201));
    json_of(&root(""), 409);
}

#[test]
fn a_repeated_list_of_links_is_created_once() {
    let world = World::new();
    let demo = world.operator_of("demo");
    demo.creates("advertisers", json!({ "name": "Shop" }));
    let campaign =
        json!({ "name": "c", "advertiser_id": 1, "currency": "USD", "authentication": "none" });
    demo.creates("campaigns", campaign);
    demo.creates("affiliates", json!({ "name": "Ann" }));
    let link = json!({ "campaign_id": 1, "affiliate_id": 1, "is_default": true });
    let plain = json!({ "campaign_id": 1, "affiliate_id": 1 });
    let sends = || {
        let body = Some(json!({ "links": [plain, link, plain] }));
        json_of(&demo.sends(Post, "links", body, "bulk"), 201)
    };
    let first = sends();
    demo.changes("links/1", json!({ "is_default": true }));
    let second = sends();
    let ids = |answer: &Value| -> Vec<Value> {
        answer["data"].as_array().unwrap().iter().map(|l| l["id"].clone()).collect()
    };
    assert_eq!((ids(&first), ids(&second)), (vec![1.into(), 2.into(), 3.into()], ids(&first)));
    assert_eq!(second["data"][0]["is_default"], true, "a repetition moves nothing");
    assert_eq!(demo.lists("links").len(), 3);
}

#[test]
fn a_repeated_creation_of_a_key_shows_the_same_secret() {
    let world = World::new();
    let demo = world.operator_of("demo");
    let body = || Some(json!({ "name": "k", "scopes": ["read", "write"] }));
    // The key is created, but nobody is told it.
    world.database().breaks_after(Break::AfterCommit, 1);
    json_of(&demo.sends(Post, "keys", body(), "k"), 503);
    let first = json_of(&demo.sends(Post, "keys", body(), "k"), 201);
    let second = json_of(&demo.sends(Post, "keys", body(), "k"), 201);
    assert_eq!(first, second);
    demo.with_key(&second["key"]).sees("affiliates");
    let writer = Operator { namespace: "demo".into(), ..demo.with_key(&second["key"]) };
    let third = json_of(&writer.sends(Post, "keys", body(), "k"), 201);
    assert_eq!(third.get("key"), None, "the secret is for the key that created it");
    assert_eq!(third["id"], first["id"]);
}

#[test]
fn after_a_failure_the_same_request_creates_exactly_one_object() {
    for how in [Break::BeforeCommit, Break::AfterCommit] {
        for batch in 0..2 {
            let world = World::new();
            let demo = world.operator_of("demo");
            world.database().breaks_after(how, batch);
            let ann = || Some(json!({ "name": "Ann" }));
            let failed = demo.sends(Post, "affiliates", ann(), "once");
            assert_eq!(json_of(&failed, 503)["code"], "storage_unavailable");
            assert!(failed.header("retry-after").is_some());
            assert_eq!(json_of(&demo.sends(Post, "affiliates", ann(), "once"), 201)["id"], 1);
            assert_eq!(demo.lists("affiliates").len(), 1);
        }
    }
}
