//! Received messages, remembered: to know a repetition again and to notify the sender about them.

use std::collections::{BTreeMap, VecDeque};

/// How far one kind of notification about a received message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The sender did not ask, or must not get one.
    Unwanted,
    /// Asked for, nothing happened yet.
    Wanted,
    /// Due; remembered until it is sent.
    Due,
    /// Given up. A repetition of the message gives it another chance.
    Dropped,
    /// Sent, or another Device of the user has sent it.
    Done,
}

/// What a notification needs to know of the message it is about.
#[derive(Clone, Debug)]
pub(crate) struct SeenMessage {
    /// `imdn.Message-ID`.
    pub(crate) message_id: Box<str>,
    /// Canonical address of the sender.
    pub(crate) sender: Box<str>,
    /// Where notifications go.
    pub(crate) reply_to: Box<str>,
    /// CPIM To of the message.
    pub(crate) recipient_uri: Box<str>,
    /// `imdn.Original-To` of the message.
    pub(crate) original_to: Option<Box<str>>,
    /// CPIM DateTime of the message, as it was written.
    pub(crate) datetime: Box<str>,
    /// `Conversation-ID` of the message.
    pub(crate) conversation_id: Box<str>,
    /// `Contribution-ID` of the message.
    pub(crate) contribution_id: Box<str>,
    /// `imdn.IMDN-Record-Route` values in their order.
    pub(crate) routes: Vec<Box<str>>,
    /// The delivery notification.
    pub(crate) delivery: Step,
    /// The display notification.
    pub(crate) display: Step,
}

/// Names one remembered message; stale once it is forgotten.
pub(crate) type SeenId = u64;

/// Bounded table keyed by (sender, Message-ID); the oldest entry makes room for the newest.
#[derive(Debug)]
pub(crate) struct Seen {
    entries: BTreeMap<SeenId, SeenMessage>,
    /// Message-ID, then sender.
    index: BTreeMap<(Box<str>, Box<str>), SeenId>,
    next: SeenId,
    room: usize,
}

impl Seen {
    /// An empty table for `room` messages.
    pub(crate) fn new(room: usize) -> Self {
        Self { entries: BTreeMap::new(), index: BTreeMap::new(), next: 0, room }
    }

    /// The entry of this sender and Message-ID.
    // spec: CONV-PM-022
    pub(crate) fn find(&self, sender: &str, message_id: &str) -> Option<SeenId> {
        self.index.get(&(Box::from(message_id), Box::from(sender))).copied()
    }

    /// The newest entry with this Message-ID, whoever sent it.
    pub(crate) fn newest(&self, message_id: &str) -> Option<SeenId> {
        let from = (Box::from(message_id), Box::from(""));
        self.index.range(from..).take_while(|((id, _), _)| **id == *message_id).map(|(_, seen)| *seen).max()
    }

    /// Remembers a message, which must not be there yet.
    pub(crate) fn insert(&mut self, message: SeenMessage) -> SeenId {
        while self.entries.len() >= self.room.max(1) {
            let Some((_, oldest)) = self.entries.pop_first() else { break };
            self.index.remove(&(oldest.message_id, oldest.sender));
        }
        let id = self.next;
        self.next += 1;
        self.index.insert((message.message_id.clone(), message.sender.clone()), id);
        self.entries.insert(id, message);
        id
    }

    /// The remembered message.
    pub(crate) fn get(&self, id: SeenId) -> Option<&SeenMessage> {
        self.entries.get(&id)
    }

    /// The remembered message, to change it.
    pub(crate) fn get_mut(&mut self, id: SeenId) -> Option<&mut SeenMessage> {
        self.entries.get_mut(&id)
    }
}

/// One Conversation-ID for each peer (CONV-HDR-004), the oldest forgotten first.
#[derive(Debug)]
pub(crate) struct Conversations {
    ids: BTreeMap<Box<str>, Box<str>>,
    order: VecDeque<Box<str>>,
    room: usize,
}

impl Conversations {
    /// Room for `room` peers.
    pub(crate) fn new(room: usize) -> Self {
        Self { ids: BTreeMap::new(), order: VecDeque::new(), room }
    }

    /// The id kept for this peer; made by `make` if there is none.
    // spec: CONV-HDR-004
    pub(crate) fn keep(&mut self, peer: &str, make: impl FnOnce() -> String) -> &str {
        if !self.ids.contains_key(peer) {
            while self.order.len() >= self.room.max(1) {
                let Some(oldest) = self.order.pop_front() else { break };
                self.ids.remove(&oldest);
            }
            self.order.push_back(peer.into());
        }
        self.ids.entry(peer.into()).or_insert_with(|| make().into())
    }
}

#[cfg(test)]
#[path = "seen_tests.rs"]
mod tests;
