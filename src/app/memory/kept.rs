//! What is put into memory, kept there, and forgotten: one arm for each kind of value.

use std::borrow::Borrow;
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
            Wanted::Namespace(name) => touch(&mut tables.namespaces, name.as_str(), as_if_read),
            Wanted::Host(host) => touch(&mut tables.hosts, host, as_if_read),
            Wanted::Campaign(name, id) => {
                let key = (tables.name(name), *id);
                touch(&mut tables.campaigns, &key, as_if_read)
            }
            Wanted::Link(name, id) => {
                let key = (tables.name(name), *id);
                touch(&mut tables.links, &key, as_if_read)
            }
            Wanted::DefaultLink(name, campaign, affiliate) => {
                let key = (tables.name(name), *campaign, *affiliate);
                touch(&mut tables.default_links, &key, as_if_read)
            }
            Wanted::Advertiser(name, id) => {
                let key = (tables.name(name), *id);
                touch(&mut tables.advertisers, &key, as_if_read)
            }
            Wanted::Coupon(..) | Wanted::CustomId(..) => {
                touch(&mut tables.codes, wanted, as_if_read)
            }
            Wanted::Connectors(name, affiliate) => {
                let key = (tables.name(name), *affiliate);
                touch(&mut tables.connectors, &key, as_if_read)
            }
        }
    }

    /// Forgets a value, or that there is none, so that it is loaded when it is next wanted.
    pub fn forget(&self, wanted: &Wanted) {
        let mut tables = self.tables.borrow_mut();
        let tables = &mut *tables;
        match wanted {
            Wanted::Namespace(name) => tables.namespaces.remove(name),
            Wanted::Host(host) => tables.hosts.remove(host),
            Wanted::Campaign(name, id) => {
                let key = (tables.name(name), *id);
                tables.campaigns.remove(&key);
            }
            Wanted::Link(name, id) => {
                let key = (tables.name(name), *id);
                tables.links.remove(&key);
            }
            Wanted::DefaultLink(name, campaign, affiliate) => {
                let key = (tables.name(name), *campaign, *affiliate);
                tables.default_links.remove(&key);
            }
            Wanted::Advertiser(name, id) => {
                let key = (tables.name(name), *id);
                tables.advertisers.remove(&key);
            }
            Wanted::Coupon(..) | Wanted::CustomId(..) => tables.codes.remove(wanted),
            Wanted::Connectors(name, affiliate) => {
                let key = (tables.name(name), *affiliate);
                tables.connectors.remove(&key);
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

fn touch<K, Q, T>(table: &mut Table<K, T>, key: &Q, as_if_read: Timestamp) -> bool
where
    K: std::hash::Hash + Eq + Borrow<Q>,
    Q: std::hash::Hash + Eq + ?Sized,
{
    table.with(key, |found| found.read_at = found.read_at.max(as_if_read)).is_some()
}
