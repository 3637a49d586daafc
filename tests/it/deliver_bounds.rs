//! However much macros expand to, what one connector sends keeps nobody's results from being written.

use backtrail::http::request::Method::Post;
use serde_json::json;

use crate::support::receivers::Reaction;
use crate::support::sending::{get, post};
use crate::support::visitor::{Visitor, open};
use crate::support::{Sending, World};

/// The values of an event whose value has so many bytes.
fn value(bytes: usize) -> String {
    format!(r#"{{"VALUE":"{}"}}"#, "x".repeat(bytes))
}

#[test]
fn a_request_that_would_be_too_long_is_not_made_and_keeps_nobody_elses_from_ending() {
    let world = World::new();
    let demo = Sending::of(&world);
    let url = format!("https://r1.example/in?{}", "{{VALUE}}".repeat(400));
    demo.has_connector(1, "enabled", &get(&url));
    demo.has_waiting_with(1, 20, "webhook", "NULL", &value(7_000), "NULL");
    let mut body = post("https://r2.example/in");
    body["parameters"][0]["value"] = "{{VALUE}}".repeat(200).into();
    demo.has_connector(2, "enabled", &body);
    demo.has_waiting_with(2, 20, "webhook", "NULL", &value(7_000), "NULL");
    demo.has_connector(3, "enabled", &get("https://r3.example/in"));
    demo.has_waiting(3, 20);
    assert_eq!(demo.sends().sent, 20);
    assert!(demo.states(3).iter().all(|state| state == "delivered"));
    for connector in [1, 2] {
        assert!(demo.deliveries(connector).iter().all(|row| row["attempts"] == 1));
        for line in demo.log(connector) {
            let error = line["error"].as_str().unwrap();
            assert!(error.contains("would be longer than 65536 bytes"), "{error}");
            assert!(line["url"].as_str().unwrap().len() <= 4_096);
        }
    }
}

#[test]
fn the_log_keeps_the_beginning_of_a_long_address() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &get("https://r1.example/in?v={{VALUE}}"));
    demo.has_waiting_with(1, 1, "webhook", "NULL", &value(7_000), "NULL");
    demo.sends();
    assert_eq!(demo.got()[0].url.len(), 7_024, "what is sent is whole");
    assert_eq!(demo.log(1)[0]["url"].as_str().unwrap().len(), 4_096);
    // One that is too long for an address fails, and is not kept whole either.
    demo.has_connector(2, "enabled", &get("https://r2.example/in?v={{VALUE}}"));
    demo.has_waiting_with(2, 1, "webhook", "NULL", &value(40_000), "NULL");
    demo.sends();
    assert_eq!(demo.log(2)[0]["url"].as_str().unwrap().len(), 4_096);
}

#[test]
fn attempts_that_end_without_a_request_are_written_in_between() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "test", &get("https://r1.example/in"));
    demo.has_waiting(1, 160);
    let before = world.database().batches();
    demo.sends();
    assert!(demo.states(1).iter().all(|state| state == "logged"));
    let writes_and_claims = world.database().batches() - before;
    assert!(writes_and_claims >= 10, "{writes_and_claims}");
}

#[test]
fn a_pixel_that_would_be_too_long_is_not_handed_out_and_keeps_no_other_from_firing() {
    let world = World::new();
    let shop = open(&world);
    let connects = |name: &str, code: &str| {
        let fields = json!({ "pixel": { "code": code }, "is_pixel_on": true });
        let connector = shop.connects(name, &[], fields);
        let path = format!("connectors/{}/approve", connector["id"]);
        shop.operator.calls(Post, &path, None, 200);
        connector
    };
    let long = connects("long", &format!("<p>{}", "{{NOTE}}".repeat(1_000)));
    connects("short", "<b>{{VALUE}}</b>");
    let visitor = Visitor::of(&shop, 1);
    let pixels = visitor.tracks("Purchase", json!({ "value": 15, "note": "x".repeat(7_000) }));
    assert_eq!(pixels.len(), 1);
    assert_eq!(pixels[0]["html"], "<b>15</b>");
    assert_eq!(shop.states(&long), ["exhausted"]);
    let line = &shop.rows("SELECT * FROM attempts WHERE error IS NOT NULL")[0];
    assert!(line["error"].as_str().unwrap().contains("longer than 65536 bytes"), "{line}");
    assert_eq!(line["url"].as_str().unwrap().len(), 4_000);
    assert!(visitor.tracks("PageView", json!({})).is_empty());
}

/// An invocation on a free plan may ask the ledger so many statements.
const OF_INVOCATION: usize = 50;

#[test]
fn a_run_stays_below_the_statements_of_an_invocation_however_slow_receivers_are() {
    let world = World::new();
    let demo = Sending::of(&world);
    let matching = r#"'{"parameter":"cid","model":"any","window_days":3}'"#;
    for id in 1..=100 {
        let url = format!("https://r{id}.example/in?d={{device}}&c={{{{CLICK_ID}}}}");
        demo.has_connector(id, "enabled", &get(&url));
        demo.has_waiting_with(id, 2, "webhook", "'click'", "{}", "NULL");
    }
    demo.execute(&format!("UPDATE connectors SET matching = {matching} WHERE id > 90"));
    world.waits_ms(180_000);
    for reaction in [Reaction::Takes(500, 1_100), Reaction::Takes(200, 700), Reaction::Answers(200)]
    {
        demo.reacts("example", reaction);
        world.waits_ms(40_000_000);
        let before = world.database().statements();
        let sent = demo.sends().sent;
        assert!(sent > 10, "{sent} with {reaction:?}");
        let statements = world.database().statements() - before;
        assert!(statements <= OF_INVOCATION, "{statements} with {reaction:?}");
        // What was sent is written down, so that nobody sends it again.
        assert!((1..=100).all(|id| demo.deliveries(id).iter().all(|row| row["lease"].is_null())));
        let attempts: usize = (1..=100).map(|id| demo.log(id).len()).sum();
        assert_eq!(attempts, demo.got().len());
    }
    while demo.sends().claimed > 0 {}
    assert!((1..=90).all(|id| demo.states(id) == ["delivered"; 2]));
}

#[test]
fn receivers_that_are_gone_and_bins_are_written_within_the_same_bound() {
    let world = World::new();
    let demo = Sending::of(&world);
    for id in 1..=60 {
        demo.has_connector(id, "enabled", &get("bin:here"));
        demo.has_waiting(id, 1);
    }
    for id in 61..=100 {
        demo.has_connector(id, "enabled", &get(&format!("https://r{id}.example/in")));
        demo.has_waiting(id, 1);
    }
    demo.reacts("example", Reaction::Answers(410));
    let mut runs = 0;
    loop {
        let before = world.database().statements();
        if demo.sends().claimed == 0 {
            break;
        }
        let statements = world.database().statements() - before;
        assert!(statements <= OF_INVOCATION, "{statements}");
        assert_eq!(demo.wakes.borrow().last(), Some(&0), "the rest is the next run's");
        runs += 1;
        assert!(runs < 20);
    }
    assert!((1..=60).all(|id| demo.states(id) == ["delivered"]));
    assert!((61..=100).all(|id| demo.states(id) == ["exhausted"]));
    assert!(demo.deliveries(1).iter().all(|row| row["attempts"] == 1));
}

#[test]
fn what_an_invocation_has_no_statements_left_for_is_another_ones() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &get("https://r1.example/in"));
    demo.has_waiting(1, 5);
    demo.spent.set(30);
    let before = world.database().statements();
    assert_eq!(demo.sends().sent, 0);
    assert_eq!((world.database().statements(), &*demo.wakes.borrow()), (before, &vec![0]));
    demo.spent.set(20);
    assert_eq!(demo.sends().sent, 5);
    assert_eq!(demo.states(1), ["delivered"; 5]);
}
