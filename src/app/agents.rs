//! What user agents say, remembered: reading one takes as long as the rest of a click, and a few
//! hundred make most of a day's clicks.

use std::cell::RefCell;

use super::recent::Recent;
use crate::domain::visit::Agent;

const MAX_AGENTS: usize = 1_000;
/// Longer ones are read each time, so that all of them take half a megabyte at most.
const MAX_BYTES: usize = 512;

/// User agents that were read lately.
pub struct Agents(RefCell<Recent<String, Agent>>);

impl Default for Agents {
    fn default() -> Self {
        Self(RefCell::new(Recent::new(MAX_AGENTS)))
    }
}

impl Agents {
    /// What a value of `User-Agent` says.
    pub fn read(&self, user_agent: &str) -> Agent {
        let known = self.0.borrow_mut().with(user_agent, |agent| *agent);
        known.unwrap_or_else(|| self.read_new(user_agent))
    }

    #[inline(never)]
    fn read_new(&self, user_agent: &str) -> Agent {
        let agent = Agent::of(user_agent);
        if user_agent.len() <= MAX_BYTES {
            self.0.borrow_mut().put(user_agent.to_owned(), agent);
        }
        agent
    }
}
