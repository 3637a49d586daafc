//! A brake on visitors who post too often: per isolate and best effort, no accounting.

use std::cell::RefCell;

use super::recent::Recent;
use crate::domain::time::{MINUTE_MS, Timestamp};

/// Events that one visitor may post within a minute.
const MAX_PER_MINUTE: u32 = 120;
/// Visitors that are remembered.
const VISITORS: usize = 5_000;

struct Window {
    since: Timestamp,
    posts: u32,
}

/// How often each visitor posted in the current minute. Addresses stay in memory.
pub struct Rates {
    windows: RefCell<Recent<String, Window>>,
}

impl Default for Rates {
    fn default() -> Self {
        Self { windows: RefCell::new(Recent::new(VISITORS)) }
    }
}

impl Rates {
    /// Counts one post of a visitor; `false` if it is one too many.
    pub fn allow(&self, visitor: &str, now: Timestamp) -> bool {
        let mut windows = self.windows.borrow_mut();
        let posts = windows.with(visitor, |window| {
            if now.ms_since(window.since) >= MINUTE_MS {
                *window = Window { since: now, posts: 0 };
            }
            window.posts = window.posts.saturating_add(1);
            window.posts
        });
        if posts.is_none() {
            windows.put(visitor.to_owned(), Window { since: now, posts: 1 });
        }
        posts.is_none_or(|posts| posts <= MAX_PER_MINUTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_may_post_so_often_a_minute_and_others_do_not_matter() {
        let rates = Rates::default();
        let at = Timestamp::from_ms;
        assert!((0..MAX_PER_MINUTE).all(|_| rates.allow("a", at(0))));
        assert!(!rates.allow("a", at(MINUTE_MS - 1)));
        assert!(rates.allow("b", at(0)));
        assert!(rates.allow("a", at(MINUTE_MS)));
    }
}
