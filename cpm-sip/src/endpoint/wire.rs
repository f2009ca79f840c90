//! What transactions read from messages and write into them.

use super::{Error, Source, fresh};
use crate::header::Via as ViaValue;
use crate::msg::Essentials;
use crate::txn::{Class, KeyBuf};
use crate::uri::{Host, NameAddr};
use crate::{Head, HeadError, HeaderId, Message, Method};
use bytes::Bytes;
use cpm_base::{Rng, Transport};
use std::fmt;
use std::net::SocketAddr;

/// The port of a sent-by without one (RFC 3261 §18.1.1; 5061 under TLS).
fn default_port(transport: &str) -> u16 {
    if transport.eq_ignore_ascii_case("TLS") { 5061 } else { 5060 }
}

/// Where responses to a request go (RFC 3261 §18.2.2, RFC 3581 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// The address the request came from.
    pub(super) peer: SocketAddr,
    /// The port of that address that expects the answer to a datagram.
    port: u16,
}

impl Reply {
    /// The address is that of the source in any case: a domain name or another address in sent-by is overruled by
    /// `received`, and `maddr` is not followed, because it would let anyone aim our answers (threats 2.16).
    // spec: RFC3261-18.2.2 RFC3581-4
    pub(super) fn new(peer: SocketAddr, via: Option<&ViaValue<'_>>) -> Self {
        let port = match via {
            Some(via) if via.rport().is_none() => via.port().unwrap_or(default_port(via.transport())),
            _ => peer.port(),
        };
        Self { peer, port }
    }

    /// The destination of a datagram; `None` on a stream, where the answer goes back on the connection.
    pub(super) fn to(&self, reliable: bool) -> Option<SocketAddr> {
        (!reliable).then(|| SocketAddr::new(self.peer.ip(), self.port))
    }
}

/// What of a request decides which transaction it belongs to.
pub(super) struct RequestFacts<'a> {
    pub(super) method: &'a str,
    uri: &'a str,
    via: ViaValue<'a>,
    from_tag: Option<&'a str>,
    to_tag: Option<&'a str>,
    call_id: &'a str,
    cseq: u32,
}

/// The facts of a request that was validated.
pub(super) fn request_facts<'a>(message: &'a Message, read: &Essentials<'a>) -> RequestFacts<'a> {
    RequestFacts {
        method: read.cseq.method.as_str(),
        uri: message.request_uri().unwrap_or(""),
        via: read.via,
        from_tag: read.from.tag(),
        to_tag: read.to.tag(),
        call_id: read.call_id,
        cseq: read.cseq.number,
    }
}

impl RequestFacts<'_> {
    fn port(&self) -> u16 {
        self.via.port().unwrap_or(default_port(self.via.transport()))
    }

    /// RFC 3261 §17.2.3, with the rules of RFC 2543 for a branch without magic cookie.
    // spec: RFC3261-17.2.3
    pub(super) fn server_key(&self, key: &mut KeyBuf) {
        self.key_as(self.method, key);
    }

    /// The key of the INVITE a CANCEL is about (RFC 3261 §9.2).
    pub(super) fn cancelled_key(&self, key: &mut KeyBuf) {
        self.key_as("INVITE", key);
    }

    fn key_as(&self, method: &str, key: &mut KeyBuf) {
        if let Some(branch) = self.via.unique_branch() {
            key.server(method, branch);
        } else {
            let class = if matches!(method, "INVITE" | "ACK") { "INVITE" } else { method };
            key.begin(Class::ServerOld).exact(class).exact(self.uri).exact(self.from_tag.unwrap_or(""));
            key.exact(self.call_id).number(self.cseq).exact(self.via.branch().unwrap_or(""));
            // An INVITE has no To tag of ours yet, its ACK has.
            if class != "INVITE" {
                key.exact(self.to_tag.unwrap_or(""));
            }
        }
        match self.via.host() {
            Host::Name(name) => key.folded(name),
            Host::V4(address) => key.octets(&address.octets()),
            Host::V6(address) => key.octets(&address.octets()),
        };
        key.number(u32::from(self.port()));
    }

    /// The key under which a second copy of the request is found; false for a request within a dialog, which is
    /// never merged, and for one that cannot be told from others.
    // spec: RFC3261-8.2.2.2
    pub(super) fn merged_key(&self, key: &mut KeyBuf) -> bool {
        let (None, Some(from_tag)) = (self.to_tag, self.from_tag) else { return false };
        key.begin(Class::Merged).exact(self.method).exact(from_tag).exact(self.call_id).number(self.cseq);
        true
    }

    pub(super) fn reply(&self, source: &Source) -> Reply {
        Reply::new(source.addr, Some(&self.via))
    }
}

/// The key of a response among our transactions. A response with several Via values went astray (RFC 3261
/// §8.1.3.3).
// spec: RFC3261-17.1.3 RFC3261-8.1.3.3
pub(super) fn response_key(read: &Essentials<'_>, key: &mut KeyBuf) -> bool {
    match read.via.branch() {
        Some(branch) if read.vias == 1 => {
            key.client(read.cseq.method.as_str(), branch);
            true
        }
        _ => false,
    }
}

/// Finishes a response of the owner and writes it.
pub(super) fn response(
    mut head: Head,
    reply: &Reply,
    tag: &str,
    server: Option<&str>,
) -> Result<Bytes, Error> {
    head.received(reply.peer);
    if head.status() != Some(100) {
        head.to_tag(tag)?;
    }
    if let Some(server) = server
        && head.header(HeaderId::Server).is_none()
    {
        head.push(HeaderId::Server, server)?;
    }
    Ok(head.write())
}

/// A Via of ours (RFC 3261 §18.1.1, RFC 3581 §3).
pub(super) struct Via<'a> {
    pub(super) transport: Transport,
    pub(super) sent_by: &'a str,
    pub(super) branch: &'a str,
}

impl fmt::Display for Via<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            _ => "UDP",
        };
        write!(f, "SIP/2.0/{transport} {};branch={};rport", self.sent_by, self.branch)
    }
}

/// Writes a request of ours with its Via. A Via the owner put in is taken out: we start the request.
pub(super) fn request(head: &mut Head, via: &Via<'_>) -> Result<Bytes, Error> {
    head.remove(HeaderId::Via).push_front(HeaderId::Via, via)?;
    Ok(head.write())
}

/// Header fields every request has (RFC 3261 §8.1.1); From and To must be there.
// spec: RFC3261-8.1.1
pub(super) fn complete(head: &mut Head, rng: &mut Rng, agent: Option<&str>) -> Result<(), Error> {
    let from = head.header(HeaderId::From).ok_or(Error::Usage("a request needs From"))?;
    let tagged = NameAddr::parse(from).map_err(|_| Error::Usage("malformed From"))?.tag().is_some();
    if !tagged {
        let from = format!("{from};tag={}", fresh(rng));
        head.set(HeaderId::From, from)?;
    }
    if head.header(HeaderId::To).is_none() {
        return Err(Error::Usage("a request needs To"));
    }
    if head.header(HeaderId::MaxForwards).is_none() {
        head.push(HeaderId::MaxForwards, 70)?;
    }
    if head.header(HeaderId::CallId).is_none() {
        head.push(HeaderId::CallId, fresh(rng))?;
    }
    if head.header(HeaderId::CSeq).is_none() {
        let cseq = format!("1 {}", head.method().map_or("", |method| method.as_str()));
        head.push(HeaderId::CSeq, cseq)?;
    }
    if let Some(agent) = agent
        && head.header(HeaderId::UserAgent).is_none()
    {
        head.push(HeaderId::UserAgent, agent)?;
    }
    Ok(())
}

/// ACK for a non-2xx final response (RFC 3261 §17.1.1.3).
// spec: RFC3261-17.1.1.3
pub(super) fn ack(invite: &Message, response: &Message) -> Result<Bytes, Error> {
    hop_by_hop(invite, Method::Ack, response.header(HeaderId::To))
}

/// CANCEL for an INVITE (RFC 3261 §9.1).
// spec: RFC3261-9.1
pub(super) fn cancel(invite: &Message) -> Result<Bytes, Error> {
    hop_by_hop(invite, Method::Cancel, invite.header(HeaderId::To))
}

fn hop_by_hop(invite: &Message, method: Method<'_>, to: Option<&str>) -> Result<Bytes, Error> {
    let mut head = Head::request(method, invite.request_uri().unwrap_or(""))?;
    let copied = |id: HeaderId| invite.header(id).unwrap_or("");
    head.push(HeaderId::Via, copied(HeaderId::Via))?;
    head.push(HeaderId::MaxForwards, 70)?;
    for route in invite.headers(HeaderId::Route) {
        head.push(HeaderId::Route, route)?;
    }
    head.push(HeaderId::From, copied(HeaderId::From))?;
    head.push(HeaderId::To, to.unwrap_or(""))?;
    head.push(HeaderId::CallId, copied(HeaderId::CallId))?;
    head.push(HeaderId::CSeq, format_args!("{} {method}", invite.cseq()?.number))?;
    Ok(head.write())
}

impl From<HeadError> for Error {
    fn from(error: HeadError) -> Self {
        Self::Usage(match error {
            HeadError::Value => "a header field value may not hold CR, LF or NUL",
            HeadError::Name => "a method or header field name must be a token",
            HeadError::RequestUri => "malformed Request-URI",
            HeadError::Duplicate(_) => "a header field stands twice",
            HeadError::ContentLength => "Content-Length follows from the body",
            HeadError::TooLarge => "the head is too large",
        })
    }
}
