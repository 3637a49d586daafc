//! Requests that failed before authentication: counted in memory, written behind a reply, many at
//! once, so that whoever knocks without a token costs no write each.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::app::ports::{RefusalBatch, RefusalCount, RefusedRequest};
use crate::domain::namespace::Namespace;
use crate::domain::time::{HOUR_MS, Timestamp};
use crate::domain::verdict::Reason;

/// Samples that wait to be written; the store keeps at most 100 per campaign and hour anyway.
const MAX_SAMPLES: usize = 100;

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
}

impl Refusals {
    /// Counts a refusal. `true` if it is the first since the last write: its request writes.
    pub fn add(&self, refusal: RefusedRequest) -> bool {
        let mut pending = self.pending.borrow_mut();
        let is_first = pending.counts.is_empty();
        let hour = Timestamp::from_ms(refusal.received_at.ms() / HOUR_MS * HOUR_MS);
        *pending.counts.entry((refusal.namespace.clone(), hour, refusal.reason)).or_insert(0) += 1;
        if pending.samples.len() < MAX_SAMPLES {
            pending.samples.push(refusal);
        }
        is_first
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
