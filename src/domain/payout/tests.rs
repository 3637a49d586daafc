//! The choice of payout rules: by a table of all pairs, and by properties.

use super::*;
use crate::domain::money::{BasisPoints, MoneyType};
use proptest::prelude::*;

/// The limits in the order of design.md 5.
const LIMITS: [&str; 6] = ["affiliate", "coupon", "lifetime", "event", "goal", "country"];

fn germany() -> Country {
    Country::parse("DE").unwrap()
}

/// A rule that has the limits of these bits, all of which match [`CASE`]; bit 0 is the affiliate.
fn rule(id: u32, limits: u8) -> PayoutRule {
    let has = |place: u8| limits >> place & 1 == 1;
    PayoutRule {
        id,
        limits: Limits {
            affiliate_id: has(0).then_some(3),
            coupon: has(1).then(|| "Summer10".to_owned()),
            is_lifetime: has(2),
            event_id: has(3).then_some(5),
            goal: has(4).then(|| "shoes".to_owned()),
            countries: if has(5) { vec![germany()] } else { vec![] },
        },
        terms: Terms {
            rule: Rule { kind: MoneyType::Fixed, fixed_minor: 1, percent: BasisPoints(0) },
            max_minor: None,
            default_status: None,
        },
    }
}

/// A case with everything that a limit can match.
fn case<'a>() -> Traits<'a> {
    Traits {
        affiliate_id: 3,
        coupon: Some("SUMMER10"),
        is_lifetime: true,
        event_id: 5,
        goal: Some("shoes"),
        country: Some(germany()),
    }
}

fn chosen(rules: &[PayoutRule]) -> u32 {
    choose(rules, &case()).unwrap().rule.id
}

#[test]
fn of_two_rules_with_one_limit_each_the_one_that_is_named_first_applies() {
    // The general rule, which has none, is the last.
    let names: Vec<&str> = LIMITS.into_iter().chain(["general"]).collect();
    for (first, stronger) in names.iter().enumerate() {
        for (second, weaker) in names.iter().enumerate().skip(first + 1) {
            let bits = |place: usize| if place < 6 { 1u8 << place } else { 0 };
            // Whichever was created first.
            for (id_of_stronger, id_of_weaker) in [(1, 2), (2, 1)] {
                let rules = [rule(id_of_stronger, bits(first)), rule(id_of_weaker, bits(second))];
                assert_eq!(chosen(&rules), id_of_stronger, "{stronger} before {weaker}");
            }
        }
    }
}

#[test]
fn of_all_pairs_of_specificity_the_first_limit_that_only_one_has_decides() {
    for a in 0..64u8 {
        for b in 0..64u8 {
            let rules = [rule(9, a), rule(4, b)];
            // The lowest bit in which they differ; without one the lower number.
            let differing = a ^ b;
            let wins_a = differing != 0 && a >> differing.trailing_zeros() & 1 == 1;
            let expected = if wins_a { 9 } else { 4 };
            assert_eq!(chosen(&rules), expected, "{} or {}", rules[0], rules[1]);
        }
    }
}

#[test]
fn a_rule_with_more_limits_comes_before_the_same_rule_without_them() {
    for less in 0..64u8 {
        for more in (0..64u8).filter(|more| more & less == less && *more != less) {
            assert_eq!(chosen(&[rule(1, less), rule(2, more)]), 2, "{less:b} {more:b}");
        }
    }
}

#[test]
fn a_rule_applies_only_if_all_its_limits_match() {
    let other: [(&str, Traits<'_>); 6] = [
        ("affiliate", Traits { affiliate_id: 4, ..case() }),
        ("coupon", Traits { coupon: Some("SUMMER"), ..case() }),
        ("lifetime", Traits { is_lifetime: false, ..case() }),
        ("event", Traits { event_id: INITIAL, ..case() }),
        ("goal", Traits { goal: Some("Shoes"), ..case() }),
        ("country", Traits { country: Country::parse("AT"), ..case() }),
    ];
    for limits in 0..64u8 {
        assert!(rule(1, limits).limits.match_case(&case()));
        for (place, (name, other)) in other.iter().enumerate() {
            let is_limited = limits >> place & 1 == 1;
            assert_eq!(rule(1, limits).limits.match_case(other), !is_limited, "{name} {limits:b}");
        }
    }
    for none in [
        Traits { coupon: None, ..case() },
        Traits { goal: None, ..case() },
        Traits { country: None, ..case() },
    ] {
        assert!(!rule(1, 63).limits.match_case(&none));
    }
}

#[test]
fn initial_conversions_are_an_event_that_a_rule_can_be_limited_to() {
    let limits = Limits { event_id: Some(INITIAL), ..Limits::default() };
    assert!(!limits.match_case(&case()));
    assert!(limits.match_case(&Traits { event_id: INITIAL, ..case() }));
}

#[test]
fn without_a_rule_that_matches_there_is_no_choice() {
    assert!(choose(&[], &case()).is_none());
    let other = Traits { affiliate_id: 4, ..case() };
    assert!(choose(&[rule(1, 1)], &other).is_none());
}

#[test]
fn the_reason_names_what_lost_and_why() {
    let why = |rules: &[PayoutRule]| choose(rules, &case()).unwrap().why();
    assert_eq!(why(&[rule(1, 1)]), "no other applies");
    assert_eq!(
        why(&[rule(1, 0), rule(2, 0b010001), rule(3, 0b1000)]),
        "the most specific of 3 that apply; lost: payout rule 3 (event 5), \
         payout rule 1 (everything)"
    );
    assert_eq!(
        why(&[rule(2, 16), rule(1, 16)]),
        "as specific as the next one, but with the lower number; lost: payout rule 2 (goal \"shoes\")"
    );
    let mut other = rule(7, 1);
    other.limits.affiliate_id = Some(99);
    assert_eq!(why(&[rule(1, 1), other]), "no other applies; not matching: 1");
    let many: Vec<PayoutRule> = (1..=500).map(|id| rule(id, 0)).collect();
    assert!(why(&many).ends_with("payout rule 6 (everything) and 494 more"), "{}", why(&many));
}

#[test]
fn limits_are_told_in_their_order() {
    assert_eq!(
        rule(1, 63).to_string(),
        "payout rule 1 (affiliate 3, coupon \"Summer10\", lifetime, event 5, goal \"shoes\", clicks from DE)"
    );
    let own =
        |event_id| PayoutRule { limits: Limits { event_id, ..Limits::default() }, ..rule(OWN, 0) };
    assert_eq!(own(None).to_string(), "the campaign's own rule");
    assert_eq!(own(Some(5)).to_string(), "event 5's own rule");
}

proptest! {
    #[test]
    fn the_order_in_which_rules_are_read_does_not_matter(
        limits in prop::collection::vec(0..64u8, 1..20),
        turned in any::<prop::sample::Index>(),
    ) {
        let rules: Vec<PayoutRule> =
            limits.iter().zip(1..).map(|(limits, id)| rule(id, *limits)).collect();
        let mut other = rules.clone();
        other.rotate_left(turned.index(rules.len()));
        prop_assert_eq!(chosen(&rules), chosen(&other));
        other.reverse();
        prop_assert_eq!(chosen(&rules), chosen(&other));
        let choice = choose(&rules, &case()).unwrap();
        prop_assert_eq!(choice.lost.len() + 1, rules.len());
        // Each that lost would have been chosen without those before it.
        let order: Vec<&PayoutRule> = [choice.rule].into_iter().chain(choice.lost).collect();
        for (place, first) in order.iter().enumerate() {
            prop_assert_eq!(choose(order[place..].iter().copied(), &case()).unwrap().rule.id, first.id);
        }
    }
}
