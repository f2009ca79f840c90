//! Feature parameters (RFC 3840) and Accept-Contact (RFC 3841).

use super::address::instance;
use crate::lex::{Cursor, Read, TOKEN, is};
use crate::uri::{Params, decode};
use crate::{Fault, ParseError};
use std::borrow::Cow;

/// The name of the parameter that carries communication service identifiers (3GPP TS 24.229).
const ICSI_REF: &str = "+g.3gpp.icsi-ref";

/// One Accept-Contact value: which of the registered contacts the caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptContact<'a> {
    params: Params<'a>,
}

impl<'a> AcceptContact<'a> {
    /// All parameters, `require` and `explicit` included.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// Contacts that do not match are dropped (RFC 3841 §9.2).
    pub fn is_required(&self) -> bool {
        self.params.has("require")
    }

    /// Contacts match only with features they registered (RFC 3841 §9.2).
    pub fn is_explicit(&self) -> bool {
        self.params.has("explicit")
    }

    /// `+sip.instance` without quotes and angle brackets.
    pub fn instance(&self) -> Option<&'a str> {
        instance(self.params)
    }

    /// The service identifiers asked for.
    pub fn icsi(&self) -> FeatureTokens<'a> {
        FeatureTokens::of(self.params, ICSI_REF)
    }
}

impl<'a> Read<'a> for AcceptContact<'a> {
    // spec: RFC3841-9.2
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        cursor.expect(b'*', Fault::Token)?;
        let params = Params::read(cursor, |_, _| Ok(()))?;
        Ok(Self { params })
    }
}

/// The tokens of one feature parameter: a comma list in a quoted string, each percent-escaped or literal. A
/// parameter that stands several times is read as one list.
// spec: CONV-TAG-001 CONV-TAG-002 CONV-TAG-003
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureTokens<'a> {
    params: Params<'a>,
    name: &'static str,
}

impl<'a> FeatureTokens<'a> {
    /// The tokens of the parameter `name` in the parameters of a Contact or Accept-Contact.
    pub fn of(params: Params<'a>, name: &'static str) -> Self {
        Self { params, name }
    }

    /// The communication service identifiers in the parameters of a Contact.
    pub fn icsi(params: Params<'a>) -> Self {
        Self::of(params, ICSI_REF)
    }

    /// The tokens, escapes resolved once. A token that is not UTF-8 then is left out.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        let name = self.name;
        let values = self.params.iter().filter(move |param| param.is(name)).filter_map(|param| param.value);
        values.flat_map(|value| value.trim_matches('"').split(',')).filter_map(|token| {
            match decode(token.trim()) {
                Cow::Borrowed(octets) => core::str::from_utf8(octets).ok().map(Cow::Borrowed),
                Cow::Owned(octets) => String::from_utf8(octets).ok().map(Cow::Owned),
            }
        })
    }

    /// Whether `token` is one of them, as a whole and without case; never as a part of another.
    pub fn has(&self, token: &str) -> bool {
        self.iter().any(|one| one.eq_ignore_ascii_case(token))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// The percent-escaped form of a URN for a feature parameter: what is no token octet is escaped, and `%` itself.
// spec: CONV-TAG-001
pub fn escape_urn(urn: &str) -> String {
    let mut out = String::with_capacity(urn.len().saturating_add(16));
    for octet in urn.bytes() {
        if is(octet, TOKEN) && octet != b'%' {
            out.push(char::from(octet));
        } else {
            crate::uri::push_escape(&mut out, octet);
        }
    }
    out
}
