//! Percent escapes (RFC 3261 §19.1.2, RFC 3986 §2.1): decoded once, never twice.

use crate::lex::{USER, is};
use std::borrow::Cow;

fn hex(octet: Option<&u8>) -> Option<u8> {
    match octet? {
        digit @ b'0'..=b'9' => Some(digit.saturating_sub(b'0')),
        letter @ b'a'..=b'f' => Some(letter.saturating_sub(b'a').saturating_add(10)),
        letter @ b'A'..=b'F' => Some(letter.saturating_sub(b'A').saturating_add(10)),
        _ => None,
    }
}

/// The octet that the escape at the start of `text` stands for.
fn escaped(text: &[u8]) -> Option<u8> {
    let (high, low) = (hex(text.get(1))?, hex(text.get(2))?);
    Some(high.checked_mul(16)?.saturating_add(low))
}

/// Every `%` is followed by two hexadecimal digits; else the octet of the first that is not.
pub(crate) fn check(text: &str) -> Result<(), usize> {
    let octets = text.as_bytes();
    for at in memchr::memchr_iter(b'%', octets) {
        if escaped(octets.get(at..).unwrap_or(&[])).is_none() {
            return Err(at);
        }
    }
    Ok(())
}

/// Calls `each` with every octet and whether it was escaped.
pub(crate) fn for_each(text: &str, mut each: impl FnMut(u8, bool)) {
    let octets = text.as_bytes();
    let mut at = 0_usize;
    while let Some(octet) = octets.get(at) {
        let value = if *octet == b'%' { escaped(octets.get(at..).unwrap_or(&[])) } else { None };
        match value {
            Some(value) => {
                each(value, true);
                at = at.saturating_add(3);
            }
            None => {
                each(*octet, false);
                at = at.saturating_add(1);
            }
        }
    }
}

/// The octets a URI part stands for. They may be anything, NUL included.
pub fn decode(text: &str) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text.as_bytes()).is_none() {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut octets = Vec::with_capacity(text.len());
    for_each(text, |octet, _| octets.push(octet));
    Cow::Owned(octets)
}

pub(crate) fn push_escape(out: &mut String, octet: u8) {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    out.push('%');
    for nibble in [octet >> 4, octet & 15] {
        out.push(char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0')));
    }
}

/// Appends a part with its escapes in one form only: an octet of `class` stands as itself, every other is escaped
/// in capital digits.
pub(crate) fn push_normal(out: &mut String, text: &str, class: u16) {
    for_each(
        text,
        |octet, _| if is(octet, class) { out.push(char::from(octet)) } else { push_escape(out, octet) },
    );
}

/// Escapes what may not stand in the user part of a sip URI. The text is plain: a `%` in it is escaped too.
pub fn escape_user(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|octet| is(octet, USER)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        if is(octet, USER) { escaped.push(char::from(octet)) } else { push_escape(&mut escaped, octet) }
    }
    Cow::Owned(escaped)
}
