//! The messages of the load, written out directly, and the few things it reads from answers.

use memchr::memmem;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// The domain of all users.
pub const DOMAIN: &str = "example.test";

/// The password of all users.
pub const PASSWORD: &str = "secret";

/// Address of the `n`th sender.
pub fn sender(n: usize) -> String {
    format!("sip:s{n}@{DOMAIN}")
}

/// Address of the `n`th recipient.
pub fn recipient(n: usize) -> String {
    format!("sip:r{n}@{DOMAIN}")
}

/// A REGISTER of the `n`th recipient for the Device at `local`.
pub fn register(n: usize, cseq: u32, local: SocketAddr, authorization: Option<&str>) -> String {
    let address = recipient(n);
    let mut text = format!(
        "REGISTER sip:{DOMAIN} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {local};branch=z9hG4bKr{n}x{cseq};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <{address}>;tag=t{n}\r\n\
         To: <{address}>\r\n\
         Call-ID: r{n}-register\r\n\
         CSeq: {cseq} REGISTER\r\n\
         Contact: <sip:r{n}@{local}>;+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-{n:012}>\"\
         ;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg\"\r\n\
         Expires: 3600\r\n"
    );
    if let Some(value) = authorization {
        let _ = write!(text, "Authorization: {value}\r\n");
    }
    text.push_str("Content-Length: 0\r\n\r\n");
    text
}

/// The CPIM body of message `count` of pair `n`.
pub(super) fn body(n: usize, count: u32) -> String {
    format!(
        "From: <{}>\r\n\
         To: <{}>\r\n\
         DateTime: 2026-11-25T14:00:00.000Z\r\n\
         NS: imdn <urn:ietf:params:imdn>\r\n\
         imdn.Message-ID: m{n}x{count}\r\n\
         \r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: 25\r\n\
         \r\n\
         Hello Bob, shall we meet?",
        sender(n),
        recipient(n)
    )
}

/// Message `count` of pair `n`.
pub(super) fn message(n: usize, count: u32, cseq: u32, local: SocketAddr, proof: &str, body: &str) -> String {
    let (from, to) = (sender(n), recipient(n));
    format!(
        "MESSAGE {to} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {local};branch=z9hG4bKm{n}x{cseq};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <{from}>;tag=t{n}\r\n\
         To: <{to}>\r\n\
         Call-ID: m{n}-{count}\r\n\
         CSeq: {cseq} MESSAGE\r\n\
         Accept-Contact: *;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg\"\r\n\
         P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg\r\n\
         Conversation-ID: f81d4fae-7dec-11d0-a765-{n:012}\r\n\
         Contribution-ID: abcdef{n:02x}-1234-5678-90ab-{count:012}\r\n\
         {proof}\
         Content-Type: message/cpim\r\n\
         Content-Length: {}\r\n\
         \r\n\
         {body}",
        body.len()
    )
}

/// The status of a response.
pub(super) fn status(datagram: &[u8]) -> Option<u16> {
    let code = datagram.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}

/// The value of the first field of this name as our own messages spell it.
pub(super) fn field<'a>(datagram: &'a [u8], name: &str) -> Option<&'a str> {
    let at = memmem::find(datagram, format!("\r\n{name}: ").as_bytes())? + name.len() + 4;
    let rest = datagram.get(at..)?;
    std::str::from_utf8(rest.get(..memchr::memchr(b'\r', rest)?)?).ok()
}

/// A 200 to a request: its Via, From, To, Call-ID and CSeq again.
pub(super) fn ok(request: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(b"SIP/2.0 200 OK\r\n");
    let mut rest = request;
    let mut first = true;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = &rest[..=end];
        rest = &rest[end + 1..];
        if line == b"\r\n" {
            break;
        }
        let name = &line[..memchr::memchr(b':', line).unwrap_or(0)];
        if !first && [&b"Via"[..], b"From", b"Call-ID", b"CSeq"].contains(&name) {
            out.extend_from_slice(line);
        } else if !first && name == b"To" {
            out.extend_from_slice(&line[..line.len() - 2]);
            out.extend_from_slice(b";tag=d\r\n");
        }
        first = false;
    }
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}
