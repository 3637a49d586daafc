//! Copies of answers waiting to be kept: one writer per isolate, so that in a rush of postbacks
//! the copies, which nobody waits for, take no turns away from commits, which somebody waits for.
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
/// A writer that got no further for so long is taken for missing.
const OVERDUE_MS: u64 = 5 * SECOND_MS;
/// So long a request may write behind its reply; the platform ends it after 30 s.
const SHIFT_MS: u64 = 20 * SECOND_MS;

/// A committed conversion.
pub type Answer = (Namespace, Box<Conversion>);

/// What waits, oldest first, and who writes.
#[derive(Default)]
pub struct Answers {
    waiting: RefCell<VecDeque<Answer>>,
    /// When the present writer last got further.
    writer: Cell<Option<Timestamp>>,
}

impl Answers {
    /// Adds an answer. `true` if nobody is writing: then its request does. Beyond the bound the
    /// oldest answer goes without a copy; its repeats had the most time.
    pub fn add(&self, answer: Answer, now: Timestamp) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= MAX_WAITING {
            waiting.pop_front();
        }
        waiting.push_back(answer);
        let is_written = self.writer.get().is_some_and(|since| now.ms_since(since) <= OVERDUE_MS);
        if !is_written {
            self.writer.set(Some(now));
        }
        !is_written
    }

    /// The next answer for a writer who began at `since`. Without one, the writer is done: nothing
    /// waits, or the shift is over and the next postback's request goes on.
    pub fn next(&self, since: Timestamp, now: Timestamp) -> Option<Answer> {
        let is_over = now.ms_since(since) > SHIFT_MS;
        let next = if is_over { None } else { self.waiting.borrow_mut().pop_front() };
        self.writer.set(next.as_ref().map(|_| now));
        next
    }
}
