//! Erasing persons from copies that they share with others.

use backtrail::http::request::Method::{Delete, Post};
use serde_json::json;

use crate::support::{Shop, World};

#[test]
fn a_page_of_answers_keeps_those_of_others() {
    let world = World::new();
    let shop = Shop::open(&world);
    let [jane, bob] = [shop.clicks(1), shop.clicks(2)];
    shop.changes_campaign(json!({ "state": "archived" }));
    for (click_id, name) in [(&jane, "jane"), (&bob, "bob")] {
        let query = format!("click_id={click_id}&order_id={name}&custom1={name}-custom");
        shop.is_refused((422, "campaign_archived"), &query);
    }
    shop.changes_campaign(json!({ "state": "active" }));
    shop.operator.calls(Post, "inbox/judge-again", Some(json!({})), 200);
    let page = || {
        let keys = world.stores.blobs.keys();
        let page = keys.iter().find(|key| key.starts_with("answers/")).unwrap();
        world.stores.blobs.text(page).unwrap()
    };
    assert!(page().contains("jane-custom") && page().contains("bob-custom"));
    let step = shop.operator.calls(Delete, &format!("persons?click_id={jane}"), None, 200);
    assert_eq!((&step["is_done"], &step["erased"]["copies"]), (&json!(true), &json!(1)), "{step}");
    assert!(!page().contains("jane-custom") && page().contains("bob-custom"));
}

#[test]
fn a_text_that_is_no_click_of_anybody_takes_nobody_s_samples_along() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.asks(&format!("click_id={}&order_id=1&campaign_id=1", shop.clicks(1)));
    shop.edge.settles();
    assert_eq!(shop.count("refusal_samples"), 1);
    for text in ["1", "click_id", "no-such-click"] {
        let told = shop.operator.calls(Delete, &format!("persons?click_id={text}"), None, 200);
        assert_eq!(told["erased"]["samples"], 0, "{text}: {told}");
    }
    assert_eq!(shop.count("refusal_samples"), 1);
}

#[test]
fn whoever_shared_a_click_with_an_erased_customer_stays_a_customer_for_life() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "conversions_per_click": "per_order" }));
    let rule = json!({ "campaign_id": 1, "is_lifetime": true, "payout_fixed": "2.00" });
    shop.operator.creates("payouts", rule);
    world.waits_ms(30_001);
    let id = shop.clicks(2);
    for (name, order) in [("jane", 1), ("bob", 2)] {
        let query = format!("click_id={id}&order_id={order}&customer_id={name}&new_customer=true");
        shop.reports(200, &query);
    }
    let erases = |query: &str| {
        let step = || shop.operator.calls(Delete, &format!("persons?{query}"), None, 200);
        while step()["is_done"] != true {}
    };
    erases("customer_id=jane");
    assert_eq!(shop.count("customers"), 1);
    let sale = shop.reports(200, "campaign_id=1&customer_id=bob&order_id=3");
    assert_eq!((&sale["affiliate_id"], &sale["payout"]["amount"]), (&json!(2), &json!("2.00")));
    // The click itself named: everybody who bought by it goes.
    erases(&format!("click_id={id}"));
    assert_eq!(shop.count("customers"), 0);
}
