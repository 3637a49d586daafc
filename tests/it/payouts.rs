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

#[test]
fn each_limit_lets_only_its_own_cases_in() {
    let world = World::new();
    let shop = shop(&world);
    rule(&shop, json!({ "goal": "electronics", "payout_fixed": "8.00" }));
    rule(&shop, json!({ "countries": ["at", "CH"], "payout_fixed": "3.00" }));
    assert_eq!(payout(&reports(&shop, 1, "goal=electronics")), "8.00");
    for other in ["goal=Electronics", "goal=electronic", "goal=", "x=y"] {
        assert_eq!(payout(&reports(&shop, 1, other)), "5.00", "{other}");
    }
    let from = |country: &'static str| Headers { country, ..person() };
    for (country, paid) in [("AT", "3.00"), ("CH", "3.00"), ("DE", "5.00"), ("", "5.00")] {
        let id = shop.clicks_with(from(country), 1);
        assert_eq!(payout(&shop.reports(200, &format!("click_id={id}"))), paid, "{country}");
    }
    // A goal is more specific than a country.
    let id = shop.clicks_with(from("AT"), 1);
    assert_eq!(payout(&shop.reports(200, &format!("click_id={id}&goal=electronics"))), "8.00");
}

#[test]
fn a_coupon_or_a_customer_that_is_merely_sent_selects_no_rule() {
    let world = World::new();
    let shop = shop(&world);
    rule(&shop, json!({ "coupon": "SUMMER", "payout_fixed": "50.00" }));
    rule(&shop, json!({ "is_lifetime": true, "payout_fixed": "60.00" }));
    rule(&shop, json!({ "event_id": 5, "payout_fixed": "70.00" }));
    let body = reports(&shop, 1, "coupon=SUMMER&customer_id=7");
    assert_eq!(payout(&body), "5.00");
    assert_eq!(
        explanation(&shop, &body)["payout"],
        "the campaign's own rule, fixed: 5.00 USD and 0 %; no other applies; not matching: 3"
    );
    rule(&shop, json!({ "event_id": 0, "payout_fixed": "4.00" }));
    assert_eq!(payout(&reports(&shop, 1, "")), "4.00");
}

#[test]
fn of_rules_that_are_as_specific_the_lower_number_applies() {
    let world = World::new();
    let shop = shop(&world);
    rule(&shop, json!({ "payout_fixed": "1.00" }));
    rule(&shop, json!({ "payout_fixed": "2.00" }));
    let body = reports(&shop, 1, "");
    assert_eq!(payout(&body), "1.00");
    let why = explanation(&shop, &body)["payout"].as_str().unwrap().to_owned();
    assert!(why.contains("with the lower number; lost: payout rule 2 (everything)"), "{why}");
    shop.operator.changes("payouts/1", json!({ "state": "archived" }));
    world.waits_ms(30_001);
    assert_eq!(payout(&reports(&shop, 1, "")), "2.00");
}

#[test]
fn a_fixed_part_and_a_percentage_are_added_and_capped() {
    let world = World::new();
    let shop = shop(&world);
    rule(
        &shop,
        json!({
            "payout_type": "cps", "payout_fixed": "2.00", "payout_percent": "12.5",
            "payout_max": "20.00",
        }),
    );
    for (query, paid) in [
        ("amount=49.90", "8.24"),
        ("amount=144", "20.00"),
        ("amount=144.01", "20.00"),
        ("amount=100&commission=40", "7.00"),
        ("amount=9999999.99", "20.00"),
    ] {
        assert_eq!(payout(&reports(&shop, 1, query)), paid, "{query}");
    }
    let body = reports(&shop, 1, "amount=200");
    assert_eq!(
        explanation(&shop, &body)["payout"],
        "payout rule 1 (everything), cps: 2.00 USD and 12.5 %, capped at its maximum of 20.00 USD; \
         as specific as the next one, but with the lower number; lost: the campaign's own rule"
    );
    // The rule that applies decides whether there has to be an amount.
    let id = shop.clicks(1);
    let body = shop.is_refused((400, "missing_parameter"), &format!("click_id={id}"));
    assert_eq!(body["parameter"], "amount");
    rule(&shop, json!({ "affiliate_id": 2, "payout_fixed": "9.00" }));
    assert_eq!(payout(&reports(&shop, 2, "")), "9.00");
}

#[test]
fn explicit_money_is_neither_chosen_nor_capped_by_a_rule() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "is_explicit_money_allowed": true }));
    rule(&shop, json!({ "payout_percent": "10", "payout_max": "1.00", "default_status": "hold" }));
    let body = reports(&shop, 1, "payout=30");
    assert_eq!((payout(&body), &body["status"]), ("30.00", &json!("hold")));
}

#[test]
fn a_rules_default_status_comes_before_the_campaigns_and_behind_one_that_is_sent() {
    let world = World::new();
    let shop = shop(&world);
    rule(&shop, json!({ "affiliate_id": 2, "payout_fixed": "1.00", "default_status": "pending" }));
    let status = |ref_id, query| {
        let body = reports(&shop, ref_id, query);
        (body["status"].as_str().unwrap().to_owned(), explanation(&shop, &body)["status"].clone())
    };
    assert_eq!(status(1, ""), ("approved".into(), json!("the campaign's default")));
    let why = json!("the default of payout rule 1 (affiliate 2)");
    assert_eq!(status(2, ""), ("pending".into(), why));
    assert_eq!(status(2, "status=approved").0, "approved");
    assert_eq!(status(2, "third_party_rejected_reason=fraud").0, "rejected");
    // Whoever proves nothing does not start above pending, whatever a rule says.
    shop.changes_campaign(json!({ "authentication": "none", "default_status": "pending" }));
    shop.operator.changes("payouts/1", json!({ "default_status": "approved" }));
    world.waits_ms(30_001);
    let id = shop.clicks(2);
    let body = crate::support::world::json_of(&shop.asks(&format!("click_id={id}")), 200);
    assert_eq!(body["status"], "pending");
    assert_eq!(body["warnings"][0]["code"], "status_limited");
}

#[test]
fn what_is_a_lead_follows_from_the_rule_that_applies() {
    let world = World::new();
    let shop = shop(&world);
    rule(&shop, json!({ "goal": "signup", "payout_type": "cpl", "payout_fixed": "0.50" }));
    let lead = reports(&shop, 1, "goal=signup&amount=100");
    let sale = reports(&shop, 1, "amount=100");
    let is_lead = |body: &Value| {
        let id = body["conversion_id"].as_str().unwrap();
        shop.operator.sees(&format!("conversions/{id}"))["is_lead"].clone()
    };
    assert_eq!((payout(&lead), is_lead(&lead)), ("0.50", json!(true)));
    assert_eq!((payout(&sale), is_lead(&sale)), ("5.00", json!(false)));
}

#[test]
fn an_update_is_reckoned_by_the_same_traits() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "is_conflict_updated": true }));
    rule(
        &shop,
        json!({ "affiliate_id": 2, "goal": "shoes", "payout_type": "cps", "payout_percent": "10" }),
    );
    let id = shop.clicks(2);
    let first = shop.reports(200, &format!("click_id={id}&goal=shoes&amount=50"));
    assert_eq!(payout(&first), "5.00");
    // The goal was sent the first time.
    let updated = shop.reports(200, &format!("click_id={id}&amount=70"));
    assert_eq!((payout(&updated), &updated["verdict"]), ("7.00", &json!("updated")));
    let why = explanation(&shop, &updated)["payout"].as_str().unwrap().to_owned();
    assert!(why.starts_with("payout rule 1 (affiliate 2, goal \"shoes\"), cps"), "{why}");
}

#[test]
fn a_new_rule_shows_every_field_with_its_default() {
    let world = World::new();
    let shop = shop(&world);
    let shown = shop.operator.creates("payouts", json!({ "campaign_id": 1 }));
    assert_eq!(
        shown,
        json!({
            "id": 1, "campaign_id": 1, "currency": "USD", "name": null, "affiliate_id": null,
            "coupon": null, "is_lifetime": false, "event_id": null, "goal": null, "countries": [],
            "payout_type": "fixed", "payout_fixed": "0.00", "payout_percent": "0",
            "payout_max": null, "default_status": null, "state": "active",
            "created_at": "2026-11-21T09:30:00.000Z",
        })
    );
    let sent = json!({
        "campaign_id": 1, "name": "Ann in summer", "affiliate_id": 1, "coupon": "Summer",
        "is_lifetime": true, "event_id": 5, "goal": "shoes", "countries": ["DE", "AT"],
        "payout_type": "revshare", "payout_fixed": "1.50", "payout_percent": "33.33",
        "payout_max": "100.00", "default_status": "pending", "state": "archived",
    });
    let shown = shop.operator.creates("payouts", sent.clone());
    for (name, value) in sent.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    assert_eq!(shop.operator.sees("payouts/2"), shown);
    assert_eq!(shop.operator.lists("payouts?affiliate_id=1"), [shown]);
    assert_eq!(shop.operator.lists("payouts?campaign_id=1&state=active").len(), 1);
    let changed = shop.operator.changes("payouts/2", json!({ "payout_max": null, "goal": null }));
    assert_eq!((&changed["payout_max"], &changed["goal"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_rule_that_cannot_be_is_refused_with_every_field_at_fault() {
    let world = World::new();
    let shop = shop(&world);
    let body = json!({
        "campaign_id": 1, "affiliate_id": "Ann", "coupon": "", "event_id": 4_294_967_296_u64,
        "goal": 5, "countries": ["Germany"], "payout_type": "tier", "payout_fixed": "5.001",
        "payout_percent": "100.01", "payout_max": "-1", "default_status": "refunded",
        "currency": "EUR", "is_lifetime": 1,
    });
    let faults = [
        "affiliate_id: invalid",
        "countries: invalid",
        "coupon: invalid",
        "currency: read_only",
        "default_status: invalid",
        "event_id: invalid",
        "goal: invalid",
        "is_lifetime: invalid",
        "payout_fixed: too_many_digits",
        "payout_max: invalid",
        "payout_percent: invalid",
        "payout_type: invalid",
    ];
    shop.operator.is_told(Post, "payouts", body, &faults);
    // Over a hundred per cent of what the customer paid is a slip of the pen.
    for percent in ["100.01", "101", "1000"] {
        let body = json!({ "campaign_id": 1, "payout_percent": percent });
        shop.operator.is_told(Post, "payouts", body, &["payout_percent: invalid"]);
    }
    let stranger = json!({ "campaign_id": 1, "affiliate_id": 9 });
    shop.operator.is_told(Post, "payouts", stranger, &["affiliate_id: unknown_reference"]);
    let nowhere = json!({ "campaign_id": 2, "payout_fixed": "1.00" });
    shop.operator.is_told(Post, "payouts", nowhere, &["campaign_id: unknown_reference"]);
    assert_eq!(shop.count("payouts"), 0);
    // Control.
    rule(&shop, json!({ "payout_percent": "100" }));
    let other = json!({ "campaign_id": 1, "affiliate_id": 2 });
    let faults = ["affiliate_id: create_only", "campaign_id: create_only"];
    shop.operator.is_told(Patch, "payouts/1", other, &faults);
    shop.operator.is_told(
        Patch,
        "payouts/1",
        json!({ "payout_max": "1.001" }),
        &["payout_max: too_many_digits"],
    );
}

#[test]
fn a_namespace_neither_sees_nor_names_anothers_rules_and_affiliates() {
    let world = World::new();
    let shop = shop(&world);
    rule(&shop, json!({ "payout_fixed": "9.00" }));
    let other = Shop::named(&world, "other", json!({}));
    assert_eq!(other.operator.lists("payouts").len(), 0);
    let hers = json!({ "payout_fixed": "0.01" });
    other.operator.is_refused(Patch, "payouts/1", Some(hers), (404, "not_found"));
    assert_eq!(payout(&reports(&other, 1, "")), "5.00");
    assert_eq!(payout(&reports(&shop, 1, "")), "9.00");
}

#[test]
fn a_campaign_has_at_most_500_active_rules() {
    let world = World::new();
    let shop = shop(&world);
    world.database().execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 499) \
         INSERT INTO payouts (namespace, id, campaign_id, currency, affiliate_id, payout_fixed, created_at) \
         SELECT 'demo', i, 1, 'USD', i, 1, 0 FROM n",
    );
    shop.operator.creates("payouts", json!({ "campaign_id": 1, "payout_fixed": "6.00" }));
    let full = (409, "too_many");
    let one_more = || json!({ "campaign_id": 1 });
    let problem = shop.operator.is_refused(Post, "payouts", Some(one_more()), full);
    assert!(problem["detail"].as_str().unwrap().contains("500 active payout rules"), "{problem}");
    // One that is put aside makes room for another, and then has none itself.
    let state = |state: &str| json!({ "state": state });
    shop.operator.changes("payouts/1", state("archived"));
    shop.operator.changes("payouts/2", state("active"));
    shop.operator.creates("payouts", one_more());
    shop.operator.is_refused(Patch, "payouts/1", Some(state("active")), full);
    shop.operator.creates("payouts", json!({ "campaign_id": 1, "state": "archived" }));
    // Another campaign has room of its own, and this one pays by all of its rules.
    let fields = json!({
        "name": "Boots", "advertiser_id": 1, "currency": "EUR", "authentication": "token",
    });
    shop.operator.creates("campaigns", fields);
    shop.operator.creates("payouts", json!({ "campaign_id": 2 }));
    world.waits_ms(30_001);
    assert_eq!(payout(&reports(&shop, 2, "")), "0.01");
    assert_eq!(payout(&reports(&shop, 1, "")), "6.00");
}

#[test]
fn a_rule_and_a_rate_cost_no_further_round_trip() {
    let world = World::new();
    let shop = shop(&world);
    rule(&shop, json!({ "affiliate_id": 1, "payout_type": "cps", "payout_percent": "10" }));
    let rate = json!({
        "from_currency": "EUR", "to_currency": "USD", "rate": "1.1", "valid_from": "2026-01-01T00:00:00Z",
    });
    shop.operator.creates("rates", rate);
    world.waits_ms(30_001);
    assert_eq!(payout(&reports(&shop, 1, "amount=10")), "1.00");
    let id = shop.clicks(1);
    let before = world.database().batches();
    assert_eq!(
        payout(&shop.reports(200, &format!("click_id={id}&amount=10&currency=EUR"))),
        "1.10"
    );
    assert_eq!(world.database().batches() - before, 1);
}
