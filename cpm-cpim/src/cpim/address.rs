//! Addresses: `[ Formal-name ] "<" URI ">"` (RFC 3862 §4.1).

use std::{borrow::Cow, fmt::Write};

use super::escape;
use crate::{
    ParseKind, WriteError,
    text::{is_absolute_uri, is_control, is_token, trim_lws},
};

/// The value of `From`, `To`, `cc`, `Original-To` and the IMDN routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// The formal name, decoded; empty if there is none.
    pub display: Cow<'a, str>,
    /// The URI, as it stands between the brackets.
    pub uri: &'a str,
}

impl<'a> Address<'a> {
    /// Reads a raw header value. Tolerant reading also takes a URI without brackets.
    pub(crate) fn read(value: &'a str, lenient: bool) -> Result<Self, ParseKind> {
        let value = trim_lws(value);
        let (display, rest) = match value.strip_prefix('"') {
            Some(quoted) => {
                let end = closing_quote(quoted).ok_or(ParseKind::Address)?;
                let (name, rest) = quoted.split_at_checked(end).ok_or(ParseKind::Address)?;
                (name, trim_lws(rest.strip_prefix('"').unwrap_or(rest)))
            }
            None => match value.find('<') {
                Some(at) => {
                    let (name, rest) = value.split_at_checked(at).ok_or(ParseKind::Address)?;
                    (trim_lws(name), rest)
                }
                None if lenient && is_absolute_uri(value) => {
                    return Ok(Self { display: Cow::Borrowed(""), uri: value });
                }
                None => return Err(ParseKind::Address),
            },
        };
        let uri = rest.strip_prefix('<').and_then(|r| r.strip_suffix('>')).ok_or(ParseKind::Address)?;
        if !is_absolute_uri(uri) {
            return Err(ParseKind::Address);
        }
        Ok(Self { display: escape::decode(display), uri })
    }
}

/// Offset of the quote that ends a string, escapes skipped.
pub(crate) fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|b| {
        let end = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        end
    })
}

/// Writes an address value: the name as tokens where it is some, else as a string.
pub(crate) fn format_address(display: &str, uri: &str) -> Result<String, WriteError> {
    if !uri.is_ascii() || !is_absolute_uri(uri) || uri.bytes().any(is_control) {
        return Err(WriteError::Uri);
    }
    let mut out = String::with_capacity(display.len().saturating_add(uri.len()).saturating_add(6));
    if !display.is_empty() {
        if display.split(' ').all(is_token) {
            out.push_str(display);
            out.push(' ');
        } else {
            let _ = write!(out, "\"{}\"", escape::encode_quoted(display));
        }
    }
    let _ = write!(out, "<{uri}>");
    Ok(out)
}
