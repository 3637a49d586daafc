//! What becomes of a delivery after an attempt.

use super::schedule::{next_try, retry_after_ms};
use crate::domain::time::Timestamp;

/// The receiver wants no more deliveries (Standard Webhooks).
const GONE: u16 = 410;
/// The receiver is asked too often.
const TOO_MANY: u16 = 429;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The receiver answered with this code, and perhaps `Retry-After`.
    Status(u16, Option<&'a str>),
    /// It did not answer, or not in time.
    None,
    /// No request could be made: what is configured is not valid (any more).
    NoRequest,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has arrived.
    Delivered,
    /// It is tried again.
    Again(Timestamp),
    /// It is not.
    Exhausted,
    /// It is not, and the connector is disabled: the receiver is gone for good.
    Gone,
}

/// Only 2xx is success. `attempts` counts the one that has just ended.
pub fn fate(answer: Answer<'_>, attempts: u32, now: Timestamp, random: u16) -> Fate {
    let wait_ms = match answer {
        Answer::Status(status, _) if status / 100 == 2 => return Fate::Delivered,
        Answer::Status(GONE, _) => return Fate::Gone,
        Answer::Status(_, retry_after) => retry_after.and_then(|text| retry_after_ms(text, now)),
        Answer::None | Answer::NoRequest => None,
    };
    next_try(attempts, wait_ms, now, random).map_or(Fate::Exhausted, Fate::Again)
}

/// Whether it is the receiver that is in trouble, rather than this one request. `None` if the
/// attempt says nothing about the receiver.
pub fn is_trouble(answer: Answer<'_>) -> Option<bool> {
    match answer {
        Answer::Status(status, _) => Some(status >= 500 || status == TOO_MANY),
        Answer::None => Some(true),
        Answer::NoRequest => None,
    }
}

/// Why an answer is none that was hoped for, for the log.
pub fn error_of(status: u16) -> Option<String> {
    match status {
        200..=299 => None,
        300..=399 => Some("the answer is a redirect, which is not followed".to_owned()),
        GONE => Some("the receiver wants no more; the connector is disabled".to_owned()),
        _ => Some(format!("the answer is {status}; only 2xx is success")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;

    #[test]
    fn only_2xx_is_success() {
        for status in [200, 201, 204, 299] {
            let answer = Answer::Status(status, None);
            assert_eq!(fate(answer, 8, NOW, 0), Fate::Delivered);
            assert_eq!((is_trouble(answer), error_of(status)), (Some(false), None));
        }
        for status in [100, 199, 300, 301, 304, 308, 400, 401, 404, 429, 500, 503, 599] {
            let again = Fate::Again(NOW.plus_ms(4_000));
            assert_eq!(fate(Answer::Status(status, None), 1, NOW, 0), again, "{status}");
            assert_eq!(fate(Answer::Status(status, None), 8, NOW, 0), Fate::Exhausted, "{status}");
            assert!(error_of(status).is_some());
        }
    }

    #[test]
    fn a_receiver_that_is_gone_disables_its_connector_at_once() {
        assert_eq!(fate(Answer::Status(410, None), 1, NOW, 0), Fate::Gone);
    }

    #[test]
    fn retry_after_puts_the_next_attempt_off() {
        let answer = Answer::Status(429, Some("90"));
        assert_eq!(fate(answer, 1, NOW, 0), Fate::Again(NOW.plus_ms(90_000)));
    }

    #[test]
    fn silence_5xx_and_429_are_trouble_of_the_receiver() {
        let troubled = |status| is_trouble(Answer::Status(status, None)).unwrap();
        assert!([500, 502, 503, 599, 429].into_iter().all(troubled));
        assert!(![301, 400, 401, 404, 410].into_iter().any(troubled));
        assert_eq!(is_trouble(Answer::None), Some(true));
        assert_eq!(is_trouble(Answer::NoRequest), None);
    }
}
