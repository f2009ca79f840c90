//! The border of the participating function: is a message complete, what does it ask, what must be supplied
//! for a client that is no CPM client (CONV-PM-030, CONV-PF-002).

use super::identity::Identity;
use super::imdn;
use super::reply::{ACCEPT, ACCEPT_ENCODING};
use super::{Reply, Server};
use crate::node::Parts;
use crate::policy::{Limit, expiry};
use crate::service::{Listed, Service, services};
use crate::store::model::{Envelope, MessageKey, Notification, Wanted};
use bytes::Bytes;
use cpm_cpim::cpim::{Cpim, CpimBuilder, Field};
use cpm_cpim::{ParseKind, coding};
use cpm_sip::header::MessageExpires;
use cpm_sip::{HeaderId, Message};
use std::borrow::Cow;
use std::time::Duration;

/// Longest identifier taken (CONV-SEC-006).
const ID_BYTES: usize = 256;

/// Header fields that pass unchanged (CONV-PF-011). What is not named here stays behind (CONV-PF-012).
const PASSED: [HeaderId; 14] = [
    HeaderId::InReplyToContributionId,
    HeaderId::Subject,
    HeaderId::Date,
    HeaderId::MessageExpires,
    HeaderId::Expires,
    HeaderId::Privacy,
    HeaderId::RejectContact,
    HeaderId::RequestDisposition,
    HeaderId::Priority,
    HeaderId::Organization,
    HeaderId::ReplyTo,
    HeaderId::InReplyTo,
    HeaderId::ContentDisposition,
    HeaderId::ContentLanguage,
];

/// Those of them that may name the sender; they stay behind when it wants not to be known (RFC 3323 §4.1).
const NAMING: [HeaderId; 2] = [HeaderId::Organization, HeaderId::ReplyTo];

/// What kind of content a message carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message for people.
    Message,
    /// A notification about a message its addressee has sent.
    Notification {
        /// That message.
        about: MessageKey,
        /// Its Message-ID.
        id: String,
        kind: Notification,
    },
    /// An is-composing indication: never kept (CONV-DF-013).
    Composing,
}

impl Kind {
    /// What the record of a deferred notification says.
    pub(super) fn about(&self) -> Option<(String, Notification)> {
        match self {
            Self::Notification { id, kind, .. } => Some((id.clone(), *kind)),
            _ => None,
        }
    }

    /// It is of no use a moment later.
    pub(super) fn is_volatile(&self) -> bool {
        *self == Self::Composing
    }
}

/// A message that may pass.
pub(super) struct Incoming {
    pub(super) envelope: Envelope,
    pub(super) kind: Kind,
    /// When it is dropped if nobody takes it; `None` if it may not be kept.
    pub(super) expires: Option<Duration>,
    /// The sender wants one Device only (`Request-Disposition: no-fork`).
    pub(super) no_fork: bool,
}

/// The CPIM message in a body and what it says.
struct Content {
    body: Bytes,
    message_id: String,
    wanted: Wanted,
    kind: Kind,
}

impl Server {
    /// Checks a message and reads what has to be known of it; `Err` is the answer.
    // spec: CONV-PM-030, CONV-PM-003, CONV-HDR-001, CONV-HDR-016, CONV-PF-093
    pub(super) fn admit(
        &self,
        parts: &mut Parts<'_>,
        identity: &Identity,
        message: &Message,
    ) -> Result<Incoming, Reply> {
        let hops = message.max_forwards().map_err(|_| Reply::bad("Malformed Max-Forwards"))?.unwrap_or(70);
        let Some(hops) = hops.checked_sub(1) else { return Err(Reply::new(483)) };
        let service = self.service(message)?;
        let conversation = self.identifier(parts, message, HeaderId::ConversationId, service)?;
        let contribution = self.identifier(parts, message, HeaderId::ContributionId, service)?;
        let content = self.content(parts, identity, message)?;
        let mut headers = vec![
            (HeaderId::ConversationId.name().to_owned(), conversation),
            (HeaderId::ContributionId.name().to_owned(), contribution),
        ];
        for id in PASSED.into_iter().filter(|id| !(identity.private && NAMING.contains(id))) {
            headers.extend(message.headers(id).map(|value| (id.name().to_owned(), value.to_owned())));
        }
        headers.extend(foreign_constraints(message));
        let envelope = Envelope {
            sender: identity.address.clone(),
            to: message.to().map_err(|_| Reply::bad("Malformed To"))?.uri().to_string(),
            private: identity.private,
            message_id: content.message_id,
            service: service.unwrap_or(Service::Message).urn().to_owned(),
            headers,
            content_type: "message/cpim".to_owned(),
            body: content.body,
            wanted: content.wanted,
            hops,
        };
        let expires = self.expires(parts, message)?;
        let no_fork = message
            .headers(HeaderId::RequestDisposition)
            .flat_map(|value| value.split(','))
            .any(|directive| directive.trim().eq_ignore_ascii_case("no-fork"));
        Ok(Incoming { envelope, kind: content.kind, expires, no_fork })
    }

    /// The CPM service a message names; `None` for a message of a client that names none.
    // spec: CONV-PF-002, CONV-TAG-003
    fn service(&self, message: &Message) -> Result<Option<Service>, Reply> {
        let named = message
            .headers(HeaderId::PAssertedService)
            .chain(message.headers(HeaderId::PPreferredService))
            .flat_map(services)
            .next();
        let asked = message
            .accept_contacts()
            .filter_map(Result::ok)
            .find_map(|accept| accept.icsi().iter().find_map(|token| Service::of(&token)));
        match named {
            Some(Listed::Known(Service::Deferred)) | Some(Listed::Other(_)) => {
                Err(Reply::forbidden(self.users.realm(), "127 Service not authorised"))
            }
            Some(Listed::Known(service)) => Ok(Some(service)),
            None if asked.is_some() => Ok(asked.filter(|service| *service != Service::Deferred)),
            None if self.policy.accept_plain_messages => Ok(None),
            None => Err(Reply::forbidden(self.users.realm(), "127 Service not authorised")),
        }
    }

    /// An identifier of CPM; made here for a client that knows nothing of it.
    // spec: CONV-HDR-001, CONV-HDR-002, CONV-HDR-011, CONV-SEC-006
    fn identifier(
        &self,
        parts: &mut Parts<'_>,
        message: &Message,
        id: HeaderId,
        service: Option<Service>,
    ) -> Result<String, Reply> {
        let conversation = id == HeaderId::ConversationId;
        let read = if conversation { message.conversation_id() } else { message.contribution_id() };
        match read {
            Ok(Some(value)) if value.len() <= ID_BYTES => Ok(value.to_owned()),
            Ok(None) if service.is_none() => Ok(parts.rng.uuid()),
            Ok(None) if conversation => Err(Reply::bad("Missing Conversation-ID")),
            Ok(None) => Err(Reply::bad("Missing Contribution-ID")),
            _ if conversation => Err(Reply::bad("Malformed Conversation-ID")),
            _ => Err(Reply::bad("Malformed Contribution-ID")),
        }
    }

    /// Undoes codings, checks the size, and reads or makes the CPIM message.
    fn content(
        &self,
        parts: &mut Parts<'_>,
        identity: &Identity,
        message: &Message,
    ) -> Result<Content, Reply> {
        let too_large = || Reply::forbidden(self.users.realm(), "133 Size exceeded");
        let most = usize::try_from(self.policy.standalone_max_bytes).unwrap_or(usize::MAX);
        let body = message.body();
        if body.len() > most {
            return Err(too_large());
        }
        let encodings: Vec<&str> = message.headers(HeaderId::ContentEncoding).collect();
        let decoded = coding::decode(&encodings.join(","), &body, parts.limits.decoded_body.min(most));
        let body = match decoded {
            Ok(Cow::Borrowed(_)) => body,
            Ok(Cow::Owned(decoded)) => Bytes::from(decoded),
            Err(error) => {
                return Err(match error.kind {
                    ParseKind::UnknownCoding => {
                        Reply::new(415).with(HeaderId::AcceptEncoding, ACCEPT_ENCODING)
                    }
                    ParseKind::DecodedTooLarge => too_large(),
                    _ => Reply::bad("Body does not match Content-Encoding"),
                });
            }
        };
        let kind = message.content_type().map_err(|_| Reply::bad("Malformed Content-Type"))?;
        let Some(kind) = kind else { return Err(Reply::bad("Missing Content-Type")) };
        let wrapped = if kind.is("message", "cpim") {
            return self.cpim(parts, identity, body);
        } else if self.policy.accept_plain_messages
            && (kind.is("text", "plain")
                || kind.is("message", "imdn+xml")
                || kind.is("application", "im-iscomposing+xml"))
        {
            wrap(parts, identity, message, &body)
        } else {
            None
        };
        match wrapped {
            Some(body) => self.cpim(parts, identity, body),
            None => Err(Reply::new(415).with(HeaderId::Accept, ACCEPT)),
        }
    }

    /// Reads the CPIM message; supplies a Message-ID where it may.
    // spec: CONV-BODY-006, CONV-BODY-016, CONV-IMDN-013
    fn cpim(&self, parts: &mut Parts<'_>, identity: &Identity, body: Bytes) -> Result<Content, Reply> {
        let limits = &parts.limits.cpim;
        let cpim = Cpim::parse(&body, limits).map_err(|_| Reply::bad("Malformed CPIM"))?;
        if cpim.message_id().is_none() {
            if !self.policy.accept_plain_messages || cpim.first(Field::MessageId).is_some() {
                return Err(Reply::bad("Missing or malformed imdn.Message-ID"));
            }
            let id = parts.rng.base32(26);
            let mut edit = cpim.edit().set(Field::MessageId, &id).map_err(|_| Reply::new(500))?;
            if cpim.datetime_text().is_none() {
                let now = cpm_cpim::datetime::Rfc3339(parts.now.unix).to_string();
                edit = edit.set(Field::DateTime, &now).map_err(|_| Reply::new(500))?;
            }
            let body = Bytes::from(edit.write());
            return self.read_cpim(parts, identity, body);
        }
        self.read_cpim(parts, identity, body)
    }

    fn read_cpim(&self, parts: &Parts<'_>, identity: &Identity, body: Bytes) -> Result<Content, Reply> {
        let limits = &parts.limits.cpim;
        let cpim = Cpim::parse(&body, limits).map_err(|_| Reply::bad("Malformed CPIM"))?;
        cpim.validate(&[]).map_err(|error| match error.kind {
            ParseKind::UnknownRequire => Reply::bad("Unknown CPIM Require"),
            _ => Reply::bad("Malformed CPIM"),
        })?;
        let from = cpim.from().map_err(|_| Reply::bad("Malformed CPIM From"))?;
        if from.is_some_and(|from| !identity.may_be_named(&self.users, from.uri)) {
            return Err(Reply::forbidden(self.users.realm(), "CPIM From is not the sender"));
        }
        let id = cpim.message_id().filter(|id| id.len() <= ID_BYTES);
        let Some(message_id) = id.map(Cow::into_owned) else {
            return Err(Reply::bad("Missing or malformed imdn.Message-ID"));
        };
        let wanted = cpim.disposition_notification();
        let wanted = Wanted {
            positive: wanted.positive_delivery,
            negative: wanted.negative_delivery,
            display: wanted.display,
        };
        let composing =
            cpim.mime().content_type().is_ok_and(|kind| kind.is("application", "im-iscomposing+xml"));
        let (kind, wanted) = if cpim.is_imdn() {
            (self.notification(parts, identity, &cpim)?, Wanted::default())
        } else if composing {
            (Kind::Composing, Wanted::default())
        } else {
            (Kind::Message, wanted)
        };
        Ok(Content { body, message_id, wanted, kind })
    }

    fn notification(&self, parts: &Parts<'_>, identity: &Identity, cpim: &Cpim<'_>) -> Result<Kind, Reply> {
        let report = imdn::report(cpim, &parts.limits.cpim).map_err(|()| Reply::bad("Malformed IMDN"))?;
        let (id, kind) = report.map_or((String::new(), Notification::Other), |r| (r.message_id, r.kind));
        Ok(Kind::Notification { about: MessageKey::of(&identity.recipient, &id), id, kind })
    }

    /// When the message is dropped.
    // spec: CONV-DF-002, CONV-PM-017
    fn expires(&self, parts: &Parts<'_>, message: &Message) -> Result<Option<Duration>, Reply> {
        let kept = message.message_expires().map_err(|_| Reply::bad("Malformed Message-Expires"))?;
        let kept = kept.map(|value| match value {
            MessageExpires::After(seconds) => Limit::After(Duration::from_secs(u64::from(seconds))),
            MessageExpires::At(date) => Limit::At(Duration::from_secs(date.unix())),
        });
        let valid = message.expires().map_err(|_| Reply::bad("Malformed Expires"))?;
        let valid = valid.map(|seconds| Limit::After(Duration::from_secs(u64::from(seconds))));
        let date = message.date().map_err(|_| Reply::bad("Malformed Date"))?;
        let date = date.map(|date| Duration::from_secs(date.unix()));
        let max = Duration::from_secs(u64::from(self.policy.deferred_max_seconds));
        Ok(expiry(parts.now.unix, date, kept, valid, max))
    }
}

/// Accept-Contact fields that are not about the CPM service: they pass (CONV-TAG-013).
// spec: CONV-TAG-013
fn foreign_constraints(message: &Message) -> Vec<(String, String)> {
    let ours = |value: &&str| !value.contains("icsi-ref") && !value.contains("+sip.instance");
    message
        .headers(HeaderId::AcceptContact)
        .filter(ours)
        .map(|value| (HeaderId::AcceptContact.name().to_owned(), value.to_owned()))
        .collect()
}

/// Puts a plain body into a CPIM message with a Message-ID of its own.
fn wrap(parts: &mut Parts<'_>, identity: &Identity, message: &Message, body: &[u8]) -> Option<Bytes> {
    let id = parts.rng.base32(26);
    let to = message.to().ok()?.uri().to_string();
    let content_type = message.header(HeaderId::ContentType)?;
    let from = if identity.private { "sip:anonymous@anonymous.invalid" } else { identity.address.as_str() };
    let mut builder = CpimBuilder::new(content_type, body)
        .from("", from)
        .to("", &to)
        .message_id(&id)
        .datetime(parts.now.unix);
    if let Some(disposition) = message.header(HeaderId::ContentDisposition) {
        builder = builder.mime("Content-Disposition", disposition);
    }
    builder.write().ok().map(Bytes::from)
}
