//! Who sent a message whose sender is not shown, so that a notification addressed to nobody finds its way back
//! (CONV-PF-092). Only the recipient of that message can use it.

use super::UserId;
use super::border::Kind;
use super::exchange::Exchange;
use super::{Reply, Server};
use crate::store::engine::{Expect, StoreOp};
use crate::store::model::{Envelope, HiddenRecord, Kind as RecordKind, MessageKey, hash128, key};
use std::collections::BTreeMap;

/// Senders by recipient and Message-ID.
#[derive(Debug)]
pub(super) struct Hidden {
    senders: BTreeMap<(UserId, [u8; 16]), (UserId, u64)>,
    limit: usize,
}

impl Hidden {
    pub(super) fn new(limit: usize) -> Self {
        Self { senders: BTreeMap::new(), limit }
    }

    /// Notes a sender until `expires` (Unix seconds). A full table takes no more: those notifications get 404.
    pub(super) fn put(&mut self, recipient: UserId, message: [u8; 16], sender: UserId, expires: u64) {
        if self.senders.len() < self.limit || self.senders.contains_key(&(recipient, message)) {
            self.senders.insert((recipient, message), (sender, expires));
        }
    }

    fn find(&self, recipient: UserId, message_id: &str) -> Option<UserId> {
        self.senders.get(&(recipient, hash_of(message_id))).map(|(sender, _)| *sender)
    }

    /// Takes out what is over at `now` (Unix seconds).
    pub(super) fn expire(&mut self, now: u64) -> Vec<(UserId, [u8; 16])> {
        let over: Vec<_> =
            self.senders.iter().filter(|(_, (_, expires))| *expires <= now).map(|(key, _)| *key).collect();
        for key in &over {
            self.senders.remove(key);
        }
        over
    }

    /// When the first one ends, in Unix seconds.
    pub(super) fn first_expiry(&self) -> Option<u64> {
        self.senders.values().map(|(_, expires)| *expires).min()
    }
}

fn hash_of(message_id: &str) -> [u8; 16] {
    hash128(&[message_id.as_bytes()])
}

impl Server {
    /// The sender of a private message that asks for notifications.
    fn hidden_sender(exchange: &Exchange, envelope: &Envelope) -> Option<UserId> {
        let asks = envelope.wanted.positive || envelope.wanted.negative || envelope.wanted.display;
        exchange.identity.user.filter(|_| envelope.private && asks && exchange.kind == Kind::Message)
    }

    /// The write that keeps the sender of a private message, if that is needed.
    pub(super) fn hidden_put(
        &self,
        exchange: &Exchange,
        envelope: &Envelope,
        expires: u64,
    ) -> Option<StoreOp> {
        let sender = self.users.get(Self::hidden_sender(exchange, envelope)?)?.owner;
        let owner = self.users.get(exchange.user)?.owner;
        let value = HiddenRecord { sender, expires }.encode();
        let key = key(owner, RecordKind::Hidden, &hash_of(&envelope.message_id));
        Some(StoreOp::Put { key, value, expect: Expect::Any })
    }

    /// Notes the sender of a private message, if that is needed.
    pub(super) fn hide(&mut self, exchange: &Exchange, envelope: &Envelope, expires: u64) {
        if let Some(sender) = Self::hidden_sender(exchange, envelope) {
            self.hidden.put(exchange.user, hash_of(&envelope.message_id), sender, expires);
        }
    }

    /// The user a notification to nobody is for, and what it is about then.
    // spec: CONV-PF-092
    pub(super) fn reveal(&self, reporter: Option<UserId>, kind: Kind) -> Result<(UserId, Kind), Reply> {
        let Kind::Notification { id, kind, .. } = kind else { return Err(Reply::new(404)) };
        let sender = reporter.and_then(|reporter| self.hidden.find(reporter, &id));
        let served = sender.and_then(|sender| Some((sender, self.users.get(sender)?)));
        let Some((sender, served)) = served else { return Err(Reply::new(404)) };
        let about = MessageKey::of(&served.canonical, &id);
        Ok((sender, Kind::Notification { about, id, kind }))
    }
}
