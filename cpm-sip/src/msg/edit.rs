//! Forwarding: the message goes out as it came in, octet for octet, except for what is changed.

use super::head_writer::{is_clean, is_request_uri};
use super::{HeadError, HeaderId, Message, put_number};
use crate::ParseError;
use crate::header::{Route, Via};
use crate::lex::{Cursor, Read, Span, is_token};
use bytes::{BufMut, Bytes, BytesMut};
use core::fmt::Display;
use smallvec::SmallVec;
use std::borrow::Cow;

/// What becomes of one field of the original.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate<'m> {
    /// Written as it came.
    Keep,
    /// Left out.
    Drop,
    /// Written with this value.
    Value(Cow<'m, str>),
}

#[derive(Clone, Debug)]
struct New {
    id: HeaderId,
    name: Cow<'static, str>,
    value: String,
}

impl New {
    fn size(&self) -> usize {
        self.name.len().saturating_add(self.value.len()).saturating_add(4)
    }
}

/// A list of changes to a received message, and the message with them. Fields that are not named stay as they
/// are, folding, letters and white space included.
///
/// ```
/// # use cpm_sip::{Edit, HeaderId, Limits, Message};
/// # let raw = "MESSAGE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
/// #   Max-Forwards: 70\r\nX-odd :  1\r\nContent-Length: 0\r\n\r\n";
/// let message = Message::parse(raw.into(), &Limits::default())?;
/// let mut edit = Edit::new(&message);
/// edit.prepend(HeaderId::Via, "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2")?;
/// edit.replace(HeaderId::MaxForwards, 69)?;
/// assert_eq!(edit.write(), "MESSAGE sip:bob@example.org SIP/2.0\r\n\
///   Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
///   Max-Forwards: 69\r\nX-odd :  1\r\nContent-Length: 0\r\n\r\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Edit<'m> {
    message: &'m Message,
    request_uri: Option<String>,
    fates: SmallVec<[(usize, Fate<'m>); 8]>,
    front: SmallVec<[New; 4]>,
    back: SmallVec<[New; 4]>,
    body: Option<Bytes>,
}

impl<'m> Edit<'m> {
    /// No change yet.
    pub fn new(message: &'m Message) -> Self {
        Self {
            message,
            request_uri: None,
            fates: SmallVec::new(),
            front: SmallVec::new(),
            back: SmallVec::new(),
            body: None,
        }
    }

    /// Replaces the Request-URI; a response has none and stays as it is.
    ///
    /// # Errors
    /// [`HeadError::RequestUri`].
    pub fn request_uri(&mut self, uri: impl Display) -> Result<&mut Self, HeadError> {
        let uri = uri.to_string();
        if !is_request_uri(&uri) {
            return Err(HeadError::RequestUri);
        }
        self.request_uri = Some(uri);
        Ok(self)
    }

    /// Puts a field above all others: a Via of our own, a Record-Route. The last one put there is the top one.
    ///
    /// # Errors
    /// [`HeadError`]; nothing changed then.
    pub fn prepend(&mut self, id: HeaderId, value: impl Display) -> Result<&mut Self, HeadError> {
        let new = self.added(id, id.name(), value)?;
        self.front.insert(0, new);
        Ok(self)
    }

    /// Puts a field below all others.
    ///
    /// # Errors
    /// [`HeadError`]; nothing changed then.
    pub fn append(&mut self, id: HeaderId, value: impl Display) -> Result<&mut Self, HeadError> {
        let new = self.added(id, id.name(), value)?;
        self.back.push(new);
        Ok(self)
    }

    /// Puts a field below all others, by name; the name of a known field in any form counts as that field.
    ///
    /// # Errors
    /// [`HeadError`]; nothing changed then.
    pub fn append_named(&mut self, name: &str, value: impl Display) -> Result<&mut Self, HeadError> {
        let new = self.added(HeaderId::of(name), name, value)?;
        self.back.push(new);
        Ok(self)
    }

    /// Gives the first field of this kind another value and leaves out the others; appends it if there is none.
    ///
    /// # Errors
    /// [`HeadError`]; nothing changed then.
    pub fn replace(&mut self, id: HeaderId, value: impl Display) -> Result<&mut Self, HeadError> {
        let new = new(id, id.name(), value)?;
        let first = self.positions(id).first().copied();
        self.remove(id);
        match first {
            Some(at) => self.decide(at, Fate::Value(Cow::Owned(new.value))),
            None => self.back.push(new),
        }
        Ok(self)
    }

    /// Counts one hop: Max-Forwards is one less, or 70 if it is missing (RFC 3261 §16.6 step 3). False, and no change,
    /// if it is 0: the request may not be forwarded.
    ///
    /// # Errors
    /// The Max-Forwards of the message is malformed.
    // spec: RFC3261-16.6
    pub fn decrement_max_forwards(&mut self) -> Result<bool, ParseError> {
        let hops = match self.message.max_forwards()? {
            Some(hops) => hops.checked_sub(1),
            None => Some(70),
        };
        Ok(hops.is_some_and(|hops| self.replace(HeaderId::MaxForwards, hops).is_ok()))
    }

    /// Leaves out every field of this kind, added ones too.
    pub fn remove(&mut self, id: HeaderId) -> &mut Self {
        for at in self.positions(id) {
            self.decide(at, Fate::Drop);
        }
        self.front.retain(|new| new.id != id);
        self.back.retain(|new| new.id != id);
        self
    }

    /// Leaves out every field of this name, known or not.
    pub fn remove_named(&mut self, name: &str) -> &mut Self {
        let id = HeaderId::of(name);
        if id != HeaderId::Other {
            return self.remove(id);
        }
        let named = |of: &str| of.eq_ignore_ascii_case(name);
        let fields = self.message.all_headers().enumerate();
        let found: SmallVec<[usize; 8]> =
            fields.filter(|(_, (_, of, _))| named(of)).map(|(at, _)| at).collect();
        for at in found {
            self.decide(at, Fate::Drop);
        }
        self.back.retain(|new| !named(&new.name));
        self
    }

    /// Takes away the first Route value (RFC 3261 §16.4); the rest of its field stays.
    // spec: RFC3261-16.4
    pub fn pop_route(&mut self) -> &mut Self {
        self.pop(HeaderId::Route)
    }

    /// Takes away the first Via value, as from a response that is passed back (RFC 3261 §16.7 step 3).
    // spec: RFC3261-16.7
    pub fn pop_via(&mut self) -> &mut Self {
        self.pop(HeaderId::Via)
    }

    fn pop(&mut self, id: HeaderId) -> &mut Self {
        let left = |at: &usize| self.fate(*at) != &Fate::Drop;
        let Some(at) = self.positions(id).into_iter().find(left) else { return self };
        let rest = match self.fate(at) {
            Fate::Value(Cow::Owned(value)) => after_first(id, value).map(|rest| Cow::Owned(rest.to_owned())),
            Fate::Value(Cow::Borrowed(value)) => after_first(id, value).map(Cow::Borrowed),
            Fate::Keep | Fate::Drop => after_first(id, self.message.value_at(at)).map(Cow::Borrowed),
        };
        self.decide(at, rest.map_or(Fate::Drop, Fate::Value));
        self
    }

    /// Replaces the body. Content-Type is a field like any other; Content-Length follows.
    pub fn body(&mut self, body: impl Into<Bytes>) -> &mut Self {
        self.body = Some(body.into());
        self
    }

    /// A field beside those that are there.
    fn added(&self, id: HeaderId, name: &str, value: impl Display) -> Result<New, HeadError> {
        let is_there = self.positions(id).iter().any(|at| self.fate(*at) != &Fate::Drop)
            || self.front.iter().chain(&self.back).any(|new| new.id == id);
        if id.stands_once() && id != HeaderId::ContentLength && is_there {
            return Err(HeadError::Duplicate(id));
        }
        new(id, name, value)
    }

    fn positions(&self, id: HeaderId) -> SmallVec<[usize; 8]> {
        self.message.spans().iter().enumerate().filter(|(_, span)| span.id == id).map(|(at, _)| at).collect()
    }

    fn decide(&mut self, at: usize, fate: Fate<'m>) {
        match self.fates.iter_mut().find(|(of, _)| *of == at) {
            Some((_, present)) => *present = fate,
            None => self.fates.push((at, fate)),
        }
    }

    fn fate(&self, at: usize) -> &Fate<'m> {
        self.fates.iter().find(|(of, _)| *of == at).map_or(&Fate::Keep, |(_, fate)| fate)
    }
}

/// What follows the first value of a field; `None` if nothing does, or if it cannot be read.
fn after_first(id: HeaderId, value: &str) -> Option<&str> {
    let mut cursor = Cursor::new(value);
    cursor.white();
    if id == HeaderId::Via {
        Via::read(&mut cursor).ok()?;
    } else {
        Route::read(&mut cursor).ok()?;
    }
    cursor.separator(b',').then(|| cursor.rest())
}

/// Checks a new field.
fn new(id: HeaderId, name: &str, value: impl Display) -> Result<New, HeadError> {
    if id == HeaderId::ContentLength {
        return Err(HeadError::ContentLength);
    }
    let name = match id {
        HeaderId::Other if is_token(name) => Cow::Owned(name.to_owned()),
        HeaderId::Other => return Err(HeadError::Name),
        known => Cow::Borrowed(known.name()),
    };
    let value = value.to_string();
    if is_clean(&value) { Ok(New { id, name, value }) } else { Err(HeadError::Value) }
}

impl Edit<'_> {
    /// The message with the changes.
    pub fn write(&self) -> Bytes {
        let added: usize = self.front.iter().chain(&self.back).map(New::size).sum();
        let size = self.message.raw().len().saturating_add(added).saturating_add(64);
        let mut out = BytesMut::with_capacity(size);
        self.write_to(&mut out);
        out.freeze()
    }

    /// Appends the message with the changes to a buffer.
    pub fn write_to(&self, out: &mut BytesMut) {
        let raw: &[u8] = self.message.raw();
        let spans = self.message.spans();
        let head_end = self.message.head_len().saturating_sub(2);
        let starts = |at: usize| spans.get(at).map_or(head_end, |span| usize::from(span.name_at));
        self.start_line(out, raw.get(..starts(0)).unwrap_or(&[]));
        for new in &self.front {
            line(out, &new.name, &new.value);
        }
        // Fields that stay are copied in one piece as far as they follow each other.
        let mut kept = starts(0);
        for (at, span) in spans.iter().enumerate() {
            let fate = self.fate_of(at, span);
            if fate == &Fate::Keep {
                continue;
            }
            out.put_slice(raw.get(kept..starts(at)).unwrap_or(&[]));
            kept = starts(at.saturating_add(1));
            if let Fate::Value(value) = fate {
                let name_at = usize::from(span.name_at);
                let name =
                    raw.get(name_at..name_at.saturating_add(usize::from(span.name_len))).unwrap_or(&[]);
                out.put_slice(name);
                out.put_slice(b": ");
                out.put_slice(value.as_bytes());
                out.put_slice(b"\r\n");
            }
        }
        out.put_slice(raw.get(kept..head_end).unwrap_or(&[]));
        for new in &self.back {
            line(out, &new.name, &new.value);
        }
        self.end(out, raw);
    }

    fn start_line(&self, out: &mut BytesMut, original: &[u8]) {
        match (&self.request_uri, self.message.method()) {
            (Some(uri), Some(method)) => {
                for part in [method.as_str(), " ", uri, " SIP/2.0\r\n"] {
                    out.put_slice(part.as_bytes());
                }
            }
            _ => out.put_slice(original),
        }
    }

    /// Content-Length and body. An unchanged body keeps its Content-Length field.
    fn end(&self, out: &mut BytesMut, raw: &[u8]) {
        let body = self.body.as_deref().unwrap_or_else(|| raw.get(self.message.head_len()..).unwrap_or(&[]));
        if self.body.is_some() || self.positions(HeaderId::ContentLength).is_empty() {
            out.put_slice(b"Content-Length: ");
            put_number(out, body.len());
            out.put_slice(b"\r\n");
        }
        out.put_slice(b"\r\n");
        out.put_slice(body);
    }

    fn fate_of(&self, at: usize, span: &Span) -> &Fate<'_> {
        if span.id == HeaderId::ContentLength && self.body.is_some() { &Fate::Drop } else { self.fate(at) }
    }
}

fn line(out: &mut BytesMut, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.put_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::Edit;
    use crate::{Limits, Message};

    // test: RFC3261-16.7
    #[test]
    fn a_response_goes_on_without_its_topmost_via() {
        let rest = "SIP/2.0/TCP a.org\r\nv: x\r\nl: 0\r\n\r\n";
        for top in ["a.org, ", "a.org\r\nVia: "] {
            let raw = format!("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {top}{rest}");
            assert_eq!(
                Edit::new(&Message::parse(raw.into(), &Limits::default()).unwrap()).pop_via().write(),
                format!("SIP/2.0 200 OK\r\nVia: {rest}")
            );
        }
    }
}
