//! The API's resources: create, list, show, change, remove (wire.md 10).

use backtrail::app::settings::Settings;
use backtrail::http::request::Method::{Delete, Get, Patch, Post};
use serde_json::{Value, json};

use crate::support::{Operator, Shop, World};

/// A namespace with an advertiser, a campaign and an affiliate, each number 1.
pub fn shop(world: &World) -> Operator<'_> {
    let demo = world.operator_of("demo");
    demo.creates("advertisers", json!({ "name": "Shop" }));
    demo.creates("campaigns", campaign());
    demo.creates("affiliates", json!({ "name": "Ann" }));
    demo
}

fn campaign() -> Value {
    json!({ "name": "Shoes", "advertiser_id": 1, "currency": "USD", "authentication": "token" })
}

pub fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

#[test]
fn a_new_campaign_shows_every_field_with_its_default() {
    let world = World::new();
    let demo = world.operator_of("demo");
    demo.creates("advertisers", json!({ "name": "Shop" }));
    let shown = demo.creates("campaigns", campaign());
    let rules = json!({
        "too_fast_action": "off", "too_fast_seconds": 10, "duplicate_click_action": "off",
        "ip_cool_down_action": "off", "ip_cool_down_minutes": 60, "bot_action": "hold",
        "data_centre_action": "off", "data_centre_networks": [], "self_referral_action": "off",
    });
    let mut others = shown.clone();
    for (field, default) in rules.as_object().unwrap() {
        assert_eq!(others.as_object_mut().unwrap().remove(field).as_ref(), Some(default));
    }
    assert_eq!(
        others,
        json!({
            "id": 1, "name": "Shoes", "advertiser_id": 1, "state": "active", "currency": "USD",
            "window_days": 30, "conversions_per_click": "one", "default_status": "approved",
            "revenue_type": "fixed", "revenue_fixed": "0.00", "revenue_percent": "0",
            "payout_type": "fixed", "payout_fixed": "0.00", "payout_percent": "0",
            "authentication": "token", "ip_allow": [], "ip_deny": [], "is_amount_trusted": false,
            "is_explicit_money_allowed": false, "is_pixel_allowed": false,
            "is_conflict_updated": false, "required_parameters": [],
            "click_id_parameter": "click_id", "deep_link_hosts": [], "deep_link_parameters": {},
            "app_schemes": [], "traffic_back_url": null, "site_events": {}, "status_words": {},
            "attribution_order": ["click_id", "coupon", "customer_id"],
            "is_customer_required": false,
            "created_at": "2026-11-21T09:30:00.000Z",
            "postback_url": "https://demo-tracking.example.com/postback?click_id=CLICK_ID\
                             &order_id=ORDER_ID&token=TOKEN",
        })
    );
    assert_eq!(demo.sees("campaigns/1"), shown);
    assert_eq!(demo.lists("campaigns"), [shown]);
}

#[test]
fn what_was_sent_for_a_campaign_is_what_is_shown() {
    let world = World::new();
    let demo = shop(&world);
    let sent = json!({
        "name": "Boots", "advertiser_id": 1, "state": "paused", "currency": "JPY",
        "window_days": 400, "conversions_per_click": "per_order", "default_status": "hold",
        "revenue_type": "cps", "revenue_fixed": "5", "revenue_percent": "12.5",
        "payout_type": "revshare", "payout_fixed": "0", "payout_percent": "50",
        "authentication": "none", "ip_allow": ["192.0.2.0/24", "2001:db8::/32"],
        "ip_deny": ["192.0.2.7"], "is_amount_trusted": true, "is_explicit_money_allowed": true,
        "is_pixel_allowed": true, "is_conflict_updated": true, "required_parameters": ["order_id"],
        "click_id_parameter": "cid", "deep_link_hosts": ["shop.example", "*.shop.example"],
        "deep_link_parameters": { "src": "{affiliate_id}" }, "app_schemes": ["market"],
        "traffic_back_url": "https://else.example/?c={campaign_id}",
        "site_events": { "Purchase": "initial" }, "is_customer_required": true,
        "attribution_order": ["affiliate_id", "coupon", "click_id"],
    });
    let shown = demo.creates("campaigns", sent.clone());
    for (name, value) in sent.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    assert_eq!(
        shown["postback_url"],
        "https://demo-tracking.example.com/postback?click_id=CLICK_ID&order_id=ORDER_ID&amount=AMOUNT\
         &customer_id=REPLACE&new_customer=REPLACE"
    );
}

#[test]
fn every_field_at_fault_is_named_at_once() {
    let world = World::new();
    let demo = shop(&world);
    let faults = [
        "app_schemes: invalid",
        "authentication: required",
        "click_id_parameter: invalid",
        "colour: unknown_field",
        "currency: invalid",
        "deep_link_hosts: invalid",
        "deep_link_parameters: unknown_macro",
        "id: read_only",
        "ip_allow: invalid",
        "is_pixel_allowed: invalid",
        "name: invalid",
        "required_parameters: invalid",
        "revenue_percent: invalid",
        "site_events: unknown_reference",
        "state: invalid",
        "traffic_back_url: invalid",
        "window_days: invalid",
    ];
    let body = json!({
        "id": 7, "name": "a\u{0}b", "advertiser_id": 1, "currency": "XXX", "colour": "red",
        "state": "gone", "window_days": 401, "revenue_percent": "101", "ip_allow": ["10.0.0.0/33"],
        "is_pixel_allowed": 1, "required_parameters": ["sale_amount"], "click_id_parameter": "a b",
        "deep_link_hosts": ["https://shop.example"], "deep_link_parameters": { "a": "{clickid}" },
        "app_schemes": ["javascript"], "traffic_back_url": "https://x.example/{click_id}",
        "site_events": { "Purchase": "event:5" },
    });
    let problem = demo.is_told(Post, "campaigns", body, &faults);
    let message = |field: &str| {
        let errors = problem["errors"].as_array().unwrap();
        errors.iter().find(|e| e["field"] == field).unwrap()["message"].to_string()
    };
    assert!(message("required_parameters").contains("amount"));
    assert!(message("deep_link_parameters").contains("click_id"));
    assert_eq!(demo.lists("campaigns").len(), 1);
}

#[test]
fn amounts_have_no_more_digits_than_their_currency() {
    let world = World::new();
    let demo = shop(&world);
    let surplus = with(campaign(), "payout_fixed", "5.001".into());
    demo.is_told(Post, "campaigns", surplus, &["payout_fixed: too_many_digits"]);
    let yen = with(with(campaign(), "payout_fixed", "5.5".into()), "currency", "JPY".into());
    demo.is_told(Post, "campaigns", yen, &["payout_fixed: too_many_digits"]);
    demo.is_told(
        Patch,
        "campaigns/1",
        json!({ "payout_fixed": "0.001" }),
        &["payout_fixed: too_many_digits"],
    );
    for text in [json!("1e309"), json!("-1"), json!("1,5"), json!("NaN"), json!(5), json!("")] {
        demo.is_told(
            Patch,
            "campaigns/1",
            json!({ "payout_fixed": text }),
            &["payout_fixed: invalid"],
        );
    }
    assert_eq!(
        demo.changes("campaigns/1", json!({ "payout_fixed": "5.1" }))["payout_fixed"],
        "5.10"
    );
}

#[test]
fn a_change_touches_what_was_sent_and_nothing_else() {
    let world = World::new();
    let demo = shop(&world);
    let before = demo.sees("campaigns/1");
    world.waits_ms(5_000);
    let after = demo.changes("campaigns/1", json!({ "state": "paused" }));
    assert_eq!(after, with(before, "state", "paused".into()));
    assert_eq!(demo.changes("campaigns/1", json!({})), after);
    demo.is_told(
        Patch,
        "campaigns/1",
        json!({ "currency": "EUR", "created_at": null, "advertiser_id": 2, "state": null }),
        &[
            "advertiser_id: create_only",
            "created_at: read_only",
            "currency: create_only",
            "state: invalid",
        ],
    );
    demo.is_refused(Patch, "campaigns/2", Some(json!({})), (404, "not_found"));
}

#[test]
fn a_reference_leads_to_an_object_of_the_same_namespace() {
    let world = World::new();
    let demo = shop(&world);
    let other = world.operator_of("other");
    other.is_told(Post, "campaigns", campaign(), &["advertiser_id: unknown_reference"]);
    let link = json!({ "campaign_id": 1, "affiliate_id": 2 });
    demo.is_told(Post, "links", link, &["affiliate_id: unknown_reference"]);
    let page = json!({ "campaign_id": 2, "name": "p", "url": "https://shop.example/" });
    demo.is_told(Post, "landing-pages", page, &["campaign_id: unknown_reference"]);
    let token = json!({ "level": "campaign", "level_id": 2 });
    demo.is_told(Post, "tokens", token, &["level_id: unknown_reference"]);
}

#[test]
fn landing_pages_are_https_or_a_listed_app_scheme_with_known_macros() {
    let world = World::of(Settings { is_development: false, ..World::settings() });
    let demo = shop(&world);
    let refused = |url: &str, code: &str| {
        let page = json!({ "campaign_id": 1, "name": "p", "url": url });
        demo.is_told(Post, "landing-pages", page, &[&format!("url: {code}")])
    };
    for url in [
        "http://shop.example/",
        "javascript:alert(1)",
        "market://details",
        "//x",
        "",
        "https://a b/",
    ] {
        refused(url, "invalid");
    }
    let problem = refused("https://shop.example/?c={clickid}", "unknown_macro");
    assert!(problem["detail"].as_str().unwrap().contains("click_id"), "{problem}");
    demo.changes("campaigns/1", json!({ "app_schemes": ["Market"] }));
    let page = json!({ "campaign_id": 1, "name": "p", "url": "market://details?id=1" });
    demo.creates("landing-pages", page);
}

#[test]
fn lists_are_paged_by_cursor_and_filtered() {
    let world = World::new();
    let demo = shop(&world);
    for i in 0..6 {
        demo.creates("affiliates", json!({ "name": "x", "custom_id": format!("c{i}") }));
    }
    let mut seen = vec![];
    let mut cursor = String::new();
    loop {
        let page = demo.sees(&format!("affiliates?limit=3&cursor={cursor}"));
        seen.extend(page["data"].as_array().unwrap().iter().map(|a| a["id"].as_u64().unwrap()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, (1..=7).collect::<Vec<_>>());
    assert_eq!(demo.lists("affiliates?custom_id=c3")[0]["id"], 5);
    assert_eq!(demo.lists("affiliates?state=blocked").len(), 0);
    for (path, code) in [
        ("affiliates?cursor=%21", "invalid_cursor"),
        ("affiliates?cursor=IngiCg", "invalid_cursor"),
        ("affiliates?limit=0", "invalid_parameter"),
        ("affiliates?limit=501", "invalid_parameter"),
        ("affiliates?state=gone", "invalid_parameter"),
        ("links?campaign_id=one", "invalid_parameter"),
        ("affiliates?custom_id=%00", "invalid_parameter"),
        ("affiliates?custom_id=%ff", "invalid_parameter"),
        ("affiliates?colour=red", "unknown_parameter"),
    ] {
        demo.is_refused(Get, path, None, (400, code));
    }
}

#[test]
fn what_is_unique_is_taken_once() {
    let world = World::new();
    let demo = shop(&world);
    let bea = json!({ "name": "Bea", "custom_id": "42" });
    demo.creates("affiliates", bea.clone());
    let problem = demo.is_refused(Post, "affiliates", Some(bea.clone()), (409, "conflict"));
    assert!(problem["detail"].as_str().unwrap().contains("custom_id"), "{problem}");
    demo.is_refused(Patch, "affiliates/1", Some(json!({ "custom_id": "42" })), (409, "conflict"));
    world.root().is_refused(Post, "namespaces", Some(json!({ "name": "demo" })), (409, "conflict"));
    let other = world.operator_of("other");
    other.creates("affiliates", bea);
    demo.creates("hosts", json!({ "hostname": "Go.Shop.Example" }));
    let host = Some(json!({ "hostname": "go.shop.example" }));
    other.is_refused(Post, "hosts", host, (409, "conflict"));
    other.is_refused(Get, "hosts/go.shop.example", None, (404, "not_found"));
    assert_eq!(world.copy("h/go.shop.example")["namespace"], "demo");
    demo.removes("hosts/go.shop.example");
    assert_eq!(world.copy("h/go.shop.example"), Value::Null);
    demo.is_refused(Delete, "hosts/go.shop.example", None, (404, "not_found"));
    for hostname in
        ["x-tracking.example.com", "localhost", "https://a.example", "a.example:80", "a b.example"]
    {
        demo.is_told(Post, "hosts", json!({ "hostname": hostname }), &["hostname: invalid"]);
    }
}

#[test]
fn namespaces_keep_their_settings() {
    let world = World::new();
    let demo = shop(&world);
    let settings = json!({
        "postback_ref_id": "affiliate", "is_pixels_enabled": true, "time_zone": "America/Argentina/Ushuaia",
        "collect_origins": ["https://shop.example"], "traffic_back_url": "https://else.example/",
    });
    let shown = demo.changes("namespaces/demo", settings.clone());
    for (name, value) in settings.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    assert_eq!(world.copy("n/demo")["postback_ref_id"], "affiliate");
    for (name, value) in [
        ("time_zone", "Mars/Base 1"),
        ("time_zone", "../etc"),
        ("traffic_back_url", "javascript:alert(1)"),
        ("postback_ref_id", "both"),
    ] {
        demo.is_told(
            Patch,
            "namespaces/demo",
            json!({ name: value }),
            &[&format!("{name}: invalid")],
        );
    }
    for name in ["", "-a", "A", "a_b", &"a".repeat(55)] {
        world.root().is_told(Post, "namespaces", json!({ "name": name }), &["name: invalid"]);
    }
}

#[test]
fn only_what_a_conversion_brings_can_be_required() {
    let world = World::new();
    let shop = Shop::open(&world);
    for name in ["secure", "timestamp", "signature", "dry_run", "response"] {
        let body = json!({ "required_parameters": [name] });
        shop.operator.is_told(Patch, "campaigns/1", body, &["required_parameters: invalid"]);
    }
    shop.changes_campaign(json!({ "required_parameters": ["order_id", "custom1"] }));
    let id = shop.clicks(1);
    let told = shop.is_refused((400, "missing_parameter"), &format!("click_id={id}&order_id=A"));
    assert_eq!(told["parameter"], "custom1");
    shop.reports(200, &format!("click_id={id}&order_id=A&custom1=x"));
}
