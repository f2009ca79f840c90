//! The scan of a CPIM message into an offset table: lines, names, namespaces. Values are decoded later.

use super::field::{Field, Namespace};
use crate::{
    Limits, ParseError,
    ParseKind::{
        self, ControlCharacter, DuplicateHeader, Folded, HeaderName, HeaderParameter, HeaderTooLarge,
        LineEnd, MissingBlankLine, MissingSpace, NotUtf8, TooLarge, TooManyHeaders, UndeclaredPrefix,
    },
    mime::MimeHeaders,
    text::{has_control, is_control, is_name_char, trim},
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
    /// For [`Namespace::Other`]: which header declares it.
    pub declared_by: u8,
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
        declared_by: 0,
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

/// Where a binding of a prefix comes from.
#[derive(Clone, Copy)]
struct Binding {
    namespace: Namespace,
    declared_by: u8,
}

struct Scan<'a, 'l> {
    raw: &'a [u8],
    /// `raw` up to the byte limit of the headers.
    head: &'a [u8],
    limits: &'l Limits,
    table: Table,
    default: Binding,
    seen: u16,
}

/// Scans the message. Gives the table, the MIME headers and the offset of the body.
pub(super) fn scan<'a>(
    raw: &'a [u8],
    limits: &Limits,
) -> Result<(Table, MimeHeaders<'a>, usize), ParseError> {
    if raw.len() > limits.message_bytes || u32::try_from(raw.len()).is_err() {
        return Err(ParseError::new(TooLarge, limits.message_bytes));
    }
    let cap = limits.header_bytes.min(usize::from(u16::MAX));
    let mut scan = Scan {
        raw,
        head: raw.get(..cap).unwrap_or(raw),
        limits,
        table: Table { spans: [Span::EMPTY; MAX_HEADERS], count: 0, headers_end: 0 },
        default: Binding { namespace: Namespace::Cpim, declared_by: 0 },
        seen: 0,
    };
    let mime_at = scan.message_headers()?;
    let room = limits.headers.min(MAX_HEADERS).saturating_sub(scan.table.count);
    let (mime, body_at) = MimeHeaders::scan(raw, mime_at, cap, room, limits)?;
    Ok((scan.table, mime, body_at))
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
            match line.first() {
                None => {
                    self.table.headers_end = at;
                    return Ok(next);
                }
                Some(b' ' | b'\t') => self.folded(line, at)?,
                Some(_) => {
                    if starts_mime(line) {
                        self.table.headers_end = at;
                        return Ok(at);
                    }
                    self.header(line, at)?;
                }
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

    /// A line that begins with white space: an error, or in tolerant reading part of the header before.
    fn folded(&mut self, line: &[u8], at: usize) -> Result<(), ParseError> {
        let last = self.table.count.checked_sub(1).and_then(|i| self.table.spans.get_mut(i));
        match last {
            Some(last) if self.limits.lenient && last.field != Field::Ns => {
                check_controls(line, at, self.limits)?;
                if std::str::from_utf8(line).is_err() {
                    return Err(ParseError::new(NotUtf8, at.saturating_add(not_utf8_at(line))));
                }
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
        let colon = line.iter().position(|&b| !is_name_char(b) && b != b'.').unwrap_or(line.len());
        let named = line.get(..colon).unwrap_or(&[]);
        if line.get(colon) != Some(&b':') {
            return Err(fault(HeaderName, colon));
        }
        let dot = memchr::memchr(b'.', named);
        let name_at = dot.map_or(0, |d| d.saturating_add(1));
        let (prefix, name) =
            (named.get(..dot.unwrap_or(0)).unwrap_or(&[]), named.get(name_at..).unwrap_or(&[]));
        if name.is_empty() || dot == Some(0) || dot.is_some() && memchr::memchr(b'.', name).is_some() {
            return Err(fault(HeaderName, dot.unwrap_or(0)));
        }
        let (Ok(name_length), Ok(prefix_length)) = (u8::try_from(named.len()), u8::try_from(prefix.len()))
        else {
            return Err(fault(HeaderName, 0));
        };
        let after = line.get(colon..).and_then(|l| l.get(1..)).unwrap_or(&[]);
        let skipped = parameters_and_space(after, self.limits.lenient)
            .map_err(|(kind, offset)| fault(kind, colon.saturating_add(1).saturating_add(offset)))?;
        check_controls(after, at.saturating_add(colon).saturating_add(1), self.limits)?;

        let value_at = colon.saturating_add(1).saturating_add(skipped);
        let (Ok(name), Ok(prefix), Ok(after)) =
            (std::str::from_utf8(name), std::str::from_utf8(prefix), std::str::from_utf8(after))
        else {
            return Err(fault(NotUtf8, not_utf8_at(line)));
        };
        let value = after.get(skipped..).ok_or_else(|| fault(HeaderParameter, colon))?;
        let binding = self.binding(dot.is_some(), prefix, name).ok_or_else(|| fault(UndeclaredPrefix, 0))?;
        let field = Field::resolve(binding.namespace, name, self.limits.lenient);
        self.once(field).map_err(|kind| fault(kind, 0))?;
        if field == Field::Ns {
            self.declare(value).map_err(|kind| fault(kind, value_at))?;
        }
        let offset = |n: usize| u16::try_from(at.saturating_add(n)).unwrap_or(u16::MAX);
        let span = Span {
            line: offset(0),
            value: offset(value_at),
            end: offset(line.len()),
            prefix: prefix_length,
            name: name_length,
            field,
            namespace: binding.namespace,
            declared_by: binding.declared_by,
        };
        if let Some(slot) = self.table.spans.get_mut(self.table.count) {
            *slot = span;
        }
        self.table.count = self.table.count.saturating_add(1);
        Ok(())
    }

    /// The namespace of a name. `NS` and `Require` belong to the framework itself (RFC 3862 §4 a): without
    /// prefix they keep their meaning under any default namespace.
    // spec: CONV-BODY-002
    fn binding(&self, prefixed: bool, prefix: &str, name: &str) -> Option<Binding> {
        if !prefixed {
            let framework = matches!(name, "NS" | "Require");
            return Some(if framework {
                Binding { namespace: Namespace::Cpim, declared_by: 0 }
            } else {
                self.default
            });
        }
        let declared = self.table.spans.get(..self.table.count).unwrap_or(&[]);
        for (index, span) in declared.iter().enumerate().rev() {
            if span.field != Field::Ns {
                continue;
            }
            let value = self.head.get(usize::from(span.value)..usize::from(span.end)).unwrap_or(&[]);
            let Some((declared_prefix, uri)) = std::str::from_utf8(value).ok().and_then(split_declaration)
            else {
                continue;
            };
            if declared_prefix == prefix {
                let declared_by = u8::try_from(index).unwrap_or(u8::MAX);
                return Some(Binding { namespace: Namespace::of_uri(uri), declared_by });
            }
        }
        self.limits.lenient.then_some(Binding { namespace: Namespace::Undeclared, declared_by: 0 })
    }

    /// Checks an `NS` value; one without prefix changes the default namespace for the names after it.
    fn declare(&mut self, value: &str) -> Result<(), ParseKind> {
        let (prefix, uri) = split_declaration(value).ok_or(ParseKind::Namespace)?;
        if !crate::text::is_absolute_uri(uri) || !prefix.bytes().all(is_name_char) {
            return Err(ParseKind::Namespace);
        }
        if prefix.is_empty() {
            let declared_by = u8::try_from(self.table.count).unwrap_or(u8::MAX);
            self.default = Binding { namespace: Namespace::of_uri(uri), declared_by };
        }
        Ok(())
    }

    fn once(&mut self, field: Field) -> Result<(), ParseKind> {
        if !field.is_single() {
            return Ok(());
        }
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

/// Splits `[ Name-prefix ] "<" URI ">"`.
pub(super) fn split_declaration(value: &str) -> Option<(&str, &str)> {
    let (prefix, rest) = value.split_once('<')?;
    let uri = rest.trim_end_matches([' ', '\t']).strip_suffix('>')?;
    Some((trim(prefix), uri))
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
        at = end;
    }
    match after.get(at) {
        Some(b' ') => Ok(at.saturating_add(1)),
        Some(b'\t') if lenient => Ok(at.saturating_add(1)),
        _ if lenient => Ok(at),
        _ => Err((MissingSpace, at)),
    }
}

/// Refuses control characters. Tolerant reading lets a tab pass.
fn check_controls(bytes: &[u8], at: usize, limits: &Limits) -> Result<(), ParseError> {
    if !has_control(bytes) {
        return Ok(());
    }
    match bytes.iter().position(|&b| is_control(b) && !(limits.lenient && b == b'\t')) {
        Some(offset) => Err(ParseError::new(ControlCharacter, at.saturating_add(offset))),
        None => Ok(()),
    }
}

fn not_utf8_at(line: &[u8]) -> usize {
    std::str::from_utf8(line).err().map_or(0, |e| e.valid_up_to())
}
