//! Client transactions: requests out, responses in (RFC 3261 §8.1, §9.1, §17.1).

use super::wire::{self, Via};
use super::{Endpoint, Error, Event, Fire, Target};
use crate::txn::{Action, Fuse, Owner, StoredKey, Timer, TxnFailure, ict, nict};
use crate::{Head, Message, Method};
use bytes::Bytes;
use cpm_base::{FlowDown, FlowId, Handle, Now, ProbeKind, TimerId, Transport};
use smallvec::SmallVec;
use std::net::SocketAddr;

/// A request of ours that waits for its answer, or absorbs copies of it.
#[derive(Debug)]
pub struct ClientTxn {
    key: StoredKey,
    machine: Machine,
    pub(super) route: Route,
    /// The request as sent; empty while a connection is being opened.
    pub(super) request: Bytes,
    branch: Box<str>,
    repeat: Option<TimerId>,
    deadline: Option<TimerId>,
    repeats: u8,
    /// The owner does not want to hear of it.
    silent: bool,
    cancel: Cancel,
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
enum Cancel {
    No,
    /// To be sent with the first provisional response (RFC 3261 §9.1).
    Wanted,
    Sent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Machine {
    Invite(ict::State),
    Other(nict::State),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
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

    fn start(self) -> &'static [Action] {
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
    /// Sends a request in a new transaction. Via is added, and Max-Forwards, From tag, Call-ID, CSeq and
    /// User-Agent if they are absent. Above `datagram_max` bytes a request meant for UDP goes over TCP if a
    /// connection comes up, else over UDP (RFC 3261 §18.1.1).
    ///
    /// # Errors
    /// `Usage`: no request, an ACK or CANCEL, or there is no such flow or no socket for the address. `Limit`: too
    /// many transactions or waiting outputs.
    // spec: RFC3261-8.1.1 RFC3261-18.1.1
    pub fn request(&mut self, now: Now, mut head: Head, target: Target) -> Result<Handle<ClientTxn>, Error> {
        let now = self.tick(now);
        self.may_send()?;
        let method = head.method().ok_or(Error::Usage("a request is needed"))?;
        if matches!(method, Method::Ack | Method::Cancel) {
            return Err(Error::Usage("ACK and CANCEL have their own calls"));
        }
        let method = method.as_str().to_owned();
        let way = self.way_to(&target)?;
        self.complete(&mut head)?;
        let branch = self.branch();
        let plan = self.plan(head, &branch, way, &target)?;
        let txn = self.open_client(&method, branch, false);
        self.stats.requests_out += 1;
        self.start_client(now, txn, plan);
        Ok(txn)
    }

    /// Sends the ACK for a 2xx, outside of any transaction (RFC 3261 §13.2.2.4). The owner sends it again when the
    /// 2xx comes again.
    ///
    /// # Errors
    /// As [`Self::request`]; a connection is not opened for it.
    pub fn send_ack(&mut self, now: Now, mut head: Head, target: Target) -> Result<(), Error> {
        self.tick(now);
        if !self.has_room() {
            return Err(Error::Limit("outputs"));
        }
        if head.method() != Some(Method::Ack) {
            return Err(Error::Usage("an ACK is needed"));
        }
        let route = match self.way_to(&target)? {
            Way::Over(route) => route,
            Way::Open => return Err(Error::Usage("no connection for the ACK")),
        };
        self.complete(&mut head)?;
        let branch = self.branch();
        let bytes = wire::request(&mut head, &self.via(route, &branch)?)?;
        self.send_on(route, bytes).map_err(|_| Error::Usage("flow is gone"))
    }

    /// Cancels an INVITE: CANCEL goes out as soon as a provisional response has come (RFC 3261 §9.1). The INVITE
    /// ends as usual, most likely with 487.
    ///
    /// # Errors
    /// `Usage`: the handle is stale, it is no INVITE, or its final response is there.
    // spec: RFC3261-9.1
    pub fn cancel(&mut self, now: Now, txn: Handle<ClientTxn>) -> Result<(), Error> {
        let now = self.tick(now);
        let found = self.clients.get_mut(txn).ok_or(Error::Usage("stale client transaction"))?;
        match found.machine {
            Machine::Invite(ict::State::Calling) => {
                found.cancel = Cancel::Wanted;
                Ok(())
            }
            Machine::Invite(ict::State::Proceeding) => {
                self.send_cancel(now, txn);
                self.arm_client(now, txn, Timer::CancelWait);
                Ok(())
            }
            _ => Err(Error::Usage("nothing to cancel")),
        }
    }

    /// The owner loses interest: no more events for this transaction. It ends by its own timers.
    pub fn forget(&mut self, txn: Handle<ClientTxn>) {
        if let Some(found) = self.clients.get_mut(txn) {
            found.silent = true;
        }
    }

    /// A response came in.
    // spec: RFC3261-17.1.3 RFC6026-8.9
    pub(super) fn response_in(&mut self, now: Now, flow: FlowId, message: Message) {
        let status = message.status().unwrap_or(0);
        let found = wire::response_key(&message, &mut self.key).then(|| self.find_owner()).flatten();
        match found {
            Some(Owner::Client(txn)) => {
                self.client_event(now, txn, Cause::Status(status), Some(message));
            }
            _ => {
                self.stats.stray_responses += 1;
                self.probes.push(ProbeKind::StrayResponse, flow.0, u64::from(status));
            }
        }
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

    fn may_send(&self) -> Result<(), Error> {
        if !self.has_room() {
            return Err(Error::Limit("outputs"));
        }
        if self.servers.len() + self.clients.len() >= self.config.limits.transactions {
            return Err(Error::Limit("transactions"));
        }
        Ok(())
    }

    /// Header fields that every request needs (RFC 3261 §8.1.1).
    fn complete(&mut self, head: &mut Head) -> Result<(), Error> {
        let (tag, call_id) = (self.fresh(), self.fresh());
        wire::complete(head, &tag, &call_id, self.config.user_agent.as_deref())
    }

    /// A branch nobody can guess.
    fn branch(&mut self) -> Box<str> {
        let mut branch = String::from(crate::header::BRANCH_COOKIE);
        branch.push_str(&self.fresh());
        branch.into_boxed_str()
    }

    pub(super) fn via<'a>(&self, route: Route, branch: &'a str) -> Result<Via<'a>, Error> {
        let (Route::Datagram(flow, _) | Route::Stream(flow)) = route else {
            return Err(Error::Usage("no flow"));
        };
        let flow = self.flows.writable(flow).ok_or(Error::Usage("no such flow"))?;
        Ok(Via { transport: flow.info.transport, local: flow.info.local, branch })
    }

    fn way_to(&self, target: &Target) -> Result<Way, Error> {
        if let Some(id) = target.flow {
            let flow = self.flows.writable(id).ok_or(Error::Usage("no such flow"))?;
            return Ok(Way::Over(match flow.stream {
                Some(_) => Route::Stream(id),
                None => Route::Datagram(id, target.remote),
            }));
        }
        match target.transport {
            Transport::Udp => {
                let socket = self.flows.socket_for(target.remote).ok_or(Error::Usage("no socket"))?;
                Ok(Way::Over(Route::Datagram(socket, target.remote)))
            }
            transport => match self.flows.stream_to(transport, target.remote) {
                Some(stream) => Ok(Way::Over(Route::Stream(stream))),
                // The peer of a TLS connection must be checked against a name, which a target does not carry.
                None if transport.is_secure() => Err(Error::Usage("a TLS flow must be opened first")),
                None => Ok(Way::Open),
            },
        }
    }

    /// Decides over what the request goes and writes it if that is known.
    fn plan(&mut self, mut head: Head, branch: &str, way: Way, target: &Target) -> Result<Plan, Error> {
        let route = match way {
            Way::Open => return Ok(Plan::Open { head: Box::new(head), fallback: None, target: *target }),
            Way::Over(route) => route,
        };
        let bytes = wire::request(&mut head, &self.via(route, branch)?)?;
        let too_large = bytes.len() > self.config.datagram_max;
        let (Route::Datagram(socket, remote), true, None) = (route, too_large, target.flow) else {
            return Ok(Plan::Send { route, bytes });
        };
        // spec: RFC3261-18.1.1
        self.stats.upgraded += 1;
        match self.flows.stream_to(Transport::Tcp, remote) {
            Some(stream) => {
                let route = Route::Stream(stream);
                let bytes = wire::request(&mut head, &self.via(route, branch)?)?;
                Ok(Plan::Send { route, bytes })
            }
            None => {
                Ok(Plan::Open { head: Box::new(head), fallback: Some(socket), target: Target::tcp(remote) })
            }
        }
    }

    fn open_client(&mut self, method: &str, branch: Box<str>, silent: bool) -> Handle<ClientTxn> {
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

    fn start_client(&mut self, now: Now, txn: Handle<ClientTxn>, plan: Plan) {
        let Some(found) = self.clients.get(txn) else { return };
        let start = found.machine.start();
        match plan {
            Plan::Send { route, bytes } => {
                self.set_route(txn, route, bytes);
                self.client_actions(now, txn, start, None, None);
            }
            Plan::Open { head, fallback, target } => {
                // Only the timer that ends the transaction runs while the connection is opened.
                for action in start {
                    if let Action::Arm(timer) = action
                        && !timer.repeats()
                    {
                        self.arm_client(now, txn, *timer);
                    }
                }
                self.wait_for_connection(now, txn, *head, fallback, target);
            }
        }
    }

    /// A way was found for a transaction that waited for one.
    pub(super) fn route_found(&mut self, now: Now, txn: Handle<ClientTxn>, route: Route, mut head: Head) {
        let Some(found) = self.clients.get(txn) else { return };
        let start = found.machine.start();
        let written = self.via(route, found.branch()).and_then(|via| wire::request(&mut head, &via));
        match written {
            Ok(bytes) => {
                self.set_route(txn, route, bytes);
                for action in start {
                    match action {
                        Action::Arm(timer) if timer.repeats() => {
                            self.arm_client(now, txn, *timer);
                        }
                        Action::Transmit => {
                            if let Some(Cause::TransportError(reason)) = self.send_request(txn) {
                                self.fail_client(now, txn, reason);
                                return;
                            }
                        }
                        _ => {}
                    }
                }
            }
            Err(_) => self.fail_client(now, txn, FlowDown::Unreachable),
        }
    }

    fn set_route(&mut self, txn: Handle<ClientTxn>, route: Route, bytes: Bytes) {
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

    fn client_actions(
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

    fn send_request(&mut self, txn: Handle<ClientTxn>) -> Option<Cause> {
        let found = self.clients.get_mut(txn)?;
        let (route, data) = (found.route, found.request.clone());
        // A stream needs no second copy, and only an INVITE is looked at again (for ACK and CANCEL).
        if route.is_reliable() && matches!(found.machine, Machine::Other(_)) {
            found.request = Bytes::new();
        }
        self.send_on(route, data).err().map(Cause::TransportError)
    }

    fn send_on(&mut self, route: Route, data: Bytes) -> Result<(), FlowDown> {
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
    fn send_cancel(&mut self, now: Now, txn: Handle<ClientTxn>) {
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

    fn arm_client(&mut self, now: Now, txn: Handle<ClientTxn>, timer: Timer) -> Option<Cause> {
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

/// What is known about the way before the request is written.
enum Way {
    Over(Route),
    Open,
}

enum Plan {
    Send { route: Route, bytes: Bytes },
    Open { head: Box<Head>, fallback: Option<FlowId>, target: Target },
}
