//! Copies of answers waiting to be kept. A lone postback's copy is written at once; in a rush one
//! request at a time writes for all, so that a copy costs a part of a write instead of as much as
//! the commit that somebody waits for.
//!
//! The writer is a convenience, not a lock: a cancelled request is never polled again and runs no
//! destructor, so whoever meets a writer without progress takes over.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::domain::conversion::Conversion;
use crate::domain::namespace::Namespace;
use crate::domain::time::{SECOND_MS, Timestamp};

/// A copy takes about a kilobyte; an isolate has 128 MB for everything.
const MAX_WAITING: usize = 8_000;
/// Copies that are written together.
pub const MAX_TOGETHER: usize = 40;
/// A writer that got no further for so long is taken for missing. Longer than a store may take.
const OVERDUE_MS: u64 = 25 * SECOND_MS;
/// So long a request goes on writing behind its reply; the platform ends it after 30 s.
const SHIFT_MS: u64 = 5 * SECOND_MS;

/// What waits, oldest first, and who writes.
#[derive(Default)]
pub struct Answers {
    waiting: RefCell<VecDeque<(Namespace, Box<Conversion>)>>,
    /// When the present writer last got further.
    writer: Cell<Option<Timestamp>>,
}

impl Answers {
    /// Adds an answer. `true` if nobody is writing: then its request does. Beyond the bound the
    /// oldest answer goes without a copy; its repeats had the most time.
    pub fn add(&self, namespace: Namespace, conversion: Box<Conversion>, now: Timestamp) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= MAX_WAITING {
            waiting.pop_front();
        }
        waiting.push_back((namespace, conversion));
        let has_writer = self.writer.get().is_some_and(|at| now.ms_since(at) <= OVERDUE_MS);
        if !has_writer {
            self.writer.set(Some(now));
        }
        !has_writer
    }

    /// Takes the oldest answers that belong to one namespace.
    pub fn take(&self, now: Timestamp) -> Option<(Namespace, Vec<Conversion>)> {
        let mut waiting = self.waiting.borrow_mut();
        let (namespace, first) = waiting.pop_front()?;
        self.writer.set(Some(now));
        let mut conversions = vec![*first];
        while conversions.len() < MAX_TOGETHER
            && waiting.front().is_some_and(|(other, _)| *other == namespace)
            && let Some((_, next)) = waiting.pop_front()
        {
            conversions.push(*next);
        }
        Some((namespace, conversions))
    }

    /// Whether the writer who began at a time should go on after a wait. If nothing has come in
    /// meanwhile, or the shift is over, the next postback's request is the writer.
    pub fn goes_on(&self, since: Timestamp, now: Timestamp) -> bool {
        let goes_on = !self.waiting.borrow().is_empty() && now.ms_since(since) <= SHIFT_MS;
        self.writer.set(goes_on.then_some(now));
        goes_on
    }
}
