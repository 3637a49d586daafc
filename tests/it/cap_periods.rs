//! Days and months of caps are those of the namespace's time zone, also where it changes its clocks.

use backtrail::domain::time::Timestamp;
use backtrail::http::request::Method::Post;
use serde_json::json;

use crate::caps::{CAPPED, cap, sale};
use crate::support::{Shop, World};

/// A shop in a time zone with one hard cap of one conversion.
fn open<'w>(world: &'w World, zone: &str, period: &str) -> Shop<'w> {
    let shop = Shop::open(world);
    shop.operator.changes("namespaces/demo", json!({ "time_zone": zone }));
    cap(&shop, json!({ "period": period, "conversions_limit": 1 }));
    shop
}

/// Waits until a time.
fn until(shop: &Shop<'_>, time: &str) {
    let time = Timestamp::parse(time).unwrap();
    assert!(shop.world().now() <= time, "it is {}", shop.world().now().to_rfc3339());
    shop.world().waits_ms(time.ms_since(shop.world().now()));
}

#[test]
fn a_period_ends_at_midnight_of_the_zone_whatever_its_clocks_do() {
    for (zone, period, times) in [
        // The first moment of a period, its last one, and the first one of the next.
        (
            "UTC",
            "day",
            ["2026-11-22T00:00:00Z", "2026-11-22T23:59:59.999Z", "2026-11-23T00:00:00Z"],
        ),
        (
            "Asia/Tokyo",
            "day",
            ["2026-11-21T15:00:00Z", "2026-11-22T14:59:59.999Z", "2026-11-22T15:00:00Z"],
        ),
        (
            "America/Argentina/Ushuaia",
            "day",
            ["2026-11-22T03:00:00Z", "2026-11-23T02:59:59.999Z", "2026-11-23T03:00:00Z"],
        ),
        // 23 hours, and 25.
        (
            "Europe/Paris",
            "day",
            ["2027-03-27T23:00:00Z", "2027-03-28T21:59:59.999Z", "2027-03-28T22:00:00Z"],
        ),
        (
            "Europe/Paris",
            "day",
            ["2027-10-30T22:00:00Z", "2027-10-31T22:59:59.999Z", "2027-10-31T23:00:00Z"],
        ),
        // A day that begins at one o'clock.
        (
            "Africa/Cairo",
            "day",
            ["2027-04-29T22:00:00Z", "2027-04-30T20:59:59.999Z", "2027-04-30T21:00:00Z"],
        ),
        (
            "UTC",
            "month",
            ["2026-12-01T00:00:00Z", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z"],
        ),
        (
            "Europe/Paris",
            "month",
            ["2027-02-28T23:00:00Z", "2027-03-31T21:59:59.999Z", "2027-03-31T22:00:00Z"],
        ),
        (
            "Asia/Tokyo",
            "month",
            ["2027-01-31T15:00:00Z", "2027-02-28T14:59:59.999Z", "2027-02-28T15:00:00Z"],
        ),
    ] {
        let world = World::new();
        let shop = open(&world, zone, period);
        until(&shop, times[0]);
        assert_eq!(shop.reports(200, &sale(&shop, 1))["verdict"], "recorded", "{zone} {times:?}");
        until(&shop, times[1]);
        shop.is_refused(CAPPED, &sale(&shop, 1));
        until(&shop, times[2]);
        assert_eq!(shop.reports(200, &sale(&shop, 1))["verdict"], "recorded", "{zone} {times:?}");
        shop.is_refused(CAPPED, &sale(&shop, 1));
        assert_eq!(shop.rows("SELECT 1 FROM cap_uses WHERE conversions = 1").len(), 2);
    }
}

#[test]
fn a_postback_that_is_judged_again_belongs_to_the_period_of_its_arrival() {
    let world = World::new();
    let shop = open(&world, "UTC", "day");
    until(&shop, "2026-11-21T23:00:00Z");
    shop.reports(200, &format!("{}&order_id=A", sale(&shop, 1)));
    let refused = shop.is_refused(CAPPED, &sale(&shop, 1));
    let path = format!("inbox/{}/judge", refused["request_id"].as_str().unwrap());
    until(&shop, "2026-11-22T08:00:00Z");
    // The new day has places, but it arrived on the old one.
    let judged = shop.operator.calls(Post, &path, None, 200);
    assert_eq!(judged["reason"], "capped");
    assert!(judged["detail"].as_str().unwrap().contains("on 2026-11-21"), "{judged}");
    shop.reports(200, "campaign_id=1&order_id=A&status=rejected");
    world.waits_ms(1_000);
    assert_eq!(shop.operator.calls(Post, &path, None, 200)["verdict"], "recorded");
    // It took the place that had become free then, and none of today's.
    let rows = shop.rows("SELECT day, conversions FROM cap_uses");
    assert_eq!(rows, [json!({ "day": "2026-11-21", "conversions": 1 })]);
    assert_eq!(shop.reports(200, &sale(&shop, 1))["verdict"], "recorded");
}

#[test]
fn a_late_rejection_frees_a_place_of_its_own_day() {
    let world = World::new();
    let shop = open(&world, "UTC", "day");
    shop.reports(200, &format!("{}&order_id=A", sale(&shop, 1)));
    until(&shop, "2026-11-22T08:00:00Z");
    shop.reports(200, &sale(&shop, 1));
    shop.reports(200, "campaign_id=1&order_id=A&status=rejected");
    shop.is_refused(CAPPED, &sale(&shop, 1));
    let rows = shop.rows("SELECT day, conversions FROM cap_uses ORDER BY day");
    let row = |day: &str, conversions: u32| json!({ "day": day, "conversions": conversions });
    assert_eq!(rows, [row("2026-11-21", 0), row("2026-11-22", 1)]);
}

#[test]
fn a_zone_that_the_platform_no_longer_knows_is_utc() {
    let world = World::new();
    let shop = open(&world, "UTC", "day");
    world.database().execute("UPDATE namespaces SET time_zone = 'Atlantis/Port'");
    shop.operator.changes("namespaces/demo", json!({ "is_pixels_enabled": false }));
    world.waits_ms(30_001);
    until(&shop, "2026-11-22T00:00:00Z");
    assert_eq!(shop.reports(200, &sale(&shop, 1))["verdict"], "recorded");
    shop.is_refused(CAPPED, &sale(&shop, 1));
}
