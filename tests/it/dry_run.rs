//! `dry_run=1` (wire.md 5): status and verdict that would follow, and nothing written anywhere.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::world::json_of;
use crate::support::{Shop, World};

/// Everything that an installation keeps: the rows of every table, and the copies.
fn everything(shop: &Shop<'_>) -> BTreeMap<String, String> {
    let tables = shop.rows("SELECT name FROM sqlite_schema WHERE type = 'table'");
    let mut all: BTreeMap<String, String> = tables
        .iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .map(|table| {
            let rows = shop.rows(&format!("SELECT * FROM {table}"));
            (table, Value::from(rows).to_string())
        })
        .collect();
    let blobs = &shop.world().stores.blobs;
    for key in blobs.keys() {
        let text = blobs.text(&key).unwrap();
        all.insert(format!("copy {key}"), text);
    }
    all
}

/// Sends a postback as a dry run: nothing changes, whatever is done behind the reply.
fn tries(shop: &Shop<'_>, status: u16, query: &str) -> Value {
    shop.edge.settles();
    let before = everything(shop);
    let body = shop.reports(status, &format!("{query}&dry_run=1"));
    shop.edge.settles();
    assert_eq!(everything(shop), before, "{query}");
    body
}

#[test]
fn a_dry_run_says_what_would_follow_and_writes_nothing() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "is_conflict_updated": true }));
    let ids = [shop.clicks(1), shop.clicks(2)];
    let sale = |n: usize, rest: &str| format!("click_id={}&order_id={n}{rest}", ids[n]);
    // Configuration is copied when it is read first, whoever makes it read.
    shop.reports(200, &sale(1, "&amount=1"));

    for (status, query, verdict, reason) in [
        (200, sale(0, "&amount=2"), "recorded", None),
        (200, sale(1, ""), "duplicate", None),
        (200, sale(1, "&amount=2"), "updated", None),
        (400, sale(0, "&status=maybe"), "rejected", Some("unmapped_status")),
        (404, "campaign_id=1&click_id=x".to_owned(), "rejected", Some("unknown_click")),
        (409, sale(0, "&campaign_id=2"), "rejected", Some("campaign_mismatch")),
        (422, "campaign_id=1".to_owned(), "rejected", Some("no_attribution")),
    ] {
        let body = tries(&shop, status, &query);
        assert_eq!(
            (&body["verdict"], &body["reason"]),
            (&json!(verdict), &json!(reason)),
            "{query}"
        );
        assert_eq!(body["dry_run"], true, "{query}");
        // The same in earnest comes to the same verdict, and is kept.
        let before = (shop.count("inbox"), shop.count("conversions"));
        let real = shop.reports(status, &query);
        assert_eq!(
            (&real["verdict"], &real["reason"]),
            (&json!(verdict), &json!(reason)),
            "{query}"
        );
        assert_eq!(
            (&real["status"], &real["payout"]),
            (&body["status"], &body["payout"]),
            "{query}"
        );
        assert_eq!(real["dry_run"], Value::Null);
        let recorded = u64::from(verdict == "recorded");
        assert_eq!(
            (shop.count("inbox"), shop.count("conversions")),
            (before.0 + 1, before.1 + recorded),
            "the control: {query} writes"
        );
    }
}

#[test]
fn a_dry_run_of_an_expired_click_or_an_archived_campaign_writes_nothing_either() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    shop.changes_campaign(json!({ "state": "archived" }));
    shop.is_refused((422, "campaign_archived"), &format!("click_id={id}"));
    assert_eq!(tries(&shop, 422, &format!("click_id={id}"))["reason"], "campaign_archived");
    world.waits_ms(31 * 86_400_000);
    shop.is_refused((410, "expired_click"), &format!("click_id={id}"));
    assert_eq!(tries(&shop, 410, &format!("click_id={id}"))["reason"], "expired_click");
}

#[test]
fn whoever_may_have_no_dry_run_gets_nothing_written_and_no_recording_either() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "authentication": "none" }));
    let id = shop.clicks(1);
    shop.edge.settles();
    let before = everything(&shop);
    let body = json_of(&shop.asks(&format!("click_id={id}&dry_run=1")), 401);
    assert_eq!(
        (&body["verdict"], &body["reason"], &body["parameter"]),
        (&json!("rejected"), &json!("bad_token"), &json!("dry_run"))
    );
    shop.edge.settles();
    assert_eq!(everything(&shop), before);
    // A stranger is counted as always, or dry_run=1 would hide him.
    let closed = Shop::named(&world, "closed", json!({}));
    json_of(&closed.asks("campaign_id=1&dry_run=1"), 401);
    closed.edge.settles();
    assert_eq!(shop.value("SELECT SUM(requests) FROM refusals"), 1);
}

#[test]
fn a_dry_run_is_answered_while_the_ledger_is_down_as_far_as_a_copy_knows() {
    let world = World::new();
    let shop = Shop::open(&world);
    let (known, new) = (shop.clicks(1), shop.clicks(1));
    shop.reports(200, &format!("click_id={known}"));
    shop.edge.settles();
    let before = everything(&shop);
    world.database().breaks(Break::BeforeCommit, usize::MAX);
    let body = shop.reports(200, &format!("click_id={known}&dry_run=1"));
    assert_eq!((&body["verdict"], &body["dry_run"]), (&json!("duplicate"), &json!(true)));
    shop.is_refused((503, "storage_unavailable"), &format!("click_id={new}&dry_run=1"));
    assert_eq!(everything(&shop), before);
}
