//! Rules for clicks that deserve no money, as far as id and request tell: how a campaign says what
//! they do, and what becomes of a conversion to which one applies.

use backtrail::http::request::Headers;
use backtrail::http::request::Method::{Patch, Post};
use serde_json::{Value, json};

use crate::support::shop::person;
use crate::support::{Shop, World};

const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// The conversion that a reply names, as operators see it.
fn stored(shop: &Shop<'_>, reply: &Value) -> Value {
    shop.operator.sees(&format!("conversions/{}", reply["conversion_id"].as_str().unwrap()))
}

/// The codes of a reply's warnings.
fn warnings(reply: &Value) -> Vec<&str> {
    reply["warnings"].as_array().unwrap().iter().map(|w| w["code"].as_str().unwrap()).collect()
}

/// What the timeline of a conversion says of the rules.
fn told(shop: &Shop<'_>, reply: &Value) -> Option<String> {
    let id = reply["conversion_id"].as_str().unwrap();
    let story = shop.operator.sees(&format!("explain?conversion_id={id}"));
    let entry = story["timeline"].as_array().unwrap().iter().find(|e| e["what"] == "rule").cloned();
    entry.map(|entry| entry["because"].as_str().unwrap().to_owned())
}

/// A sale three seconds after the click of a bot, by a customer who is the affiliate: every rule of
/// the id and request applies, if it is on.
fn bad_sale(shop: &Shop<'_>, user_agent: &str) -> Value {
    let id = shop.clicks_with(Headers { user_agent, ..person() }, 1);
    shop.world().waits_ms(3_000);
    shop.reports(200, &format!("click_id={id}&order_id=A&customer_id=c-7"))
}

#[test]
fn each_rule_of_id_and_request_acts_as_its_campaign_says_and_is_explained() {
    let too_fast = "3 s from click to conversion, at least 10 s are wanted";
    let bot = "the click was made by a known bot";
    let own = "customer_id is the affiliate's own number";
    for (field, action, status, words) in [
        ("too_fast_action", "off", "approved", None),
        ("too_fast_action", "hold", "hold", Some(("too_fast", too_fast))),
        ("too_fast_action", "reject", "rejected", Some(("too_fast", too_fast))),
        ("bot_action", "hold", "hold", Some(("bot", bot))),
        ("bot_action", "reject", "rejected", Some(("bot", bot))),
        ("self_referral_action", "off", "approved", None),
        ("self_referral_action", "hold", "hold", Some(("self_referral", own))),
        ("self_referral_action", "reject", "rejected", Some(("self_referral", own))),
    ] {
        let world = World::new();
        let shop = Shop::with(&world, json!({ field: action }));
        shop.operator.changes("affiliates/1", json!({ "own_customer_id": "c-7" }));
        let agent = if field == "bot_action" { GOOGLEBOT } else { person().user_agent };
        let reply = bad_sale(&shop, agent);
        assert_eq!((&reply["verdict"], &reply["status"]), (&json!("recorded"), &json!(status)));
        let conversion = stored(&shop, &reply);
        assert_eq!(conversion["status"], status, "{field} {action}");
        let expected = words.map(|(rule, why)| format!("rule {rule}: {why}"));
        assert_eq!(conversion["status_reason"], json!(expected), "{field} {action}");
        let why = conversion["explanation"]["status"].as_str().unwrap().to_owned();
        let otherwise = match (field, action) {
            ("bot_action", "hold") => "the click looks like a bot's or was embedded".to_owned(),
            ("bot_action", _) => {
                "rule bot; otherwise hold: the click looks like a bot's or was embedded".to_owned()
            }
            (_, "off") => "the campaign's default".to_owned(),
            _ => format!("rule {}; otherwise approved: the campaign's default", words.unwrap().0),
        };
        assert_eq!(why, otherwise, "{field} {action}");
        let explained = words.map(|(rule, why)| format!("{rule} ({action}): {why}"));
        assert_eq!(conversion["explanation"]["rule"], json!(explained), "{field} {action}");
        assert_eq!(told(&shop, &reply), explained, "{field} {action}");
        let is_as_ever = field == "bot_action" && action == "hold";
        assert_eq!(warnings(&reply).contains(&"held_for_click"), is_as_ever);
        assert_eq!(warnings(&reply).contains(&"stopped_by_rule"), words.is_some() && !is_as_ever);
        assert_eq!(shop.count("doubts"), 0, "no row of a click is needed");
    }
}

#[test]
fn what_rejects_decides_and_every_rule_that_applies_is_told() {
    let world = World::new();
    let actions = json!({ "too_fast_action": "hold", "self_referral_action": "reject" });
    let shop = Shop::with(&world, actions);
    shop.operator.changes("affiliates/1", json!({ "custom_id": "c-7" }));
    let reply = bad_sale(&shop, GOOGLEBOT);
    let conversion = stored(&shop, &reply);
    assert_eq!(conversion["status"], "rejected");
    let own = "rule self_referral: customer_id is the affiliate's own number";
    assert_eq!(conversion["status_reason"], own);
    let rule = conversion["explanation"]["rule"].as_str().unwrap();
    for name in ["too_fast (hold): ", "bot (hold): ", "self_referral (reject): "] {
        assert!(rule.contains(name), "{rule}");
    }
}

#[test]
fn a_person_who_takes_his_time_and_is_somebody_else_passes() {
    let world = World::new();
    let actions = json!({ "too_fast_action": "reject", "self_referral_action": "reject", "bot_action": "reject" });
    let shop = Shop::with(&world, actions);
    shop.operator.changes("affiliates/1", json!({ "custom_id": "c-7", "own_customer_id": "c-8" }));
    for (order, customer) in [("A", ""), ("B", "&customer_id=c-9"), ("C", "&customer_id=C-7")] {
        let id = shop.clicks(1);
        world.waits_ms(10_000);
        let reply = shop.reports(200, &format!("click_id={id}&order_id={order}{customer}"));
        assert_eq!(reply["status"], "approved", "{customer}");
        assert_eq!(stored(&shop, &reply)["explanation"]["rule"], Value::Null);
        assert_eq!(told(&shop, &reply), None);
    }
    // Affiliate 2 has no numbers, and is not everybody who has none either.
    let id = shop.clicks(2);
    world.waits_ms(10_000);
    assert_eq!(shop.reports(200, &format!("click_id={id}&customer_id=c-7"))["status"], "approved");
    // The control: a moment earlier it is too fast.
    let id = shop.clicks(2);
    world.waits_ms(9_999);
    assert_eq!(shop.reports(200, &format!("click_id={id}"))["status"], "rejected");
}

#[test]
fn what_a_rule_stopped_is_approved_by_an_operator_and_by_nobody_else() {
    for (action, status) in [("hold", "hold"), ("reject", "rejected")] {
        let world = World::new();
        let shop = Shop::with(&world, json!({ "too_fast_action": action }));
        let id = shop.clicks(1);
        let query = format!("click_id={id}&order_id=A&status=approved");
        let first = shop.reports(200, &query);
        assert_eq!(first["status"], status);
        let again = shop.reports(200, &query);
        assert_eq!((&again["verdict"], &again["status"]), (&json!("duplicate"), &json!(status)));
        for word in ["approved", "pending", "hold"] {
            let other = shop.reports(200, &format!("click_id={id}&custom1=x&status={word}"));
            assert_eq!(other["verdict"], "duplicate", "{word}");
        }
        assert_eq!(stored(&shop, &first)["status"], status);

        let path = format!("conversions/{}", first["conversion_id"].as_str().unwrap());
        shop.operator.changes(&path, json!({ "status": "approved" }));
        shop.reports(200, &query);
        assert_eq!(stored(&shop, &first)["status"], "approved");
        // Approved, it is a conversion like any other.
        let rejected = shop.reports(200, &format!("click_id={id}&order_id=A&status=rejected"));
        assert_eq!(rejected["verdict"], "updated");
    }
}

#[test]
fn what_the_sender_rejects_stays_rejected_for_his_reason() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "too_fast_action": "hold" }));
    let id = shop.clicks(1);
    let query = format!("click_id={id}&third_party_rejected_reason=returned");
    let conversion = stored(&shop, &shop.reports(200, &query));
    assert_eq!(
        (&conversion["status"], &conversion["status_reason"]),
        (&json!("rejected"), &json!("returned"))
    );
    assert!(conversion["explanation"]["rule"].as_str().unwrap().starts_with("too_fast (hold)"));
}

#[test]
fn each_field_of_the_rules_is_checked_by_itself() {
    let world = World::new();
    let shop = Shop::open(&world);
    let campaign = shop.operator.sees("campaigns/1");
    for (field, default) in [
        ("too_fast_action", json!("off")),
        ("too_fast_seconds", json!(10)),
        ("duplicate_click_action", json!("off")),
        ("ip_cool_down_action", json!("off")),
        ("ip_cool_down_minutes", json!(60)),
        ("bot_action", json!("hold")),
        ("data_centre_action", json!("off")),
        ("data_centre_networks", json!([])),
        ("self_referral_action", json!("off")),
    ] {
        assert_eq!(campaign[field], default, "{field}");
    }
    for (field, sent, message) in [
        ("too_fast_action", json!("ban"), "Send one of off, hold, reject."),
        ("bot_action", json!("off"), "Send one of hold, reject."),
        ("too_fast_seconds", json!(0), "Send a whole number from 1 to 86400."),
        ("ip_cool_down_minutes", json!(43_201), "Send a whole number from 1 to 43200."),
        ("data_centre_networks", json!([64496]), "Send a list of strings."),
        (
            "data_centre_networks",
            json!(["64496"]),
            "\"64496\" is not the number of a network, such as AS64496.",
        ),
        (
            "data_centre_networks",
            json!(["AS0"]),
            "\"AS0\" is not the number of a network, such as AS64496.",
        ),
    ] {
        let fault = [format!("{field}: invalid")];
        let body = json!({ field: sent });
        let problem = shop.operator.is_told(Patch, "campaigns/1", body, &[&fault[0]]);
        assert_eq!(problem["errors"][0]["message"], message, "{field}");
    }
    let networks = json!({ "data_centre_networks": ["as64496", "AS64496", "AS1"] });
    let changed = shop.operator.changes("campaigns/1", networks);
    assert_eq!(changed["data_centre_networks"], json!(["AS64496", "AS1"]));
    let far = json!({ "name": "x", "own_customer_id": "" });
    shop.operator.is_told(Post, "affiliates", far, &["own_customer_id: invalid"]);
}
