//! Typed handles and the tables they point into. A stale handle finds nothing; it never finds another object.

use crate::Token;
use slotmap::{DefaultKey, Key, KeyData, SlotMap};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// Typed key into an [`Arena<T>`]; 8 bytes, `Copy`, stale use is detected.
pub struct Handle<T> {
    key: DefaultKey,
    kind: PhantomData<fn() -> T>,
}

impl<T> Handle<T> {
    fn new(key: DefaultKey) -> Self {
        Self { key, kind: PhantomData }
    }

    /// The slot in the arena; the low half of the bits.
    fn slot(self) -> usize {
        (self.key.data().as_ffi() & u64::from(u32::MAX)) as usize
    }

    /// The bits of the handle, for use as the [`Token`] of an effect.
    pub fn token(self) -> Token {
        Token(self.key.data().as_ffi())
    }

    /// The handle with these bits. Any bits are safe: unknown ones find nothing.
    pub fn of_token(token: Token) -> Self {
        let key = KeyData::from_ffi(token.0);
        // The conversion mends bits that no key has; only the exact bits may find something.
        Self::new(if key.as_ffi() == token.0 { key.into() } else { DefaultKey::null() })
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Handle<T> {}
impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl<T> Eq for Handle<T> {}
impl<T> PartialOrd for Handle<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Handle<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}
impl<T> Hash for Handle<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}
impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.key.data())
    }
}

/// Table of objects reached by [`Handle`]. Iteration order is that of the slots: deterministic.
#[derive(Debug, Clone)]
pub struct Arena<T> {
    slots: SlotMap<DefaultKey, T>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { slots: SlotMap::new() }
    }
}

impl<T> Arena<T> {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `value` in and gives its handle.
    pub fn insert(&mut self, value: T) -> Handle<T> {
        Handle::new(self.slots.insert(value))
    }

    /// Takes the object out; `None` for a stale handle.
    pub fn remove(&mut self, handle: Handle<T>) -> Option<T> {
        self.slots.remove(handle.key)
    }

    /// The object; `None` for a stale handle.
    pub fn get(&self, handle: Handle<T>) -> Option<&T> {
        self.slots.get(handle.key)
    }

    /// The object, to change it; `None` for a stale handle.
    pub fn get_mut(&mut self, handle: Handle<T>) -> Option<&mut T> {
        self.slots.get_mut(handle.key)
    }

    /// Whether the handle is live.
    pub fn contains(&self, handle: Handle<T>) -> bool {
        self.slots.contains_key(handle.key)
    }

    /// Number of live objects.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing is live.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All live objects, in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (Handle<T>, &T)> {
        self.slots.iter().map(|(key, value)| (Handle::new(key), value))
    }

    /// All live objects, to change them, in slot order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Handle<T>, &mut T)> {
        self.slots.iter_mut().map(|(key, value)| (Handle::new(key), value))
    }
}

/// What an upper layer hangs on a lower layer's objects, by their handle.
///
/// News about a lower object can wait in a queue while its slot is taken by the next one. So an entry stays until
/// it is taken off, whatever becomes of its object, and old and new never touch each other.
#[derive(Debug, Clone)]
pub struct Side<T, V> {
    /// By slot: the entry put there last.
    slots: Vec<Option<(Handle<T>, V)>>,
    /// Entries of earlier objects of a slot; almost always empty.
    earlier: BTreeMap<Handle<T>, V>,
    len: usize,
}

impl<T, V> Default for Side<T, V> {
    fn default() -> Self {
        Self { slots: Vec::new(), earlier: BTreeMap::new(), len: 0 }
    }
}

impl<T, V> Side<T, V> {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hangs `value` on `handle`; gives what hung there before.
    pub fn insert(&mut self, handle: Handle<T>, value: V) -> Option<V> {
        let was = self.remove(handle);
        let slot = handle.slot();
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        if let Some((earlier, value)) = self.slots[slot].replace((handle, value)) {
            self.earlier.insert(earlier, value);
        }
        self.len += 1;
        was
    }

    /// Takes off what hangs on `handle`.
    pub fn remove(&mut self, handle: Handle<T>) -> Option<V> {
        let found = match self.slots.get_mut(handle.slot()) {
            Some(slot) if slot.as_ref().is_some_and(|(at, _)| *at == handle) => {
                slot.take().map(|(_, value)| value)
            }
            _ => self.earlier.remove(&handle),
        };
        self.len -= usize::from(found.is_some());
        found
    }

    /// What hangs on `handle`.
    pub fn get(&self, handle: Handle<T>) -> Option<&V> {
        match self.slots.get(handle.slot()) {
            Some(Some((at, value))) if *at == handle => Some(value),
            _ => self.earlier.get(&handle),
        }
    }

    /// What hangs on `handle`, to change it.
    pub fn get_mut(&mut self, handle: Handle<T>) -> Option<&mut V> {
        match self.slots.get_mut(handle.slot()) {
            Some(Some((at, value))) if *at == handle => Some(value),
            _ => self.earlier.get_mut(&handle),
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing hangs here.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
#[path = "arena_tests.rs"]
mod tests;
