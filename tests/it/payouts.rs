//! Payout rules (design.md 5): which one applies, what it pays, and how operators keep them.

use backtrail::http::request::Headers;
use backtrail::http::request::Method::{Patch, Post};
use serde_json::{Value, json};

use crate::support::shop::person;
use crate::support::{Shop, World};

/// A new shop; what its campaign pays by itself is 5.00 USD.
fn shop(world: &World) -> Shop<'_> {
    Shop::open(world)
}

/// Creates a payout rule of campaign 1, and lets every isolate notice.
fn rule(shop: &Shop<'_>, fields: Value) -> Value {
    let mut body = json!({ "campaign_id": 1 });
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    let created = shop.operator.creates("payouts", body);
    shop.world().waits_ms(30_001);
    created
}

/// A postback for a new click on a link: its reply.
fn reports(shop: &Shop<'_>, ref_id: u32, query: &str) -> Value {
    let id = shop.clicks(ref_id);
    shop.reports(200, &format!("click_id={id}&{query}"))
}

fn payout(body: &Value) -> &str {
    body["payout"]["amount"].as_str().unwrap()
}

/// The explanation of the conversion that a reply names.
fn explanation(shop: &Shop<'_>, body: &Value) -> Value {
    let id = body["conversion_id"].as_str().unwrap();
    shop.operator.sees(&format!("conversions/{id}"))["explanation"].clone()
}

#[test]
fn a_personal_rule_pays_its_affiliate_and_nobody_else() {
    let world = World::new();
    let shop = shop(&world);
    rule(&shop, json!({ "affiliate_id": 2, "payout_fixed": "7.50" }));
    assert_eq!(payout(&reports(&shop, 1, "")), "5.00");
    let body = reports(&shop, 2, "");
    assert_eq!(payout(&body), "7.50");
    assert_eq!(
        explanation(&shop, &body)["payout"],
        "payout rule 1 (affiliate 2), fixed: 7.50 USD and 0 %; the most specific of 2 that apply; \
         lost: the campaign's own rule"
    );
}
