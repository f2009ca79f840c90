//! Hash maps that chosen keys cannot flood and that still behave the same for the same seed.

// The one place where the std map is named: wrapped so that its order never shows.
#![allow(clippy::disallowed_types)]

use siphasher::sip::SipHasher13;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

/// The key of the hash function, drawn from the node's seed.
#[derive(Clone, Copy)]
pub struct HashSeed(pub [u64; 2]);

impl std::fmt::Debug for HashSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashSeed")
    }
}

impl BuildHasher for HashSeed {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0[0], self.0[1])
    }
}

/// `HashMap` under a seeded hash, without any way to iterate: an ordered walk needs a `BTreeMap` or an arena.
#[derive(Debug, Clone)]
pub struct SeededMap<K, V> {
    map: HashMap<K, V, HashSeed>,
}

impl<K: Eq + Hash, V> SeededMap<K, V> {
    /// An empty map under this key.
    pub fn new(seed: HashSeed) -> Self {
        Self { map: HashMap::with_hasher(seed) }
    }

    /// Puts `value` under `key`; gives what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.map.insert(key, value)
    }

    /// The value under `key`.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.map.get(key)
    }

    /// The value under `key`, to change it.
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.map.get_mut(key)
    }

    /// The value under `key`, made by `make` if there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        self.map.entry(key).or_insert_with(make)
    }

    /// Takes out the value under `key`.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.map.remove(key)
    }

    /// Whether `key` is there.
    pub fn contains_key<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.map.contains_key(key)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether the map is empty.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
