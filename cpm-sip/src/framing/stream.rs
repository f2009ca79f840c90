//! Cutting a stream into messages. Every octet is searched once, wherever the reads were cut; a message that lies
//! in one read is not copied. Nothing above the limits is ever gathered.

use crate::lex::{content_length, looked_at};
use crate::{HeaderId, Limits, ParseError, ParseKind};
use bytes::{Buf, Bytes, BytesMut};

/// One piece of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// A message, from its start line to the end of its body.
    Message(Bytes),
    /// The second of two line ends between messages: the peer asks for a [`Pong`](Self::Pong) (RFC 5626 §3.5.1). The
    /// first one was given out as a `Pong`, because nobody can know that a second follows.
    KeepAlive,
    /// A line end between messages: the answer to our keep-alive, or the first half of the peer's.
    Pong,
}

/// Why a stream cannot be read any further. It must be closed; a request may be answered first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct FrameError {
    /// What is wrong. The offset counts from the start of the message.
    pub error: ParseError,
    /// The octets of the message as far as they are there, for [`reject`](crate::reject).
    pub head: Bytes,
}

/// Cuts one stream. Give it what was read with [`push`](Self::push), then take frames until there is none. What it
/// holds is bounded by the limits and by one read.
#[derive(Debug, Default)]
pub struct StreamFramer {
    /// A read that no earlier octets wait before.
    chunk: Bytes,
    /// Octets of an incomplete message, gathered from several reads.
    gathered: BytesMut,
    /// Octets at the front that were searched for the end of the head.
    searched: usize,
    /// The head is complete; octets of the whole message.
    known: Option<usize>,
    /// The last octets given out were a line end between messages.
    after_line_end: bool,
    failed: bool,
}

impl StreamFramer {
    /// A framer at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what was read from the stream.
    pub fn push(&mut self, data: Bytes) {
        if self.failed || data.is_empty() {
            return;
        }
        if self.chunk.is_empty() && self.gathered.is_empty() {
            self.chunk = data;
            return;
        }
        self.gather();
        self.gathered.extend_from_slice(&data);
    }

    /// Octets that are waiting.
    pub fn buffered(&self) -> usize {
        self.octets().len()
    }

    /// Whether a message has begun and is not complete.
    pub fn is_inside(&self) -> bool {
        !self.octets().is_empty()
    }

    /// The next line end is no second half of a keep-alive: our own ping went out since the last one, so it is the
    /// answer to that.
    pub fn expect_pong(&mut self) {
        self.after_line_end = false;
    }

    /// The next frame; `None` until more is read.
    ///
    /// # Errors
    /// The stream cannot be cut any further: a limit is exceeded, a message has no usable Content-Length (it must
    /// have one on a stream, RFC 3261 §20.14), or a line end is broken. After that the framer takes and gives
    /// nothing.
    // spec: RFC3261-18.3 RFC3261-20.14 RFC3261-7.5
    pub fn next(&mut self, limits: &Limits) -> Result<Option<Frame>, FrameError> {
        match self.step(limits) {
            Ok(Some(frame)) => Ok(Some(frame)),
            Ok(None) => {
                self.gather();
                Ok(None)
            }
            Err(error) => {
                let head = self.take(self.octets().len().min(limits.head));
                *self = Self { failed: true, ..Self::default() };
                Err(FrameError { error, head })
            }
        }
    }

    fn step(&mut self, limits: &Limits) -> Result<Option<Frame>, ParseError> {
        let known = match self.known {
            Some(known) => known,
            None => match self.octets() {
                [] | [b'\r'] => return Ok(None),
                [b'\r', b'\n', ..] => return Ok(Some(self.line_end())),
                [b'\r' | b'\n', ..] => return Err(ParseError::new(ParseKind::LineEnd, 0)),
                _ => match self.search(limits)? {
                    Some(known) => known,
                    None => return Ok(None),
                },
            },
        };
        self.known = Some(known);
        if self.octets().len() < known {
            return Ok(None);
        }
        self.known = None;
        self.searched = 0;
        self.after_line_end = false;
        Ok(Some(Frame::Message(self.take(known))))
    }

    fn line_end(&mut self) -> Frame {
        self.chunk.advance(2.min(self.chunk.len()));
        self.gathered.advance(2.min(self.gathered.len()));
        self.after_line_end = !self.after_line_end;
        if self.after_line_end { Frame::Pong } else { Frame::KeepAlive }
    }

    /// Looks for the end of the head in what was not searched before.
    fn search(&mut self, limits: &Limits) -> Result<Option<usize>, ParseError> {
        let octets = self.octets();
        let limit = limits.head.min(usize::from(u16::MAX));
        // The empty line may straddle the place where the last search stopped.
        let from = self.searched.saturating_sub(3);
        let window = octets.get(from..octets.len().min(limit)).unwrap_or(&[]);
        looked_at(window.len());
        let Some(found) = memchr::memmem::find(window, b"\r\n\r\n") else {
            if octets.len() >= limit {
                return Err(ParseError::new(ParseKind::HeadTooLarge, limit));
            }
            self.searched = octets.len();
            return Ok(None);
        };
        let head = from.saturating_add(found).saturating_add(4);
        let body = body_length(octets.get(..head).unwrap_or(&[]))?;
        let body = usize::try_from(body).ok().filter(|body| *body <= limits.body);
        let body = body.ok_or_else(|| ParseError::new(ParseKind::BodyTooLarge, head))?;
        Ok(Some(head.saturating_add(body)))
    }

    fn octets(&self) -> &[u8] {
        if self.gathered.is_empty() { &self.chunk } else { &self.gathered }
    }

    /// Makes room for more octets after those of the chunk.
    fn gather(&mut self) {
        if self.chunk.is_empty() {
            return;
        }
        let expected = self.known.unwrap_or(0);
        self.gathered.reserve(expected.max(self.chunk.len()));
        self.gathered.extend_from_slice(&self.chunk);
        self.chunk = Bytes::new();
    }

    fn take(&mut self, octets: usize) -> Bytes {
        if self.gathered.is_empty() {
            return self.chunk.split_to(octets.min(self.chunk.len()));
        }
        let octets = octets.min(self.gathered.len());
        self.gathered.split_to(octets).freeze()
    }
}

/// The Content-Length of a complete head. Only this field is looked at, so that a message with another fault can
/// be answered and the next one found; the rules are those of the full scan. A bare LF is refused here already: who
/// takes it for a line end would see other fields than we do.
fn body_length(head: &[u8]) -> Result<u64, ParseError> {
    let mut length: Option<(u64, &[u8])> = None;
    let mut at = 0_usize;
    while let Some(line_len) = head.get(at..).and_then(|rest| memchr::memchr(b'\n', rest)) {
        let next = at.saturating_add(line_len).saturating_add(1);
        let line = head.get(at..next).unwrap_or(&[]);
        looked_at(line.len());
        if !line.ends_with(b"\r\n") {
            return Err(ParseError::new(ParseKind::LineEnd, next.saturating_sub(1)));
        }
        if let Some(value_at) = value_of_content_length(line) {
            let from = at.saturating_add(value_at);
            let text = value(head, from, next);
            let invalid = |fault| ParseError::new(ParseKind::Invalid(HeaderId::ContentLength, fault), from);
            let number = content_length(text).map_err(invalid)?;
            match length {
                Some((_, first)) if first != text => {
                    return Err(ParseError::new(ParseKind::Duplicate(HeaderId::ContentLength), at));
                }
                _ => length = Some((number, text)),
            }
        }
        at = next;
    }
    let missing = ParseError::new(ParseKind::Missing(HeaderId::ContentLength), head.len());
    length.map(|(number, _)| number).ok_or(missing)
}

/// Where the value begins, if the line is a Content-Length field.
fn value_of_content_length(line: &[u8]) -> Option<usize> {
    let name_len = match line.first()? {
        b'c' | b'C' => 14,
        b'l' | b'L' => 1,
        _ => return None,
    };
    let (name, rest) = line.split_at_checked(name_len)?;
    if HeaderId::of_octets(name) != HeaderId::ContentLength {
        return None;
    }
    let blanks = rest.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    (rest.get(blanks) == Some(&b':')).then(|| name_len.saturating_add(blanks).saturating_add(1))
}

/// The value that begins at `from` and whose line ends at `next`, with the lines that continue it.
fn value(head: &[u8], from: usize, next: usize) -> &[u8] {
    let mut end = next;
    while let Some(b' ' | b'\t') = head.get(end) {
        let rest = head.get(end..).unwrap_or(&[]);
        end = end.saturating_add(memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1)));
    }
    head.get(from..end).unwrap_or(&[]).trim_ascii()
}
