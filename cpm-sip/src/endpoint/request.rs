//! Requests of the owner: completed, routed, written (RFC 3261 §8.1.1, §9.1, §18.1.1).

use super::client::{Cancel, Cause, ClientTxn, Machine, Route};
use super::wire::{self, Via};
use super::{Endpoint, Error, Target, fresh};
use crate::txn::{Action, Timer, ict};
use crate::{Head, Method};
use bytes::Bytes;
use cpm_base::{FlowDown, FlowId, Handle, Now, Transport};

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
        wire::complete(head, &mut self.rng, self.config.user_agent.as_deref())
    }

    /// A branch nobody can guess.
    fn branch(&mut self) -> Box<str> {
        let mut branch = String::from(crate::header::BRANCH_COOKIE);
        branch.push_str(&fresh(&mut self.rng));
        branch.into_boxed_str()
    }

    pub(super) fn via<'a>(&'a self, route: Route, branch: &'a str) -> Result<Via<'a>, Error> {
        let (Route::Datagram(flow, _) | Route::Stream(flow)) = route else {
            return Err(Error::Usage("no flow"));
        };
        let flow = self.flows.writable(flow).ok_or(Error::Usage("no such flow"))?;
        Ok(Via { transport: flow.info.transport, sent_by: &flow.sent_by, branch })
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

    pub(super) fn start_client(&mut self, now: Now, txn: Handle<ClientTxn>, plan: Plan) {
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
}

/// What is known about the way before the request is written.
enum Way {
    Over(Route),
    Open,
}

pub(super) enum Plan {
    Send { route: Route, bytes: Bytes },
    Open { head: Box<Head>, fallback: Option<FlowId>, target: Target },
}
