//! Connectors are told the amounts that count, whenever they are told.

use serde_json::{Value, json};

use crate::outbox::{column, connects, open_to_pages, page_sends};
use crate::support::world::json_of;
use crate::support::{Shop, World};

/// What the connector was told last: value and currency.
fn told(shop: &Shop<'_>, connector: u32) -> [Value; 2] {
    let sql = format!(
        "SELECT \"values\" FROM deliveries WHERE connector_id = {connector} ORDER BY created_at DESC LIMIT 1"
    );
    let values = column(&shop.rows(&sql).remove(0), "values");
    [values["VALUE"].clone(), values["CURRENCY"].clone()]
}

#[test]
fn an_amount_that_was_ignored_is_told_to_nobody() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "authentication": "none", "is_pixel_allowed": true }));
    connects(&shop, 1, json!(["Purchase"]), "");
    let sent = |id: &str| format!("click_id={id}&amount=999999&currency=EUR");
    let body = json_of(&shop.asks(&sent(&shop.clicks(1))), 200);
    assert_eq!(body["warnings"][1]["code"], "not_permitted", "{body}");
    assert_eq!(told(&shop, 1), [Value::Null, json!("USD")]);
    world.waits_ms(1_000);
    let image = shop.visits(&format!("/pixel.gif?{}", sent(&shop.clicks(1))));
    assert_eq!(image.header("x-backtrail-verdict"), Some("recorded"), "{image:?}");
    assert_eq!(told(&shop, 1), [Value::Null, json!("USD")]);
    // Nor under another name: that it is none of ours does not make it more trusted.
    world.waits_ms(1_000);
    json_of(&shop.asks(&format!("click_id={}&value=999999&Currency=EUR", shop.clicks(1))), 200);
    assert_eq!(told(&shop, 1), [Value::Null, json!("USD")]);
    // Where the campaign trusts it, it counts and is told.
    shop.changes_campaign(json!({ "is_amount_trusted": true }));
    json_of(&shop.asks(&format!("click_id={}&amount=20.50", shop.clicks(1))), 200);
    assert_eq!(told(&shop, 1), [json!("20.50"), json!("USD")]);
}

#[test]
fn what_a_page_says_of_its_event_is_told_as_of_any_event_whether_it_counts_or_not() {
    let world = World::new();
    let shop = open_to_pages(&world, json!({ "Purchase": "initial" }));
    connects(&shop, 1, json!(["Purchase"]), "");
    let id = shop.clicks(1);
    let data = json!({ "value": 15.5, "currency": "EUR" });
    let body = json!({ "event": "Purchase", "click_id": id, "data": data }).to_string();
    let reply = page_sends(&shop, 200, &body);
    assert_eq!(reply["conversion"]["verdict"], "recorded", "{reply}");
    assert_eq!(shop.value("SELECT amount FROM conversions"), Value::Null, "it is not trusted");
    assert_eq!(told(&shop, 1), [json!("15.5"), json!("EUR")]);
}

#[test]
fn a_parameter_called_value_is_no_amount_now_or_later() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "default_status": "pending" }));
    connects(&shop, 1, json!(["Purchase"]), "");
    connects(&shop, 2, json!(["Purchase"]), "statuses = '[\"approved\"]'");
    let query = format!("click_id={}&amount=100&value=7&CURRENCY=EUR", shop.clicks(1));
    shop.reports(200, &query);
    assert_eq!(told(&shop, 1), [json!("100"), json!("USD")]);
    world.waits_ms(1_000);
    shop.reports(200, &format!("{query}&status=approved"));
    assert_eq!(told(&shop, 2), [json!("100"), json!("USD")]);
}
