//! sip and sips URIs (RFC 3261 §19.1).

use super::{Host, UriParams, escape};
use crate::lex::{Cursor, HEADER_CHAR, PASSWORD, USER, is, looked_at};
use crate::{Fault, ParseError};
use core::fmt;
use std::borrow::Cow;
use std::fmt::Write;

/// A sip or sips URI. The parts are borrowed from the message, escapes and letters as they stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipUri<'a> {
    text: &'a str,
    secure: bool,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: Host<'a>,
    port: Option<u16>,
    /// Where a port that is none stands in `text` and how long it is, with its colon; see
    /// [`SipUri::without_void_port`].
    void_port: Option<(u16, u8)>,
    params: UriParams<'a>,
    headers: Option<&'a str>,
}

/// What stands after the host.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    /// A port, or none.
    Strict,
    /// Also `-` and digits, which mean none: liblinphone writes `:-2` into the Contact of a REGISTER while it has
    /// bound no port of its own, over a connection that tells where it is.
    VoidAllowed,
}

impl<'a> SipUri<'a> {
    /// The URI as it stands in the message.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// `sips:`.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The user part, escapes as in the message. It may hold parameters of its own (a telephone-subscriber).
    pub fn user(&self) -> Option<&'a str> {
        self.user
    }

    /// The password, escapes as in the message.
    pub fn password(&self) -> Option<&'a str> {
        self.password
    }

    /// The host.
    pub fn host(&self) -> Host<'a> {
        self.host
    }

    /// The URI without a port that is none. Only a Contact may have one, and no text but this should be kept.
    pub fn without_void_port(&self) -> Cow<'a, str> {
        let parts = self.void_port.and_then(|(at, length)| {
            let (before, rest) = self.text.split_at_checked(at.into())?;
            Some((before, rest.get(length.into()..)?))
        });
        parts.map_or(Cow::Borrowed(self.text), |(before, after)| Cow::Owned(format!("{before}{after}")))
    }

    /// The port, if the URI names one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters.
    pub fn params(&self) -> UriParams<'a> {
        self.params
    }

    /// The text after `?`.
    pub fn headers(&self) -> Option<&'a str> {
        self.headers
    }

    /// `scheme:` is behind the cursor.
    // spec: RFC3261-19.1.1
    pub(super) fn read_rest(
        text: &'a str,
        mut cursor: Cursor<'a>,
        secure: bool,
        ports: Ports,
    ) -> Result<Self, ParseError> {
        let (mut user, mut password) = (None, None);
        looked_at(cursor.rest().len());
        if memchr::memchr(b'@', cursor.rest().as_bytes()).is_some() {
            user = Some(escaped_run(&mut cursor, USER)?);
            if user == Some("") {
                return Err(cursor.fail(Fault::Uri));
            }
            if cursor.eat(b':') {
                password = Some(escaped_run(&mut cursor, PASSWORD)?);
            }
            if !cursor.eat(b'@') {
                return Err(cursor.fail(Fault::Character));
            }
        }
        let host = Host::read(&mut cursor)?;
        let at = cursor.at();
        let (mut number, mut void_port) = (None, None);
        if cursor.eat(b':') {
            if ports == Ports::VoidAllowed && cursor.eat(b'-') {
                port(&mut cursor)?;
                let length = cursor.at().saturating_sub(at);
                let place = (u16::try_from(at), u8::try_from(length));
                let (Ok(at), Ok(length)) = place else { return Err(cursor.fail(Fault::Port)) };
                void_port = Some((at, length));
            } else {
                number = Some(port(&mut cursor)?);
            }
        }
        let params = UriParams::read(&mut cursor)?;
        let headers = if cursor.eat(b'?') { Some(headers(&mut cursor)?) } else { None };
        if !cursor.is_end() {
            return Err(cursor.fail(Fault::Character));
        }
        Ok(Self { text, secure, user, password, host, port: number, void_port, params, headers })
    }

    /// See [`Uri::canonical`](super::Uri::canonical).
    pub fn canonical(&self) -> String {
        let mut out = String::with_capacity(self.text.len());
        out.push_str(if self.secure { "sips:" } else { "sip:" });
        if let Some(user) = self.user {
            escape::push_normal(&mut out, user, USER);
            out.push('@');
        }
        self.host.push_canonical(&mut out);
        out
    }

    /// RFC 3261 §19.1.4.
    // spec: RFC3261-19.1.4
    pub fn is_equivalent(&self, other: &SipUri<'_>) -> bool {
        self.secure == other.secure
            && same(self.user, other.user)
            && same(self.password, other.password)
            && self.host == other.host
            && self.port == other.port
            && self.params_match(other)
            && headers_match(self.headers, other.headers)
    }

    /// Parameters in both must agree; user, ttl, method, maddr and transport in one only never match; the others
    /// are ignored then.
    fn params_match(&self, other: &SipUri<'_>) -> bool {
        let agrees = |one: &SipUri<'_>, two: &SipUri<'_>| {
            one.params.iter().all(|param| {
                let name = escape::decode(param.name);
                let twin =
                    two.params.iter().find(|twin| escape::decode(twin.name).eq_ignore_ascii_case(&name));
                match twin {
                    Some(twin) => same_without_case(param.value, twin.value),
                    None => !MUST_MATCH.iter().any(|must| name.eq_ignore_ascii_case(must.as_bytes())),
                }
            })
        };
        agrees(self, other) && agrees(other, self)
    }
}

const MUST_MATCH: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

fn same(one: Option<&str>, two: Option<&str>) -> bool {
    one.map(escape::decode) == two.map(escape::decode)
}

fn same_without_case(one: Option<&str>, two: Option<&str>) -> bool {
    escape::decode(one.unwrap_or("")).eq_ignore_ascii_case(&escape::decode(two.unwrap_or("")))
}

/// Header components never are ignored: both have the same, in any order (names without case).
fn headers_match(one: Option<&str>, two: Option<&str>) -> bool {
    fn sorted(text: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut parts: Vec<_> = text
            .split('&')
            .map(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                (escape::decode(name).to_ascii_lowercase(), escape::decode(value).into_owned())
            })
            .collect();
        parts.sort();
        parts
    }
    match (one, two) {
        (None, None) => true,
        (Some(one), Some(two)) => sorted(one) == sorted(two),
        _ => false,
    }
}

/// Octets of a class and escapes.
fn escaped_run<'a>(cursor: &mut Cursor<'a>, class: u16) -> Result<&'a str, ParseError> {
    let start = cursor.at();
    cursor.skip_escaped(class)?;
    Ok(cursor.since(start))
}

/// 1 to 65535.
pub(crate) fn port(cursor: &mut Cursor<'_>) -> Result<u16, ParseError> {
    let start = *cursor;
    let value = cursor.number_or_above().map_err(|_| start.fail(Fault::Port))?;
    match value.and_then(|value| u16::try_from(value).ok()) {
        Some(value) if value > 0 => Ok(value),
        _ => Err(start.fail(Fault::Port)),
    }
}

/// `header *( "&" header )`
fn headers<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, ParseError> {
    let start = cursor.at();
    loop {
        if escaped_run(cursor, HEADER_CHAR)?.is_empty() {
            return Err(cursor.fail(Fault::Uri));
        }
        cursor.expect(b'=', Fault::Uri)?;
        escaped_run(cursor, HEADER_CHAR)?;
        if !cursor.eat(b'&') {
            return Ok(cursor.since(start));
        }
    }
}

impl fmt::Display for SipUri<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.text)
    }
}

/// Writes a sip or sips URI. `user` is plain text and is escaped; so are parameter names and values.
pub fn write_sip_uri(
    secure: bool,
    user: Option<&str>,
    host: &Host<'_>,
    port: Option<u16>,
    params: &[(&str, Option<&str>)],
) -> String {
    let mut out = String::from(if secure { "sips:" } else { "sip:" });
    if let Some(user) = user {
        out.push_str(&escape::escape_user(user));
        out.push('@');
    }
    let _ = write!(out, "{host}"); // a String takes everything
    if let Some(port) = port {
        let _ = write!(out, ":{port}");
    }
    for (name, value) in params {
        out.push(';');
        push_param(&mut out, name);
        if let Some(value) = value {
            out.push('=');
            push_param(&mut out, value);
        }
    }
    out
}

fn push_param(out: &mut String, text: &str) {
    for octet in text.bytes() {
        if is(octet, crate::lex::PARAM_CHAR) {
            out.push(char::from(octet));
        } else {
            escape::push_escape(out, octet);
        }
    }
}
