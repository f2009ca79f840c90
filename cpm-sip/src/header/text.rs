//! Fields of tokens and texts: Call-ID, option tags, methods, codings, Privacy, Warning.

use crate::lex::{Cursor, Read, WORD, is};
use crate::uri::{Params, unquote};
use crate::{Fault, ParseError};
use core::fmt;
use std::borrow::Cow;

/// `callid = word [ "@" word ]`
pub(crate) struct CallId<'a>(pub(crate) &'a str);

impl<'a> Read<'a> for CallId<'a> {
    // spec: RFC3261-20.8
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = cursor.at();
        for part in 0..2 {
            if cursor.run(WORD).is_empty() {
                return Err(cursor.fail(Fault::Empty));
            }
            if part == 1 || !cursor.eat(b'@') {
                break;
            }
        }
        Ok(Self(cursor.since(start)))
    }
}

/// One token of a list: an option tag, a method, a content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a>(pub &'a str);

impl<'a> Read<'a> for Token<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        cursor.token().map(Self)
    }
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

/// One value of Accept-Encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodingRange<'a> {
    /// `gzip`, `identity`, `*`...
    pub coding: &'a str,
    /// The preference in thousandths; 0 refuses.
    pub q: u16,
}

impl<'a> Read<'a> for CodingRange<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let coding = cursor.token()?;
        let params = Params::read(cursor, |_, _| Ok(()))?;
        let q = match params.value("q") {
            Some(text) => super::address::qvalue(text).ok_or_else(|| cursor.fail(Fault::Param))?,
            None => 1000,
        };
        Ok(Self { coding, q })
    }
}

/// `priv-value *(";" priv-value)` (RFC 3323 §4.2); a comma is taken for a semicolon, as RFC 3325 has it in one place.
pub(crate) struct PrivacyValue<'a>(pub(crate) &'a str);

impl<'a> PrivacyValue<'a> {
    pub(crate) fn tokens(text: &'a str) -> impl Iterator<Item = &'a str> {
        text.split([';', ',']).map(str::trim).filter(|token| !token.is_empty())
    }
}

impl<'a> Read<'a> for PrivacyValue<'a> {
    // spec: RFC3323-4.2
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = cursor.at();
        loop {
            cursor.token()?;
            if !cursor.separator(b';') && !cursor.separator(b',') {
                return Ok(Self(cursor.since(start)));
            }
        }
    }
}

/// One Warning value (RFC 3261 §20.43).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning<'a> {
    /// Three digits.
    pub code: u16,
    /// Host with port, or a pseudonym.
    pub agent: &'a str,
    text: &'a str,
}

impl<'a> Warning<'a> {
    /// The text without quotes.
    pub fn text(&self) -> Cow<'a, str> {
        unquote(self.text)
    }
}

impl<'a> Read<'a> for Warning<'a> {
    // spec: RFC3261-20.43
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = *cursor;
        let code = u16::try_from(cursor.number(999)?).map_err(|_| start.fail(Fault::Range))?;
        if cursor.since(start.at()).len() != 3 {
            return Err(start.fail(Fault::Range));
        }
        cursor.blank(Fault::Token)?;
        let agent_at = cursor.at();
        let rest = cursor.rest();
        let agent = |octet: u8| is(octet, WORD) || octet == b'@';
        cursor.advance(rest.bytes().position(|octet| !agent(octet)).unwrap_or(rest.len()));
        let agent = cursor.since(agent_at);
        if agent.is_empty() {
            return Err(cursor.fail(Fault::Empty));
        }
        cursor.blank(Fault::QuotedString)?;
        let text = cursor.quoted()?;
        Ok(Self { code, agent, text })
    }
}

impl fmt::Display for Warning<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:03} {} {}", self.code, self.agent, self.text)
    }
}
