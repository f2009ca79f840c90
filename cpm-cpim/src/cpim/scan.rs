//! The scan of a CPIM message into an offset table: lines, names, namespaces. Values are decoded later.
//!
//! Hot path (docs/performance.md): every byte is looked at by vectorised searches and by one pass over the
//! names; UTF-8 and control characters are checked once for the whole head.

use super::field::{Field, Namespace};
use crate::{
    Limits, ParseError,
    ParseKind::{
        self, ControlCharacter, DuplicateHeader, Folded, HeaderName, HeaderParameter, HeaderTooLarge,
        LineEnd, MissingBlankLine, MissingSpace, NotUtf8, TooLarge, TooManyHeaders, UndeclaredPrefix,
    },
    mime::MimeHeaders,
    text::{count_controls, has_control, is_absolute_uri, is_control, is_name_char},
};

/// The most headers a message can have, whatever the limits say.
pub const MAX_HEADERS: usize = 64;

/// One message header: offsets from the start of the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Start of the line.
    pub line: u16,
    /// Start of the value.
    pub value: u16,
    /// End of the value; the line end follows.
    pub end: u16,
    /// Length of the prefix without its dot; 0 if there is none.
    pub prefix: u8,
    /// Length of the whole name, prefix and dot included.
    pub name: u8,
    pub field: Field,
    pub namespace: Namespace,
    /// For [`Namespace::Other`]: which header declares it. For [`Field::Ns`]: length of the prefix declared.
    pub extra: u8,
    /// For [`Field::Ns`]: what it declares.
    pub binds: Namespace,
}

impl Span {
    const EMPTY: Self = Self {
        line: 0,
        value: 0,
        end: 0,
        prefix: 0,
        name: 0,
        field: Field::Other,
        namespace: Namespace::Undeclared,
        extra: 0,
        binds: Namespace::Undeclared,
    };
}

/// What a scan finds.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub spans: [Span; MAX_HEADERS],
    pub count: usize,
    /// End of the last message header line.
    pub headers_end: usize,
}

impl Table {
    pub(super) const fn new() -> Self {
        Self { spans: [Span::EMPTY; MAX_HEADERS], count: 0, headers_end: 0 }
    }

    pub(super) fn spans(&self) -> &[Span] {
        self.spans.get(..self.count).unwrap_or(&[])
    }
}

/// Where a binding of a prefix comes from.
#[derive(Clone, Copy)]
struct Binding {
    namespace: Namespace,
    declared_by: u8,
}

struct Scan<'a, 's> {
    raw: &'a [u8],
    /// `raw` up to the byte limit of the headers.
    head: &'a [u8],
    limits: &'s Limits,
    table: &'s mut Table,
    default: Binding,
    seen: u8,
}

/// Scans the message into `table`. Gives the head as text (both header groups), the MIME headers, and the offset
/// of the body.
pub(super) fn scan<'a>(
    raw: &'a [u8],
    limits: &Limits,
    table: &mut Table,
) -> Result<(&'a str, MimeHeaders<'a>, usize), ParseError> {
    if raw.len() > limits.message_bytes || u32::try_from(raw.len()).is_err() {
        return Err(ParseError::new(TooLarge, limits.message_bytes));
    }
    let cap = limits.header_bytes.min(usize::from(u16::MAX));
    let mut scan = Scan {
        raw,
        head: raw.get(..cap).unwrap_or(raw),
        limits,
        table,
        default: Binding { namespace: Namespace::Cpim, declared_by: 0 },
        seen: 0,
    };
    let mime_at = scan.message_headers()?;
    let room = limits.headers.min(MAX_HEADERS).saturating_sub(scan.table.count);
    let (mime, body_at) = MimeHeaders::scan(raw, mime_at, cap, room, limits)?;
    let head = text(raw.get(..table.headers_end).unwrap_or(&[]))?;
    Ok((head, mime, body_at))
}

fn text(head: &[u8]) -> Result<&str, ParseError> {
    std::str::from_utf8(head).map_err(|e| ParseError::new(NotUtf8, e.valid_up_to()))
}

impl Scan<'_, '_> {
    /// Reads the first group; gives the offset of the MIME headers.
    fn message_headers(&mut self) -> Result<usize, ParseError> {
        let mut at = 0_usize;
        loop {
            let rest = self.head.get(at..).unwrap_or(&[]);
            let Some(length) = memchr::memchr(b'\n', rest) else {
                return Err(self.no_line_end(at));
            };
            let line = rest.get(..length).unwrap_or(&[]);
            let next = at.saturating_add(length).saturating_add(1);
            let line = match line.strip_suffix(b"\r") {
                Some(line) => line,
                None if self.limits.lenient => line,
                None => return Err(ParseError::new(LineEnd, next.saturating_sub(1))),
            };
            let over = match line.first() {
                None => Some(next),
                Some(b'C' | b'c') if starts_mime(line) => Some(at),
                _ => None,
            };
            if let Some(mime_at) = over {
                self.table.headers_end = at;
                self.check_controls(at)?;
                return Ok(mime_at);
            }
            if matches!(line.first(), Some(b' ' | b'\t')) {
                self.folded(line, at)?;
            } else {
                self.header(line, at)?;
            }
            at = next;
        }
    }

    /// No LF up to the limit: too long, or the message ends inside the group.
    fn no_line_end(&self, at: usize) -> ParseError {
        if self.head.len() < self.raw.len() {
            ParseError::new(HeaderTooLarge, self.head.len())
        } else if at < self.raw.len() && starts_mime(self.raw.get(at..).unwrap_or(&[])) {
            ParseError::new(LineEnd, self.raw.len())
        } else {
            ParseError::new(MissingBlankLine, self.raw.len())
        }
    }

    /// Refuses control characters up to `end` but for the line ends. In strict reading every line has exactly
    /// two, so counting is enough. Tolerant reading lets tabs pass.
    fn check_controls(&self, end: usize) -> Result<(), ParseError> {
        let head = self.head.get(..end).unwrap_or(&[]);
        if !self.limits.lenient && count_controls(head) == self.table.count.saturating_mul(2) {
            return Ok(());
        }
        let stray = |(at, &b): (usize, &u8)| match b {
            b'\r' => head.get(at.saturating_add(1)) != Some(&b'\n'),
            b'\n' => false,
            b'\t' => !self.limits.lenient,
            b => is_control(b),
        };
        match head.iter().enumerate().position(stray) {
            Some(offset) => Err(ParseError::new(ControlCharacter, offset)),
            None => Ok(()),
        }
    }

    /// A line that begins with white space: an error, or in tolerant reading part of the header before.
    fn folded(&mut self, line: &[u8], at: usize) -> Result<(), ParseError> {
        let last = self.table.count.checked_sub(1).and_then(|i| self.table.spans.get_mut(i));
        match last {
            Some(last) if self.limits.lenient && last.field != Field::Ns => {
                last.end = u16::try_from(at.saturating_add(line.len())).unwrap_or(u16::MAX);
                Ok(())
            }
            _ => Err(ParseError::new(Folded, at)),
        }
    }

    fn header(&mut self, line: &[u8], at: usize) -> Result<(), ParseError> {
        let fault = |kind: ParseKind, offset: usize| ParseError::new(kind, at.saturating_add(offset));
        if self.table.count >= self.limits.headers.min(MAX_HEADERS) {
            return Err(fault(TooManyHeaders, 0));
        }
        let (colon, dot) = name_ends(line).map_err(|offset| fault(HeaderName, offset))?;
        let (named, rest) = line.split_at_checked(colon).unwrap_or((line, &[]));
        let Some((b':', after)) = rest.split_first() else {
            return Err(fault(HeaderName, colon));
        };
        let (prefix, name) = match dot {
            Some(dot) => named.split_at_checked(dot).unwrap_or((&[], named)),
            None => (&[][..], named),
        };
        let name = name.strip_prefix(b".").unwrap_or(name);
        if name.is_empty() || dot == Some(0) {
            return Err(fault(HeaderName, dot.unwrap_or(0)));
        }
        let (Ok(name_length), Ok(prefix_length)) = (u8::try_from(named.len()), u8::try_from(prefix.len()))
        else {
            return Err(fault(HeaderName, 0));
        };
        let after_at = colon.saturating_add(1);
        let skipped = match after {
            [b' ', ..] => 1,
            _ => parameters_and_space(after, self.limits.lenient)
                .map_err(|(kind, offset)| fault(kind, after_at.saturating_add(offset)))?,
        };
        let value_at = after_at.saturating_add(skipped);
        let binding = self.binding(dot.is_some(), prefix, name).ok_or_else(|| fault(UndeclaredPrefix, 0))?;
        let field = Field::resolve(binding.namespace, name, self.limits.lenient);
        let offset = |n: usize| u16::try_from(at.saturating_add(n)).unwrap_or(u16::MAX);
        let mut span = Span {
            line: offset(0),
            value: offset(value_at),
            end: offset(line.len()),
            prefix: prefix_length,
            name: name_length,
            field,
            namespace: binding.namespace,
            extra: binding.declared_by,
            binds: Namespace::Undeclared,
        };
        if field.is_single() {
            self.once(field).map_err(|kind| fault(kind, 0))?;
        } else if field == Field::Ns {
            self.declare(&mut span, after.get(skipped..).unwrap_or(&[]))
                .map_err(|kind| fault(kind, value_at))?;
        }
        if let Some(slot) = self.table.spans.get_mut(self.table.count) {
            *slot = span;
        }
        self.table.count = self.table.count.saturating_add(1);
        Ok(())
    }

    /// The namespace of a name. `NS` and `Require` belong to the framework itself (RFC 3862 §4 a): without
    /// prefix they keep their meaning under any default namespace.
    // spec: CONV-BODY-002
    fn binding(&self, prefixed: bool, prefix: &[u8], name: &[u8]) -> Option<Binding> {
        if !prefixed {
            let framework = matches!(name, b"NS" | b"Require");
            return Some(if framework {
                Binding { namespace: Namespace::Cpim, declared_by: 0 }
            } else {
                self.default
            });
        }
        let declares = |span: &Span| {
            span.field == Field::Ns
                && usize::from(span.extra) == prefix.len()
                && self
                    .head
                    .get(usize::from(span.value)..usize::from(span.end))
                    .is_some_and(|value| value.trim_ascii_start().starts_with(prefix))
        };
        let found = self.table.spans().iter().enumerate().rev().find(|(_, span)| declares(span));
        match found {
            Some((index, span)) => {
                Some(Binding { namespace: span.binds, declared_by: u8::try_from(index).unwrap_or(u8::MAX) })
            }
            None if self.limits.lenient => Some(Binding { namespace: Namespace::Undeclared, declared_by: 0 }),
            None => None,
        }
    }

    /// Checks an `NS` value and notes what it declares; one without prefix changes the default namespace for the
    /// names after it.
    fn declare(&mut self, span: &mut Span, value: &[u8]) -> Result<(), ParseKind> {
        let (prefix, binds) = match value.strip_suffix(b"<urn:ietf:params:imdn>") {
            // The declaration that nearly every message has.
            Some(prefix) => (prefix.trim_ascii(), Namespace::Imdn),
            None => std::str::from_utf8(value)
                .ok()
                .and_then(split_declaration)
                .filter(|(_, uri)| is_absolute_uri(uri))
                .map(|(prefix, uri)| (prefix.as_bytes(), Namespace::of_uri(uri)))
                .ok_or(ParseKind::Namespace)?,
        };
        if !prefix.iter().all(|&b| is_name_char(b)) {
            return Err(ParseKind::Namespace);
        }
        span.extra = u8::try_from(prefix.len()).map_err(|_| ParseKind::Namespace)?;
        span.binds = binds;
        if prefix.is_empty() {
            let declared_by = u8::try_from(self.table.count).unwrap_or(u8::MAX);
            self.default = Binding { namespace: span.binds, declared_by };
        }
        Ok(())
    }

    fn once(&mut self, field: Field) -> Result<(), ParseKind> {
        let bit = match field {
            Field::From => 1,
            Field::DateTime => 2,
            Field::MessageId => 4,
            _ => 8,
        };
        if self.seen & bit != 0 {
            return Err(DuplicateHeader);
        }
        self.seen |= bit;
        Ok(())
    }
}

/// Where the name of a line ends, and where its dot is. A second dot is the error.
fn name_ends(line: &[u8]) -> Result<(usize, Option<usize>), usize> {
    let mut dot = None;
    for (at, &b) in line.iter().enumerate() {
        if is_name_char(b) {
            continue;
        }
        if b != b'.' {
            return Ok((at, dot));
        }
        if let Some(first) = dot {
            return Err(first);
        }
        dot = Some(at);
    }
    Ok((line.len(), dot))
}

/// Splits `[ Name-prefix ] "<" URI ">"`.
pub(super) fn split_declaration(value: &str) -> Option<(&str, &str)> {
    let (prefix, rest) = value.split_once('<')?;
    let uri = rest.trim_ascii_end().strip_suffix('>')?;
    Some((prefix.trim_ascii(), uri))
}

/// Whether the line is a MIME header: `Content-` is no CPIM header name of any namespace used here.
fn starts_mime(line: &[u8]) -> bool {
    line.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"))
}

/// Skips `*( ";" Parameter ) SP` after the colon; gives the offset of the value.
fn parameters_and_space(after: &[u8], lenient: bool) -> Result<usize, (ParseKind, usize)> {
    let mut at = 0_usize;
    while after.get(at) == Some(&b';') {
        let start = at.saturating_add(1);
        let (mut quoted, mut escaped) = (false, false);
        let length = after.get(start..).unwrap_or(&[]).iter().position(|&b| {
            let end = !quoted && matches!(b, b' ' | b';');
            match b {
                b'"' if !escaped => quoted = !quoted,
                _ => {}
            }
            escaped = quoted && b == b'\\' && !escaped;
            end
        });
        let end = length.map_or(after.len(), |n| start.saturating_add(n));
        let parameter = after.get(start..end).unwrap_or(&[]);
        let name = memchr::memchr(b'=', parameter).and_then(|e| parameter.get(..e)).unwrap_or(&[]);
        let valued = name.len().saturating_add(1) < parameter.len();
        if name.is_empty() || !valued || quoted || !name.iter().all(|&b| is_name_char(b)) {
            return Err((HeaderParameter, start));
        }
        if has_control(parameter) {
            return Err((HeaderParameter, start));
        }
        at = end;
    }
    match after.get(at) {
        Some(b' ') => Ok(at.saturating_add(1)),
        Some(b'\t') if lenient => Ok(at.saturating_add(1)),
        _ if lenient => Ok(at),
        _ => Err((MissingSpace, at)),
    }
}
