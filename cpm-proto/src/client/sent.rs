//! Sent messages, remembered: what became of them, and who may say so.

use std::collections::BTreeMap;

/// How far a message is known to have come. Only ever grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Progress {
    /// Given to the network or waiting for it.
    Sent,
    /// The network could not deliver it, a later success still counts.
    Failed,
    /// A Device of the recipient has it.
    Delivered,
    /// The recipient saw it.
    Displayed,
}

/// One message of this user, sent by this Device or by another one.
#[derive(Clone, Debug)]
pub(crate) struct SentMessage {
    /// Canonical address of the recipient: who may notify about it (CONV-IMDN-063).
    pub(crate) recipient: Box<str>,
    /// The caller's name for it; empty for a message of another Device.
    pub(crate) reference: Box<str>,
    /// How far it is.
    pub(crate) progress: Progress,
}

/// Bounded table keyed by Message-ID; the oldest entry makes room for the newest.
#[derive(Debug)]
pub(crate) struct Sent {
    entries: BTreeMap<Box<str>, (u64, SentMessage)>,
    order: BTreeMap<u64, Box<str>>,
    next: u64,
    room: usize,
}

impl Sent {
    /// An empty table for `room` messages.
    pub(crate) fn new(room: usize) -> Self {
        Self { entries: BTreeMap::new(), order: BTreeMap::new(), next: 0, room }
    }

    /// Remembers a message unless its Message-ID is known.
    pub(crate) fn insert(&mut self, message_id: &str, message: SentMessage) {
        if self.entries.contains_key(message_id) {
            return;
        }
        while self.order.len() >= self.room.max(1) {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.entries.remove(&oldest);
        }
        let at = self.next;
        self.next += 1;
        self.order.insert(at, message_id.into());
        self.entries.insert(message_id.into(), (at, message));
    }

    /// The message with this Message-ID.
    pub(crate) fn get(&self, message_id: &str) -> Option<&SentMessage> {
        self.entries.get(message_id).map(|(_, message)| message)
    }

    /// Takes a message to `progress` if that is further than it was; whether it was.
    // spec: CONV-IMDN-040
    pub(crate) fn advance(&mut self, message_id: &str, progress: Progress) -> bool {
        match self.entries.get_mut(message_id) {
            Some((_, message)) if message.progress < progress => {
                message.progress = progress;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
#[path = "sent_tests.rs"]
mod tests;
