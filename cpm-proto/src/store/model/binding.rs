//! A registered contact.

use super::codec::{Reader, Writer};
use bytes::Bytes;
use cpm_base::Transport;
use cpm_sip::register::Binding;
use std::net::SocketAddr;

const SCHEMA: u8 = 1;

/// One contact of one address of record, as the registrar keeps it (RFC 3261 §10.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingRecord {
    /// The contact and what was registered with it.
    pub binding: Binding,
    /// How requests reach it.
    pub transport: Transport,
    /// Where they go: the address the REGISTER came from.
    pub remote: SocketAddr,
}

impl BindingRecord {
    /// The value to store.
    pub fn encode(&self) -> Bytes {
        let binding = &self.binding;
        let mut out = Writer::new(SCHEMA);
        out.text(&binding.uri).text(&binding.params).text(&binding.call_id).u32(binding.cseq);
        out.u64(binding.expires_at);
        out.optional(binding.instance.as_deref());
        out.u64(binding.reg_id.map_or(NONE, u64::from)).u64(binding.q.map_or(NONE, u64::from));
        out.byte(match self.transport {
            Transport::Tcp => 1,
            Transport::Tls => 2,
            _ => 0,
        });
        out.address(self.remote);
        out.finish()
    }

    /// The record of a stored value; `None` if it is damaged or newer.
    pub fn decode(value: &Bytes) -> Option<Self> {
        let mut from = Reader::new(value, SCHEMA)?;
        let (uri, params, call_id) = (from.text()?, from.text()?, from.text()?);
        let (cseq, expires_at) = (from.u32()?, from.u64()?);
        let instance = from.optional()?;
        let (reg_id, q) = (number(from.u64()?)?, number(from.u64()?)?);
        let transport = match from.byte()? {
            0 => Transport::Udp,
            1 => Transport::Tcp,
            2 => Transport::Tls,
            _ => return None,
        };
        let remote = from.address()?;
        from.end()?;
        let binding = Binding { uri, params, instance, reg_id, q, call_id, cseq, expires_at };
        Some(Self { binding, transport, remote })
    }
}

/// An absent number; larger than any that can be present.
const NONE: u64 = u64::MAX;

/// `None` outside for a number that does not fit, inside for an absent one.
fn number<T: TryFrom<u64>>(value: u64) -> Option<Option<T>> {
    if value == NONE { Some(None) } else { T::try_from(value).ok().map(Some) }
}
