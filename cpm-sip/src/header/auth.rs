//! The grammar of challenges and credentials (RFC 3261 §20.7, §20.27, §20.28, §20.44, RFC 7616, RFC 8760). What
//! the parameters mean is the business of the digest code.

use crate::lex::{Cursor, Read, TOKEN};
use crate::uri::{Param, push_quoted};
use crate::{Fault, ParseError};
use core::fmt;
use std::borrow::Cow;

/// `auth-param *(COMMA auth-param)`: the parameters of one challenge or of credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuthParams<'a> {
    text: &'a str,
    count: u16,
}

impl<'a> AuthParams<'a> {
    /// The parameters as in the message, or the one opaque word that some schemes have instead of any.
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

    /// The parameters in order; values with their quotes.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        // A token68 has no parameters.
        let mut cursor = Cursor::new(if self.count == 0 { "" } else { self.text });
        core::iter::from_fn(move || {
            if cursor.is_end() {
                return None;
            }
            let param = auth_param(&mut cursor).ok();
            cursor.separator(b',');
            param
        })
    }

    /// The first parameter of this name. A parameter may stand once only; readers that must be sure ask
    /// [`once`](Self::once).
    pub fn find(&self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| param.is(name))
    }

    /// The value of a parameter without its quotes.
    pub fn value(&self, name: &str) -> Option<Cow<'a, str>> {
        self.find(name).and_then(|param| param.unquoted())
    }

    /// The value of a parameter as in the message.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.find(name).and_then(|param| param.value)
    }

    /// The parameter, if it stands exactly once; `Err` if it stands more often.
    ///
    /// # Errors
    /// [`Fault::Param`] for a second one.
    pub fn once(&self, name: &str) -> Result<Option<Param<'a>>, Fault> {
        let mut found = self.iter().filter(|param| param.is(name));
        let first = found.next();
        if found.next().is_some() { Err(Fault::Param) } else { Ok(first) }
    }

    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = cursor.at();
        let mut count = 0_u16;
        loop {
            auth_param(cursor)?;
            count = count.saturating_add(1);
            if !cursor.separator(b',') {
                return Ok(Self { text: cursor.since(start), count });
            }
        }
    }
}

/// `auth-param-name EQUAL ( token / quoted-string )`
fn auth_param<'a>(cursor: &mut Cursor<'a>) -> Result<Param<'a>, ParseError> {
    let name = cursor.run(TOKEN);
    if name.is_empty() {
        return Err(cursor.fail(Fault::Param));
    }
    if !cursor.separator(b'=') {
        return Err(cursor.fail(Fault::Param));
    }
    let value = if cursor.peek() == Some(b'"') { cursor.quoted()? } else { cursor.token()? };
    Ok(Param { name, value: Some(value) })
}

/// One WWW-Authenticate or Proxy-Authenticate field. The comma separates parameters here, so one field holds one
/// challenge (RFC 3261 §7.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// The scheme in the letters of the message; `Digest` is the one we answer.
    pub scheme: &'a str,
    /// The parameters.
    pub params: AuthParams<'a>,
}

/// One Authorization or Proxy-Authorization field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// The scheme in the letters of the message.
    pub scheme: &'a str,
    /// The parameters.
    pub params: AuthParams<'a>,
}

impl Challenge<'_> {
    /// Whether the scheme is `Digest`.
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }
}

impl Credentials<'_> {
    /// Whether the scheme is `Digest`.
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }
}

fn read<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a str, AuthParams<'a>), ParseError> {
    let scheme = cursor.token()?;
    cursor.blank(Fault::Param)?;
    let mut ahead = *cursor;
    if let (false, Some(text)) = (scheme.eq_ignore_ascii_case("Digest"), token68(&mut ahead)) {
        *cursor = ahead;
        return Ok((scheme, AuthParams { text, count: 0 }));
    }
    Ok((scheme, AuthParams::read(cursor)?))
}

/// What Bearer and others have in place of parameters: one opaque word to the end of the field (RFC 7235 §2.1).
fn token68<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    let start = cursor.at();
    let rest = cursor.rest();
    let word =
        |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    let length = rest.bytes().position(|octet| !word(octet)).unwrap_or(rest.len());
    cursor.advance(length);
    while cursor.eat(b'=') {}
    let text = cursor.since(start);
    cursor.white();
    (length > 0 && cursor.is_end()).then_some(text)
}

impl<'a> Read<'a> for Challenge<'a> {
    // spec: RFC3261-20.44
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        read(cursor).map(|(scheme, params)| Self { scheme, params })
    }
}

impl<'a> Read<'a> for Credentials<'a> {
    // spec: RFC3261-20.7
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        read(cursor).map(|(scheme, params)| Self { scheme, params })
    }
}

impl fmt::Display for Challenge<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.scheme, self.params.text)
    }
}

impl fmt::Display for Credentials<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.scheme, self.params.text)
    }
}

/// The quoted string that stands for `text`, for parameters that must be quoted (realm, nonce, username...).
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    push_quoted(&mut out, text);
    out
}
