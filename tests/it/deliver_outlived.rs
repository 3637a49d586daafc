//! What deliveries leave behind goes in time, and looking for it goes through nobody else's.

use backtrail::domain::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::receivers::Reaction;
use crate::support::sending::{get, post};
use crate::support::{Sending, World};

const HOOK: &str = "https://hooks.example/in";

/// Lets the cron job's cleaning run, in a minute in which it looks for old things.
fn tidies_up(demo: &Sending<'_>) {
    let now = demo.world().now().ms();
    demo.world().waits_ms((10 * MINUTE_MS - now % (10 * MINUTE_MS)) % (10 * MINUTE_MS));
    demo.tidies_up();
}

fn has_pixel(demo: &Sending<'_>, id: u32, mode: &str, approval: &str) {
    let pixel = json!({ "code": "<img src=\"https://p.example/\">", "is_sandboxed": true });
    let pixel = pixel.to_string();
    demo.has_connector(id, mode, &get(HOOK));
    demo.execute(&format!(
        "UPDATE connectors SET is_webhook_on = 0, pixel = '{pixel}', is_pixel_on = 1, approval = {approval} WHERE id = {id}"
    ));
    demo.has_waiting_with(id, 1, "pixel", "NULL", "{}", r#"'{"EMAIL":"a@b.example"}'"#);
}

#[test]
fn a_pixel_that_nobody_came_back_for_ends_by_what_stood_in_its_way() {
    let world = World::new();
    let demo = Sending::of(&world);
    let pixel = json!({ "code": "<img src=\"https://p.example/\">", "is_sandboxed": true });
    let parsed = backtrail::domain::connector::pixel::Pixel::parse(&pixel.to_string());
    let approval = json!({ "hash": parsed.ok().unwrap().hash(), "at": 1, "key_id": 1 });
    has_pixel(&demo, 1, "enabled", &format!("'{approval}'"));
    has_pixel(&demo, 2, "enabled", r#"'{"hash":"of another code","at":1,"key_id":1}'"#);
    has_pixel(&demo, 3, "enabled", "NULL");
    has_pixel(&demo, 4, "test", "NULL");
    has_pixel(&demo, 5, "disabled", "NULL");
    assert_eq!(demo.sends().sent, 0, "pixels are not sent by the sender");
    demo.tidies_up();
    let states: Vec<String> = (1..=5).flat_map(|id| demo.states(id)).collect();
    assert_eq!(states, ["no_browser", "not_approved", "not_approved", "logged", "waiting"]);
    assert_eq!(demo.deliveries(1)[0]["personal"], Value::Null);
    assert_eq!(demo.deliveries(1)[0]["ended_at"], world.now().ms());
}

#[test]
fn a_pixel_that_is_over_ends_behind_however_many_webhooks_that_are_held() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &get(HOOK));
    demo.execute("UPDATE connectors SET is_webhook_on = 0, pixel = '{}', is_pixel_on = 1");
    demo.has_waiting(1, 250);
    world.waits_ms(MINUTE_MS);
    demo.has_waiting_with(1, 2, "pixel", "NULL", "{}", "NULL");
    demo.tidies_up();
    let states = demo.states(1);
    assert_eq!(states.iter().filter(|state| *state == "waiting").count(), 250);
    assert_eq!(states[250..], ["not_approved"; 2]);
}

#[test]
fn looking_for_personal_values_costs_nothing_for_what_waits_without_any() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "disabled", &get(HOOK));
    demo.has_waiting(1, 30);
    world.waits_ms(8 * DAY_MS);
    tidies_up(&demo);
    let plans = world.database().plans();
    let (_, steps) =
        plans.iter().find(|(sql, _)| sql.contains("SET personal = NULL WHERE")).unwrap();
    let wanted = "SEARCH d USING INDEX deliveries_personal (created_at<?)";
    assert!(steps.iter().any(|step| step == wanted), "{steps:?}");
}

#[test]
fn what_waits_for_a_removed_connector_is_cancelled() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &get(HOOK));
    demo.has_waiting(1, 3);
    demo.execute("DELETE FROM connectors");
    assert_eq!(demo.sends().sent, 0);
    demo.tidies_up();
    assert_eq!(demo.states(1), ["cancelled"; 3]);
}

#[test]
fn what_waits_for_a_removed_connector_is_cancelled_in_parts_and_sent_by_nobody() {
    let world = World::new();
    let demo = Sending::of(&world);
    let webhook = get("https://hooks.example.org/in");
    let fields = json!({ "name": "c", "mode": "enabled", "events": ["Purchase"], "webhook": webhook, "is_webhook_on": true });
    demo.operator.creates("connectors", fields.clone());
    demo.has_waiting(1, 1);
    // Every second one is due tomorrow.
    demo.execute(
        "INSERT INTO deliveries (namespace, delivery_id, connector_id, kind, event_name, happened_at, \"values\", state, \
         due_at, created_at) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) \
         SELECT namespace, delivery_id || i, 1, kind, event_name, happened_at, \"values\", state, \
         due_at + i % 2 * 86400000, created_at FROM deliveries CROSS JOIN n",
    );
    demo.operator.removes("connectors/1");
    let waiting = || demo.states(1).iter().filter(|state| *state == "waiting").count();
    assert_eq!(waiting(), 7_001);
    assert_eq!(demo.operator.creates("connectors", fields)["id"], 2);
    assert_eq!(demo.sends().claimed, 0);
    for left in [2_001, 0] {
        demo.tidies_up();
        assert_eq!(waiting(), left);
    }
}

#[test]
fn personal_values_stay_a_week_at_most_however_long_their_delivery_waits() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "disabled", &get(HOOK));
    let personal = r#"'{"EMAIL":"a@b.example"}'"#;
    demo.has_waiting_with(1, 1, "webhook", "NULL", r#"{"VALUE":"1"}"#, personal);
    world.waits_ms(7 * DAY_MS - 11 * MINUTE_MS);
    tidies_up(&demo);
    assert_ne!(demo.deliveries(1)[0]["personal"], Value::Null);
    world.waits_ms(11 * MINUTE_MS);
    tidies_up(&demo);
    let [delivery] = demo.deliveries(1).try_into().unwrap();
    assert_eq!((&delivery["personal"], &delivery["state"]), (&Value::Null, &json!("waiting")));
    assert_eq!(delivery["values"], r#"{"VALUE":"1"}"#);

    // Also where the cron job stood still over that day.
    demo.has_waiting_with(1, 1, "webhook", "NULL", "{}", personal);
    world.waits_ms(9 * DAY_MS);
    tidies_up(&demo);
    assert!(demo.deliveries(1).iter().all(|delivery| delivery["personal"] == Value::Null));
}

#[test]
fn personal_values_of_an_old_occasion_that_was_judged_again_stay_a_week_at_most() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "disabled", &get(HOOK));
    demo.has_waiting_with(1, 1, "webhook", "NULL", "{}", r#"'{"EMAIL":"a@b.example"}'"#);
    // The name begins with the time of the occasion, which was long before the row was written.
    let old = world.now().ms() - 20 * DAY_MS;
    demo.execute(&format!(
        "UPDATE deliveries SET delivery_id = printf('msg_%012x', {old}) || substr(delivery_id, 17)"
    ));
    world.waits_ms(7 * DAY_MS - 11 * MINUTE_MS);
    tidies_up(&demo);
    assert_ne!(demo.deliveries(1)[0]["personal"], Value::Null);
    world.waits_ms(11 * MINUTE_MS);
    tidies_up(&demo);
    assert_eq!(demo.deliveries(1)[0]["personal"], Value::Null);
}

#[test]
fn personal_values_that_fell_due_while_the_store_failed_are_erased_by_a_later_run() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "disabled", &get(HOOK));
    demo.has_waiting_with(1, 1, "webhook", "NULL", "{}", r#"'{"EMAIL":"a@b.example"}'"#);
    world.waits_ms(7 * DAY_MS);
    world.database().breaks(Break::BeforeCommit, usize::MAX);
    for _ in 0..6 {
        tidies_up(&demo);
        world.waits_ms(10 * MINUTE_MS);
    }
    world.database().mends();
    assert_ne!(demo.deliveries(1)[0]["personal"], Value::Null);
    tidies_up(&demo);
    assert_eq!(demo.deliveries(1)[0]["personal"], Value::Null);
}

#[test]
fn what_ended_thirty_days_ago_is_removed_with_its_attempts_and_what_waits_is_not() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &post(HOOK));
    demo.has_connector(2, "disabled", &post(HOOK));
    demo.has_waiting(1, 2);
    demo.has_waiting(2, 1);
    demo.sends();
    world.waits_ms(30 * DAY_MS - HOUR_MS);
    tidies_up(&demo);
    assert_eq!((demo.states(1).len(), demo.log(1).len()), (2, 2));
    world.waits_ms(2 * HOUR_MS);
    tidies_up(&demo);
    assert_eq!(demo.states(1), [""; 0]);
    assert!(world.database().rows("SELECT * FROM attempts").is_empty());
    assert_eq!(demo.states(2), ["waiting"]);
}

/// Steps that go through more than what is asked for, and may: what a batch brings along, the
/// names of all namespaces, connectors in turn, and what little a subquery has found.
const ALLOWED: &[&str] =
    &["SCAN pair", "SCAN p", "SCAN d", "SCAN (subquery-1)", "SCAN (subquery-2)"];

#[test]
fn no_statement_of_the_sender_goes_through_what_does_not_concern_it() {
    let world = World::new();
    let demo = Sending::of(&world);
    let before = world.database().plans();
    demo.has_connector(1, "enabled", &get("https://hooks.example/{sub1}"));
    demo.has_connector(2, "enabled", &get("https://gone.example/"));
    demo.has_connector(3, "enabled", &get("https://bad.example/"));
    let id = "EAAAAZBaGYQAAAABREUAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    demo.has_waiting_with(1, 2, "webhook", &format!("'{id}'"), "{}", "NULL");
    demo.has_waiting(2, 1);
    demo.has_waiting(3, 6);
    has_pixel(&demo, 4, "enabled", "NULL");
    demo.has_waiting(5, 1);
    demo.reacts("gone", Reaction::Answers(410));
    demo.reacts("bad", Reaction::Answers(500));
    demo.sends();
    world.waits_ms(31_000);
    demo.reacts("bad", Reaction::Answers(200));
    demo.sends();
    tidies_up(&demo);
    let operator = &demo.operator;
    for path in ["deliveries", "deliveries?state=waiting&connector_id=1&limit=2"] {
        operator.sees(path);
    }
    let delivery = demo.deliveries(2)[0]["delivery_id"].as_str().unwrap().to_owned();
    operator.sees(&format!("deliveries/{delivery}"));
    use backtrail::http::request::Method::Post;
    operator.calls(Post, &format!("deliveries/{delivery}/replay"), None, 200);
    let filter = json!({ "state": "delivered", "connector_id": 3, "conversion_id": "cv_1" });
    operator.calls(Post, "deliveries/replay", Some(filter), 200);
    for verb in ["cancel", "rotate"] {
        operator.calls(Post, &format!("connectors/1/{verb}"), None, 200);
    }
    let tables = ["deliveries", "attempts", "receivers", "connectors"];
    let mut seen = 0;
    for (sql, steps) in world.database().plans() {
        if before.iter().any(|(known, _)| *known == sql)
            || !tables.iter().any(|table| sql.contains(table))
        {
            continue;
        }
        seen += 1;
        for step in steps {
            // A list runs along the key of one namespace, backwards, and stops at its limit.
            let is_list = sql.contains("ORDER BY t.delivery_id DESC LIMIT");
            let is_vague = step.starts_with("SCAN") || step.ends_with("(namespace=?)") && !is_list;
            let is_brought = step.contains("VIRTUAL TABLE") || step.contains("CONSTANT ROW");
            let is_allowed = is_brought || ALLOWED.contains(&step.as_str());
            assert!(!is_vague || is_allowed, "{step}: {sql}");
        }
    }
    assert!(seen >= 18, "{seen}");
}

#[test]
fn a_connector_that_cannot_be_read_sends_nothing_and_loses_nothing() {
    let world = World::new();
    let demo = Sending::of(&world);
    let matching = |model: &str| json!({ "parameter": "cid", "source_parameter": null, "source_value": null, "model": model, "window_days": 14 });
    for id in 1..=2 {
        demo.has_connector(id, "enabled", &get(HOOK));
        demo.has_waiting(id, 1);
    }
    let has_matching = |text: &str| {
        demo.execute(&format!("UPDATE connectors SET matching = '{text}' WHERE id = 1"));
    };
    has_matching(&matching("median").to_string());
    assert_eq!(demo.sends().sent, 1, "the other one's");
    world.waits_ms(MINUTE_MS);
    demo.tidies_up();
    assert_eq!(
        (demo.states(1), demo.states(2)),
        (vec!["waiting".into()], vec!["delivered".into()])
    );
    has_matching(&matching("last").to_string());
    demo.sends();
    assert_eq!(demo.states(1), ["no_click_match"]);
    assert_eq!(demo.got().len(), 1);
}
