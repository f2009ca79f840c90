//! What became of one message toward one recipient, and which notifications about it have gone back.

use super::ContentKey;
use super::codec::{Reader, Writer};
use bytes::Bytes;

const SCHEMA: u8 = 1;

/// Outcome and notification state of (recipient, sender, Message-ID): a retry gets the same answer, and each
/// notification passes once (CONV-IMDN-040, CONV-PF-070).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenRecord {
    /// The SIP status the sender got: 200 or 202.
    pub status: u16,
    /// The message still waits in the deferred queue.
    pub queued: bool,
    /// A `delivered` notification has passed.
    pub delivered: bool,
    /// A `displayed` notification has passed.
    pub displayed: bool,
    /// Which content that was.
    pub content: ContentKey,
    /// The message is forgotten then. Seconds since the Unix epoch.
    pub expires: u64,
}

impl SeenRecord {
    /// The value to store.
    pub fn encode(&self) -> Bytes {
        let flags = u8::from(self.queued) | u8::from(self.delivered) << 1 | u8::from(self.displayed) << 2;
        let mut out = Writer::new(SCHEMA);
        out.u32(u32::from(self.status)).byte(flags).u64(self.expires).bytes(&self.content.0);
        out.finish()
    }

    /// The record of a stored value; `None` if it is damaged or newer.
    pub fn decode(value: &Bytes) -> Option<Self> {
        let mut from = Reader::new(value, SCHEMA)?;
        let status = u16::try_from(from.u32()?).ok()?;
        let flags = from.byte()?;
        let expires = from.u64()?;
        let content = ContentKey(from.bytes()?.as_ref().try_into().ok()?);
        from.end()?;
        Some(Self {
            status,
            queued: flags & 1 != 0,
            delivered: flags & 2 != 0,
            displayed: flags & 4 != 0,
            content,
            expires,
        })
    }
}
