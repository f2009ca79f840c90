//! The MESSAGE for one Device.

use super::identity::is_anonymous;
use crate::registrar::Device;
use crate::service::Service;
use crate::store::model::Envelope;
use bytes::Bytes;
use cpm_cpim::cpim::{Cpim, Field};
use cpm_sip::{Head, HeaderId, Method, Uri};

/// What stands for a sender who is not to be shown (CONV-GEN-013).
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// Writes the request for one Device: from the original sender, to the address that was used, with the
/// Device's contact as Request-URI. `None` if a value cannot be written, which validation has ruled out.
// spec: CONV-PM-033, CONV-PF-010, CONV-PF-011, CONV-PF-012, CONV-PF-045, CONV-PF-090, CONV-TAG-010, CONV-TAG-012
pub(super) fn device_request(
    envelope: &Envelope,
    service: Service,
    device: &Device,
    limits: &cpm_cpim::Limits,
) -> Option<Head> {
    let mut head = Head::request(Method::Message, &device.contact).ok()?;
    let sender = format!("<{}>", envelope.sender);
    head.push(HeaderId::MaxForwards, envelope.hops).ok()?;
    head.push(HeaderId::From, if envelope.private { ANONYMOUS } else { &sender }).ok()?;
    head.push(HeaderId::To, format_args!("<{}>", envelope.to)).ok()?;
    if !envelope.private {
        head.push(HeaderId::PAssertedIdentity, &sender).ok()?;
    }
    let asserted = if service == Service::Deferred { service.urn() } else { &envelope.service };
    head.push(HeaderId::PAssertedService, asserted).ok()?;
    head.push(HeaderId::AcceptContact, service.accept_contact()).ok()?;
    if let Some(instance) = &device.instance {
        let value = format!("*;+sip.instance=\"<{instance}>\";require;explicit");
        head.push(HeaderId::AcceptContact, value).ok()?;
    }
    for (name, value) in &envelope.headers {
        head.push_named(name, value.as_str()).ok()?;
    }
    let named =
        if device.capability.messages || envelope.private { None } else { named_body(envelope, limits) };
    head.body(&envelope.content_type, named.unwrap_or_else(|| envelope.body.clone())).ok()?;
    Some(head)
}

/// The body for a client that is no CPM client. Such a client compares the CPIM From with that of the request
/// (liblinphone answers 488 when they differ), so the anonymous addresses of a one-to-one message give way to
/// those of the request. `None` where there is nothing to change.
// spec: CONV-BODY-004
fn named_body(envelope: &Envelope, limits: &cpm_cpim::Limits) -> Option<Bytes> {
    let cpim = Cpim::parse(&envelope.body, limits).ok()?;
    let from = cpim.from().ok()??;
    if !Uri::parse(from.uri).is_ok_and(|uri| is_anonymous(&uri)) {
        return None;
    }
    let edit = cpim.edit().set_address(Field::From, "", &envelope.sender).ok()?;
    Some(Bytes::from(edit.set_address(Field::To, "", &envelope.to).ok()?.write()))
}
