//! What is kept of visitors for the rules that compare clicks: who is the same, for how long that
//! is known, and that no address is stored anywhere.

use backtrail::http::request::{Headers, Method};
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::shop::person;
use crate::support::{Shop, World};

const DAY_MS: u64 = 86_400_000;

fn all_rules() -> Value {
    json!({
        "duplicate_click_action": "hold", "ip_cool_down_action": "hold", "data_centre_action": "hold",
    })
}

/// The clicks that are later ones of their visitor, with the first.
fn later_clicks(shop: &Shop<'_>) -> Vec<(String, String)> {
    let rows =
        shop.rows("SELECT click_id, earlier_click FROM clicks WHERE earlier_click IS NOT NULL");
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(row, "click_id"), text(row, "earlier_click"))).collect()
}

#[test]
fn a_visitor_is_recognised_within_a_day_and_campaign_only() {
    let world = World::new();
    let shop = Shop::with(&world, all_rules());
    let second = json!({ "name": "Hats", "advertiser_id": 1, "currency": "USD", "authentication": "token", "duplicate_click_action": "hold" });
    shop.operator.creates("campaigns", second);
    let page = json!({ "campaign_id": 2, "name": "home", "url": "https://shop.example/" });
    shop.operator.creates("landing-pages", page);
    shop.operator.creates("links", json!({ "campaign_id": 2, "affiliate_id": 1 }));

    let first = shop.clicks(1);
    world.waits_ms(1);
    let same_page = shop.clicks(2);
    shop.edge.settles();
    let next_page = shop.clicks(1);
    shop.follows("campaign_id=2&ref_id=3");
    shop.clicks_with(Headers { client_ip: "203.0.113.8", ..person() }, 1);
    shop.clicks_with(
        Headers {
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
            ..person()
        },
        1,
    );
    shop.edge.settles();
    world.waits_ms(DAY_MS);
    shop.clicks(1);
    shop.edge.settles();
    let mut expected = [(same_page, first.clone()), (next_page, first)];
    let mut later = later_clicks(&shop);
    later.sort();
    expected.sort();
    assert_eq!(later, expected);
}

#[test]
fn nothing_that_is_no_visit_of_a_person_comes_first() {
    let world = World::new();
    let shop = Shop::with(&world, all_rules());
    for headers in [
        Headers { purpose: "prefetch", ..person() },
        Headers { fetch_dest: "image", ..person() },
        Headers { fetch_dest: "iframe", ..person() },
    ] {
        shop.clicks_with(headers, 2);
    }
    let head = format!("{}/click?campaign_id=1&ref_id=2", shop.host);
    shop.edge.answers(Method::Head, &head, person(), b"");
    shop.follows("campaign_id=1&ref_id=2&consent=0");
    let real = shop.clicks(1);
    shop.edge.settles();
    assert_eq!(later_clicks(&shop), []);
    // The prefetched click that is followed by another one is a later one then.
    let prefetched = shop.clicks_with(Headers { purpose: "prefetch", ..person() }, 2);
    shop.edge.settles();
    assert_eq!(later_clicks(&shop), [(prefetched, real)]);
}

#[test]
fn who_asks_not_to_be_tracked_leaves_no_trace() {
    let world = World::new();
    let shop = Shop::with(&world, all_rules());
    let traced = "SELECT COUNT(*) FROM clicks WHERE address IS NOT NULL OR asn IS NOT NULL OR earlier_click IS NOT NULL";
    let visitor = |gpc| Headers { asn: "24940", gpc, ..person() };
    for _ in 0..2 {
        shop.clicks_with(visitor("1"), 1);
    }
    shop.edge.settles();
    assert_eq!((shop.value(traced), shop.count("visitor_clicks")), (json!(0), 0));
    // The control.
    shop.clicks_with(visitor(""), 1);
    shop.edge.settles();
    assert_eq!((shop.value(traced), shop.count("visitor_clicks")), (json!(1), 1));
}

/// Every value of every table and every copy, as one text.
fn everything(shop: &Shop<'_>) -> String {
    let tables = shop.rows("SELECT name FROM sqlite_schema WHERE type = 'table'");
    let mut text = String::new();
    for table in tables {
        let name = table["name"].as_str().unwrap();
        text += &Value::from(shop.rows(&format!("SELECT * FROM {name}"))).to_string();
    }
    let blobs = &shop.world().stores.blobs;
    for key in blobs.keys() {
        text += &format!("{key}: {}\n", blobs.text(&key).unwrap());
    }
    text
}

#[test]
fn no_address_is_stored_anywhere() {
    let world = World::new();
    let shop = Shop::with(&world, all_rules());
    for (order, address) in
        [("A", "203.0.113.77"), ("B", "203.0.113.77"), ("C", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1")]
    {
        let headers = Headers { client_ip: address, asn: "24940", ..person() };
        let id = shop.clicks_with(headers, 1);
        shop.edge.settles();
        shop.reports(200, &format!("click_id={id}&order_id={order}"));
        shop.edge.examines();
    }
    // One page is kept aside, because the ledger does not take it.
    world.database().breaks(Break::BeforeCommit, 1);
    shop.clicks_with(Headers { client_ip: "203.0.113.77", ..person() }, 1);
    shop.edge.settles();
    shop.edge.ticks();
    let text = everything(&shop);
    assert!(text.contains("ip_cool_down") && text.contains("24940"), "the control");
    for part in ["203.0.113", "203, 0, 113", "cb00714d", "ywBxTQ", "2001:db8", "aaaa:bbbb"] {
        assert!(!text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_page_kept_aside_keeps_its_traces() {
    let world = World::new();
    let shop = Shop::with(&world, all_rules());
    let first = shop.clicks(1);
    shop.edge.settles();
    let second = shop.clicks_with(Headers { asn: "24940", ..person() }, 2);
    world.database().breaks(Break::BeforeCommit, 1);
    shop.edge.settles();
    assert_eq!(shop.count("clicks"), 1);
    shop.edge.ticks();
    assert_eq!(later_clicks(&shop), [(second, first)]);
    assert_eq!(shop.value("SELECT asn FROM clicks WHERE ref_id = 2"), 24_940);
    // Written twice it is the same.
    let rows = everything(&shop);
    shop.edge.ticks();
    assert_eq!(everything(&shop).len(), rows.len());
}

#[test]
fn visitors_are_forgotten_after_two_days_and_later_clicks_stay_known() {
    let world = World::new();
    let shop = Shop::with(&world, all_rules());
    shop.clicks(1);
    world.waits_ms(1);
    shop.clicks(2);
    shop.edge.settles();
    world.waits_ms(2 * DAY_MS);
    shop.edge.ticks();
    assert_eq!(shop.count("visitor_clicks"), 1);
    world.waits_ms(DAY_MS);
    shop.edge.ticks();
    assert_eq!((shop.count("visitor_clicks"), later_clicks(&shop).len()), (0, 1));
}
