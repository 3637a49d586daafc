//! `GET /explain` (design.md 4): the whole story of a click, an order or a conversion, as one
//! timeline; each entry says what happened, when, and because of what.

use backtrail::http::request::Method::{Get, Post};
use serde_json::{Value, json};

use crate::support::shop::TOKEN;
use crate::support::world::ROOT_KEY;
use crate::support::{Operator, Shop, World};

/// The timeline of a subject, as `what` of each entry.
fn told(shop: &Shop<'_>, query: &str) -> Vec<String> {
    words(&story(shop, query))
}

fn story(shop: &Shop<'_>, query: &str) -> Vec<Value> {
    let story = shop.operator.sees(&format!("explain?{query}"));
    assert_eq!(story["has_more"], false);
    story["timeline"].as_array().unwrap().clone()
}

fn words(timeline: &[Value]) -> Vec<String> {
    timeline.iter().map(|entry| entry["what"].as_str().unwrap().to_owned()).collect()
}

fn the<'a>(timeline: &'a [Value], what: &str) -> &'a Value {
    let mut found = timeline.iter().filter(|entry| entry["what"] == what);
    let entry = found.next().unwrap_or_else(|| panic!("no {what}: {timeline:#?}"));
    assert!(found.next().is_none(), "two of {what}");
    entry
}

const DECISIONS: [&str; 4] = ["attribution", "payout", "revenue", "status"];

#[test]
fn the_way_from_click_to_payout_is_one_timeline() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    shop.edge.settles();
    world.waits_ms(60_000);
    let reply = shop.reports(200, &format!("click_id={id}&order_id=A&amount=3&custom1=x"));
    world.waits_ms(1_000);
    shop.reports(200, &format!("click_id={id}&order_id=A"));
    world.waits_ms(1_000);
    shop.is_refused((422, "repeated_conversion"), &format!("click_id={id}&order_id=B"));

    let timeline = story(&shop, &format!("click_id={id}"));
    let expected = [
        &["clicked", "received"][..],
        &DECISIONS,
        &["recorded", "received", "duplicate", "received", "rejected"],
    ];
    assert_eq!(words(&timeline), expected.concat());
    let ats: Vec<&str> = timeline.iter().map(|entry| entry["at"].as_str().unwrap()).collect();
    assert!(ats.is_sorted(), "{ats:?}");
    for entry in &timeline {
        assert!(!entry["because"].as_str().unwrap().is_empty(), "{entry}");
        assert_eq!(entry["click_id"], id);
    }

    let click = the(&timeline, "clicked");
    assert_eq!(
        click["because"],
        "the click_id verifies: it was made by link 1 of affiliate 1 for campaign 1"
    );
    assert_eq!(click["details"]["flags"], json!(["counted"]));
    assert_eq!(click["details"]["is_stored"], true);
    assert_eq!(
        (&click["details"]["device"], &click["details"]["country"]),
        (&json!("desktop"), &json!("DE"))
    );

    let received = &timeline[1];
    assert_eq!(received["because"], "it came in by postback, proved by token");
    assert_eq!(received["request_id"], reply["request_id"]);
    assert_eq!(
        received["details"]["parameters"],
        json!({ "click_id": id, "order_id": "A", "amount": "3", "custom1": "x" })
    );
    let credited = the(&timeline, "attribution");
    assert_eq!(credited["conversion_id"], reply["conversion_id"]);
    assert_eq!(credited["details"]["affiliate_id"], 1);
    assert_eq!(credited["details"]["payout"], json!({ "amount": "5.00", "currency": "USD" }));
    let stored = &shop.operator.lists("conversions")[0]["explanation"];
    for decision in DECISIONS {
        assert_eq!(the(&timeline, decision)["because"], stored[decision], "word for word");
    }
    assert_eq!(the(&timeline, "duplicate")["conversion_id"], reply["conversion_id"]);
    let refused = the(&timeline, "rejected");
    assert!(refused["because"].as_str().unwrap().starts_with("repeated_conversion: the click has"));
    assert_eq!(refused["details"], json!({ "reason": "repeated_conversion" }));
    assert!(!Value::from(timeline.clone()).to_string().contains(TOKEN));

    // The order and the conversion have the same story but for what is about another order.
    let of_order =
        [&["clicked", "received"][..], &DECISIONS, &["recorded", "received", "duplicate"]];
    assert_eq!(told(&shop, "order_id=A"), of_order.concat());
    assert_eq!(told(&shop, "order_id=A&campaign_id=1"), of_order.concat());
    let conversion_id = reply["conversion_id"].as_str().unwrap();
    assert_eq!(told(&shop, &format!("conversion_id={conversion_id}")), of_order.concat());
    assert_eq!(told(&shop, "order_id=B"), ["received", "rejected"]);
}

#[test]
fn a_click_explains_itself_where_its_row_is_missing() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(2);
    let timeline = story(&shop, &format!("click_id={id}"));
    assert_eq!(words(&timeline), ["clicked"]);
    let because = timeline[0]["because"].as_str().unwrap();
    assert!(
        because.contains("link 2 of affiliate 2") && because.contains("row is not stored"),
        "{because}"
    );
    assert_eq!(timeline[0]["details"]["is_stored"], false);
    shop.edge.settles();
    assert_eq!(story(&shop, &format!("click_id={id}"))[0]["details"]["is_stored"], true);
}

#[test]
fn a_refusal_is_explained_although_nothing_came_of_it() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.is_refused((422, "no_attribution"), "order_id=A");
    shop.is_refused((404, "unknown_click"), "click_id=made-up&parent_order_id=P&campaign_id=1");
    let of_order = story(&shop, "order_id=A");
    assert_eq!(words(&of_order), ["received", "rejected"]);
    assert_eq!(of_order[1]["details"]["reason"], "no_attribution");
    assert_eq!(told(&shop, "order_id=A&campaign_id=1"), ["received", "rejected"]);
    assert_eq!(told(&shop, "order_id=P"), ["received", "rejected"]);
    assert_eq!(told(&shop, "click_id=made-up"), ["received", "rejected"]);
    let missing =
        shop.operator.is_refused(Get, "explain?order_id=A&campaign_id=2", None, (404, "not_found"));
    assert_eq!(missing["detail"], "There is no such order in this namespace.");
}

#[test]
fn every_verdict_of_a_postback_that_was_judged_again_is_told() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    shop.changes_campaign(json!({ "state": "archived" }));
    let refused = shop.is_refused((422, "campaign_archived"), &format!("click_id={id}"));
    let path = format!("inbox/{}/judge", refused["request_id"].as_str().unwrap());
    for _ in 0..2 {
        world.waits_ms(1_000);
        shop.operator.calls(Post, &path, None, 200);
    }
    shop.changes_campaign(json!({ "state": "active" }));
    shop.operator.calls(Post, &path, None, 200);
    let timeline = story(&shop, &format!("click_id={id}"));
    let start = ["clicked", "received", "rejected", "rejected", "rejected"];
    assert_eq!(words(&timeline), [&start[..], &DECISIONS, &["recorded"]].concat());
    assert!(timeline[2]["because"].as_str().unwrap().starts_with("campaign_archived: "));
    assert_eq!(
        timeline.last().unwrap()["because"],
        "nothing of the same kind was recorded before (the postback was judged 4 times)"
    );
    // Of very many verdicts the last are kept.
    world
        .database()
        .execute("UPDATE inbox SET verdict = 'rejected', reason = 'capped', conversion_id = NULL");
    world.database().execute("DELETE FROM conversions");
    shop.changes_campaign(json!({ "state": "archived" }));
    for _ in 0..40 {
        world.waits_ms(1_000);
        shop.operator.calls(Post, &path, None, 200);
    }
    assert_eq!(shop.value("SELECT json_array_length(earlier_verdicts) FROM inbox"), 20);
}

#[test]
fn an_update_is_told_at_its_own_time() {
    let world = World::new();
    let shop = Shop::with(
        &world,
        json!({ "is_conflict_updated": true, "payout_type": "cps", "payout_percent": "10", "payout_fixed": "0.00" }),
    );
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}&amount=10"));
    world.waits_ms(5_000);
    shop.reports(200, &format!("click_id={id}&amount=30"));
    let timeline = story(&shop, &format!("click_id={id}"));
    let of = |word: &str| the(&timeline, word)["at"].clone();
    assert_eq!(of("payout"), of("revenue"));
    assert_ne!(of("payout"), of("attribution"), "what pays now was decided by the update");
    assert_eq!(timeline.iter().filter(|entry| entry["what"] == "updated").count(), 2);
}

#[test]
fn a_refund_is_told_at_its_own_time() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}&order_id=A&amount=10"));
    world.waits_ms(5_000);
    shop.reports(200, "campaign_id=1&order_id=A&status=refunded&amount=4&refund_id=a");
    let timeline = story(&shop, &format!("click_id={id}"));
    let of = |word: &str| the(&timeline, word)["at"].clone();
    assert_eq!(of("refund"), of("changed"));
    assert_ne!(of("refund"), of("attribution"), "what was decided first stays where it was");
}

#[test]
fn every_change_is_told_with_who_made_it_and_why() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    let reply = shop.reports(200, &format!("click_id={id}&order_id=A"));
    world.waits_ms(1_000);
    shop.reports(200, "campaign_id=1&order_id=A&new_rejected_reason=returned");
    world.waits_ms(1_000);
    let path = format!("conversions/{}", reply["conversion_id"].as_str().unwrap());
    shop.operator.changes(&path, json!({ "status": "approved", "reason": "a mistake" }));
    for query in [format!("click_id={id}"), "order_id=A".into()] {
        let timeline = story(&shop, &query);
        let expected = [
            &["clicked", "received"][..],
            &DECISIONS,
            &["recorded", "received", "updated", "changed", "changed"],
        ];
        assert_eq!(words(&timeline), expected.concat());
        let because = |n: usize| timeline[n]["because"].as_str().unwrap();
        assert!(because(9).starts_with("by a postback: "), "{}", because(9));
        assert!(because(9).contains("status approved became rejected"), "{}", because(9));
        assert!(because(9).ends_with("(returned)"), "{}", because(9));
        assert!(because(10).starts_with("by the root key: "), "{}", because(10));
        assert!(because(10).ends_with("(a mistake)"), "{}", because(10));
        assert_eq!(timeline[9]["request_id"], timeline[7]["request_id"]);
        assert_eq!(timeline[10]["details"]["after"]["payout"], "5.00 USD");
    }
}

#[test]
fn a_story_is_bounded_and_says_so() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    for _ in 0..130 {
        world.waits_ms(10);
        shop.reports(200, &format!("click_id={id}&order_id=A"));
    }
    let before = world.database().statements();
    let story = shop.operator.sees(&format!("explain?click_id={id}"));
    assert!(world.database().statements() - before < 14);
    let timeline = story["timeline"].as_array().unwrap();
    assert_eq!((timeline.len(), &story["has_more"]), (200, &json!(true)));
    assert_eq!(timeline[199]["what"], "duplicate", "the newest are told");
    assert_ne!(timeline[0]["what"], "clicked");
}

#[test]
fn a_story_is_told_to_its_own_namespace_only_and_to_readers() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    let reply = shop.reports(200, &format!("click_id={id}&order_id=A"));
    let conversion_id = reply["conversion_id"].as_str().unwrap();
    let other = Shop::named(&world, "other", json!({}));
    for query in
        [format!("click_id={id}"), "order_id=A".into(), format!("conversion_id={conversion_id}")]
    {
        shop.operator.sees(&format!("explain?{query}"));
        other.operator.is_refused(Get, &format!("explain?{query}"), None, (404, "not_found"));
    }
    let key = |scopes: Value| {
        let key = shop.operator.creates("keys", json!({ "name": "k", "scopes": scopes }));
        shop.operator.with_key(&key["key"])
    };
    key(json!(["read"])).sees(&format!("explain?click_id={id}"));
    let writer = key(json!(["write"]));
    writer.is_refused(Get, &format!("explain?click_id={id}"), None, (403, "missing_scope"));
    let stranger = Operator { key: "nobody".into(), ..shop.operator.clone() };
    stranger.is_refused(Get, "explain?order_id=A", None, (401, "unauthorized"));
    let root = Operator { key: ROOT_KEY.into(), namespace: String::new(), world: &world };
    root.is_refused(Get, "explain?order_id=A", None, (400, "namespace_required"));
}

#[test]
fn a_question_that_is_none_is_refused() {
    let world = World::new();
    let shop = Shop::open(&world);
    for (query, code) in [
        ("", "invalid_parameter"),
        ("campaign_id=1", "invalid_parameter"),
        ("click_id=a&order_id=b", "invalid_parameter"),
        ("click_id=a&campaign_id=1", "invalid_parameter"),
        ("order_id=a&campaign_id=x", "invalid_parameter"),
        ("order_id=a&campaign_id=99999999999", "invalid_parameter"),
        ("order_id=%0a", "invalid_parameter"),
        ("request_id=a", "unknown_parameter"),
    ] {
        shop.operator.is_refused(Get, &format!("explain?{query}"), None, (400, code));
    }
    shop.operator.is_refused(Post, "explain", Some(json!({})), (405, "method_not_allowed"));
    shop.operator.is_refused(Get, "explain/x", None, (404, "not_found"));
}

#[test]
fn a_story_is_found_by_indexes() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    let reply = shop.reports(200, &format!("click_id={id}&order_id=A"));
    let before = world.database().plans();
    for query in ["order_id=A", "order_id=A&campaign_id=1"] {
        shop.operator.sees(&format!("explain?{query}"));
    }
    shop.operator.sees(&format!("explain?click_id={id}"));
    let conversion_id = reply["conversion_id"].as_str().unwrap();
    shop.operator.sees(&format!("explain?conversion_id={conversion_id}"));
    shop.operator.calls(Post, "inbox/judge-again", Some(json!({ "reason": "capped" })), 200);
    let new: Vec<(String, Vec<String>)> =
        world.database().plans().into_iter().filter(|plan| !before.contains(plan)).collect();
    assert!(new.len() >= 10, "{}", new.len());
    let tables = ["inbox", "conversions", "clicks", "changes", " t", " r", " c"];
    for (sql, steps) in new {
        for step in steps {
            let is_vague = step.ends_with("(namespace=?)")
                || step.starts_with("SCAN") && tables.iter().any(|table| step.contains(table));
            assert!(!is_vague, "{step}\n{sql}");
        }
    }
}
