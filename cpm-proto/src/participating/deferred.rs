//! The deferred queue at work: keeping a message, answering once it is durable, delivering in order when a
//! Device comes, trying again, expiring (CONV-DF).
//!
//! One entry of a user is in flight at a time. Its record is read from the store, forked to the suitable
//! Devices as `oma.cpm.deferred`, and removed after the first 2xx. A crash anywhere leaves the record, or a
//! record whose outcome says that it was delivered; the restore tells the two apart.

use super::border::Kind;
use super::exchange::{Exchange, Step, seen_put};
use super::fork::{Delivery, Fork, Purpose};
use super::imdn::failure_notification;
use super::insist::Notice;
use super::queue::{AfterFailure, Entry, Queue};
use super::{Reply, Server, Timer, UserId, Waiter};
use crate::node::{NodeWaiter, Parts};
use crate::policy::{Outcome, is_refusal};
use crate::service::Service;
use crate::store::engine::{Durability, Expect, StoreAnswer, StoreError, StoreOp};
use crate::store::model::{
    ContentKey, DeferredRecord, Envelope, Kind as RecordKind, MessageKey, Notification, Owner, SeenRecord,
    deferred_key, key,
};
use cpm_base::{Handle, TimerId};
use std::time::{Duration, Instant};

/// A Device that refreshes its registration may ask again for what waits, but not more often than this.
const AGAIN: Duration = Duration::from_secs(30);

/// Wait told to a sender whose recipient's queue is full.
const FULL: Duration = Duration::from_secs(300);

/// A deferral the store has not confirmed.
#[derive(Debug)]
pub(super) struct Storing {
    envelope: Envelope,
    seq: u64,
    entry: Entry,
    /// A queued notification this one makes superfluous.
    superseded: Option<u64>,
    /// Contacts that have just been tried.
    tried: Vec<String>,
    /// A Device took it after all while it was being stored.
    delivered: bool,
}

/// What of a queue is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    None,
    /// The record of this entry is being read.
    Reading(u64),
    /// This entry is under way to the Devices.
    Forking(u64, Handle<Fork>),
}

/// The queue of one user and what is under way of it.
#[derive(Debug)]
pub(super) struct UserQueue {
    queue: Queue,
    flight: Flight,
    /// The record in flight, and its version.
    record: Option<(DeferredRecord, u64)>,
    not_before: Option<Instant>,
    last_round: Option<Instant>,
    timer: Option<TimerId>,
}

impl Default for UserQueue {
    fn default() -> Self {
        let (queue, flight) = (Queue::default(), Flight::None);
        Self { queue, flight, record: None, not_before: None, last_round: None, timer: None }
    }
}

impl UserQueue {
    /// Whether nothing waits and nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.flight == Flight::None
    }

    /// Whether something of this sender waits.
    pub(super) fn holds_sender(&self, sender: &[u8; 16]) -> bool {
        self.queue.holds_sender(sender)
    }

    /// Entries that wait.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Takes up an entry found in the store.
    pub(super) fn restore(&mut self, seq: u64, entry: Entry) {
        self.queue.restore(seq, entry);
    }

    /// The entry of this message.
    pub(super) fn find(&self, content: ContentKey) -> Option<u64> {
        self.queue.find(content)
    }
}

/// The index entry of a record.
pub(super) fn entry_of(
    record: &DeferredRecord,
    key: MessageKey,
    content: ContentKey,
    sender: [u8; 16],
    about: Option<MessageKey>,
    size: usize,
) -> Entry {
    let notification = match (&record.notification, about) {
        (Some((_, kind)), Some(about)) => Some((about, *kind)),
        _ => None,
    };
    Entry {
        key,
        content,
        sender,
        notification,
        size: u64::try_from(size).unwrap_or(u64::MAX),
        expires: Duration::from_millis(record.expires),
        attempts: record.attempts,
        refusals: record.refusals,
    }
}

impl Server {
    /// Keeps the message of an exchange, or says 480 where that is not possible.
    // spec: CONV-PM-043, CONV-DF-001, CONV-DF-012, CONV-HDR-008, CONV-IMDN-050
    pub(super) fn defer(&mut self, parts: &mut Parts<'_>, handle: Handle<Exchange>, envelope: Envelope) {
        let Some(exchange) = self.exchanges.get(handle) else { return };
        let (user, key, content) = (exchange.user, exchange.key, exchange.content);
        let own = exchange.identity.user == Some(user);
        let notification = match &exchange.kind {
            Kind::Notification { about, kind, .. } => Some((*about, *kind)),
            _ => None,
        };
        if let (Some((about, Notification::Delivered)), Some(reporter)) =
            (notification, exchange.identity.user)
        {
            // `displayed` has passed in the meantime: `delivered` must not come after it.
            if self.seen.get(reporter, about).is_some_and(|record| record.displayed) {
                return self.accept(parts, handle, &envelope, 200);
            }
        }
        let expires = exchange.expires.filter(|_| !own && exchange.kind != Kind::Composing);
        let Some(expires) = expires.filter(|expires| *expires > parts.now.unix) else {
            return self.refuse(parts, handle, &Reply::new(480));
        };
        let record = DeferredRecord {
            notification: exchange.kind.about(),
            arrival: millis(parts.now.unix),
            expires: millis(expires),
            attempts: 0,
            refusals: 0,
            envelope,
        };
        let value = record.encode();
        let about = notification.map(|(about, _)| about);
        let entry = entry_of(&record, key, content, exchange.identity.hash(), about, value.len());
        let Some(owner) = self.users.get(user).map(|served| served.owner) else { return };
        let queue = &mut self.queues.entry(user).or_default().queue;
        let Ok(seq) = queue.reserve(entry.size, parts.limits.deferred_count, parts.limits.deferred_bytes)
        else {
            return self.refuse(parts, handle, &Reply::later(FULL));
        };
        let superseded = match notification {
            Some((about, Notification::Displayed)) => queue.superseded(about),
            _ => None,
        };
        let put = StoreOp::Put { key: deferred_key(owner, seq), value, expect: Expect::Absent };
        let mut batch = vec![put];
        batch.extend(superseded.map(|seq| delete(deferred_key(owner, seq))));
        if let Some(exchange) = self.exchanges.get(handle) {
            batch.extend(self.outcome_of_deferral(parts, exchange, &record.envelope, expires, owner));
        }
        let tried = self.tried_contacts(handle);
        let storing = Storing { envelope: record.envelope, seq, entry, superseded, tried, delivered: false };
        if let Some(exchange) = self.exchanges.get_mut(handle) {
            exchange.step = Step::Storing(Box::new(storing));
        }
        let waiter = NodeWaiter::Server(Waiter::Deferral(handle));
        if parts.store(owner, Durability::Replicated, batch, waiter).is_err() {
            self.on_deferred(parts, handle, Err(StoreError::Unavailable { retry: Duration::from_secs(5) }));
        }
    }

    /// The outcome that becomes durable together with the entry.
    fn outcome_of_deferral(
        &self,
        parts: &Parts<'_>,
        exchange: &Exchange,
        envelope: &Envelope,
        expires: Duration,
        owner: Owner,
    ) -> Vec<StoreOp> {
        match &exchange.kind {
            Kind::Message => {
                let expires = self.remember_until(parts.now.unix, envelope, Some(expires));
                let record = SeenRecord {
                    status: 202,
                    queued: true,
                    delivered: false,
                    displayed: false,
                    content: exchange.content,
                    expires,
                };
                let seen = seen_put(owner, exchange.key, &record);
                std::iter::once(seen).chain(self.hidden_put(exchange, envelope, expires)).collect()
            }
            Kind::Notification { about, .. } => {
                let reporter = exchange.identity.user;
                let record = reporter.and_then(|reporter| self.seen.get(reporter, *about));
                let served = reporter.and_then(|reporter| self.users.get(reporter));
                record
                    .zip(served)
                    .map(|(record, served)| seen_put(served.owner, *about, &record))
                    .into_iter()
                    .collect()
            }
            Kind::Composing => Vec::new(),
        }
    }

    /// The store has taken the entry, or not.
    // spec: CONV-PM-043
    pub(super) fn on_deferred(
        &mut self,
        parts: &mut Parts<'_>,
        handle: Handle<Exchange>,
        result: Result<(), StoreError>,
    ) {
        let Some(exchange) = self.exchanges.get_mut(handle) else { return };
        let (user, since) = (exchange.user, exchange.identity.at);
        let Step::Storing(storing) = &mut exchange.step else { return };
        let (seq, entry, delivered) = (storing.seq, storing.entry.clone(), storing.delivered);
        let superseded = storing.superseded;
        let queue = &mut self.queues.entry(user).or_default().queue;
        if let Err(error) = result {
            parts.store_failed();
            queue.release(entry.size);
            let reply = match error {
                StoreError::Full => Reply::later(FULL),
                StoreError::Unavailable { retry } => Reply::busy(retry.as_secs()),
                // Another writer took this place; there are others.
                StoreError::Conflict { .. } => Reply::busy(1),
                _ => Reply::new(500),
            };
            return self.refuse(parts, handle, &reply);
        }
        let content = entry.content;
        let tried = std::mem::take(&mut storing.tried);
        queue.commit(seq, entry);
        if let Some(old) = superseded {
            queue.remove(old);
        }
        let envelope = storing.envelope.clone();
        self.accept(parts, handle, &envelope, 202);
        self.rest_after(parts, user, &tried, since);
        if delivered {
            self.delivered_late(parts, user, content);
        }
        self.run_queue(parts, user);
    }

    /// Devices that have just failed are not tried again at once; one that came `since` the message did is.
    fn rest_after(&mut self, parts: &Parts<'_>, user: UserId, tried: &[String], since: Duration) {
        if tried.is_empty()
            || self.registrar.came_after(user, since)
            || self.suitable(parts, user).iter().any(|device| !tried.contains(&device.contact))
        {
            return;
        }
        if let Some(queue) = self.queues.get_mut(&user) {
            queue.last_round = Some(parts.now.mono);
            queue.not_before = queue.not_before.or(Some(parts.now.mono + AGAIN));
        }
    }

    /// The store is slow: the sender is told so. The write may still be made; then the message counts.
    pub(super) fn on_deferral_late(&mut self, parts: &mut Parts<'_>, handle: Handle<Exchange>) {
        parts.store_failed();
        let Some(exchange) = self.exchanges.get_mut(handle) else { return };
        let reply = Reply::busy(parts.limits.store_timeout.as_secs());
        for (txn, message) in std::mem::take(&mut exchange.upstream) {
            parts.respond(txn, reply.head(&message));
        }
    }

    /// A Device registered; `fresh` unless it only refreshed what it had.
    // spec: CONV-REG-005, CONV-DF-004
    pub(crate) fn on_device(&mut self, parts: &mut Parts<'_>, user: UserId, fresh: bool) {
        let suitable = self.suitable(parts, user);
        let Some(queue) = self.queues.get_mut(&user) else { return };
        let rested = queue.last_round.is_none_or(|last| parts.now.mono >= last + AGAIN);
        if fresh || rested {
            queue.not_before = None;
        }
        if let Flight::Forking(_, fork) = queue.flight {
            for device in &suitable {
                self.join_fork(parts, fork, device);
            }
        }
        self.run_queue(parts, user);
    }

    /// Starts whatever of the queue is due: an expiry first, then the oldest entry.
    // spec: CONV-DF-010
    pub(super) fn run_queue(&mut self, parts: &mut Parts<'_>, user: UserId) {
        let reachable = !self.suitable(parts, user).is_empty();
        let Some(owner) = self.users.get(user).map(|served| served.owner) else { return };
        let Some(queue) = self.queues.get_mut(&user) else { return };
        if queue.flight != Flight::None {
            return;
        }
        let expired = queue.queue.expired(parts.now.unix).first().copied();
        let rests = queue.not_before.is_some_and(|at| at > parts.now.mono);
        let next =
            expired.or_else(|| queue.queue.front().map(|(seq, _)| seq).filter(|_| reachable && !rests));
        let Some(seq) = next else { return self.arm_queue(parts, user) };
        queue.flight = Flight::Reading(seq);
        let batch = vec![StoreOp::Get { key: deferred_key(owner, seq) }];
        let waiter = NodeWaiter::Server(Waiter::Fetch(user, seq));
        if parts.store(owner, Durability::Memory, batch, waiter).is_err() {
            let error = StoreError::Unavailable { retry: Duration::from_secs(5) };
            self.on_fetched(parts, user, seq, Err(error));
        }
    }

    /// Arms the timer for the next round or the next expiry.
    fn arm_queue(&mut self, parts: &mut Parts<'_>, user: UserId) {
        let now = parts.now;
        let Some(queue) = self.queues.get_mut(&user) else { return };
        if let Some(timer) = queue.timer.take() {
            self.timers.cancel(timer);
        }
        if queue.is_empty() {
            // Its places are never used again: a removal that is still being repeated must not meet a new entry.
            let used = std::mem::take(&mut queue.queue);
            *queue = UserQueue { queue: used, ..UserQueue::default() };
            return;
        }
        let retry =
            queue.not_before.map(|at| at.saturating_duration_since(now.mono)).filter(|wait| !wait.is_zero());
        let expiry = queue.queue.first_expiry().map(|at| at.saturating_sub(now.unix));
        let wait = match (retry, expiry) {
            (Some(retry), Some(expiry)) => retry.min(expiry),
            (Some(wait), None) | (None, Some(wait)) => wait,
            (None, None) => return,
        };
        let timer = self.arm_at(now, now.unix.saturating_add(wait), "deferred", Timer::Queue(user));
        if let Some(queue) = self.queues.get_mut(&user) {
            queue.timer = Some(timer);
        }
    }

    /// Something of the queue may be due.
    pub(super) fn on_queue_timer(&mut self, parts: &mut Parts<'_>, user: UserId) {
        if let Some(queue) = self.queues.get_mut(&user) {
            queue.timer = None;
            if queue.not_before.is_some_and(|at| at <= parts.now.mono) {
                queue.not_before = None;
            }
        }
        self.run_queue(parts, user);
    }

    /// The record of the entry in flight was read.
    pub(super) fn on_fetched(
        &mut self,
        parts: &mut Parts<'_>,
        user: UserId,
        seq: u64,
        result: Result<Vec<StoreAnswer>, StoreError>,
    ) {
        let devices = self.suitable(parts, user);
        let Some(queue) = self.queues.get_mut(&user).filter(|queue| queue.flight == Flight::Reading(seq))
        else {
            return;
        };
        queue.flight = Flight::None;
        let record = match result {
            Ok(answers) => match answers.into_iter().next() {
                Some(StoreAnswer::Value(Some((version, value)))) => {
                    DeferredRecord::decode(&value).map(|record| (record, version))
                }
                _ => None,
            },
            Err(_) => {
                parts.store_failed();
                queue.not_before = Some(parts.now.mono + AGAIN);
                // An expiry that cannot be read must not be tried in a tight loop either.
                return self.arm_queue_after(parts, user, AGAIN);
            }
        };
        let Some(entry) = queue.queue.get(seq).cloned() else { return self.run_queue(parts, user) };
        let Some((mut record, version)) = record else {
            // Damaged or gone: there is nothing to deliver and nobody to tell.
            parts.store_failed();
            return self.drop_entry(parts, user, seq, None);
        };
        record.attempts = entry.attempts;
        record.refusals = entry.refusals;
        if entry.expires <= parts.now.unix {
            return self.drop_entry(parts, user, seq, Some(record));
        }
        if devices.is_empty() {
            return self.run_queue(parts, user);
        }
        let envelope = record.envelope.clone();
        queue.record = Some((record, version));
        queue.last_round = Some(parts.now.mono);
        let (service, purpose) = (Service::Deferred, Purpose::Deferred(seq));
        let fork =
            self.fork(parts, Delivery { user, content: entry.content, envelope, service, purpose, devices });
        if let Some(queue) = self.queues.get_mut(&user) {
            // If nothing could be sent the round is over already.
            if queue.record.is_some() && queue.flight == Flight::None {
                queue.flight = Flight::Forking(seq, fork);
            }
        }
    }

    fn arm_queue_after(&mut self, parts: &mut Parts<'_>, user: UserId, wait: Duration) {
        let now = parts.now;
        let timer = self.arm_at(now, now.unix.saturating_add(wait), "deferred", Timer::Queue(user));
        let Some(queue) = self.queues.get_mut(&user) else { return };
        if let Some(old) = queue.timer.replace(timer) {
            self.timers.cancel(old);
        }
    }

    /// A round of delivery is over.
    // spec: CONV-DF-009, CONV-DF-014
    pub(super) fn on_round(&mut self, parts: &mut Parts<'_>, user: UserId, seq: u64, outcome: Outcome) {
        let Some(queue) = self.queues.get_mut(&user) else { return };
        let Some((record, version)) = queue.record.take() else { return };
        queue.flight = Flight::None;
        if queue.queue.get(seq).is_none() {
            // A late answer of an earlier round has ended it.
            return self.run_queue(parts, user);
        }
        let refused = match outcome {
            Outcome::Delivered => {
                self.dequeue(parts, user, seq);
                return self.run_queue(parts, user);
            }
            // The user declined: trying again is not wanted (CONV-PM-016).
            Outcome::Refused(600..) => return self.drop_entry(parts, user, seq, Some(record)),
            Outcome::Refused(status) => is_refusal(status),
            Outcome::Unreachable => false,
        };
        match queue.queue.failed(seq, refused) {
            AfterFailure::Drop => self.drop_entry(parts, user, seq, Some(record)),
            AfterFailure::Wait(wait) => {
                queue.not_before = Some(parts.now.mono + wait);
                let counts = queue.queue.get(seq).map(|entry| (entry.attempts, entry.refusals));
                let (Some((attempts, refusals)), Some(served)) = (counts, self.users.get(user)) else {
                    return;
                };
                let (owner, value) = (served.owner, DeferredRecord { attempts, refusals, ..record }.encode());
                // A write that comes late must not bring back an entry that is gone by then.
                let expect = Expect::Version(version);
                let put = StoreOp::Put { key: deferred_key(owner, seq), value, expect };
                self.insist(parts, owner, Durability::Local, vec![put]);
                self.run_queue(parts, user);
            }
        }
    }

    /// A Device answered 2xx after the message was given up on: it is not kept for later any more.
    // spec: CONV-PM-047, CONV-DF-014
    pub(super) fn delivered_late(&mut self, parts: &mut Parts<'_>, user: UserId, content: ContentKey) {
        if let Some(seq) = self.queues.get(&user).and_then(|queue| queue.find(content)) {
            self.dequeue(parts, user, seq);
            return self.run_queue(parts, user);
        }
        let exchange = self.active.get(&(user, content)).copied();
        let Some(exchange) = exchange.and_then(|handle| self.exchanges.get_mut(handle)) else { return };
        if let Step::Storing(storing) = &mut exchange.step {
            storing.delivered = true;
        }
    }

    /// Removes a delivered entry, durably.
    // spec: CONV-DF-009
    fn dequeue(&mut self, parts: &mut Parts<'_>, user: UserId, seq: u64) {
        let Some(queue) = self.queues.get_mut(&user) else { return };
        let Some(entry) = queue.queue.remove(seq) else { return };
        let Some(owner) = self.users.get(user).map(|served| served.owner) else { return };
        let mut batch = vec![delete(deferred_key(owner, seq))];
        let record = self.seen.get(user, entry.key).filter(|record| record.content == entry.content);
        if let Some(mut record) = record {
            record.queued = false;
            self.seen.put(user, entry.key, record);
            batch.push(seen_put(owner, entry.key, &record));
        }
        self.insist(parts, owner, Durability::Local, batch);
    }

    /// Gives an entry up: the sender gets a `failed` notification if it asked for one. Both are one batch.
    // spec: CONV-DF-002, CONV-IMDN-011
    fn drop_entry(&mut self, parts: &mut Parts<'_>, user: UserId, seq: u64, record: Option<DeferredRecord>) {
        let Some(queue) = self.queues.get_mut(&user) else { return };
        let Some(entry) = queue.queue.remove(seq) else { return };
        let Some(owner) = self.users.get(user).map(|served| served.owner) else { return };
        parts.stats.deferred_dropped += 1;
        let mut batch = vec![delete(deferred_key(owner, seq))];
        let record_of_it = self.seen.get(user, entry.key).is_some_and(|seen| seen.content == entry.content);
        if entry.notification.is_none() && record_of_it {
            self.seen.forget(user, entry.key);
            batch.push(delete(key(owner, RecordKind::Seen, &entry.key.0)));
        }
        let told = record.and_then(|record| self.notify_failure(parts, user, &record));
        let notice = told.map(|(notice, put)| {
            batch.push(put);
            notice
        });
        self.insist_with(parts, owner, Durability::Replicated, batch, notice);
        self.run_queue(parts, user);
    }

    /// A `failed` notification is durable in the queue of the sender, or could not be written.
    pub(super) fn queue_notice(&mut self, parts: &mut Parts<'_>, notice: Notice, stored: bool) {
        let queue = &mut self.queues.entry(notice.user).or_default().queue;
        if stored {
            queue.commit(notice.seq, notice.entry);
        } else {
            queue.release(notice.entry.size);
        }
        self.run_queue(parts, notice.user);
    }

    /// A `failed` notification for the queue of the sender, with the write that keeps it.
    fn notify_failure(
        &mut self,
        parts: &mut Parts<'_>,
        user: UserId,
        record: &DeferredRecord,
    ) -> Option<(Notice, StoreOp)> {
        if record.notification.is_some() || !record.envelope.wanted.negative {
            return None;
        }
        let sender = self.users.named(&record.envelope.sender)?;
        let (recipient, told) = (self.users.get(user)?, self.users.get(sender)?);
        let (about, owner) = (MessageKey::of(&told.canonical, &record.envelope.message_id), told.owner);
        let longest = Duration::from_secs(u64::from(self.policy.deferred_max_seconds));
        let notice = DeferredRecord {
            envelope: failure_notification(parts, recipient, &record.envelope)?,
            notification: Some((record.envelope.message_id.clone(), Notification::Other)),
            arrival: millis(parts.now.unix),
            expires: millis(parts.now.unix.saturating_add(longest)),
            attempts: 0,
            refusals: 0,
        };
        let value = notice.encode();
        let key = MessageKey::of(&recipient.canonical, &notice.envelope.message_id);
        let content =
            ContentKey::of(&recipient.canonical, &notice.envelope.message_id, &notice.envelope.body);
        let sender_hash = crate::store::model::hash128(&[recipient.canonical.as_bytes()]);
        let entry = entry_of(&notice, key, content, sender_hash, Some(about), value.len());
        let queue = &mut self.queues.entry(sender).or_default().queue;
        let seq = queue.reserve(entry.size, parts.limits.deferred_count, parts.limits.deferred_bytes).ok()?;
        let put = StoreOp::Put { key: deferred_key(owner, seq), value, expect: Expect::Any };
        Some((Notice { user: sender, seq, entry }, put))
    }
}

fn delete(key: bytes::Bytes) -> StoreOp {
    StoreOp::Delete { key, expect: Expect::Any }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
