//! What this isolate has changed lately. Copies reach it later than the change itself did: the one
//! that it asks for next may be older.

use std::cell::RefCell;

use super::Wanted;
use crate::app::recent::Recent;
use crate::domain::time::Timestamp;

/// Edits are remembered until so many others were made. Copies of KV follow within a minute or two.
const EDITS: usize = 1_000;

/// The last edits, and when they were made.
pub struct Edits(RefCell<Recent<Wanted, Timestamp>>);

impl Default for Edits {
    fn default() -> Self {
        Self(RefCell::new(Recent::new(EDITS)))
    }
}

impl Edits {
    /// This value was changed by a request of this isolate.
    pub fn note(&self, wanted: &Wanted, now: Timestamp) {
        self.0.borrow_mut().put(wanted.clone(), now);
    }

    /// When it was changed last, if that is remembered.
    pub fn last(&self, wanted: &Wanted) -> Option<Timestamp> {
        self.0.borrow().peek(wanted).copied()
    }
}
