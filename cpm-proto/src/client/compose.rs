//! Writing: the CPIM messages of texts and notifications, and the MESSAGE around them (CONV-PM-010 to -012,
//! CONV-IMDN-020, -021).

use super::job::{Job, Notice};
use super::seen::SeenMessage;
use super::{Outgoing, User};
use crate::Error;
use crate::service::Service;
use bytes::Bytes;
use cpm_base::Now;
use cpm_cpim::cpim::{CpimBuilder, Dispositions};
use cpm_cpim::imdn::{self, Delivery, Display, Imdn, Notification};
use cpm_sip::{Head, HeaderId, Method};

/// The identity that tells nothing: a one-to-one CPIM names nobody, so that privacy is decided by SIP alone.
pub(super) const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

/// What the endpoint adds to a request: Via, Max-Forwards, From tag, Call-ID and CSeq at most. Bytes.
const ADDED: usize = 220;

/// The CPIM message of a text.
// spec: CONV-BODY-001, CONV-BODY-004, CONV-BODY-006, CONV-PM-012
pub(super) fn text(outgoing: &Outgoing, message_id: &str, now: Now) -> Result<Bytes, Error> {
    let want = Dispositions {
        positive_delivery: outgoing.want.delivery,
        negative_delivery: outgoing.want.delivery,
        display: outgoing.want.display,
        ..Dispositions::NONE
    };
    CpimBuilder::new(&outgoing.content_type, &outgoing.body)
        .from("", ANONYMOUS)
        .to("", ANONYMOUS)
        .message_id(message_id)
        .datetime(whole_seconds(now))
        .want(want)
        .write()
        .map(Bytes::from)
        .map_err(|_| Error::Usage("the content cannot be written"))
}

/// The CPIM message of a notification, and where it goes: the topmost recorded route, else the sender.
// spec: CONV-IMDN-003, CONV-IMDN-004, CONV-IMDN-020, CONV-IMDN-021, CONV-BODY-008
pub(super) fn notification(
    seen: &SeenMessage,
    notice: Notice,
    message_id: &str,
    now: Now,
) -> Result<(Box<str>, Bytes), Error> {
    let notification = match notice {
        Notice::Delivered => Notification::Delivery(Delivery::Delivered),
        Notice::Displayed => Notification::Display(Display::Displayed),
    };
    let unwritable = |_| Error::Usage("the notification cannot be written");
    let mut document = Imdn::new(&*seen.message_id, &*seen.datetime, notification);
    document.recipient_uri = Some((&*seen.recipient_uri).into());
    document.original_recipient_uri = seen.original_to.as_deref().map(Into::into);
    let document = document.write().map_err(unwritable)?;
    let mut cpim = CpimBuilder::new(imdn::CONTENT_TYPE, document.as_bytes())
        .from("", ANONYMOUS)
        .to("", ANONYMOUS)
        .message_id(message_id)
        .datetime(whole_seconds(now))
        .mime("Content-Disposition", imdn::CONTENT_DISPOSITION);
    for route in &seen.routes {
        cpim = cpim.route("", route);
    }
    let body = cpim.write().map_err(unwritable)?;
    let uri = seen.routes.first().unwrap_or(&seen.reply_to).clone();
    Ok((uri, body.into()))
}

/// The MESSAGE of a job, without what the endpoint adds and without credentials.
// spec: CONV-PM-010, CONV-PM-011, CONV-PM-014, CONV-HDR-014
pub(super) fn head(user: &User, job: &Job, now: Now) -> Result<Head, Error> {
    let uri = job.request_uri();
    let unwritable = |_| Error::Usage("the message cannot be written");
    let mut head = Head::request(Method::Message, uri).map_err(unwritable)?;
    let own = format!("<{}>", user.account.address);
    let accept_contact = Service::Message.accept_contact();
    let date = cpm_sip::header::write_date(now.unix_secs());
    let mut fields = vec![
        (HeaderId::From, own.clone()),
        (HeaderId::To, format!("<{uri}>")),
        (HeaderId::PPreferredIdentity, own),
        (HeaderId::PPreferredService, Service::Message.urn().to_owned()),
        (HeaderId::AcceptContact, accept_contact),
        (HeaderId::ConversationId, job.conversation_id.to_string()),
        (HeaderId::ContributionId, job.contribution_id.to_string()),
        (HeaderId::Date, date),
    ];
    if let Some(expires) = job.expires {
        fields.push((HeaderId::MessageExpires, expires.as_secs().to_string()));
    }
    for route in user.link.service_route() {
        fields.push((HeaderId::Route, route.clone()));
    }
    for (id, value) in &fields {
        head.push(*id, value).map_err(unwritable)?;
    }
    head.body("message/cpim", job.body.clone()).map_err(unwritable)?;
    Ok(head)
}

/// Bytes of the whole MESSAGE of a job, without its credentials.
// spec: CONV-PM-001
pub(super) fn size(user: &User, job: &Job, now: Now) -> Result<usize, Error> {
    Ok(head(user, job, now)?.write().len() + ADDED)
}

/// The wall clock without its fraction, as DateTime is written.
fn whole_seconds(now: Now) -> std::time::Duration {
    std::time::Duration::from_secs(now.unix_secs())
}
