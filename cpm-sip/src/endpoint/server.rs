//! Server transactions: requests in, responses out (RFC 3261 §8.2, §9.2, §17.2).

use super::wire::{self, Reply};
use super::{Endpoint, Error, Event, Fire, Source};
use crate::msg::essentials;
use crate::txn::{Action, Fuse, Owner, StoredKey, Timer, ist, nist};
use crate::{Head, Message};
use bytes::Bytes;
use cpm_base::{FlowId, Handle, Now, ProbeKind, TimerId};
use smallvec::SmallVec;
use std::num::NonZeroU64;

/// A request of a peer that is being answered, or whose answer is kept.
#[derive(Debug)]
pub struct ServerTxn {
    key: StoredKey,
    machine: Machine,
    flow: FlowId,
    reply: Reply,
    merged: Option<NonZeroU64>,
    /// The request until something was sent, then the last response: each has what an answer made here needs.
    last: Bytes,
    repeat: Option<TimerId>,
    deadline: Option<TimerId>,
    repeats: u8,
    reliable: bool,
    /// `last` is a response.
    responded: bool,
    /// It counts among the transactions of its untrusted source.
    counted: bool,
    /// The owner was told of its end already.
    ended: bool,
}

impl ServerTxn {
    pub(super) fn key(&self) -> &StoredKey {
        &self.key
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Machine {
    Invite(ist::State),
    Other(nist::State),
}

/// The events of both machines under one name; each table knows some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Again,
    Ack,
    Status(u16),
    Timer(Timer),
    TransportError,
}

impl Machine {
    /// The machine after `cause` and what to do; `None` if the machine does not know the cause.
    fn next(self, cause: Cause) -> Option<(Self, &'static [Action])> {
        match self {
            Self::Invite(state) => {
                let event = match cause {
                    Cause::Again => ist::Event::Invite,
                    Cause::Ack => ist::Event::Ack,
                    Cause::Status(..=199) => ist::Event::Provisional,
                    Cause::Status(200..=299) => ist::Event::Success,
                    Cause::Status(_) => ist::Event::Reject,
                    Cause::Timer(Timer::Trying) => ist::Event::Trying,
                    Cause::Timer(Timer::Owner) => ist::Event::Owner,
                    Cause::Timer(Timer::G) => ist::Event::TimerG,
                    Cause::Timer(Timer::H) => ist::Event::TimerH,
                    Cause::Timer(Timer::I) => ist::Event::TimerI,
                    Cause::Timer(Timer::L) => ist::Event::TimerL,
                    Cause::Timer(_) => return None,
                    Cause::TransportError => ist::Event::TransportError,
                };
                let step = ist::next(state, event);
                Some((Self::Invite(step.to), step.actions))
            }
            Self::Other(state) => {
                let event = match cause {
                    Cause::Again => nist::Event::Request,
                    Cause::Status(..=199) => nist::Event::Provisional,
                    Cause::Status(_) => nist::Event::Final,
                    Cause::Timer(Timer::LateTrying) => nist::Event::LateTrying,
                    Cause::Timer(Timer::Expire) => nist::Event::Expire,
                    Cause::Timer(Timer::J) => nist::Event::TimerJ,
                    Cause::Ack | Cause::Timer(_) => return None,
                    Cause::TransportError => nist::Event::TransportError,
                };
                let step = nist::next(state, event);
                Some((Self::Other(step.to), step.actions))
            }
        }
    }

    fn is_over(self) -> bool {
        matches!(self, Self::Invite(ist::State::Terminated) | Self::Other(nist::State::Terminated))
    }

    fn is_answered(self) -> bool {
        !matches!(
            self,
            Self::Invite(ist::State::Proceeding) | Self::Other(nist::State::Trying | nist::State::Proceeding)
        )
    }
}

impl Endpoint {
    /// Answers a request. The head is made by [`Head::response_to`] from the request of the event. The Via gets its
    /// `received` and `rport`, To gets a tag if it has none, `Server` is added. A final response is sent once; for
    /// an INVITE a 2xx may be sent again until the ACK comes (RFC 3261 §13.3.1.4).
    ///
    /// # Errors
    /// `Usage`: the handle is stale, the request is answered already, the status is none a response may have here
    /// (for other methods than INVITE: 408 and provisional ones beside 100, RFC 4320 §4). `Limit`: too many outputs
    /// wait.
    // spec: RFC3261-8.2.6 RFC3261-18.2.2 RFC4320-4.1 RFC4320-4.2
    pub fn respond(&mut self, now: Now, txn: Handle<ServerTxn>, head: Head) -> Result<(), Error> {
        let now = self.tick(now);
        let (status, bytes) = self.finish_response(txn, head)?;
        self.stats.responses_out += 1;
        self.keep_and_step(now, txn, status, bytes);
        Ok(())
    }

    /// Answers a request once and keeps nothing of it, not even for an INVITE: the way to turn away what is not
    /// authenticated (RFC 3261 §8.2.7, §26.3.2.4), so that a forged source costs us no memory and its victim no
    /// repeated answers. If the request comes again it is a new one; the answer then has the same To tag.
    ///
    /// # Errors
    /// As [`Self::respond`]; also `Usage` if the status is below 300.
    // spec: RFC3261-8.2.7
    pub fn refuse(&mut self, now: Now, txn: Handle<ServerTxn>, head: Head) -> Result<(), Error> {
        self.tick(now);
        if head.status().is_some_and(|status| status < 300) {
            return Err(Error::Usage("only a refusal can be forgotten"));
        }
        let (_, bytes) = self.finish_response(txn, head)?;
        self.stats.responses_out += 1;
        if let Some(found) = self.servers.get(txn) {
            // The sender of a request whose flow is gone does not wait for the answer.
            let _ = self.transmit(found.flow, found.reply.to(found.reliable), bytes);
        }
        self.remove_server(txn);
        Ok(())
    }

    /// Checks that the response may be sent now, and writes it.
    fn finish_response(&self, txn: Handle<ServerTxn>, head: Head) -> Result<(u16, Bytes), Error> {
        let status = head.status().ok_or(Error::Usage("a response is needed"))?;
        let found = self.servers.get(txn).ok_or(Error::Usage("stale server transaction"))?;
        if matches!(found.machine, Machine::Other(_)) && (status == 408 || (101..=199).contains(&status)) {
            return Err(Error::Usage("status not allowed outside INVITE"));
        }
        let sends = found.machine.next(Cause::Status(status));
        if !sends.is_some_and(|(_, actions)| actions.contains(&Action::Transmit)) {
            return Err(Error::Usage("answered already"));
        }
        if !self.has_room() {
            return Err(Error::Limit("outputs"));
        }
        let tag = self.table.tag(found.key.hash());
        let bytes = wire::response(head, &found.reply, &tag, self.config.server.as_deref())?;
        Ok((status, bytes))
    }

    /// Gives a request up without an answer, as RFC 4320 §4.2 wants it when there is no time left. An INVITE must
    /// be answered.
    ///
    /// # Errors
    /// `Usage`: the handle is stale, or it is an INVITE without final response.
    pub fn abandon(&mut self, txn: Handle<ServerTxn>) -> Result<(), Error> {
        let found = self.servers.get(txn).ok_or(Error::Usage("stale server transaction"))?;
        if found.machine == Machine::Invite(ist::State::Proceeding) {
            return Err(Error::Usage("an INVITE must be answered"));
        }
        self.remove_server(txn);
        Ok(())
    }

    /// A request came in.
    pub(super) fn request_in(&mut self, now: Now, source: Source, message: Message) -> Result<(), Error> {
        let read = match essentials(&message, &self.config.limits) {
            Ok(read) => read,
            Err(error) => return Err(self.malformed(&source, message.raw(), error)),
        };
        let facts = wire::request_facts(&message, &read);
        facts.server_key(&mut self.key);
        let (is_ack, is_invite) = (facts.method == "ACK", facts.method == "INVITE");
        if let Some(Owner::Server(txn)) = self.find_owner() {
            self.again(now, txn, source, message, is_ack);
            return Ok(());
        }
        if is_ack {
            self.event(Event::Ack { txn: None, source, message });
            return Ok(());
        }
        let key = self.table.store(&self.key);
        let reply = facts.reply(&source);
        if facts.method == "CANCEL" {
            facts.cancelled_key(&mut self.key);
            let invite = match self.find_owner() {
                Some(Owner::Server(txn)) => Some(txn),
                _ => None,
            };
            return self.cancel_in(now, source, message, key, reply, invite);
        }
        if let Some(limit) = self.over_limit(&source) {
            self.stats.overload += 1;
            self.probes.push(ProbeKind::LimitReached, source.flow.0, 0);
            let retry_after = self.config.retry_after;
            self.turn_away(&source, &message, 503, "Service Unavailable", Some(retry_after));
            return Err(Error::Limit(limit));
        }
        let merged = facts.merged_key(&mut self.key).then(|| self.table.hash(&self.key));
        let merged = merged.and_then(NonZeroU64::new);
        if let Some(hash) = merged
            && self.merged.contains_key(&hash)
        {
            // spec: RFC3261-8.2.2.2
            self.stats.merged += 1;
            self.turn_away(&source, &message, 482, "Loop Detected", None);
            return Ok(());
        }
        let txn = self.open_server(key, is_invite, &source, reply, merged, message.raw().clone());
        self.stats.requests_in += 1;
        let start = if is_invite { ist::START.actions } else { nist::START.actions };
        self.server_actions(now, txn, start, Some((source, message)));
        Ok(())
    }

    /// A CANCEL: its own transaction, answered here (RFC 3261 §9.2).
    // spec: RFC3261-9.2
    fn cancel_in(
        &mut self,
        now: Now,
        source: Source,
        message: Message,
        key: StoredKey,
        reply: Reply,
        invite: Option<Handle<ServerTxn>>,
    ) -> Result<(), Error> {
        let pending = invite.and_then(|txn| self.servers.get(txn));
        let (status, reason) = match pending {
            Some(_) => (200, "OK"),
            None => (481, "Call/Transaction Does Not Exist"),
        };
        // The To tag is that of the answer to the INVITE (RFC 3261 §9.2, last paragraph).
        let hash = pending.map_or(key.hash(), |txn| txn.key.hash());
        let waits = pending.is_some_and(|txn| !txn.machine.is_answered());
        let head = Head::response_to(&message, status, reason);
        let tag = self.table.tag(hash);
        let bytes = wire::response(head, &reply, &tag, self.config.server.as_deref())?;
        if self.over_limit(&source).is_some() {
            // A CANCEL makes room, so it is taken in any case; without a transaction its copies get the same again.
            // A flow that is gone has nobody who waits for the answer.
            let _ = self.transmit(source.flow, reply.to(source.transport.is_reliable()), bytes);
        } else {
            let txn = self.open_server(key, false, &source, reply, None, message.raw().clone());
            self.keep_and_step(now, txn, status, bytes);
        }
        if let Some(invite) = invite
            && waits
        {
            self.event(Event::Cancelled { txn: invite });
        }
        Ok(())
    }

    fn open_server(
        &mut self,
        key: StoredKey,
        is_invite: bool,
        source: &Source,
        reply: Reply,
        merged: Option<NonZeroU64>,
        request: Bytes,
    ) -> Handle<ServerTxn> {
        let counted = !source.trusted;
        if counted {
            *self.sources.get_or_insert_with(source.addr.ip(), || 0) += 1;
        }
        let machine = if is_invite { Machine::Invite(ist::START.to) } else { Machine::Other(nist::START.to) };
        let txn = self.servers.insert(ServerTxn {
            key,
            machine,
            flow: source.flow,
            reply,
            merged,
            last: request,
            repeat: None,
            deadline: None,
            repeats: 0,
            reliable: source.transport.is_reliable(),
            responded: false,
            counted,
            ended: false,
        });
        if let Some(hash) = merged {
            self.merged.insert(hash, txn);
        }
        if let Some(opened) = self.servers.get(txn) {
            self.table.insert(&opened.key, Owner::Server(txn));
        }
        txn
    }

    /// A request came for a transaction that exists: a retransmission, or the ACK of an INVITE.
    fn again(&mut self, now: Now, txn: Handle<ServerTxn>, source: Source, message: Message, is_ack: bool) {
        if is_ack {
            self.server_event(now, txn, Cause::Ack, Some((source, message)));
        } else {
            self.stats.retransmissions_in += 1;
            self.server_event(now, txn, Cause::Again, None);
        }
    }

    fn over_limit(&self, source: &Source) -> Option<&'static str> {
        let limits = &self.config.limits;
        if self.servers.len() + self.clients.len() >= limits.transactions {
            return Some("transactions");
        }
        let from = self.sources.get(&source.addr.ip()).copied().unwrap_or(0);
        (!source.trusted && from >= limits.transactions_per_source).then_some("transactions per source")
    }

    pub(super) fn server_timer(&mut self, now: Now, txn: Handle<ServerTxn>, timer: Timer) {
        if let Some(found) = self.servers.get_mut(txn) {
            *(if timer.repeats() { &mut found.repeat } else { &mut found.deadline }) = None;
            self.server_event(now, txn, Cause::Timer(timer), None);
        }
    }

    fn keep_and_step(&mut self, now: Now, txn: Handle<ServerTxn>, status: u16, bytes: Bytes) {
        if let Some(found) = self.servers.get_mut(txn) {
            found.last = bytes;
            found.responded = true;
            self.server_event(now, txn, Cause::Status(status), None);
        }
    }

    /// Moves the machine and does what it says. Timers that fire at once and failed transmissions follow in order.
    fn server_event(
        &mut self,
        now: Now,
        txn: Handle<ServerTxn>,
        cause: Cause,
        message: Option<(Source, Message)>,
    ) {
        let Some(found) = self.servers.get_mut(txn) else { return };
        let Some((machine, actions)) = found.machine.next(cause) else { return };
        found.machine = machine;
        if matches!(cause, Cause::Timer(Timer::G)) {
            self.stats.retransmissions_out += 1;
        }
        self.server_actions(now, txn, actions, message);
    }

    fn server_actions(
        &mut self,
        now: Now,
        txn: Handle<ServerTxn>,
        actions: &'static [Action],
        mut message: Option<(Source, Message)>,
    ) {
        let mut pending: SmallVec<[Cause; 4]> = SmallVec::new();
        let mut actions = actions;
        loop {
            for action in actions {
                match action {
                    Action::Transmit => pending.extend(self.send_kept(txn)),
                    Action::Trying => pending.extend(self.answer_here(txn, 100, "Trying")),
                    Action::GiveUp => pending.extend(self.answer_here(txn, 500, "Server Internal Error")),
                    Action::PassUp => self.pass_up(txn, message.take()),
                    Action::Died => self.server_died(txn),
                    Action::Undelivered => self.event(Event::Undelivered { txn }),
                    Action::Arm(timer) => pending.extend(self.arm_server(now, txn, *timer)),
                    Action::StopRepeat => self.stop_repeat(txn),
                    // Actions of client tables.
                    Action::Ack | Action::Cancel | Action::FailTimeout | Action::FailTransport => {}
                }
            }
            let Some(found) = self.servers.get_mut(txn) else { return };
            if found.machine.is_over() {
                self.remove_server(txn);
                return;
            }
            if pending.is_empty() {
                return;
            }
            let cause = pending.remove(0);
            actions = &[];
            if let Some((machine, next)) = found.machine.next(cause) {
                found.machine = machine;
                actions = next;
            }
        }
    }

    fn pass_up(&mut self, txn: Handle<ServerTxn>, message: Option<(Source, Message)>) {
        let Some((source, message)) = message else { return };
        let accepted =
            self.servers.get(txn).is_some_and(|found| found.machine == Machine::Invite(ist::State::Accepted));
        self.event(if accepted {
            Event::Ack { txn: Some(txn), source, message }
        } else {
            Event::Request { txn, source, message }
        });
    }

    fn send_kept(&mut self, txn: Handle<ServerTxn>) -> Option<Cause> {
        let found = self.servers.get(txn)?;
        if !found.responded {
            return None;
        }
        let (flow, to, data) = (found.flow, found.reply.to(found.reliable), found.last.clone());
        self.transmit(flow, to, data).is_err().then_some(Cause::TransportError)
    }

    /// Sends a response the owner did not ask for. What it copies from the request stands in an earlier response too.
    fn answer_here(&mut self, txn: Handle<ServerTxn>, status: u16, reason: &'static str) -> Option<Cause> {
        let found = self.servers.get_mut(txn)?;
        let message = Message::parse(found.last.clone(), &self.config.limits).ok()?;
        let tag = self.table.tag(found.key.hash());
        let head = Head::response_to(&message, status, reason);
        let bytes = wire::response(head, &found.reply, &tag, self.config.server.as_deref()).ok()?;
        found.last = bytes;
        found.responded = true;
        if status >= 200 {
            self.server_died(txn);
        }
        self.send_kept(txn)
    }

    fn server_died(&mut self, txn: Handle<ServerTxn>) {
        let Some(found) = self.servers.get_mut(txn) else { return };
        if !std::mem::replace(&mut found.ended, true) {
            self.stats.died += 1;
            self.event(Event::TxnEnded { txn });
        }
    }

    fn arm_server(&mut self, now: Now, txn: Handle<ServerTxn>, timer: Timer) -> Option<Cause> {
        let found = self.servers.get_mut(txn)?;
        let slot = if timer.repeats() { &mut found.repeat } else { &mut found.deadline };
        if let Some(old) = slot.take() {
            self.wheel.cancel(old);
        }
        match self.config.timers.fuse(timer, found.repeats, found.reliable) {
            Fuse::Never => None,
            Fuse::Now => Some(Cause::Timer(timer)),
            Fuse::After(wait) => {
                if timer == Timer::G {
                    found.repeats = found.repeats.saturating_add(1);
                }
                let fire = Fire::Server(txn, timer);
                *slot = Some(self.wheel.arm(now.mono, now.mono + wait, timer.name(), fire));
                None
            }
        }
    }

    fn stop_repeat(&mut self, txn: Handle<ServerTxn>) {
        if let Some(timer) = self.servers.get_mut(txn).and_then(|found| found.repeat.take()) {
            self.wheel.cancel(timer);
        }
    }

    fn remove_server(&mut self, txn: Handle<ServerTxn>) {
        let Some(gone) = self.servers.remove(txn) else { return };
        for timer in [gone.repeat, gone.deadline].into_iter().flatten() {
            self.wheel.cancel(timer);
        }
        self.table.remove(&gone.key, Owner::Server(txn));
        if let Some(hash) = gone.merged
            && self.merged.get(&hash) == Some(&txn)
        {
            self.merged.remove(&hash);
        }
        let ip = gone.reply.peer.ip();
        if gone.counted
            && let Some(count) = self.sources.get_mut(&ip)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.sources.remove(&ip);
            }
        }
    }
}
