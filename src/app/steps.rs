//! What tasks over many rows have in common: a call does a step of them, and the next one goes on
//! where it ended.

use crate::domain::time::Timestamp;

/// Statements of one step. An invocation on a free plan has 50 (D1, "Queries per Worker
/// invocation"); letting the caller in and what happens behind the reply need some of their own.
const MAX_STATEMENTS: usize = 40;

/// How far a task over what lies in time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The id of the last one that was looked at.
    pub after: String,
    /// The time before which all of them were, so that what comes meanwhile does not keep the task
    /// going.
    pub to: Timestamp,
}

impl Cursor {
    /// Where a task begins that is about what was from one time to before another; without the
    /// latter up to now. Ids of this kind begin with `prefix` and their time.
    pub fn start(
        prefix: &str,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        now: Timestamp,
    ) -> Self {
        let after = first_of(prefix, from.unwrap_or(Timestamp::EPOCH));
        // What happened at this moment was there.
        Self { after, to: to.unwrap_or(now.plus_ms(1)) }
    }

    /// What stands behind all ids that the task is about.
    pub fn before(&self, prefix: &str) -> String {
        first_of(prefix, self.to)
    }
}

/// What stands before all ids of a time or later.
fn first_of(prefix: &str, time: Timestamp) -> String {
    format!("{prefix}_{:012x}", time.ms())
}

/// What bounds a step.
pub trait Budget {
    /// From now on so many statements reach the ledger and no more; `None` ends the bound.
    fn allow(&self, statements: Option<usize>);
    /// How many statements were asked of the ledger so far, bounded or not.
    fn used(&self) -> usize;
    /// Whether anything of the ledger failed, or was over the bound, since [`Self::allow`].
    fn has_failed(&self) -> bool;
}

/// A step that is bounded until this is dropped, also if it is cancelled.
pub struct Bounded<'a, B: Budget>(&'a B);

impl<'a, B: Budget> Bounded<'a, B> {
    /// Begins a step.
    pub fn begin(budget: &'a B) -> Self {
        budget.allow(Some(MAX_STATEMENTS));
        Self(budget)
    }
}

impl<B: Budget> Drop for Bounded<'_, B> {
    fn drop(&mut self) {
        self.0.allow(None);
    }
}
