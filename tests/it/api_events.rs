//! Events as operators define them: their fields, the addresses to hand out, the rows that map an
//! advertiser's parameters, and site events that become them.

use backtrail::http::request::{Headers, Method};
use serde_json::{Value, json};

use crate::support::shop::{TOKEN, person};
use crate::support::world::json_of;
use crate::support::{Shop, World};

fn define(shop: &Shop<'_>, fields: Value) -> Value {
    let mut event = json!({ "campaign_id": 1, "name": "purchase" });
    for (name, value) in fields.as_object().unwrap() {
        event[name] = value.clone();
    }
    let event = shop.operator.creates("events", event);
    shop.world().waits_ms(30_001);
    event
}

#[test]
fn an_event_shows_every_field_with_its_default_and_changes_what_is_sent() {
    let world = World::new();
    let shop = Shop::open(&world);
    let mut event = define(&shop, json!({}));
    let created_at = event["created_at"].take();
    assert!(created_at.is_string());
    assert_eq!(
        event,
        json!({
            "id": 1, "campaign_id": 1, "name": "purchase", "currency": "USD",
            "revenue_type": "fixed", "revenue_fixed": "0.00", "revenue_percent": "0",
            "payout_type": "fixed", "payout_fixed": "0.00", "payout_percent": "0",
            "repeat": "once", "window_days": null, "parameters": {}, "state": "active",
            "created_at": null,
        })
    );
    let changes = json!({
        "payout_type": "cps", "payout_percent": "12.5", "payout_fixed": "1.5", "window_days": 365,
        "repeat": "per_order", "parameters": { "amount": "price" },
    });
    let changed = shop.operator.changes("events/1", changes);
    assert_eq!(
        (&changed["payout_percent"], &changed["payout_fixed"], &changed["parameters"]),
        (&json!("12.5"), &json!("1.50"), &json!({ "amount": "price" }))
    );
    assert_eq!(shop.operator.lists("events?campaign_id=1"), [shop.operator.sees("events/1")]);
    assert_eq!(shop.operator.lists("events?campaign_id=2"), Vec::<Value>::new());
    // The campaign's copy follows, so that judging needs no reading of its own.
    assert!(world.copy("c/demo/1")["events"].to_string().contains("per_order"));
    assert_eq!(
        shop.operator.changes("events/1", json!({ "window_days": null }))["window_days"],
        Value::Null
    );
}

#[test]
fn every_field_of_an_event_at_fault_is_named() {
    let world = World::new();
    let shop = Shop::open(&world);
    let told = |fields: Value, faults: &[&str]| {
        shop.operator.is_told(Method::Post, "events", fields, faults);
    };
    told(json!({}), &["campaign_id: required", "name: required"]);
    told(
        json!({
            "campaign_id": 9, "name": " purchase", "currency": "USD", "repeat": "always",
            "window_days": 0, "payout_percent": "101", "payout_type": "cpx", "id": 5,
        }),
        &[
            "campaign_id: unknown_reference",
            "currency: read_only",
            "id: read_only",
            "name: invalid",
            "payout_percent: invalid",
            "payout_type: invalid",
            "repeat: invalid",
            "window_days: invalid",
        ],
    );
    told(
        json!({ "campaign_id": 1, "name": "x", "payout_fixed": "1.005" }),
        &["payout_fixed: too_many_digits"],
    );
    for name in ["REPLACE", "{event}", "%x%", ""] {
        told(json!({ "campaign_id": 1, "name": name }), &["name: invalid"]);
    }
    for (ours, theirs) in [
        ("sale_amount", "price"),
        ("colour", "price"),
        ("secure", "x"),
        ("event_name", "x"),
        ("campaign_id", "{c}"),
        ("click_id", "clickid"),
        ("amount", "revenue"),
        ("amount", "sale_amount"),
        ("amount", ""),
        ("amount", "{a}&{b}"),
        ("amount", "two words"),
    ] {
        let event = json!({ "campaign_id": 1, "name": "x", "parameters": { ours: theirs } });
        told(event, &["parameters: invalid"]);
    }
    // The control: these are fine.
    let rows = json!({ "amount": "price", "click_id": "{clickid}", "order_id": "(order-id)", "custom1": "[[x]]" });
    define(&shop, json!({ "parameters": rows }));
}

#[test]
fn a_name_means_one_event_of_a_campaign_until_it_is_archived() {
    let world = World::new();
    let shop = Shop::open(&world);
    define(&shop, json!({}));
    let same = json!({ "campaign_id": 1, "name": "purchase" });
    shop.operator.is_refused(Method::Post, "events", Some(same), (409, "conflict"));
    define(&shop, json!({ "name": "Purchase" }));
    shop.operator.changes("events/1", json!({ "state": "archived" }));
    assert_eq!(define(&shop, json!({}))["id"], 3);
    let back = json!({ "state": "active" });
    shop.operator.is_refused(Method::Patch, "events/1", Some(back), (409, "conflict"));
    shop.operator.is_refused(Method::Delete, "events/1", None, (405, "method_not_allowed"));
}

/// The addresses of campaign 1, and for each its mandatory parameters.
fn addresses(shop: &Shop<'_>) -> Vec<(Value, String, Vec<String>)> {
    let list = shop.operator.lists("campaigns/1/postback-urls");
    list.iter()
        .map(|entry| {
            let mandatory = entry["parameters"].as_array().unwrap().iter();
            let mandatory = mandatory.filter(|p| p["is_mandatory"] == true);
            let names = mandatory.map(|p| p["name"].as_str().unwrap().to_owned());
            let url = entry["url"].as_str().unwrap().to_owned();
            (entry["event"]["name"].clone(), url, names.collect())
        })
        .collect()
}

#[test]
fn a_campaign_has_one_address_to_copy_and_one_per_event() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "payout_type": "cps", "payout_percent": "10" }));
    define(&shop, json!({ "repeat": "per_order" }));
    let rows = json!({ "amount": "price", "order_id": "(order-id)", "custom1": "{sub}" });
    define(
        &shop,
        json!({ "name": "renewal", "revenue_type": "cps", "revenue_percent": "5", "parameters": rows }),
    );
    define(&shop, json!({ "name": "gone", "state": "archived" }));
    let start = "https://demo-tracking.example.com/postback?";
    assert_eq!(
        addresses(&shop),
        [
            (
                Value::Null,
                format!("{start}click_id=CLICK_ID&order_id=ORDER_ID&amount=AMOUNT&token=TOKEN"),
                vec!["click_id".into(), "amount".into(), "token".into()],
            ),
            (
                json!("purchase"),
                format!("{start}event_id=1&click_id=CLICK_ID&order_id=ORDER_ID&token=TOKEN"),
                vec!["event_id".into(), "click_id".into(), "order_id".into(), "token".into()],
            ),
            (
                json!("renewal"),
                format!(
                    "{start}event_id=2&click_id=CLICK_ID&order_id=(order-id)&price=AMOUNT&custom1={{sub}}&token=TOKEN"
                ),
                vec!["event_id".into(), "click_id".into(), "price".into(), "token".into()],
            ),
        ]
    );
    let campaign = shop.operator.sees("campaigns/1");
    assert_eq!(campaign["postback_url"], addresses(&shop)[0].1);

    shop.changes_campaign(
        json!({ "authentication": "none", "required_parameters": ["order_id", "coupon"] }),
    );
    let (_, url, mandatory) = addresses(&shop).remove(1);
    assert_eq!(
        url,
        format!("{start}event_id=1&click_id=CLICK_ID&order_id=ORDER_ID&coupon=REPLACE")
    );
    assert_eq!(mandatory, ["event_id", "click_id", "order_id", "coupon"]);

    for path in ["campaigns/9/postback-urls", "campaigns/x/postback-urls"] {
        shop.operator.is_refused(Method::Get, path, None, (404, "not_found"));
    }
    let path = "campaigns/1/postback-urls";
    shop.operator.is_refused(Method::Post, path, None, (405, "method_not_allowed"));
    let other = world.operator_of("other");
    other.is_refused(Method::Get, path, None, (404, "not_found"));
}

#[test]
fn an_address_that_was_not_filled_in_is_refused_parameter_by_parameter() {
    let world = World::new();
    let shop = Shop::open(&world);
    let rows = json!({ "amount": "price", "order_id": "(order-id)", "custom1": "{sub}" });
    define(&shop, json!({ "payout_type": "cps", "payout_percent": "10", "parameters": rows }));
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}"));
    let (_, url, _) = addresses(&shop).remove(1);
    let (_, query) = url.split_once('?').unwrap();
    let mut query = query.replace("&token=TOKEN", "");
    for (parameter, text, value) in [
        ("click_id", "CLICK_ID", id.as_str()),
        ("custom1", "{sub}", "blue"),
        ("price", "AMOUNT", "20"),
        ("order_id", "(order-id)", "A"),
    ] {
        let refused = shop.is_refused((400, "placeholder_not_replaced"), &query);
        assert_eq!(refused["parameter"], parameter);
        query = query.replace(text, value);
    }
    let recorded = shop.reports(200, &query);
    assert_eq!(
        (&recorded["verdict"], &recorded["payout"]["amount"]),
        (&json!("recorded"), &json!("2.00"))
    );
}

#[test]
fn a_row_reads_the_advertisers_parameter_as_ours_and_our_own_name_wins() {
    let world = World::new();
    let shop = Shop::open(&world);
    let rows = json!({ "amount": "price", "order_id": "txn" });
    define(
        &shop,
        json!({ "payout_type": "cps", "payout_percent": "10", "repeat": "per_order", "parameters": rows }),
    );
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}"));
    let recorded =
        shop.reports(200, &format!("click_id={id}&event_id=1&price=50&txn=A&colour=red"));
    assert_eq!(
        (&recorded["verdict"], &recorded["payout"]["amount"]),
        (&json!("recorded"), &json!("5.00"))
    );
    let row = "SELECT order_id, amount, parameters FROM conversions WHERE event_id = 1";
    assert_eq!(
        shop.rows(row),
        [json!({ "order_id": "A", "amount": 5_000, "parameters": r#"{"colour":"red"}"# })]
    );
    // The same in our own words is the same.
    assert_eq!(
        shop.reports(200, &format!("click_id={id}&event_id=1&amount=50&order_id=A"))["verdict"],
        "duplicate"
    );
    let ours = shop.reports(200, &format!("click_id={id}&event_id=1&amount=10&price=99&txn=B"));
    assert_eq!(ours["payout"]["amount"], "1.00");
    // What cannot be read is named as it was sent, and the inbox keeps what came.
    let query = format!("click_id={id}&event_id=1&price=1,50&txn=C");
    let refused = shop.is_refused((400, "invalid_parameter"), &query);
    assert_eq!(refused["parameter"], "price");
    let kept = "SELECT parameters ->> 'price' AS price, parameters ->> 'amount' AS amount FROM inbox WHERE reason = 'invalid_parameter'";
    assert_eq!(shop.rows(kept), [json!({ "price": "1,50", "amount": null })]);
    // Without the event nothing is mapped.
    let other = shop.clicks(1);
    let initial = shop.reports(200, &format!("click_id={other}&price=50"));
    assert_eq!(initial["verdict"], "recorded");
    assert_eq!(
        shop.value(&format!("SELECT amount FROM conversions WHERE click_id = '{other}'")),
        Value::Null
    );
}

#[test]
fn judging_again_goes_by_the_rows_of_that_time() {
    let world = World::new();
    let shop = Shop::open(&world);
    define(&shop, json!({ "payout_type": "cps", "payout_percent": "10" }));
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}"));
    let query = format!("click_id={id}&event_id=1&price=30");
    let refused = shop.is_refused((400, "missing_parameter"), &query);
    shop.operator.changes("events/1", json!({ "parameters": { "amount": "price" } }));
    world.waits_ms(1);
    let path = format!("inbox/{}/judge", refused["request_id"].as_str().unwrap());
    assert_eq!(shop.operator.calls(Method::Post, &path, None, 200)["verdict"], "recorded");
    assert_eq!(shop.value("SELECT amount FROM conversions WHERE event_id = 1"), 3_000);
}

const ORIGIN: &str = "https://shop.example";

fn collects(shop: &Shop<'_>, name: &str, id: &str, data: Value) -> Value {
    let headers = Headers { origin: ORIGIN, content_type: "text/plain", ..person() };
    let body = json!({ "event": name, "click_id": id, "data": data }).to_string();
    let address = format!("{}/collect", shop.host);
    let response = shop.edge.answers(Method::Post, &address, headers, body.as_bytes());
    json_of(&response, response.status)["conversion"].clone()
}

#[test]
fn a_site_event_becomes_an_event_of_its_campaign() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "is_pixel_allowed": true }));
    shop.operator.changes("namespaces/demo", json!({ "collect_origins": [ORIGIN] }));
    let maps = |target: &str| json!({ "site_events": { "Purchase": "initial", "Renew": target } });
    let is_told = |target: &str, fault: &str| {
        shop.operator.is_told(Method::Patch, "campaigns/1", maps(target), &[fault]);
    };
    is_told("event:1", "site_events: unknown_reference");
    is_told("event:01", "site_events: invalid");
    is_told("renewal", "site_events: invalid");
    define(&shop, json!({ "name": "renewal", "repeat": "per_order", "payout_fixed": "2.00" }));
    shop.operator.creates(
        "campaigns",
        json!({ "name": "B", "advertiser_id": 1, "currency": "EUR", "authentication": "none" }),
    );
    shop.operator.creates("events", json!({ "campaign_id": 2, "name": "far" }));
    is_told("event:2", "site_events: unknown_reference");
    shop.changes_campaign(maps("event:1"));

    let id = shop.clicks(2);
    let early = collects(&shop, "Renew", &id, json!({ "eventId": "R1" }));
    assert_eq!(early["reason"], "no_conversion_for_event");
    assert_eq!(collects(&shop, "Purchase", &id, json!({ "eventId": "P" }))["verdict"], "recorded");
    let renewed = collects(&shop, "Renew", &id, json!({ "eventId": "R1" }));
    assert_eq!((&renewed["verdict"], &renewed["status"]), (&json!("recorded"), &json!("pending")));
    assert_eq!(renewed["event"], json!({ "id": 1, "name": "renewal" }));
    assert_eq!(collects(&shop, "Renew", &id, json!({ "eventId": "R1" }))["verdict"], "duplicate");
    assert_eq!(collects(&shop, "Renew", &id, json!({ "eventId": "R2" }))["verdict"], "recorded");
    let row = "SELECT affiliate_id, payout, source FROM conversions WHERE order_id = 'R1'";
    assert_eq!(shop.rows(row), [json!({ "affiliate_id": 2, "payout": 200, "source": "collect" })]);
    // The early one can be judged again like any postback.
    let path = "inbox?reason=no_conversion_for_event";
    let request_id = shop.operator.lists(path).remove(0)["request_id"].clone();
    world.waits_ms(1);
    let path = format!("inbox/{}/judge", request_id.as_str().unwrap());
    assert_eq!(shop.operator.calls(Method::Post, &path, None, 200)["verdict"], "duplicate");
    // A server's postback of the same order is the same event.
    let query = format!("click_id={id}&event_name=renewal&order_id=R2&token={TOKEN}");
    assert_eq!(json_of(&shop.asks(&query), 200)["verdict"], "duplicate");
}
