//! The IMS Communication Service Identifiers of CPM and how they are written in header fields (CONV-TAG-001
//! to -003).

/// What all CPM service identifiers start with, in the literal form of `P-Preferred-Service`.
const LITERAL: &str = "urn:urn-7:3gpp-service.ims.icsi.";

/// One CPM service, as far as standalone messages are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Pager Mode standalone message, one to one.
    Message,
    /// Pager Mode standalone message to several or to a group. Stands in P-Preferred-Service and
    /// P-Asserted-Service only; feature tags carry [`Service::Message`] (CONV-TAG-004).
    MessageGroup,
    /// Delivery of a deferred standalone message.
    Deferred,
    /// Notifications and events.
    System,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Message, Self::MessageGroup, Self::Deferred, Self::System];

    /// What stands behind the common prefix.
    fn suffix(self) -> &'static str {
        match self {
            Self::Message => "oma.cpm.msg",
            Self::MessageGroup => "oma.cpm.msg.group",
            Self::Deferred => "oma.cpm.deferred",
            Self::System => "oma.cpm.systemmsg",
        }
    }

    /// The literal form, for `P-Preferred-Service` and `P-Asserted-Service`.
    // spec: CONV-TAG-001
    pub fn urn(self) -> &'static str {
        match self {
            Self::Message => "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg",
            Self::MessageGroup => "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg.group",
            Self::Deferred => "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.deferred",
            Self::System => "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.systemmsg",
        }
    }

    /// The form for `+g.3gpp.icsi-ref` in Contact and Accept-Contact. A group service is tagged as its base.
    // spec: CONV-TAG-001, CONV-TAG-004
    pub fn tag(self) -> &'static str {
        match self {
            Self::Message | Self::MessageGroup => "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg",
            Self::Deferred => "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.deferred",
            Self::System => "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.systemmsg",
        }
    }

    /// The service one identifier names, in either form; `None` for one that is none of these.
    pub fn of(identifier: &str) -> Option<Self> {
        let suffix = suffix_of(identifier.trim())?;
        Self::ALL.into_iter().find(|service| service.suffix().eq_ignore_ascii_case(suffix))
    }

    /// The value of one `Accept-Contact` header field that asks for Devices with this service.
    // spec: CONV-TAG-010
    pub fn accept_contact(self) -> String {
        format!("*;+g.3gpp.icsi-ref=\"{}\";require;explicit", self.tag())
    }
}

/// The service identifiers in the value of a `+g.3gpp.icsi-ref` parameter or of a service header field:
/// whole tokens between commas, in either form.
// spec: CONV-TAG-002, CONV-TAG-003
pub fn services(value: &str) -> impl Iterator<Item = Listed<'_>> {
    value.split(',').map(str::trim).filter(|token| !token.is_empty()).map(|token| match Service::of(token) {
        Some(service) => Listed::Known(service),
        None => Listed::Other(token),
    })
}

/// One identifier of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed<'a> {
    /// One of ours.
    Known(Service),
    /// Another one, as it was written.
    Other(&'a str),
}

/// What follows the common prefix, whose colons may be escaped.
fn suffix_of(identifier: &str) -> Option<&str> {
    let mut rest = identifier;
    for (at, piece) in LITERAL.split(':').enumerate() {
        if at > 0 {
            rest = match rest.strip_prefix(':') {
                Some(rest) => rest,
                None => strip_prefix_any_case(rest, "%3a")?,
            };
        }
        rest = strip_prefix_any_case(rest, piece)?;
    }
    Some(rest)
}

fn strip_prefix_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
