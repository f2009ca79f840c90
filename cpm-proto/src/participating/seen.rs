//! What became of recent messages, by (recipient, sender, Message-ID): retries are recognised, and each
//! notification passes once. Kept in memory and in the store alike.

use super::UserId;
use crate::store::model::{MessageKey, Notification, SeenRecord};
use cpm_base::{HashSeed, SeededMap};
use std::collections::BTreeSet;

/// The table. Bounded: beyond the limit the entry that ends first is forgotten.
#[derive(Debug)]
pub(crate) struct Seen {
    records: SeededMap<(UserId, MessageKey), SeenRecord>,
    /// How many recipients a message has here.
    recipients: SeededMap<MessageKey, u32>,
    order: BTreeSet<(u64, UserId, MessageKey)>,
    limit: usize,
}

/// What to do with a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is new: pass it on.
    Pass,
    /// It, or one that says more, has passed already.
    Repeated,
    /// Its sender never got that message.
    Forged,
}

impl Seen {
    pub(crate) fn new(seed: HashSeed, limit: usize) -> Self {
        Self {
            records: SeededMap::new(seed),
            recipients: SeededMap::new(seed),
            order: BTreeSet::new(),
            limit: limit.max(1),
        }
    }

    /// The record of a message.
    pub(crate) fn get(&self, user: UserId, key: MessageKey) -> Option<SeenRecord> {
        self.records.get(&(user, key)).copied()
    }

    /// Notes a record; gives what had to be forgotten for it.
    pub(crate) fn put(
        &mut self,
        user: UserId,
        key: MessageKey,
        record: SeenRecord,
    ) -> Option<(UserId, MessageKey)> {
        match self.records.insert((user, key), record) {
            Some(old) => {
                self.order.remove(&(old.expires, user, key));
            }
            None => *self.recipients.get_or_insert_with(key, || 0) += 1,
        }
        self.order.insert((record.expires, user, key));
        if self.records.len() <= self.limit {
            return None;
        }
        let (_, user, key) = self.order.first().copied()?;
        self.forget(user, key);
        Some((user, key))
    }

    /// Forgets a record.
    pub(crate) fn forget(&mut self, user: UserId, key: MessageKey) {
        let Some(old) = self.records.remove(&(user, key)) else { return };
        self.order.remove(&(old.expires, user, key));
        let left = self.recipients.get_mut(&key).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            self.recipients.remove(&key);
        }
    }

    /// Takes out at most `room` records that end at or before `now` (Unix seconds).
    pub(crate) fn expire(&mut self, now: u64, room: usize) -> Vec<(UserId, MessageKey)> {
        let over: Vec<_> = self
            .order
            .iter()
            .take_while(|(expires, _, _)| *expires <= now)
            .take(room)
            .map(|(_, user, key)| (*user, *key))
            .collect();
        for (user, key) in &over {
            self.forget(*user, *key);
        }
        over
    }

    /// When the first record ends, in Unix seconds.
    pub(crate) fn first_expiry(&self) -> Option<u64> {
        self.order.first().map(|(expires, _, _)| *expires)
    }

    /// Judges a notification by `reporter` about the message `key`. A message nobody here remembers passes
    /// once: the sender's client knows what it sent (CONV-IMDN-062).
    // spec: CONV-IMDN-040, CONV-IMDN-063, CONV-PF-070
    pub(crate) fn judge(&self, reporter: UserId, key: MessageKey, kind: Notification) -> Verdict {
        match self.records.get(&(reporter, key)) {
            Some(record) => match kind {
                Notification::Delivered if record.delivered || record.displayed => Verdict::Repeated,
                Notification::Displayed if record.displayed => Verdict::Repeated,
                _ => Verdict::Pass,
            },
            None if self.recipients.contains_key(&key) => Verdict::Forged,
            None => Verdict::Pass,
        }
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }
}

#[cfg(test)]
#[path = "seen_tests.rs"]
mod tests;
