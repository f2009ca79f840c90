//! Media types and dispositions: a value and parameters (RFC 2045 §5.1, RFC 2183).

use std::borrow::Cow;

use crate::{
    Limits, ParseError,
    ParseKind::{self, Parameter, TooManyParameters},
    text::{is_mime_token, is_mime_token_char, trim_lws},
};

/// A media type. Types, subtypes and parameter names are compared without regard to case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentType<'a> {
    /// The type, as written.
    pub kind: &'a str,
    /// The subtype, as written.
    pub subtype: &'a str,
    parameters: &'a str,
}

/// `text/plain;charset=UTF-8`, what a payload without Content-Type is.
impl Default for ContentType<'_> {
    fn default() -> Self {
        Self { kind: "text", subtype: "plain", parameters: ";charset=UTF-8" }
    }
}

impl<'a> ContentType<'a> {
    /// Reads a field value, folds and comments included.
    ///
    /// # Errors
    /// [`ParseKind::ContentType`], [`ParseKind::Parameter`], [`ParseKind::TooManyParameters`].
    pub fn parse(value: &'a str, limits: &Limits) -> Result<Self, ParseError> {
        Self::parse_limited(value, limits.parameters)
    }

    pub(crate) fn parse_limited(value: &'a str, limit: usize) -> Result<Self, ParseError> {
        let end = value.bytes().position(|b| matches!(b, b';' | b'(')).unwrap_or(value.len());
        let (essence, parameters) = value.split_at_checked(end).unwrap_or((value, ""));
        let (kind, subtype) = essence.split_once('/').ok_or(ParseError::new(ParseKind::ContentType, 0))?;
        let (kind, subtype) = (trim_lws(kind), trim_lws(subtype));
        if !is_mime_token(kind) || !is_mime_token(subtype) {
            return Err(ParseError::new(ParseKind::ContentType, 0));
        }
        check_parameters(parameters, limit).map_err(|e| e.shifted(end))?;
        Ok(Self { kind, subtype, parameters })
    }

    /// Whether type and subtype are these.
    #[must_use]
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// The first parameter with this name, unquoted.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<Cow<'a, str>> {
        self.parameters().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All parameters: name and unquoted value.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        Parameters { rest: self.parameters, at: 0 }.filter_map(Result::ok)
    }

    /// Type and subtype in lower case, without parameters.
    #[must_use]
    pub fn essence(&self) -> String {
        format!("{}/{}", self.kind, self.subtype).to_ascii_lowercase()
    }
}

/// A disposition (RFC 2183).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disposition<'a> {
    /// The disposition type, as written.
    pub kind: &'a str,
    parameters: &'a str,
}

impl<'a> Disposition<'a> {
    /// Reads a field value.
    ///
    /// # Errors
    /// [`ParseKind::Parameter`], [`ParseKind::TooManyParameters`].
    pub fn parse(value: &'a str, limits: &Limits) -> Result<Self, ParseError> {
        Self::parse_limited(value, limits.parameters)
    }

    pub(crate) fn parse_limited(value: &'a str, limit: usize) -> Result<Self, ParseError> {
        let end = value.bytes().position(|b| matches!(b, b';' | b'(')).unwrap_or(value.len());
        let (kind, parameters) = value.split_at_checked(end).unwrap_or((value, ""));
        let kind = trim_lws(kind);
        if !is_mime_token(kind) {
            return Err(ParseError::new(Parameter, 0));
        }
        check_parameters(parameters, limit).map_err(|e| e.shifted(end))?;
        Ok(Self { kind, parameters })
    }

    /// The first parameter with this name, unquoted.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<Cow<'a, str>> {
        Parameters { rest: self.parameters, at: 0 }
            .filter_map(Result::ok)
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Whether a reader that does not know the part may skip it: `handling=optional` (RFC 3261 §20.11).
    // spec: CONV-BODY-018
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.parameter("handling").is_some_and(|h| h.eq_ignore_ascii_case("optional"))
    }
}

fn check_parameters(parameters: &str, limit: usize) -> Result<(), ParseError> {
    let mut count = 0_usize;
    let mut iterator = Parameters { rest: parameters, at: 0 };
    while let Some(parameter) = iterator.next() {
        let _ = parameter?;
        count = count.saturating_add(1);
        if count > limit {
            return Err(ParseError::new(TooManyParameters, iterator.at));
        }
    }
    Ok(())
}

/// Reads `*( ";" name "=" value )` with comments and linear white space between.
struct Parameters<'a> {
    rest: &'a str,
    at: usize,
}

impl<'a> Parameters<'a> {
    fn advance(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.at = self.at.saturating_add(taken.len());
        taken
    }

    /// Skips white space and comments; false if a comment has no end.
    fn skip_space(&mut self) -> bool {
        let (mut depth, mut escaped) = (0_usize, false);
        let end = self.rest.bytes().position(|b| {
            if escaped {
                escaped = false;
                return false;
            }
            match b {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'(' => depth = depth.saturating_add(1),
                b')' if depth > 0 => depth = depth.saturating_sub(1),
                b'\\' if depth > 0 => escaped = true,
                _ => return depth == 0,
            }
            false
        });
        self.advance(end.unwrap_or(self.rest.len()));
        depth == 0
    }

    fn token(&mut self) -> &'a str {
        let end = self.rest.bytes().position(|b| !is_mime_token_char(b)).unwrap_or(self.rest.len());
        self.advance(end)
    }

    fn value(&mut self) -> Option<Cow<'a, str>> {
        if !self.rest.starts_with('"') {
            // A value of raw UTF-8 occurs; it ends at white space or the next parameter.
            let end = self
                .rest
                .bytes()
                .position(|b| matches!(b, b';' | b' ' | b'\t' | b'\r' | b'\n' | b'(' | b'"'))
                .unwrap_or(self.rest.len());
            let value = self.advance(end);
            return (!value.is_empty()).then_some(Cow::Borrowed(value));
        }
        self.advance(1);
        let mut escaped = false;
        let mut any = false;
        let end = self.rest.bytes().position(|b| {
            let end = b == b'"' && !escaped;
            escaped = b == b'\\' && !escaped;
            any |= escaped || b == b'\r';
            end
        })?;
        let inner = self.advance(end);
        self.advance(1);
        Some(if any { Cow::Owned(unquote(inner)) } else { Cow::Borrowed(inner) })
    }

    fn fail(&mut self) -> Option<Result<(&'a str, Cow<'a, str>), ParseError>> {
        self.rest = "";
        Some(Err(ParseError::new(Parameter, self.at)))
    }
}

/// Takes quoted pairs and line breaks out of the inside of a quoted string.
fn unquote(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            '\r' | '\n' => {}
            c => out.push(c),
        }
    }
    out
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Result<(&'a str, Cow<'a, str>), ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if !self.skip_space() {
                return self.fail();
            }
            if self.rest.is_empty() {
                return None;
            }
            if !self.rest.starts_with(';') {
                return self.fail();
            }
            self.advance(1);
            if !self.skip_space() {
                return self.fail();
            }
            // An empty parameter, as after a trailing semicolon.
            if self.rest.is_empty() || self.rest.starts_with(';') {
                continue;
            }
            let name = self.token();
            if name.is_empty() || !self.skip_space() || !self.rest.starts_with('=') {
                return self.fail();
            }
            self.advance(1);
            if !self.skip_space() {
                return self.fail();
            }
            return match self.value() {
                Some(value) => Some(Ok((name, value))),
                None => self.fail(),
            };
        }
    }
}
