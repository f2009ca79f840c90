//! Character classes and trims that the readers share.

/// `NAMECHAR` of RFC 3862 §3.6.
const NAME_CHAR: [bool; 256] = class(b"!#$%&'*+-^_`|~");
/// `tchar`-like token of RFC 2045 §5.1: any printable ASCII but SP and tspecials.
const MIME_TOKEN: [bool; 256] = class(b"!#$%&'*+-.^_`{|}~");

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)] // const, fixed bounds
const fn class(extra: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = (at as u8).is_ascii_alphanumeric();
        at += 1;
    }
    let mut at = 0;
    while at < extra.len() {
        table[extra[at] as usize] = true;
        at += 1;
    }
    table
}

fn in_class(table: &[bool; 256], byte: u8) -> bool {
    table.get(usize::from(byte)).copied().unwrap_or(false)
}

/// `NAMECHAR` (RFC 3862 §3.6): a header name without the prefix separator.
pub(crate) fn is_name_char(byte: u8) -> bool {
    in_class(&NAME_CHAR, byte)
}

/// `TOKENCHAR` (RFC 3862 §3.6).
pub(crate) fn is_token_char(byte: u8) -> bool {
    byte >= 0x80 || byte == b'.' || is_name_char(byte)
}

/// A `Token` of RFC 3862 §3.6, not empty.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_char)
}

/// A character of a MIME token (RFC 2045 §5.1).
pub(crate) fn is_mime_token_char(byte: u8) -> bool {
    in_class(&MIME_TOKEN, byte)
}

/// A MIME token, not empty.
pub(crate) fn is_mime_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_mime_token_char)
}

/// Control characters of RFC 2234.
pub(crate) fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

/// Whether `bytes` holds a control character. One pass without early exit, so that it is vectorised.
pub(crate) fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().fold(0_u8, |found, &b| found | u8::from(b < 0x20) | u8::from(b == 0x7f)) != 0
}

/// Number of control characters, vectorised in pieces that cannot overflow a byte.
pub(crate) fn count_controls(bytes: &[u8]) -> usize {
    let piece = |piece: &[u8]| {
        piece.iter().fold(0_u8, |n, &b| n.wrapping_add(u8::from(b < 0x20) | u8::from(b == 0x7f)))
    };
    bytes.chunks(255).fold(0_usize, |sum, p| sum.saturating_add(usize::from(piece(p))))
}

/// Trims spaces, tabs and line ends: the linear white space of a folded field.
pub(crate) fn trim_lws(text: &str) -> &str {
    let bytes = text.as_bytes();
    // Most values have no space around them.
    if let ([first, ..], [.., last]) = (bytes, bytes)
        && *first > b' '
        && *last > b' '
    {
        return text;
    }
    text.trim_matches([' ', '\t', '\r', '\n'])
}

/// Whether `uri` may stand between `<` and `>`: a scheme, a colon, something, and only characters of
/// RFC 3986 (or, when reading, of an IRI).
pub(crate) fn is_absolute_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let mut bytes = scheme.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        && !rest.is_empty()
        && !rest.bytes().any(|b| is_control(b) || matches!(b, b' ' | b'<' | b'>' | b'"' | b'\\'))
}
