//! What makes an event a repeat (wire.md 5, Idempotency), by each `repeat`, when that changes in
//! between, and when answers are lost.

use serde_json::{Value, json};

use crate::events::{converted, edits, open, verdict};
use crate::support::World;
use crate::support::database::Break;
use crate::support::shop::TOKEN;

#[test]
fn once_means_once_per_click_and_an_order_once_at_all() {
    let world = World::new();
    let shop = open(&world);
    let (id, other) = (converted(&shop, 1), converted(&shop, 2));
    let query = format!("click_id={id}&event_id=1&order_id=A");
    assert_eq!(verdict(&shop, &query), "recorded");
    assert_eq!(verdict(&shop, &query), "duplicate");
    assert_eq!(verdict(&shop, &format!("click_id={id}&event_id=1")), "duplicate");
    let refused =
        shop.is_refused((422, "repeated_event"), &format!("click_id={id}&event_id=1&order_id=B"));
    assert_eq!(refused["parameter"], "order_id");
    // The order belongs to the first click; the same order of another event is another thing.
    shop.is_refused((409, "conflict"), &format!("click_id={other}&event_id=1&order_id=A"));
    assert_eq!(verdict(&shop, &format!("click_id={other}&event_id=1&order_id=B")), "recorded");
    assert_eq!(verdict(&shop, &format!("click_id={other}&event_id=2&order_id=A")), "recorded");
    // A repeat may leave its click out.
    assert_eq!(verdict(&shop, "campaign_id=1&event_id=1&order_id=A"), "duplicate");
}

#[test]
fn per_order_means_every_order_and_needs_one() {
    let world = World::new();
    let shop = open(&world);
    let id = converted(&shop, 1);
    let query = |order: &str| format!("click_id={id}&event_id=2&order_id={order}");
    for order in ["A", "B", "a"] {
        assert_eq!(verdict(&shop, &query(order)), "recorded");
        assert_eq!(verdict(&shop, &query(order)), "duplicate");
    }
    let refused = shop.is_refused((400, "missing_parameter"), &format!("click_id={id}&event_id=2"));
    assert_eq!(refused["parameter"], "order_id");
    shop.is_refused((409, "conflict"), &format!("{}&amount=5", query("A")));
}

#[test]
fn every_request_counts_unless_the_same_came_within_ten_minutes() {
    let world = World::new();
    let shop = open(&world);
    let id = converted(&shop, 1);
    let query = format!("click_id={id}&event_id=3&custom1=x");
    let codes = |body: &Value| {
        body["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|w| w["code"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let first = shop.reports(200, &query);
    assert_eq!(
        (first["verdict"].as_str(), codes(&first)),
        (Some("recorded"), vec!["no_idempotency_key".into()])
    );
    // Sent in another order, by another alias and with another reply format it is the same.
    let again =
        shop.reports(200, &format!("custom1=x&event_id=3&transaction_id={id}&response=json"));
    assert_eq!((again["verdict"].as_str(), codes(&again)), (Some("duplicate"), codes(&first)));
    assert_eq!(again["conversion_id"], first["conversion_id"]);
    assert_eq!(verdict(&shop, &format!("{query}2")), "recorded", "another value is another event");
    // Ten minutes count from the one that was recorded, to the millisecond, whatever the clock says.
    for round in 0..12 {
        let recorded = shop.reports(200, &format!("{query}&custom2={round}"));
        assert_eq!(recorded["verdict"], "recorded");
        world.waits_ms(600_000);
        assert_eq!(verdict(&shop, &format!("{query}&custom2={round}")), "duplicate", "{round}");
        world.waits_ms(1);
        let later = shop.reports(200, &format!("{query}&custom2={round}"));
        assert_eq!(later["verdict"], "recorded", "{round}");
        assert_ne!(later["conversion_id"], recorded["conversion_id"]);
        world.waits_ms(61_803);
    }
    // With an order it counts per order, for ever and without a warning.
    let ordered = shop.reports(200, &format!("{query}&order_id=A"));
    assert_eq!((ordered["verdict"].as_str(), codes(&ordered)), (Some("recorded"), vec![]));
    world.waits_ms(600_001);
    assert_eq!(verdict(&shop, &format!("{query}&order_id=A")), "duplicate");
}

#[test]
fn a_repeat_stays_one_after_the_event_counts_otherwise() {
    let world = World::new();
    let shop = open(&world);
    let id = converted(&shop, 1);
    let with_order = format!("click_id={id}&event_id=1&order_id=A");
    assert_eq!(verdict(&shop, &with_order), "recorded");
    for repeat in ["per_order", "every_request", "once"] {
        edits(&shop, 1, json!({ "repeat": repeat }));
        assert_eq!(verdict(&shop, &with_order), "duplicate", "{repeat}");
    }
    // From every request to once: what is there counts as the one.
    edits(&shop, 3, json!({ "repeat": "every_request" }));
    let query = format!("click_id={id}&event_id=3");
    assert_eq!(verdict(&shop, &query), "recorded");
    edits(&shop, 3, json!({ "repeat": "once" }));
    assert_eq!(verdict(&shop, &query), "duplicate");
    shop.is_refused((422, "repeated_event"), &format!("{query}&order_id=Z"));
}

#[test]
fn an_event_whose_answer_was_lost_counts_once() {
    let world = World::new();
    let shop = open(&world);
    let id = converted(&shop, 1);
    for (query, expected) in [
        ("event_id=1", "duplicate"),
        ("event_id=2&order_id=A", "duplicate"),
        ("event_id=3", "duplicate"),
    ] {
        let query = format!("click_id={id}&{query}");
        world.database().breaks(Break::AfterCommit, 1);
        let lost = shop.asks(&format!("{query}&token={TOKEN}"));
        assert_eq!(lost.status, 503, "{query}");
        world.database().mends();
        assert_eq!(verdict(&shop, &query), expected, "{query}");
    }
    assert_eq!(shop.count("conversions"), 4);
}
