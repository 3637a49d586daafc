//! Rules that need the row of a click: it comes before the conversion, after it, or never. Nothing
//! of it delays a reply, and everything of it may happen twice or be interrupted.

use backtrail::app::examine::Examinations as _;
use backtrail::app::ports::Signature;
use backtrail::domain::click_rules::{Action, ClickRules};
use backtrail::domain::examination::examine;
use backtrail::domain::namespace::Namespace;
use backtrail::domain::time::Timestamp;
use backtrail::http::request::{Headers, Method};
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::shop::{TOKEN, person};
use crate::support::{Edge, Shop, World, block_on};

/// A network of the list, and one that is not.
const HETZNER: &str = "24940";
const TELEKOM: &str = "3320";

fn from(client_ip: &'static str, asn: &'static str) -> Headers<'static> {
    Headers { client_ip, asn, ..person() }
}

fn conversion(shop: &Shop<'_>, order: &str) -> Value {
    shop.operator.lists(&format!("conversions?order_id={order}"))[0].clone()
}

fn status(shop: &Shop<'_>, order: &str) -> String {
    conversion(shop, order)["status"].as_str().unwrap().to_owned()
}

/// What the timeline of an order says of examinations.
fn examined(shop: &Shop<'_>, order: &str) -> Vec<String> {
    let story = shop.operator.sees(&format!("explain?order_id={order}"));
    let timeline = story["timeline"].as_array().unwrap().clone();
    let entries = timeline.iter().filter(|entry| entry["what"] == "examined");
    entries.map(|entry| entry["because"].as_str().unwrap().to_owned()).collect()
}

fn sale(shop: &Shop<'_>, click_id: &str, order: &str) -> Value {
    shop.reports(200, &format!("click_id={click_id}&order_id={order}"))
}

/// The three rules: their field, a good sale `A` of affiliate 2 that comes first, and the headers
/// of the click behind the sale `B` that the rule stops.
const RULES: [(&str, &str); 3] = [
    ("duplicate_click", "the same visitor had clicked before on that day"),
    ("ip_cool_down", "came from the same address within 60 minutes"),
    ("data_centre", "the click came out of AS24940"),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Row {
    Before,
    After,
}

/// The sale of a bad click, its row before or after it; the name of the rule is its field.
fn bad_sale(shop: &Shop<'_>, row: Row) {
    let (first, second) = (from("203.0.113.7", TELEKOM), from("203.0.113.7", HETZNER));
    let good = shop.clicks_with(first, 2);
    shop.edge.settles();
    sale(shop, &good, "A");
    shop.edge.examines();
    let bad = shop.clicks_with(second, 1);
    if row == Row::Before {
        shop.edge.settles();
    }
    let reply = sale(shop, &bad, "B");
    assert_eq!(reply["status"], "approved", "the reply does not wait for the row");
    shop.edge.examines();
    if row == Row::After {
        assert_eq!(
            examined(shop, "B"),
            ["not yet: the rules that need the click's row wait for it"]
        );
        shop.edge.settles();
        shop.edge.ticks();
    }
}

#[test]
fn each_rule_of_the_row_acts_as_its_campaign_says_whenever_the_row_comes() {
    for row in [Row::Before, Row::After] {
        for (rule, why) in RULES {
            for (action, expected) in
                [("off", "approved"), ("hold", "hold"), ("reject", "rejected")]
            {
                let world = World::new();
                let shop = Shop::with(&world, json!({ format!("{rule}_action"): action }));
                if action == "off" {
                    // Something else is on, so that the row is looked at.
                    let other =
                        if rule == "data_centre" { "duplicate_click" } else { "data_centre" };
                    let field = format!("{other}_action");
                    shop.operator.changes("campaigns/1", json!({ field: "hold" }));
                    world.waits_ms(30_001);
                    bad_sale(&shop, row);
                    assert!(!examined(&shop, "B")[0].contains(rule), "{row:?} {rule}");
                    continue;
                }
                bad_sale(&shop, row);
                let bad = conversion(&shop, "B");
                let case = format!("{row:?} {rule} {action}: {bad:#}");
                assert_eq!(bad["status"], expected, "{case}");
                assert_eq!(status(&shop, "A"), "approved", "{case}");
                let reason = bad["status_reason"].as_str().unwrap();
                assert!(reason.starts_with(&format!("rule {rule}: ")), "{case}");
                assert!(reason.contains(why), "{case}");
                let explained = bad["explanation"]["rule"].as_str().unwrap();
                assert!(explained.starts_with(&format!("{rule} ({action}): ")), "{case}");
                let found = examined(&shop, "B");
                assert_eq!(found, [format!("found {explained}")], "{case}");
                assert!(examined(&shop, "A")[0].starts_with("found nothing by "), "{case}");
                let path =
                    format!("conversions/{}/changes", bad["conversion_id"].as_str().unwrap());
                let trail = shop.operator.lists(&path);
                assert_eq!(trail.len(), 1, "{case}");
                assert_eq!(
                    (&trail[0]["by"], &trail[0]["what"]),
                    (&json!("rule"), &json!("status"))
                );
                assert!(trail[0]["request_id"].as_str().unwrap().starts_with("rule_"));
                assert_eq!(trail[0]["before"]["status"], "approved");
                assert_eq!(trail[0]["after"]["status"], expected);
            }
        }
    }
}

#[test]
fn a_row_that_never_comes_is_given_up_after_ten_minutes_and_that_is_told() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "data_centre_action": "reject" }));
    let id = shop.clicks_with(from("203.0.113.7", HETZNER), 1);
    sale(&shop, &id, "A");
    shop.edge.examines();
    world.waits_ms(10 * 60_000);
    Edge::of(&world).ticks();
    assert!(examined(&shop, "A")[0].starts_with("not yet"));
    world.waits_ms(250);
    Edge::of(&world).ticks();
    assert_eq!(status(&shop, "A"), "approved");
    assert!(examined(&shop, "A")[0].starts_with("given up: "));
    assert_eq!(shop.value("SELECT COUNT(*) FROM doubts WHERE examined_at IS NULL"), 0);
    // The row comes all the same: what was given up stays so.
    shop.edge.settles();
    shop.edge.ticks();
    assert_eq!(status(&shop, "A"), "approved");
    assert_eq!(shop.count("changes"), 0);
}

#[test]
fn what_a_cancelled_request_did_not_examine_the_cron_job_does() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "data_centre_action": "hold" }));
    let id = shop.clicks_with(from("203.0.113.7", HETZNER), 1);
    shop.edge.settles();
    let address = format!("{}/postback?click_id={id}&order_id=A&token={TOKEN}", shop.host);
    // Killed between the commit and whatever is behind the reply.
    let (answer, _) = shop.edge.answers_only(Method::Get, &address, person(), b"");
    assert_eq!(answer.response.status, 200);
    assert_eq!(status(&shop, "A"), "approved");
    Edge::of(&world).ticks();
    assert_eq!(status(&shop, "A"), "hold");
}

#[test]
fn an_examination_may_end_anywhere_and_be_repeated() {
    for how in [Break::BeforeCommit, Break::AfterCommit] {
        for well in 0..4 {
            let world = World::new();
            let shop = Shop::with(
                &world,
                json!({ "ip_cool_down_action": "hold", "data_centre_action": "reject" }),
            );
            let id = shop.clicks_with(from("203.0.113.7", HETZNER), 1);
            shop.edge.settles();
            sale(&shop, &id, "A");
            world.database().breaks_after(how, well);
            shop.edge.examines();
            world.database().mends();
            for _ in 0..2 {
                shop.edge.ticks();
                assert_eq!(status(&shop, "A"), "rejected", "{how:?} {well}");
                assert_eq!(shop.count("changes"), 1, "{how:?} {well}");
                assert_eq!(examined(&shop, "A").len(), 1);
            }
            let revision = "SELECT revision FROM conversions WHERE order_id = 'A'";
            assert_eq!(shop.value(revision), 2);
        }
    }
}

#[test]
fn what_an_operator_changed_meanwhile_stays() {
    for (wanted, expected) in
        [("approved", "approved"), ("pending", "pending"), ("rejected", "rejected")]
    {
        let world = World::new();
        let fields = json!({ "data_centre_action": "reject", "default_status": "hold" });
        let shop = Shop::with(&world, fields);
        let id = shop.clicks_with(from("203.0.113.7", HETZNER), 1);
        let reply = sale(&shop, &id, "A");
        let path = format!("conversions/{}", reply["conversion_id"].as_str().unwrap());
        shop.operator.changes(&path, json!({ "status": wanted, "reason": "seen" }));
        shop.edge.settles();
        shop.edge.ticks();
        assert_eq!(status(&shop, "A"), expected);
        assert!(examined(&shop, "A")[0].ends_with("because an operator has decided meanwhile"));
        assert_eq!(shop.count("changes"), 1);
    }
}

#[test]
fn a_sender_cannot_undo_what_a_rule_of_the_row_did() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "data_centre_action": "hold" }));
    let id = shop.clicks_with(from("203.0.113.7", HETZNER), 1);
    shop.edge.settles();
    let query = format!("click_id={id}&order_id=A&status=approved");
    shop.reports(200, &query);
    shop.edge.examines();
    let again = shop.reports(200, &query);
    assert_eq!(
        (&again["verdict"], &again["current_status"]),
        (&json!("duplicate"), &json!("hold"))
    );
    assert_eq!(shop.reports(200, &format!("{query}&custom1=x"))["verdict"], "duplicate");
    assert_eq!(status(&shop, "A"), "hold");
}

#[test]
fn a_campaign_without_such_a_rule_pays_nothing_for_it() {
    let world = World::new();
    let fields =
        json!({ "too_fast_action": "hold", "self_referral_action": "hold", "too_fast_seconds": 1 });
    let shop = Shop::with(&world, fields);
    let id = shop.clicks_with(from("203.0.113.7", HETZNER), 1);
    shop.edge.settles();
    sale(&shop, &id, "warm");
    let other = shop.clicks(1);
    shop.edge.settles();
    world.waits_ms(1_000);
    let (batches, statements) = (world.database().batches(), world.database().statements());
    sale(&shop, &other, "A");
    let counted =
        (world.database().batches() - batches, world.database().statements() - statements);
    assert_eq!(counted, (1, 2), "one round trip of two statements");
    assert_eq!((shop.count("doubts"), shop.count("visitor_clicks")), (0, 0));
    let sql = "SELECT COUNT(*) FROM clicks WHERE address IS NOT NULL OR asn IS NOT NULL OR earlier_click IS NOT NULL";
    assert_eq!(shop.value(sql), 0);
    // The control: with a rule it is one statement more in the same round trip.
    shop.changes_campaign(json!({ "data_centre_action": "hold" }));
    let id = shop.clicks(1);
    shop.edge.settles();
    sale(&shop, &id, "warm2");
    let (batches, statements) = (world.database().batches(), world.database().statements());
    sale(&shop, &shop.clicks(1), "B");
    let counted =
        (world.database().batches() - batches, world.database().statements() - statements);
    assert_eq!(counted, (1, 3));
}

#[test]
fn of_two_conversions_from_one_address_the_first_stands() {
    let world = World::new();
    let fields = json!({ "ip_cool_down_action": "hold", "ip_cool_down_minutes": 5, "conversions_per_click": "per_order" });
    let shop = Shop::with(&world, fields);
    let click = |address: &'static str| shop.clicks_with(from(address, TELEKOM), 1);
    let ids: Vec<String> = (0..4).map(|_| click("203.0.113.7")).collect();
    let other = click("203.0.113.8");
    shop.edge.settles();
    sale(&shop, &ids[0], "A");
    world.waits_ms(1);
    sale(&shop, &ids[1], "B");
    sale(&shop, &other, "O");
    // Nobody examined them behind the replies: all at once.
    shop.edge.isolate.doubts.take();
    shop.edge.ticks();
    let statuses = |orders: &[&str]| orders.iter().map(|o| status(&shop, o)).collect::<Vec<_>>();
    assert_eq!(statuses(&["A", "B", "O"]), ["approved", "hold", "approved"]);
    // Another order of the same click is the same customer's.
    sale(&shop, &ids[0], "A2");
    shop.edge.examines();
    assert_eq!(status(&shop, "A2"), "approved");
    // What was stopped stops no other, so that the cool-down is over five minutes after A2.
    world.waits_ms(5 * 60_000 - 1);
    sale(&shop, &ids[2], "C");
    shop.edge.examines();
    assert_eq!(status(&shop, "C"), "hold");
    world.waits_ms(2);
    sale(&shop, &ids[3], "D");
    shop.edge.examines();
    assert_eq!(status(&shop, "D"), "approved");
}

/// Of a change between what an examination read and what it writes, nothing is undone, and the
/// examination is done again on what it finds then.
#[test]
fn what_changed_during_an_examination_is_examined_again() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "data_centre_action": "hold" }));
    let id = shop.clicks_with(from("203.0.113.7", HETZNER), 1);
    shop.edge.settles();
    let reply = sale(&shop, &id, "A");
    let conversion_id = reply["conversion_id"].as_str().unwrap().to_owned();
    let demo = Namespace::parse("demo").unwrap();
    let rules = ClickRules { data_centre: Action::Hold, ..ClickRules::default() };
    let stores = &shop.edge.stores;
    let doubted = block_on(stores.doubted(&demo, &[(conversion_id, 0)])).unwrap();
    let findings = examine(doubted, |_| Some(&rules), Timestamp::from_ms(0), "rule_1");
    assert_eq!(findings.len(), 1);

    shop.reports(200, &format!("click_id={id}&order_id=A&status=rejected&reason=returned"));
    let signature = Signature { request_id: "rule_1", key_id: None, at: world.now() };
    for _ in 0..2 {
        block_on(stores.settle_doubts(&demo, &findings, &[], &signature)).unwrap();
        assert_eq!(status(&shop, "A"), "rejected");
        assert!(examined(&shop, "A")[0].starts_with("not yet"));
    }
    shop.edge.ticks();
    assert_eq!(conversion(&shop, "A")["status_reason"], "returned");
    assert!(examined(&shop, "A")[0].ends_with("; nothing was left to change"));
    assert_eq!(shop.count("changes"), 1);
}

#[test]
fn an_event_of_the_same_click_is_no_neighbour_and_follows_what_stands() {
    for (action, expected) in [("hold", 200), ("reject", 422)] {
        let world = World::new();
        let rules = json!({ "ip_cool_down_action": "hold", "data_centre_action": action });
        let shop = Shop::with(&world, rules);
        shop.operator.creates("events", json!({ "campaign_id": 1, "name": "renewal" }));
        let good = shop.clicks_with(from("203.0.113.7", TELEKOM), 1);
        let bad = shop.clicks_with(from("203.0.113.8", HETZNER), 1);
        shop.edge.settles();
        sale(&shop, &good, "A");
        shop.edge.examines();
        shop.reports(200, &format!("click_id={good}&event_id=1&order_id=E"));
        shop.edge.examines();
        assert_eq!(
            (status(&shop, "A"), status(&shop, "E")),
            ("approved".into(), "approved".into())
        );
        sale(&shop, &bad, "B");
        shop.edge.examines();
        let event = shop.reports(expected, &format!("click_id={bad}&event_id=1&order_id=F"));
        shop.edge.examines();
        match action {
            "hold" => assert_eq!(status(&shop, "F"), "hold", "the event's click is the same"),
            _ => assert_eq!(event["reason"], "no_conversion_for_event"),
        }
    }
}

#[test]
fn a_click_says_nothing_against_whom_a_coupon_credits() {
    for (order, expected) in [("coupon", "approved"), ("click_id", "hold")] {
        let world = World::new();
        let rules = json!({
            "too_fast_action": "hold", "data_centre_action": "hold", "bot_action": "reject",
            "attribution_order": [order, if order == "coupon" { "click_id" } else { "coupon" }],
        });
        let shop = Shop::with(&world, rules);
        let coupon = json!({ "campaign_id": 1, "affiliate_id": 2, "code": "TWO" });
        shop.operator.creates("coupons", coupon);
        let id = shop.clicks_with(from("203.0.113.7", HETZNER), 1);
        shop.edge.settles();
        shop.reports(200, &format!("click_id={id}&coupon=TWO&order_id=A"));
        shop.edge.examines();
        shop.edge.ticks();
        assert_eq!(status(&shop, "A"), expected, "{order}");
        assert_eq!(examined(&shop, "A").len(), usize::from(order == "click_id"));
    }
}
