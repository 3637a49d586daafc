//! What depends on other objects: links, default flags, tokens, and the redirect's copies.

use backtrail::app::memory::{Lookup, Wanted};
use backtrail::app::ports::Configuration as _;
use backtrail::domain::namespace::Namespace;
use backtrail::http::request::Method::{Delete, Patch, Post};
use serde_json::{Value, json};

use crate::api::{shop, with};
use crate::support::database::Break;
use crate::support::{World, block_on};

#[test]
fn the_default_landing_page_moves_but_never_goes() {
    let world = World::new();
    let demo = shop(&world);
    let page = |name: &str| json!({ "campaign_id": 1, "name": name, "url": "https://shop.example/?c={click_id}" });
    assert_eq!(demo.creates("landing-pages", page("one"))["is_default"], true);
    assert_eq!(demo.creates("landing-pages", page("two"))["is_default"], false);
    let three = with(page("three"), "is_default", true.into());
    assert_eq!(demo.creates("landing-pages", three)["is_default"], true);
    let defaults = || -> Vec<Value> {
        let pages = demo.lists("landing-pages?campaign_id=1");
        pages.into_iter().filter(|p| p["is_default"] == true).map(|p| p["id"].clone()).collect()
    };
    assert_eq!(defaults(), [3]);
    demo.changes("landing-pages/2", json!({ "is_default": true }));
    assert_eq!(defaults(), [2]);
    demo.is_told(
        Patch,
        "landing-pages/2",
        json!({ "is_default": false, "state": "archived" }),
        &["is_default: default_required"],
    );
    demo.is_told(
        Patch,
        "landing-pages/2",
        json!({ "state": "archived" }),
        &["state: default_required"],
    );
    demo.changes("landing-pages/1", json!({ "state": "archived" }));
    assert_eq!(defaults(), [2]);
}

#[test]
fn many_links_are_created_at_once_or_not_at_all() {
    let world = World::new();
    let demo = shop(&world);
    demo.creates("affiliates", json!({ "name": "Bea" }));
    let link = |affiliate: u64| json!({ "campaign_id": 1, "affiliate_id": affiliate });
    demo.creates("links", link(1));
    let links: Vec<Value> = (0..5_000).map(|i| link(1 + i % 2)).collect();
    let made = demo.creates("links", json!({ "links": links }));
    let made = made["data"].as_array().unwrap();
    assert_eq!(made.len(), 5_000);
    assert_eq!((&made[0]["id"], &made[4_999]["id"]), (&json!(2), &json!(5_001)));
    assert_eq!(
        made[1]["click_url"],
        "https://demo-tracking.example.com/click?campaign_id=1&ref_id=3"
    );
    let defaults: Vec<&Value> =
        made.iter().filter(|l| l["is_default"] == true).map(|l| &l["id"]).collect();
    assert_eq!(defaults, [3], "the first of the affiliate who had none");

    let wrong = json!({ "links": [link(1), { "campaign_id": 1, "affilate_id": 1 }, link(9)] });
    let faults = ["links[1].affilate_id: unknown_field", "links[1].affiliate_id: required"];
    demo.is_told(Post, "links", wrong, &faults);
    let unknown = json!({ "links": [link(1), link(9), link(2), link(8)] });
    let faults =
        ["links[1].affiliate_id: unknown_reference", "links[3].affiliate_id: unknown_reference"];
    demo.is_told(Post, "links", unknown, &faults);
    let twice = with(link(2), "is_default", true.into());
    let twice = json!({ "links": [twice, twice] });
    demo.is_told(Post, "links", twice, &["links[1].is_default: invalid"]);
    demo.is_told(Post, "links", json!({ "links": [] }), &["links: invalid"]);
    assert_eq!(world.database().rows("SELECT COUNT(*) AS n FROM links")[0]["n"], 5_001);
}

#[test]
fn a_claimed_default_link_moves_from_its_affiliates_others() {
    let world = World::new();
    let demo = shop(&world);
    let link = json!({ "campaign_id": 1, "affiliate_id": 1 });
    demo.creates("links", link.clone());
    demo.creates(
        "links",
        json!({ "links": [link, with(link.clone(), "is_default", true.into())] }),
    );
    let defaults =
        || -> Vec<bool> { demo.lists("links").iter().map(|l| l["is_default"] == true).collect() };
    assert_eq!(defaults(), [false, false, true]);
    assert_eq!(world.copy("d/demo/1/1")["id"], 3);
    demo.changes("links/2", json!({ "is_default": true, "name": "main" }));
    assert_eq!(defaults(), [false, true, false]);
    assert_eq!(world.copy("d/demo/1/1")["id"], 2);
    demo.is_told(Patch, "links/2", json!({ "is_default": null }), &["is_default: invalid"]);
    demo.is_told(
        Patch,
        "links/2",
        json!({ "is_default": false }),
        &["is_default: default_required"],
    );
    demo.is_refused(Delete, "links/2", None, (405, "method_not_allowed"));
    demo.is_told(Patch, "links/2", json!({ "affiliate_id": 2 }), &["affiliate_id: create_only"]);
}

#[test]
fn two_tokens_of_an_owner_are_valid_at_once() {
    let world = World::new();
    let demo = shop(&world);
    let token = json!({ "level": "campaign", "level_id": 1 });
    let first = demo.creates("tokens", token.clone());
    assert!(first["token"].as_str().unwrap().starts_with("btp_"));
    assert_eq!(demo.sees("tokens/1").get("token"), None, "it is shown once");
    let chosen = "chosen-by-somebody-else-0123456789";
    assert_eq!(
        demo.creates("tokens", with(token.clone(), "token", chosen.into()))["token"],
        chosen
    );
    demo.is_refused(Post, "tokens", Some(token.clone()), (409, "conflict"));
    demo.creates("tokens", json!({ "level": "namespace" }));
    demo.removes("tokens/1");
    demo.removes("tokens/1");
    assert_ne!(demo.sees("tokens/1")["revoked_at"], Value::Null);
    demo.creates("tokens", token);
    let hashes = world.copy("c/demo/1")["token_hashes"].as_str().unwrap().to_owned();
    assert_eq!(serde_json::from_str::<Vec<String>>(&hashes).unwrap().len(), 2);
    demo.is_told(Post, "tokens", json!({ "level": "campaign" }), &["level_id: required"]);
    demo.is_told(
        Post,
        "tokens",
        json!({ "level": "namespace", "level_id": 1 }),
        &["level_id: invalid"],
    );
    let weak = json!({ "level": "namespace", "token": "short" });
    demo.is_told(Post, "tokens", weak, &["token: invalid"]);
}

#[test]
fn the_redirects_copies_follow_every_change() {
    let world = World::new();
    let demo = shop(&world);
    assert_eq!(world.stores.blobs.keys(), ["config/n/demo"], "what is new has no copies yet");
    demo.changes("campaigns/1", json!({ "state": "paused" }));
    assert_eq!(world.copy("c/demo/1")["state"], "paused");
    let page = json!({ "campaign_id": 1, "name": "p", "url": "https://shop.example/" });
    demo.creates("landing-pages", page);
    assert!(world.copy("c/demo/1")["landing_pages"].to_string().contains("shop.example"));
    demo.changes("affiliates/1", json!({ "state": "blocked" }));
    assert_eq!(world.copy("n/demo")["blocked_affiliates"], "[1]");
    demo.changes("advertisers/1", json!({ "name": "Shop 2" }));
    assert_eq!(world.copy("a/demo/1")["id"], 1);

    // The write stands when the copies cannot follow, and a copy that is behind is not kept.
    world.stores.blobs.breaks();
    demo.changes("campaigns/1", json!({ "state": "active" }));
    world.stores.blobs.mends();
    world.database().breaks_after(Break::BeforeCommit, 3);
    assert_eq!(demo.changes("campaigns/1", json!({ "state": "archived" }))["state"], "archived");
    assert_eq!(world.copy("c/demo/1"), Value::Null);
}

#[test]
fn an_unknown_link_is_known_as_soon_as_it_is_created() {
    let world = World::new();
    let demo = shop(&world);
    let namespace = Namespace::parse("demo").unwrap();
    let link = Wanted::Link(namespace.clone(), 1);
    block_on(world.stores.load(std::slice::from_ref(&link), world.now())).unwrap();
    let looks = || world.stores.memory.link(&namespace, 1, world.now());
    assert!(matches!(looks(), Lookup::Absent));
    demo.creates("links", json!({ "campaign_id": 1, "affiliate_id": 1 }));
    block_on(world.stores.load(std::slice::from_ref(&link), world.now())).unwrap();
    assert!(matches!(looks(), Lookup::Known(_)));
}
