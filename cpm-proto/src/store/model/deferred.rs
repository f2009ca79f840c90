//! A message that waits for its recipient.

use super::codec::{Reader, Writer};
use bytes::Bytes;

const SCHEMA: u8 = 1;

/// Which notifications the sender asked for (RFC 5438 §6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `positive-delivery`.
    pub positive: bool,
    /// `negative-delivery`.
    pub negative: bool,
    /// `display`.
    pub display: bool,
}

/// The two notifications that pass from recipient to sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Notification {
    /// `delivered`.
    Delivered,
    /// `displayed`; implies `delivered`.
    Displayed,
    /// Anything else: `failed`, `processed`, an interworking notification.
    Other,
}

/// All that is needed to write the MESSAGE for one Device, whoever sends it and whenever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Asserted address of the sender, goes into From and P-Asserted-Identity.
    pub sender: String,
    /// The address the message was sent to, goes into To.
    pub to: String,
    /// The sender asked for privacy: its address is not shown (CONV-PF-090).
    pub private: bool,
    /// `imdn.Message-ID`.
    pub message_id: String,
    /// P-Asserted-Service.
    pub service: String,
    /// Header fields that pass unchanged (CONV-PF-011).
    pub headers: Vec<(String, String)>,
    /// Content-Type.
    pub content_type: String,
    /// The CPIM message, never changed on its way to the recipient.
    pub body: Bytes,
    /// Notifications asked for.
    pub wanted: Wanted,
    /// Max-Forwards of the next hop.
    pub hops: u8,
}

impl Envelope {
    fn write(&self, out: &mut Writer) {
        let wanted = &self.wanted;
        let flags = u8::from(wanted.positive)
            | u8::from(wanted.negative) << 1
            | u8::from(wanted.display) << 2
            | u8::from(self.private) << 3;
        out.text(&self.sender).text(&self.to).byte(flags).text(&self.message_id).text(&self.service);
        out.u32(u32::try_from(self.headers.len()).unwrap_or(u32::MAX));
        for (name, value) in &self.headers {
            out.text(name).text(value);
        }
        out.text(&self.content_type).bytes(&self.body).byte(self.hops);
    }

    fn read(from: &mut Reader) -> Option<Self> {
        let (sender, to, flags) = (from.text()?, from.text()?, from.byte()?);
        let (message_id, service) = (from.text()?, from.text()?);
        let mut headers = Vec::new();
        for _ in 0..from.u32()? {
            headers.push((from.text()?, from.text()?));
        }
        Some(Self {
            sender,
            to,
            private: flags & 8 != 0,
            message_id,
            service,
            headers,
            content_type: from.text()?,
            body: from.bytes()?,
            wanted: Wanted { positive: flags & 1 != 0, negative: flags & 2 != 0, display: flags & 4 != 0 },
            hops: from.byte()?,
        })
    }
}

/// One entry of a user's deferred queue (CONV-DF-001).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeferredRecord {
    /// The message.
    pub envelope: Envelope,
    /// It is a notification about this message of the queue's owner (CONV-IMDN-050), not a message.
    pub notification: Option<(String, Notification)>,
    /// When it came. Milliseconds since the Unix epoch.
    pub arrival: u64,
    /// When it is dropped. Milliseconds since the Unix epoch.
    pub expires: u64,
    /// Rounds of delivery that failed.
    pub attempts: u32,
    /// Rounds in which a Device refused the message itself.
    pub refusals: u32,
}

impl DeferredRecord {
    /// The value to store.
    pub fn encode(&self) -> Bytes {
        let mut out = Writer::new(SCHEMA);
        out.u64(self.arrival).u64(self.expires).u32(self.attempts).u32(self.refusals);
        match &self.notification {
            None => out.byte(0),
            Some((about, kind)) => out
                .byte(match kind {
                    Notification::Delivered => 1,
                    Notification::Displayed => 2,
                    Notification::Other => 3,
                })
                .text(about),
        };
        self.envelope.write(&mut out);
        out.finish()
    }

    /// The record of a stored value; `None` if it is damaged or newer.
    pub fn decode(value: &Bytes) -> Option<Self> {
        let mut from = Reader::new(value, SCHEMA)?;
        let (arrival, expires) = (from.u64()?, from.u64()?);
        let (attempts, refusals) = (from.u32()?, from.u32()?);
        let kind = match from.byte()? {
            0 => None,
            1 => Some(Notification::Delivered),
            2 => Some(Notification::Displayed),
            3 => Some(Notification::Other),
            _ => return None,
        };
        let notification = match kind {
            None => None,
            Some(kind) => Some((from.text()?, kind)),
        };
        let envelope = Envelope::read(&mut from)?;
        from.end()?;
        Some(Self { envelope, notification, arrival, expires, attempts, refusals })
    }
}
