//! Statuses by API: of one conversion, of up to a thousand at once, and their audit trail.

use backtrail::http::request::Method::{Get, Patch, Post};
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::{Shop, World};

/// Sales of 10.00, numbered from 0; their ids.
fn sales(shop: &Shop<'_>, many: usize) -> Vec<String> {
    let id = shop.clicks(1);
    let report = |order| shop.reports(200, &format!("click_id={id}&order_id=O{order}&amount=10"));
    (0..many).map(|order| report(order)["conversion_id"].as_str().unwrap().to_owned()).collect()
}

fn open(world: &World) -> Shop<'_> {
    Shop::with(world, json!({ "conversions_per_click": "per_order" }))
}

fn sends(shop: &Shop<'_>, items: Value) -> Value {
    shop.operator.calls(Post, "conversions/statuses", Some(json!({ "items": items })), 200)
}

fn verdicts(body: &Value) -> Vec<String> {
    let word = |result: &Value, name: &str| result[name].as_str().unwrap_or_default().to_owned();
    let told = |result: &Value| format!("{} {}", word(result, "verdict"), word(result, "code"));
    body["data"].as_array().unwrap().iter().map(|r| told(r).trim().to_owned()).collect()
}

#[test]
fn one_conversion_is_changed_and_shown() {
    let world = World::new();
    let shop = open(&world);
    let path = format!("conversions/{}", sales(&shop, 1)[0]);
    let shown = shop.operator.changes(&path, json!({ "status": "rejected", "reason": "fraud" }));
    assert_eq!((&shown["status"], &shown["status_reason"]), (&json!("rejected"), &json!("fraud")));
    // A second time it is so already, and another reason replaces the first.
    assert_eq!(
        shop.operator.changes(&path, json!({ "status": "rejected", "reason": "fraud" })),
        shown
    );
    shop.operator.changes(&path, json!({ "status": "rejected", "reason": "bot" }));
    let shown = shop.operator.changes(&path, json!({ "status": "approved" }));
    assert_eq!((&shown["status"], &shown["status_reason"]), (&json!("approved"), &Value::Null));
    let part = json!({ "status": "refunded", "amount": "5.00", "refund_id": "r" });
    assert_eq!(shop.operator.changes(&path, part)["payout"]["amount"], "2.50");
    shop.operator.changes(&path, json!({ "status": "refunded" }));
    // A mistaken refund is undone by a person, and the whole sale counts again.
    let shown = shop.operator.changes(&path, json!({ "status": "approved" }));
    assert_eq!(
        (&shown["status"], &shown["payout"]["amount"]),
        (&json!("approved"), &json!("5.00"))
    );
    let lines = shop.operator.lists(&format!("{path}/changes"));
    let what: Vec<&str> = lines.iter().map(|line| line["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["status", "reason", "status", "refund", "refund", "status"]);
    assert!(lines.iter().all(|line| line["by"] == "root_key" && line["key_id"].is_null()));
    assert!(lines[0]["request_id"].as_str().unwrap().starts_with("op_"));
    for pair in lines.windows(2) {
        assert_eq!(pair[0]["after"], pair[1]["before"]);
    }
}

#[test]
fn a_key_with_the_scope_write_changes_and_is_named_in_the_trail() {
    let world = World::new();
    let shop = open(&world);
    let path = format!("conversions/{}", sales(&shop, 1)[0]);
    let key = |scopes: Value| {
        let key = shop.operator.creates("keys", json!({ "name": "k", "scopes": scopes }));
        (shop.operator.with_key(&key["key"]), key["id"].clone())
    };
    let (reader, _) = key(json!(["read", "approve"]));
    let body = Some(json!({ "status": "rejected" }));
    reader.is_refused(Patch, &path, body, (403, "missing_scope"));
    reader.is_refused(Post, "conversions/statuses", Some(json!({})), (403, "missing_scope"));
    let (writer, id) = key(json!(["read", "write"]));
    writer.changes(&path, json!({ "status": "rejected" }));
    let line = &reader.lists(&format!("{path}/changes"))[0];
    assert_eq!((&line["by"], &line["key_id"]), (&json!("key"), &id));
}

#[test]
fn a_change_that_cannot_be_is_a_problem_that_says_why() {
    let world = World::new();
    let shop = open(&world);
    let id = &sales(&shop, 1)[0];
    let path = format!("conversions/{id}");
    let refused =
        |body: Value, problem| shop.operator.is_refused(Patch, &path, Some(body), problem);
    refused(json!({ "status": "refunded", "amount": "10.01" }), (409, "refund_too_large"));
    shop.operator.changes(&path, json!({ "status": "rejected" }));
    let problem = refused(json!({ "status": "refunded" }), (409, "invalid_transition"));
    assert!(problem["detail"].as_str().unwrap().contains("approved, pending, hold"), "{problem}");
    for (body, fault) in [
        (json!({ "reason": "x" }), "status: required"),
        (json!({ "status": "paid" }), "status: invalid"),
        (json!({ "status": "hold", "amount": "1" }), "amount: invalid"),
        (json!({ "status": "refunded", "amount": 1 }), "amount: invalid"),
        (json!({ "status": "refunded", "amount": "1e3" }), "amount: invalid"),
        (json!({ "status": "hold", "payout": "1" }), "payout: unknown_field"),
        (json!({ "status": "hold", "reason": "\n" }), "reason: invalid"),
    ] {
        shop.operator.is_told(Patch, &path, body, &[fault]);
    }
    let other = world.operator_of("other");
    let body = || Some(json!({ "status": "hold" }));
    other.is_refused(Patch, &path, body(), (404, "not_found"));
    other.is_refused(Get, &format!("{path}/changes"), None, (404, "not_found"));
    shop.operator.is_refused(Patch, "conversions/cv_none", body(), (404, "not_found"));
    shop.operator.is_refused(Patch, "conversions", body(), (405, "method_not_allowed"));
    shop.operator.is_refused(Get, "conversions/statuses", None, (405, "method_not_allowed"));
    assert_eq!(shop.value("SELECT status FROM conversions"), "rejected");
}

#[test]
fn many_are_changed_by_order_click_or_id_with_a_result_each() {
    let world = World::new();
    let shop = open(&world);
    let ids = sales(&shop, 4);
    let lone = shop.clicks(2);
    shop.reports(200, &format!("click_id={lone}&order_id=L&amount=10"));
    let crowded = shop.value("SELECT click_id FROM conversions WHERE order_id = 'O0'");
    let items = json!([
        { "conversion_id": ids[0], "status": "rejected", "reason": "fraud" },
        { "campaign_id": 1, "order_id": "O1", "status": "refunded", "amount": "4" },
        { "click_id": lone, "status": "hold" },
        { "conversion_id": ids[2], "status": "approved" },
        { "campaign_id": 1, "order_id": "O3", "status": "refunded", "amount": "40" },
        { "campaign_id": 1, "order_id": "Z", "status": "approved" },
        { "campaign_id": 2, "order_id": "O3", "status": "rejected" },
        { "conversion_id": "cv_none", "status": "approved" },
        { "click_id": crowded, "status": "rejected" },
        { "campaign_id": 1, "order_id": "O0", "status": "hold" },
        { "order_id": "O3", "status": "rejected" },
        { "conversion_id": ids[3], "order_id": "O3", "campaign_id": 1, "status": "rejected" },
        { "conversion_id": ids[3], "status": "paid" },
        { "conversion_id": ids[3], "status": "hold", "colour": "red" },
        "cv_1",
    ]);
    let body = sends(&shop, items.clone());
    assert_eq!(
        verdicts(&body),
        [
            "updated",
            "updated",
            "updated",
            "duplicate",
            "rejected refund_too_large",
            "rejected unknown_order",
            "rejected unknown_order",
            "rejected not_found",
            "rejected ambiguous",
            "rejected repeated_item",
            "rejected invalid_fields",
            "rejected invalid_fields",
            "rejected invalid_fields",
            "rejected invalid_fields",
            "rejected invalid_fields",
        ]
    );
    assert_eq!(body["counts"], json!({ "updated": 3, "duplicate": 1, "rejected": 11 }));
    assert_eq!(body["data"][1]["item"], 1);
    assert_eq!(body["data"][1]["payout"], json!({ "amount": "3.00", "currency": "USD" }));
    assert_eq!(shop.value("SELECT status FROM conversions WHERE order_id = 'O3'"), "approved");
    // Sent again, nothing happens a second time.
    let again = sends(&shop, items);
    assert_eq!(verdicts(&again)[..4], ["duplicate"; 4]);
    assert_eq!(shop.count("changes"), 3);
    let other = world.operator_of("other");
    let items = json!({ "items": [{ "conversion_id": ids[3], "status": "rejected" }] });
    let foreign = other.calls(Post, "conversions/statuses", Some(items), 200);
    assert_eq!(verdicts(&foreign), ["rejected not_found"]);
    for body in [json!({}), json!({ "items": [] }), json!({ "items": vec![json!({}); 1_001] })] {
        shop.operator.is_told(Post, "conversions/statuses", body, &["items: invalid"]);
    }
}

#[test]
fn a_thousand_at_once_take_few_statements_and_can_be_interrupted() {
    let world = World::new();
    let shop = open(&world);
    sales(&shop, 1_000);
    let items: Vec<Value> = (0..1_000)
        .map(|order| json!({ "campaign_id": 1, "order_id": format!("O{order}"), "status": "rejected", "reason": "x".repeat(400) }))
        .collect();
    let body = json!({ "items": items });
    // The third batch of changes is lost: what came before stands, each wholly.
    world.database().breaks_after(Break::BeforeCommit, 4);
    shop.operator.calls(Post, "conversions/statuses", Some(body.clone()), 503);
    assert_eq!(shop.count("changes"), 400);
    assert_eq!(shop.value("SELECT COUNT(*) FROM conversions WHERE status = 'rejected'"), 400);
    let before = world.database().statements();
    let done = shop.operator.calls(Post, "conversions/statuses", Some(body), 200);
    assert_eq!(done["counts"], json!({ "updated": 600, "duplicate": 400, "rejected": 0 }));
    let taken = world.database().statements() - before;
    assert!(taken < 25, "{taken} statements, twice of which would be a second round");
    assert_eq!(shop.count("changes"), 1_000);
}

#[test]
fn a_thousand_that_others_change_at_the_same_moment_stay_below_the_statements_of_an_invocation() {
    let world = World::new();
    let shop = open(&world);
    sales(&shop, 1_000);
    let webhook = json!({ "method": "GET", "url": "https://r.example.org/", "parameters": [] });
    let connector = json!({ "name": "told", "mode": "enabled", "events": ["Purchase"], "statuses": ["rejected"],
        "webhook": webhook, "is_webhook_on": true });
    shop.operator.creates("connectors", connector);
    world.database().execute(
        "CREATE TRIGGER first BEFORE UPDATE ON conversions BEGIN SELECT RAISE(IGNORE); END",
    );
    let item =
        |order| json!({ "campaign_id": 1, "order_id": format!("O{order}"), "status": "rejected" });
    let items: Vec<Value> = (0..1_000).map(item).collect();
    let before = world.database().statements();
    let done =
        shop.operator.calls(Post, "conversions/statuses", Some(json!({ "items": items })), 200);
    assert_eq!(done["counts"]["updated"], 0);
    let taken = world.database().statements() - before;
    assert!(taken <= 45, "{taken}");
    assert_eq!(shop.count("deliveries"), 0);
}
