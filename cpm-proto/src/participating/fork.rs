//! One message on its way to several Devices of one user (CONV-PM-041 to -047, CONV-PF-041).
//!
//! Every Device gets a branch at once; a branch may have to wait at the gate. The fork is *decided* by the
//! first 2xx, or when all branches have failed, or when the delivery timer fires. It lives on until its last
//! transaction ends, so that a late 2xx is still noticed.

use super::exchange::{Exchange, Step};
use super::head::device_request;
use super::{Server, Timer, UserId};
use crate::gate::Place;
use crate::node::Parts;
use crate::policy::{Outcome, outcome};
use crate::registrar::Device;
use crate::service::Service;
use crate::store::model::{ContentKey, Envelope};
use cpm_base::{Handle, TimerId};
use cpm_sip::Message;
use cpm_sip::endpoint::ClientTxn;
use cpm_sip::txn::TxnFailure;
use std::time::Duration;

/// Time the Devices have before the sender is answered (CONV-PM-047).
pub(crate) const DELIVERY_TIMER: Duration = Duration::from_secs(15);

/// One branch of one fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BranchId {
    fork: Handle<Fork>,
    index: usize,
}

/// Who learns the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The exchange whose sender waits.
    Exchange(Handle<Exchange>),
    /// The deferred queue: the entry at this place.
    Deferred(u64),
    /// Nobody: a copy for the sender's own Devices, whose failure is ignored.
    Copy,
}

/// A message under way to the Devices of `user`.
#[derive(Debug)]
pub(crate) struct Fork {
    user: UserId,
    content: ContentKey,
    envelope: Envelope,
    service: Service,
    purpose: Purpose,
    branches: Vec<Branch>,
    timer: Option<TimerId>,
    decided: bool,
}

#[derive(Debug)]
struct Branch {
    device: Device,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Another message to this Device is on its way (CONV-PM-015).
    Waiting,
    /// Sent; no final answer yet.
    Sent,
    /// The final answer, or what stands for it.
    Final(u16),
}

/// What to send to whom, and why.
pub(super) struct Delivery {
    pub(super) user: UserId,
    pub(super) content: ContentKey,
    pub(super) envelope: Envelope,
    pub(super) service: Service,
    pub(super) purpose: Purpose,
    pub(super) devices: Vec<Device>,
}

impl Server {
    /// Sends a message to all `devices` at once.
    // spec: CONV-PM-041, CONV-PF-041
    pub(super) fn fork(&mut self, parts: &mut Parts<'_>, delivery: Delivery) -> Handle<Fork> {
        let Delivery { user, content, envelope, service, purpose, devices } = delivery;
        let branches = devices.into_iter().map(|device| Branch { device, state: State::Waiting }).collect();
        let timer = None;
        let fork = Fork {
            user,
            content,
            envelope,
            service,
            purpose,
            branches,
            timer,
            decided: purpose == Purpose::Copy,
        };
        let count = fork.branches.len();
        let handle = self.forks.insert(fork);
        let at = parts.now.mono + DELIVERY_TIMER;
        let timer = self.timers.arm(parts.now.mono, at, "delivery", Timer::Branches(handle));
        if let Some(fork) = self.forks.get_mut(handle) {
            fork.timer = Some(timer);
        }
        for index in 0..count {
            self.enter_gate(parts, BranchId { fork: handle, index });
        }
        handle
    }

    /// Adds a Device that came while the outcome was open, unless it has a branch.
    pub(super) fn join_fork(&mut self, parts: &mut Parts<'_>, handle: Handle<Fork>, device: &Device) {
        let Some(fork) = self.forks.get_mut(handle) else { return };
        if fork.decided || fork.branches.iter().any(|branch| branch.device.is_same(device)) {
            return;
        }
        fork.branches.push(Branch { device: device.clone(), state: State::Waiting });
        let index = fork.branches.len() - 1;
        self.enter_gate(parts, BranchId { fork: handle, index });
    }

    /// The contacts an exchange has tried.
    pub(super) fn tried_contacts(&self, exchange: Handle<Exchange>) -> Vec<String> {
        let fork = match self.exchanges.get(exchange).map(|exchange| &exchange.step) {
            Some(Step::Forking(Some(fork))) => self.forks.get(*fork),
            _ => None,
        };
        let branches = fork.map(|fork| fork.branches.as_slice()).unwrap_or_default();
        branches.iter().map(|branch| branch.device.contact.clone()).collect()
    }

    fn enter_gate(&mut self, parts: &mut Parts<'_>, id: BranchId) {
        let Some(uri) = self.branch(id).map(|branch| branch.device.contact.clone()) else { return };
        match self.gate.enter(&uri, id, parts.limits.gate_queue) {
            Place::Head => self.send_branch(parts, id),
            Place::Waiting => {}
            Place::Full => self.settle_branch(parts, id, 503),
        }
    }

    fn branch(&self, id: BranchId) -> Option<&Branch> {
        self.forks.get(id.fork)?.branches.get(id.index)
    }

    /// Sends the branch at the head of its lane, and the next one for as long as sending fails.
    fn send_branch(&mut self, parts: &mut Parts<'_>, first: BranchId) {
        let mut next = Some(first);
        while let Some(id) = next {
            next = None;
            let Some(fork) = self.forks.get_mut(id.fork) else { continue };
            let Some(branch) = fork.branches.get_mut(id.index) else { continue };
            let limits = &parts.limits.cpim;
            let head = device_request(&fork.envelope, fork.service, &branch.device, limits);
            let sent = head.and_then(|head| parts.sip.request(parts.now, head, branch.device.target).ok());
            match sent {
                Some(txn) => {
                    branch.state = State::Sent;
                    self.branches.insert(txn, id);
                }
                None => {
                    let uri = branch.device.contact.clone();
                    next = self.gate.leave(&uri, id);
                    self.settle_branch(parts, id, 503);
                }
            }
        }
    }

    /// A response to one of our requests.
    pub(super) fn on_response(&mut self, parts: &mut Parts<'_>, txn: Handle<ClientTxn>, message: &Message) {
        let Some(status) = message.status().filter(|status| *status >= 200) else { return };
        self.finish_branch(parts, txn, status);
    }

    /// One of our requests got no final response.
    pub(super) fn on_failure(&mut self, parts: &mut Parts<'_>, txn: Handle<ClientTxn>, why: TxnFailure) {
        let status = if why == TxnFailure::Timeout { 408 } else { 503 };
        self.finish_branch(parts, txn, status);
    }

    fn finish_branch(&mut self, parts: &mut Parts<'_>, txn: Handle<ClientTxn>, status: u16) {
        let Some(id) = self.branches.remove(txn) else { return };
        let Some(uri) = self.branch(id).map(|branch| branch.device.contact.clone()) else { return };
        let next = self.gate.leave(&uri, id);
        self.settle_branch(parts, id, status);
        if let Some(next) = next {
            self.send_branch(parts, next);
        }
    }

    /// Notes the final status of a branch and decides the fork if that is due.
    fn settle_branch(&mut self, parts: &mut Parts<'_>, id: BranchId, status: u16) {
        let Some(fork) = self.forks.get_mut(id.fork) else { return };
        if let Some(branch) = fork.branches.get_mut(id.index) {
            branch.state = State::Final(status);
        }
        let delivered = (200..300).contains(&status);
        let (user, content, purpose, decided) = (fork.user, fork.content, fork.purpose, fork.decided);
        let all_final = fork.branches.iter().all(|branch| matches!(branch.state, State::Final(_)));
        if decided {
            if delivered && purpose != Purpose::Copy {
                self.delivered_late(parts, user, content);
            }
        } else if delivered || all_final {
            self.decide(parts, id.fork);
        }
        if all_final {
            self.end_fork(id.fork);
        }
    }

    /// The Devices had their time: what has not answered counts as 408, what waits is not sent any more.
    // spec: CONV-PM-047
    pub(super) fn on_branches_timeout(&mut self, parts: &mut Parts<'_>, handle: Handle<Fork>) {
        let Some(fork) = self.forks.get_mut(handle) else { return };
        fork.timer = None;
        let mut waiting = Vec::new();
        for (index, branch) in fork.branches.iter_mut().enumerate() {
            if branch.state == State::Waiting {
                branch.state = State::Final(408);
                waiting.push((branch.device.contact.clone(), BranchId { fork: handle, index }));
            }
        }
        let all_final = fork.branches.iter().all(|branch| branch.state != State::Sent);
        for (uri, id) in waiting {
            // A waiting branch is never the head, so nobody moves up.
            self.gate.leave(&uri, id);
        }
        self.decide(parts, handle);
        if all_final {
            self.end_fork(handle);
        }
    }

    fn end_fork(&mut self, handle: Handle<Fork>) {
        if let Some(fork) = self.forks.remove(handle) {
            fork.timer.and_then(|timer| self.timers.cancel(timer));
        }
    }

    /// Tells the owner of the fork what came of it, once.
    fn decide(&mut self, parts: &mut Parts<'_>, handle: Handle<Fork>) {
        let Some(fork) = self.forks.get_mut(handle).filter(|fork| !fork.decided) else { return };
        fork.decided = true;
        let statuses = fork.branches.iter().map(|branch| match branch.state {
            State::Final(status) => status,
            State::Waiting | State::Sent => 408,
        });
        let outcome: Outcome = outcome(statuses);
        let (user, purpose) = (fork.user, fork.purpose);
        match purpose {
            Purpose::Exchange(exchange) => {
                // Branches that wait at the gate still need it afterwards.
                let envelope = std::mem::take(&mut fork.envelope);
                self.on_exchange_outcome(parts, exchange, &envelope, outcome);
                if let Some(fork) = self.forks.get_mut(handle) {
                    fork.envelope = envelope;
                }
            }
            Purpose::Deferred(seq) => self.on_round(parts, user, seq, outcome),
            Purpose::Copy => {}
        }
    }
}
