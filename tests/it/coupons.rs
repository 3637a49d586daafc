//! Coupons (wire.md 5): a code credits its owner without a click, within its time, once per order.

use backtrail::http::request::Method;
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::shop::TOKEN;
use crate::support::world::json_of;
use crate::support::{Edge, Shop, World};

/// Coupon `Spring10` of affiliate 2 (Bea), whose default link of campaign 1 is link 2.
fn open(world: &World) -> Shop<'_> {
    let shop = Shop::open(world);
    makes(&shop, json!({ "code": "Spring10" }));
    shop
}

fn makes(shop: &Shop<'_>, fields: Value) -> Value {
    let mut coupon = json!({ "campaign_id": 1, "affiliate_id": 2 });
    for (name, value) in fields.as_object().unwrap() {
        coupon[name] = value.clone();
    }
    shop.operator.creates("coupons", coupon)
}

#[test]
fn a_coupon_credits_its_owner_without_a_click_in_either_case() {
    let world = World::new();
    let shop = open(&world);
    for (order, code) in [("A", "Spring10"), ("B", "SPRING10"), ("C", "spring10")] {
        let query = format!("campaign_id=1&coupon={code}&order_id={order}");
        let reply = shop.reports(200, &query);
        assert_eq!((&reply["verdict"], &reply["affiliate_id"]), (&json!("recorded"), &json!(2)));
        assert_eq!((&reply["click_id"], &reply["status"]), (&Value::Null, &json!("approved")));
        assert_eq!((&reply["warnings"], &reply["payout"]["amount"]), (&json!([]), &json!("5.00")));
        assert_eq!(shop.reports(200, &query)["verdict"], "duplicate", "{code}");
    }
    let rows = shop.rows("SELECT DISTINCT ref_id, affiliate_id, click_id FROM conversions");
    assert_eq!(rows, [json!({ "ref_id": 2, "affiliate_id": 2, "click_id": null })]);
    let why = shop.operator.lists("conversions").remove(0);
    let why = why["explanation"]["attribution"].as_str().unwrap().to_owned();
    assert!(why.contains("coupon \"Spring10\" belongs to affiliate 2 (link 2)"), "{why}");
    // Letters outside ASCII are themselves.
    makes(&shop, json!({ "code": "ÉTÉ" }));
    assert_eq!(shop.reports(200, "campaign_id=1&coupon=ÉTÉ&order_id=D")["verdict"], "recorded");
    shop.is_refused((404, "unknown_coupon"), "campaign_id=1&coupon=été&order_id=E");
}

#[test]
fn without_a_click_only_the_order_tells_two_sales_apart() {
    let world = World::new();
    let shop = open(&world);
    let refused = shop.is_refused((400, "missing_parameter"), "campaign_id=1&coupon=SPRING10");
    assert_eq!(refused["parameter"], "order_id");
    // What is wrong with the coupon is told first.
    shop.is_refused((404, "unknown_coupon"), "campaign_id=1&coupon=NOPE");
    assert_eq!(shop.count("conversions"), 0);
    let sale = "campaign_id=1&coupon=SPRING10&order_id=A";
    shop.reports(200, sale);
    // Whatever becomes of the coupon, the order is known.
    shop.operator.changes("coupons/1", json!({ "state": "archived" }));
    assert_eq!(shop.reports(200, sale)["verdict"], "duplicate");
    // So it is if the answer was lost.
    let other = open_again(&shop);
    world.database().breaks_after(Break::AfterCommit, 1);
    shop.reports(503, &other);
    assert_eq!(shop.reports(200, &other)["verdict"], "duplicate");
    assert_eq!(shop.count("conversions"), 2);
}

/// A sale by a coupon that was made just now, and that memory does not have.
fn open_again(shop: &Shop<'_>) -> String {
    makes(shop, json!({ "code": "Spring10" }));
    shop.world().waits_ms(30_001);
    "campaign_id=1&coupon=SPRING10&order_id=B".to_owned()
}

#[test]
fn an_unknown_coupon_is_named() {
    let world = World::new();
    let shop = open(&world);
    let refused =
        shop.is_refused((404, "unknown_coupon"), "campaign_id=1&order_id=A&coupon=SPRING11");
    assert_eq!(refused["parameter"], "coupon");
    assert!(refused["detail"].as_str().unwrap().contains("no coupon \"SPRING11\""), "{refused}");
    // Far too long ones are not even looked up.
    let long = "x".repeat(129);
    let before = world.database().statements();
    shop.is_refused((404, "unknown_coupon"), &format!("campaign_id=1&order_id=A&coupon={long}"));
    assert_eq!(world.database().statements() - before, 2, "what is recorded, and the inbox");
    // An archived one is no coupon any more.
    shop.operator.changes("coupons/1", json!({ "state": "archived" }));
    world.waits_ms(30_001);
    shop.is_refused((404, "unknown_coupon"), "campaign_id=1&order_id=A&coupon=SPRING10");
    assert_eq!(shop.count("conversions"), 0);
}

#[test]
fn an_expired_coupon_is_told_when_it_was_valid() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "is_explicit_money_allowed": true }));
    // It is 2026-11-21T09:30:00Z.
    let (from, until) = ("2026-11-01T00:00:00.000Z", "2026-11-21T09:30:00.000Z");
    makes(&shop, json!({ "code": "PAST", "starts_at": from, "ends_at": until }));
    makes(&shop, json!({ "code": "SOON", "starts_at": "2026-12-01T00:00:00Z" }));
    let detail = |code: &str| {
        let query = format!("campaign_id=1&order_id=A&coupon={code}");
        let refused = shop.is_refused((422, "expired_coupon"), &query);
        assert_eq!(refused["parameter"], "coupon");
        refused["detail"].as_str().unwrap().to_owned()
    };
    let told = detail("past");
    assert!(told.contains(&format!("\"PAST\" is valid from {from} until {until}")), "{told}");
    assert!(detail("soon").contains("from 2026-12-01T00:00:00.000Z"));
    // The time of the sale counts, where it may be sent.
    let query = "campaign_id=1&order_id=A&coupon=past&occurred_at=2026-11-21T09:29:59Z";
    assert_eq!(shop.reports(200, query)["verdict"], "recorded");
    // The operator may extend it.
    shop.operator.changes("coupons/1", json!({ "ends_at": null }));
    world.waits_ms(30_001);
    let reply = shop.reports(200, "campaign_id=1&order_id=B&coupon=past");
    assert_eq!(reply["verdict"], "recorded");
}

#[test]
fn a_coupon_pays_by_the_rule_of_the_coupon_also_when_it_is_updated() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "is_conflict_updated": true }));
    makes(&shop, json!({ "code": "SPRING10" }));
    let rule = json!({ "campaign_id": 1, "coupon": "spring10", "payout_type": "cps", "payout_percent": "10" });
    shop.operator.creates("payouts", rule);
    world.waits_ms(30_001);
    let sale = "campaign_id=1&coupon=Spring10&order_id=A";
    assert_eq!(shop.reports(200, &format!("{sale}&amount=50"))["payout"]["amount"], "5.00");
    let updated = shop.reports(200, &format!("{sale}&amount=80"));
    assert_eq!(
        (&updated["verdict"], &updated["payout"]["amount"]),
        (&json!("updated"), &json!("8.00"))
    );
    // A coupon that was merely sent is none: the click's affiliate is paid as always.
    let id = shop.clicks(1);
    let reply = shop.reports(200, &format!("click_id={id}&coupon=SPRING10&amount=50&order_id=B"));
    assert_eq!((&reply["affiliate_id"], &reply["payout"]["amount"]), (&json!(1), &json!("5.00")));
    let because = shop.operator.lists("conversions").remove(0)["explanation"]["payout"].to_string();
    assert!(because.contains("campaign's own rule"), "{because}");
}

#[test]
fn a_coupon_is_made_with_an_owner_who_can_be_credited() {
    let world = World::new();
    let shop = open(&world);
    let demo = &shop.operator;
    let made = demo.sees("coupons/1");
    assert_eq!(
        (&made["ref_id"], &made["state"], &made["starts_at"]),
        (&json!(2), &json!("active"), &Value::Null)
    );
    let coupon = |fields: Value| {
        let mut coupon = json!({ "campaign_id": 1, "affiliate_id": 1, "code": "NEW" });
        for (name, value) in fields.as_object().unwrap() {
            coupon[name] = value.clone();
        }
        coupon
    };
    demo.creates("affiliates", json!({ "name": "Cleo" }));
    for (fields, fault) in [
        (json!({ "affiliate_id": 3 }), "affiliate_id: link_required"),
        (json!({ "affiliate_id": 9 }), "affiliate_id: unknown_reference"),
        (json!({ "campaign_id": 9 }), "campaign_id: unknown_reference"),
        (json!({ "code": " NEW" }), "code: invalid"),
        (json!({ "code": "" }), "code: invalid"),
        (
            json!({ "starts_at": "2026-12-01T00:00:00Z", "ends_at": "2026-12-01T00:00:00Z" }),
            "ends_at: invalid",
        ),
        (json!({ "ref_id": 1 }), "ref_id: read_only"),
    ] {
        demo.is_told(Method::Post, "coupons", coupon(fields), &[fault]);
    }
    let many = json!({ "coupons": [coupon(json!({})), coupon(json!({ "affiliate_id": 3, "code": "X" }))] });
    demo.is_told(Method::Post, "coupons", many, &["coupons[1].affiliate_id: link_required"]);
    let taken = coupon(json!({ "code": "sPRING10" }));
    demo.is_refused(Method::Post, "coupons", Some(taken.clone()), (409, "conflict"));
    // Owner, campaign and code stay; an archived one gives its code free.
    demo.is_told(
        Method::Patch,
        "coupons/1",
        json!({ "affiliate_id": 1 }),
        &["affiliate_id: create_only"],
    );
    demo.changes("coupons/1", json!({ "state": "archived" }));
    let second = demo.creates("coupons", taken);
    assert_eq!((&second["id"], &second["affiliate_id"]), (&json!(2), &json!(1)));
    demo.is_refused(
        Method::Patch,
        "coupons/1",
        Some(json!({ "state": "active" })),
        (409, "conflict"),
    );
    world.waits_ms(30_001);
    let reply = shop.reports(200, "campaign_id=1&order_id=A&coupon=SPRING10");
    assert_eq!(reply["affiliate_id"], 1);
}

#[test]
fn a_thousand_coupons_are_made_at_once_and_each_is_found_by_itself() {
    let world = World::new();
    let shop = Shop::open(&world);
    let coupon =
        |n: usize| json!({ "campaign_id": 1, "affiliate_id": 2, "code": format!("C-{n}") });
    let all: Vec<Value> = (0..1_000).map(coupon).collect();
    let made = shop.operator.creates("coupons", json!({ "coupons": all }));
    assert_eq!(made["data"].as_array().unwrap().len(), 1_000);
    let copy = world.copy("c/demo/1").to_string();
    assert!(!copy.contains("C-7"), "the campaign's copy does not grow with its coupons");
    for n in [0, 999] {
        let reply = shop.reports(200, &format!("campaign_id=1&order_id={n}&coupon=c-{n}"));
        assert_eq!(reply["verdict"], "recorded", "{n}");
    }
    // Known ones come from memory, else from a copy; the ledger is asked for none of them.
    let before = world.database().statements();
    shop.reports(200, "campaign_id=1&order_id=again&coupon=c-7");
    let of_new = world.database().statements() - before;
    let before = world.database().statements();
    shop.reports(200, "campaign_id=1&order_id=and-again&coupon=C-7");
    assert_eq!((of_new, world.database().statements() - before), (3, 2));
}

#[test]
fn a_coupon_that_was_unknown_is_matched_late() {
    let world = World::new();
    let shop = Shop::open(&world);
    let early = shop.is_refused((404, "unknown_coupon"), "campaign_id=1&order_id=A&coupon=LATE");
    world.waits_ms(1_000);
    let path = format!("inbox/{}/judge", early["request_id"].as_str().unwrap());
    let judges = || shop.operator.calls(Method::Post, &path, None, 200);
    assert_eq!(judges()["reason"], "unknown_coupon");
    makes(&shop, json!({ "code": "late" }));
    world.waits_ms(1_000);
    assert_eq!(judges()["verdict"], "recorded");
    assert_eq!(shop.value("SELECT affiliate_id FROM conversions"), 2);
    assert_eq!(shop.reports(200, "campaign_id=1&order_id=A&coupon=LATE")["verdict"], "duplicate");
}

#[test]
fn a_coupon_of_another_namespace_or_campaign_is_unknown() {
    let world = World::new();
    let (shop, other) = (open(&world), Shop::named(&world, "other", json!({})));
    let query = "campaign_id=1&order_id=A&coupon=SPRING10";
    other.is_refused((404, "unknown_coupon"), query);
    let own = json!({ "campaign_id": 1, "affiliate_id": 1, "code": "spring10" });
    other.operator.creates("coupons", own);
    world.waits_ms(30_001);
    assert_eq!(other.reports(200, query)["affiliate_id"], 1);
    assert_eq!(shop.reports(200, query)["affiliate_id"], 2);
    other.operator.is_refused(Method::Get, "coupons/2", None, (404, "not_found"));
    assert_eq!(other.operator.lists("coupons").len(), 1);
    // Another campaign of the same namespace.
    let campaign = json!({ "name": "B", "advertiser_id": 1, "currency": "USD", "authentication": "none", "ip_allow": [crate::support::shop::SERVER] });
    shop.operator.creates("campaigns", campaign);
    let refused = json_of(&shop.asks("campaign_id=2&order_id=B&coupon=SPRING10"), 404);
    assert_eq!(refused["reason"], "unknown_coupon");
}

#[test]
fn a_blocked_affiliate_gets_nothing_new_by_a_coupon() {
    let world = World::new();
    let shop = open(&world);
    let id = shop.clicks(2);
    shop.operator.changes("affiliates/2", json!({ "state": "blocked" }));
    world.waits_ms(30_001);
    let refused =
        shop.is_refused((422, "no_attribution"), "campaign_id=1&order_id=A&coupon=SPRING10");
    assert!(refused["detail"].as_str().unwrap().contains("blocked"), "{refused}");
    // The control: what was clicked before is a promise.
    assert_eq!(shop.reports(200, &format!("click_id={id}&order_id=B"))["affiliate_id"], 2);
}

#[test]
fn another_isolate_knows_a_coupon_by_its_copy() {
    let world = World::new();
    let shop = open(&world);
    shop.reports(200, "campaign_id=1&order_id=A&coupon=SPRING10");
    // Another isolate finds the copy.
    let edge = Edge::of(&world);
    let address =
        format!("{}/postback?campaign_id=1&order_id=B&coupon=spring10&token={TOKEN}", shop.host);
    let before = world.database().statements();
    let reply = edge.answers(Method::Get, &address, crate::support::shop::server(), b"");
    assert_eq!(json_of(&reply, 200)["verdict"], "recorded");
    let asked = world.database().statements() - before;
    assert_eq!(asked, 2, "the conversion and its inbox row");
}
