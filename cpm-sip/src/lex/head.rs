//! One pass over a message head: lines, names, value ranges, folding, and the checks that must hold before any
//! value is looked at. Nothing is copied; a value is a pair of 16-bit offsets.

use super::looked_at;
use super::tables::{TOKEN, is};
use crate::{Fault, HeaderId, Limits, ParseError, ParseKind};

/// Where one header field lies. Offsets count from the first octet of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) id: HeaderId,
    pub(crate) name_len: u8,
    pub(crate) name_at: u16,
    pub(crate) value_at: u16,
    pub(crate) value_len: u16,
}

/// The parts of the first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartLine {
    /// The method lies from 0, the Request-URI one octet after it.
    Request { method_end: u16, uri_end: u16 },
    /// The reason phrase lies between the two offsets.
    Response { code: u16, reason_at: u16, reason_end: u16 },
}

/// What the scan of a head found besides its fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan {
    pub(crate) start: StartLine,
    /// Length of the head with the empty line.
    pub(crate) head: usize,
    /// Some field value continues on a second line.
    pub(crate) folded: bool,
    pub(crate) content_length: Option<u64>,
}

fn fail<T>(kind: ParseKind, at: usize) -> Result<T, ParseError> {
    Err(ParseError::new(kind, at))
}

/// Offsets below the head limit always fit.
fn short(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

/// Splits the head at the start of `raw` and hands every field to `field`, in order.
// spec: RFC3261-7
pub(crate) fn scan(raw: &[u8], limits: &Limits, mut field: impl FnMut(Span)) -> Result<Scan, ParseError> {
    let limit = limits.head.min(usize::from(u16::MAX));
    let window = raw.get(..limit).unwrap_or(raw);
    let cut = raw.len() > window.len();
    if raw.is_empty() {
        return fail(ParseKind::Empty, 0);
    }
    let mut fields = Fields { window, cut, limits, seen: 0, count: 0, folded: false, length: None };
    let (line_end, mut at) = fields.line(0)?;
    let start = start_line(window.get(..line_end).unwrap_or(&[]), limits)?;
    loop {
        match fields.next(at)? {
            Some((span, next)) => {
                field(span);
                at = next;
            }
            None => {
                let head = at.saturating_add(2);
                let content_length = fields.length.map(|(value, _)| value);
                return Ok(Scan { start, head, folded: fields.folded, content_length });
            }
        }
    }
}

struct Fields<'a> {
    /// The octets in which the head must end.
    window: &'a [u8],
    /// There were more octets than the limit on the head.
    cut: bool,
    limits: &'a Limits,
    /// One bit for each field id.
    seen: u128,
    count: usize,
    folded: bool,
    length: Option<(u64, Span)>,
}

impl Fields<'_> {
    fn ended<T>(&self) -> Result<T, ParseError> {
        let kind = if self.cut { ParseKind::HeadTooLarge } else { ParseKind::Incomplete };
        fail(kind, self.window.len())
    }

    /// The end of the line that begins at `at`, and the start of the next.
    fn line(&self, at: usize) -> Result<(usize, usize), ParseError> {
        let mut from = at;
        loop {
            let rest = self.window.get(from..).unwrap_or(&[]);
            let Some(found) = memchr::memchr3(b'\r', b'\n', 0, rest) else { return self.ended() };
            let here = from.saturating_add(found);
            looked_at(found.saturating_add(1));
            let next = here.saturating_add(1);
            match (rest.get(found), self.window.get(next)) {
                (Some(b'\r'), Some(b'\n')) => return Ok((here, next.saturating_add(1))),
                (Some(b'\r'), None) => return self.ended(),
                // RFC 3261 §25.1 allows NUL in a quoted pair and nowhere else.
                (Some(0), _) if here > at && self.window.get(here.saturating_sub(1)) == Some(&b'\\') => {
                    from = next
                }
                (Some(0), _) => return fail(ParseKind::Nul, here),
                _ => return fail(ParseKind::LineEnd, here),
            }
        }
    }

    /// The field that begins at `at` and the start of the line after it; `None` at the empty line.
    #[inline(always)]
    fn next(&mut self, at: usize) -> Result<Option<(Span, usize)>, ParseError> {
        if self.window.get(at) == Some(&b'\r') && self.window.get(at.saturating_add(1)) == Some(&b'\n') {
            return Ok(None);
        }
        let name_len = name_length(self.window, at);
        let mut value_at = at.saturating_add(name_len);
        if self.window.get(value_at) != Some(&b':') {
            value_at = self.colon(at, name_len)?;
        }
        let id = HeaderId::at(self.window, at, name_len);
        if id == HeaderId::Other && !self.is_token(at, name_len) {
            return self.bad_name(at);
        }
        value_at = value_at.saturating_add(1);
        while let Some(b' ' | b'\t') = self.window.get(value_at) {
            value_at = value_at.saturating_add(1);
        }
        let (mut value_end, mut next) = self.line(value_at)?;
        while let Some(b' ' | b'\t') = self.window.get(next) {
            self.folded = true;
            (value_end, next) = self.line(next)?;
        }
        let span = self.span(id, at, name_len, value_at, value_end)?;
        Ok(Some((span, next)))
    }

    fn is_token(&self, at: usize, len: usize) -> bool {
        len > 0
            && self
                .window
                .get(at..at.saturating_add(len))
                .is_some_and(|name| name.iter().all(|octet| is(*octet, TOKEN)))
    }

    /// The colon of a field whose name is not followed by it at once: only white space may lie between.
    #[cold]
    fn colon(&self, at: usize, name_len: usize) -> Result<usize, ParseError> {
        let mut colon = at.saturating_add(name_len);
        while let Some(b' ' | b'\t') = self.window.get(colon) {
            colon = colon.saturating_add(1);
        }
        if name_len == 0 || self.window.get(colon) != Some(&b':') { self.bad_name(at) } else { Ok(colon) }
    }

    /// A line that does not even end is incomplete rather than malformed.
    #[cold]
    fn bad_name<T>(&self, at: usize) -> Result<T, ParseError> {
        self.line(at).and_then(|_| fail(ParseKind::FieldName, at))
    }

    #[inline(always)]
    fn span(
        &mut self,
        id: HeaderId,
        at: usize,
        name_len: usize,
        from: usize,
        to: usize,
    ) -> Result<Span, ParseError> {
        if to.saturating_sub(from) > self.limits.value {
            return fail(ParseKind::ValueTooLong, from);
        }
        let Ok(name_len) = u8::try_from(name_len) else { return fail(ParseKind::FieldName, at) };
        self.count = self.count.saturating_add(1);
        if self.count > self.limits.fields {
            return fail(ParseKind::TooManyFields, at);
        }
        let (from, to) = trim(self.window, from, to);
        let value_len = short(to.saturating_sub(from));
        let span = Span { id, name_len, name_at: short(at), value_at: short(from), value_len };
        if id == HeaderId::ContentLength {
            self.content_length(span)?;
        } else if id.stands_once() {
            let bit = id.bit();
            if self.seen & bit != 0 {
                return fail(ParseKind::Duplicate(id), at);
            }
            self.seen |= bit;
        }
        Ok(span)
    }

    /// Two Content-Length fields are tolerated only if they say the same, octet for octet.
    fn content_length(&mut self, span: Span) -> Result<(), ParseError> {
        let text = octets(self.window, span);
        let value = content_length(text).map_err(|fault| {
            ParseError::new(ParseKind::Invalid(HeaderId::ContentLength, fault), usize::from(span.value_at))
        })?;
        match self.length {
            Some((_, first)) if octets(self.window, first) != text => {
                fail(ParseKind::Duplicate(HeaderId::ContentLength), usize::from(span.name_at))
            }
            Some(_) => Ok(()),
            None => {
                self.length = Some((value, span));
                Ok(())
            }
        }
    }
}

fn octets(window: &[u8], span: Span) -> &[u8] {
    let at = usize::from(span.value_at);
    window.get(at..at.saturating_add(usize::from(span.value_len))).unwrap_or(&[])
}

/// Cuts white space, line ends of folding included, from both ends of a range.
#[inline(always)]
fn trim(window: &[u8], mut from: usize, mut to: usize) -> (usize, usize) {
    let blank = |at: usize| matches!(window.get(at), Some(b' ' | b'\t' | b'\r' | b'\n'));
    while from < to && blank(from) {
        from = from.saturating_add(1);
    }
    while from < to && blank(to.saturating_sub(1)) {
        to = to.saturating_sub(1);
    }
    (from, to)
}

const COLONS: u64 = u64::from_ne_bytes([b':'; 8]);
const LOWS: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The octets before the colon of the line, without white space at their end; at most 256, since a longer name is
/// refused. Eight octets are looked at in one step.
#[inline(always)]
fn name_length(window: &[u8], at: usize) -> usize {
    let rest = window.get(at..).unwrap_or(&[]);
    let mut len = 0_usize;
    for word in rest.as_chunks::<8>().0.iter().take(32) {
        looked_at(8);
        let others = u64::from_le_bytes(*word) ^ COLONS;
        // The lowest octet of `found` is exact: borrows only reach octets above a match.
        let found = others.wrapping_sub(LOWS) & !others & HIGHS;
        if found != 0 {
            let octets = usize::try_from(found.trailing_zeros() >> 3).unwrap_or(0);
            return before_blanks(rest, len.saturating_add(octets));
        }
        len = len.saturating_add(8);
    }
    let tail = rest.get(len..).unwrap_or(&[]).iter().take(8);
    before_blanks(rest, len.saturating_add(tail.take_while(|octet| **octet != b':').count()))
}

#[inline(always)]
fn before_blanks(rest: &[u8], mut len: usize) -> usize {
    while let Some(b' ' | b'\t') = rest.get(len.wrapping_sub(1)) {
        len = len.saturating_sub(1);
    }
    len
}

/// The value of a Content-Length: digits only, checked in 64 bits (RFC 3261 §20.14).
// spec: RFC3261-20.14
pub(crate) fn content_length(text: &[u8]) -> Result<u64, Fault> {
    if text.is_empty() {
        return Err(Fault::Number);
    }
    let mut value = 0_u64;
    for octet in text {
        if !octet.is_ascii_digit() {
            return Err(Fault::Number);
        }
        let digit = u64::from(octet.saturating_sub(b'0'));
        value = value.checked_mul(10).and_then(|value| value.checked_add(digit)).ok_or(Fault::Range)?;
    }
    Ok(value)
}

// spec: RFC3261-7.1 RFC3261-7.2
fn start_line(line: &[u8], limits: &Limits) -> Result<StartLine, ParseError> {
    let token = line.iter().position(|octet| !is(*octet, TOKEN)).unwrap_or(line.len());
    match line.get(token) {
        Some(b' ') if token > 0 => request_line(line, token, limits),
        Some(b'/') if line.get(..token).is_some_and(|name| name.eq_ignore_ascii_case(b"SIP")) => {
            status_line(line)
        }
        _ => fail(ParseKind::StartLine, token),
    }
}

fn request_line(line: &[u8], method_end: usize, limits: &Limits) -> Result<StartLine, ParseError> {
    let uri_at = method_end.saturating_add(1);
    let uri = line.get(uri_at..).unwrap_or(&[]);
    let uri_len = memchr::memchr(b' ', uri).unwrap_or(uri.len());
    let uri_end = uri_at.saturating_add(uri_len);
    if uri_len == 0 {
        return fail(ParseKind::StartLine, uri_at);
    }
    if uri_len > limits.uri {
        return fail(ParseKind::UriTooLong, uri_at);
    }
    let version_at = uri_end.saturating_add(1);
    match version(line.get(version_at..).unwrap_or(&[])) {
        Some(true) => Ok(StartLine::Request { method_end: short(method_end), uri_end: short(uri_end) }),
        Some(false) => fail(ParseKind::UnsupportedVersion, version_at),
        None => fail(ParseKind::StartLine, version_at),
    }
}

/// Whether a version is 2.0; `None` if it is no `SIP-Version`.
fn version(text: &[u8]) -> Option<bool> {
    let (name, number) = text.split_at_checked(4)?;
    if !name.eq_ignore_ascii_case(b"SIP/") {
        return None;
    }
    if number == b"2.0" {
        return Some(true);
    }
    let dot = memchr::memchr(b'.', number)?;
    let (major, minor) = number.split_at_checked(dot)?;
    let minor = minor.get(1..)?;
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    (digits(major) && digits(minor)).then_some(false)
}

fn status_line(line: &[u8]) -> Result<StartLine, ParseError> {
    let version_len = memchr::memchr(b' ', line).unwrap_or(line.len());
    match version(line.get(..version_len).unwrap_or(&[])) {
        Some(true) => {}
        Some(false) => return fail(ParseKind::UnsupportedVersion, 0),
        None => return fail(ParseKind::StartLine, 0),
    }
    let code_at = version_len.saturating_add(1);
    let rest = line.get(code_at..).unwrap_or(&[]);
    let code_len = rest.iter().position(|octet| !octet.is_ascii_digit()).unwrap_or(rest.len());
    // The SP after the code is mandatory even when no reason follows it (RFC 4475 §3.1.1.13).
    if code_len == 0 || rest.get(code_len) != Some(&b' ') {
        return fail(ParseKind::StartLine, code_at);
    }
    let code = rest
        .get(..code_len)
        .map(content_length)
        .and_then(Result::ok)
        .and_then(|code| u16::try_from(code).ok());
    match code {
        Some(code @ 100..=699) if code_len == 3 => {
            let reason_at = short(code_at.saturating_add(4));
            Ok(StartLine::Response { code, reason_at, reason_end: short(line.len()) })
        }
        _ => fail(ParseKind::StatusCode, code_at),
    }
}
