//! Caps of clicks: they end redirects, by sums that the cron job makes (design.md 4).

use serde_json::{Value, json};

use crate::caps::{cap, sale};
use crate::support::shop::{cookies, location};
use crate::support::{Shop, World};

/// A cap of so many clicks, by default a day's and everybody's.
pub fn click_cap(shop: &Shop<'_>, limit: u32, says: Value) -> Value {
    let mut fields = json!({ "what": "clicks", "clicks_limit": limit, "period": "day" });
    for (field, value) in says.as_object().unwrap() {
        fields[field] = value.clone();
    }
    cap(shop, fields)
}

pub fn status(shop: &Shop<'_>, link: u32) -> u16 {
    shop.visits(&format!("/click?ref_id={link}")).status
}

/// What was clicked is written, the cron job runs, and every isolate notices what it wrote.
pub fn ticks(shop: &Shop<'_>) {
    shop.edge.settles();
    shop.edge.ticks();
    shop.world().waits_ms(30_001);
}

#[test]
fn a_full_cap_of_clicks_closes_the_links_until_its_day_ends() {
    let world = World::new();
    let shop = Shop::open(&world);
    click_cap(&shop, 3, json!({}));
    let sold = sale(&shop, 1);
    shop.clicks(2);
    ticks(&shop);
    assert_eq!((status(&shop, 1), status(&shop, 2)), (302, 302));
    ticks(&shop);
    assert_eq!((status(&shop, 1), status(&shop, 2)), (404, 404));
    assert_eq!(shop.operator.sees("caps/1")["full_in"], "2026-11-21");
    // A click of before converts all the same, and so does one that the count came too late for.
    assert_eq!(shop.reports(200, &sold)["status"], "approved");
    assert_eq!(shop.reports(200, &sold)["verdict"], "duplicate");
    shop.operator.changes("campaigns/1", json!({ "traffic_back_url": "https://back.example/" }));
    world.waits_ms(30_001);
    let back = shop.visits("/click?ref_id=1");
    assert_eq!((location(&back).as_str(), cookies(&back).len()), ("https://back.example/", 0));
    // Midnight comes, and no cron job is needed for that.
    world.waits_ms(15 * 3_600_000);
    assert!(shop.follows("ref_id=1").starts_with("https://shop.example/"));
    ticks(&shop);
    assert!(shop.follows("ref_id=1").starts_with("https://shop.example/"));
}
