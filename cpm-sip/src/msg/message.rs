//! The owned message: one buffer, one boxed table of offsets.

use super::access::{accessors, body_end, head_text, unfold};
use crate::header::{
    AcceptContact, Asserted, CSeq, CallId, Challenge, CodingRange, Contact, CpmId, Credentials, Date,
    DeltaSeconds, Disposition, MaxForwards, MediaRange, MediaType, MessageExpires, PrivacyValue, RetryAfter,
    Route, ServiceId, Token, Via, Warning,
};
use crate::lex::{Scan, Span, StartLine, scan};
use crate::uri::NameAddr;
use crate::{HeaderId, Limits, ParseError, ParseKind};
use bytes::Bytes;
use smallvec::SmallVec;

/// A parsed message. Parsing costs one heap allocation, the table (one more if a field is folded, for the text with
/// its line ends turned into spaces); values are decoded on request and borrow from the message.
///
/// ```
/// # use cpm_sip::{HeaderId, Limits, Message, Method};
/// let raw = "OPTIONS sip:bob@example.org SIP/2.0\r\n\
///            v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK776\r\n\
///            f: <sip:alice@example.org>;tag=1\r\nt: <sip:bob@example.org>\r\n\
///            i: a84b4c76e66710\r\nCSeq: 7 OPTIONS\r\nl: 0\r\n\r\n";
/// let message = Message::parse(raw.into(), &Limits::default())?;
/// assert_eq!(message.method(), Some(Method::Options));
/// assert_eq!(message.header(HeaderId::CallId), Some("a84b4c76e66710"));
/// assert_eq!(message.via_top()?.branch(), Some("z9hG4bK776"));
/// # Ok::<(), cpm_sip::ParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Message {
    raw: Bytes,
    /// The head with every fold turned into spaces; offsets stay the same.
    unfolded: Option<Box<str>>,
    spans: Box<[Span]>,
    start: StartLine,
    head: u32,
}

impl Message {
    /// Reads a whole message. Octets after the end that Content-Length gives are dropped (RFC 3261 §18.3); without
    /// Content-Length the body goes to the end.
    ///
    /// # Errors
    /// What is wrong with the structure, or a limit that is exceeded. Field values other than Content-Length are
    /// not looked at; [`validate`](crate::validate) does that.
    // spec: RFC3261-7 RFC3261-18.3
    pub fn parse(raw: Bytes, limits: &Limits) -> Result<Self, ParseError> {
        let mut spans: SmallVec<[Span; 128]> = SmallVec::new();
        let Scan { start, head, folded, content_length } = scan(&raw, limits, |span| spans.push(span))?;
        let text = head_text(&raw, head)?;
        let end = body_end(raw.len(), head, content_length, limits)?;
        let unfolded = folded.then(|| unfold(text));
        let head = u32::try_from(head).unwrap_or(u32::MAX);
        let mut raw = raw;
        raw.truncate(end);
        Ok(Self { raw, unfolded, spans: Box::from(spans.as_slice()), start, head })
    }

    /// The whole message as it was received, without what followed it.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The body; a slice of the message, not a copy.
    pub fn body(&self) -> Bytes {
        self.raw.slice(self.head_len().min(self.raw.len())..)
    }

    pub(super) fn head_len(&self) -> usize {
        usize::try_from(self.head).unwrap_or(usize::MAX)
    }

    fn text(&self, at: usize, len: usize) -> &str {
        let range = at..at.saturating_add(len);
        match &self.unfolded {
            Some(text) => text.get(range).unwrap_or(""),
            // The head was found to be UTF-8, and every offset lies next to an ASCII octet.
            None => self.raw.get(range).and_then(|octets| core::str::from_utf8(octets).ok()).unwrap_or(""),
        }
    }

    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The value of the field at this position.
    pub(super) fn value_at(&self, at: usize) -> &str {
        let value = |span: &Span| self.text(usize::from(span.value_at), usize::from(span.value_len));
        self.spans.get(at).map_or("", value)
    }
}

accessors! { Message, [] }
