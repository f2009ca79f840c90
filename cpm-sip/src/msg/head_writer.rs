//! New messages. Nothing that would break a line can get into one (threats §2.11).

use super::{HeaderId, Message, Method};
use crate::header::Via;
use crate::lex::is_token;
use crate::{NameAddr, reason_phrase};
use bytes::{BufMut, Bytes, BytesMut};
use core::fmt::{Display, Write};
use core::ops::Range;
use smallvec::SmallVec;
use std::net::SocketAddr;
use thiserror::Error;

/// Why a part of a message was refused. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum HeadError {
    /// A value holds CR, LF or a NUL outside a quoted pair.
    #[error("a header field value may not hold CR, LF or NUL")]
    Value,
    /// A method or field name is no token.
    #[error("a method or header field name must be a token")]
    Name,
    /// A Request-URI is empty or holds white space or control characters.
    #[error("malformed Request-URI")]
    RequestUri,
    /// The field stands once and is there already.
    #[error("{0} may stand once only")]
    Duplicate(HeaderId),
    /// Content-Length follows from the body and is never set by hand.
    #[error("Content-Length follows from the body")]
    ContentLength,
    /// The head would be larger than 65 535 octets.
    #[error("the head is too large")]
    TooLarge,
}

#[derive(Clone, Debug)]
struct Field {
    id: HeaderId,
    name: Range<u32>,
    value: Range<u32>,
}

#[derive(Clone, Debug)]
enum Start {
    /// The method and the Request-URI lie in the text.
    Request { method: Range<u32>, uri: Range<u32> },
    /// The reason lies in the text.
    Response { code: u16, reason: Range<u32> },
}

/// A message to send: a start line, fields in order, and a body. Content-Length is written last, always.
///
/// ```
/// # use cpm_sip::{Head, HeadError, HeaderId, Method};
/// let mut head = Head::request(Method::Options, "sip:bob@example.org")?;
/// head.push(HeaderId::MaxForwards, 70)?.push(HeaderId::Subject, "hello")?;
/// assert!(head.push(HeaderId::Organization, "x\r\nEvil: 1").is_err());
/// assert_eq!(head.write(), "OPTIONS sip:bob@example.org SIP/2.0\r\n\
///     Max-Forwards: 70\r\nSubject: hello\r\nContent-Length: 0\r\n\r\n");
/// # Ok::<(), HeadError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Head {
    text: String,
    start: Start,
    fields: SmallVec<[Field; 20]>,
    body: Bytes,
}

fn short(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// CR, LF and bare NUL never are part of a value.
pub(super) fn is_clean(value: &str) -> bool {
    let octets = value.as_bytes();
    let mut from = 0_usize;
    while let Some(found) = octets.get(from..).and_then(|rest| memchr::memchr3(b'\r', b'\n', 0, rest)) {
        let at = from.saturating_add(found);
        if octets.get(at) != Some(&0) || at == 0 || octets.get(at.saturating_sub(1)) != Some(&b'\\') {
            return false;
        }
        from = at.saturating_add(1);
    }
    true
}

pub(super) fn is_request_uri(uri: &str) -> bool {
    !uri.is_empty() && uri.bytes().all(|octet| octet.is_ascii_graphic())
}

impl Head {
    fn empty() -> Self {
        let start = Start::Response { code: 500, reason: 0..0 };
        Self { text: String::with_capacity(1024), start, fields: SmallVec::new(), body: Bytes::new() }
    }

    fn store(&mut self, value: impl Display) -> Range<u32> {
        let at = short(self.text.len());
        let _ = write!(self.text, "{value}"); // a String takes everything
        at..short(self.text.len())
    }

    fn get(&self, range: &Range<u32>) -> &str {
        let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        range.and_then(|(from, to)| self.text.get(from..to)).unwrap_or("")
    }

    /// A request.
    ///
    /// # Errors
    /// [`HeadError::Name`] and [`HeadError::RequestUri`].
    pub fn request(method: Method<'_>, uri: impl Display) -> Result<Self, HeadError> {
        let mut head = Self::empty();
        if !is_token(method.as_str()) {
            return Err(HeadError::Name);
        }
        let method = head.store(method);
        let uri = head.store(uri);
        if !is_request_uri(head.get(&uri)) {
            return Err(HeadError::RequestUri);
        }
        head.start = Start::Request { method, uri };
        Ok(head)
    }

    /// A response without any field. A code outside 100 to 699 counts as 500; a reason that is empty or cannot
    /// stand in a status line as the standard phrase of the code.
    pub fn response(code: u16, reason: &str) -> Self {
        let mut head = Self::empty();
        let code = if (100..=699).contains(&code) { code } else { 500 };
        let usable = !reason.is_empty() && is_clean(reason) && !reason.contains('\0');
        let reason = head.store(if usable { reason } else { reason_phrase(code) });
        head.start = Start::Response { code, reason };
        head
    }

    /// A response to a request (RFC 3261 §8.2.6.2): Via, From, To, Call-ID and CSeq are copied, Timestamp into a 100,
    /// Record-Route into a response that can set up a dialog. The To tag is added by [`to_tag`](Self::to_tag), the
    /// source of the request by [`received`](Self::received).
    // spec: RFC3261-8.2.6.2 RFC3261-12.1.1
    pub fn response_to(request: &Message, code: u16, reason: &str) -> Self {
        let mut head = Self::response(code, reason);
        let dialog = matches!(
            request.method(),
            Some(Method::Invite | Method::Subscribe | Method::Refer | Method::Notify)
        ) && (101..=299).contains(&code);
        for (id, _, value) in request.all_headers() {
            let copied = match id {
                HeaderId::Via | HeaderId::From | HeaderId::To | HeaderId::CallId | HeaderId::CSeq => true,
                HeaderId::RecordRoute => dialog,
                HeaderId::Timestamp => code == 100,
                _ => false,
            };
            if copied {
                head.copy(id, value);
            }
        }
        head
    }

    /// Appends a value that was read from a message.
    pub(super) fn copy(&mut self, id: HeaderId, value: &str) {
        let value = self.store(value);
        self.fields.push(Field { id, name: 0..0, value });
    }

    /// Gives the To field this tag, unless it has one.
    ///
    /// # Errors
    /// [`HeadError::Value`] if the tag is no token.
    // spec: RFC3261-8.2.6.2
    pub fn to_tag(&mut self, tag: &str) -> Result<&mut Self, HeadError> {
        if !is_token(tag) {
            return Err(HeadError::Value);
        }
        let Some(at) = self.position(HeaderId::To) else { return Ok(self) };
        let to = self.fields.get(at).map(|field| self.get(&field.value)).unwrap_or("");
        if NameAddr::parse(to).is_ok_and(|to| to.tag().is_some()) {
            return Ok(self);
        }
        let value = format!("{to};tag={tag}");
        let value = self.store(value);
        if let Some(field) = self.fields.get_mut(at) {
            field.value = value;
        }
        Ok(self)
    }

    /// Notes in the top Via where the request came from: `received` if it differs from sent-by or `rport` asks for
    /// it, and the port into `rport` (RFC 3261 §18.2.1, RFC 3581 §4). A Via that cannot be read stays as it is.
    // spec: RFC3261-18.2.1 RFC3581-4
    pub fn received(&mut self, from: SocketAddr) -> &mut Self {
        let Some(at) = self.position(HeaderId::Via) else { return self };
        let field = self.fields.get(at).map(|field| self.get(&field.value)).unwrap_or("");
        let Some(value) = Via::with_source(field, from) else { return self };
        let value = self.store(value);
        if let Some(field) = self.fields.get_mut(at) {
            field.value = value;
        }
        self
    }

    fn position(&self, id: HeaderId) -> Option<usize> {
        self.fields.iter().position(|field| field.id == id)
    }

    /// Checks and stores a field; on error the text is as before.
    fn field(&mut self, id: HeaderId, name: &str, value: impl Display) -> Result<Field, HeadError> {
        if id == HeaderId::ContentLength {
            return Err(HeadError::ContentLength);
        }
        let before = self.text.len();
        let name = if id == HeaderId::Other { self.store(name) } else { 0..0 };
        let value = self.store(value);
        let fault = if !is_clean(self.get(&value)) {
            HeadError::Value
        } else if self.text.len() > usize::from(u16::MAX) {
            HeadError::TooLarge
        } else {
            return Ok(Field { id, name, value });
        };
        self.text.truncate(before);
        Err(fault)
    }

    fn check_once(&self, id: HeaderId) -> Result<(), HeadError> {
        if id.stands_once() && self.position(id).is_some() { Err(HeadError::Duplicate(id)) } else { Ok(()) }
    }

    /// Appends a field.
    ///
    /// # Errors
    /// [`HeadError`]; the head is unchanged then.
    pub fn push(&mut self, id: HeaderId, value: impl Display) -> Result<&mut Self, HeadError> {
        if id == HeaderId::Other {
            return Err(HeadError::Name);
        }
        self.check_once(id)?;
        let field = self.field(id, "", value)?;
        self.fields.push(field);
        Ok(self)
    }

    /// Appends a field by name; the name of a known field in any form counts as that field.
    ///
    /// # Errors
    /// [`HeadError`]; the head is unchanged then.
    pub fn push_named(&mut self, name: &str, value: impl Display) -> Result<&mut Self, HeadError> {
        let id = HeaderId::of(name);
        if !is_token(name) || name.len() > 255 {
            return Err(HeadError::Name);
        }
        self.check_once(id)?;
        let field = self.field(id, name, value)?;
        self.fields.push(field);
        Ok(self)
    }

    /// Puts a field before the first of its kind, or before all others: the place of a new top Via or Record-Route.
    ///
    /// # Errors
    /// [`HeadError`]; the head is unchanged then.
    pub fn push_front(&mut self, id: HeaderId, value: impl Display) -> Result<&mut Self, HeadError> {
        if id == HeaderId::Other {
            return Err(HeadError::Name);
        }
        self.check_once(id)?;
        let at = self.position(id).unwrap_or(0);
        let field = self.field(id, "", value)?;
        self.fields.insert(at, field);
        Ok(self)
    }

    /// Puts a field in the place of the first of its kind and removes the others; appends it if there is none.
    ///
    /// # Errors
    /// [`HeadError`]; the head is unchanged then.
    pub fn set(&mut self, id: HeaderId, value: impl Display) -> Result<&mut Self, HeadError> {
        if id == HeaderId::Other {
            return Err(HeadError::Name);
        }
        let at = self.position(id).unwrap_or(self.fields.len());
        let field = self.field(id, "", value)?;
        self.remove(id);
        self.fields.insert(at, field);
        Ok(self)
    }

    /// Removes every field of this kind.
    pub fn remove(&mut self, id: HeaderId) -> &mut Self {
        self.fields.retain(|field| field.id != id);
        self
    }

    /// Sets the body and leaves Content-Type as it is.
    pub fn bare_body(&mut self, body: impl Into<Bytes>) -> &mut Self {
        self.body = body.into();
        self
    }

    /// Sets the body and its Content-Type.
    ///
    /// # Errors
    /// [`HeadError`]; the head is unchanged then.
    pub fn body(
        &mut self,
        content_type: impl Display,
        body: impl Into<Bytes>,
    ) -> Result<&mut Self, HeadError> {
        self.set(HeaderId::ContentType, content_type)?;
        self.body = body.into();
        Ok(self)
    }

    /// The method of a request.
    pub fn method(&self) -> Option<Method<'_>> {
        match &self.start {
            Start::Request { method, .. } => Some(Method::of(self.get(method))),
            Start::Response { .. } => None,
        }
    }

    /// The Request-URI of a request.
    pub fn request_uri(&self) -> Option<&str> {
        match &self.start {
            Start::Request { uri, .. } => Some(self.get(uri)),
            Start::Response { .. } => None,
        }
    }

    /// The status code of a response.
    pub fn status(&self) -> Option<u16> {
        match &self.start {
            Start::Response { code, .. } => Some(*code),
            Start::Request { .. } => None,
        }
    }

    /// The value of the first field of this kind.
    pub fn header(&self, id: HeaderId) -> Option<&str> {
        self.headers(id).next()
    }

    /// The values of all fields of this kind.
    pub fn headers(&self, id: HeaderId) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |field| field.id == id).map(|field| self.get(&field.value))
    }

    /// The body.
    pub fn body_bytes(&self) -> &Bytes {
        &self.body
    }

    /// The message as it goes on the wire.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.size());
        self.write_to(&mut out);
        out.freeze()
    }

    /// Appends the message to a buffer.
    pub fn write_to(&self, out: &mut BytesMut) {
        match &self.start {
            Start::Request { method, uri } => {
                for part in [self.get(method), " ", self.get(uri), " SIP/2.0\r\n"] {
                    out.put_slice(part.as_bytes());
                }
            }
            Start::Response { code, reason } => {
                out.put_slice(b"SIP/2.0 ");
                super::put_number(out, usize::from(*code));
                for part in [" ", self.get(reason), "\r\n"] {
                    out.put_slice(part.as_bytes());
                }
            }
        }
        for field in &self.fields {
            let name = if field.id == HeaderId::Other { self.get(&field.name) } else { field.id.name() };
            for part in [name, ": ", self.get(&field.value), "\r\n"] {
                out.put_slice(part.as_bytes());
            }
        }
        out.put_slice(b"Content-Length: ");
        super::put_number(out, self.body.len());
        out.put_slice(b"\r\n\r\n");
        out.put_slice(&self.body);
    }

    /// The octets of the message: a buffer without spare room is frozen without another allocation, and what is
    /// kept of it for retransmission wastes nothing.
    fn size(&self) -> usize {
        let len = |range: &Range<u32>| self.get(range).len();
        let start = match &self.start {
            Start::Request { method, uri } => len(method).saturating_add(len(uri)).saturating_add(12),
            Start::Response { reason, .. } => len(reason).saturating_add(14),
        };
        let field = |field: &Field| {
            let name = if field.id == HeaderId::Other { len(&field.name) } else { field.id.name().len() };
            name.saturating_add(len(&field.value)).saturating_add(4)
        };
        let fields = self.fields.iter().map(field).fold(0_usize, usize::saturating_add);
        let digits = self.body.len().checked_ilog10().map_or(1, |zeros| zeros.saturating_add(1));
        let digits = usize::try_from(digits).unwrap_or(0);
        let length = "Content-Length: ".len().saturating_add(digits).saturating_add(4);
        [start, fields, length, self.body.len()].iter().copied().fold(0, usize::saturating_add)
    }
}
