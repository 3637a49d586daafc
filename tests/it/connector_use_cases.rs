//! The use cases of the product that connectors are modelled on, from the operator's call to what
//! receivers and browsers get.

use backtrail::http::request::Method::Post;
use serde_json::json;

use crate::support::World;
use crate::support::receivers::Reaction;
use crate::support::sending::header;
use crate::support::shop::id_in;
use crate::support::visitor::{Visitor, open};

#[test]
fn a_network_hears_of_the_sales_of_its_own_visitors() {
    let world = World::new();
    let shop = open(&world);
    let matching = json!({ "parameter": "aff_click_id", "model": "last", "window_days": 30 });
    let network =
        shop.connects("network", &["{{VALUE}}", "{{CLICK_ID}}"], json!({ "matching": matching }));
    let visitor = Visitor::of(&shop, 1);
    visitor.arrives("aff_click_id=abc123");
    visitor.tracks("Purchase", json!({ "value": 15 }));
    Visitor::of(&shop, 2).tracks("Purchase", json!({ "value": 99 }));
    shop.delivers();
    assert_eq!(shop.got("network"), ["value=15&click_id=abc123"]);
    let mut states = shop.states(&network);
    states.sort();
    assert_eq!(states, ["delivered", "no_click_match"]);
}

#[test]
fn an_ad_networks_pixel_fires_with_the_value_of_the_order() {
    let world = World::new();
    let shop = open(&world);
    let code = "<script>adNetwork.track(\"conversion\", { value: {{VALUE}}, order: \"{{TRANSACTION_ID}}\" });</script>";
    let ads = shop.connects("ads", &[], json!({ "pixel": { "code": code } }));
    shop.operator.calls(Post, &format!("connectors/{}/approve", ads["id"]), None, 200);
    let data = json!({ "value": 15.5, "transaction_id": "A\"1" });
    let pixels = Visitor::of(&shop, 1).tracks("Purchase", data);
    assert_eq!(pixels.len(), 1);
    assert_eq!(pixels[0]["is_sandboxed"], true);
    assert_eq!(
        pixels[0]["html"],
        "<script>adNetwork.track(\"conversion\", { value: 15.5, order: \"A\\u00221\" });</script>"
    );
    shop.delivers();
    assert_eq!((shop.states(&ads), world.receivers.got().len()), (vec!["delivered".to_owned()], 0));
}

#[test]
fn webhook_and_pixel_of_one_connector_fire_together() {
    let world = World::new();
    let shop = open(&world);
    let pixel =
        json!({ "pixel": { "code": "<img src=\"https://network.example/p?v={{VALUE}}\">" } });
    let both = shop.connects("both", &["{{VALUE}}"], pixel);
    shop.operator.calls(Post, &format!("connectors/{}/approve", both["id"]), None, 200);
    let pixels = Visitor::of(&shop, 1).tracks("Purchase", json!({ "value": 15 }));
    shop.delivers();
    assert_eq!(pixels[0]["html"], "<img src=\"https://network.example/p?v=15\">");
    assert_eq!(shop.got("both"), ["value=15"]);
    assert_eq!(shop.states(&both), ["delivered", "delivered"]);
}

#[test]
fn an_internal_system_gets_a_signed_form_with_its_own_key() {
    let world = World::new();
    let shop = open(&world);
    let webhook = json!({
        "method": "POST",
        "url": "https://crm.internal-tools.org/purchases",
        "parameters": [
            { "name": "order", "value": "{{TRANSACTION_ID}}" },
            { "name": "value", "value": "{{VALUE}}" },
            { "name": "mail", "value": "{{EMAIL:lower:sha256}}" },
        ],
        "headers": [{ "name": "Authorization", "value": "Bearer internal-key" }],
    });
    let internal = shop.connects("internal", &[], json!({ "webhook": webhook }));
    shop.world().receivers.reacts("crm.internal-tools.org", Reaction::Answers(201));
    let data = json!({ "value": 15, "transaction_id": "12345", "email": " Jane@Example.com" });
    Visitor::of(&shop, 1).tracks("Purchase", data);
    shop.delivers();
    let got = world.receivers.got();
    assert_eq!(got.len(), 1);
    assert_eq!(
        got[0].body.as_deref(),
        Some(
            "order=12345&value=15&mail=8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d"
        )
    );
    assert_eq!(header(&got[0], "Authorization"), "Bearer internal-key");
    assert_eq!(header(&got[0], "content-type"), "application/x-www-form-urlencoded");
    assert!(header(&got[0], "webhook-signature").starts_with("v1,"));
    assert_eq!(shop.states(&internal), ["delivered"]);
}

/// Beyond the original: an affiliate's own postback, with what its link brought.
#[test]
fn an_affiliate_hears_of_its_own_sales_with_its_own_click_id() {
    let world = World::new();
    let shop = open(&world);
    let own = json!({ "affiliate_id": 1 });
    let affiliate = shop.connects("affiliate", &["{external_click_id}", "{sub1}", "{payout}"], own);
    let query = "campaign_id=1&ref_id=1&external_click_id=theirs%26payout%3D9&sub1=banner";
    let click_id = id_in(&shop.follows(query));
    shop.edge.settles();
    shop.reports(200, &format!("click_id={click_id}&order_id=1&amount=20"));
    shop.delivers();
    let got = shop.got("affiliate");
    assert_eq!(got.len(), 1);
    assert!(
        got[0].starts_with("external_click_id=theirs%26payout%3D9&sub1=banner&payout="),
        "{got:?}"
    );
    assert_eq!(shop.states(&affiliate), ["delivered"]);
}
