//! URIs: sip and sips (RFC 3261 §19.1), tel (RFC 3966), and everything else kept as it is.
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

mod escape;
mod host;
mod name_addr;
mod params;
mod sip;
mod tel;
#[cfg(test)]
mod tests;

pub use escape::{decode, escape_user};
pub use host::Host;
pub use name_addr::{NameAddr, write_name_addr};
pub use params::{Param, Params, UriParams, unquote};

pub(crate) use escape::push_escape;
pub(crate) use host::ipv6;
pub(crate) use params::push_quoted;
use sip::Ports;
pub(crate) use sip::port;
pub use sip::{SipUri, write_sip_uri};
pub use tel::TelUri;

pub(crate) use name_addr::AddrForm;

use crate::lex::{Cursor, Read, URI_CHAR, is, looked_at};
use crate::{Fault, ParseError};
use core::fmt;

/// A URI as it stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uri<'a> {
    /// `sip:` or `sips:`.
    Sip(SipUri<'a>),
    /// `tel:`.
    Tel(TelUri<'a>),
    /// Any other scheme; only its characters are checked.
    Other(&'a str),
}

impl<'a> Uri<'a> {
    /// Reads a text that is one URI.
    ///
    /// # Errors
    /// [`Fault::Uri`] and the more exact faults of its parts.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        Self::read(text, Ports::Strict)
    }

    /// Reads the URI of a Contact, which may have a port that is none ([`SipUri::without_void_port`]).
    pub(crate) fn parse_contact(text: &'a str) -> Result<Self, ParseError> {
        Self::read(text, Ports::VoidAllowed)
    }

    fn read(text: &'a str, ports: Ports) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text);
        if text.as_bytes().first_chunk::<4>().is_some_and(|start| start.eq_ignore_ascii_case(b"sip:")) {
            cursor.advance(4);
            return SipUri::read_rest(text, cursor, false, ports).map(Self::Sip);
        }
        let scheme = scheme(&mut cursor)?;
        if scheme.eq_ignore_ascii_case("sips") {
            SipUri::read_rest(text, cursor, true, ports).map(Self::Sip)
        } else if scheme.eq_ignore_ascii_case("tel") {
            TelUri::read_rest(text, cursor).map(Self::Tel)
        } else {
            let rest = cursor.run(URI_CHAR);
            escape::check(rest).map_err(|at| ParseError::new(crate::ParseKind::Syntax(Fault::Escape), at))?;
            if rest.is_empty() || !cursor.is_end() {
                Err(cursor.fail(Fault::Uri))
            } else {
                Ok(Self::Other(text))
            }
        }
    }

    /// The URI as it stands in the message.
    pub fn as_str(&self) -> &'a str {
        match self {
            Self::Sip(uri) => uri.as_str(),
            Self::Tel(uri) => uri.as_str(),
            Self::Other(text) => text,
        }
    }

    /// The scheme in the letters of the message.
    pub fn scheme(&self) -> &'a str {
        self.as_str().split(':').next().unwrap_or("")
    }

    /// The sip or sips URI, if it is one.
    pub fn sip(&self) -> Option<&SipUri<'a>> {
        if let Self::Sip(uri) = self { Some(uri) } else { None }
    }

    /// The user part of a sip or sips URI, escapes as in the message.
    pub fn user(&self) -> Option<&'a str> {
        self.sip().and_then(SipUri::user)
    }

    /// The password of a sip or sips URI, escapes as in the message.
    pub fn password(&self) -> Option<&'a str> {
        self.sip().and_then(SipUri::password)
    }

    /// The host of a sip or sips URI.
    pub fn host(&self) -> Option<Host<'a>> {
        self.sip().map(SipUri::host)
    }

    /// The port of a sip or sips URI, if it names one.
    pub fn port(&self) -> Option<u16> {
        self.sip().and_then(SipUri::port)
    }

    /// The parameters of a sip, sips or tel URI; none of another.
    pub fn params(&self) -> UriParams<'a> {
        match self {
            Self::Sip(uri) => uri.params(),
            Self::Tel(uri) => uri.params(),
            Self::Other(_) => UriParams::default(),
        }
    }

    /// The text after `?` of a sip or sips URI.
    pub fn headers(&self) -> Option<&'a str> {
        self.sip().and_then(SipUri::headers)
    }

    /// The form under which addresses are stored and compared: for a sip or sips URI the address of record (RFC
    /// 3261 §10.3 step 5: host in lower case, escapes decoded where they need not be, no port, password, parameters
    /// or headers); for a tel URI the number without visual separators and its `phone-context`; else the URI with
    /// its scheme in lower case. The canonical form of a canonical form is itself.
    // spec: RFC3261-10.3
    pub fn canonical(&self) -> String {
        match self {
            Self::Sip(uri) => uri.canonical(),
            Self::Tel(uri) => uri.canonical(),
            Self::Other(text) => {
                let scheme = self.scheme();
                let mut canonical = scheme.to_ascii_lowercase();
                canonical.push_str(text.get(scheme.len()..).unwrap_or(""));
                canonical
            }
        }
    }

    /// Whether two URIs are equivalent: RFC 3261 §19.1.4 for sip and sips, RFC 3966 §4 for tel, else the same text
    /// but for the case of the scheme.
    // spec: RFC3261-19.1.4 RFC3966-4
    pub fn is_equivalent(&self, other: &Uri<'_>) -> bool {
        match (self, other) {
            (Self::Sip(one), Uri::Sip(two)) => one.is_equivalent(two),
            (Self::Tel(one), Uri::Tel(two)) => one.is_equivalent(two),
            (Self::Other(_), Uri::Other(_)) => self.canonical() == other.canonical(),
            _ => false,
        }
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// `scheme ":"`; leaves the cursor behind the colon.
fn scheme<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, ParseError> {
    let rest = cursor.rest();
    let length = rest.bytes().position(|octet| octet == b':').ok_or_else(|| cursor.fail(Fault::Uri))?;
    looked_at(length);
    let scheme = rest.get(..length).unwrap_or("");
    let mut octets = scheme.bytes();
    let starts = octets.next().is_some_and(|first| first.is_ascii_alphabetic());
    if !starts || !octets.all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.')) {
        return Err(cursor.fail(Fault::Uri));
    }
    cursor.advance(length.saturating_add(1));
    Ok(scheme)
}

impl<'a> Read<'a> for Uri<'a> {
    /// Reads the longest run of URI characters; a stand-alone URI is not part of a list.
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = cursor.at();
        let length = cursor.rest().bytes().position(|octet| !is(octet, URI_CHAR));
        cursor.advance(length.unwrap_or_else(|| cursor.rest().len()));
        Self::parse(cursor.since(start)).map_err(|error| error.shifted(start))
    }
}
