//! Money by tables and properties.

use super::*;
use proptest::prelude::*;

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

#[test]
fn amounts_are_plain_decimals_only() {
    for text in [
        "1e309",
        "NaN",
        "-0",
        "-1",
        "+1",
        "1,5",
        "1.",
        ".5",
        "",
        " 1",
        "0x1",
        "1_000",
        "123456789012345678901234567890",
        "1234567890123",
        "1.1234567",
        "١",
        "1.2.3",
        "inf",
    ] {
        assert_eq!(Decimal::parse_amount(text), None, "{text:?}");
    }
    for text in ["0", "0.000001", "999999999999.999999", "007.50"] {
        assert!(Decimal::parse_amount(text).is_some(), "{text:?}");
    }
}

#[test]
fn surplus_digits_are_rounded_half_away_from_zero() {
    let minor = |text: &str, code: &str| {
        Decimal::parse_amount(text).unwrap().to_minor(Currency::parse(code).unwrap()).unwrap()
    };
    assert_eq!(minor("10.5", "USD"), (1050, false));
    assert_eq!(minor("10.005", "USD"), (1001, true));
    assert_eq!(minor("10.0049", "USD"), (1000, true));
    assert_eq!(minor("10.5", "JPY"), (11, true));
    assert_eq!(minor("10.0005", "KWD"), (10_001, true));
    assert_eq!(minor("999999999999.999999", "KWD"), (1_000_000_000_000_000, true));
}

#[test]
fn a_rate_converts_into_the_campaigns_digits() {
    let amount = Decimal::parse_amount("100").unwrap();
    let rate = Decimal::parse_rate("0.0064512345").unwrap();
    assert_eq!(amount.converted(rate, usd()), Some((65, true)));
    assert_eq!(Decimal::parse_rate("0"), None);
    assert_eq!(Decimal::parse_rate("0.00000000001"), None);
    let huge = Decimal::parse_amount("999999999999").unwrap();
    assert_eq!(huge.converted(huge, usd()), None);
}

#[test]
fn money_is_written_with_the_digits_of_its_currency() {
    assert_eq!(usd().format(500), "5.00");
    assert_eq!(usd().format(-7), "-0.07");
    assert_eq!(Currency::parse("jpy").unwrap().format(500), "500");
    assert_eq!(Currency::parse("BHD").unwrap().format(1), "0.001");
    for text in ["XXX", "US", "usdd", "", "   ", "EU ", "AED AFN"] {
        assert_eq!(Currency::parse(text), None, "{text:?}");
    }
}

#[test]
fn each_type_takes_its_percentage_of_its_own_base() {
    let rule = |kind| Rule { kind, fixed_minor: 100, percent: BasisPoints(1_000) };
    assert_eq!(rule(MoneyType::Cps).reckon(Some(2_005), 9_999), Some(301));
    assert_eq!(rule(MoneyType::Revshare).reckon(Some(2_000), 500), Some(150));
    assert_eq!(rule(MoneyType::Cpl).reckon(Some(2_000), 500), Some(100));
    assert_eq!(rule(MoneyType::Fixed).reckon(None, 0), Some(100));
    assert!(rule(MoneyType::Cps).needs_amount() && !rule(MoneyType::Cpl).needs_amount());
}

#[test]
fn a_sum_beyond_what_can_be_stored_is_none() {
    let rule =
        |fixed_minor| Rule { kind: MoneyType::Cps, fixed_minor, percent: BasisPoints(10_000) };
    assert_eq!(rule(MAX_MINOR - 7).reckon(Some(7), 0), Some(MAX_MINOR));
    assert_eq!(rule(MAX_MINOR - 7).reckon(Some(8), 0), None);
    assert_eq!(rule(i64::MAX).reckon(Some(1), 0), None);
}

#[test]
fn every_currency_has_the_digits_of_iso_4217() {
    for (codes, digits) in [(NO_DIGITS, 0), (TWO_DIGITS, 2), (THREE_DIGITS, 3)] {
        for code in codes.split_ascii_whitespace() {
            let currency = Currency::parse(code).unwrap();
            assert_eq!((currency.code(), currency.digits()), (code, digits));
        }
    }
    let count = |codes: &str| codes.split_ascii_whitespace().count();
    assert_eq!((count(NO_DIGITS), count(THREE_DIGITS)), (16, 7));
}

#[test]
fn percentages_are_between_0_and_100() {
    assert_eq!(BasisPoints::parse_percent("12.5"), Some(BasisPoints(1_250)));
    assert_eq!(BasisPoints(1_250).to_percent(), "12.5");
    for text in ["100.01", "-1", "12.345", "abc", ""] {
        assert_eq!(BasisPoints::parse_percent(text), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn equal_numbers_are_written_equally(whole in 0u64..1_000_000_000_000, cents in 0u32..1_000_000, zeros in 0usize..4) {
        let text = format!("{whole}.{cents:06}");
        let padded = format!("{}{whole}.{cents:06}", "0".repeat(zeros));
        let number = Decimal::parse_amount(&text).unwrap();
        if let Some(same) = Decimal::parse_amount(&padded) {
            prop_assert_eq!(same.normalised(), number.normalised());
        }
        prop_assert_eq!(Decimal::parse_amount(&number.normalised()), Some(number));
    }

    #[test]
    fn a_share_never_exceeds_the_whole(minor in 0..MAX_MINOR, points in 0u32..=10_000) {
        let share = BasisPoints(points).of(minor);
        prop_assert!((0..=minor).contains(&share));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "\\PC{0,30}") {
        let _ = (Decimal::parse_amount(&text), Decimal::parse_rate(&text), Currency::parse(&text), BasisPoints::parse_percent(&text));
    }

    #[test]
    fn what_a_rule_pays_is_exact_or_beyond_what_can_be_stored(
        kind in prop::sample::select(MoneyType::ALL),
        fixed_minor in 0..=MAX_MINOR,
        points in 0u32..=10_000,
        base in prop::option::of(0..=MAX_MINOR),
        revenue in 0..=MAX_MINOR,
    ) {
        let rule = Rule { kind, fixed_minor, percent: BasisPoints(points) };
        let of = match kind {
            MoneyType::Revshare => revenue,
            MoneyType::Cpl => 0,
            _ => base.unwrap_or(0),
        };
        // Twice the exact sum in ten-thousandths, so that half a unit is a whole number.
        let twice = 2 * (i128::from(fixed_minor) * 10_000 + i128::from(of) * i128::from(points));
        match rule.reckon(base, revenue) {
            Some(paid) => {
                let difference = 20_000 * i128::from(paid) - twice;
                prop_assert!((-9_999..=10_000).contains(&difference), "{difference}");
                prop_assert!((0..=MAX_MINOR).contains(&paid));
            }
            None => prop_assert!(twice / 20_000 >= i128::from(MAX_MINOR)),
        }
    }

    #[test]
    fn shares_of_parts_add_up_to_the_share_of_the_sum_but_for_half_a_unit_each(
        parts in prop::collection::vec(0..=MAX_MINOR / 16, 1..16),
        points in 0u32..=10_000,
    ) {
        let share = BasisPoints(points);
        let of_parts: i64 = parts.iter().map(|part| share.of(*part)).sum();
        let of_sum = share.of(parts.iter().sum());
        prop_assert!((of_parts - of_sum).abs() <= 1 + parts.len() as i64 / 2);
    }

    #[test]
    fn a_larger_amount_never_earns_less(a in 0..=MAX_MINOR, b in 0..=MAX_MINOR, points in 0u32..=10_000) {
        let (less, more) = (a.min(b), a.max(b));
        prop_assert!(BasisPoints(points).of(less) <= BasisPoints(points).of(more));
    }

    #[test]
    fn conversion_is_exact_to_half_a_unit_whatever_the_digits(
        whole in 0u64..1_000_000_000_000,
        millionths in 0u32..1_000_000,
        rate_whole in 0u64..1_000_000,
        rate_fraction in 0u64..10_000_000_000,
        code in prop::sample::select(vec!["JPY", "USD", "KWD"]),
    ) {
        let amount = Decimal::parse_amount(&format!("{whole}.{millionths:06}")).unwrap();
        let rate = Decimal::parse_rate(&format!("{rate_whole}.{rate_fraction:010}"));
        prop_assume!(rate.is_some());
        let to = Currency::parse(code).unwrap();
        let unit = 10u128.pow(16);
        let millionths = u128::from(whole) * 1_000_000 + u128::from(millionths);
        let rate_units = u128::from(rate_whole) * 10_000_000_000 + u128::from(rate_fraction);
        let exact = millionths * rate_units * 10u128.pow(u32::from(to.digits()));
        match amount.converted(rate.unwrap(), to) {
            Some((minor, was_rounded)) => {
                let minor = u128::try_from(minor).unwrap() * unit;
                prop_assert!(minor.abs_diff(exact) <= unit / 2);
                // A half goes away from zero.
                prop_assert!(minor + unit / 2 != exact);
                prop_assert_eq!(was_rounded, minor != exact);
            }
            None => prop_assert!((exact + unit / 2) / unit > MAX_MINOR as u128),
        }
    }

    #[test]
    fn what_is_written_is_read_again(minor in 0..1_000_000_000_000_i64, code in prop::sample::select(vec!["JPY", "USD", "KWD"])) {
        let currency = Currency::parse(code).unwrap();
        let text = currency.format(minor);
        prop_assert_eq!(Decimal::parse_amount(&text).unwrap().to_minor(currency), Some((minor, false)));
    }
}
