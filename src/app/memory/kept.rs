//! What is put into memory, kept there, and forgotten: one arm for each kind of value.

use std::rc::Rc;

use super::{DUE_AGE_MS, Memory, Remembered, Table, Value, Wanted};
use crate::domain::time::Timestamp;

impl Memory {
    /// Remembers what was read at a time; `None` that there is none.
    pub fn remember(&self, wanted: &Wanted, value: Value, now: Timestamp) {
        let mut tables = self.tables.borrow_mut();
        tables.due.remove(wanted);
        tables.refreshing.remove(wanted);
        let tables = &mut *tables;
        match (wanted, value) {
            (Wanted::Namespace(name), Value::Namespace(value)) => {
                put(&mut tables.namespaces, name.clone(), value, now)
            }
            (Wanted::Host(host), Value::Host(value)) => {
                put(&mut tables.hosts, host.clone(), value, now)
            }
            (Wanted::Campaign(name, id), Value::Campaign(value)) => {
                let key = (tables.name(name), *id);
                put(&mut tables.campaigns, key, value, now);
            }
            (Wanted::Link(name, id), Value::Link(value)) => {
                let key = (tables.name(name), *id);
                put(&mut tables.links, key, value, now);
            }
            (Wanted::DefaultLink(name, campaign, affiliate), Value::DefaultLink(value)) => {
                let key = (tables.name(name), *campaign, *affiliate);
                put(&mut tables.default_links, key, value, now);
            }
            (Wanted::Advertiser(name, id), Value::Advertiser(value)) => {
                let key = (tables.name(name), *id);
                put(&mut tables.advertisers, key, value, now);
            }
            (Wanted::Coupon(..) | Wanted::CustomId(..), Value::Coded(value)) => {
                put(&mut tables.codes, wanted.clone(), value, now);
            }
            (Wanted::Connectors(name, affiliate), Value::Connectors(value)) => {
                let key = (tables.name(name), *affiliate);
                put(&mut tables.connectors, key, value, now);
            }
            // A value of another kind cannot come from the loader; it would be remembered nowhere.
            _ => {}
        }
    }

    /// While no store answers: lets what memory has serve for another half life, however old.
    /// Says whether there was anything.
    pub fn keep_serving(&self, wanted: &Wanted, now: Timestamp) -> bool {
        let as_if_read = Timestamp::from_ms(now.ms().saturating_sub(DUE_AGE_MS));
        let mut tables = self.tables.borrow_mut();
        let tables = &mut *tables;
        match wanted {
            Wanted::Namespace(name) => touch(tables.namespaces.get_mut(name.as_str()), as_if_read),
            Wanted::Host(host) => touch(tables.hosts.get_mut(host), as_if_read),
            Wanted::Campaign(name, id) => {
                let key = (tables.name(name), *id);
                touch(tables.campaigns.get_mut(&key), as_if_read)
            }
            Wanted::Link(name, id) => {
                let key = (tables.name(name), *id);
                touch(tables.links.get_mut(&key), as_if_read)
            }
            Wanted::DefaultLink(name, campaign, affiliate) => {
                let key = (tables.name(name), *campaign, *affiliate);
                touch(tables.default_links.get_mut(&key), as_if_read)
            }
            Wanted::Advertiser(name, id) => {
                let key = (tables.name(name), *id);
                touch(tables.advertisers.get_mut(&key), as_if_read)
            }
            Wanted::Coupon(..) | Wanted::CustomId(..) => {
                touch(tables.codes.get_mut(wanted), as_if_read)
            }
            Wanted::Connectors(name, affiliate) => {
                let key = (tables.name(name), *affiliate);
                touch(tables.connectors.get_mut(&key), as_if_read)
            }
        }
    }

    /// Forgets a value, or that there is none, so that it is loaded when it is next wanted.
    pub fn forget(&self, wanted: &Wanted) {
        let mut tables = self.tables.borrow_mut();
        let tables = &mut *tables;
        match wanted {
            Wanted::Namespace(name) => drop(tables.namespaces.pop(name)),
            Wanted::Host(host) => drop(tables.hosts.pop(host)),
            Wanted::Campaign(name, id) => {
                let key = (tables.name(name), *id);
                drop(tables.campaigns.pop(&key));
            }
            Wanted::Link(name, id) => {
                let key = (tables.name(name), *id);
                drop(tables.links.pop(&key));
            }
            Wanted::DefaultLink(name, campaign, affiliate) => {
                let key = (tables.name(name), *campaign, *affiliate);
                drop(tables.default_links.pop(&key));
            }
            Wanted::Advertiser(name, id) => {
                let key = (tables.name(name), *id);
                drop(tables.advertisers.pop(&key));
            }
            Wanted::Coupon(..) | Wanted::CustomId(..) => drop(tables.codes.pop(wanted)),
            Wanted::Connectors(name, affiliate) => {
                let key = (tables.name(name), *affiliate);
                drop(tables.connectors.pop(&key));
            }
        }
    }
}

fn put<K: std::hash::Hash + Eq, T>(
    table: &mut Table<K, T>,
    key: K,
    value: Option<T>,
    now: Timestamp,
) {
    table.put(key, Remembered { value: value.map(Rc::new), read_at: now });
}

fn touch<T>(found: Option<&mut Remembered<T>>, as_if_read: Timestamp) -> bool {
    match found {
        Some(found) => {
            found.read_at = found.read_at.max(as_if_read);
            true
        }
        None => false,
    }
}
