//! Client transactions: what happens to a request on its way, and responses in (RFC 3261 §9.1, §17.1).

use super::request::Plan;
use super::wire;
use super::{Endpoint, Error, Event, Fire, Source};
use crate::Message;
use crate::msg::essentials;
use crate::txn::{Action, Fuse, Owner, StoredKey, Timer, TxnFailure, ict, nict};
use bytes::Bytes;
use cpm_base::{FlowDown, FlowId, Handle, Now, ProbeKind, TimerId};
use smallvec::SmallVec;
use std::net::SocketAddr;

/// A request of ours that waits for its answer, or absorbs copies of it.
#[derive(Debug)]
pub struct ClientTxn {
    key: StoredKey,
    pub(super) machine: Machine,
    pub(super) route: Route,
    /// The request as sent; empty while a connection is being opened.
    pub(super) request: Bytes,
    branch: Box<str>,
    repeat: Option<TimerId>,
    deadline: Option<TimerId>,
    repeats: u8,
    /// The owner does not want to hear of it.
    pub(super) silent: bool,
    pub(super) cancel: Cancel,
}

impl ClientTxn {
    pub(super) fn key(&self) -> &StoredKey {
        &self.key
    }

    pub(super) fn branch(&self) -> &str {
        &self.branch
    }
}

/// The way a client transaction uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A connection is being opened.
    Opening,
    /// A datagram socket and the destination.
    Datagram(FlowId, SocketAddr),
    /// A stream.
    Stream(FlowId),
}

impl Route {
    fn is_reliable(self) -> bool {
        !matches!(self, Self::Datagram(..))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancel {
    No,
    /// To be sent with the first provisional response (RFC 3261 §9.1).
    Wanted,
    Sent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    Invite(ict::State),
    Other(nict::State),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Status(u16),
    Timer(Timer),
    TransportError(FlowDown),
}

impl Machine {
    fn next(self, cause: Cause) -> Option<(Self, &'static [Action])> {
        match self {
            Self::Invite(state) => {
                let event = match cause {
                    Cause::Status(..=199) => ict::Event::Provisional,
                    Cause::Status(200..=299) => ict::Event::Success,
                    Cause::Status(_) => ict::Event::Reject,
                    Cause::Timer(Timer::A) => ict::Event::TimerA,
                    Cause::Timer(Timer::B) => ict::Event::TimerB,
                    Cause::Timer(Timer::C) => ict::Event::TimerC,
                    Cause::Timer(Timer::CancelWait) => ict::Event::CancelWait,
                    Cause::Timer(Timer::D) => ict::Event::TimerD,
                    Cause::Timer(Timer::M) => ict::Event::TimerM,
                    Cause::Timer(_) => return None,
                    Cause::TransportError(_) => ict::Event::TransportError,
                };
                let step = ict::next(state, event);
                Some((Self::Invite(step.to), step.actions))
            }
            Self::Other(state) => {
                let event = match cause {
                    Cause::Status(..=199) => nict::Event::Provisional,
                    Cause::Status(_) => nict::Event::Final,
                    Cause::Timer(Timer::E) => nict::Event::TimerE,
                    Cause::Timer(Timer::F) => nict::Event::TimerF,
                    Cause::Timer(Timer::K) => nict::Event::TimerK,
                    Cause::Timer(_) => return None,
                    Cause::TransportError(_) => nict::Event::TransportError,
                };
                let step = nict::next(state, event);
                Some((Self::Other(step.to), step.actions))
            }
        }
    }

    pub(super) fn start(self) -> &'static [Action] {
        match self {
            Self::Invite(_) => ict::START.actions,
            Self::Other(_) => nict::START.actions,
        }
    }

    fn is_over(self) -> bool {
        matches!(self, Self::Invite(ict::State::Terminated) | Self::Other(nict::State::Terminated))
    }
}

impl Endpoint {
    /// A response came in.
    // spec: RFC3261-17.1.3 RFC6026-8.9
    pub(super) fn response_in(&mut self, now: Now, source: Source, message: Message) -> Result<(), Error> {
        let read = match essentials(&message, &self.config.limits) {
            Ok(read) => read,
            Err(error) => return Err(self.malformed(&source, message.raw(), error)),
        };
        let status = message.status().unwrap_or(0);
        let found = wire::response_key(&read, &mut self.key).then(|| self.find_owner()).flatten();
        match found {
            Some(Owner::Client(txn)) => {
                self.client_event(now, txn, Cause::Status(status), Some(message));
            }
            _ => {
                self.stats.stray_responses += 1;
                self.probes.push(ProbeKind::StrayResponse, source.flow.0, u64::from(status));
            }
        }
        Ok(())
    }

    pub(super) fn client_timer(&mut self, now: Now, txn: Handle<ClientTxn>, timer: Timer) {
        if let Some(found) = self.clients.get_mut(txn) {
            *(if timer.repeats() { &mut found.repeat } else { &mut found.deadline }) = None;
            if timer.repeats() {
                self.stats.retransmissions_out += 1;
            }
            self.client_event(now, txn, Cause::Timer(timer), None);
        }
    }

    /// Everything that waits on this flow fails.
    pub(super) fn fail_clients_on(&mut self, now: Now, flow: FlowId, reason: FlowDown) {
        let waiting: Vec<_> = match self.flows.stream_mut(flow) {
            Some(stream) => std::mem::take(&mut stream.clients).into_iter().collect(),
            // A datagram socket ends with its driver, so a walk over all is cheap enough.
            None => self
                .clients
                .iter()
                .filter(|(_, txn)| matches!(txn.route, Route::Datagram(over, _) if over == flow))
                .map(|(txn, _)| txn)
                .collect(),
        };
        for txn in waiting {
            self.client_event(now, txn, Cause::TransportError(reason), None);
        }
    }

    pub(super) fn fail_client(&mut self, now: Now, txn: Handle<ClientTxn>, reason: FlowDown) {
        self.client_event(now, txn, Cause::TransportError(reason), None);
    }

    pub(super) fn open_client(&mut self, method: &str, branch: Box<str>, silent: bool) -> Handle<ClientTxn> {
        self.key.client(method, &branch);
        let key = self.table.store(&self.key);
        let machine =
            if method == "INVITE" { Machine::Invite(ict::START.to) } else { Machine::Other(nict::START.to) };
        let txn = self.clients.insert(ClientTxn {
            key,
            machine,
            route: Route::Opening,
            request: Bytes::new(),
            branch,
            repeat: None,
            deadline: None,
            repeats: 0,
            silent,
            cancel: Cancel::No,
        });
        if let Some(opened) = self.clients.get(txn) {
            self.table.insert(&opened.key, Owner::Client(txn));
        }
        txn
    }

    pub(super) fn set_route(&mut self, txn: Handle<ClientTxn>, route: Route, bytes: Bytes) {
        let Some(found) = self.clients.get_mut(txn) else { return };
        found.route = route;
        found.request = bytes;
        if let Route::Stream(flow) = route
            && let Some(stream) = self.flows.stream_mut(flow)
        {
            stream.clients.insert(txn);
        }
    }

    fn client_event(&mut self, now: Now, txn: Handle<ClientTxn>, cause: Cause, message: Option<Message>) {
        let Some(found) = self.clients.get_mut(txn) else { return };
        let Some((machine, actions)) = found.machine.next(cause) else { return };
        let was = std::mem::replace(&mut found.machine, machine);
        let reason = match cause {
            Cause::TransportError(reason) => Some(reason),
            _ => None,
        };
        self.client_actions(now, txn, actions, message, reason);
        // spec: RFC3261-9.1
        let proceeding = Machine::Invite(ict::State::Proceeding);
        if was != proceeding
            && let Some(found) = self.clients.get(txn)
            && found.machine == proceeding
            && found.cancel == Cancel::Wanted
        {
            self.send_cancel(now, txn);
            self.arm_client(now, txn, Timer::CancelWait);
        }
    }

    pub(super) fn client_actions(
        &mut self,
        now: Now,
        txn: Handle<ClientTxn>,
        actions: &'static [Action],
        mut message: Option<Message>,
        reason: Option<FlowDown>,
    ) {
        let mut pending: SmallVec<[Cause; 4]> = SmallVec::new();
        let mut actions = actions;
        let mut reason = reason.unwrap_or(FlowDown::Closed);
        loop {
            for action in actions {
                match action {
                    Action::Transmit => pending.extend(self.send_request(txn)),
                    Action::Ack => pending.extend(self.ack_reject(txn, message.as_ref())),
                    Action::Cancel => self.send_cancel(now, txn),
                    Action::PassUp => self.response_up(txn, message.take()),
                    Action::FailTimeout => self.client_failed(txn, TxnFailure::Timeout),
                    Action::FailTransport => self.client_failed(txn, TxnFailure::Transport(reason)),
                    Action::Arm(timer) => pending.extend(self.arm_client(now, txn, *timer)),
                    Action::StopRepeat => {
                        if let Some(timer) = self.clients.get_mut(txn).and_then(|found| found.repeat.take()) {
                            self.wheel.cancel(timer);
                        }
                    }
                    // Actions of server tables.
                    Action::Trying | Action::GiveUp | Action::Died | Action::Undelivered => {}
                }
            }
            let Some(found) = self.clients.get_mut(txn) else { return };
            if found.machine.is_over() {
                self.remove_client(txn);
                return;
            }
            if pending.is_empty() {
                return;
            }
            let cause = pending.remove(0);
            if let Cause::TransportError(why) = cause {
                reason = why;
            }
            actions = &[];
            if let Some((machine, next)) = found.machine.next(cause) {
                found.machine = machine;
                actions = next;
            }
        }
    }

    pub(super) fn send_request(&mut self, txn: Handle<ClientTxn>) -> Option<Cause> {
        let found = self.clients.get_mut(txn)?;
        let (route, data) = (found.route, found.request.clone());
        // A stream needs no second copy, and only an INVITE is looked at again (for ACK and CANCEL).
        if route.is_reliable() && matches!(found.machine, Machine::Other(_)) {
            found.request = Bytes::new();
        }
        self.send_on(route, data).err().map(Cause::TransportError)
    }

    pub(super) fn send_on(&mut self, route: Route, data: Bytes) -> Result<(), FlowDown> {
        match route {
            Route::Opening => Ok(()),
            Route::Datagram(flow, to) => self.transmit(flow, Some(to), data),
            Route::Stream(flow) => self.transmit(flow, None, data),
        }
    }

    /// ACK for a non-2xx final response: same branch, same way (RFC 3261 §17.1.1.3).
    fn ack_reject(&mut self, txn: Handle<ClientTxn>, response: Option<&Message>) -> Option<Cause> {
        let found = self.clients.get(txn)?;
        let invite = Message::parse(found.request.clone(), &self.config.limits).ok()?;
        let ack = wire::ack(&invite, response?).ok()?;
        let route = found.route;
        self.send_on(route, ack).err().map(Cause::TransportError)
    }

    /// CANCEL: its own transaction with the branch of the INVITE, silent (RFC 3261 §9.1).
    pub(super) fn send_cancel(&mut self, now: Now, txn: Handle<ClientTxn>) {
        let Some(found) = self.clients.get_mut(txn) else { return };
        if found.cancel == Cancel::Sent {
            return;
        }
        found.cancel = Cancel::Sent;
        let (route, branch, raw) = (found.route, found.branch.clone(), found.request.clone());
        let bytes =
            Message::parse(raw, &self.config.limits).ok().and_then(|invite| wire::cancel(&invite).ok());
        if let Some(bytes) = bytes {
            let cancel = self.open_client("CANCEL", branch, true);
            self.start_client(now, cancel, Plan::Send { route, bytes });
        }
    }

    fn response_up(&mut self, txn: Handle<ClientTxn>, message: Option<Message>) {
        let silent = self.clients.get(txn).is_none_or(|found| found.silent);
        if let Some(message) = message
            && !silent
        {
            self.stats.responses_in += 1;
            self.event(Event::Response { txn, message });
        }
    }

    fn client_failed(&mut self, txn: Handle<ClientTxn>, why: TxnFailure) {
        match why {
            TxnFailure::Timeout => self.stats.timeouts += 1,
            TxnFailure::Transport(_) => self.stats.transport_failures += 1,
        }
        if self.clients.get(txn).is_some_and(|found| !found.silent) {
            self.event(Event::TxnFailed { txn, why });
        }
    }

    pub(super) fn arm_client(&mut self, now: Now, txn: Handle<ClientTxn>, timer: Timer) -> Option<Cause> {
        let found = self.clients.get_mut(txn)?;
        let slot = if timer.repeats() { &mut found.repeat } else { &mut found.deadline };
        if timer == Timer::C && found.cancel == Cancel::Sent {
            return None; // The cancelled INVITE keeps its shorter deadline.
        }
        if let Some(old) = slot.take() {
            self.wheel.cancel(old);
        }
        // RFC 3261 §17.1.2.2: in Proceeding, Timer E is reset to T2.
        let nth = match found.machine {
            Machine::Other(nict::State::Proceeding) => u8::MAX,
            _ => found.repeats,
        };
        match self.config.timers.fuse(timer, nth, found.route.is_reliable()) {
            Fuse::Never => None,
            Fuse::Now => Some(Cause::Timer(timer)),
            Fuse::After(wait) => {
                if timer.repeats() {
                    found.repeats = found.repeats.saturating_add(1);
                }
                let fire = Fire::Client(txn, timer);
                *slot = Some(self.wheel.arm(now.mono, now.mono + wait, timer.name(), fire));
                None
            }
        }
    }

    fn remove_client(&mut self, txn: Handle<ClientTxn>) {
        let Some(gone) = self.clients.remove(txn) else { return };
        for timer in [gone.repeat, gone.deadline].into_iter().flatten() {
            self.wheel.cancel(timer);
        }
        self.table.remove(&gone.key, Owner::Client(txn));
        if let Route::Stream(flow) = gone.route
            && let Some(stream) = self.flows.stream_mut(flow)
        {
            stream.clients.remove(&txn);
        }
    }
}
