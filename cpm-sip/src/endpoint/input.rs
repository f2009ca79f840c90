//! From bytes to requests and responses.

use super::wire::Reply;
use super::{Endpoint, Error, Source};
use crate::framing::Datagram;
use crate::header::Via;
use crate::{FrameError, Head, HeaderId, Message, ParseError, reject};
use bytes::Bytes;
use cpm_base::{FlowDown, FlowId, Now, ProbeKind};
use std::net::SocketAddr;
use std::time::Duration;

/// A datagram without transaction is answered with less than this times its size (threats 3.6).
const AMPLIFICATION: usize = 3;

impl Endpoint {
    pub(super) fn datagram(
        &mut self,
        now: Now,
        flow: FlowId,
        from: SocketAddr,
        data: Bytes,
    ) -> Result<(), Error> {
        let Some(found) = self.flows.get(flow) else { return Err(Error::Usage("no such flow")) };
        let source = Source {
            flow,
            transport: found.info.transport,
            addr: from,
            trusted: found.info.trusted || self.config.trusted.contains(&from.ip()),
        };
        if !self.has_room() {
            self.stats.dropped += 1;
            self.probes.push(ProbeKind::DatagramDropped, flow.0, 0);
            return Err(Error::Limit("outputs"));
        }
        match Datagram::of(&data) {
            Datagram::Message => self.message_in(now, source, data),
            // The packet did its work in the NAT on the way.
            _ => Ok(()),
        }
    }

    /// A message that was cut out of a stream.
    pub(super) fn stream_message(&mut self, now: Now, flow: FlowId, data: Bytes) -> Result<(), Error> {
        let Some(source) = self.stream_source(flow) else { return Ok(()) };
        self.message_in(now, source, data)
    }

    fn stream_source(&self, flow: FlowId) -> Option<Source> {
        let info = &self.flows.get(flow)?.info;
        // A stream has a peer; without one its own address is nobody's.
        let addr = info.remote.unwrap_or(info.local);
        let trusted = info.trusted || self.config.trusted.contains(&addr.ip());
        Some(Source { flow, transport: info.transport, addr, trusted })
    }

    /// A stream cannot be cut into messages any further: the last one is answered, then it is closed.
    pub(super) fn lost_framing(&mut self, now: Now, flow: FlowId, error: FrameError) -> Error {
        if let Some(source) = self.stream_source(flow) {
            self.malformed(&source, &error.head, error.error);
        }
        self.close_stream(now, flow, FlowDown::Local);
        error.error.into()
    }

    fn message_in(&mut self, now: Now, source: Source, data: Bytes) -> Result<(), Error> {
        match Message::parse(data.clone(), &self.config.limits) {
            Ok(message) if message.is_request() => self.request_in(now, source, message),
            Ok(message) => self.response_in(now, source, message),
            Err(error) => Err(self.malformed(&source, &data, error)),
        }
    }

    /// Answers what is no valid request, once and without keeping anything (RFC 3261 §8.2.7), so that a forged
    /// source cannot make us repeat it to a victim (threats 3.6). ACK and responses are not answered.
    // spec: RFC3261-8.2.7 RFC3261-16.3
    pub(super) fn malformed(&mut self, source: &Source, data: &[u8], error: ParseError) -> Error {
        self.stats.malformed += 1;
        self.probes.push(ProbeKind::BadMessage, source.flow.0, u64::from(error.offset));
        let Some(head) = reject(data, &error, &self.config.limits) else { return error.into() };
        let via = head.header(HeaderId::Via).and_then(|value| Via::parse(value).ok());
        let reply = Reply::new(source.addr, via.as_ref());
        if self.answer_once(source, head, reply, data) {
            self.stats.malformed_answered += 1;
        }
        error.into()
    }

    /// Answers a valid request without a transaction.
    pub(super) fn turn_away(
        &mut self,
        source: &Source,
        message: &Message,
        status: u16,
        reason: &str,
        retry_after: Option<Duration>,
    ) {
        let mut head = Head::response_to(message, status, reason);
        if let Some(after) = retry_after {
            // A number is always a good value.
            let _ = head.push(HeaderId::RetryAfter, after.as_secs().max(1));
        }
        let reply = Reply::new(source.addr, message.via_top().ok().as_ref());
        self.answer_once(source, head, reply, message.raw());
    }

    /// No `Server` here, and no answer that is large beside what caused it: whoever sent the request may have
    /// forged its source.
    fn answer_once(&mut self, source: &Source, head: Head, reply: Reply, request: &[u8]) -> bool {
        // The answer copies what tells requests apart, however much of the rest a stream has brought by now.
        let tag = self.table.tag(self.table.hash_octets(&head.write()));
        let to = reply.to(source.transport.is_reliable());
        let Ok(answer) = super::wire::response(head, &reply, &tag, None) else { return false };
        let fits = to.is_none() || answer.len() < request.len().saturating_mul(AMPLIFICATION);
        fits && self.transmit(source.flow, to, answer).is_ok()
    }
}
