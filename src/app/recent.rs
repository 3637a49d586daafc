//! What was used lately, up to a bound, in two generations.
//!
//! What is used moves into the young generation. When that has half of the bound, it becomes the old
//! one, and what was the old one is forgotten. So what was used more lately than half of the bound
//! of others is there, and no value knows its neighbours: a list in the order of use would be
//! written at four places for every value that a click reads.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use rustc_hash::FxBuildHasher;

/// A bounded table. Visitors choose some of its keys, and could choose such that share a place; the
/// bound is what keeps that harmless.
pub struct Recent<K, V> {
    young: HashMap<K, V, FxBuildHasher>,
    old: HashMap<K, V, FxBuildHasher>,
    half: usize,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// An empty one for at most so many values.
    pub fn new(most: usize) -> Self {
        Self { young: HashMap::default(), old: HashMap::default(), half: (most / 2).max(1) }
    }

    /// Reads or changes a value, which counts as use. `None` if it is not there.
    pub fn with<Q: Eq + Hash + ?Sized, R>(
        &mut self,
        key: &Q,
        read: impl FnOnce(&mut V) -> R,
    ) -> Option<R>
    where
        K: Borrow<Q>,
    {
        if let Some(value) = self.young.get_mut(key) {
            return Some(read(value));
        }
        let (key, mut value) = self.old.remove_entry(key)?;
        let answer = read(&mut value);
        self.put(key, value);
        Some(answer)
    }

    /// Reads a value without using it.
    pub fn peek<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Puts a value in the place of what was there. What the old generation has of the key is not read
    /// any more, and goes before this one does.
    pub fn put(&mut self, key: K, value: V) {
        if let Some(place) = self.young.get_mut(&key) {
            *place = value;
            return;
        }
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Forgets a value.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_used_since_half_of_the_bound_of_others_came_is_there() {
        let mut recent = Recent::new(10);
        recent.put(0, "kept");
        for other in 1..1_000 {
            recent.put(other, "other");
            assert_eq!(recent.with(&0, |value| *value), Some("kept"), "after {other}");
            assert!(recent.peek(&(other - 4).max(0)).is_some());
            assert!(recent.young.len() + recent.old.len() <= 10);
        }
        assert_eq!(recent.peek(&1), None);
    }

    proptest! {
        /// Whatever is done, a value that is there is the one that was put last.
        #[test]
        fn nothing_outdated_is_ever_read(steps in prop::collection::vec((0u8..4, 0u8..12), 0..300)) {
            let mut recent = Recent::new(6);
            let mut last = HashMap::new();
            for (number, (action, key)) in steps.into_iter().enumerate() {
                match action {
                    0 => {
                        recent.put(key, number);
                        last.insert(key, number);
                        prop_assert_eq!(recent.peek(&key), Some(&number));
                    }
                    1 => {
                        recent.remove(&key);
                        last.remove(&key);
                        prop_assert_eq!(recent.peek(&key), None);
                    }
                    2 => {
                        let changed = recent.with(&key, |value| { *value += 1_000; *value });
                        if let Some(changed) = changed {
                            last.insert(key, changed);
                        }
                    }
                    _ => {}
                }
                if let Some(value) = recent.peek(&key) {
                    prop_assert_eq!(Some(value), last.get(&key));
                }
                prop_assert!(recent.young.len() + recent.old.len() <= 6);
            }
        }
    }
}
