//! Which connectors hear of something. What they are told is decided in `domain/delivery/`, and
//! written in the commit of what it tells of.

use std::cell::Cell;
use std::rc::Rc;

use super::memory::{Memory, Wanted};
use super::ports::{Configuration, Unavailable};
use super::situate::recall;
use crate::domain::connector::Connectors;
use crate::domain::delivery::Delivery;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// What a report says for connectors alone; nothing of it bears on its conversion.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// The site event as which a page reported it.
    pub site_event: Option<String>,
    /// The site event's own keys and values, as sent.
    pub keys: Vec<(String, String)>,
    /// The visitor of the site script.
    pub visitor: Option<String>,
    /// Whether connectors in test mode shall send as well.
    pub is_forced: bool,
}

/// Whether something was written that is to be sent now: whoever ends a reply then wakes the
/// sender. What is lost with the isolate, the cron job finds.
#[derive(Debug, Default)]
pub struct Wake {
    is_wanted: Cell<bool>,
}

impl Wake {
    /// Asks that the sender be woken if one of these is due.
    pub fn ask_for(&self, deliveries: &[Delivery], now: Timestamp) {
        if deliveries.iter().any(|delivery| delivery.due_at <= now) {
            self.is_wanted.set(true);
        }
    }

    /// Takes what was asked since it was last taken; whoever takes it wakes the sender.
    pub fn take(&self) -> bool {
        self.is_wanted.replace(false)
    }
}

/// The connectors that may hear of what is credited to an affiliate (0: to nobody): those that
/// belong to nobody, and his own. A namespace without connectors costs one look into memory.
///
/// # Errors
/// If they are not in memory and no store answers: what they would have to send must not be lost
/// silently.
pub async fn connectors_for(
    ports: &impl Configuration,
    memory: &Memory,
    namespace: &Namespace,
    affiliate_id: u32,
    now: Timestamp,
) -> Result<Vec<Rc<Connectors>>, Unavailable> {
    let mut all = Vec::new();
    for affiliate in [0, affiliate_id] {
        let look = || memory.connectors(namespace, affiliate, now);
        let wanted = || Wanted::Connectors(namespace.clone(), affiliate);
        let found = recall(ports, now, look, wanted).await?;
        let has_more = found.as_ref().is_some_and(|found| found.has_of_affiliates);
        all.extend(found);
        if affiliate_id == 0 || !has_more {
            break;
        }
    }
    Ok(all)
}
