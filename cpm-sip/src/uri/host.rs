//! Hosts (RFC 3261 §25.1 `host`, RFC 5118 for what IPv6 does to it).

use crate::lex::{Cursor, HOST};
use crate::{Fault, ParseError};
use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host of a URI, a Via sent-by or a parameter.
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    /// A domain name in the letters of the message.
    Name(&'a str),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

impl PartialEq for Host<'_> {
    /// Names compare without case, and without the dot that may end them.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(two)) => relative(one).eq_ignore_ascii_case(relative(two)),
            (Self::V4(one), Self::V4(two)) => one == two,
            (Self::V6(one), Self::V6(two)) => one == two,
            _ => false,
        }
    }
}

impl Eq for Host<'_> {}

fn relative(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl<'a> Host<'a> {
    /// Reads a text that is one host.
    ///
    /// # Errors
    /// [`Fault::Host`].
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text);
        let host = Self::read(&mut cursor)?;
        if cursor.is_end() { Ok(host) } else { Err(cursor.fail(Fault::Host)) }
    }

    /// The address, unless the host is a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(*address)),
            Self::V6(address) => Some(IpAddr::V6(*address)),
        }
    }

    pub(crate) fn push_canonical(&self, out: &mut String) {
        match self {
            Self::Name(name) => {
                out.extend(relative(name).bytes().map(|octet| char::from(octet.to_ascii_lowercase())))
            }
            Self::V4(address) => out.push_str(&address.to_string()),
            Self::V6(address) => {
                out.push('[');
                out.push_str(&address.to_string());
                out.push(']');
            }
        }
    }

    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = *cursor;
        if cursor.eat(b'[') {
            let length = cursor.rest().bytes().take(64).position(|octet| octet == b']');
            let length = length.ok_or_else(|| start.fail(Fault::Host))?;
            let address =
                cursor.rest().get(..length).and_then(ipv6).ok_or_else(|| start.fail(Fault::Host))?;
            cursor.advance(length.saturating_add(1));
            return Ok(Self::V6(address));
        }
        let text = cursor.run(HOST);
        name_or_ipv4(text).ok_or_else(|| start.fail(Fault::Host))
    }
}

/// `hostname` or `IPv4address`; the last label decides which, because it starts with a letter in a name only.
fn name_or_ipv4(text: &str) -> Option<Host<'_>> {
    let name = relative(text);
    let last = name.rsplit('.').next()?;
    if last.bytes().next()?.is_ascii_alphabetic() {
        let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        return (text.len() <= 255 && name.split('.').all(label)).then_some(Host::Name(text));
    }
    text.parse().ok().map(Host::V4)
}

/// An IPv6 address without brackets. The grammar of RFC 3261 allows a third colon before an embedded IPv4 address;
/// RFC 5118 §4.10 asks to take that as two.
// spec: RFC5118-4.10
pub(crate) fn ipv6(text: &str) -> Option<Ipv6Addr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (before, after) = text.split_once(":::")?;
    after.parse::<Ipv4Addr>().ok()?;
    let mut corrected = String::with_capacity(text.len());
    corrected.push_str(before);
    corrected.push_str("::");
    corrected.push_str(after);
    corrected.parse().ok()
}

impl From<IpAddr> for Host<'_> {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => out.write_str(name),
            Self::V4(address) => write!(out, "{address}"),
            Self::V6(address) => write!(out, "[{address}]"),
        }
    }
}
