//! Events (wire.md 5, design.md 5): what they follow, whom they credit and what they pay.

use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::world::json_of;
use crate::support::{Shop, World};

/// Events 1 (`purchase`, once), 2 (`order`, per order) and 3 (`renewal`, every request), in this
/// order; each pays its number in USD and earns ten times that.
pub fn open(world: &World) -> Shop<'_> {
    with(world, json!({}))
}

fn with(world: &World, campaign: Value) -> Shop<'_> {
    let shop = Shop::with(world, campaign);
    for (index, (name, repeat)) in
        [("purchase", "once"), ("order", "per_order"), ("renewal", "every_request")]
            .into_iter()
            .enumerate()
    {
        let (payout, revenue) = (format!("{}.00", index + 1), format!("{}0.00", index + 1));
        defines(
            &shop,
            json!({ "name": name, "repeat": repeat, "payout_fixed": payout, "revenue_fixed": revenue }),
        );
    }
    shop
}

fn defines(shop: &Shop<'_>, mut event: Value) -> Value {
    event["campaign_id"] = 1.into();
    let event = shop.operator.creates("events", event);
    shop.world().waits_ms(30_001);
    event
}

pub fn edits(shop: &Shop<'_>, id: u32, changes: Value) {
    shop.operator.changes(&format!("events/{id}"), changes);
    shop.world().waits_ms(30_001);
}

pub fn verdict(shop: &Shop<'_>, query: &str) -> Value {
    shop.reports(200, query)["verdict"].clone()
}

/// A click that has its initial conversion.
pub fn converted(shop: &Shop<'_>, ref_id: u32) -> String {
    let id = shop.clicks(ref_id);
    assert_eq!(verdict(shop, &format!("click_id={id}")), "recorded");
    id
}

fn judges_again(shop: &Shop<'_>, request_id: &Value) -> Value {
    shop.world().waits_ms(1);
    let path = format!("inbox/{}/judge", request_id.as_str().unwrap());
    shop.operator.calls(backtrail::http::request::Method::Post, &path, None, 200)
}

#[test]
fn an_event_is_named_by_number_or_name_and_pays_by_its_own_rules() {
    let world = World::new();
    let shop = open(&world);
    let id = converted(&shop, 2);
    world.waits_ms(1);
    let first = shop.reports(200, &format!("click_id={id}&event_id=1"));
    assert_eq!(first["verdict"], "recorded");
    assert_eq!(first["event"], json!({ "id": 1, "name": "purchase" }));
    assert_eq!(first["payout"], json!({ "amount": "1.00", "currency": "USD" }));
    assert_eq!(first["revenue"], json!({ "amount": "10.00", "currency": "USD" }));
    assert_eq!((&first["affiliate_id"], &first["click_id"]), (&json!(2), &json!(id)));
    for same in ["event_name=purchase", "event_id=1&event_name=purchase"] {
        assert_eq!(verdict(&shop, &format!("click_id={id}&{same}")), "duplicate", "{same}");
    }
    // It is shown with its name, also in lists; the initial one has no event.
    let listed = shop.operator.lists("conversions");
    assert_eq!(listed[0]["event"], json!({ "id": 1, "name": "purchase" }));
    assert_eq!(listed[1]["event"], Value::Null);
    // A repeat is answered with the first name.
    edits(&shop, 1, json!({ "name": "first purchase" }));
    let again = shop.reports(200, &format!("click_id={id}&event_id=1"));
    assert_eq!(
        (&again["verdict"], &again["event"]["name"]),
        (&json!("duplicate"), &json!("purchase"))
    );
}

#[test]
fn number_and_name_that_disagree_or_mean_nothing_are_refused_with_a_hint() {
    let world = World::new();
    let shop = open(&world);
    let id = converted(&shop, 1);
    let refused = |status: u16, reason: &str, query: &str| {
        shop.is_refused((status, reason), &format!("click_id={id}&{query}"))
    };
    let mismatch = refused(409, "event_mismatch", "event_id=1&event_name=order");
    assert_eq!(mismatch["parameter"], "event_name");
    assert!(mismatch["detail"].as_str().unwrap().contains("event 1 is called \"purchase\""));
    assert_eq!(refused(404, "unknown_event", "event_id=99")["parameter"], "event_id");
    let near = refused(404, "unknown_event", "event_name=Purchase");
    assert!(near["detail"].as_str().unwrap().contains("did you mean \"purchase\""), "{near}");
    refused(404, "unknown_event", "event_id=9999999999");
    refused(400, "invalid_parameter", "event_id=01");
    assert_eq!(shop.count("conversions"), 1);
    // Another campaign's event is as unknown as none.
    shop.operator.creates(
        "campaigns",
        json!({ "name": "B", "advertiser_id": 1, "currency": "EUR", "authentication": "token" }),
    );
    shop.operator.creates("events", json!({ "campaign_id": 2, "name": "far" }));
    world.waits_ms(30_001);
    refused(404, "unknown_event", "event_id=4");
}

#[test]
fn an_event_without_an_initial_conversion_is_refused_and_matched_late() {
    let world = World::new();
    let shop = open(&world);
    let id = shop.clicks(1);
    let early =
        shop.is_refused((422, "no_conversion_for_event"), &format!("click_id={id}&event_id=1"));
    assert_eq!(early["event"], json!({ "id": 1, "name": "purchase" }));
    let undefined =
        shop.is_refused((404, "unknown_event"), &format!("click_id={id}&event_name=upgrade"));
    assert_eq!(judges_again(&shop, &early["request_id"])["reason"], "no_conversion_for_event");
    assert_eq!(shop.count("conversions"), 0);
    // The initial conversion is not kept from counting by the event that came first.
    assert_eq!(verdict(&shop, &format!("click_id={id}")), "recorded");
    assert_eq!(judges_again(&shop, &early["request_id"])["verdict"], "recorded");
    assert_eq!(verdict(&shop, &format!("click_id={id}&event_id=1")), "duplicate");
    assert_eq!(judges_again(&shop, &undefined["request_id"])["reason"], "unknown_event");
    defines(&shop, json!({ "name": "upgrade", "payout_fixed": "4.00" }));
    assert_eq!(judges_again(&shop, &undefined["request_id"])["verdict"], "recorded");
    assert_eq!(shop.count("conversions"), 3);
}

#[test]
fn an_event_follows_what_is_pending_held_or_approved_only() {
    let world = World::new();
    let shop = open(&world);
    for (status, stands) in [
        ("pending", true),
        ("hold", true),
        ("approved", true),
        ("rejected", false),
        ("refunded", false),
    ] {
        let id = converted(&shop, 1);
        let sets = format!("UPDATE conversions SET status = '{status}' WHERE click_id = '{id}'");
        world.database().execute(&sets);
        let query = format!("click_id={id}&event_id=1");
        if stands {
            assert_eq!(verdict(&shop, &query), "recorded", "{status}");
            // Once it is there its repeats are answered whatever became of the initial one.
            let sets =
                format!("UPDATE conversions SET status = 'rejected' WHERE click_id = '{id}'");
            world.database().execute(&sets);
            assert_eq!(verdict(&shop, &query), "duplicate", "{status}");
        } else {
            let refused = shop.is_refused((422, "no_conversion_for_event"), &query);
            assert!(refused["detail"].as_str().unwrap().contains(status), "{refused}");
        }
    }
}

#[test]
fn a_new_event_takes_one_round_trip() {
    let world = World::new();
    let shop = open(&world);
    let id = converted(&shop, 1);
    for query in ["event_id=1", "event_id=2&order_id=A", "event_id=3&order_id=B", "event_id=3"] {
        world.database().breaks_after(Break::BeforeCommit, 1);
        assert_eq!(verdict(&shop, &format!("click_id={id}&{query}")), "recorded", "{query}");
        world.database().mends();
    }
    // The control: without a click the initial conversion has to be read first.
    shop.reports(200, &format!("click_id={}&order_id=P", shop.clicks(1)));
    let query = "campaign_id=1&event_id=2&order_id=C&parent_order_id=P";
    world.database().breaks_after(Break::BeforeCommit, 1);
    shop.reports(503, query);
    assert_eq!(verdict(&shop, query), "recorded");
}

#[test]
fn an_event_without_a_click_follows_its_parent_order() {
    let world = World::new();
    let shop = with(&world, json!({ "conversions_per_click": "per_order" }));
    let id = shop.clicks(2);
    shop.reports(200, &format!("click_id={id}&order_id=P1"));
    let query = "campaign_id=1&event_id=2&order_id=R1&parent_order_id=P1";
    let first = shop.reports(200, query);
    assert_eq!((&first["verdict"], &first["affiliate_id"]), (&json!("recorded"), &json!(2)));
    assert_eq!(first["click_id"], json!(id));
    assert_eq!(verdict(&shop, query), "duplicate");
    // The click says the same as the parent order.
    assert_eq!(verdict(&shop, &format!("click_id={id}&event_id=2&order_id=R1")), "duplicate");
    // Once per click holds by whatever the conversion is found.
    let once = "campaign_id=1&event_id=1&parent_order_id=P1";
    assert_eq!(verdict(&shop, once), "recorded");
    assert_eq!(verdict(&shop, once), "duplicate");
    assert_eq!(verdict(&shop, &format!("click_id={id}&event_id=1")), "duplicate");
    let refused = shop.is_refused(
        (422, "no_conversion_for_event"),
        "campaign_id=1&event_id=2&order_id=R2&parent_order_id=P9",
    );
    assert_eq!(refused["parameter"], "parent_order_id");
    shop.is_refused((422, "no_attribution"), "campaign_id=1&event_id=1");
    world.database().execute("UPDATE conversions SET status = 'rejected' WHERE order_id = 'P1'");
    shop.is_refused(
        (422, "no_conversion_for_event"),
        "campaign_id=1&event_id=2&order_id=R3&parent_order_id=P1",
    );
    assert_eq!(verdict(&shop, once), "duplicate");
    // Another order of the same click stands still, and the click finds it.
    shop.reports(200, &format!("click_id={id}&order_id=P2"));
    assert_eq!(verdict(&shop, &format!("click_id={id}&event_id=2&order_id=R3")), "recorded");
}

#[test]
fn a_parent_order_needs_a_proof() {
    let world = World::new();
    let shop = with(&world, json!({ "authentication": "none" }));
    let id = shop.clicks(1);
    let asks = |query: &str, status: u16| json_of(&shop.asks(query), status);
    assert_eq!(asks(&format!("click_id={id}&order_id=P"), 200)["verdict"], "recorded");
    let refused = asks("campaign_id=1&event_id=1&parent_order_id=P", 401);
    assert_eq!(refused["reason"], "bad_token");
    let pending = asks(&format!("click_id={id}&event_id=1"), 200);
    assert_eq!((&pending["verdict"], &pending["status"]), (&json!("recorded"), &json!("pending")));
}

#[test]
fn an_event_is_not_refused_for_the_clicks_age_or_a_pause_but_may_have_a_window_of_its_own() {
    let world = World::new();
    let shop = open(&world);
    let id = converted(&shop, 1);
    edits(&shop, 2, json!({ "window_days": 40 }));
    world.waits_ms(40 * 86_400_000 - 30_001);
    let query =
        |event: u32, order: &str| format!("click_id={id}&event_id={event}&order_id={order}");
    assert_eq!(verdict(&shop, &query(2, "A")), "recorded");
    world.waits_ms(1);
    let refused = shop.is_refused((422, "no_conversion_for_event"), &query(2, "B"));
    assert!(refused["detail"].as_str().unwrap().contains("40 days"), "{refused}");
    assert_eq!(verdict(&shop, &query(2, "A")), "duplicate");
    shop.changes_campaign(json!({ "state": "paused" }));
    assert_eq!(verdict(&shop, &query(1, "A")), "recorded");
    // An archived campaign takes no new conversions of any kind, and answers repeats.
    shop.changes_campaign(json!({ "state": "archived" }));
    shop.is_refused((422, "campaign_archived"), &query(3, "A"));
    assert_eq!(verdict(&shop, &query(1, "A")), "duplicate");
}

#[test]
fn an_archived_event_answers_repeats_and_takes_no_new_ones() {
    let world = World::new();
    let shop = open(&world);
    let (id, other) = (converted(&shop, 1), converted(&shop, 1));
    let query = format!("click_id={id}&event_name=purchase");
    assert_eq!(verdict(&shop, &query), "recorded");
    edits(&shop, 1, json!({ "state": "archived" }));
    assert_eq!(verdict(&shop, &query), "duplicate");
    let refused =
        shop.is_refused((404, "unknown_event"), &format!("click_id={other}&event_name=purchase"));
    assert!(refused["detail"].as_str().unwrap().contains("archived"), "{refused}");
}

#[test]
fn a_dry_run_of_an_event_says_what_would_follow_and_writes_nothing() {
    let world = World::new();
    let shop = open(&world);
    let id = shop.clicks(1);
    let query = format!("click_id={id}&event_id=1&dry_run=1");
    shop.is_refused((422, "no_conversion_for_event"), &query);
    shop.reports(200, &format!("click_id={id}"));
    let would = shop.reports(200, &query);
    assert_eq!((&would["verdict"], &would["dry_run"]), (&json!("recorded"), &json!(true)));
    assert_eq!((shop.count("conversions"), shop.count("inbox")), (1, 1));
}

#[test]
fn an_event_goes_to_whom_the_initial_conversion_went() {
    let world = World::new();
    let shop = open(&world);
    let id = converted(&shop, 1);
    // As a coupon would have it: the sale of a click through link 1 went to the affiliate of link 2.
    world.database().execute("UPDATE conversions SET affiliate_id = 2, ref_id = 2");
    let reply = shop.reports(200, &format!("click_id={id}&event_id=1"));
    assert_eq!((&reply["verdict"], &reply["affiliate_id"]), (&json!("recorded"), &json!(2)));
    assert_eq!(shop.value("SELECT ref_id FROM conversions WHERE event_id = 1"), 2);
}

#[test]
fn a_click_that_no_key_verifies_any_more_has_events_where_it_has_a_conversion() {
    let world = World::new();
    let shop = open(&world);
    converted(&shop, 2);
    world.database().execute("UPDATE conversions SET click_id = 'of-a-retired-key'");
    let reply = shop.reports(200, "click_id=of-a-retired-key&event_id=1");
    assert_eq!((&reply["verdict"], &reply["affiliate_id"]), (&json!("recorded"), &json!(2)));
    assert_eq!(verdict(&shop, "click_id=of-a-retired-key&event_id=1"), "duplicate");
    shop.is_refused((404, "unknown_click"), "click_id=of-nobody&event_id=1");
}
