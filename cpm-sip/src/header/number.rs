//! Fields whose value is a number: CSeq, Max-Forwards, the delta-seconds family, Retry-After.

use crate::lex::{Cursor, Read};
use crate::{Fault, Method, ParseError};
use core::fmt;

/// CSeq (RFC 3261 §20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Below 2^31.
    pub number: u32,
    /// The method.
    pub method: Method<'a>,
}

impl<'a> Read<'a> for CSeq<'a> {
    // spec: RFC3261-8.1.1.5
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = *cursor;
        let number = cursor.number(0x7FFF_FFFF)?;
        let number = u32::try_from(number).map_err(|_| start.fail(Fault::Range))?;
        cursor.blank(Fault::Number)?;
        Ok(Self { number, method: Method::of(cursor.token()?) })
    }
}

impl fmt::Display for CSeq<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.number, self.method)
    }
}

/// Max-Forwards, 0 to 255 (RFC 3261 §20.22).
pub(crate) struct MaxForwards(pub(crate) u8);

impl<'a> Read<'a> for MaxForwards {
    // spec: RFC3261-20.22
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = *cursor;
        let hops = cursor.number(255)?;
        u8::try_from(hops).map(Self).map_err(|_| start.fail(Fault::Range))
    }
}

/// `delta-seconds`; more than 2^32 - 1 counts as that (RFC 3261 §20.19).
pub(crate) struct DeltaSeconds(pub(crate) u32);

impl<'a> Read<'a> for DeltaSeconds {
    // spec: RFC3261-20.19
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let seconds = cursor.number_or_above()?;
        Ok(Self(seconds.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(u32::MAX)))
    }
}

/// `expires` of a Contact: malformed counts as 3600 (RFC 3261 §20.10).
pub(super) fn lenient_delta(text: &str) -> u32 {
    DeltaSeconds::read_all(text).map_or(3600, |seconds| seconds.0)
}

/// Retry-After (RFC 3261 §20.33).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter<'a> {
    /// Seconds to wait.
    pub seconds: u32,
    /// The comment with its parentheses.
    pub comment: Option<&'a str>,
    /// `duration` and others.
    pub params: crate::uri::Params<'a>,
}

impl<'a> Read<'a> for RetryAfter<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let seconds = DeltaSeconds::read(cursor)?.0;
        let mut ahead = *cursor;
        ahead.white();
        let comment = if ahead.peek() == Some(b'(') {
            let start = ahead.at();
            skip_comment(&mut ahead)?;
            *cursor = ahead;
            Some(cursor.since(start))
        } else {
            None
        };
        let params = crate::uri::Params::read(cursor, |_, _| Ok(()))?;
        Ok(Self { seconds, comment, params })
    }
}

/// `comment`: parentheses may nest; a counter stands for recursion.
fn skip_comment(cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
    let mut depth = 0_usize;
    loop {
        match cursor.peek() {
            None => return Err(cursor.fail(Fault::Character)),
            Some(b'\\') => cursor.advance(1),
            Some(b'(') => depth = depth.saturating_add(1),
            Some(b')') => depth = depth.saturating_sub(1),
            Some(_) => {}
        }
        cursor.advance(1);
        if depth == 0 {
            return Ok(());
        }
    }
}
