//! Waking the sender: at most one message a second from an isolate, however much is committed.

use std::cell::Cell;

use crate::domain::time::Timestamp;

/// The time between two messages of an isolate.
pub const EVERY_MS: u64 = 1_000;

/// For so long one who said that it would send a message is relied on.
const PATIENCE_MS: u64 = 2 * EVERY_MS;

/// When messages were sent, and when the next one will be. Plain values: who waits to send may
/// be cancelled, and then another one does it.
#[derive(Debug, Default)]
pub struct Wakes {
    last: Cell<Option<Timestamp>>,
    planned: Cell<Option<Timestamp>>,
}

impl Wakes {
    /// Something is due. In how many milliseconds the caller has to send a message; `None` if
    /// another one that is still to be sent tells of it as well.
    pub fn plan(&self, now: Timestamp) -> Option<u64> {
        if self.planned.get().is_some_and(|at| now < at.plus_ms(PATIENCE_MS)) {
            return None;
        }
        let free = self.last.get().map_or(now, |last| last.plus_ms(EVERY_MS));
        let at = free.max(now).min(now.plus_ms(EVERY_MS));
        self.planned.set(Some(at));
        Some(at.ms_since(now))
    }

    /// The message is about to be sent: what comes from now on needs another one.
    pub fn sends(&self, now: Timestamp) {
        self.planned.set(None);
        self.last.set(Some(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_goes_at_once_and_the_next_a_second_later() {
        let wakes = Wakes::default();
        let at = |ms: u64| Timestamp::from_ms(1_000_000 + ms);
        assert_eq!(wakes.plan(at(0)), Some(0));
        wakes.sends(at(0));
        assert_eq!(wakes.plan(at(10)), Some(990));
        assert_eq!(wakes.plan(at(20)), None, "the planned one tells of this as well");
        wakes.sends(at(1_000));
        assert_eq!(wakes.plan(at(5_000)), Some(0));
    }

    #[test]
    fn a_message_whose_sender_was_cancelled_is_sent_by_another() {
        let wakes = Wakes::default();
        let at = |ms: u64| Timestamp::from_ms(1_000_000 + ms);
        assert_eq!(wakes.plan(at(0)), Some(0));
        assert_eq!(wakes.plan(at(PATIENCE_MS - 1)), None);
        assert_eq!(wakes.plan(at(PATIENCE_MS)), Some(0));
    }

    #[test]
    fn a_clock_that_was_ahead_delays_no_message_by_more_than_a_second() {
        let wakes = Wakes::default();
        wakes.sends(Timestamp::from_ms(9_000_000));
        assert_eq!(wakes.plan(Timestamp::from_ms(1_000)), Some(EVERY_MS));
    }
}
