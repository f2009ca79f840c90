//! Receiving: which requests are taken, what they say, and what they are answered (CONV-PM-020 to -023).
//!
//! A request is judged as a whole first; it is answered before anything is done with it.

use super::content::{Content, Letter};
use super::cx::Cx;
use super::seen::{SeenMessage, Step};
use super::sent::{Progress, SentMessage};
use super::{User, content};
use crate::service::{Listed, Service, services};
use crate::{ClientEvent, Direction, Received};
use cpm_base::Handle;
use cpm_cpim::coding;
use cpm_sip::endpoint::{ServerTxn, Source};
use cpm_sip::{Head, HeaderId, Message, Method, NameAddr, ParseError, Uri};

/// Methods this client answers.
pub(super) const ALLOW: &str = "MESSAGE, OPTIONS";

/// Content types it reads.
pub(super) const ACCEPT: &str = "message/cpim, message/imdn+xml, text/plain, multipart/mixed";

/// User part of the identity under which SIMPLE-compatible servers deliver what they stored (CONV-GEN-014).
const STORE_AND_FORWARD: &str = "rcse-standfw";

/// Why a request is not taken: status, reason phrase, and the header field that explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) reason: &'static str,
    pub(super) field: Option<(HeaderId, String)>,
}

impl Refusal {
    /// A refusal that needs no further word.
    pub(super) fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason, field: None }
    }

    /// 415 with what is read instead (CONV-PM-021).
    // spec: CONV-PM-021
    pub(super) fn content_type() -> Self {
        Self { field: Some((HeaderId::Accept, ACCEPT.into())), ..Self::new(415, "Unsupported Media Type") }
    }

    /// 415 with the codings that are read (CONV-HDR-016).
    // spec: CONV-HDR-016
    pub(super) fn coding() -> Self {
        Self {
            field: Some((HeaderId::AcceptEncoding, coding::ACCEPT_ENCODING.into())),
            ..Self::new(415, "Unsupported Content-Encoding")
        }
    }
}

/// Who sent a request, as far as can be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// The URI as it was written.
    pub(super) uri: String,
    /// Its canonical form.
    pub(super) canonical: String,
    /// The network says so, not the sender.
    pub(super) asserted: bool,
}

/// A request that is taken.
#[derive(Debug)]
struct Inbound {
    peer: Peer,
    /// From another Device of the user.
    copy: bool,
    deferred: bool,
    to: String,
    conversation_id: Option<String>,
    contribution_id: Option<String>,
    content: Content,
}

impl User {
    /// A request for this account.
    pub(crate) fn on_request(
        &mut self,
        cx: &mut Cx<'_>,
        txn: Handle<ServerTxn>,
        source: &Source,
        message: &Message,
    ) {
        if self.link.is_leaving() {
            return refuse(cx, txn, message, &Refusal::new(480, "Temporarily Unavailable"));
        }
        if let Some(unknown) = required(message) {
            let refusal = Refusal {
                field: Some((HeaderId::Unsupported, unknown)),
                ..Refusal::new(420, "Bad Extension")
            };
            return refuse(cx, txn, message, &refusal);
        }
        match message.method() {
            Some(Method::Message) => {}
            Some(Method::Options) => return self.on_options(cx, txn, message),
            _ => {
                let allow = Some((HeaderId::Allow, ALLOW.to_owned()));
                let refusal = Refusal { field: allow, ..Refusal::new(405, "Method Not Allowed") };
                return refuse(cx, txn, message, &refusal);
            }
        }
        match self.read(cx, source, message) {
            Ok(inbound) => {
                let mut head = Head::response_to(message, 200, "OK");
                echo(&mut head, message);
                answer(cx, txn, head);
                self.take(cx, inbound);
            }
            Err(refusal) => refuse(cx, txn, message, &refusal),
        }
    }

    /// OPTIONS: what this Device can do (RFC 3261 §11.2, CONV-CAP-002).
    // spec: CONV-CAP-002, RFC3261-11.2
    fn on_options(&mut self, cx: &mut Cx<'_>, txn: Handle<ServerTxn>, message: &Message) {
        let mut head = Head::response_to(message, 200, "OK");
        let contact = self.link.contact(&self.account);
        let fields = [
            (HeaderId::Allow, Some(ALLOW)),
            (HeaderId::Accept, Some(ACCEPT)),
            (HeaderId::AcceptEncoding, Some(coding::ACCEPT_ENCODING)),
            (HeaderId::Contact, contact.as_deref()),
        ];
        let given = fields.iter().filter_map(|(id, value)| value.map(|value| (*id, value)));
        if given.into_iter().all(|(id, value)| head.push(id, value).is_ok()) {
            answer(cx, txn, head);
        }
    }

    /// Judges a MESSAGE; nothing changes.
    // spec: CONV-PM-020, CONV-PM-021
    fn read(&self, cx: &Cx<'_>, source: &Source, message: &Message) -> Result<Inbound, Refusal> {
        let from_server = self.is_server(source);
        let peer = peer(message, from_server)?;
        let own = peer.canonical == *self.own;
        if own && !from_server {
            return Err(Refusal::new(403, "Not from the own server"));
        }
        self.is_for_this_device(message)?;
        let known = asked_services(message);
        let content = content::read(message, cx.limits)?;
        if known == Asked::Others && !matches!(content, Content::Notifications(_)) {
            return Err(Refusal::new(403, "Unknown service"));
        }
        let longest = cx.limits.client.id_bytes;
        let conversation_id = identifier(message.conversation_id(), longest)?;
        let contribution_id = identifier(message.contribution_id(), longest)?;
        if let Asked::Ours { .. } = known
            && !matches!(content, Content::Notifications(_))
            && (conversation_id.is_none() || contribution_id.is_none())
        {
            return Err(Refusal::new(400, "Missing Conversation-ID or Contribution-ID"));
        }
        let to = message.to().map_err(|_| Refusal::new(400, "Malformed To header field"))?;
        Ok(Inbound {
            copy: own,
            deferred: known == Asked::Ours { deferred: true },
            to: to.uri().as_str().to_owned(),
            peer,
            conversation_id,
            contribution_id,
            content,
        })
    }

    /// Whether a request came from the account's own server: on the connection to it, or from its address.
    pub(super) fn is_server(&self, source: &Source) -> bool {
        source.addr == self.account.server || self.link.is_flow(source.flow) && source.transport.is_reliable()
    }

    /// Refuses what names another Device (CONV-REG-008).
    // spec: CONV-REG-008
    fn is_for_this_device(&self, message: &Message) -> Result<(), Refusal> {
        let other = message.accept_contacts().flatten().any(|wanted| {
            wanted.is_required() && wanted.instance().is_some_and(|device| device != self.account.instance)
        });
        if other { Err(Refusal::new(486, "Wrong Device")) } else { Ok(()) }
    }

    /// Does what a MESSAGE asks, after it was answered.
    fn take(&mut self, cx: &mut Cx<'_>, inbound: Inbound) {
        let Inbound { peer, copy, deferred, to, conversation_id, contribution_id, content } = inbound;
        match content {
            Content::Notifications(notes) => self.on_notifications(cx, &peer, copy, &notes),
            Content::Letter(letter) => {
                let ids = (conversation_id.unwrap_or_default(), contribution_id.unwrap_or_default());
                if copy {
                    self.take_copy(cx, &peer, to, ids, deferred, *letter);
                } else {
                    self.take_message(cx, &peer, to, ids, deferred, *letter);
                }
            }
        }
    }

    /// A message of somebody else.
    // spec: CONV-PM-022, CONV-PM-023, CONV-IMDN-010
    fn take_message(
        &mut self,
        cx: &mut Cx<'_>,
        peer: &Peer,
        to: String,
        ids: (String, String),
        deferred: bool,
        letter: Letter,
    ) {
        if let Some(known) = self.seen.find(&peer.canonical, &letter.message_id) {
            return self.notify_again(cx, known);
        }
        let (conversation_id, contribution_id) = ids;
        if !conversation_id.is_empty() {
            self.conversations.keep(&peer.canonical, || conversation_id.clone());
        }
        // A sender who hides is reached through the network, which knows him, or not at all (404).
        let wanted = |asked: bool| if asked { Step::Wanted } else { Step::Unwanted };
        let seen = self.seen.insert(SeenMessage {
            message_id: letter.message_id.as_str().into(),
            sender: peer.canonical.as_str().into(),
            reply_to: peer.uri.as_str().into(),
            recipient_uri: letter.recipient_uri.clone().unwrap_or_else(|| to.clone()).into(),
            original_to: letter.original_to.clone().map(Into::into),
            datetime: letter.datetime.clone().into(),
            conversation_id: conversation_id.as_str().into(),
            contribution_id: contribution_id.as_str().into(),
            routes: letter.routes.iter().map(|route| route.as_str().into()).collect(),
            delivery: wanted(letter.wants_delivery),
            display: wanted(letter.wants_display),
        });
        cx.event(ClientEvent::Message(Box::new(Received {
            from: peer.uri.clone(),
            to,
            message_id: letter.message_id,
            conversation_id,
            contribution_id,
            content_type: letter.content_type,
            body: letter.body,
            direction: Direction::In,
            deferred,
        })));
        self.notify_delivered(cx, seen);
    }

    /// What another Device of the user sent (CONV-PM-032): shown once, never notified about, its notifications
    /// matched like those of own messages.
    // spec: CONV-PM-032, CONV-IMDN-013, CONV-PM-018
    fn take_copy(
        &mut self,
        cx: &mut Cx<'_>,
        peer: &Peer,
        to: String,
        ids: (String, String),
        deferred: bool,
        letter: Letter,
    ) {
        if self.sent.get(&letter.message_id).is_some() {
            return;
        }
        let named = letter.recipient_uri.filter(|uri| !is_anonymous(uri));
        let to = named.unwrap_or(to);
        let recipient = Uri::parse(&to).map(|uri| uri.canonical()).unwrap_or_default();
        let (conversation_id, contribution_id) = ids;
        if !conversation_id.is_empty() {
            self.conversations.keep(&recipient, || conversation_id.clone());
        }
        let tracked =
            SentMessage { recipient: recipient.into(), reference: "".into(), progress: Progress::Sent };
        self.sent.insert(&letter.message_id, tracked);
        cx.event(ClientEvent::Message(Box::new(Received {
            from: peer.uri.clone(),
            to,
            message_id: letter.message_id,
            conversation_id,
            contribution_id,
            content_type: letter.content_type,
            body: letter.body,
            direction: Direction::Copy,
            deferred,
        })));
    }
}

/// What the service identifiers of a request ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// There are none: no CPM client sent it.
    Nothing,
    /// One of ours.
    Ours {
        /// It had waited in the network.
        deferred: bool,
    },
    /// Only others.
    Others,
}

fn asked_services(message: &Message) -> Asked {
    let mut asked = Asked::Nothing;
    let mut note = |listed: Listed<'_>| match (listed, asked) {
        (Listed::Known(Service::Deferred), _) => asked = Asked::Ours { deferred: true },
        (Listed::Known(_), Asked::Nothing | Asked::Others) => asked = Asked::Ours { deferred: false },
        (Listed::Other(_), Asked::Nothing) => asked = Asked::Others,
        _ => {}
    };
    for field in [HeaderId::PAssertedService, HeaderId::PPreferredService] {
        message.headers(field).flat_map(services).for_each(&mut note);
    }
    for wanted in message.accept_contacts().flatten() {
        wanted.icsi().iter().for_each(|icsi| services(&icsi).for_each(&mut note));
    }
    asked
}

/// Who sent a request. What the network asserts counts only if the network itself says it.
// spec: CONV-BODY-004, CONV-SEC-007, CONV-DF-007
fn peer(message: &Message, from_server: bool) -> Result<Peer, Refusal> {
    let name_addr = |text: &str| NameAddr::parse(text).ok().map(|name| (*name.uri()).as_str().to_owned());
    let mut asserted = None;
    if from_server {
        let first = message.p_asserted_identities().next().and_then(Result::ok);
        asserted = first.map(|name| name.uri().as_str().to_owned());
        let served = asserted.as_deref().and_then(|uri| Uri::parse(uri).ok());
        if served.is_some_and(|uri| uri.user() == Some(STORE_AND_FORWARD)) {
            asserted = message.headers(HeaderId::ReferredBy).next().and_then(name_addr);
        }
    }
    let known = asserted.is_some();
    let uri = match asserted {
        Some(uri) => uri,
        None => {
            let from = message.from().map_err(|_| Refusal::new(400, "Malformed From header field"))?;
            from.uri().as_str().to_owned()
        }
    };
    let canonical = Uri::parse(&uri).map(|uri| uri.canonical());
    let canonical = canonical.map_err(|_| Refusal::new(400, "Malformed identity"))?;
    Ok(Peer { uri, canonical, asserted: known })
}

/// Whether this is the identity that tells nothing (CONV-GEN-013).
pub(super) fn is_anonymous(uri: &str) -> bool {
    uri.rsplit_once('@').is_some_and(|(_, host)| host.eq_ignore_ascii_case("anonymous.invalid"))
}

/// One of the CPM identifiers, if there and short enough.
// spec: CONV-HDR-001, CONV-HDR-011, CONV-SEC-006
fn identifier(id: Result<Option<&str>, ParseError>, longest: usize) -> Result<Option<String>, Refusal> {
    match id {
        Ok(Some(id)) if id.len() <= longest => Ok(Some(id.to_owned())),
        Ok(None) => Ok(None),
        _ => Err(Refusal::new(400, "Malformed Conversation-ID or Contribution-ID")),
    }
}

/// The extensions a request requires, none of which are supported.
fn required(message: &Message) -> Option<String> {
    let all: Vec<&str> = message.headers(HeaderId::Require).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Repeats the CPM identifiers in the answer (CONV-HDR-012).
// spec: CONV-HDR-012
fn echo(head: &mut Head, message: &Message) {
    for field in [HeaderId::ConversationId, HeaderId::ContributionId] {
        if let Some(value) = message.header(field) {
            // A value that cannot be repeated is left out: the answer does not need it.
            let _ = head.push(field, value);
        }
    }
}

/// Answers with a refusal.
pub(super) fn refuse(cx: &mut Cx<'_>, txn: Handle<ServerTxn>, message: &Message, refusal: &Refusal) {
    let mut head = Head::response_to(message, refusal.status, refusal.reason);
    if let Some((field, value)) = &refusal.field {
        let _ = head.push(*field, value);
    }
    answer(cx, txn, head);
}

/// Sends an answer. A transaction that is gone needs none.
fn answer(cx: &mut Cx<'_>, txn: Handle<ServerTxn>, head: Head) {
    let _ = cx.sip.respond(cx.now, txn, head);
}
