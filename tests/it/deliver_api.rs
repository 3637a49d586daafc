//! Deliveries and signing secrets over the API.

use backtrail::domain::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use backtrail::http::request::Method::{Get, Post};
use serde_json::{Value, json};

use crate::support::receivers::Reaction;
use crate::support::sending::{get, post};
use crate::support::{Sending, World};

const HOOK: &str = "https://hooks.example/in";

/// Three deliveries of connector 1, which its receiver refuses, and one of connector 2, which arrives.
fn failed(world: &World) -> Sending<'_> {
    let demo = Sending::of(world);
    demo.has_connector(1, "enabled", &post(HOOK));
    demo.has_connector(2, "enabled", &get("https://other.example/"));
    let personal = r#"'{"EMAIL":"jane@shop.example"}'"#;
    demo.has_waiting_with(1, 3, "webhook", "NULL", r#"{"VALUE":"15"}"#, personal);
    demo.has_waiting(2, 1);
    demo.reacts("hooks", Reaction::Answers(404));
    demo.sends();
    demo
}

#[test]
fn a_delivery_shows_what_it_told_every_attempt_and_when_the_next_is() {
    let world = World::new();
    let demo = failed(&world);
    let began = world.now().to_rfc3339();
    let list = demo.operator.lists("deliveries?connector_id=1");
    assert_eq!(list.len(), 3);
    let ids: Vec<&str> = list.iter().map(|one| one["delivery_id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "the newest first");
    let shown = demo.operator.sees(&format!("deliveries/{}", ids[0]));
    assert_eq!(shown, list[0]);
    let fields = json!([shown["kind"], shown["state"], shown["event_name"], shown["values"]]);
    assert_eq!(fields, json!(["webhook", "waiting", "Purchase", { "VALUE": "15" }]));
    assert_eq!(shown["personal"], json!({ "EMAIL": "jane@shop.example" }));
    assert!(shown["due_at"].as_str().unwrap() > began.as_str());
    assert_eq!(
        shown["attempts"],
        json!([{
            "attempt": 1, "at": began, "method": "POST", "url": HOOK, "status": 404, "duration_ms": 7,
            "error": "the answer is 404; only 2xx is success", "answer": "answer 404",
        }])
    );
    for (query, count) in [
        ("", 4),
        ("?state=delivered", 1),
        ("?state=waiting&kind=webhook", 3),
        ("?kind=pixel", 0),
        ("?conversion_id=cv_1", 0),
    ] {
        assert_eq!(demo.operator.lists(&format!("deliveries{query}")).len(), count, "{query}");
    }
    let page = demo.operator.sees("deliveries?limit=3");
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(demo.operator.lists(&format!("deliveries?limit=3&cursor={cursor}")).len(), 1);
}

#[test]
fn who_may_not_see_personal_values_sees_them_masked() {
    let world = World::new();
    let demo = failed(&world);
    let reader = json!({ "name": "reader", "scopes": ["read"] });
    let key = demo.operator.creates("keys", reader)["key"].clone();
    let reader = demo.operator.with_key(&key);
    let masked = json!({ "EMAIL": "j***@shop.example" });
    for shown in reader.lists("deliveries?connector_id=1") {
        assert_eq!(shown["personal"], masked);
        let one = reader.sees(&format!("deliveries/{}", shown["delivery_id"].as_str().unwrap()));
        assert_eq!(one["personal"], masked);
    }
    for path in [
        "deliveries/msg_1/replay",
        "deliveries/replay",
        "connectors/1/cancel",
        "connectors/1/rotate",
    ] {
        reader.is_refused(Post, path, None, (403, "missing_scope"));
    }
    reader.is_refused(Get, "connectors/1/secret", None, (403, "missing_scope"));
}

#[test]
fn a_replay_begins_the_schedule_anew() {
    let world = World::new();
    let demo = failed(&world);
    let id = demo.deliveries(1)[0]["delivery_id"].as_str().unwrap().to_owned();
    demo.execute(&format!(
        "DELETE FROM deliveries WHERE connector_id = 1 AND delivery_id <> '{id}'"
    ));
    while demo.states(1) == ["waiting"] {
        demo.waits_until_due(1);
        demo.sends();
    }
    assert_eq!((demo.states(1), demo.log(1).len()), (vec!["exhausted".to_owned()], 8));
    let replayed = demo.operator.calls(Post, &format!("deliveries/{id}/replay"), None, 200);
    assert_eq!(replayed["state"], "waiting");
    demo.sends();
    assert_eq!(demo.log(1).len(), 9);
    let wait = demo.waits_until_due(1);
    assert!((4_000..=6_000).contains(&wait), "{wait}: the first failure of the new schedule");
    demo.reacts("hooks", Reaction::Answers(200));
    demo.sends();
    let attempts = demo.operator.sees(&format!("deliveries/{id}"))["attempts"].clone();
    let numbers: Vec<u64> =
        attempts.as_array().unwrap().iter().map(|a| a["attempt"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    demo.operator.is_refused(Post, "deliveries/msg_none/replay", None, (404, "not_found"));
}

#[test]
fn one_that_waits_is_replayed_at_once_and_one_that_is_being_sent_is_left_alone() {
    let world = World::new();
    let demo = failed(&world);
    let ids: Vec<String> = demo
        .deliveries(1)
        .iter()
        .map(|delivery| delivery["delivery_id"].as_str().unwrap().to_owned())
        .collect();
    let lease = world.now().ms() + 75_000;
    demo.execute(&format!(
        "UPDATE deliveries SET lease = 'x', due_at = {lease} WHERE delivery_id = '{}'",
        ids[1]
    ));
    for id in &ids[..2] {
        demo.operator.calls(Post, &format!("deliveries/{id}/replay"), None, 200);
    }
    let due: Vec<u64> = demo.deliveries(1).iter().map(|d| d["due_at"].as_u64().unwrap()).collect();
    assert_eq!((due[0], due[1]), (world.now().ms(), lease));
}

#[test]
fn what_fits_a_filter_is_replayed_in_steps_that_may_be_repeated() {
    let world = World::new();
    let demo = Sending::of(&world);
    for id in 1..=2 {
        demo.has_connector(id, "enabled", &get(HOOK));
        demo.has_waiting(id, 1_300);
    }
    let end = "UPDATE deliveries SET state = 'exhausted', due_at = NULL, ended_at = created_at";
    demo.execute(end);
    world.waits_ms(MINUTE_MS);
    let mut body = json!({ "connector_id": 2 });
    let (mut replayed, mut steps) = (0, 0);
    loop {
        let step = demo.operator.calls(Post, "deliveries/replay", Some(body.clone()), 200);
        let repeat = demo.operator.calls(Post, "deliveries/replay", Some(body.clone()), 200);
        assert_eq!(repeat["replayed"], 0, "the answer was lost and the step is taken again");
        replayed += step["replayed"].as_u64().unwrap();
        steps += 1;
        // What ends meanwhile does not keep the task going.
        world.waits_ms(1_000);
        demo.has_waiting(2, 1);
        demo.execute(&format!("{end} WHERE created_at = {}", world.now().ms()));
        if step["next_cursor"].is_null() {
            break;
        }
        body["cursor"] = step["next_cursor"].clone();
    }
    assert_eq!((replayed, steps), (1_300, 3));
    assert!(demo.states(1).iter().all(|state| state == "exhausted"));
}

#[test]
fn a_filter_that_is_wrong_is_told_field_by_field() {
    let world = World::new();
    let demo = failed(&world);
    for (body, fault) in [
        (json!({ "state": "waiting" }), "state: invalid"),
        (json!({ "state": "done" }), "state: invalid"),
        (json!({ "kind": "carrier pigeon" }), "kind: invalid"),
        (json!({ "connector_id": -1 }), "connector_id: invalid"),
        (json!({ "conversion_id": "" }), "conversion_id: invalid"),
        (json!({ "from": "yesterday" }), "from: invalid"),
        (json!({ "until": "2026-11-21T09:30:00Z" }), "until: unknown_field"),
    ] {
        demo.operator.is_told(Post, "deliveries/replay", body, &[fault]);
    }
    let body = json!({ "cursor": "nonsense" });
    demo.operator.is_refused(Post, "deliveries/replay", Some(body), (400, "invalid_cursor"));
}

#[test]
fn what_waits_for_a_connector_is_cancelled_by_choice() {
    let world = World::new();
    let demo = failed(&world);
    demo.execute("UPDATE connectors SET mode = 'disabled' WHERE id = 1");
    let cancelled = demo.operator.calls(Post, "connectors/1/cancel", None, 200);
    assert_eq!(cancelled, json!({ "cancelled": 3, "is_done": true }));
    assert_eq!(demo.states(1), ["cancelled"; 3]);
    assert!(demo.deliveries(1).iter().all(|delivery| delivery["personal"] == Value::Null));
    let again = demo.operator.calls(Post, "connectors/1/cancel", None, 200);
    assert_eq!(again, json!({ "cancelled": 0, "is_done": true }));
    for id in ["9", "x", "-1"] {
        let path = format!("connectors/{id}/cancel");
        demo.operator.is_refused(Post, &path, None, (404, "not_found"));
    }
}

#[test]
fn a_secret_is_rotated_with_a_day_of_overlap_and_a_lost_answer_costs_nothing() {
    let world = World::new();
    let demo = failed(&world);
    let first = demo.operator.sees("connectors/1/secret");
    assert!(first["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(
        (&first["former_secret"], &first["former_valid_until"]),
        (&Value::Null, &Value::Null)
    );
    assert_ne!(demo.operator.sees("connectors/2/secret")["secret"], first["secret"]);
    let rotate = || demo.operator.calls(Post, "connectors/1/rotate", None, 200);
    let second = rotate();
    assert_eq!(second["former_secret"], first["secret"]);
    let until = world.now().plus_ms(DAY_MS).to_rfc3339();
    assert_eq!(second["former_valid_until"], until);
    assert_eq!(rotate(), second, "within a minute it is the same rotation");
    world.waits_ms(HOUR_MS);
    let third = rotate();
    assert_eq!(third["former_secret"], second["secret"]);
    world.waits_ms(DAY_MS);
    let later = demo.operator.sees("connectors/1/secret");
    assert_eq!((&later["secret"], &later["former_secret"]), (&third["secret"], &Value::Null));
    demo.operator.is_refused(Get, "connectors/9/secret", None, (404, "not_found"));
}

#[test]
fn nobody_reaches_what_is_another_namespaces() {
    let world = World::new();
    let demo = failed(&world);
    let id = demo.deliveries(1)[0]["delivery_id"].as_str().unwrap().to_owned();
    let other = world.operator_of("other");
    assert!(other.lists("deliveries").is_empty());
    for path in [format!("deliveries/{id}"), "connectors/1/secret".to_owned()] {
        other.is_refused(Get, &path, None, (404, "not_found"));
    }
    for path in [
        format!("deliveries/{id}/replay"),
        "connectors/1/cancel".into(),
        "connectors/1/rotate".into(),
    ] {
        other.is_refused(Post, &path, None, (404, "not_found"));
    }
    other.calls(Post, "deliveries/replay", Some(json!({ "state": "delivered" })), 200);
    assert_eq!(demo.states(2), ["delivered"]);
    assert_eq!(demo.states(1), ["waiting"; 3]);
}
