//! The outbox: what connectors have to send is written in the commit of what it tells of.

use serde_json::{Value, json};

use crate::support::{Shop, World};

/// Adds a connector with a webhook that is on; `columns` are others to set, as `name = value`.
pub fn connects(shop: &Shop<'_>, id: u32, events: Value, columns: &str) {
    let namespace = shop.host.strip_suffix("-tracking.example.com").unwrap();
    let columns = if columns.is_empty() { String::new() } else { format!(", {columns}") };
    shop.world().database().execute(&format!(
        "INSERT INTO connectors (namespace, id, name, mode, events, webhook, is_webhook_on, created_at) \
         VALUES ('{namespace}', {id}, 'C{id}', 'enabled', '{events}', '{{}}', 1, 0); \
         UPDATE connectors SET id = id{columns} WHERE namespace = '{namespace}' AND id = {id}"
    ));
}

/// The only delivery.
fn only_delivery(shop: &Shop<'_>) -> Value {
    let rows = shop.rows("SELECT * FROM deliveries");
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].clone()
}

/// A JSON column.
fn column(row: &Value, name: &str) -> Value {
    row[name].as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

#[test]
fn a_conversion_writes_the_delivery_of_its_connector() {
    let world = World::new();
    let shop = Shop::open(&world);
    connects(&shop, 7, json!(["Purchase"]), "");
    let id = shop.clicks(2);
    let body = shop.reports(200, &format!("click_id={id}&order_id=A&amount=15.00&custom1=x"));
    let delivery = only_delivery(&shop);
    assert_eq!(delivery["connector_id"], 7);
    assert_eq!((&delivery["kind"], &delivery["state"]), (&json!("webhook"), &json!("waiting")));
    assert_eq!(delivery["conversion_id"], body["conversion_id"]);
    assert_eq!((&delivery["revision"], &delivery["event_name"]), (&json!(1), &json!("Purchase")));
    assert_eq!(delivery["click_id"], id.as_str());
    for name in ["due_at", "created_at", "happened_at"] {
        assert_eq!(delivery[name], world.now().ms(), "{name}");
    }
    let begins = format!("msg_{:012x}", world.now().ms());
    assert!(delivery["delivery_id"].as_str().unwrap().starts_with(&begins));
    assert_eq!(delivery["personal"], Value::Null);
    assert_eq!(
        column(&delivery, "values"),
        json!({
            "VALUE": "15.00", "CURRENCY": "USD", "TRANSACTION_ID": "A", "ORDER_ID": "A", "STATUS": "approved",
            "PAYOUT": "5.00", "AFFILIATE_ID": "2", "CAMPAIGN_ID": "1", "ref_id": "2", "advertiser_id": "1",
            "TIMESTAMP": world.now().seconds().to_string(), "BACKTRAIL_CLICK_ID": id, "country": "DE",
            "revenue": "8.00", "custom1": "x", "CUSTOM1": "x",
        })
    );
    assert!(shop.edge.isolate.memory.wake.take(), "the sender is to be woken");
    // Not again for a repeat.
    shop.reports(200, &format!("click_id={id}&order_id=A&amount=15.00&custom1=x"));
    only_delivery(&shop);
    assert!(!shop.edge.isolate.memory.wake.take());
}
