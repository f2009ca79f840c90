//! Multipart bodies (RFC 2046 §5.1): reader and writer.

use memchr::memmem::Finder;

use super::{ContentType, MimeHeaders};
use crate::{
    Limits, ParseError,
    ParseKind::{Boundary, TooDeep, TooLarge, TooManyParts, Unterminated},
    WriteError,
    text::{is_control, is_mime_token},
};

/// One body part.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// Its header fields.
    pub headers: MimeHeaders<'a>,
    /// Its content, still encoded; the line break before the next boundary is not part of it.
    pub body: &'a [u8],
    /// Where its header fields begin, in bytes from the start of the multipart body.
    pub offset: usize,
    /// Where its content begins, likewise.
    pub body_offset: usize,
}

/// Reads the parts of one multipart body, in order; preamble and epilogue are skipped. It ends after the
/// first fault.
#[derive(Clone, Debug)]
pub struct Parts<'a, 'l> {
    body: &'a [u8],
    finder: Finder<'static>,
    delimiter_length: usize,
    /// Where the next part's header fields begin; None at the end.
    next: Option<usize>,
    left: usize,
    limits: &'l Limits,
}

impl<'a, 'l> Parts<'a, 'l> {
    /// Begins reading a body of this media type.
    ///
    /// # Errors
    /// [`Boundary`](crate::ParseKind::Boundary) if the type has no usable boundary, `TooLarge`, or
    /// `Unterminated` if there is no delimiter at all.
    pub fn new(body: &'a [u8], kind: &ContentType<'_>, limits: &'l Limits) -> Result<Self, ParseError> {
        let boundary = kind.parameter("boundary").ok_or(ParseError::new(Boundary, 0))?;
        if !kind.kind.eq_ignore_ascii_case("multipart") || !is_boundary(&boundary) {
            return Err(ParseError::new(Boundary, 0));
        }
        if body.len() > limits.message_bytes {
            return Err(ParseError::new(TooLarge, limits.message_bytes));
        }
        let delimiter = format!("--{boundary}");
        let finder = Finder::new(delimiter.as_bytes()).into_owned();
        let mut this = Self {
            body,
            finder,
            delimiter_length: delimiter.len(),
            next: None,
            left: limits.mime_parts,
            limits,
        };
        let first = this.delimiter(0).ok_or(ParseError::new(Unterminated, body.len()))?;
        this.next = first.next;
        Ok(this)
    }

    /// Finds the next delimiter line at or after `from`.
    fn delimiter(&self, from: usize) -> Option<Delimiter> {
        let mut at = from;
        loop {
            at = at.saturating_add(self.finder.find(self.body.get(at..)?)?);
            let before = self.body.get(..at).unwrap_or(&[]);
            let end = match before {
                [] => Some(0),
                [.., b'\r', b'\n'] => at.checked_sub(2),
                [.., b'\n'] if self.limits.lenient => at.checked_sub(1),
                _ => None,
            };
            let after = at.saturating_add(self.delimiter_length);
            if let Some(end) = end
                && let Some(next) = self.rest_of_line(after)
            {
                return Some(Delimiter { end: end.max(from), next });
            }
            at = after;
        }
    }

    /// What follows the boundary on its line. `None`: it is a longer boundary or text, no delimiter.
    /// `Some(None)`: the closing delimiter. `Some(Some(offset))`: where the next part begins.
    fn rest_of_line(&self, at: usize) -> Option<Option<usize>> {
        let rest = self.body.get(at..)?;
        if rest.starts_with(b"--") {
            return Some(None);
        }
        let padding = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let line_end = match rest.get(padding..)? {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] if self.limits.lenient => 1,
            _ => return None,
        };
        Some(Some(at.saturating_add(padding).saturating_add(line_end)))
    }

    fn part(&mut self, start: usize) -> Result<Part<'a>, ParseError> {
        self.left = self.left.checked_sub(1).ok_or(ParseError::new(TooManyParts, start))?;
        // The line break of a part without header fields may be that of the delimiter before it.
        let found = self.delimiter(start);
        let end = match &found {
            Some(delimiter) => delimiter.end,
            None if self.limits.lenient => self.body.len(),
            None => return Err(ParseError::new(Unterminated, self.body.len())),
        };
        self.next = found.and_then(|d| d.next);
        let content = self.body.get(start..end).unwrap_or(&[]);
        let (headers, body_at) = MimeHeaders::parse(content, self.limits).map_err(|e| e.shifted(start))?;
        let body = content.get(body_at..).unwrap_or(&[]);
        Ok(Part { headers, body, offset: start, body_offset: start.saturating_add(body_at) })
    }
}

struct Delimiter {
    /// Where the content before it ends.
    end: usize,
    /// Where the content after it begins; None if it is the closing one.
    next: Option<usize>,
}

impl<'a> Iterator for Parts<'a, '_> {
    type Item = Result<Part<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next.take()?;
        let part = self.part(start);
        if part.is_err() {
            self.next = None;
        }
        Some(part)
    }
}

/// The leaves of a multipart body of any nesting, in document order. No recursion; at most
/// `limits.mime_depth` levels and `limits.mime_parts` parts of all levels together.
///
/// # Errors
/// Any fault of a level or of a part's header fields; offsets count from the start of `body`.
pub fn leaves<'a>(
    body: &'a [u8],
    kind: &ContentType<'_>,
    limits: &Limits,
) -> Result<Vec<Part<'a>>, ParseError> {
    let mut found = Vec::new();
    let mut levels = vec![(Parts::new(body, kind, limits)?, 0_usize)];
    let mut left = limits.mime_parts;
    while let Some((parts, base)) = levels.last_mut() {
        let base = *base;
        let Some(part) = parts.next() else {
            levels.pop();
            continue;
        };
        let mut part = part.map_err(|e| e.shifted(base))?;
        let part_at = base.saturating_add(part.offset);
        left = left.checked_sub(1).ok_or(ParseError::new(TooManyParts, part_at))?;
        let inner = part.headers.content_type().map_err(|e| e.shifted(part_at))?;
        if inner.kind.eq_ignore_ascii_case("multipart") {
            if levels.len() >= limits.mime_depth {
                return Err(ParseError::new(TooDeep, part_at));
            }
            let content_at = base.saturating_add(part.body_offset);
            let level = Parts::new(part.body, &inner, limits).map_err(|e| e.shifted(content_at))?;
            levels.push((level, content_at));
        } else {
            part.offset = part_at;
            part.body_offset = base.saturating_add(part.body_offset);
            found.push(part);
        }
    }
    Ok(found)
}

/// `boundary` of RFC 2046 §5.1.1: 1 to 70 characters, the last no space.
fn is_boundary(boundary: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
    (1..=70).contains(&boundary.len()) && boundary.bytes().all(allowed) && !boundary.ends_with(' ')
}

/// Writes a multipart body.
///
/// ```
/// use cpm_cpim::mime::MultipartBuilder;
///
/// let mut parts = MultipartBuilder::new("b1")?;
/// parts.part(&[("Content-Type", "text/plain")], b"one")?;
/// assert_eq!(parts.finish(), b"--b1\r\nContent-Type: text/plain\r\n\r\none\r\n--b1--\r\n");
/// # Ok::<(), cpm_cpim::WriteError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MultipartBuilder {
    delimiter: String,
    out: Vec<u8>,
}

impl MultipartBuilder {
    /// Begins a body with this boundary; the caller draws it at random.
    ///
    /// # Errors
    /// [`WriteError::Boundary`].
    pub fn new(boundary: &str) -> Result<Self, WriteError> {
        if !is_boundary(boundary) {
            return Err(WriteError::Boundary);
        }
        Ok(Self { delimiter: format!("--{boundary}"), out: Vec::new() })
    }

    /// Adds a part with these header fields.
    ///
    /// # Errors
    /// [`WriteError::Boundary`] if the content holds the delimiter, [`WriteError::Name`] or
    /// [`WriteError::MimeValue`] for a field that would break its line.
    pub fn part(&mut self, fields: &[(&str, &str)], content: &[u8]) -> Result<&mut Self, WriteError> {
        if memchr::memmem::find(content, self.delimiter.as_bytes()).is_some() {
            return Err(WriteError::Boundary);
        }
        let mut block = Vec::new();
        for (name, value) in fields {
            write_field(&mut block, name, value)?;
        }
        if memchr::memmem::find(&block, self.delimiter.as_bytes()).is_some() {
            return Err(WriteError::Boundary);
        }
        self.out.extend_from_slice(self.delimiter.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(&block);
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(content);
        self.out.extend_from_slice(b"\r\n");
        Ok(self)
    }

    /// Writes the closing delimiter and gives the body.
    #[must_use]
    pub fn finish(&self) -> Vec<u8> {
        let mut out = self.out.clone();
        out.extend_from_slice(self.delimiter.as_bytes());
        out.extend_from_slice(b"--\r\n");
        out
    }
}

/// Writes one MIME field line.
pub(crate) fn write_field(out: &mut Vec<u8>, name: &str, value: &str) -> Result<(), WriteError> {
    if !is_mime_token(name) {
        return Err(WriteError::Name);
    }
    if value.bytes().any(is_control) {
        return Err(WriteError::MimeValue);
    }
    for piece in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
    Ok(())
}
