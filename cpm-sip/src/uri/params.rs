//! Parameters: `;name=value` of header field values and of URIs. Both are checked when they are read and walked
//! again on request; neither costs memory.

use super::escape;
use crate::lex::{Cursor, HOST, PARAM_CHAR, TOKEN};
use crate::{Fault, ParseError};
use std::borrow::Cow;

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name in the letters of the message. Names are case-insensitive.
    pub name: &'a str,
    /// The value as in the message, with its quotes; `None` without `=`.
    pub value: Option<&'a str>,
}

impl<'a> Param<'a> {
    /// Whether the parameter has this name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value without quotes and quoted pairs.
    pub fn unquoted(&self) -> Option<Cow<'a, str>> {
        self.value.map(unquote)
    }
}

/// The text inside a quoted string, quoted pairs resolved; other text as it is.
pub fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inside) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    let mut plain = String::with_capacity(inside.len());
    let mut letters = inside.chars();
    while let Some(letter) = letters.next() {
        let letter = if letter == '\\' { letters.next() } else { Some(letter) };
        plain.extend(letter);
    }
    Cow::Owned(plain)
}

/// Appends `text` as a quoted string.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') || (letter.is_ascii_control() && letter != '\t') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push('"');
}

/// The parameters of a header field value (RFC 3261 §25.1 `generic-param`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    text: &'a str,
    count: u16,
}

impl<'a> Params<'a> {
    /// The parameters with the semicolon before each, as in the message.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.text);
        core::iter::from_fn(move || next_param(&mut cursor).ok().flatten())
    }

    /// The first parameter of this name.
    pub fn find(&self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| param.is(name))
    }

    /// The value of the first parameter of this name; empty for one without a value.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.find(name).map(|param| param.value.unwrap_or(""))
    }

    /// Whether a parameter of this name is there.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Reads all parameters at the cursor and shows each to `each` with the place where it begins.
    pub(crate) fn read(
        cursor: &mut Cursor<'a>,
        mut each: impl FnMut(Param<'a>, Cursor<'a>) -> Result<(), ParseError>,
    ) -> Result<Self, ParseError> {
        let start = cursor.at();
        let mut end = *cursor;
        let mut count = 0_u16;
        loop {
            let before = *cursor;
            let Some(param) = next_param(cursor)? else { break };
            each(param, before)?;
            count = count.saturating_add(1);
            end = *cursor;
        }
        *cursor = end;
        Ok(Self { text: cursor.since(start), count })
    }
}

/// `SEMI generic-param`, or nothing.
fn next_param<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Param<'a>>, ParseError> {
    if !cursor.separator(b';') {
        return Ok(None);
    }
    let name = cursor.run(TOKEN);
    if name.is_empty() {
        return Err(cursor.fail(Fault::Param));
    }
    if !cursor.separator(b'=') {
        return Ok(Some(Param { name, value: None }));
    }
    let start = cursor.at();
    if cursor.peek() == Some(b'"') {
        let value = cursor.quoted()?;
        return Ok(Some(Param { name, value: Some(value) }));
    }
    // gen-value is a token, a host or a quoted string; `[`, `]` and `:` come from IPv6 hosts, bracketed or not.
    loop {
        cursor.skip(TOKEN | HOST);
        match cursor.peek() {
            Some(b'[' | b']' | b':') => cursor.advance(1),
            _ => break,
        }
    }
    let value = cursor.since(start);
    if value.is_empty() {
        return Err(cursor.fail(Fault::Param));
    }
    Ok(Some(Param { name, value: Some(value) }))
}

/// The parameters of a sip, sips or tel URI; names and values may hold percent escapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UriParams<'a> {
    text: &'a str,
}

impl<'a> UriParams<'a> {
    /// The parameters with the semicolon before each, as in the message.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The parameters in order, escapes as in the message.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        self.text.split(';').skip(1).map(|part| match part.split_once('=') {
            Some((name, value)) => Param { name, value: Some(value) },
            None => Param { name: part, value: None },
        })
    }

    /// The first parameter of this name, escapes in the name resolved (RFC 4475 §3.1.1.3).
    pub fn find(&self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| escape::decode(param.name).eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The value of the first parameter of this name, escapes as in the message; empty for one without a value.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.find(name).map(|param| param.value.unwrap_or(""))
    }

    /// Whether a parameter of this name is there.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// `*( ";" pname [ "=" pvalue ] )`
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = cursor.at();
        while cursor.eat(b';') {
            part(cursor, false)?;
            if cursor.eat(b'=') {
                part(cursor, true)?;
            }
        }
        Ok(Self { text: cursor.since(start) })
    }
}

/// A name or value of a URI parameter.
fn part(cursor: &mut Cursor<'_>, is_value: bool) -> Result<(), ParseError> {
    let start = *cursor;
    cursor.skip_escaped(PARAM_CHAR)?;
    // An empty value is not in the grammar, but `;lr=` and `;ob=` are sent and have one meaning only.
    if cursor.at() == start.at() && !is_value { Err(start.fail(Fault::Param)) } else { Ok(()) }
}
