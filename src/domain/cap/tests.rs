//! Which caps apply to whom, and where a conversion counts.

use super::*;

fn cap(id: u32, affiliate_id: Option<u32>, what: Bounded, period: Period, mode: Mode) -> Cap {
    Cap { id, affiliate_id, what, period, limit: 10, mode, full_in: None }
}

fn date(text: &str) -> LocalDate {
    LocalDate::parse(text).unwrap()
}

fn ids<'a>(caps: impl Iterator<Item = &'a Cap>) -> Vec<u32> {
    caps.map(|cap| cap.id).collect()
}

#[test]
fn an_affiliates_own_cap_stands_instead_of_the_general_one_of_the_same_kind_and_period() {
    // Every pair of a general and a personal cap.
    for general in Bounded::ALL {
        for period in Period::ALL {
            for own in Bounded::ALL {
                for own_period in Period::ALL {
                    for mode in Mode::ALL {
                        let caps = [
                            cap(1, None, *general, *period, Mode::Hard),
                            cap(2, Some(7), *own, *own_period, *mode),
                        ];
                        let is_same = (general, period) == (own, own_period);
                        let expected: &[u32] = if is_same { &[2] } else { &[1, 2] };
                        assert_eq!(ids(applying(&caps, 7)), expected, "{caps:?}");
                        assert_eq!(ids(applying(&caps, 8)), [1], "the control: {caps:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_conversion_counts_once_wherever_a_cap_of_its_own_or_of_all_looks() {
    use Bounded::{Conversions, Payout};
    use Period::{Day, Month, Total};
    let caps = [
        cap(1, None, Conversions, Day, Mode::Hard),
        cap(2, None, Payout, Day, Mode::Soft),
        cap(3, None, Conversions, Total, Mode::Hard),
        cap(4, Some(7), Conversions, Day, Mode::Hard),
        cap(5, Some(8), Conversions, Month, Mode::Hard),
    ];
    let today = date("2026-11-21");
    let pairs = |places: Vec<Place>| -> Vec<(u32, String)> {
        places.into_iter().map(|place| (place.affiliate_id, place.days)).collect()
    };
    let day = |affiliate: u32| (affiliate, "2026-11-21".to_owned());
    assert_eq!(pairs(places(&caps, 7, &today)), [day(0), day(7)]);
    assert_eq!(pairs(places(&caps, 9, &today)), [day(0)]);
    assert_eq!(pairs(places(&caps[3..], 9, &today)), []);
    // Each cap looks at the days of its period.
    let looked = |affiliate| pairs(looked_at(&caps, affiliate, &today));
    assert_eq!(looked(7), [day(0), (0, String::new()), day(7)]);
    assert_eq!(looked(8), [day(0), (0, String::new()), (8, "2026-11".to_owned())]);
    assert_eq!(looked(9), [day(0), (0, String::new())]);
}

#[test]
fn links_close_while_a_hard_cap_is_full_and_open_with_the_next_period() {
    let full = |affiliate_id, mode, full_in: &str| Cap {
        full_in: Some(full_in.to_owned()),
        ..cap(1, affiliate_id, Bounded::Conversions, Period::Day, mode)
    };
    let closed = |caps: &[Cap], affiliate| is_closed(caps, affiliate, || date("2026-11-21"));
    assert!(closed(&[full(None, Mode::Hard, "2026-11-21")], 7));
    assert!(!closed(&[full(None, Mode::Hard, "2026-11-20")], 7), "it was full yesterday");
    assert!(!closed(&[full(None, Mode::Soft, "2026-11-21")], 7));
    assert!(!closed(&[full(Some(8), Mode::Hard, "2026-11-21")], 7), "another's");
    let own = cap(2, Some(7), Bounded::Conversions, Period::Day, Mode::Hard);
    assert!(
        !closed(&[full(None, Mode::Hard, "2026-11-21"), own.clone()], 7),
        "has a cap of his own"
    );
    assert!(!is_closed(&[own], 7, || panic!("a date costs a call of the platform")));
}

#[test]
fn a_full_cap_is_told_with_its_limit_and_what_was_used() {
    let usd = Currency::parse("USD").unwrap();
    let today = date("2026-11-21");
    let own = cap(3, Some(7), Bounded::Conversions, Period::Day, Mode::Hard);
    assert_eq!(
        own.in_words(10, &today, usd),
        "cap 3 (affiliate 7) is full: 10 of 10 conversions on 2026-11-21"
    );
    let month = Cap { limit: 50_000, ..cap(4, None, Bounded::Payout, Period::Month, Mode::Soft) };
    assert_eq!(
        month.in_words(50_150, &today, usd),
        "cap 4 is full: 501.50 USD of 500.00 USD payout in 2026-11"
    );
}

#[test]
fn what_is_no_date_is_refused() {
    for text in ["", "2026-11-2", "2026/11/21", "2026-11-21T", "20261-1-21", "２026-11-1"] {
        assert_eq!(LocalDate::parse(text), None, "{text}");
    }
    assert_eq!(LocalDate::utc(Timestamp::from_ms(0)).as_str(), "1970-01-01");
}
