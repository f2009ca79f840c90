//! A registered contact.

use super::codec::{Reader, Writer};
use bytes::Bytes;
use cpm_base::Transport;
use std::net::SocketAddr;

const SCHEMA: u8 = 1;

/// One contact of one address of record, as the registrar keeps it (RFC 3261 §10.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingRecord {
    /// Contact URI.
    pub contact: String,
    /// Parameters of the Contact header field, `;name=value…` as received: feature tags, instance-id.
    pub params: String,
    /// Call-ID of the REGISTER that made the binding.
    pub call_id: String,
    /// CSeq number of that REGISTER.
    pub cseq: u32,
    /// End of the binding. Seconds since the Unix epoch.
    pub expires: u64,
    /// How requests reach the contact.
    pub transport: Transport,
    /// Where the REGISTER came from; requests go back there, through any NAT.
    pub source: SocketAddr,
}

impl BindingRecord {
    /// The value to store.
    pub fn encode(&self) -> Bytes {
        let mut out = Writer::new(SCHEMA);
        out.text(&self.contact).text(&self.params).text(&self.call_id).u32(self.cseq).u64(self.expires);
        out.byte(match self.transport {
            Transport::Tcp => 1,
            Transport::Tls => 2,
            _ => 0,
        });
        out.address(self.source);
        out.finish()
    }

    /// The record of a stored value; `None` if it is damaged or newer.
    pub fn decode(value: &Bytes) -> Option<Self> {
        let mut from = Reader::new(value, SCHEMA)?;
        let record = Self {
            contact: from.text()?,
            params: from.text()?,
            call_id: from.text()?,
            cseq: from.u32()?,
            expires: from.u64()?,
            transport: match from.byte()? {
                0 => Transport::Udp,
                1 => Transport::Tcp,
                2 => Transport::Tls,
                _ => return None,
            },
            source: from.address()?,
        };
        from.end()?;
        Some(record)
    }
}
