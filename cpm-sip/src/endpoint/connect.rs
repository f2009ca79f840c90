//! Opening connections for requests, and falling back to UDP (RFC 3261 §18.1.1).

use super::client::Route;
use super::{ClientTxn, Endpoint, Error, Event, Fire, Output, Target};
use crate::Head;
use cpm_base::{FlowDown, FlowId, FlowInfo, FlowOutput, Handle, Now, TimerId, Token, Transport};
use std::net::SocketAddr;

/// A connection that was asked for and the requests that wait for it.
#[derive(Debug)]
pub(crate) struct Connecting {
    transport: Transport,
    remote: SocketAddr,
    waiting: Vec<Waiting>,
    /// The owner asked for the connection itself.
    asked: bool,
    timer: Option<TimerId>,
}

#[derive(Debug)]
struct Waiting {
    txn: Handle<ClientTxn>,
    head: Head,
    /// The datagram socket to use if the connection does not come up.
    fallback: Option<FlowId>,
}

impl Endpoint {
    /// The flow that a request to `target` would take now, and its local address, for a `Contact` that leads back
    /// here. `None`: a connection must be opened first, or there is no socket.
    pub fn way(&self, target: &Target) -> Option<(FlowId, SocketAddr)> {
        let flow = match target.flow {
            Some(flow) => flow,
            None if target.transport.is_reliable() => {
                self.flows.stream_to(target.transport, target.remote)?
            }
            None => self.flows.socket_for(target.remote)?,
        };
        self.flows.writable(flow).map(|found| (flow, found.info.local))
    }

    /// Opens a connection ahead of the first request, or joins the attempt under way. The outcome is
    /// [`Event::FlowUp`] or [`Event::ConnectFailed`].
    ///
    /// # Errors
    /// `Usage`: no stream, or one that needs a name to verify. `Limit`: too many outputs wait.
    pub fn connect(&mut self, now: Now, transport: Transport, remote: SocketAddr) -> Result<(), Error> {
        let now = self.tick(now);
        if !transport.is_reliable() || transport.is_secure() {
            return Err(Error::Usage("only a TCP connection can be opened"));
        }
        if !self.has_room() {
            return Err(Error::Limit("outputs"));
        }
        let attempt = self.attempt_to(now, transport, remote);
        if let Some(attempt) = self.connects.get_mut(attempt) {
            attempt.asked = true;
        }
        Ok(())
    }

    pub(super) fn wait_for_connection(
        &mut self,
        now: Now,
        txn: Handle<ClientTxn>,
        head: Head,
        fallback: Option<FlowId>,
        target: Target,
    ) {
        let attempt = self.attempt_to(now, target.transport, target.remote);
        if let Some(attempt) = self.connects.get_mut(attempt) {
            attempt.waiting.push(Waiting { txn, head, fallback });
        }
    }

    /// The attempt under way to this address, or a new one.
    fn attempt_to(&mut self, now: Now, transport: Transport, remote: SocketAddr) -> Handle<Connecting> {
        let way = (transport, remote);
        if let Some(attempt) = self.attempts.get(&way) {
            return *attempt;
        }
        let attempt = self.connects.insert(Connecting {
            transport,
            remote,
            waiting: Vec::new(),
            asked: false,
            timer: None,
        });
        let wait = self.config.connect_timeout;
        let timer = self.wheel.arm(now.mono, now.mono + wait, "sip.connect", Fire::Connect(attempt));
        if let Some(opened) = self.connects.get_mut(attempt) {
            opened.timer = Some(timer);
        }
        self.attempts.insert(way, attempt);
        self.out.push_back(Output::Flow(FlowOutput::Open {
            token: attempt.token(),
            transport,
            remote,
            server_name: None,
        }));
        attempt
    }

    pub(super) fn flow_up(&mut self, now: Now, flow: FlowId, opened: Option<Token>, info: FlowInfo) {
        self.flows.up(now.mono, flow, info.clone());
        self.event(Event::FlowUp { flow, info: Box::new(info) });
        let attempt = opened.and_then(|token| self.end_attempt(Handle::of_token(token)));
        for waiting in attempt.map(|attempt| attempt.waiting).unwrap_or_default() {
            self.route_found(now, waiting.txn, Route::Stream(flow), waiting.head);
        }
    }

    pub(super) fn open_failed(&mut self, now: Now, token: Token, reason: FlowDown) {
        self.attempt_failed(now, Handle::of_token(token), reason);
    }

    pub(super) fn connect_timeout(&mut self, now: Now, attempt: Handle<Connecting>) {
        self.attempt_failed(now, attempt, FlowDown::TimedOut);
    }

    pub(super) fn flow_down(&mut self, now: Now, flow: FlowId, reason: FlowDown) {
        self.fail_clients_on(now, flow, reason);
        self.stop_stream_timers(flow);
        self.stalled.remove(&flow);
        if self.flows.down(flow).is_some() {
            self.event(Event::FlowDown { flow, reason });
        }
    }

    fn attempt_failed(&mut self, now: Now, attempt: Handle<Connecting>, reason: FlowDown) {
        let Some(attempt) = self.end_attempt(attempt) else { return };
        if attempt.asked {
            let Connecting { transport, remote, .. } = attempt;
            self.event(Event::ConnectFailed { transport, remote, reason });
        }
        for Waiting { txn, head, fallback } in attempt.waiting {
            match fallback {
                Some(socket) => self.route_found(now, txn, Route::Datagram(socket, attempt.remote), head),
                None => self.fail_client(now, txn, reason),
            }
        }
    }

    fn end_attempt(&mut self, attempt: Handle<Connecting>) -> Option<Connecting> {
        let ended = self.connects.remove(attempt)?;
        self.attempts.remove(&(ended.transport, ended.remote));
        if let Some(timer) = ended.timer {
            self.wheel.cancel(timer);
        }
        Some(ended)
    }
}
