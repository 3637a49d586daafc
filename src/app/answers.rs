//! Copies of answers waiting to be kept. One request at a time writes; what came in while it wrote
//! it writes together, so that in a rush a copy costs a part of a write instead of as much as the
//! commit that somebody waits for. The first is written at once, and the writer pauses between
//! writes; no longer than that, since a copy in memory is lost if the isolate ends.
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
/// A writer that got no further for so long is taken for missing.
const OVERDUE_MS: u64 = 5 * SECOND_MS;
/// So long a request may write behind its reply; the platform ends it after 30 s.
const SHIFT_MS: u64 = 20 * SECOND_MS;

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

    /// Takes the oldest answers that belong to one namespace, for a writer who began at `since`.
    /// Without any, the writer is done: nothing waits, or the shift is over and the next
    /// postback's request goes on.
    pub fn take(&self, since: Timestamp, now: Timestamp) -> Option<(Namespace, Vec<Conversion>)> {
        let is_over = now.ms_since(since) > SHIFT_MS;
        let mut waiting = self.waiting.borrow_mut();
        let first = if is_over { None } else { waiting.pop_front() };
        self.writer.set(first.as_ref().map(|_| now));
        let (namespace, first) = first?;
        let mut conversions = vec![*first];
        while conversions.len() < MAX_TOGETHER
            && waiting.front().is_some_and(|(other, _)| *other == namespace)
            && let Some((_, next)) = waiting.pop_front()
        {
            conversions.push(*next);
        }
        Some((namespace, conversions))
    }
}
