//! An edit holds at once in the isolate that made it, whatever older copies it meets afterwards.

use backtrail::app::memory::Wanted;
use backtrail::domain::namespace::Namespace;
use backtrail::http::request::Method;
use backtrail::store::Blobs as _;
use serde_json::json;

use crate::support::database::Break;
use crate::support::shop::{location, person};
use crate::support::{Shop, World, block_on};

/// Where the isolate that edits sends a click.
fn leads(world: &World, shop: &Shop<'_>) -> String {
    let address = format!("{}/click?ref_id=1", shop.host);
    location(&world.answers(Method::Get, &address, person(), b""))
}

fn puts(world: &World, key: &str, text: &str) {
    block_on(world.stores.blobs.put(key, text, None)).unwrap();
}

#[test]
fn an_older_copy_does_not_undo_an_edit_where_it_was_made() {
    let world = World::new();
    let shop = Shop::with(&world, json!({}));
    let key = "config/c/demo/1";
    leads(&world, &shop);
    let older = world.stores.blobs.text(key).unwrap();
    world.waits_ms(1_000);
    let page = json!({ "url": "https://shop.example/new" });
    shop.operator.changes("landing-pages/1", page);
    assert!(leads(&world, &shop).starts_with("https://shop.example/new"));
    // KV gives what it had before for a while yet, and memory is refreshed meanwhile.
    for _ in 0..4 {
        puts(&world, key, &older);
        world.waits_ms(20_000);
        assert!(leads(&world, &shop).starts_with("https://shop.example/new"));
        world.settles();
    }
    // A copy of after the edit counts, whoever made it.
    let newer = older.replace(
        &format!("\"copied_at\":{}", copied_at(&older)),
        &format!("\"copied_at\":{}", world.now().ms()),
    );
    puts(&world, key, &newer);
    world.waits_ms(31_000);
    assert!(!leads(&world, &shop).starts_with("https://shop.example/new"));
}

#[test]
fn an_older_copy_serves_where_nothing_else_does() {
    let world = World::new();
    let shop = Shop::with(&world, json!({}));
    let key = "config/c/demo/1";
    leads(&world, &shop);
    let older = world.stores.blobs.text(key).unwrap();
    world.waits_ms(1_000);
    shop.operator.changes("landing-pages/1", json!({ "url": "https://shop.example/new" }));
    puts(&world, key, &older);
    world.waits_ms(60_000);
    world.database().breaks(Break::BeforeCommit, 9);
    // Memory is too old, but newer than the copy.
    assert!(leads(&world, &shop).starts_with("https://shop.example/new"));
    world.isolate.memory.forget(&Wanted::Campaign(Namespace::parse("demo").unwrap(), 1));
    let location = leads(&world, &shop);
    assert!(
        !location.starts_with("https://shop.example/new"),
        "the older copy, for want of a newer"
    );
}

fn copied_at(text: &str) -> u64 {
    serde_json::from_str::<serde_json::Value>(text).unwrap()["copied_at"].as_u64().unwrap()
}
