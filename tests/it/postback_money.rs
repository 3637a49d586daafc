//! What a conversion earns and pays (wire.md 2 and 5, design.md 5): integers, one rounding rule.

use serde_json::{Value, json};

use crate::support::{Shop, World};

/// Revenue and payout of a postback with these parameters, as the reply says them.
fn money(shop: &Shop<'_>, query: &str) -> (String, String) {
    let id = shop.clicks(1);
    let body = shop.reports(200, &format!("click_id={id}&{query}"));
    let amount = |name: &str| body[name]["amount"].as_str().unwrap().to_owned();
    let stored = shop
        .rows(&format!("SELECT revenue, payout FROM conversions WHERE click_id = '{id}'"))
        .remove(0);
    // What is stored is what was said, in minor units.
    for name in ["revenue", "payout"] {
        let minor: String = amount(name).chars().filter(char::is_ascii_digit).collect();
        assert_eq!(stored[name].as_u64().unwrap(), minor.parse::<u64>().unwrap(), "{body}");
    }
    (amount("revenue"), amount("payout"))
}

fn codes(body: &Value) -> Vec<&str> {
    body["warnings"].as_array().unwrap().iter().map(|w| w["code"].as_str().unwrap()).collect()
}

#[test]
fn each_type_reckons_from_its_own_base() {
    let rules = |revenue: (&str, &str, &str), payout: (&str, &str, &str)| {
        json!({
            "revenue_type": revenue.0, "revenue_fixed": revenue.1, "revenue_percent": revenue.2,
            "payout_type": payout.0, "payout_fixed": payout.1, "payout_percent": payout.2,
        })
    };
    for (campaign, query, revenue, payout) in [
        (rules(("fixed", "8.00", "0"), ("fixed", "5.00", "0")), "", "8.00", "5.00"),
        (rules(("fixed", "8.00", "0"), ("fixed", "5.00", "0")), "amount=1000", "8.00", "5.00"),
        (rules(("cpa", "8.00", "0"), ("cpl", "5.00", "0")), "amount=1000", "8.00", "5.00"),
        (rules(("cps", "0", "20"), ("cps", "0", "10")), "amount=49.90", "9.98", "4.99"),
        (
            rules(("cps", "0", "20"), ("cps", "0", "10")),
            "amount=49.90&commission=10",
            "2.00",
            "1.00",
        ),
        (rules(("cps", "0", "20"), ("revshare", "0", "50")), "amount=49.90", "9.98", "4.99"),
        (rules(("fixed", "1.00", "10"), ("fixed", "0.50", "2.5")), "amount=10", "2.00", "0.75"),
        (rules(("fixed", "8.00", "0"), ("revshare", "1.00", "12.5")), "", "8.00", "2.00"),
        (
            rules(("cps", "0", "100"), ("cps", "0", "0.01")),
            "amount=999999999999.99",
            "999999999999.99",
            "100000000.00",
        ),
        (rules(("cps", "0", "0"), ("cps", "0", "0")), "", "0.00", "0.00"),
        // Half away from zero: 0.05 × 10 % is half a cent.
        (rules(("cps", "0", "10"), ("cps", "0", "9.99")), "amount=0.05", "0.01", "0.00"),
    ] {
        let world = World::new();
        let shop = Shop::with(&world, campaign.clone());
        assert_eq!(money(&shop, query), (revenue.into(), payout.into()), "{campaign} {query}");
    }
}

#[test]
fn digits_beyond_the_currencys_are_rounded_with_a_warning() {
    for (currency, amount, stored, is_rounded) in [
        ("USD", "1.004", 100, true),
        ("USD", "1.005", 101, true),
        ("USD", "1.0050", 101, true),
        ("USD", "1.00", 100, false),
        ("USD", "1.000000", 100, false),
        ("USD", "0.004999", 0, true),
        ("JPY", "100", 100, false),
        ("JPY", "100.5", 101, true),
        ("JPY", "100.499999", 100, true),
        ("KWD", "1.0005", 1001, true),
        ("KWD", "1.001", 1001, false),
    ] {
        let world = World::new();
        let shop = Shop::with(
            &world,
            json!({ "currency": currency, "payout_fixed": "5", "revenue_fixed": "8" }),
        );
        let id = shop.clicks(1);
        let body = shop.reports(200, &format!("click_id={id}&amount={amount}"));
        let expected: &[&str] = if is_rounded { &["rounded"] } else { &[] };
        assert_eq!(codes(&body), expected, "{currency} {amount}");
        assert_eq!(shop.value("SELECT amount FROM conversions"), stored, "{currency} {amount}");
    }
}

#[test]
fn money_is_written_with_the_digits_of_its_currency() {
    for (currency, payout, shown) in
        [("JPY", "500", "500"), ("KWD", "1.5", "1.500"), ("EUR", "0.05", "0.05")]
    {
        let world = World::new();
        let shop = Shop::with(
            &world,
            json!({ "currency": currency, "payout_fixed": payout, "revenue_fixed": "0" }),
        );
        let id = shop.clicks(1);
        let body = shop.reports(200, &format!("click_id={id}"));
        assert_eq!(body["payout"], json!({ "amount": shown, "currency": currency }));
    }
}

#[test]
fn numbers_that_are_no_amounts_are_refused() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "is_explicit_money_allowed": true }));
    let id = shop.clicks(1);
    for name in ["amount", "commission", "revenue", "payout"] {
        for number in [
            "1e309",
            "NaN",
            "-0",
            "-1",
            "1%2C5",
            "1,5",
            "123456789012345678901234567890",
            "1234567890123",
            "0.1234567",
            "%2B1",
            "1.",
            ".5",
            "0x10",
            "1_000",
            "inf",
            "1 0",
            "%D9%A1",
            "1.2.3",
            "$5",
        ] {
            let body = shop
                .is_refused((400, "invalid_parameter"), &format!("click_id={id}&{name}={number}"));
            assert_eq!(body["parameter"], name, "{number}");
        }
    }
    for rate in ["0", "0.0000000000", "1.12345678901", "-1", "1e2"] {
        let query = format!("click_id={id}&amount=1&conversion_rate={rate}");
        assert_eq!(
            shop.is_refused((400, "invalid_parameter"), &query)["parameter"],
            "conversion_rate",
            "{rate}"
        );
    }
    shop.is_refused(
        (400, "invalid_parameter"),
        &format!("click_id={id}&amount=999999999999&conversion_rate=999999"),
    );
    assert_eq!(shop.count("conversions"), 0);
}

#[test]
fn a_rate_converts_what_was_sent_in_another_currency() {
    let world = World::new();
    let campaign = json!({
        "is_explicit_money_allowed": true, "payout_type": "cps", "payout_fixed": "0", "payout_percent": "10",
        "revenue_type": "cps", "revenue_fixed": "0", "revenue_percent": "100",
    });
    let shop = Shop::with(&world, campaign);
    let both = |revenue: &str, payout: &str| (revenue.to_owned(), payout.to_owned());
    assert_eq!(
        money(&shop, "amount=100&currency=EUR&conversion_rate=1.1"),
        both("110.00", "11.00")
    );
    assert_eq!(
        money(&shop, "amount=10000&currency=JPY&conversion_rate=0.0064"),
        both("64.00", "6.40")
    );
    assert_eq!(money(&shop, "amount=100&currency=usd"), both("100.00", "10.00"));
    assert_eq!(money(&shop, "amount=100&conversion_rate=0.3333333333"), both("33.33", "3.33"));
    shop.changes_campaign(json!({ "is_explicit_money_allowed": false }));
    let id = shop.clicks(1);
    shop.is_refused(
        (422, "no_exchange_rate"),
        &format!("click_id={id}&amount=1&currency=EUR&conversion_rate=1.1"),
    );
}

#[test]
fn explicit_money_counts_only_where_the_campaign_allows_it() {
    let world = World::new();
    let shop = Shop::open(&world);
    let query = "revenue=20&payout=12.345&occurred_at=2026-11-21T09:00:00Z&conversion_rate=2";
    let id = shop.clicks(1);
    let body = shop.reports(200, &format!("click_id={id}&{query}"));
    assert_eq!(codes(&body), ["payout_not_allowed"; 4]);
    let about: Vec<&str> = body["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w["parameter"].as_str().unwrap())
        .collect();
    assert_eq!(about, ["revenue", "payout", "conversion_rate", "occurred_at"]);
    assert_eq!(
        (&body["revenue"]["amount"], &body["payout"]["amount"]),
        (&json!("8.00"), &json!("5.00"))
    );
    assert_eq!(shop.value("SELECT occurred_at - received_at FROM conversions"), 0);

    shop.changes_campaign(json!({ "is_explicit_money_allowed": true }));
    assert_eq!(money(&shop, query), ("20.00".into(), "12.35".into()));
    assert_eq!(money(&shop, "payout=0"), ("8.00".into(), "0.00".into()));
    assert_eq!(
        shop.value("SELECT MIN(occurred_at) FROM conversions"),
        crate::support::world::BEGINNING_MS - 1_800_000
    );
}

#[test]
fn the_window_is_reckoned_at_the_time_of_the_sale() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "window_days": 1, "is_explicit_money_allowed": true }));
    let id = shop.clicks(1);
    let sale = world.now().plus_ms(86_400_000).to_rfc3339();
    world.waits_ms(3 * 86_400_000);
    shop.is_refused((410, "expired_click"), &format!("click_id={id}"));
    let ahead = world.now().plus_ms(300_001).to_rfc3339();
    let body =
        shop.is_refused((400, "invalid_parameter"), &format!("click_id={id}&occurred_at={ahead}"));
    assert_eq!(body["parameter"], "occurred_at");
    shop.reports(200, &format!("click_id={id}&conversion_time={sale}"));
}

#[test]
fn a_status_is_sent_or_the_campaigns_own() {
    let world = World::new();
    let shop = Shop::open(&world);
    let status = |query: &str| {
        let id = shop.clicks(1);
        shop.reports(200, &format!("click_id={id}&{query}"))["status"].as_str().unwrap().to_owned()
    };
    for (word, means) in [
        ("approved", "approved"),
        ("pending", "pending"),
        ("hold", "hold"),
        ("rejected", "rejected"),
        ("confirmed", "approved"),
        ("denied", "rejected"),
        ("declined", "rejected"),
        ("cancelled", "rejected"),
        ("revision", "hold"),
        ("on_hold", "hold"),
    ] {
        assert_eq!(status(&format!("status={word}")), means);
    }
    assert_eq!(status("third_party_rejected_reason=fraud"), "rejected");
    assert_eq!(status("third_party_rejected_reason=fraud&status=approved"), "rejected");
    assert_eq!(shop.value("SELECT COUNT(*) FROM conversions WHERE status_reason = 'fraud'"), 2);
    for own in ["pending", "hold", "approved"] {
        shop.changes_campaign(json!({ "default_status": own }));
        assert_eq!(status("x=y"), own);
    }
    let id = shop.clicks(1);
    shop.is_refused((404, "unknown_click"), &format!("click_id={id}&status=chargeback"));
}
