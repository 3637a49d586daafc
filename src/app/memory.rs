//! What an isolate remembers of the configuration: bounded, at most 30 s old, plain values only.
//!
//! An isolate serves many requests at once, so nothing here is a promise or future of one of
//! them. Values that are older than half their life are due: they still serve, and whoever meets
//! one has it refreshed behind the reply.

mod edits;
mod kept;
mod wanted;

pub use wanted::{Coded, Lookup, Value, Wanted};

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::app::agents::Agents;
use crate::app::outbox::{NotedKeys, Wake};
use crate::app::recent::Recent;
use crate::domain::configuration::{Advertiser, Campaign, Link, NamespaceSettings};
use crate::domain::connector::Connectors;
use crate::domain::namespace::Namespace;
use crate::domain::time::{SECOND_MS, Timestamp};
use edits::Edits;

/// A value serves for so long (design: an edit is visible within 30 s of the copy's propagation).
pub const MAX_AGE_MS: u64 = 30 * SECOND_MS;
/// From this age on a value is refreshed behind the reply.
const DUE_AGE_MS: u64 = MAX_AGE_MS / 2;

const NAMESPACES: usize = 1_000;
const HOSTS: usize = 1_000;
const CAMPAIGNS: usize = 2_000;
const ADVERTISERS: usize = 2_000;
/// A link is 16 bytes and its place in the table about 80, so that 20,000 take 2 MB.
const LINKS: usize = 20_000;
/// Codes have up to 128 characters, so that as many take 2 MB at the very most.
const CODES: usize = 4_000;
/// Of namespaces, and of affiliates who have connectors of their own or are looked up for them.
const CONNECTORS: usize = 4_000;
/// What is due is refreshed in small portions; the rest comes due again.
const DUE: usize = 50;
/// A refresh that was taken up and is not done after this long is taken up again.
const REFRESH_MS: u64 = 5 * SECOND_MS;
/// Values that may turn out not to exist within a second, before the ledger is asked no more:
/// somebody is guessing numbers, and D1 answers about 1,000 queries a second for everybody.
const MAX_UNKNOWN_PER_SECOND: u32 = 100;

struct Remembered<T> {
    value: Option<Rc<T>>,
    read_at: Timestamp,
}

type Table<K, T> = Recent<K, Remembered<T>>;

/// Everything remembered. Shared by the requests of an isolate; no borrow outlives a call.
pub struct Memory {
    tables: RefCell<Tables>,
    /// What user agents say.
    pub agents: Agents,
    /// What requests of this isolate have changed.
    pub edits: Edits,
    /// Whether the sender of deliveries is to be woken.
    pub wake: Wake,
    /// Which keys of site events are noted.
    pub noted_keys: NotedKeys,
}

struct Tables {
    namespaces: Table<Namespace, NamespaceSettings>,
    hosts: Table<String, Namespace>,
    campaigns: Table<(Name, u32), Campaign>,
    links: Table<(Name, u32), Link>,
    default_links: Table<(Name, u32, u32), u32>,
    advertisers: Table<(Name, u32), Advertiser>,
    /// Coupons and custom ids; each kind of table is a kilobyte of the module.
    codes: Table<Wanted, Coded>,
    connectors: Table<(Name, u32), Connectors>,
    /// One shared copy of each namespace's name, for the keys of the other tables.
    names: Recent<String, Name>,
    /// The name that was wanted last.
    last_name: Name,
    due: HashSet<Wanted>,
    /// What is being refreshed, and since when.
    refreshing: HashMap<Wanted, Timestamp>,
    /// The current second, and how many values turned out not to exist in it.
    unknown: (u64, u32),
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            tables: RefCell::new(Tables {
                namespaces: Recent::new(NAMESPACES),
                hosts: Recent::new(HOSTS),
                campaigns: Recent::new(CAMPAIGNS),
                links: Recent::new(LINKS),
                default_links: Recent::new(LINKS),
                advertisers: Recent::new(ADVERTISERS),
                codes: Recent::new(CODES),
                connectors: Recent::new(CONNECTORS),
                names: Recent::new(NAMESPACES),
                last_name: Name("".into()),
                due: HashSet::new(),
                refreshing: HashMap::new(),
                unknown: (0, 0),
            }),
            agents: Agents::default(),
            edits: Edits::default(),
            wake: Wake::default(),
            noted_keys: NotedKeys::default(),
        }
    }
}

/// The shared copy of a namespace's name, told from others by its place: a click looks several tables
/// up, and none of them reads the name again. A name that was forgotten and comes back has another
/// place; what was remembered under the former one is then not found any more, and read again.
#[derive(Clone)]
struct Name(Rc<str>);

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Name {}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.as_ptr().hash(state);
    }
}

impl Tables {
    /// Has a value refreshed, unless that is under way.
    #[inline(never)]
    fn note_due(&mut self, wanted: Wanted, now: Timestamp) {
        let since = self.refreshing.get(&wanted);
        if since.is_none_or(|since| now.ms_since(*since) > REFRESH_MS) {
            self.due.insert(wanted);
        }
    }

    /// The shared copy of a name: finding it allocates nothing.
    fn name(&mut self, namespace: &Namespace) -> Name {
        if *self.last_name.0 != *namespace.as_str() {
            let known = self.names.with(namespace.as_str(), |name| name.clone());
            self.last_name = known.unwrap_or_else(|| {
                let name = Name(namespace.as_str().into());
                self.names.put(namespace.as_str().to_owned(), name.clone());
                name
            });
        }
        self.last_name.clone()
    }
}

/// Reads a table; also says whether the value is due.
fn look_up<K, Q, T>(table: &mut Table<K, T>, key: &Q, now: Timestamp) -> (Lookup<T>, bool)
where
    K: std::hash::Hash + Eq + Borrow<Q>,
    Q: std::hash::Hash + Eq + ?Sized,
{
    let found = table.with(key, |found| {
        let age_ms = now.ms_since(found.read_at);
        let known = found.value.as_ref().map(|value| Lookup::Known(Rc::clone(value)));
        (age_ms <= MAX_AGE_MS).then(|| (known.unwrap_or(Lookup::Absent), age_ms > DUE_AGE_MS))
    });
    found.flatten().unwrap_or((Lookup::Unread, false))
}

impl Memory {
    fn look<T>(
        &self,
        now: Timestamp,
        find: impl FnOnce(&mut Tables) -> (Lookup<T>, bool),
        wanted: impl FnOnce() -> Wanted,
    ) -> Lookup<T> {
        let mut tables = self.tables.borrow_mut();
        let (found, is_due) = find(&mut tables);
        if is_due && tables.due.len() < DUE {
            tables.note_due(wanted(), now);
        }
        found
    }

    /// A namespace's settings.
    pub fn namespace(&self, name: &Namespace, now: Timestamp) -> Lookup<NamespaceSettings> {
        self.look(
            now,
            |t| look_up(&mut t.namespaces, name, now),
            || Wanted::Namespace(name.clone()),
        )
    }

    /// The namespace of a custom host.
    pub fn host(&self, hostname: &str, now: Timestamp) -> Lookup<Namespace> {
        self.look(
            now,
            |t| look_up(&mut t.hosts, hostname, now),
            || Wanted::Host(hostname.to_owned()),
        )
    }

    /// A campaign.
    pub fn campaign(&self, namespace: &Namespace, id: u32, now: Timestamp) -> Lookup<Campaign> {
        self.look(
            now,
            |t| {
                let key = (t.name(namespace), id);
                look_up(&mut t.campaigns, &key, now)
            },
            || Wanted::Campaign(namespace.clone(), id),
        )
    }

    /// A link.
    pub fn link(&self, namespace: &Namespace, id: u32, now: Timestamp) -> Lookup<Link> {
        self.look(
            now,
            |t| {
                let key = (t.name(namespace), id);
                look_up(&mut t.links, &key, now)
            },
            || Wanted::Link(namespace.clone(), id),
        )
    }

    /// The number of an affiliate's default link of a campaign.
    pub fn default_link(
        &self,
        namespace: &Namespace,
        campaign: u32,
        affiliate: u32,
        now: Timestamp,
    ) -> Lookup<u32> {
        self.look(
            now,
            |t| {
                let key = (t.name(namespace), campaign, affiliate);
                look_up(&mut t.default_links, &key, now)
            },
            || Wanted::DefaultLink(namespace.clone(), campaign, affiliate),
        )
    }

    /// An advertiser's tokens.
    pub fn advertiser(&self, namespace: &Namespace, id: u32, now: Timestamp) -> Lookup<Advertiser> {
        self.look(
            now,
            |t| {
                let key = (t.name(namespace), id);
                look_up(&mut t.advertisers, &key, now)
            },
            || Wanted::Advertiser(namespace.clone(), id),
        )
    }

    /// What a code stands for: [`Wanted::Coupon`] or [`Wanted::CustomId`].
    pub fn code(&self, wanted: &Wanted, now: Timestamp) -> Lookup<Coded> {
        self.look(now, |t| look_up(&mut t.codes, wanted, now), || wanted.clone())
    }

    /// The connectors of an affiliate that may fire; of 0 those that belong to nobody.
    pub fn connectors(
        &self,
        namespace: &Namespace,
        affiliate: u32,
        now: Timestamp,
    ) -> Lookup<Connectors> {
        self.look(
            now,
            |t| {
                let key = (t.name(namespace), affiliate);
                look_up(&mut t.connectors, &key, now)
            },
            || Wanted::Connectors(namespace.clone(), affiliate),
        )
    }

    /// Whether anything is due.
    pub fn has_due(&self) -> bool {
        !self.tables.borrow().due.is_empty()
    }

    /// Takes what is due; whoever takes it refreshes it.
    pub fn take_due(&self, now: Timestamp) -> Vec<Wanted> {
        let mut tables = self.tables.borrow_mut();
        let taken: Vec<Wanted> = tables.due.drain().collect();
        tables.refreshing.retain(|_, since| now.ms_since(*since) <= REFRESH_MS);
        tables.refreshing.extend(taken.iter().map(|wanted| (wanted.clone(), now)));
        taken
    }

    /// Counts a value that turned out not to exist.
    pub fn note_unknown(&self, now: Timestamp) {
        let mut tables = self.tables.borrow_mut();
        let count = if tables.unknown.0 == now.seconds() { tables.unknown.1 } else { 0 };
        tables.unknown = (now.seconds(), count.saturating_add(1));
    }

    /// Whether the ledger may be asked for a value that no copy has, or too many of these turned
    /// out not to exist within this second.
    pub fn may_ask(&self, now: Timestamp) -> bool {
        let (second, count) = self.tables.borrow().unknown;
        second != now.seconds() || count < MAX_UNKNOWN_PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_forgotten_and_comes_back_finds_nothing_of_others_and_nothing_stale() {
        let memory = Memory::default();
        let now = Timestamp::from_ms(1);
        let name = |number: usize| Namespace::parse(&format!("n{number}")).unwrap();
        let link = |affiliate_id| Link {
            id: 7,
            campaign_id: 1,
            affiliate_id,
            is_active: true,
            is_test: false,
            own_customers: [0; 2],
        };
        let wanted = |number| Wanted::Link(name(number), 7);
        let affiliate = |number| match memory.link(&name(number), 7, now) {
            Lookup::Known(link) => Some(link.affiliate_id),
            Lookup::Absent | Lookup::Unread => None,
        };
        memory.remember(&wanted(0), Value::Link(Some(link(10))), now);
        memory.remember(&wanted(1), Value::Link(Some(link(11))), now);
        assert_eq!([affiliate(0), affiliate(1), affiliate(2)], [Some(10), Some(11), None]);
        // So many names that the first ones are forgotten.
        for number in 0..=NAMESPACES {
            assert_eq!(affiliate(2 + number), None);
        }
        assert_eq!([affiliate(0), affiliate(1)], [None, None]);
        memory.remember(&wanted(0), Value::Link(Some(link(20))), now);
        assert_eq!([affiliate(0), affiliate(1)], [Some(20), None]);
        memory.forget(&wanted(0));
        assert_eq!(affiliate(0), None);
    }
}
