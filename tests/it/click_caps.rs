//! Caps of clicks: they end redirects, by sums that the cron job makes (design.md 4).

use backtrail::app::count_clicks::count_clicks;
use backtrail::app::full_caps::CapWatch as _;
use backtrail::domain::time::Timestamp;
use backtrail::http::request::{Headers, Method};
use backtrail::http::response::Response;
use serde_json::{Value, json};

use crate::caps::{cap, sale};
use crate::support::database::Break;
use crate::support::shop::{cookies, location, person};
use crate::support::{Edge, Shop, World, block_on};

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

/// What is counted in a place on a day.
fn counted(shop: &Shop<'_>, affiliate: u32, day: &str) -> u64 {
    let sql = format!(
        "SELECT COALESCE(SUM(clicks), 0) FROM cap_uses WHERE affiliate_id = {affiliate} AND day = '{day}'"
    );
    shop.value(&sql).as_u64().unwrap()
}

const TODAY: &str = "2026-11-21";

#[test]
fn counted_clicks_count_and_nothing_else_does() {
    let world = World::new();
    let shop = Shop::open(&world);
    let test = json!({ "campaign_id": 1, "affiliate_id": 1, "kind": "test" });
    shop.operator.creates("links", test);
    let campaign =
        json!({ "name": "Hats", "advertiser_id": 1, "currency": "USD", "authentication": "token" });
    shop.operator.creates("campaigns", campaign);
    let page = json!({ "campaign_id": 2, "name": "home", "url": "https://hats.example/" });
    shop.operator.creates("landing-pages", page);
    shop.operator.creates("links", json!({ "campaign_id": 2, "affiliate_id": 1 }));
    click_cap(&shop, 100, json!({}));
    click_cap(&shop, 100, json!({ "affiliate_id": 2, "period": "month" }));
    click_cap(&shop, 100, json!({ "affiliate_id": 2, "period": "total" }));
    for (link, times) in [(1, 2), (2, 3)] {
        (0..times).for_each(|_| drop(shop.clicks(link)));
    }
    let is_followed = |response: Response| assert_eq!(response.status, 302);
    is_followed(
        shop.visits_with(Headers { user_agent: "Googlebot/2.1", ..person() }, "/click?ref_id=1"),
    );
    is_followed(shop.visits_with(Headers { user_agent: "", ..person() }, "/click?ref_id=1"));
    is_followed(shop.visits("/click?ref_id=1&consent=0"));
    is_followed(shop.visits("/click?ref_id=3"));
    is_followed(shop.visits("/click?ref_id=4"));
    let head = format!("{}/click?ref_id=1", shop.host);
    is_followed(shop.edge.answers(Method::Head, &head, person(), b""));
    ticks(&shop);
    assert_eq!(shop.count("clicks"), 9);
    assert_eq!((counted(&shop, 0, TODAY), counted(&shop, 2, TODAY)), (5, 3));
    assert_eq!(counted(&shop, 1, TODAY), 0, "Ann has no cap of her own");
    assert_eq!(shop.rows("SELECT 1 FROM cap_uses WHERE campaign_id <> 1"), [Value::Null; 0]);
    // Conversions use nothing of them.
    shop.reports(200, &sale(&shop, 1));
    assert_eq!(shop.value("SELECT SUM(conversions) FROM cap_uses"), 0);
    assert_eq!(shop.value("SELECT COUNT(*) FROM conversions WHERE caps <> '[]'"), 0);
}

#[test]
fn an_affiliates_own_cap_of_clicks_stands_instead_of_the_general_one() {
    let world = World::new();
    let shop = Shop::open(&world);
    click_cap(&shop, 3, json!({}));
    click_cap(&shop, 2, json!({ "affiliate_id": 2 }));
    shop.clicks(2);
    shop.clicks(2);
    ticks(&shop);
    assert_eq!((status(&shop, 1), status(&shop, 2)), (302, 404));
    // That was Ann's click, the third of all: the general cap bounds her.
    ticks(&shop);
    assert_eq!((status(&shop, 1), status(&shop, 2)), (404, 404));
    shop.operator.changes("caps/2", json!({ "clicks_limit": 9 }));
    ticks(&shop);
    assert_eq!((status(&shop, 1), status(&shop, 2)), (404, 302));
    // A full cap of her own of another period closes as well.
    click_cap(&shop, 3, json!({ "affiliate_id": 2, "period": "month" }));
    ticks(&shop);
    assert_eq!((status(&shop, 1), status(&shop, 2)), (404, 404));
}

#[test]
fn a_raised_or_archived_cap_opens_the_links_within_the_next_run() {
    let world = World::new();
    let shop = Shop::open(&world);
    click_cap(&shop, 1, json!({ "period": "total" }));
    shop.clicks(1);
    ticks(&shop);
    assert_eq!(status(&shop, 1), 404);
    shop.operator.changes("caps/1", json!({ "clicks_limit": 2 }));
    ticks(&shop);
    assert_eq!(status(&shop, 1), 302);
    ticks(&shop);
    assert_eq!(status(&shop, 1), 404);
    shop.operator.changes("caps/1", json!({ "state": "archived" }));
    world.waits_ms(30_001);
    assert_eq!(status(&shop, 1), 302);
    // What was clicked on that day counts again with its return; of other days nothing is added.
    world.waits_ms(86_400_000);
    status(&shop, 1);
    shop.operator.changes("caps/1", json!({ "state": "active", "clicks_limit": 4 }));
    ticks(&shop);
    assert_eq!((counted(&shop, 0, TODAY), counted(&shop, 0, "2026-11-22")), (2, 1));
    assert_eq!(shop.operator.sees("caps/1")["counted_since"], "2026-11-22T00:00:00.000Z");
    assert_eq!(status(&shop, 1), 302);
    ticks(&shop);
    assert_eq!(status(&shop, 1), 404);
}

#[test]
fn a_new_cap_counts_from_the_beginning_of_its_day() {
    for (zone, begins) in [
        ("UTC", "2026-11-21T00:00:00.000Z"),
        ("Asia/Kolkata", "2026-11-21T18:30:00.000Z"),
        ("Asia/Kathmandu", "2026-11-21T18:15:00.000Z"),
        ("Asia/Tokyo", "2026-11-21T15:00:00.000Z"),
        ("America/Argentina/Ushuaia", "2026-11-21T03:00:00.000Z"),
    ] {
        let world = World::new();
        let shop = Shop::open(&world);
        shop.operator.changes("namespaces/demo", json!({ "time_zone": zone }));
        shop.edge.settles();
        // The last moment of yesterday and the first of today.
        let begins_at = Timestamp::parse(begins).unwrap();
        let until = |time: Timestamp| {
            world.waits_ms(time.ms_since(world.now()));
        };
        until(Timestamp::from_ms(begins_at.ms() - 1));
        let is_past = begins_at < world.now();
        shop.clicks(1);
        until(begins_at);
        shop.clicks(1);
        shop.clicks(2);
        shop.edge.settles();
        world.waits_ms(3 * 3_600_000);
        shop.clicks(1);
        click_cap(&shop, 100, json!({ "period": "total" }));
        (0..9).for_each(|_| ticks(&shop));
        let expected = if is_past { 4 } else { 3 };
        assert_eq!(shop.value("SELECT SUM(clicks) FROM cap_uses"), expected, "{zone}");
        assert_eq!(shop.operator.sees("caps/1")["counted_since"], begins, "{zone}");
        assert_eq!(shop.value("SELECT COUNT(DISTINCT day) FROM cap_uses"), 1, "{zone}");
        // Tomorrow is counted for itself.
        world.waits_ms(24 * 3_600_000);
        shop.clicks(1);
        ticks(&shop);
        let rows = shop.rows("SELECT clicks FROM cap_uses ORDER BY day");
        assert_eq!(rows, [json!({ "clicks": expected }), json!({ "clicks": 1 })], "{zone}");
    }
}

#[test]
fn a_page_that_is_written_late_is_counted_with_its_own_day() {
    let world = World::new();
    let shop = Shop::open(&world);
    click_cap(&shop, 100, json!({}));
    shop.clicks(1);
    ticks(&shop);
    // Two pages that the ledger does not take, of another isolate and hours apart.
    let other =
        Shop { edge: Edge::of(&world), operator: shop.operator.clone(), host: shop.host.clone() };
    for _ in 0..2 {
        other.clicks(2);
        world.database().breaks(Break::BeforeCommit, 9);
        other.edge.settles();
        world.database().mends();
        world.waits_ms(2 * 3_600_000);
        // KV has them, but does not tell the cron job yet.
        world.stores.blobs.breaks();
        shop.edge.ticks();
        world.stores.blobs.mends();
    }
    assert_eq!(shop.count("clicks"), 1);
    world.waits_ms(12 * 3_600_000);
    world.stores.blobs.breaks();
    (0..9).for_each(|_| ticks(&shop));
    world.stores.blobs.mends();
    assert_eq!(counted(&shop, 0, TODAY), 1);
    // It counts as yesterday's, in two steps.
    ticks(&shop);
    assert_eq!((shop.count("clicks"), counted(&shop, 0, "2026-11-22")), (3, 0));
    (0..12).for_each(|_| ticks(&shop));
    assert_eq!((counted(&shop, 0, TODAY), counted(&shop, 0, "2026-11-22")), (3, 0));
    // A page that is four minutes late is no exception.
    other.clicks(2);
    for _ in 0..6 {
        world.waits_ms(40_000);
        shop.edge.ticks();
    }
    assert_eq!(counted(&shop, 0, "2026-11-22"), 0);
    other.edge.settles_now();
    shop.edge.ticks();
    assert_eq!(counted(&shop, 0, "2026-11-22"), 1);
}

#[test]
fn a_count_may_end_anywhere_and_be_repeated() {
    for how in [Break::BeforeCommit, Break::AfterCommit] {
        for well in 0..6 {
            let world = World::new();
            let shop = Shop::open(&world);
            click_cap(&shop, 2, json!({}));
            shop.clicks(1);
            shop.clicks(2);
            shop.edge.settles();
            world.database().breaks_after(how, well);
            shop.edge.ticks();
            world.database().mends();
            ticks(&shop);
            assert_eq!(counted(&shop, 0, TODAY), 2, "{how:?} {well}");
            ticks(&shop);
            // If it was noted and nobody told, the campaign's copy is read again because of its age.
            world.waits_ms(10 * 60_000);
            assert_eq!((counted(&shop, 0, TODAY), status(&shop, 1)), (2, 404), "{how:?} {well}");
        }
    }
}

#[test]
fn a_cap_that_came_during_a_count_is_counted_by_the_next() {
    let world = World::new();
    let shop = Shop::open(&world);
    click_cap(&shop, 100, json!({}));
    shop.clicks(2);
    (0..9).for_each(|_| ticks(&shop));
    let stores = &shop.edge.stores;
    let seen = block_on(stores.capped()).unwrap();
    click_cap(&shop, 1, json!({ "affiliate_id": 2 }));
    block_on(count_clicks(stores, &stores.settings, &seen, world.now())).unwrap();
    assert_eq!(counted(&shop, 2, TODAY), 0);
    assert_eq!(shop.value("SELECT has_new FROM click_watches"), 1);
    (0..9).for_each(|_| ticks(&shop));
    assert_eq!((counted(&shop, 0, TODAY), counted(&shop, 2, TODAY)), (1, 1));
    assert_eq!((status(&shop, 1), status(&shop, 2)), (302, 404));
}

#[test]
fn whoever_has_no_caps_of_clicks_pays_nothing_for_them() {
    let world = World::new();
    let shop = Shop::open(&world);
    let spent = |does: &dyn Fn()| {
        let database = world.database();
        let before =
            (database.statements(), shop.value("SELECT total_changes()").as_u64().unwrap());
        does();
        let now = (database.statements(), shop.value("SELECT total_changes()").as_u64().unwrap());
        (now.0 - before.0, now.1 - before.1)
    };
    let clicks = || {
        (0..3).for_each(|_| drop(shop.clicks(1)));
        shop.edge.settles();
    };
    shop.edge.ticks();
    clicks();
    let (plain_page, idle) = (spent(&clicks), spent(&|| shop.edge.ticks()));
    assert_eq!(plain_page, (1, 3), "three rows in one statement");
    cap(&shop, json!({ "conversions_limit": 5 }));
    clicks();
    let capped = spent(&|| shop.edge.ticks());
    assert_eq!(capped, (idle.0 + 1, idle.1), "the statement that compares");
    // The control.
    click_cap(&shop, 100, json!({}));
    assert_eq!(spent(&clicks), plain_page, "the clicks themselves cost no more");
    (0..9).for_each(|_| shop.edge.ticks());
    assert_eq!(spent(&|| shop.edge.ticks()), (idle.0 + 5, idle.1), "nothing new, nothing written");
    clicks();
    let counted = spent(&|| shop.edge.ticks());
    assert_eq!(counted, (idle.0 + 5, idle.1 + 2), "a slice and a day");
    shop.operator.changes("caps/2", json!({ "state": "archived" }));
    assert_eq!(spent(&|| shop.edge.ticks()), capped);
}

#[test]
fn slices_are_forgotten_and_days_are_not() {
    let world = World::new();
    let shop = Shop::open(&world);
    click_cap(&shop, 100, json!({ "period": "total" }));
    for _ in 0..9 {
        shop.clicks(1);
        (0..13).for_each(|_| ticks(&shop));
        world.waits_ms(86_400_000);
    }
    (0..13).for_each(|_| ticks(&shop));
    assert_eq!((shop.count("cap_clicks"), shop.count("cap_uses")), (5, 9));
    assert_eq!(shop.value("SELECT SUM(clicks) FROM cap_uses"), 9);
}

#[test]
fn a_changed_time_zone_leaves_what_was_counted_in_its_day() {
    let world = World::new();
    let shop = Shop::open(&world);
    click_cap(&shop, 100, json!({}));
    shop.clicks(1);
    (0..9).for_each(|_| ticks(&shop));
    world.waits_ms(8 * 3_600_000);
    for (zone, day) in [("Asia/Tokyo", "2026-11-22"), ("America/Argentina/Ushuaia", TODAY)] {
        shop.clicks(1);
        ticks(&shop);
        shop.operator.changes("namespaces/demo", json!({ "time_zone": zone }));
        world.waits_ms(30_001);
        shop.clicks(1);
        (0..20).for_each(|_| ticks(&shop));
        let total = shop.value("SELECT SUM(clicks) FROM cap_uses");
        assert_eq!(
            (total, shop.value("SELECT SUM(clicks) FROM cap_clicks")),
            (shop.count("clicks").into(), shop.count("clicks").into())
        );
        world.waits_ms(600_000);
        let before = counted(&shop, 0, day);
        shop.clicks(1);
        ticks(&shop);
        assert_eq!(counted(&shop, 0, day), before + 1, "{zone}");
    }
}
