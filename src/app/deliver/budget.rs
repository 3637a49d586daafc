//! How many statements a run may ask of the ledger. D1 counts those of an invocation and refuses
//! the rest; a run that had none left to write down what it did would make the same requests again.

use super::Means;
use crate::app::steps::Budget;

/// A free plan has 50 statements an invocation (D1, "Queries per Worker invocation"); two are left
/// for noting what fails.
const OF_INVOCATION: usize = 48;

/// A look at what is due, and two statements about its receivers.
const LOOK: usize = 3;

/// The dearest claim: two groups of connectors; of what was claimed the clicks, what connectors look
/// for, the visitors' touches and contact data.
const CLAIM: usize = 6;

/// The dearest writing: the log, the deliveries, receivers in and out of trouble, connectors that
/// are gone.
const WRITE: usize = 5;

/// The last writing, which may be of two portions. Everything else leaves so much.
const LAST: usize = WRITE + 2;

/// A request that stays in a bin.
const BIN: usize = 2;

/// What a run has spent and may spend. In all, with webhooks that name neither click nor visitor:
/// 3 for looking, 7 claims and 7 writings of two each for 200 deliveries of one connector, 24; slow
/// receivers add a writing every five seconds, six at most.
pub(super) struct Purse {
    /// What was spent before the run began, by the count of the ports.
    before: usize,
    limit: usize,
}

impl Purse {
    pub(super) fn new(means: &Means<'_>, ports: &impl Budget) -> Self {
        Self { before: ports.used(), limit: OF_INVOCATION.saturating_sub(means.spent) }
    }

    fn has(&self, ports: &impl Budget, statements: usize) -> bool {
        ports.used().saturating_sub(self.before) + statements <= self.limit
    }

    /// Whether there is enough for a look, and for sending something of what it finds.
    pub(super) fn may_look(&self, ports: &impl Budget) -> bool {
        self.has(ports, LOOK + CLAIM + WRITE + LAST)
    }

    /// Whether something may be claimed: what comes of it can be written.
    pub(super) fn may_claim(&self, ports: &impl Budget) -> bool {
        self.has(ports, CLAIM + WRITE + LAST)
    }

    /// Whether one more request may be put into a bin while so many are.
    pub(super) fn may_keep(&self, ports: &impl Budget, under_way: usize) -> bool {
        self.has(ports, BIN * (under_way + 1) + WRITE + LAST)
    }

    /// Whether results may be written before the end.
    pub(super) fn may_write(&self, ports: &impl Budget) -> bool {
        self.has(ports, WRITE + LAST)
    }

    /// Whether one writing is affordable at all.
    pub(super) fn may_end(&self, ports: &impl Budget) -> bool {
        self.has(ports, WRITE)
    }

    /// Whether what copies say of so many connectors may be set right, besides the last writing.
    pub(super) fn may_correct(&self, ports: &impl Budget, connectors: usize) -> bool {
        self.has(ports, 2 * connectors + LAST)
    }
}
