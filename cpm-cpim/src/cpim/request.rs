//! What a message asks of its recipient: the IMDN headers (RFC 5438 §6, §10).

use std::{borrow::Cow, fmt};

use super::{Address, escape};
use crate::{
    ParseKind,
    text::{is_name_char, is_token, is_token_char, trim_lws},
};

/// One kind of disposition notification that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Disposition {
    /// `positive-delivery`.
    PositiveDelivery,
    /// `negative-delivery`.
    NegativeDelivery,
    /// `processing`.
    Processing,
    /// `display`.
    Display,
    /// `interworking` (CONV-BODY-007).
    Interworking,
}

impl Disposition {
    /// All, in the order in which they are written.
    pub const ALL: [Self; 5] =
        [Self::PositiveDelivery, Self::NegativeDelivery, Self::Processing, Self::Display, Self::Interworking];

    /// The token on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PositiveDelivery => "positive-delivery",
            Self::NegativeDelivery => "negative-delivery",
            Self::Processing => "processing",
            Self::Display => "display",
            Self::Interworking => "interworking",
        }
    }

    fn of(token: &[u8]) -> Option<Self> {
        match token {
            b"positive-delivery" => Some(Self::PositiveDelivery),
            b"negative-delivery" => Some(Self::NegativeDelivery),
            b"processing" => Some(Self::Processing),
            b"display" => Some(Self::Display),
            b"interworking" => Some(Self::Interworking),
            _ => None,
        }
    }
}

/// A set of [`Disposition`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dispositions {
    /// `positive-delivery` is asked for.
    pub positive_delivery: bool,
    /// `negative-delivery` is asked for.
    pub negative_delivery: bool,
    /// `processing` is asked for.
    pub processing: bool,
    /// `display` is asked for.
    pub display: bool,
    /// `interworking` is asked for.
    pub interworking: bool,
}

impl Dispositions {
    /// Nothing asked for.
    pub const NONE: Self = Self {
        positive_delivery: false,
        negative_delivery: false,
        processing: false,
        display: false,
        interworking: false,
    };

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Whether this one is asked for.
    #[must_use]
    pub const fn contains(self, one: Disposition) -> bool {
        match one {
            Disposition::PositiveDelivery => self.positive_delivery,
            Disposition::NegativeDelivery => self.negative_delivery,
            Disposition::Processing => self.processing,
            Disposition::Display => self.display,
            Disposition::Interworking => self.interworking,
        }
    }

    /// Adds one.
    pub fn insert(&mut self, one: Disposition) {
        *match one {
            Disposition::PositiveDelivery => &mut self.positive_delivery,
            Disposition::NegativeDelivery => &mut self.negative_delivery,
            Disposition::Processing => &mut self.processing,
            Disposition::Display => &mut self.display,
            Disposition::Interworking => &mut self.interworking,
        } = true;
    }
}

impl FromIterator<Disposition> for Dispositions {
    fn from_iter<I: IntoIterator<Item = Disposition>>(items: I) -> Self {
        let mut set = Self::NONE;
        for one in items {
            set.insert(one);
        }
        set
    }
}

/// The header value: the tokens joined by a comma and a space.
impl fmt::Display for Dispositions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for one in Disposition::ALL.into_iter().filter(|d| self.contains(*d)) {
            write!(f, "{separator}{}", one.as_str())?;
            separator = ", ";
        }
        Ok(())
    }
}

/// One entry of `Disposition-Notification`, known or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The token as written.
    pub token: &'a str,
    /// What it asks for; unknown tokens are to be ignored (RFC 5438 §7.2.1).
    pub disposition: Option<Disposition>,
    parameters: &'a str,
}

impl<'a> Asked<'a> {
    /// The parameters: name and raw value (a string keeps its quotes).
    pub fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        Split { rest: self.parameters, separator: b';' }
            .filter_map(|p| p.split_once('='))
            .map(|(name, value)| (trim_lws(name), trim_lws(value)))
    }
}

/// The entries of one `Disposition-Notification` value; `Err` for what is no `notify-req`.
// spec: CONV-BODY-007
pub(crate) fn asked(value: &str) -> impl Iterator<Item = Result<Asked<'_>, ParseKind>> {
    let entries = if trim_lws(value).is_empty() { "" } else { value };
    Split { rest: entries, separator: b',' }.map(|entry| {
        let entry = trim_lws(entry);
        let (token, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        let token = trim_lws(token);
        if !is_token(token) || entry.contains(';') && !parameters_are_valid(parameters) {
            return Err(ParseKind::Disposition);
        }
        Ok(Asked { token, disposition: Disposition::of(token.as_bytes()), parameters })
    })
}

/// Adds the known entries of a value to a set. Malformed and unknown entries are ignored.
pub(crate) fn collect(value: &str, set: &mut Dispositions) {
    if memchr::memchr2(b'"', b';', value.as_bytes()).is_some() {
        asked(value).filter_map(Result::ok).filter_map(|a| a.disposition).for_each(|d| set.insert(d));
        return;
    }
    // Without parameters no comma can be quoted.
    let mut rest = value.as_bytes();
    while !rest.is_empty() {
        let end = rest.iter().position(|&b| b == b',').unwrap_or(rest.len());
        let (entry, more) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        if let Some(one) = Disposition::of(entry.trim_ascii()) {
            set.insert(one);
        }
        rest = more.get(1..).unwrap_or(&[]);
    }
}

fn parameters_are_valid(parameters: &str) -> bool {
    !parameters.is_empty()
        && Split { rest: parameters, separator: b';' }.all(|p| {
            p.split_once('=').is_some_and(|(name, value)| {
                let (name, value) = (trim_lws(name), trim_lws(value));
                !name.is_empty() && name.bytes().all(is_name_char) && parameter_value_is_valid(value)
            })
        })
}

/// `Param-value` of RFC 3862 §3.6: Token, Number or String.
fn parameter_value_is_valid(value: &str) -> bool {
    match value.strip_prefix('"') {
        Some(quoted) => {
            super::address::closing_quote(quoted).is_some_and(|end| end.checked_add(1) == Some(quoted.len()))
        }
        None => !value.is_empty() && value.bytes().all(is_token_char),
    }
}

/// Splits at a separator outside strings in double quotes. An empty text has no items.
pub(super) fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    Split { rest: text, separator }
}

struct Split<'a> {
    rest: &'a str,
    separator: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let (mut quoted, mut escaped) = (false, false);
        let end = self.rest.bytes().position(|b| {
            match b {
                b'"' if !escaped => quoted = !quoted,
                b if b == self.separator && !quoted => return true,
                _ => {}
            }
            escaped = quoted && b == b'\\' && !escaped;
            false
        });
        let item = match end {
            Some(end) => {
                let item = self.rest.get(..end).unwrap_or("");
                let rest = self.rest.get(end..).and_then(|r| r.get(1..)).unwrap_or("");
                // A separator at the very end is followed by an empty item.
                self.rest = if rest.is_empty() { " " } else { rest };
                item
            }
            None => std::mem::take(&mut self.rest),
        };
        Some(item)
    }
}

/// The IMDN request of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImdnRequest<'a> {
    /// `imdn.Message-ID`.
    pub message_id: Cow<'a, str>,
    /// `DateTime` of the message, as written.
    pub datetime: &'a str,
    /// What is asked for; never empty.
    pub wanted: Dispositions,
    /// `imdn.Original-To`.
    pub original_to: Option<Address<'a>>,
}

/// `Message-ID` of RFC 5438 §10. Writers use a Token; readers take anything without white space.
// spec: CONV-BODY-006
pub(crate) fn message_id(value: &str) -> Result<Cow<'_, str>, ParseKind> {
    let value = trim_lws(value);
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
        return Ok(Cow::Borrowed(value));
    }
    let value = escape::decode(value);
    if value.is_empty() || value.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(ParseKind::MessageId);
    }
    Ok(value)
}
