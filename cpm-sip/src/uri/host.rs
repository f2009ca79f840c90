//! Hosts (RFC 3261 §25.1 `host`, RFC 5118 for what IPv6 does to it).

use crate::lex::{Cursor, HOST, is};
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
        name_or_ipv4(cursor).ok_or_else(|| start.fail(Fault::Host))
    }
}

/// `hostname` or `IPv4address`; the last label decides which, because it starts with a letter in a name only.
fn name_or_ipv4<'a>(cursor: &mut Cursor<'a>) -> Option<Host<'a>> {
    let octets = cursor.rest().as_bytes();
    // Labels begin and end with a letter or digit, so a dot or hyphen stands beside neither end nor dot.
    let (mut len, mut before) = (0_usize, b'.');
    // What the last label began with; a dot at the end begins none.
    let mut first = 0_u8;
    for octet in octets {
        if !is(*octet, HOST) {
            break;
        }
        match (before, *octet) {
            (b'.', b'.' | b'-') | (b'-', b'.') => return None,
            (b'.', letter) => first = letter,
            _ => {}
        }
        before = *octet;
        len = len.wrapping_add(1);
    }
    let start = cursor.at();
    cursor.advance(len);
    let text = cursor.since(start);
    if first.is_ascii_alphabetic() && before != b'-' && len <= 255 {
        Some(Host::Name(text))
    } else {
        ipv4(text.as_bytes()).map(Host::V4)
    }
}

/// `1*3DIGIT "." 1*3DIGIT "." 1*3DIGIT "." 1*3DIGIT`, without leading zeros, which others read as octal.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut rest = text;
    for (at, slot) in octets.iter_mut().enumerate() {
        let digits = rest.iter().take(4).take_while(|octet| octet.is_ascii_digit()).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let value = number.iter().fold(0_u16, |value, digit| {
            value.wrapping_mul(10).wrapping_add(u16::from(digit.wrapping_sub(b'0')))
        });
        if digits == 0 || digits > 3 || (digits > 1 && number.first() == Some(&b'0')) {
            return None;
        }
        *slot = u8::try_from(value).ok()?;
        rest = if at == 3 { after } else { after.strip_prefix(b".")? };
    }
    rest.is_empty().then(|| Ipv4Addr::from(octets))
}

/// An IPv6 address without brackets. The grammar of RFC 3261 allows a third colon before an embedded IPv4 address;
/// RFC 5118 §4.10 asks to take that as two.
// spec: RFC5118-4.10
pub(crate) fn ipv6(text: &str) -> Option<Ipv6Addr> {
    let mut groups = [0_u16; 8];
    let (mut count, mut gap) = (0_usize, None);
    let mut rest = text.as_bytes();
    if let Some(after) = rest.strip_prefix(b"::") {
        (gap, rest) = (Some(0), after);
    }
    let mut corrected = rest.strip_prefix(b":");
    while !rest.is_empty() {
        if let Some(after) = corrected.take() {
            ipv4(after)?;
            rest = after;
        }
        let digits = rest.iter().take(5).take_while(|octet| octet.is_ascii_hexdigit()).count();
        let (group, after) = rest.split_at_checked(digits)?;
        if after.first() == Some(&b'.') {
            let [a, b, c, d] = ipv4(rest)?.octets();
            *groups.get_mut(count)? = u16::from_be_bytes([a, b]);
            *groups.get_mut(count.saturating_add(1))? = u16::from_be_bytes([c, d]);
            count = count.saturating_add(2);
            break;
        }
        if digits == 0 || digits > 4 {
            return None;
        }
        *groups.get_mut(count)? = group.iter().fold(0, |value, octet| (value << 4) | hex(*octet));
        count = count.saturating_add(1);
        rest = match after {
            [] => break,
            [b':', b':', after @ ..] if gap.is_none() => {
                gap = Some(count);
                corrected = after.strip_prefix(b":");
                after
            }
            // A colon and nothing, or another colon, is no address.
            [b':', after @ ..] if !matches!(after.first(), None | Some(b':')) => after,
            _ => return None,
        };
    }
    match gap {
        Some(gap) if count < 8 => groups.get_mut(gap..)?.rotate_right(8_usize.saturating_sub(count)),
        None if count == 8 => {}
        _ => return None,
    }
    Some(Ipv6Addr::from(groups))
}

fn hex(octet: u8) -> u16 {
    u16::from(if octet.is_ascii_digit() { octet & 15 } else { (octet & 15).wrapping_add(9) })
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
