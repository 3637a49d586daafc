//! What a conversion costs in written rows: D1 counts one per row of a table, and one more for each
//! index that takes it (D1, "Pricing"). Counted here, estimated nowhere.

use serde_json::json;

use crate::support::{Shop, World};

/// The b-trees that the rows of a table stand in, besides the table's own: a row of the table is one
/// written row, and one more in each index that takes it. A partial index is asked by its own
/// condition.
fn indexes_entered(shop: &Shop<'_>, table: &str) -> u64 {
    let sql =
        format!("SELECT sql FROM sqlite_schema WHERE tbl_name = '{table}' AND type = 'index'");
    let indexes = shop.rows(&sql);
    let conditions = indexes.iter().map(|index| {
        let sql = index["sql"].as_str().unwrap();
        sql.split_once("WHERE").map_or("true", |(_, condition)| condition)
    });
    conditions
        .map(|condition| {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE {condition}");
            shop.value(&sql).as_u64().unwrap()
        })
        .sum()
}

#[test]
fn a_conversion_writes_at_most_eight_rows() {
    let world = World::new();
    let shop = Shop::open(&world);
    let written = || -> u64 {
        let of = |table| shop.count(table) + indexes_entered(&shop, table);
        of("conversions") + of("inbox")
    };
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}&order_id=A&amount=3"));
    let plain = written();
    assert!(plain <= 8, "{plain}");
    assert_eq!(plain, 5, "a new index is a decision: it costs a written row per conversion");
    // The controls: what is not recorded stands in indexes as well.
    shop.reports(200, &format!("click_id={id}&order_id=A"));
    assert_eq!(written(), plain + 2, "a repeat is found by its conversion");
    shop.is_refused((409, "conflict"), &format!("click_id={id}&order_id=A&amount=9"));
    assert_eq!(written(), plain + 2 + 4, "a refusal by its time, its click and its order");
}

#[test]
fn a_conversion_whose_click_is_to_be_examined_writes_two_rows_more() {
    let world = World::new();
    let rules = json!({ "ip_cool_down_action": "hold", "duplicate_click_action": "hold" });
    let shop = Shop::with(&world, rules);
    let written = || -> u64 {
        let of = |table| shop.count(table) + indexes_entered(&shop, table);
        of("conversions") + of("inbox") + of("doubts")
    };
    let id = shop.clicks(1);
    shop.edge.settles();
    shop.reports(200, &format!("click_id={id}&order_id=A&amount=3"));
    assert_eq!(written(), 7);
    // Examined, it has left the index of what is open, and stands in that of the addresses.
    shop.edge.examines();
    assert_eq!(shop.value("SELECT COUNT(*) FROM doubts WHERE examined_at IS NULL"), 0);
    assert_eq!(written(), 7);
}

#[test]
fn a_conversion_that_names_its_customer_writes_at_most_eight_rows() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.operator.creates("payouts", json!({ "campaign_id": 1, "is_lifetime": true }));
    shop.operator.creates("coupons", json!({ "campaign_id": 1, "affiliate_id": 2, "code": "TWO" }));
    world.waits_ms(30_001);
    let written = || -> u64 {
        let of = |table| shop.count(table) + indexes_entered(&shop, table);
        of("conversions") + of("inbox") + of("customers") + of("conversion_customers")
    };
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}&order_id=A&customer_id=K&new_customer=true"));
    assert_eq!(written(), 8, "a new customer is a profile, its number, and whose conversion it is");
    shop.reports(200, "campaign_id=1&order_id=B&customer_id=K");
    assert_eq!(written(), 8 + 5, "a known one: no click, and whose conversion it is");
    shop.reports(200, "campaign_id=1&order_id=C&coupon=TWO");
    assert_eq!(written(), 8 + 5 + 4, "a coupon: no click");
}

#[test]
fn a_conversion_is_one_row_of_two_tables() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    shop.edge.settles();
    let tables: Vec<String> = shop
        .rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect();
    let counts = || -> Vec<u64> { tables.iter().map(|table| shop.count(table)).collect() };
    let before = counts();
    shop.reports(200, &format!("click_id={id}&order_id=A"));
    let grown: Vec<(&str, u64)> = tables
        .iter()
        .zip(before.iter().zip(counts()))
        .filter(|(_, (before, after))| *before != after)
        .map(|(table, (before, after))| (table.as_str(), after - before))
        .collect();
    let mut grown = grown;
    grown.sort_unstable();
    assert_eq!(grown, [("conversions", 1), ("inbox", 1)]);
}
