//! Orders that name a person: what is erased of them, and what the sale's sender may still do.

use serde_json::{Value, json};

use crate::erasure::erases;
use crate::support::{Shop, World};

const ORDER: &str = "jane%40example.com-7";

/// A shop of these many conversions per click, and a sale in it of an order with an address in it.
fn sold<'w>(world: &'w World, per_click: &str, more: &str) -> (Shop<'w>, String) {
    let shop = Shop::with(world, json!({ "conversions_per_click": per_click }));
    let click_id = shop.clicks(1);
    shop.edge.settles();
    let sale = format!("click_id={click_id}&order_id={ORDER}&amount=20.00{more}");
    assert_eq!(shop.reports(200, &sale)["verdict"], "recorded");
    (shop, sale)
}

fn orders(shop: &Shop<'_>) -> Vec<Value> {
    shop.rows("SELECT order_id, status FROM conversions")
}

#[test]
fn the_sale_of_an_erased_click_is_recognised_and_can_be_refunded_whatever_its_order() {
    for per_click in ["one", "per_order"] {
        let world = World::new();
        let (shop, sale) = sold(&world, per_click, "");
        let click_id = sale.split(['=', '&']).nth(1).unwrap().to_owned();
        erases(&shop, &format!("click_id={click_id}"));
        assert_eq!(orders(&shop), [json!({ "order_id": null, "status": "approved" })]);
        assert_eq!(shop.reports(200, &sale)["verdict"], "duplicate", "{per_click}");
        let refund = format!("click_id={click_id}&order_id={ORDER}&status=refunded");
        assert_eq!(shop.reports(200, &refund)["status"], "refunded", "{per_click}");
        assert_eq!(orders(&shop), [json!({ "order_id": null, "status": "refunded" })]);
        assert!(
            !shop.rows("SELECT * FROM inbox").iter().any(|row| row.to_string().contains("jane"))
        );
        // Another order of the click is another sale, and nothing new is credited to an erased click.
        let other = format!("click_id={click_id}&order_id=8&amount=20.00");
        let reason =
            if per_click == "one" { (422, "repeated_conversion") } else { (404, "unknown_click") };
        shop.is_refused(reason, &other);
    }
}

#[test]
fn a_new_sale_of_an_erased_customer_is_paid_for_whatever_its_order() {
    for per_click in ["one", "per_order"] {
        let world = World::new();
        let (shop, _) = sold(&world, per_click, "&customer_id=Jane");
        erases(&shop, "customer_id=Jane");
        let click_id = shop.clicks(1);
        let sale =
            format!("click_id={click_id}&order_id=jane%40example.com-8&amount=5&customer_id=Jane");
        let reply = shop.reports(200, &sale);
        assert_eq!((&reply["verdict"], &reply["status"]), (&json!("recorded"), &json!("approved")));
        assert_eq!(shop.reports(200, &sale)["verdict"], "duplicate");
        let refund = format!("{sale}&status=refunded");
        assert_eq!(shop.reports(200, &refund)["status"], "refunded");
        shop.edge.settles();
        for table in ["conversions", "inbox", "changes", "deliveries"] {
            let rows = shop.rows(&format!("SELECT * FROM {table}"));
            assert!(!rows.iter().any(|row| row.to_string().contains("jane")), "{table}: {rows:#?}");
        }
    }
}

#[test]
fn an_order_that_nobody_erased_is_another_one_than_none() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "conversions_per_click": "one" }));
    let click_id = shop.clicks(1);
    shop.reports(200, &format!("click_id={click_id}&amount=20.00"));
    let other = format!("click_id={click_id}&order_id={ORDER}");
    shop.is_refused((422, "repeated_conversion"), &other);
    shop.is_refused((404, "unknown_order"), &format!("{other}&status=refunded"));
}
