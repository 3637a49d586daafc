//! What happened, read over the API: clicks, conversions and the inbox.

use backtrail::domain::click_id::{ClickId, Flags};
use backtrail::domain::namespace::Namespace;
use backtrail::domain::time::Timestamp;
use backtrail::http::request::Headers;
use backtrail::http::request::Method::{Get, Post};
use serde_json::{Value, json};

use crate::support::world::{BEGINNING_MS, json_of};
use crate::support::{Operator, World};

/// A click of `demo`, `second` seconds after the beginning, as if its page had been written.
fn clicked(world: &World, second: u64, uncounted: &str) -> String {
    let id = ClickId {
        flags: Flags::COUNTED,
        shard: 0,
        time: Timestamp::from_ms(BEGINNING_MS + second * 1_000),
        ref_id: 1,
        country: None,
        page: (1 << 47) + second,
        ordinal: 0,
    };
    let keys = world.stores.settings.keyring.of(&Namespace::parse("demo").unwrap());
    let click_id = keys.sign(&id).unwrap().to_string();
    let (time, page) = (id.time.ms(), id.page);
    world.database().execute(&format!(
        "INSERT INTO clicks (namespace, time, page, ordinal, click_id, ref_id, campaign_id, \
         affiliate_id, landing_page_id, uncounted, device, source, parameters) \
         VALUES ('demo', {time}, {page}, 0, '{click_id}', 1, {}, 3, 4, {uncounted}, 'desktop', \
         'mail', '{{\"sub1\":\"a\"}}')",
        1 + second % 2
    ));
    click_id
}

/// A conversion of a click, `second` seconds after the beginning.
fn converted(world: &World, conversion_id: &str, click_id: &str, clicked: u64, second: u64) {
    let at = |second: u64| BEGINNING_MS + second * 1_000;
    world.database().execute(&format!(
        "INSERT INTO conversions (namespace, conversion_id, request_id, received_at, occurred_at, \
         source, proof, click_id, clicked_at, ref_id, campaign_id, affiliate_id, order_id, status, \
         currency, amount, revenue, payout, sent_money, first_status, first_revenue, first_payout, \
         explanation) VALUES ('demo', '{conversion_id}', 'r-{conversion_id}', {}, {}, 'postback', \
         'token', '{click_id}', {}, 1, 2, 3, 'o-{conversion_id}', 'approved', 'USD', NULL, 500, 250, \
         '{{}}', 'approved', 500, 250, '{{\"status\":\"because\"}}')",
        at(second),
        at(second),
        at(clicked),
    ));
}

fn keys(entries: &[Value], name: &str) -> Vec<String> {
    entries.iter().map(|entry| entry[name].as_str().unwrap().to_owned()).collect()
}

/// Every page of a list, read by cursor.
fn pages(operator: &Operator<'_>, path: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (vec![], String::new());
    loop {
        let page = operator.sees(&format!("{path}?limit=2&cursor={cursor}"));
        all.extend(page["data"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return all,
        }
    }
}

#[test]
fn clicks_are_listed_the_newest_first_and_found_by_their_id() {
    let world = World::new();
    let demo = world.operator_of("demo");
    let mut ids: Vec<String> = (0..5).map(|second| clicked(&world, second, "NULL")).collect();
    let shown = demo.sees(&format!("clicks/{}", ids[0]));
    assert_eq!(
        shown,
        json!({
            "earlier_click": null, "asn": null,
            "click_id": ids[0], "clicked_at": "2026-11-21T09:30:00.000Z", "ref_id": 1,
            "campaign_id": 1, "affiliate_id": 3, "landing_page_id": 4, "counted": true, "is_test": false,
            "uncounted_reason": null, "country": null, "device": "desktop", "os": null,
            "browser": null, "referrer": null, "user_agent": null, "source": "mail",
            "external_click_id": null, "parameters": { "sub1": "a" }, "warnings": [],
        })
    );
    assert!(world.database().plan().contains("USING PRIMARY KEY (namespace=? AND time=?)"));
    let missing = ids[0].replace('A', "B");
    for path in [format!("clicks/{missing}"), "clicks/x".into(), "clicks/".into()] {
        demo.is_refused(Get, &path, None, (404, "not_found"));
    }
    ids.reverse();
    assert_eq!(keys(&demo.lists("clicks"), "click_id"), ids);
    assert_eq!(keys(&pages(&demo, "clicks"), "click_id"), ids);
    let plan = world.database().plan();
    assert!(plan.contains("USING PRIMARY KEY") && !plan.contains("TEMP B-TREE"), "{plan}");
    assert_eq!(keys(&demo.lists("clicks?campaign_id=2"), "click_id"), [&ids[1][..], &ids[3]]);
    let middle = "clicks?from=2026-11-21T09:30:01Z&to=2026-11-21T09:30:03Z";
    assert_eq!(keys(&demo.lists(middle), "click_id"), [&ids[2][..], &ids[3]]);
    assert_eq!(world.operator_of("other").lists("clicks").len(), 0);
}

#[test]
fn a_click_that_was_not_counted_counts_once_it_converts() {
    let world = World::new();
    let demo = world.operator_of("demo");
    let prefetched = clicked(&world, 0, "'prefetch'");
    let counted = || demo.sees(&format!("clicks/{prefetched}"))["counted"].clone();
    assert_eq!(counted(), false);
    converted(&world, "c1", &prefetched, 0, 60);
    assert_eq!(counted(), true);
    assert_eq!(demo.lists("clicks")[0]["uncounted_reason"], "prefetch");
    assert!(world.database().plan().contains("conversions_click"));
}

#[test]
fn conversions_come_with_their_money_and_what_their_click_knows() {
    let world = World::new();
    let demo = world.operator_of("demo");
    let click_id = clicked(&world, 0, "NULL");
    converted(&world, "c1", &click_id, 0, 60);
    converted(&world, "c2", "an-id-whose-click-was-lost", 0, 61);
    converted(&world, "c3", &click_id, 0, 61);
    let shown = demo.sees("conversions/c1");
    assert_eq!(shown["revenue"], json!({ "amount": "5.00", "currency": "USD" }));
    assert_eq!(shown["payout"], json!({ "amount": "2.50", "currency": "USD" }));
    assert_eq!((&shown["amount"], &shown["event"]), (&Value::Null, &Value::Null));
    assert_eq!(shown["received_at"], "2026-11-21T09:31:00.000Z");
    assert_eq!(shown["explanation"], json!({ "status": "because" }));
    assert_eq!(
        shown["click"],
        json!({
            "landing_page_id": 4, "source": "mail", "external_click_id": null,
            "device": "desktop", "os": null, "browser": null, "parameters": { "sub1": "a" },
        })
    );
    let plan = world.database().plan();
    assert!(plan.contains("SEARCH c USING PRIMARY KEY (namespace=? AND time=?)"), "{plan}");
    assert_eq!(demo.sees("conversions/c2")["click"], Value::Null);

    assert_eq!(keys(&pages(&demo, "conversions"), "conversion_id"), ["c3", "c2", "c1"]);
    let plan = world.database().plan();
    assert!(plan.contains("conversions_time") && !plan.contains("TEMP B-TREE"), "{plan}");
    let of = |query: &str| keys(&demo.lists(&format!("conversions?{query}")), "conversion_id");
    assert_eq!(of(&format!("click_id={click_id}")), ["c3", "c1"]);
    assert!(world.database().plan().contains("conversions_click"));
    assert_eq!(of("order_id=o-c2"), ["c2"]);
    assert_eq!(of("status=approved&affiliate_id=3&to=2026-11-21T09:31:01Z"), ["c1"]);
    assert_eq!(of("status=hold").len(), 0);
    assert_eq!(of("from=1795253461").len(), 2);
}

#[test]
fn the_inbox_tells_what_was_refused_and_why() {
    let world = World::new();
    let demo = world.operator_of("demo");
    for (second, verdict, reason) in [(0, "recorded", "NULL"), (1, "rejected", "'expired_click'")] {
        let at = BEGINNING_MS + second * 1_000;
        world.database().execute(&format!(
            "INSERT INTO inbox (namespace, request_id, received_at, source, proof, campaign_id, \
             parameters, verdict, reason, judged_at) VALUES ('demo', 'r{at}', {at}, 'postback', \
             'token', 1, '{{\"order_id\":\"o\"}}', '{verdict}', {reason}, {at})"
        ));
    }
    let refused = demo.lists("inbox?verdict=rejected");
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["reason"], "expired_click");
    assert_eq!(refused[0]["parameters"], json!({ "order_id": "o" }));
    assert_eq!(demo.lists("inbox?reason=expired_click"), refused);
    assert_eq!(demo.sees(&format!("inbox/r{}", BEGINNING_MS + 1_000)), refused[0]);
    assert_eq!(pages(&demo, "inbox").len(), 2);
    demo.is_refused(Get, "inbox/r0", None, (404, "not_found"));
    demo.is_refused(Post, "inbox", Some(json!({})), (405, "method_not_allowed"));
}

#[test]
fn a_list_refuses_what_it_cannot_understand() {
    let world = World::new();
    let demo = world.operator_of("demo");
    // A cursor of another list, and one that was written by hand: ["x"].
    for i in 0..2 {
        demo.creates("affiliates", json!({ "name": format!("a{i}") }));
    }
    let foreign = demo.sees("affiliates?limit=1")["next_cursor"].as_str().unwrap().to_owned();
    for (query, code) in [
        (format!("cursor={foreign}"), "invalid_cursor"),
        ("cursor=WyJ4Il0".to_owned(), "invalid_cursor"),
        ("cursor=nonsense".to_owned(), "invalid_cursor"),
        ("limit=501".to_owned(), "invalid_parameter"),
        ("from=yesterday".to_owned(), "invalid_parameter"),
        ("status=paid".to_owned(), "invalid_parameter"),
        ("campaign_id=+1".to_owned(), "invalid_parameter"),
        ("campaign_id=9007199254740993".to_owned(), "invalid_parameter"),
        ("payout=5".to_owned(), "unknown_parameter"),
        ("click_id=%00".to_owned(), "invalid_parameter"),
    ] {
        demo.is_refused(Get, &format!("conversions?{query}"), None, (400, code));
    }
    world.root().is_refused(Get, "clicks", None, (400, "namespace_required"));
}

#[test]
fn a_visitors_way_from_click_to_conversion_can_be_read() {
    let world = World::new();
    let demo = world.operator_of("demo");
    demo.creates("advertisers", json!({ "name": "Shop" }));
    let campaign = json!({
        "name": "c", "advertiser_id": 1, "currency": "USD", "authentication": "token",
        "revenue_type": "cps", "revenue_percent": "10", "payout_fixed": "1.50",
    });
    let postback_url = demo.creates("campaigns", campaign)["postback_url"].clone();
    let page =
        json!({ "campaign_id": 1, "name": "p", "url": "https://shop.example/?c={click_id}" });
    demo.creates("landing-pages", page);
    demo.creates("affiliates", json!({ "name": "Ann" }));
    let link = demo.creates("links", json!({ "campaign_id": 1, "affiliate_id": 1 }));
    let token = demo.creates("tokens", json!({ "level": "advertiser", "level_id": 1 }));

    let address = |url: &Value| url.as_str().unwrap().replace("https://", "");
    let visitor = Headers {
        user_agent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0",
        ..Headers::default()
    };
    let click =
        world.answers(Get, &format!("{}&sub1=a", address(&link["click_url"])), visitor, b"");
    let click_id = click.header("location").unwrap().split_once("?c=").unwrap().1.to_owned();
    world.settles();
    let postback = address(&postback_url)
        .replace("CLICK_ID", &click_id)
        .replace("ORDER_ID", "o1")
        .replace("AMOUNT", "20")
        .replace("TOKEN", token["token"].as_str().unwrap());
    let reply = json_of(&world.answers(Get, &postback, Headers::default(), b""), 200);
    assert_eq!(reply["verdict"], "recorded", "{reply}");

    let conversion = &demo.lists(&format!("conversions?click_id={click_id}"))[0];
    assert_eq!(conversion["conversion_id"], reply["conversion_id"]);
    assert_eq!(conversion["revenue"], json!({ "amount": "2.00", "currency": "USD" }));
    assert_eq!(conversion["payout"], json!({ "amount": "1.50", "currency": "USD" }));
    assert_eq!(conversion["click"]["parameters"]["sub1"], "a", "{conversion}");
    assert_eq!(demo.sees(&format!("clicks/{click_id}"))["counted"], true);
    let entry = demo.sees(&format!("inbox/{}", reply["request_id"].as_str().unwrap()));
    assert_eq!(entry["conversion_id"], reply["conversion_id"]);
    assert!(!entry.to_string().contains(token["token"].as_str().unwrap()));
}

#[test]
fn a_parameter_without_a_value_is_refused_not_left_out() {
    let world = World::new();
    let operator = world.operator_of("demo");
    for path in ["conversions?status=", "inbox?limit=", "tokens?level=", "hosts?limit="] {
        operator.is_refused(Get, path, None, (400, "invalid_parameter"));
    }
}
