//! Opening connections for requests, and falling back to UDP (RFC 3261 §18.1.1).

use super::client::Route;
use super::{ClientTxn, Endpoint, Event, Fire, Output, Target};
use crate::Head;
use cpm_base::{FlowDown, FlowId, FlowInfo, FlowOutput, Handle, Now, TimerId, Token, Transport};
use std::net::SocketAddr;

/// A connection that was asked for and the requests that wait for it.
#[derive(Debug)]
pub(crate) struct Connecting {
    transport: Transport,
    remote: SocketAddr,
    waiting: Vec<Waiting>,
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
    pub(super) fn wait_for_connection(
        &mut self,
        now: Now,
        txn: Handle<ClientTxn>,
        head: Head,
        fallback: Option<FlowId>,
        target: Target,
    ) {
        let waiting = Waiting { txn, head, fallback };
        let way = (target.transport, target.remote);
        if let Some(attempt) = self.attempts.get(&way).and_then(|attempt| self.connects.get_mut(*attempt)) {
            attempt.waiting.push(waiting);
            return;
        }
        let attempt = self.connects.insert(Connecting {
            transport: target.transport,
            remote: target.remote,
            waiting: vec![waiting],
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
            transport: target.transport,
            remote: target.remote,
            server_name: None,
        }));
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
