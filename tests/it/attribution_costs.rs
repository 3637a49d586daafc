//! What attribution without a click costs: bounded guesses, and statements that search by an index.

use backtrail::app::memory::{Lookup, Wanted};
use backtrail::domain::namespace::Namespace;
use serde_json::json;

use crate::attribution::{WAYS, open};
use crate::support::World;
use crate::support::shop::TOKEN;

#[test]
fn whoever_guesses_coupons_is_bounded_and_a_stranger_cannot_guess_at_all() {
    const GUESSES: usize = 100;
    let world = World::new();
    let shop = open(&world, json!({}));
    shop.reports(200, &format!("click_id={}&order_id=first", shop.clicks(1)));
    let guess = |n: usize, more: &str| {
        shop.asks(&format!("campaign_id=1&order_id=G{n}&coupon=GUESS{n}{more}&token={TOKEN}"))
            .status
    };
    let told: Vec<u16> = (0..3 * GUESSES).map(|n| guess(n, "")).collect();
    let count = |status: u16| told.iter().filter(|told| **told == status).count();
    assert_eq!((count(404), count(503)), (GUESSES, 2 * GUESSES));
    // Nothing is said of a sale while nobody knows whether its coupon comes first…
    let click = shop.clicks(1);
    // …but a click that comes first anyway is credited.
    assert_eq!(guess(900, &format!("&click_id={click}")), 200);
    world.waits_ms(1_000);
    assert_eq!(guess(901, ""), 404);
    let with_coupon_first = json!({ "attribution_order": ["coupon", "click_id"] });
    shop.changes_campaign(with_coupon_first);
    assert!((0..GUESSES).all(|n| guess(1_000 + n, "") == 404));
    assert_eq!(guess(902, &format!("&click_id={}", shop.clicks(1))), 503);

    // Whoever proves nothing makes nobody look.
    shop.changes_campaign(json!({ "authentication": "none" }));
    let demo = Namespace::parse("demo").unwrap();
    let is_looked_up = |code: &str| {
        let wanted = Wanted::Coupon(demo.clone(), 1, code.to_owned());
        let found = shop.edge.isolate.memory.code(&wanted, world.now());
        !matches!(found, Lookup::Unread)
    };
    let ask = |code: &str, token: &str| {
        shop.asks(&format!("campaign_id=1&coupon={code}&order_id={code}&token={token}")).status
    };
    assert_eq!((ask("stranger", ""), is_looked_up("stranger")), (401, false));
    assert_eq!((ask("sender", TOKEN), is_looked_up("sender")), (404, true), "the control");
}

#[test]
fn every_statement_without_a_click_searches_by_its_index() {
    let world = World::new();
    let order: Vec<&str> = WAYS.iter().map(|(name, ..)| *name).collect();
    let shop = open(&world, json!({ "attribution_order": order }));
    let once = json!({ "campaign_id": 1, "name": "once" });
    shop.operator.creates("events", once);
    shop.operator.creates("payouts", json!({ "campaign_id": 1, "is_lifetime": true }));
    world.waits_ms(30_001);
    for (index, (_, query, _)) in WAYS.into_iter().enumerate() {
        let query = query.replace("{click}", &shop.clicks(1));
        shop.reports(200, &format!("campaign_id=1&order_id={index}&{query}"));
    }
    let first = format!("click_id={}&customer_id=L&new_customer=true", shop.clicks(1));
    shop.reports(200, &first);
    shop.reports(200, "campaign_id=1&customer_id=L&order_id=L2");
    shop.reports(200, "campaign_id=1&customer_id=L&event_name=once");
    shop.reports(200, "campaign_id=1&customer_id=M&parent_order_id=L2&event_name=once");
    let is_ours = |sql: &str| {
        let tables = ["coupons", "customers", "affiliates_custom_id"];
        let is_managed = sql.contains("MAX(id)") || sql.contains("ORDER BY id LIMIT");
        tables.iter().any(|table| sql.contains(table)) && !is_managed
    };
    let mut steps: Vec<String> = world
        .database()
        .plans()
        .into_iter()
        .filter(|(sql, _)| is_ours(sql))
        .flat_map(|(_, steps)| steps)
        .collect();
    steps.sort();
    steps.dedup();
    for expected in [
        "SEARCH coupons USING INDEX coupons_code (namespace=? AND campaign_id=? AND code=?)",
        "SEARCH customers USING INDEX customers_customer_id (namespace=? AND customer_id=? AND campaign_id=?)",
        "SEARCH k USING PRIMARY KEY (namespace=? AND customer_id=? AND campaign_id=? AND event_id=?)",
    ] {
        assert!(steps.iter().any(|step| step == expected), "{expected}: {steps:#?}");
    }
    let is_vague = |step: &&String| {
        step.ends_with("(namespace=?)") || step.starts_with("SCAN") && *step != "SCAN CONSTANT ROW"
    };
    assert_eq!(steps.iter().find(is_vague), None, "{steps:#?}");
}
