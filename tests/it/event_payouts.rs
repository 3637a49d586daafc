//! What events pay where payout rules, rates and updates meet them (design.md 5).

use backtrail::http::request::Headers;
use serde_json::{Value, json};

use crate::events::{converted, edits, open};
use crate::support::shop::person;
use crate::support::{Shop, World};

/// Creates a payout rule of campaign 1, and lets every isolate notice.
fn rule(shop: &Shop<'_>, mut fields: Value) {
    fields["campaign_id"] = 1.into();
    shop.operator.creates("payouts", fields);
    shop.world().waits_ms(30_001);
}

fn rate(shop: &Shop<'_>, from: &str, rate: &str, valid_from: &str) {
    let fields = json!({
        "from_currency": from, "to_currency": "USD", "rate": rate, "valid_from": valid_from,
    });
    shop.operator.creates("rates", fields);
    shop.world().waits_ms(30_001);
}

/// Payout and revenue of a reply.
fn money(body: &Value) -> (&str, &str) {
    (body["payout"]["amount"].as_str().unwrap(), body["revenue"]["amount"].as_str().unwrap())
}

/// The conversion that a reply names, as operators see it.
fn seen(shop: &Shop<'_>, body: &Value) -> Value {
    shop.operator.sees(&format!("conversions/{}", body["conversion_id"].as_str().unwrap()))
}

/// Lets postbacks update, and event 2 (per order) earn all of the amount and pay a tenth.
fn with_percentages(world: &World) -> Shop<'_> {
    let shop = open(world);
    shop.operator.changes("campaigns/1", json!({ "is_conflict_updated": true }));
    edits(
        &shop,
        2,
        json!({
            "payout_type": "cps", "payout_fixed": "0", "payout_percent": "10",
            "revenue_type": "cps", "revenue_fixed": "0", "revenue_percent": "100",
        }),
    );
    shop
}

#[test]
fn a_rule_that_is_limited_to_an_event_pays_that_event_in_place_of_its_own_payout() {
    let world = World::new();
    let shop = open(&world);
    rule(
        &shop,
        json!({ "event_id": 1, "payout_type": "cpl", "payout_fixed": "7.00", "default_status": "hold" }),
    );
    let id = converted(&shop, 1);
    let body = shop.reports(200, &format!("click_id={id}&event_name=purchase"));
    // Revenue is the event's own still.
    assert_eq!(money(&body), ("7.00", "10.00"));
    assert_eq!((&body["event"]["id"], &body["status"]), (&json!(1), &json!("hold")));
    let because = seen(&shop, &body)["explanation"].clone();
    assert_eq!(
        because["payout"],
        "payout rule 1 (event 1), cpl: 7.00 USD and 0 %; as specific as the next one, but with the \
         lower number; lost: event 1's own rule"
    );
    assert_eq!(because["revenue"], "the event's rule fixed: 10.00 USD and 0 %");
    // Another event and the initial conversion keep their own.
    let other = shop.reports(200, &format!("click_id={id}&event_id=3&x=1"));
    assert_eq!(money(&other), ("3.00", "30.00"));
    assert_eq!(
        seen(&shop, &other)["explanation"]["payout"],
        "event 3's own rule, fixed: 3.00 USD and 0 %; no other applies; not matching: 1"
    );
    let leads = "SELECT group_concat(event_id) FROM conversions WHERE is_lead = 1";
    assert_eq!(shop.value(leads), "1");
    let initial = "SELECT payout FROM conversions WHERE event_id = 0";
    assert_eq!(shop.value(initial), 500);
}

#[test]
fn a_personal_rule_comes_before_what_an_event_pays_and_a_general_one_behind() {
    let world = World::new();
    let shop = open(&world);
    rule(&shop, json!({ "affiliate_id": 2, "payout_fixed": "9.00" }));
    rule(&shop, json!({ "goal": "shoes", "payout_fixed": "8.00" }));
    let of = |ref_id: u32| {
        let id = converted(&shop, ref_id);
        shop.reports(200, &format!("click_id={id}&event_id=1&goal=shoes"))
    };
    let personal = of(2);
    assert_eq!(money(&personal), ("9.00", "10.00"));
    assert_eq!(
        seen(&shop, &personal)["explanation"]["payout"],
        "payout rule 1 (affiliate 2), fixed: 9.00 USD and 0 %; the most specific of 3 that apply; \
         lost: event 1's own rule, payout rule 2 (goal \"shoes\")"
    );
    assert_eq!(money(&of(1)), ("1.00", "10.00"));
    // For this event alone she gets something else.
    rule(&shop, json!({ "affiliate_id": 2, "event_id": 1, "payout_fixed": "11.00" }));
    assert_eq!(money(&of(2)), ("11.00", "10.00"));
}

#[test]
fn an_event_without_its_click_is_paid_by_the_affiliate_and_country_of_its_initial_conversion() {
    let world = World::new();
    let shop = open(&world);
    rule(&shop, json!({ "affiliate_id": 2, "event_id": 2, "payout_fixed": "6.00" }));
    rule(&shop, json!({ "event_id": 2, "countries": ["AT"], "payout_fixed": "4.00" }));
    for (ref_id, country, paid) in
        [(1, "DE", "2.00"), (1, "AT", "4.00"), (2, "DE", "6.00"), (2, "AT", "6.00")]
    {
        let id = shop.clicks_with(Headers { country, ..person() }, ref_id);
        let name = format!("{ref_id}-{country}");
        shop.reports(200, &format!("click_id={id}&order_id=first-{name}"));
        let query = format!("parent_order_id=first-{name}&event_id=2&order_id=next-{name}");
        let body = shop.reports(200, &format!("campaign_id=1&{query}"));
        assert_eq!(money(&body), (paid, "20.00"), "{name}");
    }
}

#[test]
fn an_amount_in_another_currency_is_converted_for_an_event() {
    let world = World::new();
    let shop = with_percentages(&world);
    let id = converted(&shop, 1);
    let query = format!("click_id={id}&event_id=2&order_id=A&amount=20&currency=EUR");
    shop.is_refused((422, "no_exchange_rate"), &query);
    rate(&shop, "EUR", "1.10", "2026-01-01T00:00:00Z");
    let body = shop.reports(200, &query);
    assert_eq!(money(&body), ("2.20", "22.00"));
    let shown = seen(&shop, &body);
    assert_eq!(
        (&shown["exchange_rate"], &shown["event"]["name"]),
        (&json!("1.1"), &json!("order"))
    );
    assert_eq!(
        shown["explanation"]["exchange"],
        "1 EUR = 1.1 USD, of the rate table, valid from 2026-01-01T00:00:00.000Z"
    );
    assert_eq!(shop.reports(200, &query)["verdict"], "duplicate");
}

#[test]
fn an_event_that_is_updated_is_paid_by_its_own_rules_at_the_rate_it_was_recorded_with() {
    let world = World::new();
    let shop = with_percentages(&world);
    rate(&shop, "EUR", "1.10", "2026-01-01T00:00:00Z");
    let id = converted(&shop, 1);
    let key = format!("click_id={id}&event_id=2&order_id=A");
    let first = shop.reports(200, &format!("{key}&amount=20&currency=EUR"));
    rate(&shop, "EUR", "2", "2026-01-02T00:00:00Z");
    let body = shop.reports(200, &format!("{key}&amount=30"));
    assert_eq!((&body["verdict"], &body["event"]["name"]), (&json!("updated"), &json!("order")));
    assert_eq!(money(&body), ("3.30", "33.00"));
    assert_eq!(body["conversion_id"], first["conversion_id"]);
    let shown = seen(&shop, &body);
    assert_eq!(shown["exchange_rate"], "1.1");
    assert_eq!(shown["amount"]["amount"], "33.00");
    assert_eq!(shown["explanation"]["revenue"], "the event's rule cps: 0.00 USD and 100 %");
    // Another currency brings its rate, which is kept as well.
    let body = shop.reports(200, &format!("{key}&amount=40&currency=USD"));
    assert_eq!(money(&body), ("4.00", "40.00"));
    assert_eq!(seen(&shop, &body)["exchange_rate"], Value::Null);
    // A rule that came since applies to what is reckoned anew; the initial conversion is as it was.
    rule(
        &shop,
        json!({ "event_id": 2, "payout_type": "cps", "payout_percent": "50", "payout_max": "12" }),
    );
    let body = shop.reports(200, &format!("{key}&amount=50"));
    assert_eq!(money(&body), ("12.00", "50.00"));
    assert_eq!(shop.value("SELECT payout FROM conversions WHERE event_id = 0"), 500);
    assert_eq!(shop.value("SELECT revision FROM conversions WHERE event_id = 0"), 1);
    assert_eq!(shop.count("conversions"), 2);
}
