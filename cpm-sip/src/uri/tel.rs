//! tel URIs (RFC 3966).

use super::{Host, UriParams, escape};
use crate::lex::Cursor;
use crate::{Fault, ParseError};
use core::fmt;

/// A tel URI. The parts are borrowed from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelUri<'a> {
    text: &'a str,
    number: &'a str,
    params: UriParams<'a>,
}

impl<'a> TelUri<'a> {
    /// The URI as it stands in the message.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The number with its visual separators; a global number begins with `+`.
    pub fn number(&self) -> &'a str {
        self.number
    }

    /// A number that means the same everywhere.
    pub fn is_global(&self) -> bool {
        self.number.starts_with('+')
    }

    /// The parameters.
    pub fn params(&self) -> UriParams<'a> {
        self.params
    }

    /// Where a local number is local. RFC 3966 §5.1.5 demands it; handsets leave it out, so a reader cannot.
    pub fn phone_context(&self) -> Option<&'a str> {
        self.params.value("phone-context")
    }

    /// `tel:` is behind the cursor.
    // spec: RFC3966-3
    pub(super) fn read_rest(text: &'a str, mut cursor: Cursor<'a>) -> Result<Self, ParseError> {
        let start = cursor.at();
        let global = cursor.eat(b'+');
        let mut digits = 0_usize;
        while let Some(octet) = cursor.peek() {
            match octet {
                b'-' | b'.' | b'(' | b')' => {}
                b'0'..=b'9' => digits = digits.saturating_add(1),
                b'a'..=b'f' | b'A'..=b'F' | b'*' | b'#' if !global => digits = digits.saturating_add(1),
                _ => break,
            }
            cursor.advance(1);
        }
        let number = cursor.since(start);
        if digits == 0 {
            return Err(cursor.fail(Fault::Uri));
        }
        let params = UriParams::read(&mut cursor)?;
        if !cursor.is_end() {
            return Err(cursor.fail(Fault::Character));
        }
        let uri = Self { text, number, params };
        match uri.phone_context() {
            Some(context) if !is_context(context) => Err(cursor.fail(Fault::Uri)),
            _ => Ok(uri),
        }
    }

    /// See [`Uri::canonical`](super::Uri::canonical).
    pub fn canonical(&self) -> String {
        let mut out = String::from("tel:");
        push_digits(&mut out, self.number);
        if let (false, Some(context)) = (self.is_global(), self.phone_context()) {
            out.push_str(";phone-context=");
            push_context(&mut out, context);
        }
        out
    }

    /// RFC 3966 §4: numbers without separators, parameters in any order, extension and context digits alike.
    // spec: RFC3966-4
    pub fn is_equivalent(&self, other: &TelUri<'_>) -> bool {
        let agrees = |one: &TelUri<'_>, two: &TelUri<'_>| {
            one.params.iter().all(|param| {
                let name = escape::decode(param.name);
                two.params.iter().any(|twin| {
                    escape::decode(twin.name).eq_ignore_ascii_case(&name)
                        && value_key(param) == value_key(twin)
                })
            })
        };
        digits(self.number) == digits(other.number) && agrees(self, other) && agrees(other, self)
    }
}

fn value_key(param: super::Param<'_>) -> String {
    let value = param.value.unwrap_or("");
    let mut out = String::new();
    if param.is("ext") || param.is("isub") {
        push_digits(&mut out, value);
    } else if param.is("phone-context") {
        push_context(&mut out, value);
    } else {
        out.push_str(&value.to_ascii_lowercase());
    }
    out
}

fn digits(number: &str) -> String {
    let mut out = String::new();
    push_digits(&mut out, number);
    out
}

fn push_digits(out: &mut String, number: &str) {
    out.extend(
        number.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).map(|c| c.to_ascii_lowercase()),
    );
}

/// `descriptor = domainname / global-number-digits`
fn is_context(context: &str) -> bool {
    match context.strip_prefix('+') {
        Some(number) => {
            number.bytes().any(|octet| octet.is_ascii_digit())
                && number
                    .bytes()
                    .all(|octet| octet.is_ascii_digit() || matches!(octet, b'-' | b'.' | b'(' | b')'))
        }
        None => matches!(Host::parse(context), Ok(Host::Name(_))),
    }
}

fn push_context(out: &mut String, context: &str) {
    if context.starts_with('+') {
        push_digits(out, context);
    } else {
        out.push_str(&context.to_ascii_lowercase());
    }
}

impl fmt::Display for TelUri<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.text)
    }
}
