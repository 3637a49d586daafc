//! Links of a campaign whose hard cap is known to be full lead nowhere (wire.md 3).

use serde_json::{Value, json};

use crate::caps::{CAPPED, cap, sale};
use crate::support::database::Break;
use crate::support::shop::{cookies, location};
use crate::support::{Shop, World};

fn status(shop: &Shop<'_>, link: u32) -> u16 {
    shop.visits(&format!("/click?ref_id={link}")).status
}

/// The cron job runs, and every isolate notices what it wrote.
fn ticks(shop: &Shop<'_>) {
    shop.edge.ticks();
    shop.world().waits_ms(30_001);
}

fn full_in(shop: &Shop<'_>) -> Value {
    shop.operator.sees("caps/1")["full_in"].clone()
}

#[test]
fn a_full_day_closes_the_links_until_it_ends() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "period": "day", "conversions_limit": 1 }));
    let late = sale(&shop, 2);
    shop.reports(200, &sale(&shop, 1));
    ticks(&shop);
    assert_eq!((status(&shop, 1), status(&shop, 2)), (404, 404));
    assert_eq!(full_in(&shop), "2026-11-21");
    // Clicks of before are judged by the count.
    shop.is_refused(CAPPED, &late);
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

#[test]
fn a_place_that_becomes_free_opens_the_links_again() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 1 }));
    shop.reports(200, &format!("{}&order_id=A", sale(&shop, 1)));
    ticks(&shop);
    assert_eq!(status(&shop, 1), 404);
    shop.reports(200, "campaign_id=1&order_id=A&status=rejected");
    ticks(&shop);
    assert_eq!((status(&shop, 1), full_in(&shop)), (302, Value::Null));
    shop.reports(200, "campaign_id=1&order_id=A&status=approved");
    ticks(&shop);
    assert_eq!(status(&shop, 1), 404);
    shop.operator.changes("caps/1", json!({ "conversions_limit": 2 }));
    ticks(&shop);
    assert_eq!(status(&shop, 1), 302);
}

#[test]
fn soft_caps_and_other_affiliates_caps_close_nothing() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 1, "mode": "soft" }));
    shop.reports(200, &sale(&shop, 1));
    ticks(&shop);
    assert_eq!(status(&shop, 1), 302);
    cap(&shop, json!({ "conversions_limit": 1, "affiliate_id": 2 }));
    shop.reports(200, &sale(&shop, 2));
    ticks(&shop);
    assert_eq!((status(&shop, 1), status(&shop, 2)), (302, 404));
    // Ann has a cap of her own, so that the general one closes only Bea's.
    shop.operator.changes("caps/2", json!({ "state": "archived" }));
    cap(&shop, json!({ "conversions_limit": 9, "affiliate_id": 1 }));
    shop.operator.changes("caps/1", json!({ "mode": "hard" }));
    ticks(&shop);
    assert_eq!((status(&shop, 1), status(&shop, 2)), (302, 404));
}

#[test]
fn the_cron_job_writes_only_what_has_changed_and_goes_on_where_it_failed() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.edge.ticks();
    let statements = || world.database().statements();
    let before = statements();
    shop.edge.ticks();
    let idle = statements() - before;
    cap(&shop, json!({ "conversions_limit": 1 }));
    shop.reports(200, &sale(&shop, 1));
    shop.edge.settles();
    for well in (0..6).rev() {
        world.database().breaks_after(Break::BeforeCommit, well);
        shop.edge.ticks();
        world.database().mends();
    }
    ticks(&shop);
    assert_eq!(status(&shop, 1), 404);
    let before = statements();
    shop.edge.ticks();
    assert_eq!(statements() - before, idle + 1, "it looks, and writes nothing");
}
