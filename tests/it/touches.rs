//! What is kept of visitors: touches and contact data, each write as often as it likes to come.

use backtrail::app::touches::{Known, Sighting, Touches as _, Trail};
use backtrail::domain::namespace::Namespace;
use backtrail::domain::time::{DAY_MS, MINUTE_MS, Timestamp};
use backtrail::domain::touch::{OWN, Touch};
use serde_json::json;

use crate::support::{Shop, World, block_on};

const JANE: &str = "0123456789abcdef0123456789abcdef";
const BOB: &str = "fedcba9876543210fedcba9876543210";

fn demo() -> Namespace {
    Namespace::parse("demo").unwrap()
}

fn touch(parameter: &str, value: &str, at: Timestamp) -> Touch {
    let sources = vec![("utm_source".into(), "x\"y".into())];
    Touch { at, parameter: parameter.into(), value: value.into(), sources }
}

fn keeps(shop: &Shop<'_>, visitor: &str, touches: &[Touch], contact: &[(&str, &str)]) {
    let contact: Vec<(String, String)> =
        contact.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let at = shop.world().now();
    let sighting = Sighting { visitor, click_id: None, touches, contact: &contact, at };
    block_on(shop.edge.stores.keep_touches(&demo(), &sighting)).unwrap();
}

fn trail(visitor: Option<&str>, click_id: Option<&str>) -> Trail {
    let (visitor, click_id) = (visitor.map(str::to_owned), click_id.map(str::to_owned));
    Trail { namespace: demo(), visitor, click_id }
}

fn known(shop: &Shop<'_>, visitor: Option<&str>, click_id: Option<&str>) -> Known {
    let mut known = block_on(shop.edge.stores.known(&[trail(visitor, click_id)])).unwrap();
    assert_eq!(known.len(), 1);
    known.remove(0)
}

#[test]
fn a_touch_is_kept_once_and_counts_from_its_newest_arrival() {
    let world = World::new();
    let shop = Shop::open(&world);
    let first = touch("cid", "a", world.now());
    let repeat = Touch { at: first.at.plus_ms(10 * MINUTE_MS), ..first.clone() };
    let again = Touch { at: first.at.plus_ms(10 * MINUTE_MS + 1), ..first.clone() };
    let other = touch("gclid", "g", first.at.plus_ms(5));
    for arrival in [&first, &first, &other, &repeat] {
        keeps(&shop, JANE, std::slice::from_ref(arrival), &[]);
    }
    assert_eq!(known(&shop, Some(JANE), None).touches, [other.clone(), first.clone()]);
    keeps(&shop, JANE, std::slice::from_ref(&again), &[]);
    // An older report that comes late changes nothing.
    keeps(&shop, JANE, std::slice::from_ref(&first), &[]);
    assert_eq!(known(&shop, Some(JANE), None).touches, [again, other]);
    assert_eq!(known(&shop, Some(BOB), None), Known::default());
    assert_eq!(shop.count("touches"), 2);
}

#[test]
fn of_each_visitor_the_fifty_newest_are_kept() {
    let world = World::new();
    let shop = Shop::open(&world);
    let from = world.now();
    keeps(&shop, BOB, &[touch("cid", "bob", from)], &[]);
    for n in 0..60 {
        keeps(&shop, JANE, &[touch("cid", &n.to_string(), from.plus_ms(n))], &[]);
    }
    let touches = known(&shop, Some(JANE), None).touches;
    assert_eq!((touches.len(), touches[0].value.as_str()), (50, "59"));
    assert_eq!(touches[49].value, "10");
    assert_eq!(known(&shop, Some(BOB), None).touches.len(), 1);
}

#[test]
fn a_click_stands_for_the_first_visitor_who_brought_it() {
    let world = World::new();
    let shop = Shop::open(&world);
    let click_id = shop.clicks(1);
    keeps(
        &shop,
        JANE,
        &[touch(OWN, &click_id, world.now()), touch("cid", "jane", world.now())],
        &[],
    );
    world.waits_ms(1);
    // Somebody who got hold of the address, and wants to be paid for her.
    keeps(&shop, BOB, &[touch(OWN, &click_id, world.now()), touch("cid", "bob", world.now())], &[]);
    keeps(&shop, JANE, &[], &[("EMAIL", "jane@example.com")]);
    let jane = known(&shop, None, Some(&click_id));
    assert_eq!(jane, known(&shop, Some(JANE), None));
    assert_eq!(jane.contact, [("EMAIL".to_owned(), "jane@example.com".to_owned())]);
    let of = [trail(Some(BOB), Some(&click_id)), trail(None, None), trail(None, Some(&click_id))];
    let before = world.database().batches();
    let all = block_on(shop.edge.stores.known(&of)).unwrap();
    assert_eq!(world.database().batches() - before, 1);
    assert_eq!(all, [known(&shop, Some(BOB), None), Known::default(), jane]);
    let namespace = Namespace::parse("other").unwrap();
    let elsewhere = of.map(|trail| Trail { namespace: namespace.clone(), ..trail });
    let none = block_on(shop.edge.stores.known(&elsewhere)).unwrap();
    assert_eq!(none, vec![Known::default(); 3]);
}

#[test]
fn contact_data_add_up_and_are_written_again_only_where_they_changed_or_a_day_later() {
    let world = World::new();
    let shop = Shop::open(&world);
    let kept_at = || shop.value("SELECT kept_at FROM visitors").as_u64().unwrap();
    keeps(&shop, JANE, &[], &[("EMAIL", "old@example.com"), ("CITY", "Bonn")]);
    keeps(&shop, JANE, &[], &[("EMAIL", "jane@example.com")]);
    let contact = known(&shop, Some(JANE), None).contact;
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(contact, [pair("CITY", "Bonn"), pair("EMAIL", "jane@example.com")]);
    let first = kept_at();
    world.waits_ms(DAY_MS);
    keeps(&shop, JANE, &[], &[("EMAIL", "jane@example.com")]);
    assert_eq!(kept_at(), first);
    world.waits_ms(1);
    keeps(&shop, JANE, &[], &[("EMAIL", "jane@example.com")]);
    assert_eq!(kept_at(), first + DAY_MS + 1);
}

#[test]
fn touches_are_forgotten_after_a_year_and_contact_data_after_thirty_days() {
    let world = World::new();
    let shop = Shop::open(&world);
    let counts = || (shop.count("touches"), shop.count("visitors"));
    let forgets = || block_on(shop.edge.stores.forget_touches(world.now(), 10)).unwrap();
    keeps(&shop, JANE, &[touch("cid", "a", world.now())], &[("CITY", "Bonn")]);
    for (waits, left) in [(0, (1, 1)), (30 * DAY_MS, (1, 1)), (1, (1, 0)), (335 * DAY_MS, (0, 0))] {
        world.waits_ms(waits);
        forgets();
        assert_eq!(counts(), left, "{waits}");
    }
    for n in 0..11 {
        keeps(&shop, JANE, &[touch("cid", &n.to_string(), Timestamp::from_ms(5))], &[]);
    }
    forgets();
    assert_eq!(counts().0, 1, "so many at once");
}

#[test]
fn a_connector_knows_its_namespaces_visitors_as_its_settings_say() {
    let world = World::new();
    let shop = Shop::open(&world);
    let read = || {
        world.waits_ms(30_001);
        let (memory, now) = (&shop.edge.isolate.memory, world.now());
        let wanted = backtrail::app::memory::Wanted::Namespace(demo());
        let load = backtrail::app::ports::Configuration::load(
            &shop.edge.stores,
            std::slice::from_ref(&wanted),
            now,
        );
        world.stores.blobs.clear();
        block_on(load).unwrap();
        match memory.namespace(&demo(), now) {
            backtrail::app::memory::Lookup::Known(space) => space.tracking.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(), Default::default());
    let adds = |id: u32, mode: &str, columns: &str, values: &str| {
        world.database().execute(&format!(
            "INSERT INTO connectors (namespace, id, name, mode, created_at, {columns}) VALUES ('demo', {id}, 'c', '{mode}', 1, {values})"
        ));
    };
    let matching = json!({ "parameter": "cid", "source_parameter": null, "source_value": null, "model": "any", "window_days": 14 });
    adds(1, "disabled", "matching, pixel, is_pixel_on", &format!("'{matching}', '{{}}', 1"));
    assert_eq!(read(), Default::default(), "a disabled one wants nothing");
    adds(2, "test", "matching", &format!("'{matching}'"));
    adds(3, "enabled", "matching", &format!("'{matching}'"));
    let tracking = read();
    assert_eq!(
        (tracking.matchings.len(), tracking.has_pixels, tracking.names_persons),
        (1, false, false)
    );
    adds(4, "enabled", "pixel, is_pixel_on", r#"'{"code":"<i>{{VALUE}}</i>"}', 1"#);
    assert!(read().has_pixels && !read().names_persons);
    adds(5, "enabled", "webhook", r#"'{"url":"https://x.example/?e={{EMAIL:lower:sha256}}"}'"#);
    assert!(read().names_persons);
}
