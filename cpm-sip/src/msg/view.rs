//! The borrowed message: the same table on the stack.

use super::access::{accessors, body_end, head_text, unfold};
use crate::header::{
    AcceptContact, Asserted, CSeq, CallId, Challenge, CodingRange, Contact, CpmId, Credentials, Date,
    DeltaSeconds, Disposition, MaxForwards, MediaRange, MediaType, MessageExpires, PrivacyValue, RetryAfter,
    Route, ServiceId, Token, Via, Warning,
};
use crate::lex::{Scan, Span, StartLine, scan};
use crate::uri::NameAddr;
use crate::{HeaderId, Limits, ParseError, ParseKind};
use smallvec::SmallVec;
use std::borrow::Cow;

/// A message read in place. Up to 64 fields and without folding it needs no heap.
#[derive(Clone, Debug)]
pub struct MessageView<'a> {
    raw: &'a [u8],
    head_text: Cow<'a, str>,
    spans: SmallVec<[Span; 64]>,
    start: StartLine,
}

impl<'a> MessageView<'a> {
    /// Reads a whole message, by the rules of [`Message::parse`](crate::Message::parse).
    ///
    /// # Errors
    /// What is wrong with the structure, or a limit that is exceeded.
    pub fn parse(raw: &'a [u8], limits: &Limits) -> Result<Self, ParseError> {
        let mut spans: SmallVec<[Span; 64]> = SmallVec::new();
        let Scan { start, head, folded, content_length } = scan(raw, limits, |span| spans.push(span))?;
        let text = head_text(raw, head)?;
        let end = body_end(raw.len(), head, content_length, limits)?;
        let head_text = if folded { Cow::Owned(unfold(text).into_string()) } else { Cow::Borrowed(text) };
        Ok(Self { raw: raw.get(..end).unwrap_or(raw), head_text, spans, start })
    }

    /// The whole message as it was received, without what followed it.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The body.
    pub fn body(&self) -> &'a [u8] {
        self.raw.get(self.head_text.len()..).unwrap_or(&[])
    }

    fn text(&self, at: usize, len: usize) -> &str {
        self.head_text.get(at..at.saturating_add(len)).unwrap_or("")
    }

    fn spans(&self) -> &[Span] {
        &self.spans
    }
}

accessors! { MessageView, ['_] }
