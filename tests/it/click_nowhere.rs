//! Clicks without a destination (wire.md 3), and hosts that name a namespace or none (wire.md 1).

use backtrail::app::settings::Settings;
use backtrail::http::request::Method;
use serde_json::json;

use crate::support::shop::{cookies, location, person, text};
use crate::support::{Edge, Shop, World};

#[test]
fn without_a_destination_the_visitor_goes_back_where_the_campaign_says() {
    let world = World::new();
    let shop = Shop::open(&world);
    let other = json!({
        "name": "B", "advertiser_id": 1, "currency": "USD", "authentication": "none",
        "traffic_back_url": "https://two.example/",
    });
    shop.operator.creates("campaigns", other);
    shop.operator.creates("links", json!({ "campaign_id": 2, "affiliate_id": 1 }));
    let goes = |query: &str| {
        world.waits_ms(30_001);
        let response = shop.visits(&format!("/click?{query}"));
        assert_eq!(cookies(&response), [""; 0], "{query}");
        match response.status {
            302 => location(&response),
            404 => "nowhere".to_owned(),
            other => panic!("{query}: {other}"),
        }
    };
    // Without any traffic-back address there is a small page.
    for nowhere in [
        "",
        "ref_id=99",
        "campaign_id=1",
        "campaign_id=99",
        "campaign_id=1&ref_id=99",
        "campaign_id=1&aff_id=9",
    ] {
        assert_eq!(goes(nowhere), "nowhere", "{nowhere}");
    }
    assert!(text(&shop.visits("/click")).contains("<h1>"));
    assert_eq!(shop.visits("/click").header("content-type"), Some("text/html; charset=utf-8"));
    // A link of another campaign is an unknown link of the one that was named.
    assert_eq!(goes("campaign_id=1&ref_id=3"), "nowhere");
    assert_eq!(goes("campaign_id=2&ref_id=1"), "https://two.example/");

    // The namespace's, unless the campaign has one.
    let back = "https://back.example/?c={campaign_id}&a={affiliate_id}&r={ref_id}&o={aid}&s={sub1}";
    shop.operator.changes("namespaces/demo", json!({ "traffic_back_url": back }));
    assert_eq!(goes("campaign_id=1&ref_id=99&sub1=x"), "https://back.example/?c=1&a=&r=99&o=1&s=x");
    assert_eq!(goes("sub1=x%26y"), "https://back.example/?c=&a=&r=&o=&s=x%26y");
    for (change, query) in [
        (json!({ "state": "paused" }), "ref_id=1&sub1=x"),
        (json!({ "state": "archived" }), "campaign_id=1&aff_id=1&sub1=x"),
    ] {
        shop.operator.changes("campaigns/1", change);
        assert_eq!(goes(query), "https://back.example/?c=1&a=1&r=1&o=1&s=x");
    }
    shop.operator.changes("campaigns/1", json!({ "state": "active" }));
    shop.operator.changes("links/1", json!({ "state": "archived" }));
    assert_eq!(goes("ref_id=1"), "https://back.example/?c=1&a=1&r=1&o=1&s=");
    shop.operator.changes("affiliates/2", json!({ "state": "blocked" }));
    assert_eq!(goes("ref_id=2"), "https://back.example/?c=1&a=2&r=2&o=1&s=");
    shop.operator.changes("campaigns/1", json!({ "traffic_back_url": "https://one.example/" }));
    assert_eq!(goes("ref_id=2"), "https://one.example/");
    // The control: what is open is followed.
    shop.operator.changes("affiliates/2", json!({ "state": "active" }));
    assert!(goes_with_id(&shop, "ref_id=2"));
    shop.edge.settles();
    assert_eq!(shop.count("clicks"), 1, "only what was followed is a click");
}

fn goes_with_id(shop: &Shop<'_>, query: &str) -> bool {
    shop.world().waits_ms(30_001);
    shop.follows(query).starts_with("https://shop.example/?click_id=")
}

#[test]
fn a_campaign_without_landing_pages_takes_deep_links_only() {
    let world = World::new();
    let shop = Shop::open(&world);
    let other = json!({
        "name": "B", "advertiser_id": 1, "currency": "USD", "authentication": "none",
        "deep_link_hosts": ["shop.example"],
    });
    shop.operator.creates("campaigns", other);
    shop.operator.creates("links", json!({ "campaign_id": 2, "affiliate_id": 1 }));
    assert_eq!(shop.visits("/click?ref_id=3").status, 404);
    assert!(
        shop.follows("ref_id=3&dl=https://shop.example/x")
            .starts_with("https://shop.example/x?click_id=")
    );
}

#[test]
fn hosts_name_their_namespaces_and_nothing_else_does() {
    let world = World::new();
    let demo = Shop::open(&world);
    let two = Shop::named(&world, "two", json!({}));
    two.operator.changes("landing-pages/1", json!({ "url": "https://two.example/" }));
    two.operator.creates("hosts", json!({ "hostname": "go.two.example" }));
    let leads = |host: &str, edge: &Edge<'_>| {
        let address = format!("{host}/click?ref_id=1");
        let response = edge.answers(Method::Get, &address, person(), b"");
        let to = response.header("location").unwrap_or("nowhere").to_owned();
        to.split("/?").next().unwrap().to_owned()
    };
    let hosts = [
        ("demo-tracking.example.com", "https://shop.example"),
        ("DEMO-Tracking.example.com.:8787", "https://shop.example"),
        ("two-tracking.localhost:8787", "https://two.example"),
        ("go.two.example", "https://two.example"),
        ("GO.two.example.:443", "https://two.example"),
        ("nobody-tracking.example.com", "nowhere"),
        ("-tracking.example.com", "nowhere"),
        ("example.com", "nowhere"),
        ("[::1]:8787", "nowhere"),
        ("127.0.0.1:8787", "nowhere"),
        ("x.demo-tracking.example.com", "nowhere"),
    ];
    let production = Edge::with(&world, Settings { is_development: false, ..World::settings() });
    for (host, expected) in hosts {
        assert_eq!(leads(host, &production), expected, "{host}");
        let in_development = match (expected, host) {
            ("nowhere", "nobody-tracking.example.com") => "nowhere",
            ("nowhere", _) => "https://shop.example",
            known => known.0,
        };
        assert_eq!(leads(host, &demo.edge), in_development, "{host} in development");
    }
}
