//! `store::Blobs` over a map. Nothing expires; the tests look at what was asked for instead.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use backtrail::domain::time::Timestamp;
use backtrail::store::{BlobFault, Blobs};

/// KV refuses an expiry under a minute.
const MIN_TTL_SECONDS: u64 = 60;

/// KV's bound on the length of a key in bytes.
const MAX_KEY: usize = 512;

/// And on how many it gives at once.
const MAX_KEYS: usize = 100;

/// An empty blob store.
#[derive(Default)]
pub struct MapBlobs {
    texts: RefCell<BTreeMap<String, (String, Option<u64>)>>,
    is_broken: Cell<bool>,
    reads: Cell<u32>,
    slowness: RefCell<Option<(Rc<Cell<Timestamp>>, u64)>>,
}

impl MapBlobs {
    /// Lets so much time of a clock pass in every reading from now on.
    pub fn slows(&self, clock: &Rc<Cell<Timestamp>>, ms: u64) {
        self.slowness.replace(Some((Rc::clone(clock), ms)));
    }

    /// Makes every call fail from now on.
    pub fn breaks(&self) {
        self.is_broken.set(true);
    }

    /// Ends the failure.
    pub fn mends(&self) {
        self.is_broken.set(false);
    }

    /// How many calls have read something.
    pub fn reads(&self) -> u32 {
        self.reads.get()
    }

    /// The keys, in order, past any failure; for looking.
    pub fn keys(&self) -> Vec<String> {
        self.texts.borrow().keys().cloned().collect()
    }

    /// A text, past any failure; for looking.
    pub fn text(&self, key: &str) -> Option<String> {
        self.texts.borrow().get(key).map(|(text, _)| text.clone())
    }

    /// Forgets everything, as the real store may.
    pub fn clear(&self) {
        self.texts.borrow_mut().clear();
    }

    fn check<'k>(&self, key: &'k str) -> Result<&'k str, BlobFault> {
        assert!(!key.is_empty() && key.len() <= MAX_KEY, "no key of KV: {key:?}");
        if self.is_broken.get() { Err(BlobFault("broken".into())) } else { Ok(key) }
    }
}

impl Blobs for MapBlobs {
    async fn get(&self, key: &str) -> Result<Option<String>, BlobFault> {
        Ok(self.get_many(&[key.to_owned()]).await?.pop().flatten())
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<String>>, BlobFault> {
        assert!(keys.len() <= MAX_KEYS, "too many keys at once");
        self.reads.set(self.reads.get() + 1);
        if let Some((clock, ms)) = &*self.slowness.borrow() {
            clock.set(clock.get().plus_ms(*ms));
        }
        let texts = self.texts.borrow();
        let text = |key: &String| Ok(texts.get(self.check(key)?).map(|(text, _)| text.clone()));
        keys.iter().map(text).collect()
    }

    async fn put(&self, key: &str, text: &str, ttl_seconds: Option<u64>) -> Result<(), BlobFault> {
        self.check(key)?;
        assert!(ttl_seconds.is_none_or(|ttl| ttl >= MIN_TTL_SECONDS), "{key} expires too soon");
        self.texts.borrow_mut().insert(key.to_owned(), (text.to_owned(), ttl_seconds));
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), BlobFault> {
        self.check(key)?;
        self.texts.borrow_mut().remove(key);
        Ok(())
    }

    async fn list(&self, prefix: &str, limit: usize) -> Result<Vec<String>, BlobFault> {
        if self.is_broken.get() {
            return Err(BlobFault("broken".into()));
        }
        let texts = self.texts.borrow();
        Ok(texts.keys().filter(|key| key.starts_with(prefix)).take(limit).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::block_on;

    #[test]
    fn what_was_put_is_found_listed_and_forgotten() {
        let blobs = MapBlobs::default();
        block_on(blobs.put("c:1", "one", Some(60))).unwrap();
        block_on(blobs.put("l:1", "link", None)).unwrap();
        assert_eq!(block_on(blobs.list("c:", 9)).unwrap(), ["c:1"]);
        assert_eq!(block_on(blobs.get("c:1")).unwrap().as_deref(), Some("one"));
        block_on(blobs.delete("c:1")).unwrap();
        assert_eq!(blobs.keys(), ["l:1"]);
        blobs.breaks();
        assert!(block_on(blobs.get("l:1")).is_err());
        blobs.mends();
        blobs.clear();
        assert_eq!(block_on(blobs.get("l:1")).unwrap(), None);
    }
}
