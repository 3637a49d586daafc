//! A conversion counts once (wire.md 5, Idempotency), in both modes, when the mode changes between
//! repeats, and when the stores fail.

use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::shop::{TOKEN, text};
use crate::support::world::json_of;
use crate::support::{Edge, Shop, World};

/// A body as text, without what may differ between the first answer and its repeats.
fn comparable(body: &str) -> String {
    let mut text = body.to_owned();
    for name in ["verdict", "request_id"] {
        let start = text.find(&format!("\"{name}\":\"")).unwrap() + name.len() + 4;
        let end = start + text[start..].find('"').unwrap();
        text.replace_range(start..end, "");
    }
    if let Some(at) = text.find(",\"current_status\":") {
        let end = at + 1 + text[at + 1..].find([',', '}']).unwrap();
        text.replace_range(at..end, "");
    }
    text
}

/// Sends a postback again and again: each is a duplicate with the first body.
fn is_repeated(shop: &Shop<'_>, first: &str, repeats: &[String]) {
    for query in repeats {
        let response = shop.asks(&format!("{query}&token={TOKEN}"));
        let body = json_of(&response, 200);
        assert_eq!(
            (&body["verdict"], &body["current_status"]),
            (&json!("duplicate"), &body["status"]),
            "{query}"
        );
        assert_eq!(comparable(text(&response)), comparable(first), "{query}");
    }
}

#[test]
fn comparing_bodies_can_fail() {
    let one = r#"{"verdict":"recorded","payout":"5.00","request_id":"a"}"#;
    let two = r#"{"verdict":"duplicate","payout":"5.01","request_id":"b","current_status":"hold"}"#;
    assert_ne!(comparable(one), comparable(two));
    assert_eq!(comparable(one), comparable(&two.replace("5.01", "5.00")));
}

#[test]
fn by_click_a_repeat_gets_the_first_body_and_another_order_is_refused() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "payout_percent": "10" }));
    let id = shop.clicks(1);
    let query = format!("click_id={id}&amount=10.005&order_id=A&custom1=x&foo=bar");
    let first = shop.asks(&format!("{query}&token={TOKEN}"));
    let first = text(&first);
    assert!(first.contains("\"code\":\"rounded\""), "{first}");
    is_repeated(
        &shop,
        first,
        &[
            query.clone(),
            format!("click_id={id}"),
            format!("click_id={id}&amount=10.0050"),
            format!("click_id={id}&currency=USD&status=approved"),
            format!("transaction_id={id}&order_id=A&custom1=other&response=json"),
            "order_id=A&campaign_id=1".to_owned(),
            "order_id=A".to_owned(),
        ],
    );
    let refused =
        shop.is_refused((422, "repeated_conversion"), &format!("click_id={id}&order_id=B"));
    assert_eq!(refused["parameter"], "order_id");
    // The order is unique as well: another click cannot have it.
    let other = shop.clicks(2);
    let conflict =
        shop.is_refused((409, "conflict"), &format!("click_id={other}&order_id=A&amount=10.005"));
    assert_eq!(conflict["parameter"], "click_id");
    for (name, value) in [("amount", "10"), ("commission", "1"), ("currency", "EUR")] {
        let conflict = shop.is_refused((409, "conflict"), &format!("click_id={id}&{name}={value}"));
        assert_eq!(conflict["parameter"], name);
    }
    assert_eq!(shop.count("conversions"), 1);
    assert_eq!(shop.value("SELECT payout FROM conversions"), 500 + 100);
}

#[test]
fn by_order_each_order_counts_once() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "conversions_per_click": "per_order" }));
    let id = shop.clicks(1);
    let missing = shop.is_refused((400, "missing_parameter"), &format!("click_id={id}"));
    assert_eq!(missing["parameter"], "order_id");
    let mut ids = Vec::new();
    for order in ["A", "a", "A%20", "B/1", "\u{e4}"] {
        let query = format!("click_id={id}&order_id={order}&amount=3");
        let response = shop.asks(&format!("{query}&token={TOKEN}"));
        ids.push(json_of(&response, 200)["conversion_id"].as_str().unwrap().to_owned());
        is_repeated(&shop, text(&response), &[query, format!("order_id={order}&campaign_id=1")]);
    }
    ids.sort();
    ids.dedup();
    // "A " is "A": values lose their spaces. It was a duplicate, which `is_repeated` found out too.
    assert_eq!((ids.len(), shop.count("conversions")), (4, 4));
    let other = shop.clicks(2);
    shop.is_refused((409, "conflict"), &format!("click_id={other}&order_id=A"));
    shop.is_refused((422, "no_attribution"), "campaign_id=1&order_id=unknown");
}

#[test]
fn repeats_are_never_refused_for_age_pause_or_archive() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "window_days": 1 }));
    let id = shop.clicks(1);
    let late = shop.clicks(1);
    let first = shop.asks(&format!("click_id={id}&token={TOKEN}"));
    let first = text(&first);
    let query = [format!("click_id={id}")];
    world.waits_ms(86_400_000);
    is_repeated(&shop, first, &query);
    // The window includes its last moment.
    assert_eq!(shop.reports(200, &format!("click_id={late}"))["verdict"], "recorded");
    world.waits_ms(400 * 86_400_000);
    is_repeated(&shop, first, &query);
    for state in ["paused", "archived"] {
        shop.changes_campaign(json!({ "state": state, "required_parameters": ["customer_id"] }));
        is_repeated(&shop, first, &query);
    }
}

#[test]
fn a_paused_campaign_takes_conversions_of_earlier_clicks() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    shop.changes_campaign(json!({ "state": "paused" }));
    shop.operator.changes("links/1", json!({ "state": "archived" }));
    world.waits_ms(30_001);
    assert_eq!(shop.visits("/click?ref_id=1").status, 404);
    assert_eq!(shop.reports(200, &format!("click_id={id}"))["verdict"], "recorded");
}

#[test]
fn a_change_of_mode_between_repeats_counts_nothing_twice() {
    let modes = ["one", "per_order"];
    for (first, second) in [(0, 1), (1, 0)] {
        let world = World::new();
        let shop = Shop::with(&world, json!({ "conversions_per_click": modes[first] }));
        let id = shop.clicks(1);
        let query = format!("click_id={id}&order_id=A&amount=3");
        let body = shop.asks(&format!("{query}&token={TOKEN}"));
        for round in [second, first, second] {
            shop.changes_campaign(json!({ "conversions_per_click": modes[round] }));
            is_repeated(
                &shop,
                text(&body),
                &[query.clone(), "order_id=A&campaign_id=1".to_owned()],
            );
            assert_eq!(shop.count("conversions"), 1, "{} then {}", modes[first], modes[round]);
        }
    }
    // Several orders of a click stay what they were when the campaign counts one per click.
    let world = World::new();
    let shop = Shop::with(&world, json!({ "conversions_per_click": "per_order" }));
    let id = shop.clicks(1);
    let bodies: Vec<_> = ["A", "B", "C"]
        .map(|order| (order, shop.asks(&format!("click_id={id}&order_id={order}&token={TOKEN}"))))
        .into();
    shop.changes_campaign(json!({ "conversions_per_click": "one" }));
    for (order, body) in &bodies {
        is_repeated(&shop, text(body), &[format!("click_id={id}&order_id={order}")]);
    }
    shop.is_refused((422, "repeated_conversion"), &format!("click_id={id}&order_id=D"));
    assert_eq!(shop.count("conversions"), 3);
}

#[test]
fn where_the_campaign_lets_it_other_money_updates() {
    let world = World::new();
    let campaign = json!({
        "is_conflict_updated": true, "is_explicit_money_allowed": true,
        "payout_type": "cps", "payout_fixed": "0", "payout_percent": "10",
    });
    let shop = Shop::with(&world, campaign);
    let id = shop.clicks(1);
    let first = shop.asks(&format!("click_id={id}&amount=100&order_id=A&token={TOKEN}"));
    let updated = shop.reports(200, &format!("click_id={id}&amount=200"));
    assert_eq!(
        (&updated["verdict"], &updated["payout"]["amount"]),
        (&json!("updated"), &json!("20.00"))
    );
    let row = || {
        shop.rows("SELECT amount, payout, revenue, revision, first_payout FROM conversions")
            .remove(0)
    };
    assert_eq!(
        row(),
        json!({ "amount": 20_000, "payout": 2_000, "revenue": 800, "revision": 2, "first_payout": 1_000 })
    );
    // What an update leaves out stays as it was.
    let updated = shop.reports(200, &format!("click_id={id}&payout=7"));
    assert_eq!(
        (&updated["verdict"], &updated["payout"]["amount"]),
        (&json!("updated"), &json!("7.00"))
    );
    assert_eq!(
        row(),
        json!({ "amount": 20_000, "payout": 700, "revenue": 800, "revision": 3, "first_payout": 1_000 })
    );
    let updated = shop.reports(200, &format!("click_id={id}&amount=300"));
    assert_eq!(updated["payout"]["amount"], "7.00", "an explicit payout stays explicit");
    is_repeated(&shop, text(&first), &[format!("click_id={id}&amount=300&payout=7.00")]);
    // A click is never moved to another affiliate.
    let other = shop.clicks(2);
    shop.is_refused((409, "conflict"), &format!("click_id={other}&order_id=A"));
    let verdicts: Vec<Value> = shop
        .rows("SELECT verdict FROM inbox ORDER BY request_id")
        .iter()
        .map(|r| r["verdict"].clone())
        .collect();
    assert_eq!(verdicts.iter().filter(|v| *v == "updated").count(), 3);
    assert_eq!(shop.count("conversions"), 1);
}

#[test]
fn a_commit_that_failed_before_or_after_is_made_good_by_the_senders_retry() {
    for (how, mode) in [
        (Break::BeforeCommit, "one"),
        (Break::AfterCommit, "one"),
        (Break::BeforeCommit, "per_order"),
        (Break::AfterCommit, "per_order"),
    ] {
        let world = World::new();
        let shop = Shop::with(&world, json!({ "conversions_per_click": mode }));
        let id = shop.clicks(1);
        let query = format!("click_id={id}&order_id=A&amount=3&token={TOKEN}");
        shop.reports(200, &format!("click_id={}&order_id=warm", shop.clicks(1)));
        world.database().breaks(how, 1);
        let failed = shop.asks(&query);
        assert_eq!(json_of(&failed, 503)["reason"], "storage_unavailable");
        assert_eq!(failed.header("retry-after"), Some("5"));
        let expected = if how == Break::AfterCommit { "duplicate" } else { "recorded" };
        let retried = shop.asks(&query);
        assert_eq!(json_of(&retried, 200)["verdict"], expected);
        is_repeated(&shop, text(&retried), &[format!("click_id={id}&order_id=A")]);
        assert_eq!(
            shop.value("SELECT COUNT(*) FROM conversions WHERE order_id = 'A'"),
            1,
            "{how:?} {mode}"
        );
    }
}

#[test]
fn with_the_ledger_down_a_known_repeat_is_answered_from_its_copy_and_nothing_else_is() {
    for mode in ["one", "per_order"] {
        let world = World::new();
        let shop = Shop::with(&world, json!({ "conversions_per_click": mode }));
        let id = shop.clicks(1);
        let query = format!("click_id={id}&order_id=A&amount=3&token={TOKEN}");
        let first = shop.asks(&query);
        let new = format!("click_id={}&order_id=B&token={TOKEN}", shop.clicks(1));
        world.database().breaks(Break::BeforeCommit, usize::MAX);
        let fresh = Edge::of(&world);
        for edge in [&shop.edge, &fresh] {
            let ask = |query: &str| {
                let address = format!("{}/postback?{query}", shop.host);
                edge.answers(
                    backtrail::http::request::Method::Get,
                    &address,
                    crate::support::shop::server(),
                    b"",
                )
            };
            let repeat = ask(&query);
            let body = json_of(&repeat, 200);
            assert_eq!((&body["verdict"], body.get("current_status")), (&json!("duplicate"), None));
            assert_eq!(comparable(text(&repeat)), comparable(text(&first)));
            assert_eq!(
                json_of(&ask(&query.replace("amount=3", "amount=4")), 409)["reason"],
                "conflict"
            );
            assert_eq!(json_of(&ask(&new), 503)["reason"], "storage_unavailable");
            assert_eq!(
                json_of(&ask("click_id=x&token=wrong"), 503)["reason"],
                "storage_unavailable"
            );
        }
        // Without the copies even the repeat has to wait, but memory still knows the campaign.
        world.stores.blobs.breaks();
        assert_eq!(json_of(&shop.asks(&query), 503)["reason"], "storage_unavailable");
        world.database().mends();
        assert_eq!(json_of(&shop.asks(&query), 200)["verdict"], "duplicate");
        assert_eq!(shop.count("conversions"), 1);
    }
}

#[test]
fn an_id_of_a_retired_key_is_known_by_its_conversion_and_an_older_key_still_verifies() {
    use backtrail::app::settings::Settings;
    use backtrail::domain::click_id::Keyring;
    let world = World::new();
    let shop = Shop::open(&world);
    let (converted, open) = (shop.clicks(1), shop.clicks(2));
    let first = shop.asks(&format!("click_id={converted}&token={TOKEN}"));
    let with_keys =
        |keys: &str| Settings { keyring: Keyring::parse(keys).unwrap(), ..World::settings() };
    let (old, new) = ("0:00000000000000000000000000000000", "1:11111111111111111111111111111111");

    // Rotated: the new key signs, the old one verifies.
    let mut rotated = Shop {
        edge: Edge::with(&world, with_keys(&format!("{new},{old}"))),
        operator: shop.operator.clone(),
        host: shop.host.clone(),
    };
    assert_eq!(rotated.reports(200, &format!("click_id={converted}"))["verdict"], "duplicate");
    let newer = rotated.clicks(1);
    shop.is_refused((404, "unknown_click"), &format!("campaign_id=1&click_id={newer}"));

    // Retired: what has converted is a repeat, what has not is unknown.
    rotated.edge = Edge::with(&world, with_keys(new));
    is_repeated(
        &rotated,
        text(&first),
        &[format!("click_id={converted}"), format!("click_id={converted}&campaign_id=1")],
    );
    rotated.is_refused((404, "unknown_click"), &format!("campaign_id=1&click_id={open}"));
    assert_eq!(rotated.reports(200, &format!("click_id={newer}"))["verdict"], "recorded");
    // The namespace's own token needs no campaign_id: the conversion names it.
    let token = shop.operator.creates("tokens", json!({ "level": "namespace" }));
    world.waits_ms(30_001);
    let query = format!("click_id={converted}&token={}", token["token"].as_str().unwrap());
    assert_eq!(json_of(&rotated.asks(&query), 200)["verdict"], "duplicate");
    // A stranger is told nothing of it.
    assert_eq!(
        json_of(&rotated.asks(&format!("click_id={converted}")), 401)["reason"],
        "bad_token"
    );
    assert_eq!(shop.count("conversions"), 2);
}

#[test]
fn two_namespaces_never_see_each_other() {
    let world = World::new();
    let (one, two) = (Shop::open(&world), Shop::named(&world, "two", json!({})));
    let (mine, theirs) = (one.clicks(1), two.clicks(1));
    one.reports(200, &format!("click_id={mine}&order_id=A"));
    // The other's id is unknown, and so are its orders and conversions, although tokens are equal.
    two.is_refused((404, "unknown_click"), &format!("campaign_id=1&click_id={mine}"));
    two.is_refused((422, "no_attribution"), "campaign_id=1&order_id=A");
    let same = two.reports(200, &format!("click_id={theirs}&order_id=A"));
    assert_eq!(same["verdict"], "recorded", "each has its own order A");
    let token = one.operator.creates("tokens", json!({ "level": "namespace" }));
    world.waits_ms(30_001);
    let query = format!("click_id={theirs}&token={}", token["token"].as_str().unwrap());
    assert_eq!(json_of(&two.asks(&query), 401)["reason"], "bad_token");
    let rows = one.rows("SELECT namespace, click_id FROM conversions ORDER BY namespace");
    assert_eq!(
        rows,
        [
            json!({ "namespace": "demo", "click_id": mine }),
            json!({ "namespace": "two", "click_id": theirs })
        ]
    );
}
