//! Content-Transfer-Encoding (RFC 2045 §6).

use std::borrow::Cow;

use crate::{
    ParseError,
    ParseKind::{DecodedTooLarge, TransferEncoding as Broken},
};

/// The transfer encodings of RFC 2045 §6.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferEncoding {
    /// `7bit`, `8bit` and `binary`: the body as it is.
    Binary,
    /// `base64`.
    Base64,
    /// `quoted-printable`.
    QuotedPrintable,
}

impl TransferEncoding {
    pub(crate) fn of(text: &str) -> Option<Self> {
        let is = |known: &str| text.eq_ignore_ascii_case(known);
        if is("base64") {
            Some(Self::Base64)
        } else if is("quoted-printable") {
            Some(Self::QuotedPrintable)
        } else {
            (is("binary") || is("8bit") || is("7bit")).then_some(Self::Binary)
        }
    }

    /// Undoes the encoding; the result has at most `cap` bytes.
    ///
    /// # Errors
    /// [`ParseKind::TransferEncoding`](crate::ParseKind::TransferEncoding),
    /// [`ParseKind::DecodedTooLarge`](crate::ParseKind::DecodedTooLarge).
    pub fn decode(self, body: &[u8], cap: usize) -> Result<Cow<'_, [u8]>, ParseError> {
        let decoded = match self {
            Self::Binary => Cow::Borrowed(body),
            Self::Base64 => Cow::Owned(decode_base64(body)?),
            Self::QuotedPrintable => Cow::Owned(decode_quoted_printable(body)?),
        };
        if decoded.len() > cap { Err(ParseError::new(DecodedTooLarge, 0)) } else { Ok(decoded) }
    }
}

/// Decodes base64 with line breaks and white space between (RFC 2045 §6.8). Other characters, a missing or
/// misplaced padding and bits left over are errors: this is a protocol field, not stored mail.
///
/// # Errors
/// [`ParseKind::TransferEncoding`](crate::ParseKind::TransferEncoding).
pub fn decode_base64(body: &[u8]) -> Result<Vec<u8>, ParseError> {
    let mut out = Vec::with_capacity(body.len().saturating_mul(3) / 4);
    let mut group = 0_u32;
    let (mut digits, mut padding) = (0_u32, 0_u32);
    for (at, &byte) in body.iter().enumerate() {
        let value = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'=' if digits >= 2 && digits.saturating_add(padding) < 4 => {
                padding = padding.saturating_add(1);
                continue;
            }
            _ => return Err(ParseError::new(Broken, at)),
        };
        if padding > 0 {
            return Err(ParseError::new(Broken, at));
        }
        group = group << 6 | u32::from(value);
        digits = digits.saturating_add(1);
        if digits == 4 {
            let [_, bytes @ ..] = group.to_be_bytes();
            out.extend_from_slice(&bytes);
            (group, digits) = (0, 0);
        }
    }
    let tail = match (digits, padding) {
        (0, 0) => return Ok(out),
        (2, 2) if group & 0xf == 0 => group >> 4,
        (3, 1) if group & 0x3 == 0 => group >> 2,
        _ => return Err(ParseError::new(Broken, body.len())),
    };
    let [_, _, high, low] = tail.to_be_bytes();
    if digits == 3 {
        out.push(high);
    }
    out.push(low);
    Ok(out)
}

/// Decodes quoted-printable (RFC 2045 §6.7): soft line breaks, white space before a line end dropped.
///
/// # Errors
/// [`ParseKind::TransferEncoding`](crate::ParseKind::TransferEncoding) for `=` without two hexadecimal
/// digits or a line end.
pub fn decode_quoted_printable(body: &[u8]) -> Result<Vec<u8>, ParseError> {
    let mut out = Vec::with_capacity(body.len());
    let mut at = 0_usize;
    for line in body.split_inclusive(|&b| b == b'\n') {
        let ended = line.last() == Some(&b'\n');
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let (content, end) = match content.strip_suffix(b"\r") {
            Some(content) => (content, &b"\r\n"[..]),
            None => (content, if ended { &b"\n"[..] } else { &b""[..] }),
        };
        let content = content.trim_ascii_end();
        let soft = content.last() == Some(&b'=');
        let text = if soft { content.strip_suffix(b"=").unwrap_or(content) } else { content };
        let mut rest = text.iter().enumerate();
        while let Some((i, &byte)) = rest.next() {
            if byte != b'=' {
                out.push(byte);
                continue;
            }
            let high = rest.next().and_then(|(_, &b)| hex(b));
            let low = rest.next().and_then(|(_, &b)| hex(b));
            match (high, low) {
                (Some(high), Some(low)) => out.push(high << 4 | low),
                _ => return Err(ParseError::new(Broken, at.saturating_add(i))),
            }
        }
        if !soft {
            out.extend_from_slice(end);
        }
        at = at.saturating_add(line.len());
    }
    Ok(out)
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok())
}
