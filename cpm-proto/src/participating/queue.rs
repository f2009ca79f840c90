//! The deferred queue of one user as it is kept in memory: an index of the durable entries. Pure; what is
//! written to the store is decided by the caller.

use crate::policy::backoff;
use crate::store::model::{ContentKey, MessageKey, Notification};
use std::collections::BTreeMap;
use std::time::Duration;

/// A Device must refuse the message itself in this many rounds before it is given up.
const REFUSALS: u32 = 3;

/// One entry. The message itself stays in the store until its turn comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Sender and Message-ID.
    pub(crate) key: MessageKey,
    /// The same with the content.
    pub(crate) content: ContentKey,
    /// Hash of the sender's address, for order (CONV-DF-010).
    pub(crate) sender: [u8; 16],
    /// It is a notification about this message.
    pub(crate) notification: Option<(MessageKey, Notification)>,
    /// Size of the stored record in bytes.
    pub(crate) size: u64,
    /// When it is dropped, since the Unix epoch.
    pub(crate) expires: Duration,
    /// Rounds that failed.
    pub(crate) attempts: u32,
    /// Rounds in which a Device refused the message itself.
    pub(crate) refusals: u32,
}

/// Why an entry is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// What to do with an entry after a failed round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterFailure {
    /// Keep it and try again no earlier than after this wait.
    Wait(Duration),
    /// Give it up.
    Drop,
}

/// Entries in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: BTreeMap<u64, Entry>,
    bytes: u64,
    /// Entries and bytes promised to writes that the store has not answered.
    promised: (u32, u64),
    last_seq: u64,
}

impl Queue {
    /// Promises room for one entry of `size` bytes and gives its place; the place is used up even when the
    /// write fails, because a write of unknown outcome may have been made.
    // spec: CONV-DF-012
    pub(crate) fn reserve(&mut self, size: u64, max_count: u32, max_bytes: u64) -> Result<u64, Full> {
        let count = u64::try_from(self.entries.len()).unwrap_or(u64::MAX) + u64::from(self.promised.0);
        if count >= u64::from(max_count) || self.bytes + self.promised.1 + size > max_bytes {
            return Err(Full);
        }
        self.promised.0 += 1;
        self.promised.1 += size;
        self.last_seq += 1;
        Ok(self.last_seq)
    }

    /// The write of a reserved entry of `size` bytes failed.
    pub(crate) fn release(&mut self, size: u64) {
        self.promised.0 = self.promised.0.saturating_sub(1);
        self.promised.1 = self.promised.1.saturating_sub(size);
    }

    /// The write of a reserved entry is durable.
    pub(crate) fn commit(&mut self, seq: u64, entry: Entry) {
        self.release(entry.size);
        self.restore(seq, entry);
    }

    /// Takes up an entry found in the store.
    pub(crate) fn restore(&mut self, seq: u64, entry: Entry) {
        self.last_seq = self.last_seq.max(seq);
        self.bytes += entry.size;
        if let Some(old) = self.entries.insert(seq, entry) {
            self.bytes -= old.size;
        }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, seq: u64) -> Option<Entry> {
        let entry = self.entries.remove(&seq)?;
        self.bytes -= entry.size;
        Some(entry)
    }

    /// The entry whose turn it is: the oldest one.
    // spec: CONV-DF-010
    pub(crate) fn front(&self) -> Option<(u64, &Entry)> {
        self.entries.first_key_value().map(|(seq, entry)| (*seq, entry))
    }

    /// The entry of this message.
    pub(crate) fn find(&self, content: ContentKey) -> Option<u64> {
        self.entries.iter().find(|(_, entry)| entry.content == content).map(|(seq, _)| *seq)
    }

    /// The queued `delivered` notification about a message, which a `displayed` one makes superfluous.
    // spec: CONV-IMDN-051
    pub(crate) fn superseded(&self, about: MessageKey) -> Option<u64> {
        let wanted = Some((about, Notification::Delivered));
        self.entries.iter().find(|(_, entry)| entry.notification == wanted).map(|(seq, _)| *seq)
    }

    /// Whether something of this sender waits: what it sends now must queue up behind.
    // spec: CONV-DF-010
    pub(crate) fn holds_sender(&self, sender: &[u8; 16]) -> bool {
        self.entries.values().any(|entry| entry.sender == *sender)
    }

    /// The earliest expiry.
    pub(crate) fn first_expiry(&self) -> Option<Duration> {
        self.entries.values().map(|entry| entry.expires).min()
    }

    /// The entries that have expired, oldest first.
    // spec: CONV-DF-002
    pub(crate) fn expired(&self, now: Duration) -> Vec<u64> {
        self.entries.iter().filter(|(_, entry)| entry.expires <= now).map(|(seq, _)| *seq).collect()
    }

    /// Notes a failed round of an entry.
    pub(crate) fn failed(&mut self, seq: u64, refused: bool) -> AfterFailure {
        let Some(entry) = self.entries.get_mut(&seq) else { return AfterFailure::Drop };
        entry.attempts = entry.attempts.saturating_add(1);
        if refused {
            entry.refusals += 1;
            if entry.refusals >= REFUSALS {
                return AfterFailure::Drop;
            }
        }
        AfterFailure::Wait(backoff(entry.attempts))
    }

    /// The entry at this place.
    pub(crate) fn get(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(&seq)
    }

    /// Whether nothing waits and nothing is promised.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.promised.0 == 0
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
