//! A receiver in trouble is left alone for a while, then asked once.

use crate::domain::time::{HOUR_MS, SECOND_MS, Timestamp};

/// So many failures in a row pause a receiver.
const FAILURES: u32 = 5;
/// The first pause; each failure after it doubles the next.
const PAUSE_MS: u64 = 30 * SECOND_MS;
/// The longest pause.
const MAX_PAUSE_MS: u64 = HOUR_MS;

/// What is known of a receiver that failed and has not succeeded since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// How often in a row it has failed.
    pub failures: u32,
    /// When it first did.
    pub failing_since: Timestamp,
    /// Nothing is sent before.
    pub paused_until: Timestamp,
}

impl Trouble {
    /// What is known after one more failure. A success ends the trouble.
    pub fn after_failure(before: Option<Self>, now: Timestamp) -> Self {
        let failures = before.map_or(1, |trouble| trouble.failures.saturating_add(1));
        let pause = match failures.checked_sub(FAILURES) {
            None => 0,
            Some(doublings) => PAUSE_MS.saturating_mul(1 << doublings.min(16)).min(MAX_PAUSE_MS),
        };
        Self {
            failures,
            failing_since: before.map_or(now, |trouble| trouble.failing_since),
            paused_until: now.plus_ms(pause),
        }
    }

    /// Whether it is to be left alone.
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.failures >= FAILURES && now < self.paused_until
    }

    /// Whether the next attempt is the one that finds out whether it is back.
    pub fn is_probed(&self, now: Timestamp) -> bool {
        self.failures >= FAILURES && now >= self.paused_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_pause_a_receiver_and_each_further_one_doubles_the_pause() {
        let now = Timestamp::from_ms(1_000_000);
        let mut trouble = None;
        let mut pauses = Vec::new();
        for _ in 0..14 {
            let after = Trouble::after_failure(trouble, now);
            pauses.push(after.paused_until.ms_since(now) / SECOND_MS);
            trouble = Some(after);
        }
        assert_eq!(pauses, [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        let most = Trouble { failures: u32::MAX, failing_since: now, paused_until: now };
        assert_eq!(Trouble::after_failure(Some(most), now).paused_until.ms_since(now), HOUR_MS);
    }

    #[test]
    fn after_the_pause_one_attempt_finds_out() {
        let now = Timestamp::from_ms(1_000_000);
        let mut trouble = Trouble::after_failure(None, now);
        assert!(!trouble.is_paused(now) && !trouble.is_probed(now));
        for _ in 0..4 {
            trouble = Trouble::after_failure(Some(trouble), now);
        }
        assert!(trouble.is_paused(now.plus_ms(29_999)));
        assert!(!trouble.is_paused(now.plus_ms(30_000)) && trouble.is_probed(now.plus_ms(30_000)));
        assert_eq!(trouble.failing_since, now);
    }
}
