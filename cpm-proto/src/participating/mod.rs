//! The participating function: what a CPM server does for its users (CONV-PF, CONV-PM, CONV-DF, CONV-IMDN).
//!
//! One MESSAGE runs through these steps: identity (who sends it), border (is it complete, what does it ask),
//! [`exchange::Exchange`] (one message to one recipient), [`fork::Fork`] (its way to every suitable Device) and,
//! when nobody can be reached, the deferred queue. Nothing is answered with 202 before the store has it.

mod border;
mod deferred;
mod exchange;
mod fork;
mod head;
mod hidden;
mod identity;
mod imdn;
mod insist;
mod queue;
mod reply;
mod restore;
mod seen;
mod tries;
mod users;

pub(crate) use reply::Reply;
pub(crate) use users::{Place, UserId, Users};

use crate::config::ServerConfig;
use crate::gate::Gate;
use crate::node::Parts;
use crate::registrar::Registrar;
use crate::store::engine::{StoreAnswer, StoreError};
use crate::store::model::ContentKey;
use crate::{Limits, Policy, Stats};
use cpm_base::{Arena, FlowId, Handle, HashSeed, Now, Rng, SeededMap, Side, Wheel};
use cpm_sip::auth::{Verifier, VerifierConfig};
use cpm_sip::endpoint::{ClientTxn, Event, ServerTxn, Source};
use cpm_sip::{Message, Method};
use exchange::Exchange;
use fork::{BranchId, Fork};
use hidden::Hidden;
use insist::Insist;
use seen::Seen;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tries::Tries;

/// Methods the server answers with more than 405.
pub(crate) const ALLOW: &str = "REGISTER, MESSAGE, OPTIONS";

/// Who waits for a store answer. Names only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiter {
    /// The restore at start.
    Restore,
    /// The registration under way for a user.
    Register(UserId, u64),
    /// A deferral that is answered once it is durable.
    Deferral(Handle<Exchange>),
    /// The deferred entry that is read for delivery.
    Fetch(UserId, u64),
    /// A write that is repeated until the store takes it.
    Insist(Handle<Insist>),
}

/// What fires when time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The Devices of a fork had their time (CONV-PM-047).
    Branches(Handle<Fork>),
    /// Something of a user's queue is due: delivery or expiry.
    Queue(UserId),
    /// A binding ends.
    Bindings(UserId),
    /// Remembered messages end.
    Seen,
    /// A write is tried again.
    Insist(Handle<Insist>),
    /// The restore is tried again.
    Restore,
}

/// The server side of a node.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) users: Users,
    pub(crate) policy: Policy,
    pub(crate) registrar: Registrar,
    pub(crate) verifier: Verifier,
    pub(crate) timers: Wheel<Timer>,
    /// Durable state is restored.
    ready: bool,
    progress: restore::Progress,
    exchanges: Arena<Exchange>,
    /// Exchanges under way by recipient and message.
    active: SeededMap<(UserId, ContentKey), Handle<Exchange>>,
    /// Exchanges under way by sender.
    senders: BTreeMap<[u8; 16], usize>,
    forks: Arena<Fork>,
    branches: Side<ClientTxn, BranchId>,
    gate: Gate<BranchId>,
    queues: BTreeMap<UserId, deferred::UserQueue>,
    tries: Tries,
    hidden: Hidden,
    seen: Seen,
    seen_timer: bool,
    insists: Arena<Insist>,
}

impl Server {
    /// A server that refuses everything until its state is restored.
    pub(crate) fn new(config: ServerConfig, limits: &Limits, rng: &mut Rng) -> Self {
        let seed = HashSeed([rng.next_u64(), rng.next_u64()]);
        let users = Users::new(&config);
        let mut verifier = VerifierConfig::new(users.realm());
        verifier.algorithms = config.registrar.algorithms.clone();
        Self {
            registrar: Registrar::new(&config.registrar, limits),
            verifier: Verifier::new(verifier, rng.child_seed()),
            users,
            policy: config.policy,
            timers: Wheel::new(),
            ready: false,
            progress: restore::Progress::default(),
            exchanges: Arena::new(),
            active: SeededMap::new(seed),
            senders: BTreeMap::new(),
            forks: Arena::new(),
            branches: Side::new(),
            gate: Gate::new(),
            queues: BTreeMap::new(),
            tries: Tries::default(),
            hidden: Hidden::new(limits.remembered),
            seen: Seen::new(seed, limits.remembered),
            seen_timer: false,
            insists: Arena::new(),
        }
    }

    /// Whether requests are served.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Whether nothing is under way, queued or registered. What is only remembered does not count.
    pub(crate) fn is_quiescent(&self) -> bool {
        self.exchanges.is_empty()
            && self.forks.is_empty()
            && self.gate.is_empty()
            && self.insists.is_empty()
            && self.queues.values().all(|queue| queue.is_empty())
            && self.registrar.is_empty()
    }

    /// Adds the sizes of the tables.
    pub(crate) fn fill_stats(&self, stats: &mut Stats) {
        stats.exchanges = self.exchanges.len();
        stats.deferred = self.queues.values().map(deferred::UserQueue::len).sum();
        stats.bindings = self.registrar.len();
        stats.remembered = self.seen.len();
    }

    /// Takes an event of the endpoint.
    pub(crate) fn on_event(&mut self, parts: &mut Parts<'_>, event: Event) {
        match event {
            Event::Request { txn, source, message } => self.on_request(parts, txn, &source, &message),
            Event::Response { txn, message } => self.on_response(parts, txn, &message),
            Event::TxnFailed { txn, why } => self.on_failure(parts, txn, why),
            Event::FlowUp { flow, info } => self.registrar.flow_up(flow, &info),
            Event::FlowDown { flow, .. } => self.on_flow_down(parts, flow),
            _ => {}
        }
    }

    fn on_request(
        &mut self,
        parts: &mut Parts<'_>,
        txn: Handle<ServerTxn>,
        source: &Source,
        message: &Message,
    ) {
        let reply = match message.method() {
            _ if !self.ready => Some(Reply::busy(1)),
            _ if Reply::unsupported(message).is_some() => Reply::unsupported(message),
            Some(Method::Register) => self.on_register(parts, txn, source, message).err(),
            Some(Method::Message) => self.on_message(parts, txn, source, message).err(),
            Some(Method::Options) => Some(Reply::options()),
            _ => Some(Reply::not_allowed()),
        };
        match reply {
            Some(reply) if reply.is_challenge() => parts.refuse(txn, reply.head(message)),
            Some(reply) => parts.respond(txn, reply.head(message)),
            None => {}
        }
    }

    fn on_flow_down(&mut self, parts: &mut Parts<'_>, flow: FlowId) {
        for (user, gone) in self.registrar.flow_down(flow) {
            self.forget_bindings(parts, user, gone);
        }
    }

    /// Takes the answer of the store.
    pub(crate) fn on_stored(
        &mut self,
        parts: &mut Parts<'_>,
        waiter: Waiter,
        result: Result<Vec<StoreAnswer>, StoreError>,
    ) {
        match waiter {
            Waiter::Restore => self.on_restored(parts, result),
            Waiter::Register(user, job) => self.on_registered(parts, user, job, result.map(drop)),
            Waiter::Deferral(exchange) => self.on_deferred(parts, exchange, result.map(drop)),
            Waiter::Fetch(user, seq) => self.on_fetched(parts, user, seq, result),
            Waiter::Insist(insist) => self.on_insisted(parts, insist, result.map(drop)),
        }
    }

    /// The store has not answered in time (`lost`: and never will).
    pub(crate) fn on_overdue(&mut self, parts: &mut Parts<'_>, waiter: Waiter, lost: bool) {
        let error = StoreError::Unavailable { retry: parts.limits.store_timeout };
        match waiter {
            Waiter::Deferral(exchange) if !lost => self.on_deferral_late(parts, exchange),
            // A repeated write waits for its answer to the end, so that two of them are never under way.
            Waiter::Insist(_) | Waiter::Restore if !lost => {}
            Waiter::Fetch(user, seq) if !lost => self.on_fetched(parts, user, seq, Err(error)),
            Waiter::Register(user, job) if !lost => self.on_registered(parts, user, job, Err(error)),
            Waiter::Fetch(..) | Waiter::Register(..) => {}
            _ => self.on_stored(parts, waiter, Err(error)),
        }
    }

    /// Fires one due timer; false if none is.
    pub(crate) fn on_timer(&mut self, parts: &mut Parts<'_>) -> bool {
        match self.timers.pop_due(parts.now.mono) {
            None => return false,
            Some(Timer::Branches(fork)) => self.on_branches_timeout(parts, fork),
            Some(Timer::Queue(user)) => self.on_queue_timer(parts, user),
            Some(Timer::Bindings(user)) => self.on_bindings_timer(parts, user),
            Some(Timer::Seen) => self.on_seen_timer(parts),
            Some(Timer::Insist(insist)) => self.retry_insist(parts, insist),
            Some(Timer::Restore) => self.restore(parts),
        }
        true
    }

    /// The next deadline.
    pub(crate) fn next_timer(&self) -> Option<(Instant, &'static str)> {
        self.timers.next()
    }

    /// Arms a timer for a moment of the wall clock, which may lie beyond what the wheel reaches.
    pub(crate) fn arm_at(
        &mut self,
        now: Now,
        unix: Duration,
        name: &'static str,
        timer: Timer,
    ) -> cpm_base::TimerId {
        let wait = unix.saturating_sub(now.unix).min(LONGEST_WAIT);
        self.timers.arm(now.mono, now.mono + wait, name, timer)
    }
}

/// Deadlines further away are looked at again after this long.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests;
