//! How many statements a long task may still run: D1 counts those of an invocation.

use std::cell::Cell;

use super::{Blobs, Database, Stores};
use crate::app::steps::Budget;

/// What is left, if anything bounds it. Once a statement was refused for it, or failed, nothing
/// more of the task reaches the ledger, so that nothing is done on half of what should be known.
#[derive(Default)]
pub struct Allowance {
    left: Cell<Option<usize>>,
    used: Cell<usize>,
    has_failed: Cell<bool>,
}

impl Allowance {
    /// Takes some statements out of it. `false` if they must not be run.
    pub(super) fn take(&self, statements: usize) -> bool {
        if let Some(left) = self.left.get() {
            match left.checked_sub(statements).filter(|_| !self.has_failed.get()) {
                Some(left) => self.left.set(Some(left)),
                None => self.has_failed.set(true),
            }
            if self.has_failed.get() {
                return false;
            }
        }
        self.used.set(self.used.get() + statements);
        true
    }

    /// Notes that a batch failed.
    pub(super) fn note_failure(&self) {
        self.has_failed.set(true);
    }
}

impl<D: Database, B: Blobs> Budget for Stores<D, B> {
    fn allow(&self, statements: Option<usize>) {
        self.allowance.left.set(statements);
        self.allowance.has_failed.set(false);
    }

    fn used(&self) -> usize {
        self.allowance.used.get()
    }

    fn has_failed(&self) -> bool {
        self.allowance.has_failed.get()
    }
}
