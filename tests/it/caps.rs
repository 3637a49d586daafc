//! Caps of conversions, payout and revenue (design.md 4, wire.md 6 `capped`).

use backtrail::http::request::Headers;
use backtrail::http::request::Method::{Patch, Post};
use serde_json::{Value, json};

use crate::support::shop::{TOKEN, person};
use crate::support::world::json_of;
use crate::support::{Shop, World};

/// A cap of campaign 1: of conversions in all, hard, unless it says otherwise. Every isolate knows
/// it afterwards.
pub fn cap(shop: &Shop<'_>, says: Value) -> Value {
    let mut fields =
        json!({ "campaign_id": 1, "what": "conversions", "period": "total", "mode": "hard" });
    for (field, value) in says.as_object().unwrap() {
        fields[field] = value.clone();
    }
    let cap = shop.operator.creates("caps", fields);
    shop.world().waits_ms(30_001);
    cap
}

/// The query of a sale by a new click on a link.
pub fn sale(shop: &Shop<'_>, link: u32) -> String {
    format!("click_id={}", shop.clicks(link))
}

pub const CAPPED: (u16, &str) = (422, "capped");

/// How many conversions count in all.
pub fn used(shop: &Shop<'_>) -> Value {
    shop.value("SELECT SUM(conversions) FROM cap_uses WHERE affiliate_id = 0")
}

fn detail(body: &Value) -> &str {
    body["detail"].as_str().unwrap()
}

#[test]
fn a_hard_cap_takes_as_many_as_it_says_and_refuses_the_next() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 2 }));
    let first = sale(&shop, 1);
    shop.reports(200, &first);
    shop.reports(200, &sale(&shop, 2));
    let query = sale(&shop, 1);
    let body = shop.is_refused(CAPPED, &query);
    assert!(detail(&body).contains("cap 1 is full: 2 of 2 conversions in all"), "{body}");
    assert_eq!((shop.count("conversions"), used(&shop)), (2, json!(2)));
    // Repeats are never refused for a cap, nor counted.
    assert_eq!(shop.reports(200, &first)["verdict"], "duplicate");
    assert_eq!(used(&shop), 2);
    // The story of the refused one names the cap, its limit and what was used.
    let id = query.strip_prefix("click_id=").unwrap();
    let story = shop.operator.sees(&format!("explain?click_id={id}"));
    let told = story["timeline"].as_array().unwrap();
    let refused = told.iter().find(|entry| entry["what"] == "rejected").unwrap();
    let because = refused["because"].as_str().unwrap();
    assert!(because.starts_with("capped: cap 1 is full: 2 of 2 conversions"), "{because}");
    // An archived cap bounds nothing.
    shop.operator.changes("caps/1", json!({ "state": "archived" }));
    world.waits_ms(30_001);
    assert_eq!(shop.reports(200, &query)["verdict"], "recorded");
}

#[test]
fn a_soft_cap_lets_the_next_one_wait() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 1, "mode": "soft" }));
    assert_eq!(shop.reports(200, &sale(&shop, 1))["status"], "approved");
    let query = format!("{}&order_id=B&status=approved", sale(&shop, 1));
    let body = shop.reports(200, &query);
    assert_eq!((&body["verdict"], &body["status"]), (&json!("recorded"), &json!("pending")));
    let path = format!("conversions/{}", body["conversion_id"].as_str().unwrap());
    let explanation = shop.operator.sees(&path)["explanation"].clone();
    let full = "cap 1 is full: 1 of 1 conversions in all";
    assert_eq!(explanation["cap"], full);
    assert!(explanation["status"].as_str().unwrap().ends_with(full), "{explanation}");
    // What counts is what is neither rejected nor refunded; so it counts.
    assert_eq!(used(&shop), 2);

    // The very same again says nothing new, although it asks for another status than there is.
    shop.edge.settles();
    let again = shop.reports(200, &query);
    assert_eq!((&again["verdict"], &again["status"]), (&json!("duplicate"), &json!("pending")));
    // A status that is said for the first time is never refused for a cap.
    let late = shop.reports(200, "campaign_id=1&order_id=B&status=approved");
    assert_eq!((&late["verdict"], &late["status"]), (&json!("updated"), &json!("approved")));
    // What is held or pending anyway stays as it is.
    let held = shop.reports(200, &format!("{}&status=hold", sale(&shop, 1)));
    assert_eq!(held["status"], "hold");
}

#[test]
fn an_amount_is_full_once_it_is_reached_and_the_one_that_reaches_it_is_taken_whole() {
    for (limit, taken, told) in [
        ("10.00", 2, "10.00 USD of 10.00 USD payout"),
        ("10.01", 3, "15.00 USD of 10.01 USD payout"),
        ("9.99", 2, "10.00 USD of 9.99 USD payout"),
    ] {
        let world = World::new();
        let shop = Shop::open(&world);
        cap(&shop, json!({ "what": "payout", "amount_limit": limit }));
        for _ in 0..taken {
            shop.reports(200, &sale(&shop, 1));
        }
        let body = shop.is_refused(CAPPED, &sale(&shop, 1));
        assert!(detail(&body).contains(told), "{limit}: {body}");
    }
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "what": "revenue", "amount_limit": "8.00", "mode": "soft" }));
    assert_eq!(shop.reports(200, &sale(&shop, 1))["status"], "approved");
    assert_eq!(shop.reports(200, &sale(&shop, 1))["status"], "pending");
}

#[test]
fn a_rejection_or_refund_frees_the_place_and_an_approval_takes_it_without_being_refused() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 1 }));
    let order = |order: &str, rest: &str| format!("campaign_id=1&order_id={order}&{rest}");
    shop.reports(200, &format!("{}&order_id=A", sale(&shop, 1)));
    shop.reports(200, &order("A", "status=rejected"));
    assert_eq!(used(&shop), 0);
    shop.reports(200, &format!("{}&order_id=B", sale(&shop, 1)));
    shop.is_refused(CAPPED, &sale(&shop, 1));
    // A is approved again, although there is no place.
    shop.reports(200, &order("A", "status=approved"));
    assert_eq!(used(&shop), 2);
    shop.reports(200, &order("A", "status=refunded"));
    shop.is_refused(CAPPED, &sale(&shop, 1));
    let id = shop.value("SELECT conversion_id FROM conversions WHERE order_id = 'B'");
    let path = format!("conversions/{}", id.as_str().unwrap());
    shop.operator.changes(&path, json!({ "status": "rejected" }));
    assert_eq!(used(&shop), 0);
    assert_eq!(shop.reports(200, &sale(&shop, 1))["verdict"], "recorded");
    // What is reported as rejected takes no place, and so is never refused for one.
    let rejected = format!("{}&third_party_rejected_reason=fraud", sale(&shop, 1));
    assert_eq!(shop.reports(200, &rejected)["status"], "rejected");
    assert_eq!(used(&shop), 1);
}

#[test]
fn a_refund_in_part_gives_its_part_of_the_money_back() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "what": "payout", "amount_limit": "5.00" }));
    shop.reports(200, &format!("{}&order_id=A&amount=10", sale(&shop, 1)));
    shop.is_refused(CAPPED, &sale(&shop, 1));
    shop.reports(200, "campaign_id=1&order_id=A&status=refunded&refund_id=1&amount=2");
    assert_eq!(shop.value("SELECT payout FROM cap_uses"), 400);
    assert_eq!(used(&shop), 1);
    assert_eq!(shop.reports(200, &sale(&shop, 1))["verdict"], "recorded");
}

#[test]
fn events_and_tests_are_neither_refused_nor_counted() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.operator.creates("events", json!({ "campaign_id": 1, "name": "renewal" }));
    cap(&shop, json!({ "conversions_limit": 1 }));
    let query = sale(&shop, 1);
    shop.reports(200, &query);
    shop.is_refused(CAPPED, &sale(&shop, 1));
    let event = shop.reports(200, &format!("{query}&event_name=renewal"));
    assert_eq!(event["verdict"], "recorded");
    assert_eq!(used(&shop), 1);
    // A conversion that turns out to be a test gives its place back.
    world.database().execute("UPDATE conversions SET is_test = 1 WHERE event_id = 0");
    assert_eq!(used(&shop), 0);
    world.database().execute("UPDATE conversions SET is_test = 0 WHERE event_id = 0");
    assert_eq!(used(&shop), 1);
}

#[test]
fn of_several_caps_a_full_hard_one_refuses_and_else_a_full_soft_one_lets_wait() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 1, "mode": "soft" }));
    cap(&shop, json!({ "conversions_limit": 3, "period": "month" }));
    cap(&shop, json!({ "conversions_limit": 2, "period": "day" }));
    assert_eq!(shop.reports(200, &sale(&shop, 1))["status"], "approved");
    assert_eq!(shop.reports(200, &sale(&shop, 1))["status"], "pending");
    let body = shop.is_refused(CAPPED, &sale(&shop, 1));
    assert!(detail(&body).contains("cap 3 is full: 2 of 2 conversions on 2026-11-21"), "{body}");
    world.waits_ms(86_400_000);
    assert_eq!(shop.reports(200, &sale(&shop, 1))["status"], "pending");
    // Of two that are full the first one is named.
    let body = shop.is_refused(CAPPED, &sale(&shop, 1));
    assert!(detail(&body).contains("cap 2 is full: 3 of 3 conversions in 2026-11"), "{body}");
}

#[test]
fn an_affiliates_own_cap_stands_instead_of_the_general_one() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 2 }));
    cap(&shop, json!({ "conversions_limit": 3, "affiliate_id": 2 }));
    // Bea's count in the general one as well, but it does not bound her.
    for _ in 0..3 {
        shop.reports(200, &sale(&shop, 2));
    }
    let body = shop.is_refused(CAPPED, &sale(&shop, 2));
    assert!(detail(&body).contains("cap 2 (affiliate 2) is full: 3 of 3"), "{body}");
    let body = shop.is_refused(CAPPED, &sale(&shop, 1));
    assert!(detail(&body).contains("cap 1 is full: 3 of 2"), "{body}");
    // A general cap of another kind bounds her all the same.
    shop.operator.changes("caps/2", json!({ "conversions_limit": 9 }));
    cap(&shop, json!({ "what": "payout", "amount_limit": "20.00" }));
    assert_eq!(shop.reports(200, &sale(&shop, 2))["verdict"], "recorded");
    let body = shop.is_refused(CAPPED, &sale(&shop, 2));
    assert!(detail(&body).contains("cap 3 is full: 20.00 USD of 20.00 USD payout"), "{body}");
}

#[test]
fn a_dry_run_tells_of_the_cap_and_takes_no_place() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 1 }));
    let query = sale(&shop, 1);
    let tried = shop.reports(200, &format!("{query}&dry_run=1"));
    assert_eq!((&tried["verdict"], shop.count("cap_uses")), (&json!("recorded"), 0));
    shop.reports(200, &query);
    let written = (shop.count("inbox"), used(&shop));
    let tried = shop.is_refused(CAPPED, &format!("{}&dry_run=1", sale(&shop, 1)));
    assert_eq!(tried["dry_run"], true);
    assert_eq!((shop.count("inbox"), used(&shop)), written);
    shop.operator.changes("caps/1", json!({ "mode": "soft" }));
    world.waits_ms(30_001);
    let tried = shop.reports(200, &format!("{}&dry_run=1", sale(&shop, 1)));
    assert_eq!((&tried["verdict"], &tried["status"]), (&json!("recorded"), &json!("pending")));
}

#[test]
fn a_sale_without_a_click_is_bounded_by_the_caps_of_whom_it_credits() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "attribution_order": ["coupon", "click_id"] }));
    let coupon = json!({ "campaign_id": 1, "affiliate_id": 2, "code": "BEA" });
    shop.operator.creates("coupons", coupon);
    cap(&shop, json!({ "conversions_limit": 1, "affiliate_id": 2 }));
    let sale_by = |order: &str| format!("campaign_id=1&coupon=BEA&order_id={order}");
    assert_eq!(shop.reports(200, &format!("{}&dry_run=1", sale_by("A")))["verdict"], "recorded");
    shop.reports(200, &sale_by("A"));
    shop.is_refused(CAPPED, &format!("{}&dry_run=1", sale_by("B")));
    shop.is_refused(CAPPED, &sale_by("B"));
    // A click of Ann's, whom nothing bounds, does not help against the coupon.
    let both = format!("{}&{}", sale_by("C"), sale(&shop, 1));
    shop.is_refused(CAPPED, &format!("{both}&dry_run=1"));
    shop.is_refused(CAPPED, &both);
    assert_eq!(shop.reports(200, &sale(&shop, 1))["verdict"], "recorded");
}

#[test]
fn whoever_proves_nothing_is_not_told_how_much_others_sold() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "authentication": "none" }));
    cap(&shop, json!({ "what": "payout", "amount_limit": "5.00" }));
    let asks = |status| json_of(&shop.asks(&sale(&shop, 1)), status);
    asks(200);
    let body = asks(422);
    assert_eq!(body["reason"], "capped");
    assert!(!body.to_string().contains("5.00"), "{body}");
    let kept = shop.value("SELECT detail FROM inbox WHERE verdict = 'rejected'");
    assert!(kept.as_str().unwrap().contains("5.00 USD of 5.00 USD payout"), "{kept}");
}

#[test]
fn what_a_cap_refused_is_taken_once_there_is_a_place() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 1 }));
    shop.reports(200, &sale(&shop, 1));
    let request_id = shop.is_refused(CAPPED, &sale(&shop, 1))["request_id"].clone();
    let path = format!("inbox/{}/judge", request_id.as_str().unwrap());
    world.waits_ms(1_000);
    assert_eq!(shop.operator.calls(Post, &path, None, 200)["reason"], "capped");
    shop.operator.changes("caps/1", json!({ "conversions_limit": 2 }));
    world.waits_ms(1_000);
    let judged = shop.operator.calls(Post, &path, None, 200);
    assert_eq!(judged["verdict"], "recorded");
    assert_eq!(used(&shop), 2);
}

#[test]
fn whoever_has_no_caps_pays_nothing_for_them() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.reports(200, &sale(&shop, 1));
    let before = world.database().batches();
    let statements = world.database().statements();
    shop.reports(200, &sale(&shop, 1));
    let database = world.database();
    assert_eq!((database.batches() - before, database.statements() - statements), (1, 2));
    assert_eq!(shop.count("cap_uses"), 0);
    assert_eq!(shop.value("SELECT COUNT(caps) FROM conversions"), 0);

    // With every cap there is it is one round trip still, and seven written rows.
    for period in ["day", "month", "total"] {
        cap(&shop, json!({ "period": period, "conversions_limit": 9 }));
        let own = json!({ "period": period, "what": "payout", "amount_limit": "900.00", "affiliate_id": 2 });
        cap(&shop, own);
    }
    let headers = Headers { country: "FR", ..person() };
    let id = shop.clicks_with(headers, 2);
    shop.edge.settles();
    let before = database.batches();
    shop.reports(200, &format!("click_id={id}&order_id=A&token={TOKEN}"));
    assert_eq!(database.batches() - before, 1);
    assert_eq!(shop.count("cap_uses"), 2, "beside five of conversion and inbox");
}

#[test]
fn a_commit_whose_answer_was_lost_counts_once() {
    use crate::support::database::Break;
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 5 }));
    shop.reports(200, &sale(&shop, 1));
    let query = format!("{}&order_id=A", sale(&shop, 1));
    world.database().breaks(Break::AfterCommit, 1);
    shop.is_refused((503, "storage_unavailable"), &query);
    assert_eq!(shop.reports(200, &query)["verdict"], "duplicate");
    let path = "conversions?order_id=A";
    let id = shop.operator.lists(path)[0]["conversion_id"].as_str().unwrap().to_owned();
    world.database().breaks_after(Break::AfterCommit, 2);
    let rejection = json!({ "status": "rejected" });
    shop.operator.sends(Patch, &format!("conversions/{id}"), Some(rejection.clone()), "");
    world.database().mends();
    shop.operator.changes(&format!("conversions/{id}"), rejection);
    assert_eq!(used(&shop), 1);
}
