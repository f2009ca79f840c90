//! What the core keeps in the store: keys, kinds and records.
//!
//! Key = bucket (2 bytes), owner (16), kind (1), rest. All integers big-endian. Every value begins with a
//! schema byte (architecture §5). The engine sees bytes only.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

mod binding;
mod codec;
mod deferred;
mod hidden;
mod seen;
#[cfg(test)]
mod tests;

pub use binding::BindingRecord;
pub use deferred::{DeferredRecord, Envelope, Notification, Wanted};
pub use hidden::HiddenRecord;
pub use seen::SeenRecord;

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Length of every key before its kind-specific rest.
const PREFIX: usize = 19;

/// A user in the key space: the first 16 bytes of the SHA-256 of the canonical address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner([u8; 16]);

impl Owner {
    /// The owner with this canonical address (CONV-GEN-022).
    pub fn of(canonical: &str) -> Self {
        Self(hash128(&[canonical.as_bytes()]))
    }

    /// The bucket that decides about placement: 4 096 of them.
    pub fn bucket(self) -> u16 {
        let [a, b, ..] = self.0;
        u16::from_be_bytes([a, b]) >> 4
    }

    /// The lane in which this owner's batches stay in order.
    pub fn lane(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// What a record is. The numbers are on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A registered contact; rest: hash of instance-id or contact.
    Binding,
    /// A deferred message; rest: sequence number (8 bytes).
    Defer,
    /// The outcome and notification state of one message; rest: hash of Message-ID and sender.
    Seen,
    /// The sender of a message that does not show it; rest: hash of Message-ID.
    Hidden,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Binding => 0x20,
            Self::Defer => 0x21,
            Self::Seen => 0x22,
            Self::Hidden => 0x23,
        }
    }

    fn of_code(code: u8) -> Option<Self> {
        match code {
            0x20 => Some(Self::Binding),
            0x21 => Some(Self::Defer),
            0x22 => Some(Self::Seen),
            0x23 => Some(Self::Hidden),
            _ => None,
        }
    }
}

/// The key of a record.
pub fn key(owner: Owner, kind: Kind, rest: &[u8]) -> Bytes {
    let mut key = Vec::with_capacity(PREFIX.saturating_add(rest.len()));
    key.extend_from_slice(&owner.bucket().to_be_bytes());
    key.extend_from_slice(&owner.0);
    key.push(kind.code());
    key.extend_from_slice(rest);
    Bytes::from(key)
}

/// The key of a deferred message.
pub fn deferred_key(owner: Owner, seq: u64) -> Bytes {
    key(owner, Kind::Defer, &seq.to_be_bytes())
}

/// Takes a key apart; `None` for keys of other functions.
pub fn split_key(key: &[u8]) -> Option<(Owner, Kind, &[u8])> {
    let (head, rest) = key.split_at_checked(PREFIX)?;
    let (_bucket, head) = head.split_at_checked(2)?;
    let (owner, code) = head.split_at_checked(16)?;
    Some((Owner(owner.try_into().ok()?), Kind::of_code(*code.first()?)?, rest))
}

/// Names one message of one sender: the key by which a retry is recognised (CONV-DF-014, design threats 4.9:
/// another sender cannot hit it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey(pub [u8; 16]);

impl MessageKey {
    /// The message with this `imdn.Message-ID`, sent by this canonical address.
    pub fn of(sender: &str, message_id: &str) -> Self {
        Self(hash128(&[message_id.as_bytes(), sender.as_bytes()]))
    }
}

/// Names one message with its very content: a sender that gives two messages the same Message-ID has sent two
/// (design threats 4.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentKey(pub [u8; 16]);

impl ContentKey {
    /// The message with this `imdn.Message-ID` and this CPIM body, sent by this canonical address.
    pub fn of(sender: &str, message_id: &str, body: &[u8]) -> Self {
        Self(hash128(&[message_id.as_bytes(), sender.as_bytes(), body]))
    }
}

/// The first 16 bytes of SHA-256 over length-prefixed parts.
pub fn hash128(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let full: [u8; 32] = hash.finalize().into();
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().zip(full) {
        *to = from;
    }
    out
}
