//! Other currencies: the namespace's table of rates, the sender's own, and what is kept of it.

use backtrail::http::request::Method::{Get, Patch, Post};
use serde_json::{Value, json};

use crate::support::{Shop, World};

/// The first moment of a day of 2026, as `month-day`.
fn day(month_and_day: &str) -> String {
    format!("2026-{month_and_day}T00:00:00Z")
}

fn fields(from: &str, to: &str, rate: &str, valid_from: &str) -> Value {
    json!({ "from_currency": from, "to_currency": to, "rate": rate, "valid_from": valid_from })
}

/// A shop whose campaign pays a tenth of the amount, with rates since January.
fn shop<'w>(world: &'w World, currency: &str, rates: &[(&str, &str)]) -> Shop<'w> {
    let shop = Shop::with(
        world,
        json!({
            "currency": currency, "payout_type": "cps", "payout_fixed": "0", "payout_percent": "10",
            "revenue_type": "cps", "revenue_fixed": "0", "revenue_percent": "100",
            "is_conflict_updated": true,
        }),
    );
    for (from, rate) in rates {
        shop.operator.creates("rates", fields(from, currency, rate, &day("01-01")));
    }
    world.waits_ms(30_001);
    shop
}

/// Revenue of a sale, as the reply says it.
fn revenue(shop: &Shop<'_>, query: &str) -> String {
    let id = shop.clicks(1);
    let body = shop.reports(200, &format!("click_id={id}&{query}"));
    body["revenue"]["amount"].as_str().unwrap().to_owned()
}

#[test]
fn amounts_are_converted_by_the_table_and_the_rate_is_kept() {
    let world = World::new();
    let shop = shop(&world, "USD", &[("EUR", "1.10")]);
    let id = shop.clicks(1);
    let body = shop.reports(200, &format!("click_id={id}&amount=49.90&currency=eur"));
    assert_eq!(body["payout"], json!({ "amount": "5.49", "currency": "USD" }));
    let shown = shop.operator.lists("conversions").remove(0);
    assert_eq!(shown["amount"], json!({ "amount": "54.89", "currency": "USD" }));
    assert_eq!(shown["exchange_rate"], "1.1");
    assert_eq!(
        shown["explanation"]["exchange"],
        "1 EUR = 1.1 USD, of the rate table, valid from 2026-01-01T00:00:00.000Z"
    );
    assert_eq!(shop.value("SELECT exchange_rate FROM conversions"), "1.1");
    // Nothing was converted, nothing is kept.
    revenue(&shop, "amount=10&currency=USD");
    assert_eq!(shop.value("SELECT COUNT(*) FROM conversions WHERE exchange_rate IS NULL"), 1);
    let shown = shop.operator.lists("conversions");
    assert_eq!(shown.iter().filter(|one| one["exchange_rate"].is_null()).count(), 1);
}

#[test]
fn a_currency_without_a_rate_is_refused_and_nothing_but_the_inbox_is_written() {
    let world = World::new();
    let shop = shop(&world, "USD", &[("EUR", "1.10")]);
    let id = shop.clicks(1);
    for currency in ["GBP", "JPY", "KWD"] {
        let query = format!("click_id={id}&amount=1&currency={currency}");
        let body = shop.is_refused((422, "no_exchange_rate"), &query);
        assert_eq!(body["parameter"], "currency");
        assert!(body["detail"].as_str().unwrap().contains(currency), "{body}");
    }
    assert_eq!((shop.count("conversions"), shop.count("inbox")), (0, 3));
    // Once there is one, the same postback is matched late, at the rate of its own time.
    shop.operator.creates("rates", fields("GBP", "USD", "1.25", &day("01-01")));
    shop.operator.creates("rates", fields("GBP", "USD", "9", &day("12-01")));
    world.waits_ms(30 * 86_400_000);
    let of_pounds = |entry: &Value| entry["parameters"]["currency"] == "GBP";
    let entry = shop.operator.lists("inbox").into_iter().find(of_pounds).unwrap();
    let path = format!("inbox/{}/judge", entry["request_id"].as_str().unwrap());
    let judged = shop.operator.calls(Post, &path, None, 200);
    assert_eq!(judged["verdict"], "recorded", "{judged}");
    assert_eq!(shop.value("SELECT amount FROM conversions"), 125);
}

#[test]
fn the_newest_rate_that_was_valid_when_it_happened_counts() {
    let world = World::new();
    let shop = shop(&world, "USD", &[("EUR", "1.10")]);
    shop.changes_campaign(json!({ "is_explicit_money_allowed": true, "window_days": 400 }));
    shop.operator.creates("rates", fields("EUR", "USD", "1.20", &day("11-01")));
    shop.operator.creates("rates", fields("EUR", "USD", "1.30", &day("12-01")));
    shop.operator.creates("rates", fields("USD", "GBP", "0.5", &day("01-01")));
    world.waits_ms(30_001);
    let at = |query: &str| revenue(&shop, &format!("amount=100&currency=EUR{query}"));
    assert_eq!(at(""), "120.00");
    assert_eq!(at("&occurred_at=2026-10-31T23:59:59Z"), "110.00");
    assert_eq!(at("&occurred_at=2026-11-01T00:00:00Z"), "120.00");
    let id = shop.clicks(1);
    let before = "amount=100&currency=EUR&occurred_at=2025-12-31T23:59:59Z";
    shop.is_refused((422, "no_exchange_rate"), &format!("click_id={id}&{before}"));
    // A rate is never turned round.
    let pounds = format!("click_id={id}&amount=100&currency=GBP");
    shop.is_refused((422, "no_exchange_rate"), &pounds);
    // The sender's own comes first, where he may send one.
    assert_eq!(at("&conversion_rate=2"), "200.00");
    assert_eq!(shop.value("SELECT COUNT(*) FROM conversions WHERE exchange_rate = '2'"), 1);
    shop.changes_campaign(json!({ "is_explicit_money_allowed": false }));
    assert_eq!(at("&conversion_rate=2"), "120.00");
}

#[test]
fn an_update_keeps_the_rate_that_the_conversion_was_recorded_with() {
    let world = World::new();
    let shop = shop(&world, "USD", &[("EUR", "1.10"), ("GBP", "1.25")]);
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}&amount=100&currency=EUR"));
    shop.operator.changes("rates/1", json!({ "rate": "1.50" }));
    world.waits_ms(30_001);
    let updated = shop.reports(200, &format!("click_id={id}&amount=200"));
    assert_eq!(
        (&updated["verdict"], &updated["revenue"]["amount"]),
        (&json!("updated"), &json!("220.00"))
    );
    let shown = || shop.operator.lists("conversions").remove(0);
    assert_eq!(shown()["explanation"]["exchange"], "1 EUR = 1.1 USD, as when it was recorded");
    // Another currency has another rate.
    let updated = shop.reports(200, &format!("click_id={id}&amount=200&currency=GBP"));
    assert_eq!(updated["revenue"]["amount"], "250.00");
    assert_eq!(shown()["exchange_rate"], "1.25");
    // And into the campaign's own there is none.
    shop.reports(200, &format!("click_id={id}&amount=200&currency=USD"));
    assert_eq!(shown()["exchange_rate"], Value::Null);
    assert_eq!(revenue(&shop, "amount=100&currency=EUR"), "150.00");
}

#[test]
fn digits_follow_the_campaigns_currency_and_halves_go_away_from_zero() {
    for (to, from, rate, amount, expected) in [
        // 0, 2 and 3 digits, into each other.
        ("JPY", "USD", "150", "1", "150"),
        ("JPY", "USD", "150.005", "100", "15001"),
        ("JPY", "KWD", "500", "0.001", "1"),
        ("JPY", "KWD", "500", "0.000999", "0"),
        ("USD", "JPY", "0.0065", "1", "0.01"),
        ("USD", "JPY", "0.005", "1", "0.01"),
        ("USD", "JPY", "0.0049999999", "1", "0.00"),
        ("USD", "JPY", "0.0065", "1000", "6.50"),
        ("USD", "KWD", "3.25", "1.001", "3.25"),
        ("USD", "KWD", "3.25", "0.002", "0.01"),
        ("USD", "KWD", "3.25", "0.001", "0.00"),
        ("KWD", "USD", "0.3075", "1", "0.308"),
        ("KWD", "USD", "0.3065", "1", "0.307"),
        ("KWD", "JPY", "0.002", "1", "0.002"),
        ("KWD", "JPY", "0.0004999999", "1", "0.000"),
        ("KWD", "JPY", "0.0005", "1", "0.001"),
        // Not rounded to cents first: 0.005 × 10 is 0.05.
        ("USD", "EUR", "10", "0.005", "0.05"),
        // Close to 2^53 minor units.
        ("USD", "EUR", "90.0719925474", "999999999999.999999", "90071992547400.00"),
    ] {
        let world = World::new();
        let shop = shop(&world, to, &[(from, rate)]);
        let query = format!("amount={amount}&currency={from}");
        assert_eq!(revenue(&shop, &query), expected, "{amount} {from} at {rate} in {to}");
    }
}

#[test]
fn what_does_not_stay_below_2_to_the_53_is_refused_and_nothing_is_recorded() {
    for (currency, rate, amount, is_taken) in [
        ("USD", "90.0719925474", "999999999999", true),
        ("USD", "90.0719925475", "999999999999.999999", false),
        ("KWD", "9.0071992548", "999999999999.999999", false),
        ("JPY", "9007.199254740", "999999999999", true),
        ("JPY", "9007.199254741", "999999999999.999999", false),
        ("USD", "999999999999", "999999999999", false),
    ] {
        let world = World::new();
        let shop = shop(&world, currency, &[("EUR", rate)]);
        let id = shop.clicks(1);
        let query = format!("click_id={id}&currency=EUR&amount={amount}");
        if is_taken {
            shop.reports(200, &query);
            assert!(shop.value("SELECT MAX(amount) FROM conversions").as_u64().unwrap() < 1 << 53);
        } else {
            let body = shop.is_refused((400, "invalid_parameter"), &query);
            assert_eq!(body["parameter"], "amount", "{currency} {rate}");
            assert_eq!(shop.count("conversions"), 0);
        }
    }
    // A sum beyond it is refused as well: the fixed part alone is just below.
    let world = World::new();
    let fixed = json!({
        "currency": "KWD", "payout_fixed": "999999999999.999", "payout_percent": "100",
        "revenue_fixed": "0",
    });
    let shop = Shop::with(&world, fixed);
    shop.operator.creates("rates", fields("EUR", "KWD", "9", &day("01-01")));
    world.waits_ms(30_001);
    let id = shop.clicks(1);
    let query = format!("click_id={id}&currency=EUR&amount=999999999999");
    shop.is_refused((400, "invalid_parameter"), &query);
    assert_eq!(shop.count("conversions"), 0);
    // With a maximum the rule pays that.
    shop.operator.creates(
        "payouts",
        json!({
            "campaign_id": 1, "payout_fixed": "999999999999.999", "payout_percent": "100",
            "payout_max": "7",
        }),
    );
    world.waits_ms(30_001);
    assert_eq!(shop.reports(200, &query)["payout"]["amount"], "7.000");
}

#[test]
fn operators_list_add_replace_and_remove_rates() {
    let world = World::new();
    let demo = world.operator_of("demo");
    let shown =
        demo.creates("rates", fields("eur", "USD", "001.0800", "2026-11-01T01:00:00+01:00"));
    assert_eq!(
        shown,
        json!({
            "id": 1, "from_currency": "EUR", "to_currency": "USD", "rate": "1.08",
            "valid_from": "2026-11-01T00:00:00.000Z", "created_at": "2026-11-21T09:30:00.000Z",
        })
    );
    demo.creates("rates", fields("GBP", "USD", "1.0000000001", "1767225600"));
    assert_eq!(demo.lists("rates").len(), 2);
    assert_eq!(demo.lists("rates?from_currency=eur&to_currency=USD"), [shown]);
    demo.is_refused(Get, "rates?from_currency=XXX", None, (400, "invalid_parameter"));
    assert_eq!(demo.changes("rates/1", json!({ "rate": "1.09" }))["rate"], "1.09");

    let again = fields("EUR", "USD", "2", "2026-11-01T00:00:00Z");
    demo.is_refused(Post, "rates", Some(again), (409, "conflict"));
    let wrong =
        json!({ "from_currency": "EUR", "to_currency": "EUR", "rate": "1", "valid_from": "1" });
    demo.is_told(Post, "rates", wrong, &["to_currency: invalid"]);
    for rate in ["0", "-1", "1e3", "1,5", "1.00000000001", "", "1234567890123"] {
        let wrong = fields("EUR", "JPY", rate, &day("01-01"));
        demo.is_told(Post, "rates", wrong, &["rate: invalid"]);
    }
    let wrong = json!({ "from_currency": "XXX", "rate": 1.5, "valid_from": "yesterday" });
    let faults =
        ["from_currency: invalid", "rate: invalid", "to_currency: required", "valid_from: invalid"];
    demo.is_told(Post, "rates", wrong, &faults);
    let other = json!({ "to_currency": "CHF" });
    demo.is_told(Patch, "rates/1", other, &["to_currency: create_only"]);

    demo.removes("rates/2");
    assert_eq!(demo.lists("rates").len(), 1);
    let other = world.operator_of("other");
    other.is_refused(Patch, "rates/1", Some(json!({ "rate": "9" })), (404, "not_found"));
    assert_eq!(other.lists("rates").len(), 0);
}

#[test]
fn a_rate_that_is_removed_converts_nothing_any_more() {
    let world = World::new();
    let shop = shop(&world, "USD", &[("EUR", "1.10")]);
    assert_eq!(revenue(&shop, "amount=1&currency=EUR"), "1.10");
    shop.operator.removes("rates/1");
    world.waits_ms(30_001);
    let id = shop.clicks(1);
    let query = format!("click_id={id}&amount=1&currency=EUR");
    shop.is_refused((422, "no_exchange_rate"), &query);
}

#[test]
fn a_namespace_has_at_most_500_rates() {
    let world = World::new();
    let shop = shop(&world, "USD", &[]);
    world.database().execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 499) \
         INSERT INTO rates (namespace, id, from_currency, to_currency, rate, valid_from, created_at) \
         SELECT 'demo', i, 'EUR', 'USD', i, i, 0 FROM n",
    );
    shop.operator.creates("rates", fields("EUR", "USD", "1.5", &day("11-01")));
    let one_more = fields("GBP", "USD", "1.5", &day("11-01"));
    let problem =
        shop.operator.is_refused(Post, "rates", Some(one_more.clone()), (409, "too_many"));
    assert!(problem["detail"].as_str().unwrap().contains("500 rates"), "{problem}");
    shop.operator.changes("rates/500", json!({ "rate": "2.5" }));
    shop.operator.removes("rates/1");
    shop.operator.creates("rates", one_more);
    world.waits_ms(30_001);
    assert_eq!(revenue(&shop, "amount=1&currency=EUR"), "2.50");
}
