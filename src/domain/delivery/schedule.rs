//! When a delivery is tried again.

use crate::domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};

/// How long after each failed attempt the next one follows: Svix's schedule, 27 h 35 min 5 s in all.
const DELAYS_MS: [u64; 7] = [
    5 * SECOND_MS,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    10 * HOUR_MS,
];

/// So many attempts are made: at once, and after each of the delays.
pub const MAX_ATTEMPTS: u32 = DELAYS_MS.len() as u32 + 1;

/// A receiver may put the next attempt off for so long.
pub const MAX_RETRY_AFTER_MS: u64 = DAY_MS;

/// By how much a delay may be longer or shorter, in per cent, so that what failed together does
/// not come again together.
const JITTER_PERCENT: u64 = 20;

/// When to try again after so many failed attempts; `None` if that was the last one.
/// `wait_ms` is what the receiver asked for: it is never asked again before, but within a day.
pub fn next_try(
    attempts: u32,
    wait_ms: Option<u64>,
    now: Timestamp,
    random: u16,
) -> Option<Timestamp> {
    let place = usize::try_from(attempts.checked_sub(1)?).ok()?;
    let delay = jittered(*DELAYS_MS.get(place)?, random);
    let wait = wait_ms.unwrap_or(0).min(MAX_RETRY_AFTER_MS);
    Some(now.plus_ms(delay.max(wait)))
}

/// A delay, longer or shorter by up to a fifth, as the random number has it.
fn jittered(delay_ms: u64, random: u16) -> u64 {
    let least = delay_ms / 100 * (100 - JITTER_PERCENT);
    let range = delay_ms / 100 * 2 * JITTER_PERCENT;
    least + range * u64::from(random) / u64::from(u16::MAX)
}

/// How long `Retry-After` asks to wait, in milliseconds: seconds, or a date of HTTP (RFC 9110,
/// 10.2.3) in the only form that may be sent. What is neither asks for nothing.
pub fn retry_after_ms(text: &str, now: Timestamp) -> Option<u64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has are more than a day all the same.
        return Some(text.parse::<u64>().map_or(u64::MAX, |s| s.saturating_mul(SECOND_MS)));
    }
    Some(http_date(text)?.ms_since(now))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, date) = text.split_once(", ")?;
    let mut parts = date.split(' ');
    let (day, month, year, clock) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if parts.next() != Some("GMT") || parts.next().is_some() {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    Timestamp::parse(&format!("{year}-{month:02}-{day}T{clock}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_253_400_000;

    fn delay(attempts: u32, wait_ms: Option<u64>, random: u16) -> Option<u64> {
        let now = Timestamp::from_ms(NOW);
        next_try(attempts, wait_ms, now, random).map(|at| at.ms_since(now))
    }

    #[test]
    fn the_schedule_is_that_of_the_design() {
        let middle = |attempts| delay(attempts, None, u16::MAX / 2).unwrap();
        let expected = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000].map(|s| s * SECOND_MS);
        for (place, expected) in expected.into_iter().enumerate() {
            let found = middle(place as u32 + 1);
            assert!(found.abs_diff(expected) < expected / 1_000, "{place}: {found}");
        }
        assert_eq!(delay(MAX_ATTEMPTS, None, 0), None);
        assert_eq!(delay(0, None, 0), None);
    }

    #[test]
    fn jitter_is_a_fifth_either_way() {
        assert_eq!(delay(1, None, 0), Some(4_000));
        assert_eq!(delay(1, None, u16::MAX), Some(6_000));
        assert_eq!(delay(7, None, 0), Some(8 * HOUR_MS));
        assert_eq!(delay(7, None, u16::MAX), Some(12 * HOUR_MS));
    }

    #[test]
    fn a_receiver_is_not_asked_before_it_wants_to_be_but_within_a_day() {
        assert_eq!(delay(1, Some(90_000), 0), Some(90_000));
        assert_eq!(delay(2, Some(1_000), 0), Some(240_000), "no sooner than the schedule");
        assert_eq!(delay(1, Some(u64::MAX), 0), Some(DAY_MS));
    }

    #[test]
    fn retry_after_is_read_in_both_of_its_forms() {
        let now = Timestamp::parse("1994-11-06T08:49:00Z").unwrap();
        for (text, expected) in [
            ("120", Some(120_000)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37_000)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 31 Feb 1994 08:49:37 GMT", None),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            assert_eq!(retry_after_ms(text, now), expected, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = retry_after_ms(&text, Timestamp::from_ms(NOW));
        }
    }
}
