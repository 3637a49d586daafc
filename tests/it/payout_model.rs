//! Payouts against a small model: random rules, rates and amounts; no overflow, and sums of the
//! rows are the sums of what was told.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Shop, World};

const MAX: u128 = (1 << 53) - 1;

/// Rounded half up, which is half away from zero here.
fn rounded(numerator: u128, denominator: u128) -> u128 {
    (numerator + denominator / 2) / denominator
}

/// `1234` with two decimals is `12.34`.
fn decimal(units: u128, decimals: usize) -> String {
    let text = format!("{units:0width$}", width = decimals + 1);
    let (whole, fraction) = text.split_at(text.len() - decimals);
    if decimals == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

#[derive(Clone, Debug)]
struct Case {
    fixed: u128,
    basis_points: u128,
    max: Option<u128>,
    /// In millionths.
    amount: u128,
    /// In ten-billionths.
    rate: u128,
}

fn case() -> impl Strategy<Value = Case> {
    let small_or_large = |most: u128| prop_oneof![0..100_000u128.min(most), 0..most];
    let max = prop::option::of(small_or_large(10u128.pow(14)));
    let rate = prop_oneof![1..20_000_000_000u128, 1..10u128.pow(22)];
    (small_or_large(10u128.pow(14)), 0..=10_000u128, max, small_or_large(10u128.pow(18)), rate)
        .prop_map(|(fixed, basis_points, max, amount, rate)| Case {
            fixed,
            basis_points,
            max,
            amount,
            rate,
        })
}

/// What a case pays in cents; `None` where it has to be refused.
fn model(case: &Case) -> Option<u128> {
    // Millionths × ten-billionths into cents. What does not fit 128 bits is far beyond 2^53 cents.
    let cents = rounded(case.amount.checked_mul(case.rate)?, 10u128.pow(14));
    let base = Some(cents).filter(|cents| *cents <= MAX)?;
    let full = case.fixed + rounded(base * case.basis_points, 10_000);
    let paid = case.max.map_or(full, |max| full.min(max));
    Some(paid).filter(|paid| *paid <= MAX)
}

#[test]
fn random_rules_rates_and_amounts_pay_what_the_model_pays() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "revenue_fixed": "0" }));
    shop.operator.creates("payouts", json!({ "campaign_id": 1, "payout_type": "cps" }));
    let valid_from = "2026-01-01T00:00:00Z";
    let rate = json!({ "from_currency": "EUR", "to_currency": "USD", "rate": "1", "valid_from": valid_from });
    shop.operator.creates("rates", rate);
    let (paid, refused) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    proptest!(ProptestConfig::with_cases(200), |(case in case())| {
        let changes = json!({
            "payout_fixed": decimal(case.fixed, 2),
            "payout_percent": decimal(case.basis_points, 2),
            "payout_max": case.max.map(|max| decimal(max, 2)),
        });
        shop.operator.changes("payouts/1", changes);
        shop.operator.changes("rates/1", json!({ "rate": decimal(case.rate, 10) }));
        world.waits_ms(30_001);
        let id = shop.clicks(1);
        let query = format!("click_id={id}&currency=EUR&amount={}", decimal(case.amount, 6));
        match model(&case) {
            Some(expected) => {
                let body = shop.reports(200, &query);
                prop_assert_eq!(&body["payout"]["amount"], &Value::from(decimal(expected, 2)));
                paid.set(paid.get() + expected);
            }
            None => {
                shop.is_refused((400, "invalid_parameter"), &query);
                refused.set(refused.get() + 1);
            }
        }
    });
    let stored: u128 = shop
        .rows("SELECT payout FROM conversions")
        .iter()
        .map(|row| u128::from(row["payout"].as_u64().unwrap()))
        .sum();
    assert_eq!(stored, paid.get());
    assert!(refused.get() > 0 && stored > 0, "{} refused, {stored} paid", refused.get());
}
