//! Writes nobody waits for but that must be made: dequeuing, outcomes, bindings that ended. Repeated with
//! growing waits while the store is not available.

use super::queue::Entry;
use super::{Server, Timer, UserId, Waiter};
use crate::node::{NodeWaiter, Parts};
use crate::store::engine::{Durability, Expect, StoreError, StoreOp};
use crate::store::model::Owner;
use cpm_base::Handle;
use std::time::Duration;

/// So often a write is tried; then it is counted as lost. What it would have removed is recognised as done
/// by the next restore, or ends by its expiry.
const TRIES: u32 = 12;

/// One such write.
#[derive(Debug)]
pub(crate) struct Insist {
    owner: Owner,
    durability: Durability,
    batch: Vec<StoreOp>,
    tries: u32,
    notice: Option<Notice>,
}

/// A queue entry that counts once its write is made.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) user: UserId,
    pub(super) seq: u64,
    pub(super) entry: Entry,
}

impl Server {
    /// Makes a write, again and again if need be.
    pub(crate) fn insist(
        &mut self,
        parts: &mut Parts<'_>,
        owner: Owner,
        durability: Durability,
        batch: Vec<StoreOp>,
    ) {
        if !batch.is_empty() {
            self.insist_with(parts, owner, durability, batch, None);
        }
    }

    /// Makes a write after which an entry is in a queue.
    pub(super) fn insist_with(
        &mut self,
        parts: &mut Parts<'_>,
        owner: Owner,
        durability: Durability,
        batch: Vec<StoreOp>,
        notice: Option<Notice>,
    ) {
        let insist = self.insists.insert(Insist { owner, durability, batch, tries: 0, notice });
        self.retry_insist(parts, insist);
    }

    /// Tries again.
    pub(super) fn retry_insist(&mut self, parts: &mut Parts<'_>, handle: Handle<Insist>) {
        let Some(insist) = self.insists.get_mut(handle) else { return };
        insist.tries += 1;
        let waiter = NodeWaiter::Server(Waiter::Insist(handle));
        let (owner, durability, batch) = (insist.owner, insist.durability, insist.batch.clone());
        if parts.store(owner, durability, batch, waiter).is_err() {
            let error = StoreError::Unavailable { retry: Duration::from_secs(1) };
            self.on_insisted(parts, handle, Err(error));
        }
    }

    /// The store has answered.
    pub(super) fn on_insisted(
        &mut self,
        parts: &mut Parts<'_>,
        handle: Handle<Insist>,
        result: Result<(), StoreError>,
    ) {
        let Some(insist) = self.insists.get(handle) else { return };
        let again = match result {
            Err(StoreError::Unavailable { .. } | StoreError::Full) => true,
            // A write that expects something has met what another one has made of it: it is out of date.
            Err(StoreError::Conflict { .. }) => !insist.batch.iter().any(expects),
            _ => false,
        };
        match result {
            Err(_) if again && insist.tries < TRIES => {
                let wait = Duration::from_secs(1 << insist.tries.min(6));
                self.timers.arm(parts.now.mono, parts.now.mono + wait, "insist", Timer::Insist(handle));
            }
            result => {
                let notice = self.insists.remove(handle).and_then(|insist| insist.notice);
                if result.is_err() {
                    parts.store_failed();
                }
                if let Some(notice) = notice {
                    self.queue_notice(parts, notice, result.is_ok());
                }
            }
        }
    }
}

/// Whether an operation depends on what is there.
fn expects(op: &StoreOp) -> bool {
    match op {
        StoreOp::Put { expect, .. } | StoreOp::Delete { expect, .. } => *expect != Expect::Any,
        _ => true,
    }
}
