//! Where a click leads (wire.md 3): parameters, macros, deep links, and what has no destination.

use backtrail::http::request::Headers;
use serde_json::{Value, json};

use crate::support::shop::{id_in, location, person};
use crate::support::{Shop, World};

/// A shop whose landing page is this template.
fn shop_with_page<'w>(world: &'w World, url: &str, campaign: Value) -> Shop<'w> {
    let shop = Shop::with(world, campaign);
    shop.operator.changes("landing-pages/1", json!({ "url": url }));
    shop
}

#[test]
fn a_click_is_a_302_that_nobody_keeps() {
    let world = World::new();
    let shop = Shop::open(&world);
    let response = shop.visits("/click?campaign_id=1&ref_id=1");
    assert_eq!(response.status, 302);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let id = id_in(&location(&response));
    assert_eq!(location(&response), format!("https://shop.example/?click_id={id}"));
    let again = id_in(&shop.follows("campaign_id=1&ref_id=1"));
    assert_ne!(id, again, "each click has an id of its own");
}

#[test]
fn every_name_of_a_parameter_means_the_same() {
    let world = World::new();
    let page = "https://shop.example/?c={campaign_id}&r={ref_id}&a={affiliate_id}&s1={sub1}\
                &s2={sub2}&s10={sub10}&x={external_click_id}&k={click_id}";
    let shop = shop_with_page(&world, page, json!({}));
    let strip = |location: String| location.split("&k=").next().unwrap().to_owned();
    let expected = "https://shop.example/?c=1&r=2&a=2&s1=one&s2=two&s10=ten&x=theirs";
    for query in [
        "campaign_id=1&ref_id=2&sub1=one&sub2=two&sub10=ten&external_click_id=theirs",
        "offer=1&ref_id=2&sub_id=one&sub_id_2=two&sub_id_10=ten&external_transaction_id=theirs",
        "offer_id=1&affiliate_id=2&sub1=one&sub_id_2=two&sub10=ten&aff_click_id=theirs",
        "offer=1&publisher=2&sub1=one&sub2=two&sub10=ten&aff_click_id=theirs",
        "campaign_id=1&aff_id=2&sub1=+one+&sub2=%20two&sub10=ten&aff_click_id=theirs&sub3=",
        "ref_id=2&sub1=one&sub2=two&sub10=ten&aff_click_id=theirs",
    ] {
        assert_eq!(strip(shop.follows(query)), expected, "{query}");
    }
    assert_eq!(shop.visits("/click?Campaign_id=1&Ref_id=2").status, 404, "names have their case");
}

#[test]
fn both_addresses_take_clicks() {
    let world = World::new();
    let shop = Shop::open(&world);
    for path in ["/?offer=1&aff_id=1", "/?campaign_id=1&ref_id=1", "/?ref_id=1"] {
        id_in(&location(&shop.visits(path)));
    }
    assert_eq!(shop.visits("/").status, 404);
    assert_eq!(shop.visits("/?aff_id=1&sub1=x").status, 404);
    assert_eq!(shop.visits("/?offer=").status, 404, "an empty value is an absent one");
    // A mark of a postback makes it one, whatever else is there.
    assert_eq!(shop.visits("/?offer=1&ref_id=1&transaction_id=x").status, 401);
}

#[test]
fn macros_are_filled_in_and_encoded_for_where_they_stand() {
    let world = World::new();
    let page = "https://shop.example/p/{sub1}/x?a={aid}&cc={country}&d={device}&o={os}&b={browser}\
                &ref={referer}&ua={user_agent}&t={timestamp}&u={unix_time}&s={source}\
                &id={transaction_id}&of={offer}{offer_id}&pub={publisher}{publisher_id}\
                &s2={sub_id_2}#frag-{sub_id}";
    let shop = shop_with_page(&world, page, json!({}));
    let headers = Headers { referer: "https://blog.example/?q=ä&b=1", ..person() };
    let query =
        "/click?campaign_id=1&ref_id=1&sub1=a%2Fb%26c%3Dd%0D%0Ax&sub2=%3C%22%3E&source=s%20p";
    let to = location(&shop.visits_with(headers, query));
    // sub1 has control characters, so it is dropped.
    assert!(
        to.starts_with("https://shop.example/p//x?a=1&cc=DE&d=desktop&o=windows&b=chrome"),
        "{to}"
    );
    assert!(
        to.contains(
            "&ref=https%3A%2F%2Fblog.example%2F%3Fq%3D%C3%A4%26b%3D1&ua=Mozilla%2F5.0%20%28Windows"
        ),
        "{to}"
    );
    assert!(to.contains("&t=1795253400&u=1795253400&s=s%20p&id="), "{to}");
    assert!(to.contains("&of=11&pub=11&s2=%3C%22%3E#frag-"), "{to}");
    assert!(!to.contains("click_id="), "a macro gave the id, so nothing is appended: {to}");

    let to = location(&shop.visits("/click?ref_id=1&sub1=a/b%26c%3Dd%3F%23%25"));
    assert!(to.starts_with("https://shop.example/p/a%2Fb%26c%3Dd%3F%23%25/x?"), "{to}");
    assert!(to.ends_with("#frag-a%2Fb%26c%3Dd%3F%23%25"), "{to}");
}

#[test]
fn a_random_number_is_another_one_each_time() {
    let world = World::new();
    let shop = shop_with_page(&world, "https://shop.example/?n={random}", json!({}));
    let number = |to: String| to.split("n=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let (one, two) = (number(shop.follows("ref_id=1")), number(shop.follows("ref_id=1")));
    assert!(one != two && one.bytes().all(|b| b.is_ascii_digit()), "{one} {two}");
}

#[test]
fn the_click_id_is_appended_before_the_fragment_and_behind_a_query() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "click_id_parameter": "cid" }));
    for (url, begins, ends) in [
        ("https://shop.example", "https://shop.example?cid=", ""),
        ("https://shop.example/#top", "https://shop.example/?cid=", "#top"),
        ("https://shop.example/a?b=c", "https://shop.example/a?b=c&cid=", ""),
        ("https://shop.example/a?b=c#d?e", "https://shop.example/a?b=c&cid=", "#d?e"),
        ("https://shop.example/a?", "https://shop.example/a?cid=", ""),
    ] {
        shop.operator.changes("landing-pages/1", json!({ "url": url }));
        world.waits_ms(30_001);
        let to = shop.follows("campaign_id=1&ref_id=1");
        assert!(to.starts_with(begins) && to.ends_with(ends), "{url}: {to}");
        assert_eq!(to.len(), begins.len() + 48 + ends.len(), "{to}");
    }
}

#[test]
fn lp_chooses_a_landing_page_of_the_campaign() {
    let world = World::new();
    let shop = Shop::open(&world);
    let page =
        |campaign: u32, url: &str| json!({ "campaign_id": campaign, "name": "p", "url": url });
    shop.operator.creates("landing-pages", page(1, "https://shop.example/two"));
    shop.operator.creates("landing-pages", page(1, "https://shop.example/gone"));
    shop.operator.changes("landing-pages/3", json!({ "state": "archived" }));
    let other =
        json!({ "name": "B", "advertiser_id": 1, "currency": "USD", "authentication": "none" });
    shop.operator.creates("campaigns", other);
    shop.operator.creates("landing-pages", page(2, "https://other.example/"));
    let begins = |lp: &str, begins: &str| {
        let to = shop.follows(&format!("ref_id=1&lp={lp}"));
        assert!(to.starts_with(begins), "{lp}: {to}");
    };
    begins("2", "https://shop.example/two?click_id=");
    for unknown in ["3", "4", "99", "x", "-1"] {
        begins(unknown, "https://shop.example/?click_id=");
    }
    shop.edge.settles();
    let warned = shop.rows("SELECT landing_page_id AS lp, warnings FROM clicks ORDER BY ordinal");
    assert_eq!((&warned[0]["lp"], &warned[0]["warnings"]), (&json!(2), &Value::Null));
    for click in &warned[1..4] {
        assert_eq!(click["lp"], 1);
        assert!(click["warnings"].as_str().unwrap().contains("unknown_landing_page"), "{click}");
    }
    assert!(warned[4]["warnings"].as_str().unwrap().contains("dropped_parameter"));
}

#[test]
fn a_deep_link_leads_to_hosts_that_the_campaign_allows() {
    let world = World::new();
    let campaign = json!({
        "deep_link_hosts": ["shop.example", "*.shop.example"],
        "deep_link_parameters": { "aff": "{affiliate_id}", "tag": "a b&{sub1}" },
    });
    let shop = Shop::with(&world, campaign);
    let tail = "aff=1&tag=a%20b%26s%2F1&click_id=";
    for (dl, begins) in [
        ("https%3A%2F%2Fshop.example%2Fp", format!("https://shop.example/p?{tail}")),
        (
            "https%3A%2F%2Fa.b.shop.example%2Fp%3Fq%3D1",
            format!("https://a.b.shop.example/p?q=1&{tail}"),
        ),
        ("HTTPS%3A%2F%2FSHOP.example%3A443", format!("https://shop.example/?{tail}")),
        (
            "https://shop.example/%7Bclick_id%7D",
            format!("https://shop.example/%7Bclick_id%7D?{tail}"),
        ),
    ] {
        for name in ["dl", "redirect_url"] {
            let to = shop.follows(&format!("ref_id=1&sub1=s/1&{name}={dl}"));
            assert!(to.starts_with(&begins), "{dl}: {to}\n{begins}");
            assert_eq!(to.len(), begins.len() + 48, "{to}");
        }
    }
    let to = shop.follows("ref_id=1&dl=https%3A%2F%2Fshop.example%2Fp%23frag");
    assert!(to.starts_with("https://shop.example/p?aff=1&") && to.ends_with("#frag"), "{to}");
    shop.edge.settles();
    assert_eq!(
        shop.value(
            "SELECT COUNT(*) FROM clicks WHERE landing_page_id IS NULL AND warnings IS NULL"
        ),
        9
    );
}

#[test]
fn a_refused_deep_link_goes_to_the_default_page_with_a_warning() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "deep_link_hosts": ["shop.example", "*.sub.example"] }));
    let refused = [
        "http://shop.example/",
        "https://evil.example/",
        "https://shop.example.evil.example/",
        "https://evilshop.example/",
        "https://a.shop.example/",
        "https://sub.example/",
        "https://shop.example:8443/",
        "https://user@shop.example/",
        "https://shop.example@evil.example/",
        "https://shop.example%5C@evil.example/",
        "https://evil.example%5C.shop.example/",
        "//shop.example/",
        "/relative",
        "javascript:alert(1)//shop.example",
        "data:text/html,x",
        "https:shop.example",
        "https://shop.example%0D%0ASet-Cookie:x=1",
        "https://[::1]/",
        "https://127.0.0.1/",
        "https://shop.example%E3%80%82evil.example/",
    ];
    for dl in refused {
        let encoded: String = dl.bytes().map(|b| format!("%{b:02X}")).collect();
        for query in [format!("ref_id=1&dl={dl}"), format!("ref_id=1&dl={encoded}")] {
            let to = shop.follows(&query);
            assert!(to.starts_with("https://shop.example/?click_id="), "{query}: {to}");
            assert!(!to.contains(['\r', '\n']));
        }
    }
    shop.edge.settles();
    let warned = shop.rows("SELECT landing_page_id, warnings FROM clicks");
    assert_eq!(warned.len(), 2 * refused.len());
    for click in warned {
        let warnings = click["warnings"].as_str().unwrap_or_default();
        assert!(
            warnings.contains("deep_link_refused") || warnings.contains("dropped_parameter"),
            "{click}"
        );
        assert_eq!(click["landing_page_id"], 1);
    }
    // The control: an allowed one is followed without a warning.
    assert!(
        shop.follows("ref_id=1&dl=https://shop.example/x").starts_with("https://shop.example/x?")
    );
}

#[test]
fn an_app_scheme_of_the_campaign_is_followed() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "app_schemes": ["market"] }));
    let url = "market://details?id=com.example&referrer={click_id}";
    shop.operator.changes("landing-pages/1", json!({ "url": url }));
    let to = shop.follows("ref_id=1");
    assert!(
        to.starts_with("market://details?id=com.example&referrer=") && to.len() == 41 + 48,
        "{to}"
    );
}

#[test]
fn nothing_in_a_query_is_an_error_to_the_visitor() {
    let world = World::new();
    let shop = Shop::open(&world);
    let many = (0..10_000).map(|i| format!("&p{i}={i}")).collect::<String>();
    let long = format!("&sub1={}", "x".repeat(20_000));
    for junk in [
        "&sub1=a&sub1=b",
        "&sub1=%FF%FE",
        "&%FF=1",
        "&sub1=%00",
        "&&&==&=x&x=",
        "&lp=1&lp=2",
        "&sub1=%ZZ%",
        "&ref_id=2",
        "&affiliate_id=99999999999999999999",
        "&consent=maybe",
        "&sub1={click_id}",
        "&sub1=\u{202e}",
        many.as_str(),
        long.as_str(),
    ] {
        let to = shop.follows(&format!("campaign_id=1&ref_id=1{junk}"));
        assert!(to.starts_with("https://shop.example/?click_id="), "{to}");
    }
    shop.edge.settles();
    let first = shop.value("SELECT warnings FROM clicks WHERE ordinal = 0");
    assert!(first.as_str().unwrap().contains("repeated_parameter"), "{first}");
    assert_eq!(
        shop.value("SELECT parameters ->> 'sub1' FROM clicks WHERE ordinal = 0"),
        "a",
        "the first wins"
    );
    assert_eq!(shop.value("SELECT ref_id FROM clicks WHERE ordinal = 7"), 1);
    let kept =
        shop.value("SELECT COUNT(*) FROM clicks, json_each(clicks.parameters) WHERE ordinal = 12");
    assert_eq!(kept, 20, "of unknown parameters 20 are kept");
}
