//! A position in one header field value or URI, and the rules of RFC 3261 §25.1 that all of them share.

use super::looked_at;
use super::tables::{QUOTED_TEXT, TOKEN, is};
use crate::{Fault, ParseError, ParseKind};

/// A value that can be read at a cursor.
pub(crate) trait Read<'a>: Sized {
    /// Reads one value and leaves the cursor behind it.
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError>;

    /// Reads a text that is one value, with white space around it.
    #[inline]
    fn read_all(text: &'a str) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text);
        cursor.white();
        let value = Self::read(&mut cursor)?;
        cursor.finish()?;
        Ok(value)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(crate) fn is_end(&self) -> bool {
        self.at >= self.text.len()
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The octet after the next.
    #[inline]
    pub(crate) fn peek_second(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at.saturating_add(1)).copied()
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// The text from `start` to here.
    #[inline]
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or("")
    }

    /// Moves forward, at most to the end.
    #[inline]
    pub(crate) fn advance(&mut self, octets: usize) {
        looked_at(octets);
        self.at = self.at.saturating_add(octets).min(self.text.len());
    }

    #[inline]
    pub(crate) fn eat(&mut self, octet: u8) -> bool {
        let found = self.peek() == Some(octet);
        looked_at(1);
        if found {
            self.at = self.at.saturating_add(1);
        }
        found
    }

    #[cold]
    pub(crate) fn fail(&self, fault: Fault) -> ParseError {
        ParseError::new(ParseKind::Syntax(fault), self.at)
    }

    #[inline]
    pub(crate) fn expect(&mut self, octet: u8, fault: Fault) -> Result<(), ParseError> {
        if self.eat(octet) { Ok(()) } else { Err(self.fail(fault)) }
    }

    /// Skips SP and HTAB; a folded line was turned into spaces before.
    #[inline]
    pub(crate) fn white(&mut self) {
        while let Some(b' ' | b'\t') = self.peek() {
            looked_at(1);
            self.at = self.at.saturating_add(1);
        }
    }

    /// At least one SP or HTAB.
    pub(crate) fn blank(&mut self, fault: Fault) -> Result<(), ParseError> {
        let start = self.at;
        self.white();
        if self.at == start { Err(self.fail(fault)) } else { Ok(()) }
    }

    /// A separator with white space on both sides, as `COMMA`, `SEMI`, `EQUAL` and `SLASH` of RFC 3261 §25.1.
    #[inline]
    pub(crate) fn separator(&mut self, octet: u8) -> bool {
        let before = self.at;
        if self.peek() != Some(octet) {
            self.white();
            if self.peek() != Some(octet) {
                self.at = before;
                return false;
            }
        }
        looked_at(1);
        self.at = self.at.saturating_add(1);
        self.white();
        true
    }

    /// Only white space is left.
    #[inline]
    pub(crate) fn finish(&mut self) -> Result<(), ParseError> {
        self.white();
        if self.is_end() { Ok(()) } else { Err(self.fail(Fault::Trailing)) }
    }

    /// The longest run of octets of the classes, perhaps empty.
    #[inline]
    pub(crate) fn run(&mut self, classes: u16) -> &'a str {
        let start = self.at;
        self.skip(classes);
        self.since(start)
    }

    /// `token`.
    #[inline]
    pub(crate) fn token(&mut self) -> Result<&'a str, ParseError> {
        let token = self.run(TOKEN);
        if token.is_empty() { Err(self.fail(Fault::Token)) } else { Ok(token) }
    }

    /// `quoted-string`; the result has its quotes and escapes.
    pub(crate) fn quoted(&mut self) -> Result<&'a str, ParseError> {
        let start = self.at;
        self.expect(b'"', Fault::QuotedString)?;
        loop {
            self.skip(QUOTED_TEXT);
            match (self.peek(), self.peek_second()) {
                (Some(b'"'), _) => {
                    self.advance(1);
                    return Ok(self.since(start));
                }
                // A quoted pair is a backslash and any ASCII octet but CR and LF, NUL included.
                (Some(b'\\'), Some(second)) if second.is_ascii() && !matches!(second, b'\r' | b'\n') => {
                    self.advance(2)
                }
                _ => return Err(self.fail(Fault::QuotedString)),
            }
        }
    }

    /// Skips octets of the classes.
    #[inline]
    pub(crate) fn skip(&mut self, classes: u16) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or(&[]);
        let length = rest.iter().position(|octet| !is(*octet, classes)).unwrap_or(rest.len());
        looked_at(length);
        self.at = self.at.saturating_add(length);
    }

    /// Skips octets of a class and escapes of two hexadecimal digits.
    pub(crate) fn skip_escaped(&mut self, class: u16) -> Result<(), ParseError> {
        loop {
            self.skip(class);
            if self.peek() != Some(b'%') {
                return Ok(());
            }
            let digits = self.text.as_bytes().get(self.at..).and_then(|rest| rest.get(1..3));
            if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                return Err(self.fail(Fault::Escape));
            }
            self.advance(3);
        }
    }

    /// Digits of a number not above `max`, which is an error with [`Fault::Range`].
    pub(crate) fn number(&mut self, max: u64) -> Result<u64, ParseError> {
        let start = *self;
        match self.number_or_above()? {
            Some(value) if value <= max => Ok(value),
            _ => Err(start.fail(Fault::Range)),
        }
    }

    /// Digits of a number; `None` if it does not fit.
    pub(crate) fn number_or_above(&mut self) -> Result<Option<u64>, ParseError> {
        let start = self.at;
        let mut value = Some(0_u64);
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            looked_at(1);
            let digit = u64::from(digit.saturating_sub(b'0'));
            value = value.and_then(|value| value.checked_mul(10)).and_then(|value| value.checked_add(digit));
            self.at = self.at.saturating_add(1);
        }
        if self.at == start { Err(self.fail(Fault::Number)) } else { Ok(value) }
    }
}
