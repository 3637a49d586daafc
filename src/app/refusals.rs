//! Requests that failed before authentication: counted in memory, written behind a reply, many at
//! once, so that whoever knocks without a token costs no write each.
//!
//! Their writer may go missing as that of a page does (`pages`): a stranger who hangs up would
//! otherwise end the counting for as long as the isolate lives.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::app::ports::{RefusalBatch, RefusalCount, RefusedRequest};
use crate::domain::namespace::Namespace;
use crate::domain::time::{HOUR_MS, SECOND_MS, Timestamp};
use crate::domain::verdict::Reason;

/// Samples that wait to be written; the store keeps at most 100 per campaign and hour anyway.
const MAX_SAMPLES: usize = 100;
/// A writer that has not taken anything for so long is taken for missing; it waits one second.
const OVERDUE_MS: u64 = 5 * SECOND_MS;

type Key = (Option<Namespace>, Timestamp, Reason);

/// What an isolate has refused since it last wrote.
#[derive(Default)]
pub struct Refusals {
    pending: RefCell<Pending>,
}

#[derive(Default)]
struct Pending {
    counts: HashMap<Key, u64>,
    samples: Vec<RefusedRequest>,
    /// Since when somebody is going to write them.
    writer: Option<Timestamp>,
}

impl Refusals {
    /// Counts a refusal. `true` if nobody is going to write: then its request does.
    pub fn add(&self, refusal: RefusedRequest) -> bool {
        let now = refusal.received_at;
        let mut pending = self.pending.borrow_mut();
        let is_writer = pending.writer.is_none_or(|since| now.ms_since(since) > OVERDUE_MS);
        if is_writer {
            pending.writer = Some(now);
        }
        let hour = Timestamp::from_ms(refusal.received_at.ms() / HOUR_MS * HOUR_MS);
        *pending.counts.entry((refusal.namespace.clone(), hour, refusal.reason)).or_insert(0) += 1;
        if pending.samples.len() < MAX_SAMPLES {
            pending.samples.push(refusal);
        }
        is_writer
    }

    /// Takes everything that waits, under a random name that makes a repeated write harmless.
    pub fn take(&self, name: String) -> Option<RefusalBatch> {
        let pending = std::mem::take(&mut *self.pending.borrow_mut());
        if pending.counts.is_empty() {
            return None;
        }
        let counts = pending.counts.into_iter();
        let counts = counts.map(|((namespace, hour, reason), requests)| RefusalCount {
            namespace,
            hour,
            reason,
            requests,
        });
        Some(RefusalBatch { name, counts: counts.collect(), samples: pending.samples })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(second: u64) -> RefusedRequest {
        RefusedRequest {
            namespace: None,
            campaign_id: None,
            received_at: Timestamp::from_ms(second * SECOND_MS),
            reason: Reason::BadToken,
            detail: String::new(),
            parameters: String::new(),
            slot: 0,
        }
    }

    #[test]
    fn one_request_writes_for_all_until_it_has_or_has_gone_missing() {
        let refusals = Refusals::default();
        assert!(refusals.add(refused(0)));
        assert!(!refusals.add(refused(1)) && !refusals.add(refused(5)));
        assert!(refusals.add(refused(6)), "the first one's request was cancelled");
        assert!(!refusals.add(refused(7)));
        let batch = refusals.take("a".into()).unwrap();
        assert_eq!(batch.counts.iter().map(|count| count.requests).sum::<u64>(), 5);
        assert!(refusals.take("b".into()).is_none());
        assert!(refusals.add(refused(7)));
    }
}
