//! The sender of a message that does not show it.

use super::Owner;
use super::codec::{Reader, Writer};
use bytes::Bytes;

const SCHEMA: u8 = 1;

/// Who sent a private message, for the notifications about it (CONV-PF-092).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HiddenRecord {
    /// The sender.
    pub sender: Owner,
    /// The record is of no use then. Seconds since the Unix epoch.
    pub expires: u64,
}

impl HiddenRecord {
    /// The value to store.
    pub fn encode(&self) -> Bytes {
        let mut out = Writer::new(SCHEMA);
        out.bytes(&self.sender.0).u64(self.expires);
        out.finish()
    }

    /// The record of a stored value; `None` if it is damaged or newer.
    pub fn decode(value: &Bytes) -> Option<Self> {
        let mut from = Reader::new(value, SCHEMA)?;
        let sender = Owner(from.bytes()?.as_ref().try_into().ok()?);
        let expires = from.u64()?;
        from.end()?;
        Some(Self { sender, expires })
    }
}
