//! What becomes of a conversion after it was recorded, by postback (wire.md 5): transitions,
//! rejections, refunds, and what repeats of each are.

use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::{Shop, World};

/// A sale of 10.00 that is approved, and its postback.
fn sale(shop: &Shop<'_>) -> String {
    let query = format!("click_id={}&order_id=A&amount=10", shop.clicks(1));
    assert_eq!(shop.reports(200, &query)["verdict"], "recorded");
    query
}

fn told(body: &Value) -> (&str, &str) {
    (body["verdict"].as_str().unwrap(), body["status"].as_str().unwrap())
}

/// Status, revenue and payout of the only conversion.
fn row(shop: &Shop<'_>) -> (String, u64, u64) {
    let rows = shop.rows("SELECT status, revenue, payout FROM conversions");
    assert_eq!(rows.len(), 1);
    let minor = |name: &str| rows[0][name].as_u64().unwrap();
    (rows[0]["status"].as_str().unwrap().to_owned(), minor("revenue"), minor("payout"))
}

#[test]
fn another_status_is_a_transition_and_the_same_a_duplicate() {
    let world = World::new();
    let shop = Shop::open(&world);
    let sale = sale(&shop);
    let body = shop.reports(200, &format!("{sale}&status=rejected&reason=stolen+card"));
    assert_eq!(told(&body), ("updated", "rejected"));
    assert_eq!(shop.value("SELECT status_reason FROM conversions"), "stolen card");
    let body = shop.reports(200, &format!("{sale}&status=rejected&reason=other"));
    assert_eq!(
        (told(&body), &body["current_status"]),
        (("duplicate", "approved"), &json!("rejected"))
    );
    assert_eq!(shop.value("SELECT status_reason FROM conversions"), "stolen card");
    // The order alone names it as well, and approved again is approved without a reason.
    let body = shop.reports(200, "campaign_id=1&order_id=A&status=approved");
    assert_eq!(told(&body), ("updated", "approved"));
    assert_eq!(shop.value("SELECT status_reason FROM conversions"), Value::Null);
    assert_eq!(row(&shop), ("approved".into(), 800, 500), "money rows stay");
    // The first request once more says no status, so it changes none.
    assert_eq!(shop.reports(200, &sale)["verdict"], "duplicate");
}

#[test]
fn a_transition_that_is_not_allowed_is_refused_by_name_and_changes_nothing() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "default_status": "pending" }));
    let sale = sale(&shop);
    let body = shop.is_refused((409, "invalid_transition"), &format!("{sale}&status=refunded"));
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.contains("pending") && detail.contains("refunded"), "{detail}");
    assert!(detail.contains("approved, hold, rejected"), "{detail}");
    assert_eq!((row(&shop).0.as_str(), shop.count("changes")), ("pending", 0));
    assert_eq!(shop.count("inbox"), 2);
}

#[test]
fn transitions_are_never_refused_for_age_pause_archive_or_cap() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "window_days": 1 }));
    let sale = sale(&shop);
    world.waits_ms(400 * 86_400_000);
    shop.changes_campaign(json!({ "state": "paused" }));
    assert_eq!(told(&shop.reports(200, &format!("{sale}&status=hold"))), ("updated", "hold"));
    shop.changes_campaign(json!({ "state": "archived" }));
    assert_eq!(told(&shop.reports(200, &format!("{sale}&status=approved"))).0, "updated");
    assert_eq!(told(&shop.reports(200, &format!("{sale}&status=refunded"))).0, "updated");
}

#[test]
fn whoever_proved_nothing_changes_nothing() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "authentication": "none", "is_amount_trusted": true }));
    let sale = sale(&shop);
    for change in ["status=rejected", "new_rejected_reason=x", "status=refunded", "refund_id=r"] {
        let response = shop.asks(&format!("{sale}&{change}"));
        assert_eq!(response.status, 401, "{change}");
    }
    assert_eq!((row(&shop).0.as_str(), shop.count("changes")), ("approved", 0));
}

#[test]
fn a_campaign_maps_its_advertisers_words() {
    let world = World::new();
    let shop = Shop::with(
        &world,
        json!({ "status_words": { "Paid": "approved", "retour": "refunded", "cancelled": "hold" } }),
    );
    assert_eq!(shop.operator.sees("campaigns/1")["status_words"]["paid"], "approved");
    let sale = sale(&shop);
    assert_eq!(told(&shop.reports(200, &format!("{sale}&status=PAID"))).0, "duplicate");
    assert_eq!(told(&shop.reports(200, &format!("{sale}&status=Cancelled"))).1, "hold");
    assert_eq!(told(&shop.reports(200, &format!("{sale}&status=confirmed"))).1, "approved");
    shop.is_refused((400, "unmapped_status"), &format!("{sale}&status=shipped"));
    assert_eq!(told(&shop.reports(200, &format!("{sale}&status=retour"))).1, "refunded");
    use backtrail::http::request::Method::Patch;
    for wrong in [json!({ "approved": "hold" }), json!({ "a": "paid" }), json!({ "": "hold" })] {
        let body = json!({ "status_words": wrong });
        shop.operator.is_told(Patch, "campaigns/1", body, &["status_words: invalid"]);
    }
}

#[test]
fn a_new_reason_rejects_what_it_names_and_replaces_an_older_reason() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "conversions_per_click": "per_order" }));
    let id = shop.clicks(1);
    for order in ["A", "B"] {
        shop.reports(200, &format!("click_id={id}&order_id={order}"));
    }
    let reasons = || -> Vec<Value> {
        let rows = shop.rows("SELECT status_reason FROM conversions ORDER BY order_id");
        rows.into_iter().map(|mut row| row["status_reason"].take()).collect()
    };
    let body = shop.reports(200, "campaign_id=1&order_id=A&new_rejected_reason=fraud");
    assert_eq!(told(&body), ("updated", "rejected"));
    assert_eq!(reasons(), [json!("fraud"), Value::Null]);
    let again = shop.reports(200, "campaign_id=1&order_id=A&new_rejected_reason=fraud");
    assert_eq!(again["verdict"], "duplicate");
    let body = shop.reports(200, "campaign_id=1&order_id=A&new_rejected_reason=chargeback");
    assert_eq!(body["verdict"], "updated");
    assert_eq!(reasons()[0], "chargeback");
    assert_eq!(shop.value("SELECT what FROM changes WHERE revision = 3"), "reason");
    // The click alone has two of them.
    let query = format!("click_id={id}&new_rejected_reason=x");
    let body = shop.is_refused((400, "missing_parameter"), &query);
    assert_eq!(body["parameter"], "order_id");
    shop.reports(200, &format!("{query}&all_events=true"));
    assert_eq!(reasons(), [json!("x"), json!("x")]);
    assert_eq!(shop.reports(200, &format!("{query}&all_events=true"))["verdict"], "duplicate");
    assert_eq!(shop.count("changes"), 4);
}

#[test]
fn a_rejection_of_what_is_not_there_says_so() {
    let world = World::new();
    let shop = Shop::open(&world);
    let sale = sale(&shop);
    let other = shop.clicks(1);
    for (refused, query) in [
        ((404, "unknown_order"), "campaign_id=1&order_id=Z&new_rejected_reason=x".to_owned()),
        ((404, "unknown_click"), format!("click_id={other}&new_rejected_reason=x")),
        ((422, "no_attribution"), "campaign_id=1&new_rejected_reason=x".to_owned()),
        ((409, "conflict"), format!("click_id={other}&order_id=A&new_rejected_reason=x")),
        ((400, "invalid_parameter"), format!("{sale}&new_rejected_reason=x&status=approved")),
    ] {
        shop.is_refused(refused, &query);
    }
    assert_eq!((row(&shop).0.as_str(), shop.count("conversions")), ("approved", 1));
    let id = sale.split('&').next().unwrap();
    assert_eq!(told(&shop.reports(200, &format!("{id}&new_rejected_reason=x"))).0, "updated");
    shop.reports(200, &format!("{sale}&status=approved"));
    shop.reports(200, &format!("{sale}&status=refunded"));
    shop.is_refused((409, "invalid_transition"), &format!("{id}&new_rejected_reason=y"));
}

#[test]
fn a_refund_in_parts_reduces_the_money_and_the_last_one_the_status() {
    let world = World::new();
    let shop = Shop::open(&world);
    let sale = sale(&shop);
    let part = |id: &str, amount: &str| {
        format!("campaign_id=1&order_id=A&status=refunded&refund_id={id}&amount={amount}")
    };
    let body = shop.reports(200, &part("r1", "3"));
    assert_eq!(told(&body), ("updated", "approved"));
    assert_eq!(
        (&body["revenue"]["amount"], &body["payout"]["amount"]),
        (&json!("5.60"), &json!("3.50"))
    );
    let again = shop.reports(200, &part("r1", "3.00"));
    assert_eq!(
        (&again["verdict"], &again["current_status"]),
        (&json!("duplicate"), &json!("approved"))
    );
    assert_eq!(again["payout"]["amount"], "5.00", "a repeat has the first body");
    shop.is_refused((409, "conflict"), &part("r1", "4"));
    shop.is_refused((409, "refund_too_large"), &part("r2", "7.01"));
    assert_eq!(row(&shop), ("approved".into(), 560, 350));
    assert_eq!(told(&shop.reports(200, &part("r2", "7"))), ("updated", "refunded"));
    assert_eq!(row(&shop), ("refunded".into(), 560, 350));
    shop.is_refused((409, "refund_too_large"), &part("r3", "0.01"));
    assert_eq!(shop.reports(200, &part("r1", "3"))["verdict"], "duplicate");
    assert_eq!(
        shop.reports(200, "campaign_id=1&order_id=A&status=refunded")["verdict"],
        "duplicate"
    );
    // A late repeat of the sale that names its status does not undo it.
    shop.is_refused((409, "invalid_transition"), &format!("{sale}&status=approved"));
    assert_eq!(shop.count("changes"), 2);
}

#[test]
fn a_refund_is_found_by_what_was_reported_only() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "is_conflict_updated": true }));
    sale(&shop);
    let id = shop.clicks(1);
    world.waits_ms(400 * 86_400_000);
    shop.is_refused((404, "unknown_order"), "campaign_id=1&order_id=Z&status=refunded");
    shop.is_refused((404, "unknown_click"), &format!("click_id={id}&status=refunded"));
    let body = shop.is_refused((400, "missing_parameter"), "campaign_id=1&order_id=A&refund_id=r");
    assert_eq!(body["parameter"], "status");
    shop.is_refused(
        (409, "conflict"),
        "campaign_id=1&order_id=A&status=refunded&amount=1&currency=EUR",
    );
    assert_eq!((shop.count("conversions"), shop.count("changes")), (1, 0));
}

#[test]
fn each_change_leaves_a_line_with_who_when_before_and_after() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "is_conflict_updated": true, "payout_percent": "10" }));
    let sale = sale(&shop);
    world.waits_ms(5_000);
    let body = shop.reports(200, &format!("{sale}&status=rejected&reason=stolen"));
    shop.reports(200, &sale.replace("amount=10", "amount=20&status=approved"));
    let id = body["conversion_id"].as_str().unwrap();
    let lines = shop.operator.lists(&format!("conversions/{id}/changes"));
    assert_eq!(lines.len(), 2);
    let state = |status: &str, reason: Value, amount: &str, payout: &str| {
        let usd = |amount: &str| json!({ "amount": amount, "currency": "USD" });
        json!({ "status": status, "reason": reason, "amount": usd(amount), "revenue": usd("8.00"), "payout": usd(payout) })
    };
    assert_eq!(
        lines[0],
        json!({
            "revision": 2, "at": "2026-11-21T09:30:05.000Z", "by": "postback", "key_id": null,
            "request_id": body["request_id"], "what": "status", "reason": "stolen",
            "before": state("approved", Value::Null, "10.00", "6.00"),
            "after": state("rejected", json!("stolen"), "10.00", "6.00"),
        })
    );
    // Other money and another status are one change.
    assert_eq!(lines[1]["before"], lines[0]["after"]);
    assert_eq!(lines[1]["after"], state("approved", Value::Null, "20.00", "7.00"));
}

#[test]
fn a_change_whose_answer_was_lost_happens_once() {
    let world = World::new();
    let shop = Shop::open(&world);
    sale(&shop);
    for (how, verdict) in [(Break::AfterCommit, "duplicate"), (Break::BeforeCommit, "updated")] {
        let query = format!("campaign_id=1&order_id=A&status=refunded&refund_id={how:?}&amount=2");
        world.database().breaks_after(how, 1);
        shop.reports(503, &query);
        world.database().mends();
        assert_eq!(shop.reports(200, &query)["verdict"], verdict, "{how:?}");
    }
    assert_eq!(row(&shop), ("approved".into(), 480, 300));
    assert_eq!(shop.count("changes"), 2);
}

#[test]
fn a_status_is_not_acknowledged_from_a_copy() {
    let world = World::new();
    let shop = Shop::open(&world);
    let sale = sale(&shop);
    world.database().breaks(Break::BeforeCommit, usize::MAX);
    assert_eq!(shop.reports(200, &sale)["verdict"], "duplicate");
    shop.reports(503, &format!("{sale}&status=approved"));
}

#[test]
fn a_late_repeat_does_not_undo_what_an_operator_decided() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "default_status": "pending" }));
    let sale = sale(&shop);
    let approved = format!("{sale}&status=approved");
    let id = shop.reports(200, &approved)["conversion_id"].as_str().unwrap().to_owned();
    let path = format!("conversions/{id}");
    shop.operator.changes(&path, json!({ "status": "rejected", "reason": "fraud" }));
    // The sender's system sends it again, in another order of parameters.
    let late = shop.reports(200, &format!("status=approved&{sale}"));
    assert_eq!(
        (&late["verdict"], &late["current_status"]),
        (&json!("duplicate"), &json!("rejected"))
    );
    assert_eq!(row(&shop).0, "rejected");
    // Something that he had not said before is news.
    let news = shop.reports(200, &format!("{approved}&reason=checked+by+phone"));
    assert_eq!(told(&news), ("updated", "approved"));
    // The control: among a sender's own words the last one counts.
    shop.reports(200, &format!("{sale}&status=rejected"));
    assert_eq!(told(&shop.reports(200, &approved)), ("updated", "approved"));
}
