//! The escapes of header values (RFC 3862 §2.3).

use std::borrow::Cow;

use crate::text::is_control;

/// Decodes `\\ \" \' \b \t \n \r \uXXXX`. An unknown escape stands for the character after the backslash,
/// a backslash at the end is dropped (RFC 3862 §2.3.1). A pair of surrogates is one character; a lone
/// surrogate becomes U+FFFD. The value borrows when there is nothing to decode.
// spec: CONV-BODY-015
#[must_use]
pub fn decode(value: &str) -> Cow<'_, str> {
    if memchr::memchr3(b'\\', b'\r', b'\n', value.as_bytes()).is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                None => {}
                Some('b') => out.push('\u{8}'),
                Some('t') => out.push('\t'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('u') => unicode(&mut chars, &mut out),
                Some(other) => out.push(other),
            },
            // A folded line, which only tolerant reading lets through: the break becomes one space.
            '\r' | '\n' => {
                let rest = chars.as_str();
                chars = rest.trim_start_matches(['\r', '\n', ' ', '\t']).chars();
                out.push(' ');
            }
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// `\u` has been read. Without four hexadecimal digits it is an unknown escape and stands for `u`.
fn unicode(chars: &mut std::str::Chars<'_>, out: &mut String) {
    let Some((first, rest)) = four_hex(chars.as_str()) else {
        out.push('u');
        return;
    };
    *chars = rest.chars();
    if (0xD800..0xDC00).contains(&first)
        && let Some((second, after)) = rest.strip_prefix("\\u").and_then(four_hex)
        && (0xDC00..0xE000).contains(&second)
    {
        *chars = after.chars();
        let mut pair = char::decode_utf16([first, second]);
        out.push(pair.next().and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER));
        return;
    }
    out.push(char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER));
}

fn four_hex(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

/// Encodes a value for one header line: what RFC 3862 §2.3.1 says must be escaped, nothing else. The result
/// has no control character, so it cannot end the line.
#[must_use]
pub fn encode(value: &str) -> Cow<'_, str> {
    encode_with(value, false)
}

/// As [`encode`], for the inside of a string in double quotes.
pub(crate) fn encode_quoted(value: &str) -> Cow<'_, str> {
    encode_with(value, true)
}

fn encode_with(value: &str, quoted: bool) -> Cow<'_, str> {
    let plain = |b: u8| !is_control(b) && b != b'\\' && !(quoted && b == b'"');
    if value.bytes().all(plain) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len().saturating_add(8));
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' if quoted => out.push_str("\\\""),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if c.is_ascii_control() => {
                out.push_str("\\u00");
                for shift in [4, 0] {
                    out.push(char::from_digit(u32::from(c) >> shift & 0xf, 16).unwrap_or('0'));
                }
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}
