//! Via (RFC 3261 §20.42, RFC 3581 for `rport`).

use crate::lex::{Cursor, Read};
use crate::uri::{Host, Param, Params, ipv6, port};
use crate::{Fault, ParseError};
use core::fmt;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

/// What a branch begins with that is unique across space and time (RFC 3261 §8.1.1.7).
pub const BRANCH_COOKIE: &str = "z9hG4bK";

/// One Via value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    transport: &'a str,
    host: Host<'a>,
    port: Option<u16>,
    branch: Option<&'a str>,
    received: Option<IpAddr>,
    rport: Option<Option<u16>>,
    maddr: Option<&'a str>,
    ttl: Option<u8>,
    params: Params<'a>,
}

impl<'a> Via<'a> {
    /// The transport token in the letters of the message; compare without case.
    pub fn transport(&self) -> &'a str {
        self.transport
    }

    /// The host of sent-by.
    pub fn host(&self) -> Host<'a> {
        self.host
    }

    /// The port of sent-by, if it names one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The branch.
    pub fn branch(&self) -> Option<&'a str> {
        self.branch
    }

    /// The branch, if it begins with the cookie of RFC 3261 and something follows it.
    pub fn unique_branch(&self) -> Option<&'a str> {
        let cookie = |branch: &&str| {
            branch.get(..BRANCH_COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(BRANCH_COOKIE))
                && branch.len() > BRANCH_COOKIE.len()
        };
        self.branch.filter(cookie)
    }

    /// The address the request came from, as an element on the way saw it.
    pub fn received(&self) -> Option<IpAddr> {
        self.received
    }

    /// `rport`: `Some(None)` asks for it, `Some(Some(port))` answers.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.rport
    }

    /// `maddr`.
    pub fn maddr(&self) -> Option<&'a str> {
        self.maddr
    }

    /// `ttl`.
    pub fn ttl(&self) -> Option<u8> {
        self.ttl
    }

    /// All parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    fn take(&mut self, param: Param<'a>, place: &Cursor<'a>) -> Result<(), ParseError> {
        let value = param.value;
        let fresh = match param.name.len() {
            6 if param.is("branch") => value
                .filter(|text| !text.is_empty())
                .map(|text| self.branch.replace(text))
                .map(|old| old.is_none()),
            8 if param.is("received") => {
                value.and_then(address).map(|address| self.received.replace(address).is_none())
            }
            5 if param.is("rport") => self.take_rport(value),
            5 if param.is("maddr") => value.map(|text| self.maddr.replace(text).is_none()),
            3 if param.is("ttl") => {
                value.and_then(|text| text.parse().ok()).map(|ttl| self.ttl.replace(ttl).is_none())
            }
            _ => Some(true),
        };
        if fresh == Some(true) { Ok(()) } else { Err(place.fail(Fault::Param)) }
    }

    fn take_rport(&mut self, value: Option<&str>) -> Option<bool> {
        let rport = match value {
            None => None,
            Some(digits) => {
                let mut cursor = Cursor::new(digits);
                let port = port(&mut cursor).ok()?;
                if !cursor.is_end() {
                    return None;
                }
                Some(port)
            }
        };
        Some(self.rport.replace(rport).is_none())
    }
}

/// The value of `received`: RFC 3261 has an IPv6 address there without brackets, senders also use them.
// spec: RFC5118-4.5
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bare {
        Some(bare) => ipv6(bare).map(IpAddr::V6),
        None => text.parse().ok().or_else(|| ipv6(text).map(IpAddr::V6)),
    }
}

impl<'a> Read<'a> for Via<'a> {
    // spec: RFC3261-20.42
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = *cursor;
        let protocol = cursor.token()?.eq_ignore_ascii_case("SIP");
        let slash = cursor.separator(b'/');
        if !protocol || !slash || cursor.token()? != "2.0" || !cursor.separator(b'/') {
            return Err(start.fail(Fault::Version));
        }
        let transport = cursor.token()?;
        cursor.blank(Fault::Token)?;
        let host = Host::read(cursor)?;
        let port = if cursor.separator(b':') { Some(port(cursor)?) } else { None };
        let mut via = Self {
            transport,
            host,
            port,
            branch: None,
            received: None,
            rport: None,
            maddr: None,
            ttl: None,
            params: Params::default(),
        };
        via.params = Params::read(cursor, |param, place| via.take(param, &place))?;
        Ok(via)
    }
}

impl fmt::Display for Via<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(out, ":{port}")?;
        }
        out.write_str(self.params.as_str())
    }
}

/// Writes a Via value of our own: with a branch, and asking for `rport` if wanted (RFC 3581 §3).
pub fn write_via(transport: &str, host: &Host<'_>, port: Option<u16>, branch: &str, rport: bool) -> String {
    let mut out = String::with_capacity(96);
    out.push_str("SIP/2.0/");
    out.push_str(transport);
    let _ = write!(out, " {host}"); // a String takes everything
    if let Some(port) = port {
        let _ = write!(out, ":{port}");
    }
    out.push_str(";branch=");
    out.push_str(branch);
    if rport {
        out.push_str(";rport");
    }
    out
}

impl Via<'_> {
    /// The text of a field whose first value gets `received` and `rport` by where the request came from; what
    /// follows the first value in the field stays. `None` if the field cannot be read.
    // spec: RFC3261-18.2.1 RFC3581-4
    pub(crate) fn with_source(field: &str, from: SocketAddr) -> Option<String> {
        let mut rest = Cursor::new(field);
        rest.white();
        let via = Via::read(&mut rest).ok()?;
        let mut out = String::with_capacity(field.len().saturating_add(64));
        let _ = write!(out, "SIP/2.0/{} {}", via.transport, via.host); // a String takes everything
        if let Some(port) = via.port {
            let _ = write!(out, ":{port}");
        }
        for param in via.params.iter().filter(|param| !param.is("received") && !param.is("rport")) {
            out.push(';');
            out.push_str(param.name);
            if let Some(value) = param.value {
                out.push('=');
                out.push_str(value);
            }
        }
        if via.rport.is_some() {
            let _ = write!(out, ";received={};rport={}", from.ip(), from.port());
        } else if via.host.ip() != Some(from.ip()) {
            let _ = write!(out, ";received={}", from.ip());
        }
        out.push_str(rest.rest());
        Some(out)
    }
}
