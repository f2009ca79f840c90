//! Disposition notifications in the participating function: what one says, the one it makes itself, and copies
//! for the Devices of whoever sent something (CONV-IMDN-011, -064, CONV-PM-032).

use super::exchange::Exchange;
use super::fork::{Delivery, Purpose};
use super::users::Served;
use super::{Server, UserId};
use crate::node::Parts;
use crate::service::Service;
use crate::store::model::{Envelope, Notification, Wanted};
use bytes::Bytes;
use cpm_cpim::cpim::{Cpim, CpimBuilder, Field};
use cpm_cpim::imdn::{self, Delivery as DeliveryStatus, Display, Imdn};

/// The address that stands in CPIM From and To of a one-to-one message (CONV-BODY-004).
const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

/// What a notification says, as far as the participating function must know.
pub(super) struct Report {
    /// The Message-ID it is about.
    pub(super) message_id: String,
    pub(super) kind: Notification,
}

/// Reads the notification in a CPIM message. `Ok(None)` for an aggregate, which passes as it is.
pub(super) fn report(cpim: &Cpim<'_>, limits: &cpm_cpim::Limits) -> Result<Option<Report>, ()> {
    let kind = cpim.mime().content_type().map_err(drop)?;
    if !kind.is("message", "imdn+xml") {
        return Ok(None);
    }
    let xml = cpim.payload(limits.xml_bytes).map_err(drop)?;
    let imdn = Imdn::parse(&xml, limits).map_err(drop)?;
    let kind = match imdn.notification {
        imdn::Notification::Delivery(DeliveryStatus::Delivered) => Notification::Delivered,
        imdn::Notification::Display(Display::Displayed) => Notification::Displayed,
        _ => Notification::Other,
    };
    Ok(Some(Report { message_id: imdn.message_id.into_owned(), kind }))
}

/// The `failed` notification about a message that is given up, from its recipient to its sender.
// spec: CONV-IMDN-011, CONV-IMDN-003, CONV-IMDN-020, CONV-IMDN-021, CONV-DF-002
pub(super) fn failure_notification(
    parts: &mut Parts<'_>,
    recipient: &Served,
    message: &Envelope,
) -> Option<Envelope> {
    let cpim = Cpim::parse(&message.body, &parts.limits.cpim).ok()?;
    let failed = imdn::Notification::Delivery(DeliveryStatus::Failed);
    let mut document =
        Imdn::new(message.message_id.as_str(), cpim.datetime_text().unwrap_or_default(), failed);
    let to = cpim.to().next().and_then(Result::ok);
    let original = cpim.original_to().ok().flatten();
    document.recipient_uri = to.as_ref().map(|to| to.uri.into());
    document.original_recipient_uri = original.as_ref().map(|address| address.uri.into());
    let xml = document.write().ok()?;
    let message_id = parts.rng.base32(26);
    let body = CpimBuilder::new(imdn::CONTENT_TYPE, xml.as_bytes())
        .from("", ANONYMOUS)
        .to("", ANONYMOUS)
        .message_id(&message_id)
        .datetime(parts.now.unix)
        .mime("Content-Disposition", imdn::CONTENT_DISPOSITION)
        .write()
        .ok()?;
    let ids = ["Conversation-ID", "Contribution-ID"];
    let headers =
        message.headers.iter().filter(|(name, _)| ids.iter().any(|id| name.eq_ignore_ascii_case(id)));
    Some(Envelope {
        sender: recipient.address.clone(),
        to: message.sender.clone(),
        private: false,
        message_id,
        service: Service::Message.urn().to_owned(),
        headers: headers.cloned().collect(),
        content_type: "message/cpim".to_owned(),
        body: Bytes::from(body),
        wanted: Wanted::default(),
        hops: 70,
    })
}

/// The message as the sender's other Devices get it: from the sender to the original recipient, asking for
/// nothing, all ids kept.
// spec: CONV-PF-032, CONV-PM-032
pub(super) fn own_copy(parts: &Parts<'_>, sender: &Served, message: &Envelope) -> Option<Envelope> {
    let cpim = Cpim::parse(&message.body, &parts.limits.cpim).ok()?;
    let body = cpim
        .edit()
        .set_address(Field::From, "", &sender.address)
        .ok()?
        .set_address(Field::To, "", &message.to)
        .ok()?
        .remove(Field::DispositionNotification)
        .write();
    Some(Envelope {
        sender: sender.address.clone(),
        private: false,
        body: Bytes::from(body),
        wanted: Wanted::default(),
        ..message.clone()
    })
}

impl Server {
    /// Sends what a Device of a user has sent also to the user's other Devices. Only to those that said they
    /// are CPM clients: another could not tell it from a message to itself. Failures are ignored.
    // spec: CONV-PM-032, CONV-PF-031, CONV-IMDN-064
    pub(super) fn copy_to_siblings(
        &mut self,
        parts: &mut Parts<'_>,
        exchange: &Exchange,
        envelope: &Envelope,
    ) {
        let Some(user) = exchange.identity.user.filter(|user| *user != exchange.user) else { return };
        let mut devices = self.suitable(parts, user);
        devices.retain(|device| device.capability.messages && !exchange.identity.is_origin(device));
        if devices.is_empty() || exchange.kind.is_volatile() {
            return;
        }
        self.send_copy(parts, user, exchange, envelope, devices);
    }

    fn send_copy(
        &mut self,
        parts: &mut Parts<'_>,
        user: UserId,
        exchange: &Exchange,
        envelope: &Envelope,
        devices: Vec<crate::registrar::Device>,
    ) {
        let Some(envelope) = self.users.get(user).and_then(|sender| own_copy(parts, sender, envelope)) else {
            return;
        };
        let (service, purpose, content) = (Service::Message, Purpose::Copy, exchange.content);
        self.fork(parts, Delivery { user, content, envelope, service, purpose, devices });
    }
}
