//! Which connectors hear of something. What they are told is decided in `domain/delivery/`, and
//! written in the commit of what it tells of.

mod changes;

pub use changes::{Audience, Audiences, Naming, deliveries_of_changes};

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::Future;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;

use super::memory::{Memory, Wanted};
use super::ports::{Configuration, Unavailable};
use super::situate::recall;
use crate::domain::connector::Connectors;
use crate::domain::connector::macros::{Macro, upper_name};
use crate::domain::contact::macro_of;
use crate::domain::delivery::Delivery;
use crate::domain::namespace::Namespace;
use crate::domain::time::{MINUTE_MS, Timestamp};

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
    /// Whether it came with an arrival that could not be kept: the page reports that again.
    pub is_arrival_missing: bool,
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

    /// Asks that the sender be woken.
    pub fn ask(&self) {
        self.is_wanted.set(true);
    }

    /// Takes what was asked since it was last taken; whoever takes it wakes the sender.
    pub fn take(&self) -> bool {
        self.is_wanted.replace(false)
    }
}

/// A site event that becomes no conversion, as it is taken.
#[derive(Debug)]
pub struct Taken<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether that is a standard name, or one that a campaign makes conversions of; others are
    /// bounded.
    pub is_known: bool,
    /// The names of the macros of its keys, as far as they are not known to be noted.
    pub keys: Vec<String>,
    /// What connectors have to send of it.
    pub deliveries: &'a [Delivery],
    /// The request in the inbox that was refused as a conversion, if it was one. Once that is
    /// judged again and refused no more, connectors are told of what it became instead.
    pub refused_as: Option<&'a str>,
}

/// Where site events that become no conversion are noted.
pub trait SiteEvents {
    /// Notes a site event's name and keys and what connectors have to send of it, all or nothing:
    /// nothing if the namespace has 200 other names, which the answer says (`false`). Of a name at
    /// most 50 keys are noted. Names and keys may be noted twice; deliveries, by their ids, as well.
    fn take(
        &self,
        namespace: &Namespace,
        taken: &Taken<'_>,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, Unavailable>>;
}

/// Keys of site events that an isolate has noted, so that most events need no statement for theirs.
#[derive(Default)]
pub struct NotedKeys {
    noted: RefCell<HashSet<u64>>,
    /// The current minute, and how often keys were noted in it.
    pace: Cell<(u64, u32)>,
}

/// How many keys of events are remembered, 8 bytes each; then all are noted anew.
const MAX_NOTED: usize = 10_000;

/// The longest key that is noted, in bytes of its macro's name.
const MAX_KEY: usize = 64;

/// How often a minute an isolate notes keys: pages make up as many as they like.
const MAX_PER_MINUTE: u32 = 30;

impl NotedKeys {
    /// The names of the macros of keys that are to be noted: they are not known to be, they are for
    /// no built-in macro, and it was not done too often within this minute.
    pub fn unnoted<'k>(
        &self,
        namespace: &Namespace,
        name: &str,
        keys: impl Iterator<Item = &'k str>,
        now: Timestamp,
    ) -> Vec<String> {
        let noted = self.noted.borrow();
        let is_new = |key: &String| {
            (1..=MAX_KEY).contains(&key.len())
                && Macro::of_key(key).is_none()
                && !noted.contains(&mark(namespace, name, key))
        };
        let keys = keys.filter(|key| macro_of(key).is_none());
        let keys: Vec<String> = keys.map(upper_name).filter(is_new).collect();
        let minute = now.ms() / MINUTE_MS;
        let times = if self.pace.get().0 == minute { self.pace.get().1 } else { 0 };
        if keys.is_empty() || times >= MAX_PER_MINUTE {
            return Vec::new();
        }
        self.pace.set((minute, times + 1));
        keys
    }

    /// Remembers that they are noted.
    pub fn remember(&self, namespace: &Namespace, name: &str, keys: &[String]) {
        let mut noted = self.noted.borrow_mut();
        if noted.len() > MAX_NOTED {
            noted.clear();
        }
        noted.extend(keys.iter().map(|key| mark(namespace, name, key)));
    }
}

fn mark(namespace: &Namespace, name: &str, key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (namespace, name, key).hash(&mut hasher);
    hasher.finish()
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
        let found = one(ports, memory, namespace, affiliate, now).await?;
        let has_more = found.as_ref().is_some_and(|found| found.has_of_affiliates);
        all.extend(found);
        if affiliate_id == 0 || !has_more {
            break;
        }
    }
    Ok(all)
}

async fn one(
    ports: &impl Configuration,
    memory: &Memory,
    namespace: &Namespace,
    affiliate: u32,
    now: Timestamp,
) -> Result<Option<Rc<Connectors>>, Unavailable> {
    let look = || memory.connectors(namespace, affiliate, now);
    let wanted = || Wanted::Connectors(namespace.clone(), affiliate);
    recall(ports, now, look, wanted).await
}
