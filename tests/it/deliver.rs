//! What becomes of a delivery, by what its receiver answers; the long waits on the simulated clock.

use backtrail::domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use backtrail::http::request::Method;
use serde_json::{Value, json};

use crate::support::receivers::Reaction;
use crate::support::sending::{get, header, post};
use crate::support::{Sending, Shop, World};

const HOOK: &str = "https://hooks.example/in";

#[test]
fn a_delivery_is_sent_once_and_told_in_the_log() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &post(HOOK));
    demo.has_waiting_with(
        1,
        1,
        "webhook",
        "NULL",
        r#"{"VALUE":"15"}"#,
        r#"'{"EMAIL":"a@b.example"}'"#,
    );
    assert_eq!(demo.sends().sent, 1);
    assert_eq!(demo.sends().sent, 0);
    let [request] = demo.got().try_into().unwrap();
    assert_eq!((request.method, request.url.as_str()), ("POST", HOOK));
    assert_eq!(request.body.as_deref(), Some("value=15"));
    let [delivery] = demo.deliveries(1).try_into().unwrap();
    assert_eq!(header(&request, "webhook-id"), delivery["delivery_id"]);
    assert_eq!(header(&request, "webhook-timestamp"), world.now().seconds().to_string());
    let ended = [&delivery["state"], &delivery["attempts"], &delivery["ended_at"]];
    assert_eq!(ended, [&json!("delivered"), &json!(1), &json!(world.now().ms())]);
    for cleared in ["due_at", "lease", "personal"] {
        assert_eq!(delivery[cleared], Value::Null, "{cleared}");
    }
    let [line] = demo.log(1).try_into().unwrap();
    let told = ["attempt", "at", "method", "url", "status", "duration_ms", "error", "answer"]
        .map(|column| line[column].clone());
    let at = world.now().ms();
    let expected = json!([1, at, "POST", HOOK, 200, 7, null, "answer 200"]);
    assert_eq!(json!(told), expected);
    assert!(demo.wakes.borrow().is_empty());
}

/// The waits between the attempts of a delivery whose receiver always reacts so, and its log.
fn tried(reaction: Reaction) -> (Vec<u64>, Vec<Value>, String) {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &get(HOOK));
    demo.has_waiting(1, 1);
    demo.reacts("hooks", reaction);
    let mut waits = Vec::new();
    while demo.sends().sent == 1 && demo.states(1) == ["waiting"] {
        waits.push(demo.waits_until_due(1));
        // A receiver that is paused meanwhile is asked behind the pause.
        world.waits_ms(HOUR_MS);
    }
    assert_eq!(demo.sends().sent, 0);
    (waits, demo.log(1), demo.states(1).remove(0))
}

#[test]
fn what_fails_is_tried_eight_times_over_a_day_and_then_exhausted() {
    for (reaction, status, error) in [
        (Reaction::Answers(500), Some(500), "the answer is 500; only 2xx is success"),
        (Reaction::Answers(301), Some(301), "the answer is a redirect, which is not followed"),
        (Reaction::Answers(404), Some(404), "the answer is 404; only 2xx is success"),
        (Reaction::Hangs, None, "no answer within 15 s"),
        (Reaction::Resets, None, "Network connection lost."),
    ] {
        let (waits, log, state) = tried(reaction);
        assert_eq!((log.len(), state.as_str()), (8, "exhausted"), "{reaction:?}");
        let schedule = [5 * SECOND_MS, 5 * MINUTE_MS, 30 * MINUTE_MS]
            .into_iter()
            .chain([2, 5, 10, 10].map(|hours| hours * HOUR_MS));
        for (wait, planned) in waits.iter().zip(schedule) {
            assert!(wait.abs_diff(planned) <= planned / 5, "{reaction:?}: {wait} for {planned}");
        }
        assert_eq!(waits.len(), 7);
        for (number, line) in (1..).zip(&log) {
            assert_eq!(line["attempt"], number);
            assert_eq!((&line["status"], &line["error"]), (&json!(status), &json!(error)));
        }
    }
}

#[test]
fn a_receiver_that_asks_for_time_gets_it_within_a_day() {
    for (asked, least, most) in
        [("120", 120, 120), ("1", 4, 6), ("9999999", 86_400, 86_400), ("soon", 4, 6)]
    {
        let world = World::new();
        let demo = Sending::of(&world);
        demo.has_connector(1, "enabled", &get(HOOK));
        demo.has_waiting(1, 1);
        demo.reacts("hooks", Reaction::Asks(429, asked));
        demo.sends();
        let wait = demo.waits_until_due(1) / SECOND_MS;
        assert!((least..=most).contains(&wait), "{asked}: {wait}");
    }
}

#[test]
fn a_receiver_that_is_gone_disables_its_connector_and_holds_the_rest() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &get(HOOK));
    demo.has_connector(2, "enabled", &get("https://other.example/"));
    demo.has_waiting(1, 5);
    demo.has_waiting(2, 1);
    demo.reacts("hooks", Reaction::Answers(410));
    demo.sends();
    world.waits_ms(HOUR_MS);
    demo.sends();
    assert_eq!(demo.log(1).len(), 1);
    assert_eq!(demo.states(1), ["exhausted", "waiting", "waiting", "waiting", "waiting"]);
    assert_eq!(demo.states(2), ["delivered"]);
    let [connector] =
        world.database().rows("SELECT mode, note FROM connectors WHERE id = 1").try_into().unwrap();
    assert_eq!(connector["mode"], "disabled");
    assert!(connector["note"].as_str().unwrap().contains("410"), "{connector}");

    // Switched on again, what was held goes on.
    demo.execute("UPDATE connectors SET mode = 'enabled' WHERE id = 1");
    demo.reacts("hooks", Reaction::Answers(204));
    demo.sends();
    assert_eq!(demo.states(1)[1..], ["delivered", "delivered", "delivered", "delivered"]);
}

#[test]
fn in_test_mode_requests_are_shown_and_only_forced_ones_are_made() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "test", &get("https://hooks.example/in?v={{VALUE}}&e={{EMAIL}}"));
    let personal = r#"'{"EMAIL":"jane@shop.example"}'"#;
    demo.has_waiting_with(1, 2, "webhook", "NULL", r#"{"VALUE":"15"}"#, personal);
    demo.execute("UPDATE deliveries SET is_forced = 1 WHERE delivery_id LIKE '%2'");
    assert_eq!(demo.sends().sent, 1);
    assert_eq!(demo.states(1), ["logged", "delivered"]);
    let [shown, made] = demo.log(1).try_into().unwrap();
    assert_eq!(shown["url"], "https://hooks.example/in?v=15&e=j***@shop.example");
    assert_eq!((&shown["status"], &shown["duration_ms"]), (&Value::Null, &Value::Null));
    assert_eq!((&made["url"], &made["status"]), (&shown["url"], &json!(200)));
    assert!(demo.got()[0].url.ends_with("e=jane@shop.example"));
}

#[test]
fn nothing_that_is_configured_makes_sending_fail_otherwise_than_in_the_log() {
    let world = World::new();
    let demo = Sending::of(&world);
    for (id, webhook, error) in [
        (1, get("https://127.0.0.1/"), "private"),
        (2, get("https://demo-tracking.example.com/postback"), "Backtrail"),
        (3, json!({ "method": "BREW" }), "the webhook is not valid: "),
        (4, get("http://hooks.example/"), "https"),
    ] {
        demo.has_connector(id, "enabled", &webhook);
        demo.has_waiting(id, 1);
        assert_eq!(demo.sends().sent, 0, "{webhook}");
        let [line] = demo.log(id).try_into().unwrap();
        let told = line["error"].as_str().unwrap();
        assert!(told.contains(error), "{webhook}: {told}");
        assert_eq!(line["duration_ms"], Value::Null);
        assert_eq!(demo.states(id), ["waiting"], "the operator may mend it");
    }
    assert!(demo.got().is_empty());
}

#[test]
fn a_webhook_that_is_off_and_a_disabled_connector_hold_what_waits() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &get(HOOK));
    demo.has_connector(2, "disabled", &get(HOOK));
    demo.execute("UPDATE connectors SET is_webhook_on = 0 WHERE id = 1");
    demo.has_waiting(1, 1);
    demo.has_waiting(2, 1);
    assert_eq!(demo.sends().sent, 0);
    demo.execute("UPDATE connectors SET is_webhook_on = 1, mode = 'enabled'");
    assert_eq!(demo.sends().sent, 2);
}

#[test]
fn the_sender_wants_to_be_woken_for_the_next_attempt_if_cron_would_be_late() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &get(HOOK));
    demo.has_waiting(1, 1);
    demo.reacts("hooks", Reaction::Answers(500));
    demo.sends();
    let [delay] = demo.wakes.take().try_into().unwrap();
    assert!((4_000..=6_000).contains(&delay), "{delay}");
    demo.waits_until_due(1);
    demo.sends();
    assert!(demo.wakes.borrow().is_empty(), "five minutes later the cron job finds it");
}

#[test]
fn a_delay_is_kept_to_the_millisecond_and_lasts_thirty_days_at_most() {
    let world = World::new();
    let shop = Shop::open(&world);
    for (name, seconds) in [("soon", 0), ("late", 90), ("latest", 2_592_000)] {
        shop.connects(name, &["{{ORDER_ID}}"], json!({ "delay_seconds": seconds }));
    }
    shop.reports(200, &format!("click_id={}&order_id=A", shop.clicks(1)));
    let got = || {
        shop.delivers();
        ["soon", "late", "latest"].map(|name| shop.got(name).len())
    };
    assert_eq!(got(), [1, 0, 0]);
    world.waits_ms(89_999);
    assert_eq!(got(), [1, 0, 0]);
    world.waits_ms(1);
    assert_eq!(got(), [1, 1, 0]);
    world.waits_ms(30 * DAY_MS - 90_001);
    assert_eq!(got(), [1, 1, 0]);
    world.waits_ms(1);
    assert_eq!(got(), [1, 1, 1]);
    let fields = json!({ "delay_seconds": 2_592_001 });
    shop.operator.is_told(Method::Patch, "connectors/1", fields, &["delay_seconds: invalid"]);
}
