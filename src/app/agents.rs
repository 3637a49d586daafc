//! What user agents say, remembered: reading one takes as long as the rest of a click, and a few
//! hundred make most of a day's clicks.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::visit::Agent;

const MAX_AGENTS: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();
/// Longer ones are read each time, so that all of them take half a megabyte at most.
const MAX_BYTES: usize = 512;

/// User agents that were read lately.
pub struct Agents(RefCell<LruCache<String, Agent>>);

impl Default for Agents {
    fn default() -> Self {
        Self(RefCell::new(LruCache::new(MAX_AGENTS)))
    }
}

impl Agents {
    /// What a value of `User-Agent` says.
    pub fn read(&self, user_agent: &str) -> Agent {
        if user_agent.len() > MAX_BYTES {
            return Agent::of(user_agent);
        }
        let mut agents = self.0.borrow_mut();
        if let Some(agent) = agents.get(user_agent) {
            return *agent;
        }
        let agent = Agent::of(user_agent);
        agents.put(user_agent.to_owned(), agent);
        agent
    }
}
