//! One MESSAGE from one sender to one recipient: from the request to its final answer.
//!
//! | Step | Input | Next | Output |
//! |---|---|---|---|
//! | – | message, Devices there | Forking | branches |
//! | – | message, nobody there, or others of the sender wait | Storing | store batch |
//! | Forking | first 2xx | done | 200, outcome kept, copies |
//! | Forking | all unreachable, may be kept | Storing | store batch |
//! | Forking | all unreachable, may not be kept | done | 480 |
//! | Forking | refused | done | that status |
//! | Storing | stored | done | 202, copies, queue runs |
//! | Storing | store failed | done | 503 |
//! | Storing | no answer in time | Storing, nobody waits | 503 |

use super::border::{Incoming, Kind};
use super::fork::{Delivery, Fork, Purpose};
use super::identity::{Identity, is_anonymous};
use super::seen::Verdict;
use super::{Place, Reply, Server, UserId};
use crate::node::Parts;
use crate::policy::Outcome;
use crate::registrar::Device;
use crate::service::Service;
use crate::store::engine::{Durability, Expect, StoreOp};
use crate::store::model::{
    ContentKey, Envelope, Kind as RecordKind, MessageKey, Notification, SeenRecord, key,
};
use cpm_base::Handle;
use cpm_sip::endpoint::{ServerTxn, Source};
use cpm_sip::{HeaderId, Message};
use std::time::Duration;

/// Requests of one retried message that may wait for the same answer.
const RETRIES: usize = 4;

/// How long the outcome of a message nobody wants notifications about is remembered.
pub(super) const REMEMBERED: Duration = Duration::from_secs(3600);

/// Beyond the life of a message, notifications about it are recognised for so much longer.
const GRACE: Duration = Duration::from_secs(86_400);

/// A message under way.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(super) upstream: Vec<(Handle<ServerTxn>, Message)>,
    pub(super) identity: Identity,
    pub(super) user: UserId,
    pub(super) key: MessageKey,
    pub(super) content: ContentKey,
    pub(super) kind: Kind,
    /// When the message is dropped; `None` if it may not be kept.
    pub(super) expires: Option<Duration>,
    pub(super) step: Step,
    /// The notification flag this exchange has set, to be taken back if it fails.
    claim: Option<Claim>,
}

/// Where an exchange stands.
#[derive(Debug)]
pub(super) enum Step {
    /// The Devices are being asked.
    Forking(Option<Handle<Fork>>),
    /// The store is being asked to keep it.
    Storing(Box<super::deferred::Storing>),
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    reporter: UserId,
    about: MessageKey,
    kind: Notification,
    existed: bool,
}

impl Server {
    /// A MESSAGE. `Err` is its answer.
    // spec: CONV-PM-030, CONV-PF-030
    pub(super) fn on_message(
        &mut self,
        parts: &mut Parts<'_>,
        txn: Handle<ServerTxn>,
        source: &Source,
        message: &Message,
    ) -> Result<(), Reply> {
        let identity = self.identify(parts, source, message)?;
        let known = self.recipient(message)?;
        let mut incoming = self.admit(parts, &identity, message)?;
        let user = match known {
            Some(user) => user,
            None => {
                let (user, kind) = self.reveal(identity.user, incoming.kind)?;
                incoming.kind = kind;
                user
            }
        };
        let (sender, sent) = (&identity.canonical, &incoming.envelope);
        let key = MessageKey::of(sender, &sent.message_id);
        let content = ContentKey::of(sender, &sent.message_id, &sent.body);
        if self.is_repeated(txn, message, user, key, content)? {
            return Ok(());
        }
        let sender = identity.hash();
        if self.exchanges.len() >= parts.limits.exchanges
            || self.senders.get(&sender).is_some_and(|count| *count >= parts.limits.exchanges_per_user)
        {
            return Err(Reply::busy(5));
        }
        let claim = match self.claim(parts, &identity, &incoming.kind) {
            Ok(claim) => claim,
            Err(verdict) => {
                parts.stats.forged_notifications += u64::from(verdict == Verdict::Forged);
                return Err(Reply::new(200));
            }
        };
        *self.senders.entry(sender).or_insert(0) += 1;
        let Incoming { envelope, kind, expires, no_fork } = incoming;
        let exchange = Exchange {
            upstream: vec![(txn, message.clone())],
            identity,
            user,
            key,
            content,
            kind,
            expires,
            step: Step::Forking(None),
            claim,
        };
        let handle = self.exchanges.insert(exchange);
        self.active.insert((user, content), handle);
        self.route(parts, handle, envelope, no_fork);
        Ok(())
    }

    /// The served user a request is for; `None` if it is for whoever did not want to be known.
    fn recipient(&self, message: &Message) -> Result<Option<UserId>, Reply> {
        let uri = message.request_uri().unwrap_or_default();
        let Ok(uri) = cpm_sip::Uri::parse(uri) else { return Err(Reply::bad("Malformed Request-URI")) };
        match self.users.find(&uri) {
            Place::Local(user) => Ok(Some(user)),
            Place::Foreign if is_anonymous(&uri) => Ok(None),
            Place::Nobody => Err(Reply::new(404)),
            // There is no way to other domains yet.
            Place::Foreign => Err(Reply::new(404).because("Domain not served here")),
        }
    }

    /// Recognises a retry in a new transaction: of a message under way it waits for the same answer, of one
    /// that was accepted it gets the same answer.
    // spec: CONV-PM-014, CONV-DF-014
    fn is_repeated(
        &mut self,
        txn: Handle<ServerTxn>,
        message: &Message,
        user: UserId,
        key: MessageKey,
        content: ContentKey,
    ) -> Result<bool, Reply> {
        let known = |record: &SeenRecord| record.status != 0 && record.content == content;
        if let Some(record) = self.seen.get(user, key).filter(known) {
            return Err(echo(Reply::new(record.status), message));
        }
        let Some(handle) = self.active.get(&(user, content)).copied() else { return Ok(false) };
        let Some(exchange) = self.exchanges.get_mut(handle) else { return Ok(false) };
        if exchange.upstream.is_empty() || exchange.upstream.len() >= RETRIES {
            return Err(Reply::busy(5));
        }
        exchange.upstream.push((txn, message.clone()));
        Ok(true)
    }

    /// Sends the message to the Devices, or keeps it.
    // spec: CONV-PM-041, CONV-PM-043, CONV-PM-018, CONV-DF-010
    fn route(&mut self, parts: &mut Parts<'_>, handle: Handle<Exchange>, envelope: Envelope, no_fork: bool) {
        let Some(exchange) = self.exchanges.get(handle) else { return };
        let (user, content) = (exchange.user, exchange.content);
        let sender = exchange.identity.hash();
        let queued = self.queues.get(&user).is_some_and(|queue| queue.holds_sender(&sender));
        let mut devices: Vec<Device> = self.suitable(parts, user);
        if exchange.identity.user == Some(user) {
            devices.retain(|device| !exchange.identity.is_origin(device));
        }
        if no_fork {
            devices.truncate(1);
        }
        if devices.is_empty() || (queued && exchange.kind != Kind::Composing) {
            return self.defer(parts, handle, envelope);
        }
        let (service, purpose) = (Service::Message, Purpose::Exchange(handle));
        let fork = self.fork(parts, Delivery { user, content, envelope, service, purpose, devices });
        if let Some(Step::Forking(slot)) = self.exchanges.get_mut(handle).map(|exchange| &mut exchange.step) {
            *slot = Some(fork);
        }
    }

    /// The Devices of a user that take messages, the preferred one first.
    // spec: CONV-PF-040
    pub(super) fn suitable(&self, parts: &Parts<'_>, user: UserId) -> Vec<Device> {
        let plain = self.policy.accept_plain_messages;
        let mut devices = self.registrar.devices(parts.now, user);
        devices.retain(|device| device.capability.is_suitable(plain));
        devices
    }

    /// The Devices have answered, or have not.
    // spec: CONV-PM-044, CONV-PF-043, CONV-ERR-002
    pub(super) fn on_exchange_outcome(
        &mut self,
        parts: &mut Parts<'_>,
        handle: Handle<Exchange>,
        envelope: &Envelope,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Delivered => self.accept(parts, handle, envelope, 200),
            Outcome::Refused(status) => self.refuse(parts, handle, &Reply::new(status)),
            Outcome::Unreachable => self.defer(parts, handle, envelope.clone()),
        }
    }

    /// Ends an exchange with a 2xx.
    pub(super) fn accept(
        &mut self,
        parts: &mut Parts<'_>,
        handle: Handle<Exchange>,
        envelope: &Envelope,
        status: u16,
    ) {
        let Some(exchange) = self.take_exchange(handle) else { return };
        for (txn, message) in &exchange.upstream {
            parts.respond(*txn, echo(Reply::new(status), message).head(message));
        }
        match (&exchange.kind, &exchange.claim) {
            (Kind::Message, _) => self.remember(parts, &exchange, envelope, status),
            (Kind::Notification { .. }, Some(claim)) => self.persist_claim(parts, *claim),
            _ => {}
        }
        self.copy_to_siblings(parts, &exchange, envelope);
    }

    /// Ends an exchange with a failure.
    pub(super) fn refuse(&mut self, parts: &mut Parts<'_>, handle: Handle<Exchange>, reply: &Reply) {
        let Some(exchange) = self.take_exchange(handle) else { return };
        for (txn, message) in &exchange.upstream {
            parts.respond(*txn, reply.head(message));
        }
        if let Some(claim) = exchange.claim {
            self.take_back(claim);
        }
    }

    fn take_exchange(&mut self, handle: Handle<Exchange>) -> Option<Exchange> {
        let exchange = self.exchanges.remove(handle)?;
        self.active.remove(&(exchange.user, exchange.content));
        let sender = exchange.identity.hash();
        if let Some(count) = self.senders.get_mut(&sender) {
            *count -= 1;
            if *count == 0 {
                self.senders.remove(&sender);
            }
        }
        Some(exchange)
    }

    /// How long a message is remembered, in Unix seconds.
    pub(super) fn remember_until(
        &self,
        now: Duration,
        envelope: &Envelope,
        expires: Option<Duration>,
    ) -> u64 {
        let wanted = envelope.wanted;
        let quiet = now.saturating_add(REMEMBERED);
        if !(wanted.positive || wanted.display) {
            return expires.map_or(quiet, |expires| quiet.max(expires)).as_secs();
        }
        let longest = Duration::from_secs(u64::from(self.policy.deferred_max_seconds));
        now.saturating_add(longest).saturating_add(GRACE).as_secs()
    }

    /// Keeps the outcome of a message, so that a retry gets it again and notifications find it. The answer
    /// does not wait for it: the Device has the message, and knows it again.
    fn remember(&mut self, parts: &mut Parts<'_>, exchange: &Exchange, envelope: &Envelope, status: u16) {
        let expires = match &exchange.step {
            Step::Storing(_) => exchange.expires,
            Step::Forking(_) => None,
        };
        let record = SeenRecord {
            status,
            queued: matches!(exchange.step, Step::Storing(_)),
            delivered: false,
            displayed: false,
            content: exchange.content,
            expires: self.remember_until(parts.now.unix, envelope, expires),
        };
        self.note(parts, exchange.user, exchange.key, record, status == 200);
        self.hide(exchange, envelope, record.expires);
        let put = self.hidden_put(exchange, envelope, record.expires).filter(|_| status == 200);
        let owner = self.users.get(exchange.user).map(|served| served.owner);
        if let (Some(put), Some(owner)) = (put, owner) {
            self.insist(parts, owner, Durability::Local, vec![put]);
        }
    }

    /// Notes an outcome in memory and, if asked, in the store.
    pub(super) fn note(
        &mut self,
        parts: &mut Parts<'_>,
        user: UserId,
        key: MessageKey,
        record: SeenRecord,
        durable: bool,
    ) {
        let forgotten = self.seen.put(user, key, record);
        self.arm_seen(parts);
        if let Some((user, key)) = forgotten {
            self.unsee(parts, &[(user, key)]);
        }
        let Some(owner) = self.users.get(user).map(|served| served.owner).filter(|_| durable) else { return };
        let put = seen_put(owner, key, &record);
        self.insist(parts, owner, Durability::Local, vec![put]);
    }

    /// Judges a notification and sets its flag, so that the next one with the same news finds it. `Err`: it
    /// is taken and dropped (CONV-IMDN-040, CONV-IMDN-061).
    // spec: CONV-IMDN-040, CONV-IMDN-061, CONV-IMDN-063
    fn claim(
        &mut self,
        parts: &mut Parts<'_>,
        identity: &Identity,
        kind: &Kind,
    ) -> Result<Option<Claim>, Verdict> {
        let Kind::Notification { about, kind, .. } = *kind else { return Ok(None) };
        let Some(reporter) = identity.user else { return Ok(None) };
        match self.seen.judge(reporter, about, kind) {
            Verdict::Pass => {}
            verdict => return Err(verdict),
        }
        if kind == Notification::Other {
            return Ok(None);
        }
        let old = self.seen.get(reporter, about);
        let mut record = old.unwrap_or(SeenRecord {
            status: 0,
            queued: false,
            delivered: false,
            displayed: false,
            content: ContentKey::default(),
            expires: identity.at.saturating_add(GRACE).as_secs(),
        });
        match kind {
            Notification::Displayed => record.displayed = true,
            _ => record.delivered = true,
        }
        // What is forgotten for it must not stay on disk: it would come back with a restart.
        if let Some(forgotten) = self.seen.put(reporter, about, record) {
            self.unsee(parts, &[forgotten]);
        }
        Ok(Some(Claim { reporter, about, kind, existed: old.is_some() }))
    }

    fn take_back(&mut self, claim: Claim) {
        let Some(mut record) = self.seen.get(claim.reporter, claim.about) else { return };
        match claim.kind {
            Notification::Displayed => record.displayed = false,
            _ => record.delivered = false,
        }
        if claim.existed || record.delivered || record.displayed {
            self.seen.put(claim.reporter, claim.about, record);
        } else {
            self.seen.forget(claim.reporter, claim.about);
        }
    }

    fn persist_claim(&mut self, parts: &mut Parts<'_>, claim: Claim) {
        if let Some(record) = self.seen.get(claim.reporter, claim.about) {
            self.note(parts, claim.reporter, claim.about, record, true);
        }
    }
}

/// The write that keeps an outcome.
pub(super) fn seen_put(
    owner: crate::store::model::Owner,
    message: MessageKey,
    record: &SeenRecord,
) -> StoreOp {
    StoreOp::Put {
        key: key(owner, RecordKind::Seen, &message.0),
        value: record.encode(),
        expect: Expect::Any,
    }
}

/// A 2xx carries the identifiers of the message (CONV-HDR-012).
// spec: CONV-HDR-012
fn echo(mut reply: Reply, message: &Message) -> Reply {
    for id in [HeaderId::ConversationId, HeaderId::ContributionId] {
        if let Some(value) = message.header(id) {
            reply = reply.with(id, value);
        }
    }
    reply
}
