//! Many postbacks at once: the copies of their answers share writes, and still answer repeats while
//! the ledger is down.

use backtrail::app::errands;
use backtrail::domain::namespace::Namespace;
use backtrail::http::Isolate;
use backtrail::http::request::Method;
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::shop::{TOKEN, server, text};
use crate::support::world::json_of;
use crate::support::{Edge, Shop, World, block_on};

/// Sends postbacks that are all answered before any copy is written. The queries, and how many of
/// their requests have to write.
fn rush(shop: &Shop<'_>, count: usize) -> (Vec<(String, String)>, usize) {
    let mut writers = 0;
    let sent = (0..count).map(|_| {
        let id = shop.clicks(1);
        let query = format!("click_id={id}&order_id=of-{id}&token={TOKEN}");
        let address = format!("{}/postback?{query}", shop.host);
        let (answer, errand) = shop.edge.answers_only(Method::Get, &address, server(), b"");
        let Isolate { refusals, answers, doubts, .. } = &shop.edge.isolate;
        let now = shop.world().now();
        let duty = errands::duty(refusals, answers, doubts, errand.unwrap(), now);
        writers += usize::from(duty == "k");
        (query, text(&answer.response).to_owned())
    });
    (sent.collect(), writers)
}

fn write(edge: &Edge<'_>) {
    let now = edge.world.now();
    block_on(errands::keep_answers(&edge.stores, &edge.isolate.answers, || now, async || ()));
}

fn copies(world: &World) -> Vec<String> {
    let keys = world.stores.blobs.keys().into_iter();
    keys.filter(|key| key.starts_with("answer")).collect()
}

#[test]
fn the_copies_of_a_rush_share_pages_and_answer_every_repeat() {
    let world = World::new();
    let name = "a".repeat(54);
    assert!(Namespace::parse(&name).is_some(), "the longest name");
    let shop = Shop::named(&world, &name, json!({ "conversions_per_click": "per_order" }));
    let (sent, writers) = rush(&shop, 100);
    assert_eq!(writers, 1);
    assert!(copies(&world).is_empty());
    write(&shop.edge);
    assert_eq!(copies(&world).len(), 3, "{:?}", copies(&world));

    world.database().breaks(Break::BeforeCommit, usize::MAX);
    let edge = Edge::of(&world);
    for (query, first) in &sent {
        let address = format!("{}/postback?{query}", shop.host);
        let repeat = edge.answers(Method::Get, &address, server(), b"");
        let repeat = json_of(&repeat, 200);
        let first: Value = serde_json::from_str(first).unwrap();
        assert_eq!(repeat["verdict"], "duplicate");
        assert_eq!(repeat["conversion_id"], first["conversion_id"]);
        assert_eq!(repeat["payout"], first["payout"]);
    }
}

#[test]
fn a_lone_copy_has_a_key_of_its_own() {
    let world = World::new();
    let shop = Shop::open(&world);
    rush(&shop, 1);
    write(&shop.edge);
    assert!(copies(&world)[0].starts_with("answer/demo/cv_"));
}

#[test]
fn a_changed_conversion_replaces_its_copy() {
    let world = World::new();
    let changes = json!({ "is_conflict_updated": true, "conversions_per_click": "per_order" });
    let shop = Shop::with(&world, changes);
    let query = format!("click_id={}&order_id=A&amount=3&token={TOKEN}", shop.clicks(1));
    shop.asks(&query);
    let (mut sent, _) = rush(&shop, 2);
    let changed = query.replace("amount=3", "amount=4");
    sent.push((changed.clone(), text(&shop.asks(&changed)).to_owned()));
    write(&shop.edge);
    world.database().breaks(Break::BeforeCommit, usize::MAX);
    assert_eq!(json_of(&shop.asks(&changed), 200)["verdict"], "duplicate");
    assert_eq!(json_of(&shop.asks(&sent[0].0), 200)["verdict"], "duplicate");
}

#[test]
fn whoever_meets_a_writer_without_progress_takes_over() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "conversions_per_click": "per_order" }));
    assert_eq!(rush(&shop, 2).1, 1, "the writer's request is cancelled");
    world.waits_ms(5_000);
    assert_eq!(rush(&shop, 1).1, 0);
    world.waits_ms(1);
    assert_eq!(rush(&shop, 1).1, 1);
}

#[test]
fn what_comes_while_the_writer_pauses_is_written_together() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "conversions_per_click": "per_order" }));
    rush(&shop, 1);
    let pauses = std::cell::Cell::new(0);
    let pause = async || {
        if pauses.replace(pauses.get() + 1) == 0 {
            assert_eq!(copies(&world).len(), 1, "the first copy waits for nobody");
            for _ in 0..5 {
                assert_eq!(rush(&shop, 1).1, 0, "the writer goes on");
            }
        }
    };
    let (edge, now) = (&shop.edge, world.now());
    block_on(errands::keep_answers(&edge.stores, &edge.isolate.answers, || now, pause));
    assert_eq!((pauses.get(), copies(&world).len()), (2, 2), "{:?}", copies(&world));
}
