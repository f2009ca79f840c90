//! Fields of CPM (OMA CPM Conversation Functions) and the service identifiers of RFC 6050.

use super::{Date, DeltaSeconds};
use crate::lex::{Cursor, Read, URI_CHAR, WORD};
use crate::{Fault, ParseError};
use core::fmt;

/// Conversation-ID, Contribution-ID and their like: `word [ "@" word ]`. What follows a semicolon or white space is
/// left out, because senders have put parameters there.
pub(crate) struct CpmId<'a>(pub(crate) &'a str);

impl<'a> Read<'a> for CpmId<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = cursor.at();
        if cursor.run(WORD).is_empty() {
            return Err(cursor.fail(Fault::Empty));
        }
        if cursor.eat(b'@') && cursor.run(WORD).is_empty() {
            return Err(cursor.fail(Fault::Empty));
        }
        let id = cursor.since(start);
        match cursor.peek() {
            Some(b';' | b' ' | b'\t') | None => cursor.advance(cursor.rest().len()),
            Some(_) => return Err(cursor.fail(Fault::Character)),
        }
        Ok(Self(id))
    }
}

/// Message-Expires: how long a message may be held.
// spec: CONV-HDR-008
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageExpires {
    /// So many seconds.
    After(u32),
    /// Until then.
    At(Date),
}

impl MessageExpires {
    /// Reads a text that is one value.
    ///
    /// # Errors
    /// The fault and where it is.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::read_all(text)
    }
}

impl<'a> Read<'a> for MessageExpires {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        if cursor.peek().is_some_and(|first| first.is_ascii_digit()) {
            DeltaSeconds::read(cursor).map(|seconds| Self::After(seconds.0))
        } else {
            Date::read(cursor).map(Self::At)
        }
    }
}

impl fmt::Display for MessageExpires {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(seconds) => write!(out, "{seconds}"),
            Self::At(date) => date.fmt(out),
        }
    }
}

/// One value of P-Asserted-Service or P-Preferred-Service (RFC 6050 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceId<'a>(&'a str);

impl<'a> ServiceId<'a> {
    /// The URN as in the message.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// Whether this is the service `urn`, without case (CONV-TAG-003).
    pub fn is(&self, urn: &str) -> bool {
        self.0.eq_ignore_ascii_case(urn)
    }
}

impl<'a> Read<'a> for ServiceId<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = *cursor;
        // A comma may stand in a URI but separates values here, so it ends the URN.
        let rest = cursor.rest();
        let ends = |octet: u8| octet == b',' || octet == b';' || !crate::lex::is(octet, URI_CHAR);
        cursor.advance(rest.bytes().position(ends).unwrap_or(rest.len()));
        let urn = cursor.since(start.at());
        let is_urn = urn.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:")) && urn.len() > 4;
        if is_urn { Ok(Self(urn)) } else { Err(start.fail(Fault::Uri)) }
    }
}

impl fmt::Display for ServiceId<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}
