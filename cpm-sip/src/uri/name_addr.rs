//! `name-addr` and `addr-spec` with header parameters, as in From, To, Contact, Route and their like
//! (RFC 3261 §20.10).

use super::params::{push_quoted, unquote};
use super::{Param, Params, Uri};
use crate::lex::{Cursor, Read, TOKEN, is, is_token, looked_at};
use crate::{Fault, ParseError, ParseKind};
use core::fmt;
use std::borrow::Cow;

/// An address with an optional display name and header parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    display: Option<&'a str>,
    uri: Uri<'a>,
    params: Params<'a>,
    tag: Option<&'a str>,
    bracketed: bool,
}

/// Which forms of an address a field allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddrForm {
    /// `name-addr / addr-spec`
    Either,
    /// As `Either`, in a Contact.
    Contact,
    /// `name-addr` only: Route, Record-Route and their like.
    Bracketed,
}

impl<'a> NameAddr<'a> {
    /// Reads a text that is one address.
    ///
    /// # Errors
    /// The fault and where it is.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        Self::read_all(text)
    }

    /// The display name without quotes and quoted pairs.
    pub fn display(&self) -> Option<Cow<'a, str>> {
        self.display.map(unquote)
    }

    /// The display name as in the message, with its quotes.
    pub fn display_raw(&self) -> Option<&'a str> {
        self.display
    }

    /// The address.
    pub fn uri(&self) -> &Uri<'a> {
        &self.uri
    }

    /// The header parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// The `tag` parameter of a From, To or stand-alone address; other fields have none.
    pub fn tag(&self) -> Option<&'a str> {
        self.tag
    }

    pub(crate) fn read_form(
        cursor: &mut Cursor<'a>,
        form: AddrForm,
        each: impl FnMut(Param<'a>, Cursor<'a>) -> Result<(), ParseError>,
    ) -> Result<Self, ParseError> {
        let display = display_name(cursor)?;
        if !cursor.eat(b'<') {
            if form == AddrForm::Bracketed || display.is_some() {
                return Err(cursor.fail(Fault::Uri));
            }
            let uri = addr_spec(cursor, form)?;
            let params = Params::read(cursor, each)?;
            return Ok(Self { display: None, uri, params, tag: None, bracketed: false });
        }
        let start = cursor.at();
        let length = memchr::memchr(b'>', cursor.rest().as_bytes()).ok_or_else(|| cursor.fail(Fault::Uri))?;
        cursor.advance(length);
        let uri = read_uri(cursor.since(start), form).map_err(|error| error.shifted(start))?;
        cursor.advance(1);
        let params = Params::read(cursor, each)?;
        Ok(Self { display, uri, params, tag: None, bracketed: true })
    }
}

/// `*( token LWS ) / quoted-string`, and the `<` after it is not taken. RFC 4475 §3.1.1.6 asks to accept a name
/// that touches the bracket.
// spec: RFC4475-3.1.1.6
fn display_name<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a str>, ParseError> {
    match cursor.peek() {
        Some(b'<') => return Ok(None),
        Some(b'"') => {
            let display = cursor.quoted()?;
            cursor.white();
            return if cursor.peek() == Some(b'<') {
                Ok(Some(display))
            } else {
                Err(cursor.fail(Fault::Uri))
            };
        }
        _ => {}
    }
    let mut ahead = *cursor;
    let start = ahead.at();
    let mut end = start;
    loop {
        if ahead.run(TOKEN).is_empty() {
            break;
        }
        end = ahead.at();
        ahead.white();
    }
    if ahead.peek() == Some(b'<') {
        let mut name = *cursor;
        name.advance(end.saturating_sub(start));
        let display = name.since(start);
        *cursor = ahead;
        return Ok((!display.is_empty()).then_some(display));
    }
    Ok(None)
}

/// An address without brackets ends where a parameter or list element begins; it may not hold `?` (RFC 3261 §20).
fn addr_spec<'a>(cursor: &mut Cursor<'a>, form: AddrForm) -> Result<Uri<'a>, ParseError> {
    let start = cursor.at();
    let rest = cursor.rest();
    let ends = |octet: u8| matches!(octet, b';' | b',' | b' ' | b'\t');
    let length = rest.bytes().position(ends).unwrap_or(rest.len());
    let text = rest.get(..length).unwrap_or("");
    looked_at(length);
    if let Some(at) = memchr::memchr(b'?', text.as_bytes()) {
        return Err(ParseError::new(ParseKind::Syntax(Fault::Character), at).shifted(start));
    }
    cursor.advance(length);
    read_uri(text, form).map_err(|error| error.shifted(start))
}

fn read_uri(text: &str, form: AddrForm) -> Result<Uri<'_>, ParseError> {
    if form == AddrForm::Contact { Uri::parse_contact(text) } else { Uri::parse(text) }
}

impl<'a> Read<'a> for NameAddr<'a> {
    /// `tag` may stand once (RFC 3261 §7.3.1).
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let mut tag = None;
        let mut address = Self::read_form(cursor, AddrForm::Either, |param, place| {
            if param.is("tag")
                && (tag.replace(param.value.unwrap_or("")).is_some() || !tag.is_some_and(is_token))
            {
                return Err(place.fail(Fault::Param));
            }
            Ok(())
        })?;
        address.tag = tag;
        Ok(address)
    }
}

impl fmt::Display for NameAddr<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = self.display {
            write!(out, "{display} ")?;
        }
        if self.bracketed {
            write!(out, "<{}>{}", self.uri, self.params.as_str())
        } else {
            write!(out, "{}{}", self.uri, self.params.as_str())
        }
    }
}

/// Writes an address: `display` is plain text and is quoted, `uri` a URI, and the parameters' values are quoted
/// where they are no tokens.
pub fn write_name_addr(display: Option<&str>, uri: &str, params: &[(&str, Option<&str>)]) -> String {
    let mut out = String::with_capacity(uri.len().saturating_add(32));
    if let Some(display) = display {
        push_quoted(&mut out, display);
        out.push(' ');
    }
    out.push('<');
    out.push_str(uri);
    out.push('>');
    for (name, value) in params {
        out.push(';');
        out.push_str(name);
        if let Some(value) = value {
            out.push('=');
            if !value.is_empty() && value.bytes().all(|octet| is(octet, TOKEN)) {
                out.push_str(value);
            } else {
                push_quoted(&mut out, value);
            }
        }
    }
    out
}
