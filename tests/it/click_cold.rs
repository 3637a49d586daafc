//! The first clicks of an isolate, and what is read again behind replies: in few journeys, since the
//! visitor waits for the first, and each takes some of what an invocation may ask for.

use backtrail::http::request::Method;

use crate::support::shop::person;
use crate::support::world::World;
use crate::support::{Edge, Shop};

/// How often a click of an isolate that has just started reads copies, and asks the ledger.
fn journeys(world: &World, address: &str, status: u16) -> (u32, usize) {
    let edge = Edge::of(world);
    let before = (world.stores.blobs.reads(), world.database().batches());
    assert_eq!(edge.answers(Method::Get, address, person(), b"").status, status, "{address}");
    (world.stores.blobs.reads() - before.0, world.database().batches() - before.1)
}

#[test]
fn what_a_click_names_by_itself_is_read_with_one_call() {
    let world = World::new();
    let shop = Shop::open(&world);
    // So that there is a copy of the affiliate's default link, too.
    shop.visits("/click?campaign_id=1&affiliate_id=1");
    let address = |query: &str| format!("{}/click?{query}", shop.host);
    assert_eq!(journeys(&world, &address("campaign_id=1&ref_id=1"), 302), (1, 0));
    // A link has to be known before its campaign is, and a default link before the link.
    assert_eq!(journeys(&world, &address("ref_id=1"), 302), (2, 0));
    assert_eq!(journeys(&world, &address("campaign_id=1&affiliate_id=1"), 302), (2, 0));
}

#[test]
fn without_copies_each_value_is_one_question_to_the_ledger() {
    let world = World::new();
    let shop = Shop::open(&world);
    let address = format!("{}/click?campaign_id=1&ref_id=1", shop.host);
    world.stores.blobs.clear();
    assert_eq!(journeys(&world, &address, 302), (1, 3));
    world.stores.blobs.clear();
    world.stores.blobs.breaks();
    assert_eq!(journeys(&world, &address, 302), (1, 3));
}

#[test]
fn of_a_namespace_that_does_not_exist_nothing_else_is_asked() {
    let world = World::new();
    let _shop = Shop::open(&world);
    let address = "made-up-tracking.example.com/click?campaign_id=1&ref_id=1";
    assert_eq!(journeys(&world, address, 404), (1, 1));
}

#[test]
fn what_is_refreshed_behind_replies_is_read_with_one_call() {
    let world = World::new();
    let shop = Shop::open(&world);
    for link in [1, 2] {
        shop.clicks(link);
    }
    shop.edge.settles();
    world.waits_ms(16_000);
    for link in [1, 2] {
        shop.clicks(link);
    }
    let before = (world.stores.blobs.reads(), world.database().batches());
    shop.edge.settles();
    // The namespace, the campaign and both links with one call; the ledger gets the page of clicks.
    let after = (world.stores.blobs.reads(), world.database().batches());
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1));
    assert!(!shop.edge.isolate.memory.has_due());
}
