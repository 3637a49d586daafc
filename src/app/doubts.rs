//! Conversions waiting to be examined by the rows of their clicks. The ledger remembers them as
//! well: what is lost here, with the isolate or with a cancelled request, the cron job examines.

use std::cell::RefCell;

use crate::domain::namespace::Namespace;

/// What waits in memory at most; the cron job examines the rest.
const MAX_WAITING: usize = 200;

/// A conversion that is to be examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Its namespace.
    pub namespace: Namespace,
    /// The conversion.
    pub conversion_id: String,
    /// Its campaign, whose rules examine it.
    pub campaign_id: u32,
}

/// What an isolate is going to examine behind a reply.
#[derive(Default)]
pub struct Doubts {
    waiting: RefCell<Vec<Doubt>>,
}

impl Doubts {
    /// Adds a conversion.
    pub fn add(&self, doubt: Doubt) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() < MAX_WAITING {
            waiting.push(doubt);
        }
    }

    /// Takes everything that waits. Examining twice, or not at all if the request is cancelled, is
    /// harmless.
    pub fn take(&self) -> Vec<Doubt> {
        std::mem::take(&mut *self.waiting.borrow_mut())
    }
}
