//! The checks of RFC 3261 §8.1.1, §8.2 and §16.3 that a message must pass before anything acts on it.

use super::{HeaderId, Message, Method};
use crate::header::{CSeq, Contact, Via};
use crate::uri::{NameAddr, Params, Uri, UriParams};
use crate::{Fault, Limits, ParseError, ParseKind};

/// Checks what every element relies on: mandatory fields, their grammar, the method of the CSeq, the Request-URI, the
/// Via and Route lists and their limits. What only some elements understand (schemes, extensions, body types) is
/// theirs to judge. A message without branch, From tag or Max-Forwards passes: RFC 2543 allows it.
///
/// # Errors
/// The first fault found. For a request [`reject`](crate::reject) makes the answer, a response is dropped.
// spec: RFC3261-8.1.1 RFC3261-8.2.2 RFC3261-16.3
pub fn validate(message: &Message, limits: &Limits) -> Result<(), ParseError> {
    essentials(message, limits).map(drop)
}

/// What every message has, decoded on the way of its validation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Essentials<'m> {
    pub(crate) via: Via<'m>,
    /// How many Via values there are.
    pub(crate) vias: usize,
    pub(crate) from: NameAddr<'m>,
    pub(crate) to: NameAddr<'m>,
    pub(crate) call_id: &'m str,
    pub(crate) cseq: CSeq<'m>,
}

/// As [`validate`], for a caller that needs what was read.
pub(crate) fn essentials<'m>(message: &'m Message, limits: &Limits) -> Result<Essentials<'m>, ParseError> {
    if let Some(text) = message.request_uri() {
        request_uri(message, text, limits)?;
    }
    let (via, vias) = vias(message, limits)?;
    let from = message.from()?;
    address(message, HeaderId::From, &from, limits)?;
    let to = message.to()?;
    address(message, HeaderId::To, &to, limits)?;
    let call_id = message.call_id()?;
    let cseq = message.cseq()?;
    if message.method().is_some_and(|method| method != cseq.method) {
        return Err(at_field(message, HeaderId::CSeq, ParseKind::CSeqMethod));
    }
    message.max_forwards()?;
    message.expires()?;
    message.min_expires()?;
    contacts(message, limits)?;
    routes(
        message,
        HeaderId::Route,
        message.routes().map(|route| route.map(|route| *route.address())),
        limits,
    )?;
    routes(
        message,
        HeaderId::RecordRoute,
        message.record_routes().map(|route| route.map(|route| *route.address())),
        limits,
    )?;
    routes(message, HeaderId::HistoryInfo, message.history_info(), limits)?;
    if let Some(content_type) = message.content_type()? {
        within(message, HeaderId::ContentType, content_type.params(), limits)?;
    }
    for option in message.require().chain(message.proxy_require()) {
        option?;
    }
    Ok(Essentials { via, vias, from, to, call_id, cseq })
}

fn address(
    message: &Message,
    id: HeaderId,
    address: &NameAddr<'_>,
    limits: &Limits,
) -> Result<(), ParseError> {
    uri_within(message, id, address.uri(), limits)?;
    within(message, id, address.params(), limits)
}

fn at_field(message: &Message, id: HeaderId, kind: ParseKind) -> ParseError {
    ParseError::new(kind, message.parts(id).next().map_or(0, |part| usize::from(part.at)))
}

/// The Request-URI is a URI, and a sip or sips one holds no headers: they could steer the request (RFC 4475
/// §3.1.2.11).
// spec: RFC3261-19.1.1
fn request_uri(message: &Message, text: &str, limits: &Limits) -> Result<(), ParseError> {
    let at = message.method().map_or(0, |method| method.as_str().len().saturating_add(1));
    let fail =
        |fault, offset: usize| ParseError::new(ParseKind::RequestUri(fault), at.saturating_add(offset));
    let uri = Uri::parse(text).map_err(|error| {
        let fault = if let ParseKind::Syntax(fault) = error.kind { fault } else { Fault::Uri };
        fail(fault, usize::try_from(error.offset).unwrap_or(0))
    })?;
    if uri.headers().is_some() {
        return Err(fail(Fault::Uri, 0));
    }
    if uri.params().len() > limits.params {
        return Err(fail(Fault::Param, 0));
    }
    Ok(())
}

/// The top value and how many there are.
fn vias<'m>(message: &'m Message, limits: &Limits) -> Result<(Via<'m>, usize), ParseError> {
    let mut count = 0_usize;
    let mut top = None;
    for via in message.vias() {
        let via = via?;
        top = top.or(Some(via));
        count = count.saturating_add(1);
        if count > limits.vias {
            return Err(at_field(message, HeaderId::Via, ParseKind::TooMany(HeaderId::Via)));
        }
        within(message, HeaderId::Via, via.params(), limits)?;
    }
    top.map(|top| (top, count)).ok_or_else(|| ParseError::new(ParseKind::Missing(HeaderId::Via), 0))
}

fn routes<'m>(
    message: &Message,
    id: HeaderId,
    values: impl Iterator<Item = Result<NameAddr<'m>, ParseError>>,
    limits: &Limits,
) -> Result<(), ParseError> {
    for (at, value) in values.enumerate() {
        let value = value?;
        if at >= limits.routes {
            return Err(at_field(message, id, ParseKind::TooMany(id)));
        }
        uri_within(message, id, value.uri(), limits)?;
        within(message, id, value.params(), limits)?;
    }
    Ok(())
}

/// A `*` stands alone, in a REGISTER with Expires 0; an INVITE has one Contact at most (RFC 3261 §8.1.1.8, §10.2.2).
// spec: RFC3261-8.1.1.8 RFC3261-10.2.2
fn contacts(message: &Message, limits: &Limits) -> Result<(), ParseError> {
    let (mut count, mut any) = (0_usize, false);
    for contact in message.contacts() {
        count = count.saturating_add(1);
        match contact? {
            Contact::Any => any = true,
            Contact::Address(contact) => {
                uri_within(message, HeaderId::Contact, contact.uri(), limits)?;
                within(message, HeaderId::Contact, contact.params(), limits)?;
            }
        }
    }
    let several = ParseKind::Invalid(HeaderId::Contact, Fault::Several);
    let method = message.method();
    if any && (count > 1 || method != Some(Method::Register) || message.expires()? != Some(0)) {
        return Err(at_field(message, HeaderId::Contact, several));
    }
    if count > 1 && method == Some(Method::Invite) {
        return Err(at_field(message, HeaderId::Contact, several));
    }
    Ok(())
}

fn within(message: &Message, id: HeaderId, params: Params<'_>, limits: &Limits) -> Result<(), ParseError> {
    if params.len() > limits.params {
        Err(at_field(message, id, ParseKind::TooManyParams(id)))
    } else {
        Ok(())
    }
}

fn uri_within(message: &Message, id: HeaderId, uri: &Uri<'_>, limits: &Limits) -> Result<(), ParseError> {
    if uri.as_str().len() > limits.uri {
        return Err(at_field(message, id, ParseKind::Invalid(id, Fault::Range)));
    }
    let params: UriParams<'_> = uri.params();
    if params.len() > limits.params {
        Err(at_field(message, id, ParseKind::TooManyParams(id)))
    } else {
        Ok(())
    }
}
