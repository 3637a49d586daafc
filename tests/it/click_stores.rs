//! How clicks are kept (design.md 3): rows, pages, copies, memory, and stores that fail.

use backtrail::app::pages::Duty;
use backtrail::app::settings::Settings;
use backtrail::http::request::{Headers, Method};
use backtrail::store::Blobs as _;
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::shop::{id_in, location, person};
use crate::support::world::BEGINNING_MS;
use crate::support::{Edge, Shop, World, block_on};

#[test]
fn every_column_of_a_click_says_what_happened() {
    let world = World::new();
    let shop = Shop::open(&world);
    let visitor = Headers { referer: "https://blog.example/a", ..person() };
    let query = "/click?campaign_id=1&ref_id=2&sub1=one&sub_id_3=three&source=mail&utm_medium=cpc\
                 &aff_click_id=theirs&gclid=G%20%22x%22&lp=1&sub1=other";
    let id = id_in(&location(&shop.visits_with(visitor, query)));
    shop.edge.settles();
    let row = shop.rows("SELECT * FROM clicks").remove(0);
    let parameters: Value = serde_json::from_str(row["parameters"].as_str().unwrap()).unwrap();
    assert_eq!(
        parameters,
        json!({ "sub1": "one", "sub3": "three", "utm_medium": "cpc", "gclid": "G \"x\"" })
    );
    let warnings: Value = serde_json::from_str(row["warnings"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&warnings[0]["code"], &warnings[0]["parameter"]),
        (&json!("repeated_parameter"), &json!("sub1"))
    );
    let mut rest = row;
    for name in ["parameters", "warnings"] {
        rest.as_object_mut().unwrap().remove(name);
    }
    let page = rest["page"].as_u64().unwrap();
    assert!(page < 1 << 48);
    assert_eq!(
        rest,
        json!({
            "namespace": "demo", "time": BEGINNING_MS, "page": page, "ordinal": 0, "click_id": id,
            "ref_id": 2, "campaign_id": 1, "affiliate_id": 2, "landing_page_id": 1,
            "uncounted": null, "country": "DE", "device": "desktop", "os": "windows",
            "earlier_click": null, "address": null, "asn": null,
            "browser": "chrome", "referrer": "https://blog.example/a",
            "user_agent": crate::support::shop::CHROME, "source": "mail",
            "external_click_id": "theirs",
        })
    );
}

#[test]
fn a_page_of_clicks_is_one_statement_and_one_copy() {
    let world = World::new();
    let shop = Shop::open(&world);
    let first = format!("{}/click?ref_id=1", shop.host);
    let (opener, _) = shop.edge.answers_only(Method::Get, &first, person(), b"");
    assert_eq!(opener.duty, Duty { has_opened: true, has_overdue: false });
    for _ in 0..99 {
        let (other, _) = shop.edge.answers_only(Method::Get, &first, person(), b"");
        assert_eq!(other.duty, Duty::default(), "the others only add");
    }
    let before = world.database().batches();
    shop.edge.settles();
    assert_eq!(world.database().batches() - before, 1);
    assert_eq!(shop.count("clicks"), 100);
    let copies: Vec<String> =
        world.stores.blobs.keys().into_iter().filter(|k| k.starts_with("clicks/")).collect();
    assert_eq!(copies.len(), 1);
    let copy: Value = serde_json::from_str(&world.stores.blobs.text(&copies[0]).unwrap()).unwrap();
    assert_eq!(copy.as_array().unwrap().len(), 100);
    shop.edge.settles();
    assert_eq!(world.database().batches() - before, 1, "a page that is written is forgotten");
}

#[test]
fn the_copies_of_clicks_can_be_switched_off() {
    let world = World::of(Settings { has_click_copies: false, ..World::settings() });
    let shop = Shop::open(&world);
    shop.clicks(1);
    shop.edge.settles();
    assert_eq!(shop.count("clicks"), 1);
    assert!(world.stores.blobs.keys().iter().all(|key| !key.starts_with("clicks/")));
}

#[test]
fn a_redirect_waits_for_no_store_and_its_click_is_not_lost() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.clicks(1);
    world.database().breaks(Break::BeforeCommit, usize::MAX);
    world.stores.blobs.breaks();
    for _ in 0..3 {
        shop.clicks(1);
    }
    shop.edge.settles();
    assert_eq!(shop.count("clicks"), 0);
    // A page whose writer failed is written by whoever comes by later.
    world.database().mends();
    world.stores.blobs.mends();
    world.waits_ms(1_001);
    let address = format!("{}/click?ref_id=1", shop.host);
    let (later, _) = shop.edge.answers_only(Method::Get, &address, person(), b"");
    assert!(later.duty.has_overdue);
    shop.edge.settles();
    assert_eq!(shop.count("clicks"), 5);
}

#[test]
fn a_cancelled_opener_loses_no_click() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.clicks(1);
    world.waits_ms(5_000);
    let address = format!("{}/click?ref_id=1", shop.host);
    let (second, _) = shop.edge.answers_only(Method::Get, &address, person(), b"");
    assert!(second.duty.has_overdue && !second.duty.has_opened);
    shop.edge.settles();
    assert_eq!(shop.count("clicks"), 2);
}

#[test]
fn a_page_that_the_ledger_did_not_take_is_written_by_the_cron_job() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.clicks(1);
    shop.follows("ref_id=1&consent=0");
    world.database().breaks(Break::BeforeCommit, 1);
    shop.edge.settles();
    let aside = || world.stores.blobs.keys().iter().filter(|key| key.starts_with("aside/")).count();
    assert_eq!((shop.count("clicks"), aside()), (0, 1));
    world.database().breaks(Break::BeforeCommit, usize::MAX);
    shop.edge.ticks();
    assert_eq!((shop.count("clicks"), aside()), (0, 1), "still down");
    world.database().mends();
    Edge::of(&world).ticks();
    assert_eq!((shop.count("clicks"), shop.count("aggregate_clicks"), aside()), (1, 1, 0));
    assert_eq!(shop.value("SELECT at FROM heartbeats WHERE name = 'cron'"), world.now().ms());
}

#[test]
fn a_page_that_is_written_twice_counts_once() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.clicks(1);
    shop.follows("ref_id=1&consent=0");
    // The ledger took it, but the answer was lost: it is kept aside and written again.
    world.database().breaks(Break::AfterCommit, 1);
    shop.edge.settles();
    assert_eq!(shop.count("clicks"), 1);
    shop.edge.ticks();
    assert_eq!(
        (shop.count("clicks"), shop.value("SELECT SUM(clicks) FROM aggregate_clicks")),
        (1, 1.into())
    );
}

#[test]
fn memory_answers_without_a_store_and_follows_an_edit_within_30_seconds() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.clicks(1);
    let before = world.database().batches();
    for _ in 0..10 {
        shop.clicks(2);
        shop.clicks(1);
    }
    assert_eq!(world.database().batches() - before, 1, "link 2 was looked up once");
    shop.edge.settles();

    shop.operator.changes("landing-pages/1", json!({ "url": "https://new.example/" }));
    let is_new = || shop.follows("ref_id=1").starts_with("https://new.example/");
    world.waits_ms(30_001);
    assert!(is_new());

    // In use it is refreshed behind replies, so that no visitor waits for it.
    shop.operator.changes("landing-pages/1", json!({ "url": "https://newer.example/" }));
    world.waits_ms(16_000);
    assert!(is_new(), "memory still serves");
    assert!(shop.edge.isolate.memory.has_due());
    shop.edge.settles();
    assert!(shop.follows("ref_id=1").starts_with("https://newer.example/"));
}

#[test]
fn the_isolate_that_made_an_edit_shows_it_at_once() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.clicks(1);
    let authorization = format!("Bearer {}", crate::support::world::ROOT_KEY);
    let headers = Headers {
        authorization: &authorization,
        content_type: "application/json",
        namespace: "demo",
        ..Headers::default()
    };
    let edit = |path: &str, body: Value| {
        let address = format!("example.com/api/v1/{path}");
        let response =
            shop.edge.answers(Method::Patch, &address, headers, body.to_string().as_bytes());
        assert_eq!(response.status, 200, "{response:?}");
    };
    edit("landing-pages/1", json!({ "url": "https://new.example/" }));
    assert!(shop.follows("ref_id=1").starts_with("https://new.example/"));
    edit("links/1", json!({ "state": "archived" }));
    assert_eq!(shop.visits("/click?ref_id=1").status, 404);
    edit("affiliates/2", json!({ "state": "blocked" }));
    assert_eq!(shop.visits("/click?ref_id=2").status, 404);
}

#[test]
fn an_unknown_link_is_remembered_too() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.visits("/click?ref_id=77");
    let before = world.database().batches();
    for _ in 0..50 {
        assert_eq!(shop.visits("/click?ref_id=77").status, 404);
    }
    assert_eq!(world.database().batches(), before);
    let keys = world.stores.blobs.keys();
    assert!(
        keys.iter().all(|key| !key.contains("77")),
        "whoever guesses numbers writes nothing: {keys:?}"
    );
}

#[test]
fn with_the_ledger_down_redirects_go_on_from_copies_and_memory() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.clicks(1);
    world.database().breaks(Break::BeforeCommit, usize::MAX);
    // Another isolate has only the copies.
    let fresh = Edge::of(&world);
    let address = format!("{}/click?ref_id=1", shop.host);
    assert_eq!(fresh.answers(Method::Get, &address, person(), b"").status, 302);
    // With neither store, what memory has serves for as long as it takes.
    world.stores.blobs.breaks();
    for _ in 0..5 {
        world.waits_ms(40_000);
        assert_eq!(fresh.answers(Method::Get, &address, person(), b"").status, 302);
    }
    let unknown = format!("{}/click?ref_id=2", shop.host);
    let response = fresh.answers(Method::Get, &unknown, person(), b"");
    assert_eq!((response.status, response.header("retry-after")), (503, Some("5")));
}

#[test]
fn with_the_copies_down_nothing_changes() {
    let world = World::new();
    world.stores.blobs.breaks();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    shop.edge.settles();
    assert_eq!(shop.count("clicks"), 1);
    assert_eq!(shop.reports(200, &format!("click_id={id}"))["verdict"], "recorded");
    shop.operator.changes("campaigns/1", json!({ "state": "paused" }));
    world.waits_ms(30_001);
    assert_eq!(shop.visits("/click?ref_id=1").status, 404);
}

#[test]
fn an_edit_while_the_copies_are_down_is_visible_when_they_are_back() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.clicks(1);
    world.stores.blobs.breaks();
    shop.operator.changes("campaigns/1", json!({ "state": "paused" }));
    world.stores.blobs.mends();
    Edge::of(&world).ticks();
    world.waits_ms(30_001);
    assert_eq!(shop.visits("/click?ref_id=1").status, 404);
}

#[test]
fn a_page_of_the_worst_clicks_fits_a_value_of_the_ledger() {
    let world = World::new();
    let shop = Shop::open(&world);
    // In JSON within JSON each of these becomes four bytes.
    for evil in ["%22", "%5C", "%C3%A4"] {
        let value = evil.repeat(512 / (evil.len() / 3));
        let names = (0..20).map(|i| format!("&{}{i:02}={value}", evil.repeat(20)));
        let subs = (1..=10).map(|i| format!("&sub{i}={value}"));
        let query: String = names.chain(subs).collect();
        let referer = "\"".repeat(600);
        let visitor = Headers { referer: &referer, ..person() };
        for _ in 0..300 {
            let query = format!(
                "/click?ref_id=1&source={value}&dl=x&lp=9{}",
                &query[..16_000.min(query.len())]
            );
            assert_eq!(shop.visits_with(visitor, &query).status, 302);
            shop.edge.settles_now();
        }
    }
    shop.edge.settles();
    assert_eq!(shop.count("clicks"), 900);
    assert!(world.stores.blobs.keys().iter().all(|key| !key.starts_with("aside/")));
}

#[test]
fn a_page_that_the_ledger_never_takes_does_not_stand_in_the_way() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.clicks(1);
    world.database().breaks(Break::BeforeCommit, 1);
    shop.edge.settles();
    let too_big = json!({ "clicks": "x".repeat(2_000_001), "aggregates": null }).to_string();
    for name in ["aside/000000000000", "aside/ffffffffffff"] {
        block_on(world.stores.blobs.put(name, &too_big, None)).unwrap();
    }
    shop.edge.ticks();
    assert_eq!(shop.count("clicks"), 1);
    let aside = world.stores.blobs.keys().into_iter().filter(|key| key.starts_with("aside/"));
    assert_eq!(aside.count(), 2, "they stay for somebody to look at");
}

/// How many round trips a new isolate makes for the first clicks of a thousand of so many links.
fn first_clicks(world: &World, shop: &Shop<'_>, links: u64) -> usize {
    let edge = Edge::of(world);
    let before = world.database().batches();
    for number in 0..1_000 {
        // Spread over all of them, the same every time.
        let ref_id = 1 + number * 7_919 % links;
        let address = format!("{}/click?campaign_id=1&ref_id={ref_id}", shop.host);
        edge.answers(Method::Get, &address, person(), b"");
    }
    world.database().batches() - before
}

/// How long 200 clicks of a link in memory take.
#[allow(clippy::disallowed_methods, reason = "this measures")]
fn warm_clicks(shop: &Shop<'_>) -> std::time::Duration {
    let address = format!("{}/click?campaign_id=1&ref_id=1", shop.host);
    let started = std::time::Instant::now();
    (0..200).for_each(|_| drop(shop.edge.answers(Method::Get, &address, person(), b"")));
    let taken = started.elapsed();
    shop.edge.settles();
    taken
}

#[test]
fn a_hundred_thousand_links_are_as_fast_as_ten() {
    let world = World::new();
    let few = Shop::named(&world, "few", json!({}));
    let many = Shop::named(&world, "many", json!({}));
    for (name, count) in [("few", 10), ("many", 100_000)] {
        world.database().execute(&format!(
            "WITH RECURSIVE n (id) AS (SELECT 3 UNION ALL SELECT id + 1 FROM n WHERE id < {count}) \
             INSERT INTO links (namespace, id, campaign_id, affiliate_id, created_at) \
             SELECT '{name}', id, 1, 1, 0 FROM n"
        ));
    }
    // Each link is looked up by its key once, and found as a copy from then on; namespace and
    // campaign have copies since they were made.
    assert_eq!(first_clicks(&world, &many, 100_000), 1_000);
    let plan = world.database().plan();
    assert!(plan.contains("SEARCH links USING PRIMARY KEY") && !plan.contains("SCAN"), "{plan}");
    assert_eq!(first_clicks(&world, &many, 100_000), 0);
    assert_eq!(first_clicks(&world, &few, 10), 10);

    // No copy grows with the number of links.
    let longest = |prefix: &str| {
        let keys = world.stores.blobs.keys().into_iter().filter(|key| key.starts_with(prefix));
        keys.map(|key| world.stores.blobs.text(&key).unwrap().len()).max().unwrap()
    };
    for kind in ["n", "c", "l"] {
        let (few, many) = (format!("config/{kind}/few"), format!("config/{kind}/many"));
        assert!(longest(&many) <= longest(&few) + "100000".len(), "{kind}");
    }
    // The fastest of many turns, because other tests run beside this one; work that grew with the
    // number of links would take ten thousand times as long.
    let turns: Vec<_> = (0..15).map(|_| (warm_clicks(&few), warm_clicks(&many))).collect();
    let few = turns.iter().map(|(few, _)| *few).min().unwrap();
    let many = turns.iter().map(|(_, many)| *many).min().unwrap();
    assert!(many < few * 3, "{many:?} against {few:?}");
}
