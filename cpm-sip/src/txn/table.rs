//! The one table from key to transaction, client and server.

use super::KeyBuf;
use crate::endpoint::{ClientTxn, ServerTxn};
use cpm_base::{Handle, HashSeed, SeededMap};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};

/// Whose transaction a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Client(Handle<ClientTxn>),
    Server(Handle<ServerTxn>),
}

/// The key as a transaction keeps it: 64 bits of keyed hash and the bytes for the full comparison.
#[derive(Debug)]
pub(crate) struct StoredKey {
    hash: u64,
    bytes: Box<[u8]>,
}

impl StoredKey {
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn is(&self, key: &KeyBuf) -> bool {
        *self.bytes == *key.as_bytes()
    }
}

/// Transactions by a 64-bit keyed hash of their key. The caller compares the full key on a hit; keys that
/// collide (nobody can aim at that without the seed) live in an ordered map beside it.
#[derive(Debug)]
pub(crate) struct Table {
    seed: HashSeed,
    by_hash: SeededMap<u64, Owner>,
    collided: BTreeMap<Box<[u8]>, Owner>,
}

impl Table {
    pub(crate) fn new(seed: HashSeed) -> Self {
        Self { seed, by_hash: SeededMap::new(seed), collided: BTreeMap::new() }
    }

    /// The keyed hash of any octets.
    pub(crate) fn hash_octets(&self, octets: &[u8]) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write(octets);
        hasher.finish()
    }

    /// A To tag that is the same for the same request without being kept (RFC 3261 §8.2.7), and that shows nothing
    /// of the hash the table uses.
    pub(crate) fn tag(&self, hash: u64) -> String {
        let mut hasher = self.seed.build_hasher();
        hasher.write(b"to-tag");
        hasher.write_u64(hash);
        format!("{:016x}", hasher.finish())
    }

    /// The hash alone, for indexes where a false hit of 1 in 2^64 does no harm.
    pub(crate) fn hash(&self, key: &KeyBuf) -> u64 {
        self.hash_octets(key.as_bytes())
    }

    /// The transaction under `key`; `holds` says whether an owner's own key is this one.
    pub(crate) fn find(&self, key: &KeyBuf, holds: impl Fn(Owner) -> bool) -> Option<Owner> {
        let owner = *self.by_hash.get(&self.hash(key))?;
        if holds(owner) {
            return Some(owner);
        }
        self.collided.get(key.as_bytes()).copied()
    }

    /// Makes the form to keep. It is in the table only after [`Self::insert`].
    pub(crate) fn store(&self, key: &KeyBuf) -> StoredKey {
        StoredKey { hash: self.hash(key), bytes: key.as_bytes().into() }
    }

    pub(crate) fn insert(&mut self, key: &StoredKey, owner: Owner) {
        if self.by_hash.contains_key(&key.hash) {
            self.collided.insert(key.bytes.clone(), owner);
        } else {
            self.by_hash.insert(key.hash, owner);
        }
    }

    pub(crate) fn remove(&mut self, key: &StoredKey, owner: Owner) {
        if self.by_hash.get(&key.hash) == Some(&owner) {
            self.by_hash.remove(&key.hash);
            self.promote(key.hash);
        } else {
            self.collided.remove(&key.bytes);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_hash.is_empty() && self.collided.is_empty()
    }

    /// `find` asks the ordered map only behind a hit, so one of the collided keys takes the freed place.
    fn promote(&mut self, hash: u64) {
        if self.collided.is_empty() {
            return;
        }
        if let Some(key) = self.collided.keys().find(|key| self.hash_octets(key) == hash).cloned()
            && let Some(owner) = self.collided.remove(&key)
        {
            self.by_hash.insert(hash, owner);
        }
    }
}
