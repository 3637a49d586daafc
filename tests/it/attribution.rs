//! Whom a conversion is credited to if several say so, or nobody does (wire.md 5, 7): the campaign's
//! order, the claims that lost, who may name whom, and what strangers can ask.

use backtrail::domain::attribution::Way;
use backtrail::http::request::Method;
use serde_json::{Value, json};

use crate::support::shop::{SERVER, TOKEN};
use crate::support::world::json_of;
use crate::support::{Shop, World};

/// Affiliate 1 has the click, 2 the coupon, 3 the customer, 4 is named by `ref_id`, 5 by
/// `ref_custom_id` and 6 by `affiliate_id`. The link of each has the number of the affiliate.
pub fn open(world: &World, campaign: Value) -> Shop<'_> {
    let shop = Shop::with(world, campaign);
    let demo = &shop.operator;
    for (id, custom_id) in
        [(3, Value::Null), (4, Value::Null), (5, json!("five")), (6, json!("six"))]
    {
        demo.creates("affiliates", json!({ "name": "A", "custom_id": custom_id }));
        demo.creates("links", json!({ "campaign_id": 1, "affiliate_id": id }));
    }
    demo.creates("coupons", json!({ "campaign_id": 1, "affiliate_id": 2, "code": "TWO" }));
    demo.creates("customers", json!({ "campaign_id": 1, "affiliate_id": 3, "customer_id": "K" }));
    shop
}

/// Each way, what is sent for it, and whom it names.
pub const WAYS: [(&str, &str, u32); 6] = [
    ("click_id", "click_id={click}", 1),
    ("coupon", "coupon=two", 2),
    ("customer_id", "customer_id=K", 3),
    ("ref_id", "ref_id=4", 4),
    ("ref_custom_id", "ref_custom_id=five", 5),
    ("affiliate_id", "publisher=6", 6),
];

/// Every order of some items.
fn orders<T: Copy>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for first in 0..items.len() {
        let mut rest = items.to_vec();
        let first = rest.remove(first);
        all.extend(orders(&rest).into_iter().map(|tail| [vec![first], tail].concat()));
    }
    all
}

#[test]
fn the_first_of_the_campaigns_order_that_is_sent_wins_and_the_others_are_told_as_lost() {
    let world = World::new();
    let shop = open(&world, json!({}));
    assert_eq!(WAYS.map(|(name, ..)| Way::from_word(name).is_some()), [true; 6]);
    assert_eq!(WAYS.len(), Way::ALL.len());
    let mut cases = 0;
    for order in orders(&WAYS[..4]) {
        let names: Vec<&str> = order.iter().map(|(name, ..)| *name).collect();
        shop.changes_campaign(json!({ "attribution_order": names }));
        for subset in 1..16_u32 {
            let sent: Vec<_> =
                (0..4).filter(|bit| subset & (1 << bit) != 0).map(|bit| order[bit]).collect();
            let query: Vec<&str> = sent.iter().map(|(_, query, _)| *query).collect();
            let query = query.join("&").replace("{click}", &shop.clicks(1));
            let reply = shop.reports(200, &format!("campaign_id=1&order_id={cases}&{query}"));
            assert_eq!(reply["affiliate_id"], sent[0].2, "{names:?}: {query}");
            cases += 1;
            let id = reply["conversion_id"].as_str().unwrap();
            let explanation = &shop.operator.sees(&format!("conversions/{id}"))["explanation"];
            let lost = explanation["claims_lost"].as_str().unwrap_or_default();
            for (name, ..) in &sent[1..] {
                assert!(lost.contains(&format!("{name}: ")), "{query}: {lost}");
            }
            assert_eq!(explanation["claims_lost"].is_null(), sent.len() == 1, "{query}: {lost}");
            assert!(!lost.contains(&format!("{}: ", sent[0].0)), "{query}: {lost}");
        }
    }
    assert_eq!(cases, 24 * 15);
}

#[test]
fn each_way_names_its_affiliate_where_the_campaign_is_open_to_it() {
    let world = World::new();
    let shop = open(&world, json!({}));
    for (index, (name, query, affiliate)) in WAYS.into_iter().enumerate() {
        let ask = |order: &str| {
            let query = query.replace("{click}", &shop.clicks(1));
            format!("campaign_id=1&order_id={order}{index}&{query}")
        };
        let is_open = index < 3;
        if !is_open {
            let refused = shop.is_refused((422, "no_attribution"), &ask("closed"));
            let told = refused["detail"].as_str().unwrap();
            assert!(told.contains("also takes coupon, customer_id of a customer"), "{told}");
        }
        shop.changes_campaign(
            json!({ "attribution_order": ["click_id", "coupon", "customer_id", name] }),
        );
        let reply = shop.reports(200, &ask("open"));
        assert_eq!(reply["affiliate_id"], affiliate, "{name}");
        assert_eq!(reply["click_id"].is_null(), name != "click_id");
        shop.changes_campaign(
            json!({ "attribution_order": ["click_id", "coupon", "customer_id"] }),
        );
    }
    // Whatever is not open takes nothing from what is, and is told.
    let query = format!("click_id={}&affiliate_id=6&order_id=both", shop.clicks(1));
    let reply = shop.reports(200, &query);
    assert_eq!(reply["affiliate_id"], 1);
    let id = reply["conversion_id"].as_str().unwrap();
    let lost = &shop.operator.sees(&format!("conversions/{id}"))["explanation"]["claims_lost"];
    assert!(lost.as_str().unwrap().contains("affiliate_id: the campaign does not credit by it"));
}

#[test]
fn a_ref_id_means_the_link_or_the_affiliate_as_the_namespace_says() {
    let world = World::new();
    let order = json!({ "attribution_order": ["click_id", "ref_id"] });
    let shop = open(&world, order);
    // Link 7 is affiliate 2's second one.
    shop.operator.creates("links", json!({ "campaign_id": 1, "affiliate_id": 2 }));
    let credited = |order: u32, ref_id: u32| {
        let reply = shop.reports(200, &format!("campaign_id=1&order_id={order}&ref_id={ref_id}"));
        let link =
            shop.value(&format!("SELECT ref_id FROM conversions WHERE order_id = '{order}'"));
        (reply["affiliate_id"].clone(), link)
    };
    assert_eq!(credited(1, 7), (json!(2), json!(7)));
    shop.operator.changes("namespaces/demo", json!({ "postback_ref_id": "affiliate" }));
    world.waits_ms(30_001);
    assert_eq!(credited(2, 2), (json!(2), json!(2)));
    shop.is_refused((422, "no_attribution"), "campaign_id=1&order_id=3&ref_id=7");
    // An archived link credits nothing but its clicks, nor does one of another campaign.
    shop.operator.changes("namespaces/demo", json!({ "postback_ref_id": "link" }));
    shop.operator.changes("links/7", json!({ "state": "archived" }));
    let other =
        json!({ "name": "B", "advertiser_id": 1, "currency": "USD", "authentication": "token" });
    shop.operator.creates("campaigns", other);
    shop.operator.creates("links", json!({ "campaign_id": 2, "affiliate_id": 2 }));
    world.waits_ms(30_001);
    for (ref_id, why) in
        [(7, "archived"), (8, "no link of campaign 1"), (99, "no link of campaign 1")]
    {
        let query = format!("campaign_id=1&order_id=3&ref_id={ref_id}");
        let refused = shop.is_refused((422, "no_attribution"), &query);
        assert_eq!(refused["parameter"], "ref_id");
        assert!(refused["detail"].as_str().unwrap().contains(why), "{refused}");
    }
}

#[test]
fn a_custom_id_that_moves_to_another_affiliate_credits_that_one() {
    let world = World::new();
    let shop = open(&world, json!({ "attribution_order": ["click_id", "ref_custom_id"] }));
    let credited = |order: u32| {
        let query = format!("campaign_id=1&order_id={order}&ref_custom_id=five");
        let response = shop.asks(&format!("{query}&token={TOKEN}"));
        json_of(&response, response.status)["affiliate_id"].clone()
    };
    assert_eq!(credited(1), 5);
    shop.operator.changes("affiliates/5", json!({ "custom_id": null }));
    world.waits_ms(30_001);
    assert_eq!(credited(2), Value::Null);
    shop.operator.changes("affiliates/6", json!({ "custom_id": "five" }));
    world.waits_ms(30_001);
    assert_eq!(credited(3), 6);
    shop.operator.changes("affiliates/6", json!({ "custom_id": "other" }));
    world.waits_ms(30_001);
    assert_eq!(credited(4), Value::Null);
}

#[test]
fn a_claim_that_does_not_hold_leaves_the_sale_to_the_next_one() {
    let world = World::new();
    let shop = open(&world, json!({ "window_days": 1 }));
    let demo = &shop.operator;
    let past = json!({ "campaign_id": 1, "affiliate_id": 2, "code": "PAST", "ends_at": "2026-01-01T00:00:00Z" });
    demo.creates("coupons", past);
    let (old, older) = (shop.clicks(1), shop.clicks(1));
    world.waits_ms(2 * 86_400_000);
    let lost = |query: &str, affiliate: u32| {
        let reply = shop.reports(200, query);
        assert_eq!(reply["affiliate_id"], affiliate, "{query}");
        let id = reply["conversion_id"].as_str().unwrap();
        let seen = demo.sees(&format!("conversions/{id}"));
        seen["explanation"]["claims_lost"].as_str().unwrap().to_owned()
    };
    let told = lost(&format!("click_id={old}&order_id=1&coupon=TWO"), 2);
    assert!(told.starts_with("click_id: expired_click, "), "{told}");
    let told = lost("campaign_id=1&click_id=none&order_id=2&coupon=TWO", 2);
    assert!(told.starts_with("click_id: unknown_click, "), "{told}");
    shop.changes_campaign(json!({ "attribution_order": ["coupon", "click_id", "customer_id"] }));
    let told = lost(&format!("click_id={}&order_id=3&coupon=SUMMER", shop.clicks(1)), 1);
    assert!(told.starts_with("coupon: unknown_coupon, "), "{told}");
    let told = lost("campaign_id=1&order_id=4&coupon=PAST&customer_id=K", 3);
    assert!(told.starts_with("coupon: expired_coupon, "), "{told}");
    // The strongest claim is the reason if none holds.
    let query = format!("click_id={older}&order_id=5&coupon=PAST");
    shop.is_refused((422, "expired_coupon"), &query);
    shop.changes_campaign(json!({ "attribution_order": ["click_id", "coupon"] }));
    shop.is_refused((410, "expired_click"), &query);
    // The whole story is told.
    let story = demo.sees("explain?order_id=2&campaign_id=1")["timeline"].clone();
    let told = story.as_array().unwrap().iter().find(|entry| entry["what"] == "claims_lost");
    assert!(told.unwrap()["because"].as_str().unwrap().contains("unknown_click"));
}

#[test]
fn a_sale_counts_once_whoever_is_credited_for_it() {
    let world = World::new();
    let shop = open(&world, json!({ "attribution_order": ["coupon", "click_id", "customer_id"] }));
    let id = shop.clicks(1);
    // The click converts, though the coupon is paid.
    let first = shop.reports(200, &format!("click_id={id}&coupon=TWO&order_id=A"));
    assert_eq!((&first["affiliate_id"], &first["click_id"]), (&json!(2), &json!(id)));
    for (query, verdict) in [
        (format!("click_id={id}&coupon=TWO&order_id=A"), "duplicate"),
        (format!("click_id={id}&order_id=A"), "duplicate"),
        (format!("click_id={id}"), "duplicate"),
        ("campaign_id=1&coupon=TWO&order_id=A".to_owned(), "duplicate"),
        ("campaign_id=1&customer_id=K&order_id=A".to_owned(), "duplicate"),
    ] {
        assert_eq!(shop.reports(200, &query)["verdict"], verdict, "{query}");
    }
    shop.is_refused((422, "repeated_conversion"), &format!("click_id={id}&coupon=TWO&order_id=B"));
    // An operator who takes the coupon back gives a repeat no other key.
    shop.operator.changes("coupons/1", json!({ "state": "archived" }));
    world.waits_ms(30_001);
    let again = shop.reports(200, &format!("click_id={id}&coupon=TWO"));
    assert_eq!((&again["verdict"], &again["affiliate_id"]), (&json!("duplicate"), &json!(2)));
    // What is no click of ours is none, so that a shop which always sends the same text sells on.
    for order in ["C", "D"] {
        let query = format!("campaign_id=1&click_id=organic&customer_id=K&order_id={order}");
        assert_eq!(shop.reports(200, &query)["verdict"], "recorded");
        assert_eq!(shop.reports(200, &query)["verdict"], "duplicate");
    }
    shop.is_refused((400, "missing_parameter"), "campaign_id=1&click_id=organic&customer_id=K");
    assert_eq!(shop.count("conversions"), 3);
}

#[test]
fn a_click_whose_key_is_retired_has_converted_whatever_else_is_sent() {
    let world = World::new();
    let shop = open(&world, json!({}));
    let reply = shop.reports(200, &format!("click_id={}", shop.clicks(1)));
    world.database().execute(
        "UPDATE conversions SET click_id = 'of-a-retired-key', \
         sent_money = json_set(sent_money, '$.click_id', 'of-a-retired-key')",
    );
    let again = "campaign_id=1&click_id=of-a-retired-key&coupon=TWO";
    let told = shop.reports(200, again);
    assert_eq!((&told["verdict"], &told["affiliate_id"]), (&json!("duplicate"), &json!(1)));
    assert_eq!(told["conversion_id"], reply["conversion_id"]);
    shop.is_refused((422, "repeated_conversion"), &format!("{again}&order_id=A"));
    assert_eq!(shop.count("conversions"), 1);
}

#[test]
fn nobody_is_credited_without_a_click_by_whoever_proves_nothing() {
    let order: Vec<&str> = WAYS.iter().map(|(name, ..)| *name).collect();
    let campaign = |authentication: &str, ip_allow: Value| json!({ "authentication": authentication, "ip_allow": ip_allow, "attribution_order": order });
    // The row of wire.md 7: a column per proof.
    for (authentication, ip_allow, token, may) in [
        ("none", json!([]), "", false),
        ("none", json!([SERVER]), "", true),
        ("token", json!([]), TOKEN, true),
        ("none", json!([]), TOKEN, true),
    ] {
        let world = World::new();
        let shop = open(&world, campaign(authentication, ip_allow));
        for (index, (name, query, affiliate)) in WAYS.into_iter().enumerate().skip(1) {
            let query = format!("campaign_id=1&order_id={index}&{query}&token={token}");
            let response = shop.asks(&query);
            let body = json_of(&response, if may { 200 } else { 401 });
            if may {
                assert_eq!(body["affiliate_id"], affiliate, "{name}");
            } else {
                assert_eq!(
                    (&body["reason"], &body["parameter"]),
                    (&json!("bad_token"), &json!(name))
                );
            }
        }
        assert_eq!(shop.count("conversions"), if may { 5 } else { 0 });
    }
    // With a click it is ignored, also where it would come first, and the sender is told.
    let world = World::new();
    let shop = open(
        &world,
        json!({ "authentication": "none", "is_pixel_allowed": true,
        "attribution_order": ["coupon", "affiliate_id", "click_id"] }),
    );
    let query = format!("click_id={}&coupon=TWO&affiliate_id=6", shop.clicks(1));
    let body = json_of(&shop.asks(&query), 200);
    let warned: Vec<&Value> =
        body["warnings"].as_array().unwrap().iter().map(|warning| &warning["parameter"]).collect();
    assert_eq!(warned, [&json!("coupon"), &json!("affiliate_id"), &Value::Null]);
    let query = format!("/pixel.gif?click_id={}&coupon=TWO", shop.clicks(1));
    shop.visits(&query);
    assert_eq!(
        shop.rows("SELECT DISTINCT affiliate_id FROM conversions"),
        [json!({ "affiliate_id": 1 })]
    );
    let response = shop.visits("/pixel.gif?campaign_id=1&coupon=TWO&order_id=9");
    assert_eq!(response.header("x-backtrail-verdict").unwrap(), "rejected bad_token");
}

#[test]
fn the_order_of_a_campaign_is_checked_when_it_is_saved() {
    let world = World::new();
    let shop = open(&world, json!({}));
    let default = &shop.operator.sees("campaigns/1")["attribution_order"];
    assert_eq!(*default, json!(["click_id", "coupon", "customer_id"]));
    for order in [json!([]), json!(["coupon"]), json!(["click_id", "email"]), json!("click_id")] {
        let change = json!({ "attribution_order": order });
        shop.operator.is_told(
            Method::Patch,
            "campaigns/1",
            change,
            &["attribution_order: invalid"],
        );
    }
    // A copy that an earlier version wrote has none, and is read as the default.
    let refused = shop.is_refused((422, "no_attribution"), "campaign_id=1&order_id=A");
    assert!(refused["detail"].as_str().unwrap().contains("also takes coupon, customer_id"));
    shop.changes_campaign(json!({ "attribution_order": ["click_id"] }));
    let refused = shop.is_refused((422, "no_attribution"), "campaign_id=1&order_id=A&coupon=TWO");
    assert!(!refused["detail"].as_str().unwrap().contains("also takes"), "{refused}");
}
