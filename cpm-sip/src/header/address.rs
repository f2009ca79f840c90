//! Contact (RFC 3261 §20.10), the Route family (§20.30, §20.34, RFC 3327, RFC 3608) and the identities of RFC 3325.

use crate::lex::{Cursor, Read};
use crate::uri::{AddrForm, NameAddr, Params, Uri};
use crate::{Fault, ParseError};
use core::fmt;

/// One Contact value.
#[allow(clippy::large_enum_variant)] // read in place and dropped: a box would be the only allocation
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact<'a> {
    /// `*`: every binding, in a REGISTER with Expires 0 only.
    Any,
    /// An address.
    Address(ContactAddress<'a>),
}

/// An address of a Contact with the parameters every user of it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactAddress<'a> {
    address: NameAddr<'a>,
    q: Option<u16>,
    expires: Option<u32>,
}

impl<'a> ContactAddress<'a> {
    /// The address.
    pub fn address(&self) -> &NameAddr<'a> {
        &self.address
    }

    /// The URI.
    pub fn uri(&self) -> &Uri<'a> {
        self.address.uri()
    }

    /// The header parameters, feature parameters (RFC 3840) included.
    pub fn params(&self) -> Params<'a> {
        self.address.params()
    }

    /// The preference in thousandths, 0 to 1000.
    pub fn q(&self) -> Option<u16> {
        self.q
    }

    /// The lifetime asked for or granted, seconds.
    pub fn expires(&self) -> Option<u32> {
        self.expires
    }

    /// `+sip.instance` without quotes and angle brackets (RFC 5626 §4.1).
    pub fn instance(&self) -> Option<&'a str> {
        instance(self.params())
    }

    /// `reg-id` (RFC 5626 §4.2).
    pub fn reg_id(&self) -> Option<u32> {
        self.params().value("reg-id").and_then(|digits| digits.parse().ok())
    }
}

/// The instance-id in parameters, without quotes and angle brackets.
pub(super) fn instance(params: Params<'_>) -> Option<&str> {
    let value = params.value("+sip.instance")?;
    value.strip_prefix("\"<").and_then(|rest| rest.strip_suffix(">\"")).filter(|urn| !urn.is_empty())
}

/// `qvalue` in thousandths.
// spec: RFC3261-25.1
pub(super) fn qvalue(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let mut thousandths = match whole {
        "0" => 0_u16,
        "1" => 1000,
        _ => return None,
    };
    let mut unit = 100_u16;
    for digit in fraction.bytes() {
        thousandths = thousandths.saturating_add(unit.saturating_mul(u16::from(digit.saturating_sub(b'0'))));
        unit = unit.checked_div(10).unwrap_or(0);
    }
    (thousandths <= 1000).then_some(thousandths)
}

impl<'a> Read<'a> for Contact<'a> {
    // spec: RFC3261-20.10
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        if cursor.peek() == Some(b'*') {
            let mut star = *cursor;
            star.advance(1);
            star.white();
            if star.is_end() {
                *cursor = star;
                return Ok(Self::Any);
            }
        }
        let (mut q, mut expires) = (None, None);
        let (mut instances, mut reg_ids) = (0_u8, 0_u8);
        let address = NameAddr::read_form(cursor, AddrForm::Contact, |param, place| {
            let once = match param.name.len() {
                1 if param.is("q") => param.value.and_then(qvalue).map(|value| q.replace(value).is_none()),
                7 if param.is("expires") => {
                    // RFC 3261 §20.10: a malformed lifetime counts as one hour, an overlarge one as the largest.
                    let seconds = super::number::lenient_delta(param.value.unwrap_or(""));
                    Some(expires.replace(seconds).is_none())
                }
                6 if param.is("reg-id") => Some(core::mem::replace(&mut reg_ids, 1) == 0),
                13 if param.is("+sip.instance") => Some(core::mem::replace(&mut instances, 1) == 0),
                _ => Some(true),
            };
            if once == Some(true) { Ok(()) } else { Err(place.fail(Fault::Param)) }
        })?;
        Ok(Self::Address(ContactAddress { address, q, expires }))
    }
}

impl fmt::Display for Contact<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => out.write_str("*"),
            Self::Address(contact) => contact.address.fmt(out),
        }
    }
}

/// One value of Route, Record-Route, Path or Service-Route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    address: NameAddr<'a>,
}

impl<'a> Route<'a> {
    /// The address.
    pub fn address(&self) -> &NameAddr<'a> {
        &self.address
    }

    /// The URI.
    pub fn uri(&self) -> &Uri<'a> {
        self.address.uri()
    }

    /// Whether the element routes loosely (RFC 3261 §19.1.1 `lr`).
    pub fn is_loose(&self) -> bool {
        self.address.uri().params().has("lr")
    }
}

impl<'a> Read<'a> for Route<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let address = NameAddr::read_form(cursor, AddrForm::Bracketed, |_, _| Ok(()))?;
        Ok(Self { address })
    }
}

impl fmt::Display for Route<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(out)
    }
}

/// One value of P-Asserted-Identity, P-Preferred-Identity or P-Associated-URI. RFC 3325 gives the identities no
/// parameters, RFC 7315 gives P-Associated-URI some; a reader takes both.
pub(crate) struct Asserted<'a>(pub(crate) NameAddr<'a>);

impl<'a> Read<'a> for Asserted<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        NameAddr::read_form(cursor, AddrForm::Either, |_, _| Ok(())).map(Self)
    }
}
