//! The node split into the parts a function works with during one call (architecture §3 rule 4).

use super::Stats;
use super::effects::{Effects, StoreRequest, Waiter};
use crate::store::engine::{Durability, StoreOp};
use crate::store::model::Owner;
use crate::{Error, Event, Limits, Output};
use cpm_base::{Handle, Now, ProbeKind, ProbeRing, Rng};
use cpm_sip::Head;
use cpm_sip::endpoint::{Endpoint, ServerTxn};
use std::collections::VecDeque;

/// What a function borrows from the node; the function itself lies beside it.
pub(crate) struct Parts<'a> {
    pub(crate) now: Now,
    pub(crate) sip: &'a mut Endpoint,
    pub(crate) effects: &'a mut Effects,
    pub(crate) out: &'a mut VecDeque<Output>,
    pub(crate) rng: &'a mut Rng,
    pub(crate) limits: &'a Limits,
    pub(crate) stats: &'a mut Stats,
    pub(crate) probes: &'a mut ProbeRing,
}

/// Borrows the parts of a node; a method would borrow the whole node.
macro_rules! parts {
    ($node:expr, $now:expr) => {
        $crate::node::parts::Parts {
            now: $now,
            sip: &mut $node.sip,
            effects: &mut $node.effects,
            out: &mut $node.out,
            rng: &mut $node.rng,
            limits: &$node.config.limits,
            stats: &mut $node.stats,
            probes: &mut $node.probes,
        }
    };
}
pub(super) use parts;

impl Parts<'_> {
    /// The same parts for one call more.
    pub(crate) fn again(&mut self) -> Parts<'_> {
        Parts {
            now: self.now,
            sip: self.sip,
            effects: self.effects,
            out: self.out,
            rng: self.rng,
            limits: self.limits,
            stats: self.stats,
            probes: self.probes,
        }
    }

    /// Gives out one batch of a user; its answer goes to `waiter`.
    pub(crate) fn store(
        &mut self,
        owner: Owner,
        durability: Durability,
        batch: Vec<StoreOp>,
        waiter: Waiter,
    ) -> Result<(), Error> {
        let request = StoreRequest { lane: owner.lane(), durability, batch };
        self.effects.store(self.now, self.out, request, waiter)
    }

    /// The store did not do what was asked.
    pub(crate) fn store_failed(&mut self) {
        self.stats.store_failures += 1;
        self.probes.push(ProbeKind::StoreFailed, 0, 0);
    }

    /// Answers a request. A transaction that is over takes no answer; nobody waits for it then.
    pub(crate) fn respond(&mut self, txn: Handle<ServerTxn>, head: Head) {
        if self.sip.respond(self.now, txn, head).is_err() {
            self.stats.answers_unsent += 1;
        }
    }

    /// Turns away a request of somebody who has not proven who it is; nothing of it is kept.
    pub(crate) fn refuse(&mut self, txn: Handle<ServerTxn>, head: Head) {
        if self.sip.refuse(self.now, txn, head).is_err() {
            self.stats.answers_unsent += 1;
        }
    }

    /// Tells the owner of the node.
    pub(crate) fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }
}
