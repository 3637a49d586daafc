//! What templates say of Backtrail's click: its row, its copy, and how long both are waited for.

use backtrail::domain::time::SECOND_MS;
use serde_json::json;

use crate::support::database::Break;
use crate::support::sending::get;
use crate::support::{Sending, Shop, World};

const TEMPLATE: &str = "https://hooks.example/in?s={sub1}&x={external_click_id}&c={click_id}&d={device}&o={source}&u={{SUB2}}";

/// A shop whose clicks are not written yet, one of them, and a delivery that tells of it.
fn told<'w>(world: &'w World) -> (Shop<'w>, Sending<'w>, String) {
    let shop = Shop::open(world);
    let demo = Sending::beside_of(world);
    let query = "/click?campaign_id=1&ref_id=1&sub1=a%26b&sub2=two&aff_click_id=own&source=mail";
    let id = crate::support::shop::id_in(&crate::support::shop::location(&shop.visits(query)));
    demo.has_connector(1, "enabled", &get(TEMPLATE));
    demo.has_waiting_with(1, 1, "webhook", &format!("'{id}'"), "{}", "NULL");
    (shop, demo, id)
}

fn url(id: &str) -> String {
    format!("https://hooks.example/in?s=a%26b&x=own&c={id}&d=desktop&o=mail&u=two")
}

#[test]
fn the_clicks_row_fills_in_what_templates_say_of_it() {
    let world = World::new();
    let (shop, demo, id) = told(&world);
    shop.edge.settles();
    world.stores.blobs.clear();
    demo.sends();
    assert_eq!(demo.got()[0].url, url(&id));
}

#[test]
fn while_the_row_is_not_there_its_copy_does() {
    let world = World::new();
    let (shop, demo, id) = told(&world);
    shop.edge.settles();
    demo.execute("DELETE FROM clicks");
    demo.sends();
    assert_eq!(demo.got()[0].url, url(&id));
}

#[test]
fn without_either_it_waits_two_minutes_and_then_goes_without() {
    let world = World::new();
    let (shop, demo, id) = told(&world);
    let mut looks = 0;
    while demo.sends().sent == 0 {
        assert_eq!(demo.states(1), ["waiting"]);
        assert_eq!(demo.deliveries(1)[0]["attempts"], 0, "waiting is no attempt");
        assert_eq!(demo.waits_until_due(1), 5 * SECOND_MS);
        looks += 1;
    }
    assert_eq!(looks, 24);
    let expected = format!("https://hooks.example/in?s=&x=&c={id}&d=&o=&u=");
    assert_eq!(demo.got()[0].url, expected);
    drop(shop);
}

#[test]
fn as_soon_as_the_row_arrives_it_goes() {
    let world = World::new();
    let (shop, demo, id) = told(&world);
    assert_eq!(demo.sends().sent, 0);
    shop.edge.settles();
    world.waits_ms(5 * SECOND_MS);
    assert_eq!(demo.sends().sent, 1);
    assert_eq!(demo.got()[0].url, url(&id));
}

#[test]
fn a_template_that_says_nothing_of_the_click_waits_for_nothing() {
    let world = World::new();
    let (_shop, demo, id) = told(&world);
    demo.has_connector(2, "enabled", &get("https://hooks.example/plain?c={click_id}&r={random}"));
    demo.has_waiting_with(2, 1, "webhook", &format!("'{id}'"), "{}", "NULL");
    let statements = world.database().statements();
    assert_eq!(demo.sends().sent, 1);
    assert!(world.database().statements() - statements <= 12);
    let [request] = demo.got().try_into().unwrap();
    let start = format!("https://hooks.example/plain?c={id}&r=");
    let random = request.url.strip_prefix(&start).unwrap();
    assert!(random.parse::<u64>().is_ok(), "{random}");
}

#[test]
fn a_click_of_one_namespace_says_nothing_to_another() {
    let world = World::new();
    let (shop, demo, id) = told(&world);
    shop.edge.settles();
    world.root().creates("namespaces", json!({ "name": "other" }));
    demo.speaks_of("other");
    demo.has_connector(1, "enabled", &get(TEMPLATE));
    demo.has_waiting_with(1, 1, "webhook", &format!("'{id}'"), "{}", "NULL");
    demo.sends();
    world.waits_ms(120 * SECOND_MS);
    demo.sends();
    let urls: Vec<String> = demo.got().into_iter().map(|request| request.url).collect();
    assert_eq!(urls.len(), 2);
    assert_eq!(urls[0], url(&id));
    assert!(urls[1].starts_with("https://hooks.example/in?s=&x=&"), "{}", urls[1]);
}

#[test]
fn a_click_that_could_not_be_read_is_waited_for_however_long_that_takes() {
    let world = World::new();
    let (shop, demo, id) = told(&world);
    shop.edge.settles();
    world.waits_ms(180 * SECOND_MS);
    // Looking, receivers and claiming happen; then the clicks cannot be read.
    let mut has_waited = false;
    for well in 2..=3 {
        world.database().breaks_after(Break::BeforeCommit, well);
        has_waited |= demo.sends().claimed == 1 && demo.got().is_empty();
        world.database().mends();
        assert!(demo.got().iter().all(|request| request.url == url(&id)), "{:?}", demo.got());
        world.waits_ms(75 * SECOND_MS);
    }
    assert!(has_waited);
    demo.sends();
    assert_eq!(demo.got()[0].url, url(&id));
}

#[test]
fn a_copy_that_could_not_be_read_is_not_one_that_is_not_there() {
    let world = World::new();
    let (shop, demo, id) = told(&world);
    shop.edge.settles();
    demo.execute("DELETE FROM clicks");
    world.waits_ms(180 * SECOND_MS);
    world.stores.blobs.breaks();
    assert_eq!(demo.sends().sent, 0);
    assert_eq!(demo.deliveries(1)[0]["attempts"], 0, "waiting is no attempt");
    assert_eq!(demo.waits_until_due(1), 5 * SECOND_MS);
    world.stores.blobs.mends();
    assert_eq!(demo.sends().sent, 1);
    assert_eq!(demo.got()[0].url, url(&id));
}

/// A shop with deliveries that tell of so many clicks, each on a page of its own and in its copy alone,
/// and so long ago that none would be waited for if it were known not to be there.
fn told_of_pages<'w>(world: &'w World, pages: u32) -> (Shop<'w>, Sending<'w>) {
    let shop = Shop::open(world);
    let demo = Sending::beside_of(world);
    demo.has_connector(1, "enabled", &get("https://hooks.example/in?x={external_click_id}"));
    for page in 1..=pages {
        let query = format!("/click?campaign_id=1&ref_id=1&aff_click_id=own{page}");
        let id = crate::support::shop::id_in(&crate::support::shop::location(&shop.visits(&query)));
        shop.edge.settles();
        demo.has_waiting_with(1, 1, "webhook", &format!("'{id}'"), "{}", "NULL");
    }
    demo.execute("DELETE FROM clicks");
    world.waits_ms(180 * SECOND_MS);
    (shop, demo)
}

/// That everything arrived with what is known of its click.
fn is_all_told(demo: &Sending<'_>, pages: u32) {
    let mut urls: Vec<String> = demo.got().into_iter().map(|request| request.url).collect();
    let url = |page| format!("https://hooks.example/in?x=own{page}");
    let mut all: Vec<String> = (1..=pages).map(url).collect();
    urls.sort();
    all.sort();
    assert_eq!(urls, all);
}

#[test]
fn clicks_of_more_pages_than_are_read_at_once_are_waited_for() {
    let world = World::new();
    let (_shop, demo) = told_of_pages(&world, 23);
    for left in [13, 3, 0] {
        demo.sends();
        let waiting = demo.states(1).iter().filter(|state| *state == "waiting").count();
        assert_eq!(waiting, left);
        world.waits_ms(5 * SECOND_MS);
    }
    is_all_told(&demo, 23);
}

#[test]
fn nothing_begins_after_reading_has_taken_longer_than_the_run_has() {
    let world = World::new();
    let (_shop, demo) = told_of_pages(&world, 5);
    let began = world.now();
    world.stores.blobs.slows(&world.clock, 16 * SECOND_MS);
    assert_eq!(demo.sends().sent, 0);
    assert_eq!(world.now().ms_since(began), 16 * SECOND_MS, "one page is read and no more");
    assert_eq!(demo.states(1), ["waiting"; 5]);
    assert!(demo.deliveries(1).iter().all(|row| row["lease"].is_null()), "it is given back");
    assert_eq!(*demo.wakes.borrow(), [0]);
    // A store that is slower than it should be costs time, and keeps nothing from being sent.
    world.stores.blobs.slows(&world.clock, 8 * SECOND_MS);
    for sent in 1..=5 {
        let began = world.now();
        assert_eq!(demo.sends().sent, 1);
        assert!(world.now().ms_since(began) <= 16 * SECOND_MS);
        assert_eq!(demo.got().len(), sent);
        world.waits_ms(5 * SECOND_MS);
    }
    is_all_told(&demo, 5);
}
