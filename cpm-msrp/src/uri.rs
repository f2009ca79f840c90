//! The MSRP URI: `msrp-scheme "://" authority ["/" session-id] ";" transport *( ";" URI-parameter )`
//! (RFC 4975 §9).

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

use crate::Limits;
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A checked MSRP URI, borrowing its text. Equality is the comparison of RFC 4975 §6.1.
///
/// ```
/// use cpm_msrp::{Limits, MsrpUri};
/// let uri = MsrpUri::parse("msrps://bob.example.com:8493/si438dsaodes;tcp", &Limits::default())?;
/// assert_eq!(uri.port(), Some(8493));
/// assert_eq!(uri.session_id(), Some("si438dsaodes"));
/// # Ok::<(), cpm_msrp::UriError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MsrpUri<'a> {
    text: &'a str,
    secure: bool,
    host: &'a str,
    port: Option<u16>,
    session_id: Option<&'a str>,
    transport: &'a str,
    params: &'a str,
}

/// Why a text is no MSRP URI, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct UriError {
    /// What is wrong.
    pub kind: UriErrorKind,
    /// Byte offset of the fault in the text given.
    pub offset: u32,
}

/// The kinds of fault in an MSRP URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum UriErrorKind {
    /// Neither `msrp://` nor `msrps://`.
    #[error("not an MSRP scheme")]
    Scheme,
    /// The host is empty or has a character that RFC 3986 §3.2.2 does not allow.
    #[error("bad host")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("bad port")]
    Port,
    /// The session-id is empty or has a character outside of its set.
    #[error("bad session-id")]
    SessionId,
    /// The transport is missing or no alphanumeric word.
    #[error("bad transport")]
    Transport,
    /// A URI parameter is no `token` or `token=token`.
    #[error("bad URI parameter")]
    Param,
    /// Longer than the limit.
    #[error("too long")]
    TooLong,
    /// More URIs in a path than the limit.
    #[error("too many hops")]
    TooManyHops,
}

fn fault<T>(kind: UriErrorKind, offset: usize) -> Result<T, UriError> {
    Err(UriError { kind, offset: u32::try_from(offset).unwrap_or(u32::MAX) })
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_sub_delim(byte: u8) -> bool {
    matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

/// `token` of RFC 4975 §9, as in RFC 3261.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Offset of the first byte outside of `set` or of a broken percent escape.
fn first_outside(text: &str, set: impl Fn(u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut escaped = 0u8;
    for (at, &byte) in bytes.iter().enumerate() {
        if escaped > 0 {
            if !byte.is_ascii_hexdigit() {
                return Some(at);
            }
            escaped = escaped.saturating_sub(1);
        } else if byte == b'%' {
            escaped = 2;
        } else if !set(byte) {
            return Some(at);
        }
    }
    (escaped > 0).then_some(bytes.len())
}

impl<'a> MsrpUri<'a> {
    /// Reads one URI; the whole text must be it.
    ///
    /// # Errors
    /// The kind of fault and its byte offset.
    // spec: RFC4975-9
    pub fn parse(text: &'a str, limits: &Limits) -> Result<Self, UriError> {
        if text.len() > limits.uri_bytes {
            return fault(UriErrorKind::TooLong, limits.uri_bytes);
        }
        let Some((scheme, rest)) = text.split_once("://") else { return fault(UriErrorKind::Scheme, 0) };
        let secure = if scheme.eq_ignore_ascii_case("msrp") {
            false
        } else if scheme.eq_ignore_ascii_case("msrps") {
            true
        } else {
            return fault(UriErrorKind::Scheme, 0);
        };
        let at = |part: &str| text.len().saturating_sub(part.len());
        // The authority may itself hold ';' (a sub-delim), so a session-id is looked for first: the first '/'
        // ends the authority. Without one, the first ';' does.
        let (authority, session_id, tail) = match rest.split_once('/') {
            Some((authority, path)) => match path.split_once(';') {
                Some((id, tail)) => (authority, Some(id), tail),
                None => return fault(UriErrorKind::Transport, text.len()),
            },
            None => match rest.split_once(';') {
                Some((authority, tail)) => (authority, None, tail),
                None => return fault(UriErrorKind::Transport, text.len()),
            },
        };
        let authority_at = at(rest);
        let (host, host_at) = match authority.rsplit_once('@') {
            Some((user, host)) => {
                if let Some(bad) = first_outside(user, |b| is_unreserved(b) || is_sub_delim(b) || b == b':') {
                    return fault(UriErrorKind::Host, authority_at.saturating_add(bad));
                }
                (host, authority_at.saturating_add(user.len()).saturating_add(1))
            }
            None => (authority, authority_at),
        };
        let (host, port) = split_port(host, host_at)?;
        if let Some(id) = session_id {
            let id_at = authority_at.saturating_add(authority.len()).saturating_add(1);
            let bad = id.bytes().position(|b| !(is_unreserved(b) || matches!(b, b'+' | b'=' | b'/')));
            if let Some(bad) = bad.or(id.is_empty().then_some(0)) {
                return fault(UriErrorKind::SessionId, id_at.saturating_add(bad));
            }
        }
        let (transport, params) = tail.split_once(';').unwrap_or((tail, ""));
        if transport.is_empty() || !transport.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return fault(UriErrorKind::Transport, at(tail));
        }
        if tail.len() > transport.len() {
            let mut offset = at(params);
            for param in params.split(';') {
                let (name, value) = param.split_once('=').unwrap_or((param, "x"));
                if name.is_empty() || value.is_empty() || !name.bytes().chain(value.bytes()).all(is_token) {
                    return fault(UriErrorKind::Param, offset);
                }
                offset = offset.saturating_add(param.len()).saturating_add(1);
            }
        }
        Ok(Self { text, secure, host, port, session_id, transport, params })
    }

    /// The text as given.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// Whether the scheme is `msrps`.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host as written; an IPv6 address without its brackets.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The explicit port.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The session-id; names the session at the host. Case-sensitive.
    pub fn session_id(&self) -> Option<&'a str> {
        self.session_id
    }

    /// The transport, as written.
    pub fn transport(&self) -> &'a str {
        self.transport
    }

    /// Name and value of each URI parameter after the transport.
    pub fn params(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.params.split(';').filter(|p| !p.is_empty()).map(|p| match p.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (p, None),
        })
    }

    fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// Splits `host [":" port]` and checks both.
fn split_port(text: &str, at: usize) -> Result<(&str, Option<u16>), UriError> {
    let (host, port, port_at) = if let Some(inner) = text.strip_prefix('[') {
        let Some((host, rest)) = inner.split_once(']') else { return fault(UriErrorKind::Host, at) };
        if host.parse::<Ipv6Addr>().is_err() {
            return fault(UriErrorKind::Host, at);
        }
        let rest_at = at.saturating_add(host.len()).saturating_add(2);
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port), rest_at.saturating_add(1)),
            None if rest.is_empty() => (host, None, rest_at),
            None => return fault(UriErrorKind::Host, rest_at),
        }
    } else {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let bad = first_outside(host, |b| is_unreserved(b) || is_sub_delim(b));
        if let Some(bad) = bad.or(host.is_empty().then_some(0)) {
            return fault(UriErrorKind::Host, at.saturating_add(bad));
        }
        (host, port, at.saturating_add(host.len()).saturating_add(1))
    };
    let port = match port {
        None => None,
        Some(digits) => match digits.parse::<u16>() {
            Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Some(port),
            _ => return fault(UriErrorKind::Port, port_at),
        },
    };
    Ok((host, port))
}

/// Decodes the escapes of unreserved characters, the only ones that normalisation touches (RFC 3986 §6.2.2.2);
/// the rest of the text comes out in lower case.
fn normal(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|b| b == b'%' || b.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(&before.to_ascii_lowercase());
        let digits = after.get(..2).unwrap_or("");
        match u8::from_str_radix(digits, 16) {
            Ok(byte) if is_unreserved(byte) => out.push(char::from(byte.to_ascii_lowercase())),
            _ => {
                out.push('%');
                out.push_str(&digits.to_ascii_lowercase());
            }
        }
        rest = after.get(2..).unwrap_or("");
    }
    out.push_str(&rest.to_ascii_lowercase());
    Cow::Owned(out)
}

// spec: RFC4975-6.1
impl PartialEq for MsrpUri<'_> {
    fn eq(&self, other: &Self) -> bool {
        let hosts = match (self.address(), other.address()) {
            (Some(a), Some(b)) => a == b,
            (None, None) => normal(self.host) == normal(other.host),
            _ => false,
        };
        self.secure == other.secure
            && hosts
            && self.port == other.port
            && self.session_id == other.session_id
            && self.transport.eq_ignore_ascii_case(other.transport)
    }
}

impl Eq for MsrpUri<'_> {}

impl fmt::Display for MsrpUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

#[cfg(test)]
#[path = "uri_tests.rs"]
mod tests;
