//! From durable records back to tables, before the first request is served (CONV-PF-095).

use super::deferred::entry_of;
use super::exchange::REMEMBERED;
use super::{Server, Timer, UserId, Waiter};
use crate::Event;
use crate::node::{NodeWaiter, Parts};
use crate::store::engine::{Durability, Expect, StoreAnswer, StoreError, StoreOp};
use crate::store::model::{
    BindingRecord, ContentKey, DeferredRecord, HiddenRecord, Kind, MessageKey, Owner, SeenRecord, hash128,
    key, split_key,
};
use bytes::Bytes;
use cpm_sip::Uri;
use std::collections::BTreeMap;
use std::time::Duration;

/// Rows read at a time.
const PAGE: u32 = 256;

/// Where the restore stands, and what it must look at again when all is read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// First key not read yet.
    next: Bytes,
    /// Records that are over, damaged or done.
    stale: BTreeMap<Owner, Vec<StoreOp>>,
    /// Deferred entries by user and place; they are judged when all outcomes are known.
    deferred: Vec<(UserId, u64, Bytes, super::queue::Entry)>,
}

impl Server {
    /// Reads the next page.
    pub(crate) fn restore(&mut self, parts: &mut Parts<'_>) {
        let from = self.progress.next.clone();
        let to = Bytes::from_static(&[0xff; 20]);
        let batch = vec![StoreOp::Scan { from, to, limit: PAGE, reverse: false }];
        let waiter = NodeWaiter::Server(Waiter::Restore);
        if parts.store(Owner::of(""), Durability::Memory, batch, waiter).is_err() {
            self.retry_restore(parts, Duration::from_secs(1));
        }
    }

    fn retry_restore(&mut self, parts: &mut Parts<'_>, wait: Duration) {
        let wait = wait.clamp(Duration::from_millis(100), Duration::from_secs(10));
        self.timers.arm(parts.now.mono, parts.now.mono + wait, "restore", Timer::Restore);
    }

    /// Takes one page up.
    // spec: CONV-PF-095
    pub(super) fn on_restored(
        &mut self,
        parts: &mut Parts<'_>,
        result: Result<Vec<StoreAnswer>, StoreError>,
    ) {
        let (rows, more) = match result.map(|answers| answers.into_iter().next()) {
            Ok(Some(StoreAnswer::Rows { rows, more })) => (rows, more),
            Ok(_) => return parts.event(Event::StartFailed { error: StoreError::Corrupt }),
            Err(StoreError::Unavailable { retry }) => return self.retry_restore(parts, retry),
            Err(error) => return parts.event(Event::StartFailed { error }),
        };
        for (key, _, value) in &rows {
            self.take_up(parts, key, value);
        }
        if let Some((last, _, _)) = rows.last().filter(|_| more) {
            let mut next = last.to_vec();
            next.push(0);
            self.progress.next = Bytes::from(next);
            return self.restore(parts);
        }
        self.finish_restore(parts);
    }

    /// One record. What belongs to no user of this configuration is left alone.
    fn take_up(&mut self, parts: &mut Parts<'_>, key: &Bytes, value: &Bytes) {
        let Some((owner, kind, rest)) = split_key(key) else { return };
        let Some(user) = self.users.of_owner(owner) else { return };
        let now = parts.now.unix_secs();
        let kept = match kind {
            Kind::Binding => match BindingRecord::decode(value) {
                // A stream does not survive the restart; its client has to register again.
                Some(record) if record.binding.expires_at > now && !record.transport.is_reliable() => {
                    self.registrar.restore(user, record);
                    true
                }
                _ => false,
            },
            Kind::Seen => match (SeenRecord::decode(value), <[u8; 16]>::try_from(rest)) {
                (Some(record), Ok(hash)) if record.expires > now => {
                    self.seen.put(user, MessageKey(hash), record);
                    true
                }
                _ => false,
            },
            Kind::Hidden => match (HiddenRecord::decode(value), <[u8; 16]>::try_from(rest)) {
                (Some(record), Ok(message)) if record.expires > now => {
                    if let Some(sender) = self.users.of_owner(record.sender) {
                        self.hidden.put(user, message, sender, record.expires);
                    }
                    true
                }
                _ => false,
            },
            Kind::Defer => match (DeferredRecord::decode(value), <[u8; 8]>::try_from(rest)) {
                (Some(record), Ok(seq)) => {
                    let entry = self.index(user, &record, value.len());
                    self.progress.deferred.push((user, u64::from_be_bytes(seq), key.clone(), entry));
                    true
                }
                _ => false,
            },
        };
        if !kept {
            self.drop_later(owner, key.clone());
        }
    }

    fn index(&self, user: UserId, record: &DeferredRecord, size: usize) -> super::queue::Entry {
        let canonical = |address: &str| {
            Uri::parse(address).map(|uri| self.users.canonical(&uri)).unwrap_or_else(|_| address.to_owned())
        };
        let sender = canonical(&record.envelope.sender);
        let own = self.users.get(user).map(|served| served.canonical.as_str()).unwrap_or_default();
        let about = record.notification.as_ref().map(|(id, _)| MessageKey::of(own, id));
        let key = MessageKey::of(&sender, &record.envelope.message_id);
        let content = ContentKey::of(&sender, &record.envelope.message_id, &record.envelope.body);
        entry_of(record, key, content, hash128(&[sender.as_bytes()]), about, size)
    }

    fn drop_later(&mut self, owner: Owner, key: Bytes) {
        let delete = StoreOp::Delete { key, expect: Expect::Any };
        self.progress.stale.entry(owner).or_default().push(delete);
    }

    /// All is read: judge the deferred entries, clean up, begin to serve.
    fn finish_restore(&mut self, parts: &mut Parts<'_>) {
        let progress = std::mem::take(&mut self.progress);
        self.progress.stale = progress.stale;
        for (user, seq, key, entry) in progress.deferred {
            let Some(owner) = self.users.get(user).map(|served| served.owner) else { continue };
            let queue = self.queues.entry(user).or_default();
            let outcome = self.seen.get(user, entry.key).filter(|record| record.content == entry.content);
            // The outcome says that a Device has it, or it stands here already: this write was made by a batch
            // whose answer nobody saw, and its sender has tried again since.
            let done = outcome.is_some_and(|record| record.status != 0 && !record.queued);
            if done || queue.find(entry.content).is_some() {
                self.drop_later(owner, key);
                continue;
            }
            let (message, content, expires) = (entry.key, entry.content, entry.expires);
            let remembered = self.seen.get(user, message).is_some() || entry.notification.is_some();
            queue.restore(seq, entry);
            if !remembered {
                let expires = expires.saturating_add(REMEMBERED).as_secs();
                let record = SeenRecord {
                    status: 202,
                    queued: true,
                    delivered: false,
                    displayed: false,
                    content,
                    expires,
                };
                self.seen.put(user, message, record);
            }
        }
        for (owner, batch) in std::mem::take(&mut self.progress.stale) {
            self.insist(parts, owner, Durability::Local, batch);
        }
        self.ready = true;
        parts.event(Event::Started);
        self.arm_seen(parts);
        for user in self.registrar.users() {
            self.arm_bindings(parts, user);
        }
        let queued: Vec<UserId> = self.queues.keys().copied().collect();
        for user in queued {
            self.run_queue(parts, user);
        }
    }

    /// Arms the timer that forgets old outcomes, if it is not armed.
    pub(super) fn arm_seen(&mut self, parts: &mut Parts<'_>) {
        if self.seen_timer {
            return;
        }
        let next = [self.seen.first_expiry(), self.hidden.first_expiry()].into_iter().flatten().min();
        let Some(next) = next else { return };
        self.seen_timer = true;
        // Outcomes may outstay their time by a minute, so that one timer serves many.
        let at = Duration::from_secs(next.saturating_add(60));
        self.arm_at(parts.now, at, "seen", Timer::Seen);
    }

    /// Forgets outcomes that are over.
    pub(super) fn on_seen_timer(&mut self, parts: &mut Parts<'_>) {
        self.seen_timer = false;
        let now = parts.now.unix_secs();
        let over = self.seen.expire(now, PAGE as usize);
        self.unsee(parts, &over);
        let hidden = self.hidden.expire(now);
        self.remove_all(parts, Kind::Hidden, hidden.into_iter());
        self.arm_seen(parts);
    }

    /// Removes outcomes from the store.
    pub(super) fn unsee(&mut self, parts: &mut Parts<'_>, over: &[(UserId, MessageKey)]) {
        self.remove_all(parts, Kind::Seen, over.iter().map(|(user, message)| (*user, message.0)));
    }

    /// Removes records of one kind, some of each of several users.
    fn remove_all(
        &mut self,
        parts: &mut Parts<'_>,
        kind: Kind,
        over: impl Iterator<Item = (UserId, [u8; 16])>,
    ) {
        let mut batches: BTreeMap<Owner, Vec<StoreOp>> = BTreeMap::new();
        for (user, rest) in over {
            let Some(owner) = self.users.get(user).map(|served| served.owner) else { continue };
            let key = key(owner, kind, &rest);
            batches.entry(owner).or_default().push(StoreOp::Delete { key, expect: Expect::Any });
        }
        for (owner, batch) in batches {
            self.insist(parts, owner, Durability::Memory, batch);
        }
    }
}
