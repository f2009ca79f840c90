//! One block of MIME header fields.

use std::borrow::Cow;

use super::{ContentType, Disposition, TransferEncoding};
use crate::{
    Limits, ParseError,
    ParseKind::{
        ControlCharacter, DuplicateMimeHeader, HeaderTooLarge, LineEnd, MimeHeader, NotUtf8, TooManyHeaders,
        UnknownCoding, UnknownTransferEncoding,
    },
    coding,
    text::{is_control, trim_lws},
};

/// A field value and where it begins in what was read.
#[derive(Clone, Copy, Debug)]
struct Value<'a> {
    text: &'a str,
    at: usize,
}

/// Where the value of a field lies in its block, white space and folds included.
#[derive(Clone, Copy, Debug)]
struct Place {
    from: u16,
    to: u16,
}

/// The MIME header fields of a payload or of a body part. Names are matched without regard to case; folded
/// fields are read. Borrowed, without heap.
#[derive(Clone, Debug)]
pub struct MimeHeaders<'a> {
    block: &'a str,
    /// Where the block begins in what was read.
    start: usize,
    places: Places,
    parameters: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Places {
    content_type: Option<Place>,
    length: Option<Place>,
    transfer_encoding: Option<Place>,
    disposition: Option<Place>,
    id: Option<Place>,
    encoding: Option<Place>,
}

impl<'a> MimeHeaders<'a> {
    /// Reads a block at the start of `raw`. Gives it and the offset of what follows its blank line; a block
    /// that ends without one has nothing after it (RFC 2046 §5.1.1 `body-part`).
    ///
    /// # Errors
    /// A line that is no field, a bad line end, a repeated field of those named below, or a limit.
    pub fn parse(raw: &'a [u8], limits: &Limits) -> Result<(Self, usize), ParseError> {
        Self::scan(raw, 0, limits.header_bytes, limits.headers, limits)
    }

    /// As [`MimeHeaders::parse`] from `start` of `raw`, at most to `cap` and with at most `room` fields.
    pub(crate) fn scan(
        raw: &'a [u8],
        start: usize,
        cap: usize,
        room: usize,
        limits: &Limits,
    ) -> Result<(Self, usize), ParseError> {
        let mut places = Places::default();
        let cap = cap.min(start.saturating_add(usize::from(u16::MAX)));
        let head = raw.get(..cap).unwrap_or(raw);
        let mut left = room;
        let mut at = start;
        let mut pending: Option<(usize, usize)> = None;
        let (block_end, body_at) = loop {
            let rest = head.get(at..).unwrap_or(&[]);
            if rest.is_empty() && head.len() == raw.len() {
                break (at, at);
            }
            let (line, next) = line(rest, at, raw.len(), head.len(), limits)?;
            if matches!(line.first(), Some(b' ' | b'\t')) {
                let Some(field) = pending.as_mut() else { return Err(ParseError::new(MimeHeader, at)) };
                field.1 = at.saturating_add(line.len());
            } else {
                if let Some(field) = pending.take() {
                    places.field(raw, start, field)?;
                }
                if line.is_empty() {
                    break (at, next);
                }
                left = left.checked_sub(1).ok_or(ParseError::new(TooManyHeaders, at))?;
                pending = Some((at, at.saturating_add(line.len())));
            }
            at = next;
        };
        if let Some(field) = pending {
            places.field(raw, start, field)?;
        }
        let block = std::str::from_utf8(raw.get(start..block_end).unwrap_or(&[]))
            .map_err(|e| ParseError::new(NotUtf8, start.saturating_add(e.valid_up_to())))?;
        Ok((Self { block, start, places, parameters: limits.parameters }, body_at))
    }

    fn value(&self, place: Option<Place>) -> Option<Value<'a>> {
        let Place { from, to } = place?;
        let text = self.block.get(usize::from(from)..usize::from(to)).unwrap_or("");
        Some(Value { text: trim_lws(text), at: self.start.saturating_add(usize::from(from)) })
    }

    /// `Content-Type`; without one, `text/plain;charset=UTF-8`.
    ///
    /// # Errors
    /// [`ContentType`](crate::ParseKind::ContentType), [`Parameter`](crate::ParseKind::Parameter), [`TooManyParameters`](crate::ParseKind::TooManyParameters).
    // spec: CONV-BODY-017
    pub fn content_type(&self) -> Result<ContentType<'a>, ParseError> {
        match self.value(self.places.content_type) {
            None => Ok(ContentType::default()),
            Some(value) => {
                ContentType::parse_limited(value.text, self.parameters).map_err(|e| e.shifted(value.at))
            }
        }
    }

    /// `Content-Type` as written.
    #[must_use]
    pub fn content_type_text(&self) -> Option<&'a str> {
        self.value(self.places.content_type).map(|v| v.text)
    }

    /// Whether the media type is this one, in lower case and without parameters. Quicker than to read all of it.
    pub(crate) fn is_media_type(&self, essence: &str) -> bool {
        self.value(self.places.content_type).is_some_and(|v| {
            let same = v.text.get(..essence.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(essence));
            let rest = if same { v.text.get(essence.len()..).map(trim_lws) } else { None };
            rest.is_some_and(|rest| matches!(rest.bytes().next(), None | Some(b';' | b'(')))
        })
    }

    /// `Content-Length` in bytes. No MIME specification defines the field; one that is no number (RFC 5438
    /// prints `...`) counts as missing, one too large for `u64` as `u64::MAX`.
    // spec: CONV-BODY-013
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        let text = self.value(self.places.length)?.text;
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    }

    /// `Content-Transfer-Encoding`; without one, binary.
    ///
    /// # Errors
    /// [`UnknownTransferEncoding`](crate::ParseKind::UnknownTransferEncoding).
    pub fn transfer_encoding(&self) -> Result<TransferEncoding, ParseError> {
        let Some(value) = self.value(self.places.transfer_encoding) else {
            return Ok(TransferEncoding::Binary);
        };
        TransferEncoding::of(value.text).ok_or(ParseError::new(UnknownTransferEncoding, value.at))
    }

    /// `Content-Disposition` (RFC 2183).
    ///
    /// # Errors
    /// [`Parameter`](crate::ParseKind::Parameter), [`TooManyParameters`](crate::ParseKind::TooManyParameters).
    pub fn disposition(&self) -> Result<Option<Disposition<'a>>, ParseError> {
        let Some(value) = self.value(self.places.disposition) else { return Ok(None) };
        Disposition::parse_limited(value.text, self.parameters).map(Some).map_err(|e| e.shifted(value.at))
    }

    /// Whether the disposition type is this one, parameters aside.
    #[must_use]
    pub fn is_disposition(&self, kind: &str) -> bool {
        self.value(self.places.disposition)
            .and_then(|v| v.text.split(';').next())
            .is_some_and(|d| trim_lws(d).eq_ignore_ascii_case(kind))
    }

    /// `Content-ID` without its angle brackets.
    #[must_use]
    pub fn content_id(&self) -> Option<&'a str> {
        let text = self.value(self.places.id)?.text;
        Some(text.strip_prefix('<').and_then(|t| t.strip_suffix('>')).unwrap_or(text))
    }

    /// `Content-Encoding` as written.
    #[must_use]
    pub fn content_encoding(&self) -> Option<&'a str> {
        self.value(self.places.encoding).map(|v| v.text)
    }

    /// All fields: name and value as written, folds included.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        Fields { rest: self.block }
    }

    /// Undoes the transfer encoding, then the content coding, of a payload with these headers.
    ///
    /// # Errors
    /// As [`MimeHeaders::transfer_encoding`] and [`coding::decode`], and [`TransferEncoding`](crate::ParseKind::TransferEncoding).
    pub fn decode<'b>(&self, body: &'b [u8], cap: usize) -> Result<Cow<'b, [u8]>, ParseError> {
        let plain = self.transfer_encoding()?.decode(body, cap)?;
        let Some(encoding) = self.value(self.places.encoding) else { return Ok(plain) };
        let decoded = match plain {
            Cow::Borrowed(plain) => coding::decode(encoding.text, plain, cap),
            Cow::Owned(plain) => {
                coding::decode(encoding.text, &plain, cap).map(|c| Cow::Owned(c.into_owned()))
            }
        };
        decoded.map_err(|e| if e.kind == UnknownCoding { ParseError::new(e.kind, encoding.at) } else { e })
    }
}

impl Places {
    /// Checks one field, folds included, and notes where its value is if it is a known one.
    fn field(&mut self, raw: &[u8], start: usize, (at, end): (usize, usize)) -> Result<(), ParseError> {
        let bytes = raw.get(at..end).unwrap_or(&[]);
        let colon = bytes.iter().position(|&b| b == b':').ok_or(ParseError::new(MimeHeader, at))?;
        let (name, value) = bytes.split_at_checked(colon).unwrap_or((bytes, &[]));
        // Some writers leave white space before the colon (RFC 5322 §4.5 obs-syntax does).
        let name = name.trim_ascii_end();
        let slot = self.slot(name);
        if slot.is_none() && (name.is_empty() || name.iter().any(|b| !(0x21..0x7f).contains(b))) {
            return Err(ParseError::new(MimeHeader, at));
        }
        let value_at = at.saturating_add(colon).saturating_add(1);
        let value = value.get(1..).unwrap_or(&[]);
        if crate::text::has_control(value)
            && let Some(offset) = stray_control(value)
        {
            return Err(ParseError::new(ControlCharacter, value_at.saturating_add(offset)));
        }
        let Some(slot) = slot else { return Ok(()) };
        if slot.is_some() {
            return Err(ParseError::new(DuplicateMimeHeader, at));
        }
        let offset = |n: usize| u16::try_from(n.saturating_sub(start)).unwrap_or(u16::MAX);
        let space = usize::from(value.first() == Some(&b' '));
        *slot = Some(Place { from: offset(value_at.saturating_add(space)), to: offset(end) });
        Ok(())
    }

    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<Place>> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            10 if is(b"content-id") => Some(&mut self.id),
            12 if is(b"content-type") => Some(&mut self.content_type),
            14 if is(b"content-length") => Some(&mut self.length),
            16 if is(b"content-encoding") => Some(&mut self.encoding),
            19 if is(b"content-disposition") => Some(&mut self.disposition),
            25 if is(b"content-transfer-encoding") => Some(&mut self.transfer_encoding),
            _ => None,
        }
    }
}

/// One line without its end, and the offset of the next.
fn line<'r>(
    rest: &'r [u8],
    at: usize,
    raw_len: usize,
    head_len: usize,
    limits: &Limits,
) -> Result<(&'r [u8], usize), ParseError> {
    let Some(length) = memchr::memchr(b'\n', rest) else {
        if head_len < raw_len {
            return Err(ParseError::new(HeaderTooLarge, head_len));
        }
        // The last line of a block that ends where its body part ends.
        return Ok((rest, raw_len));
    };
    let line = rest.get(..length).unwrap_or(&[]);
    let next = at.saturating_add(length).saturating_add(1);
    match line.strip_suffix(b"\r") {
        Some(line) => Ok((line, next)),
        None if limits.lenient => Ok((line, next)),
        None => Err(ParseError::new(LineEnd, next.saturating_sub(1))),
    }
}

/// A control character that is neither a tab nor part of a fold.
fn stray_control(bytes: &[u8]) -> Option<usize> {
    bytes.iter().enumerate().position(|(i, &b)| match b {
        b'\t' => false,
        b'\r' => bytes.get(i.saturating_add(1)) != Some(&b'\n'),
        b'\n' => !matches!(bytes.get(i.saturating_add(1)), Some(b' ' | b'\t')),
        b => is_control(b),
    })
}

struct Fields<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.rest.as_bytes();
        let mut from = 0_usize;
        let end = loop {
            let Some(length) = bytes.get(from..).and_then(|b| memchr::memchr(b'\n', b)) else {
                break bytes.len();
            };
            from = from.saturating_add(length).saturating_add(1);
            if !matches!(bytes.get(from), Some(b' ' | b'\t')) {
                break from;
            }
        };
        let (field, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let (name, value) = field.split_once(':')?;
        Some((trim_lws(name), trim_lws(value)))
    }
}
