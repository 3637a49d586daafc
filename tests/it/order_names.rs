//! Orders that name their campaign.

use serde_json::json;

use crate::support::shop::id_in;
use crate::support::world::json_of;
use crate::support::{Shop, World};

#[test]
fn an_order_names_its_campaign_to_the_namespace_s_own_token() {
    let world = World::new();
    let shop = Shop::open(&world);
    let token = shop.operator.creates("tokens", json!({ "level": "namespace" }));
    let token = token["token"].as_str().unwrap();
    let asks =
        |query: &str, status: u16| json_of(&shop.asks(&format!("{query}&token={token}")), status);
    let id = shop.clicks(1);
    let first = shop.reports(200, &format!("click_id={id}&order_id=A"));
    world.waits_ms(30_001);

    let refund = asks("order_id=A&status=refunded", 200);
    assert_eq!(refund["verdict"], "updated", "{refund}");
    assert_eq!(refund["conversion_id"], first["conversion_id"]);
    assert_eq!(asks("order_id=B&status=refunded", 422)["reason"], "no_attribution");

    // A stranger is told nothing of it.
    assert_eq!(json_of(&shop.asks("order_id=A&status=refunded"), 401)["reason"], "bad_token");

    // Two campaigns have such an order: which one is meant must be said.
    shop.operator.creates(
        "campaigns",
        json!({
            "name": "Other", "advertiser_id": 1, "currency": "USD", "authentication": "token",
            "payout_fixed": "1.00",
        }),
    );
    let page = json!({ "campaign_id": 2, "name": "home", "url": "https://shop.example/" });
    shop.operator.creates("landing-pages", page);
    shop.operator.creates("links", json!({ "campaign_id": 2, "affiliate_id": 1 }));
    let other = id_in(&shop.follows("ref_id=3"));
    assert_eq!(asks(&format!("click_id={other}&order_id=A"), 200)["verdict"], "recorded");
    assert_eq!(asks("order_id=A&status=rejected", 422)["reason"], "no_attribution");
    let rejected = asks("campaign_id=2&order_id=A&status=rejected", 200);
    assert_eq!(rejected["click_id"], json!(other), "{rejected}");
}
