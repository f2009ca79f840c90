//! All functions of one shard behind one `FlowMachine`.
//!
//! The node owns the SIP endpoint, the table of outstanding effects, one output queue in cause order, and the
//! functions (client accounts, participating function). Commands and inputs leave their outputs in that queue;
//! it takes the endpoint's outputs over before each of its methods returns.

mod accounts;
mod effects;
mod parts;

pub(crate) use effects::Waiter as NodeWaiter;
pub(crate) use parts::Parts;

use crate::client::Client;
use crate::participating::Server;
use crate::{Config, Error, Event, Input, Output, Rest};
use bytes::Bytes;
use cpm_base::{
    FlowId, FlowInput, FlowMachine, FlowOutput, Machine, Monotonic, Now, Probe, ProbeKind, ProbeRing, Rng,
};
use cpm_sip::endpoint::{self, Endpoint};
use effects::{Effects, Overdue};
use parts::parts;
use std::collections::VecDeque;
use std::time::Instant;

/// Counters and table sizes of a node, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Effects that wait for an answer.
    pub effects: usize,
    /// Outputs that wait for the driver.
    pub outputs: usize,
    /// Effects whose answer did not come in time, or came as a failure.
    pub store_failures: u64,
    /// Store answers that came after their timer.
    pub store_late: u64,
    /// Datagrams dropped because outputs wait or because durable state is not restored yet.
    pub dropped_datagrams: u64,
    /// Inputs the endpoint refused: peers that broke the protocol.
    pub bad_inputs: u64,
    /// Answers to requests whose transaction was over.
    pub answers_unsent: u64,
    /// Credentials that were wrong.
    pub auth_failures: u64,
    /// Requests whose sender claimed to be somebody else.
    pub identity_refused: u64,
    /// Notifications dropped because their sender never got the message.
    pub forged_notifications: u64,
    /// Deferred messages that expired or were given up.
    pub deferred_dropped: u64,
    /// Messages under way.
    pub exchanges: usize,
    /// Deferred messages.
    pub deferred: usize,
    /// Registered contacts.
    pub bindings: usize,
    /// Remembered outcomes of messages.
    pub remembered: usize,
    /// Client accounts.
    pub accounts: usize,
}

/// One shard: protocols, functions and the effects they wait for, without any IO.
#[derive(Debug)]
pub struct Node {
    config: Config,
    sip: Endpoint,
    rng: Rng,
    effects: Effects,
    server: Option<Server>,
    client: Client,
    out: VecDeque<Output>,
    stats: Stats,
    clock: Monotonic,
    probes: ProbeRing,
}

impl Node {
    /// A node that serves nobody until [`Node::start`]. The seed is a secret.
    pub fn new(mut config: Config, seed: [u8; 32]) -> Self {
        let mut rng = Rng::new(seed);
        let probes = ProbeRing::new(config.sip.probes);
        let sip = Endpoint::new(config.sip.clone(), rng.child_seed());
        let server = config.server.take().map(|server| Server::new(server, &config.limits, &mut rng));
        Self {
            effects: Effects::new(config.limits.effects, config.limits.store_timeout),
            config,
            sip,
            rng,
            server,
            client: Client::default(),
            out: VecDeque::new(),
            stats: Stats::default(),
            clock: Monotonic::default(),
            probes,
        }
    }

    /// Restores durable state; [`Event::Started`] tells when it is there. Requests are served from then on.
    pub fn start(&mut self, now: Now) {
        let now = self.clock.stamp(now, &mut self.probes);
        match &mut self.server {
            Some(server) => server.restore(&mut parts!(self, now)),
            None => self.out.push_back(Output::Event(Event::Started)),
        }
        self.pump(now);
    }

    /// Whether nothing is pending: no effect, no transaction, no message under way or deferred, no binding, no client
    /// account with anything to do.
    pub fn is_quiescent(&self) -> bool {
        self.effects.is_empty()
            && self.sip.is_quiescent()
            && self.client.is_quiescent()
            && self.server.as_ref().is_none_or(Server::is_quiescent)
    }

    /// Counters and table sizes.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            effects: self.effects.len(),
            outputs: self.out.len(),
            accounts: self.client.len(),
            ..self.stats
        };
        if let Some(server) = &self.server {
            server.fill_stats(&mut stats);
        }
        stats
    }

    /// Counters of the SIP endpoint.
    pub fn sip_stats(&self) -> endpoint::Stats {
        self.sip.stats()
    }

    /// The next observed fact, if probes are on (`sip.probes` of the configuration).
    pub fn poll_probe(&mut self) -> Option<Probe> {
        self.probes.pop().or_else(|| self.sip.poll_probe())
    }

    /// Takes over what the endpoint has to say, until it has nothing left.
    fn pump(&mut self, now: Now) {
        while let Some(output) = self.sip.poll_output() {
            match output {
                endpoint::Output::Flow(output) => self.out.push_back(Output::Flow(output)),
                endpoint::Output::Event(event) => self.on_event(now, event),
                _ => {}
            }
        }
    }

    /// Hands an event of the endpoint to the function it concerns.
    fn on_event(&mut self, now: Now, event: endpoint::Event) {
        let event = self.on_account_event(now, event);
        if let (Some(server), Some(event)) = (&mut self.server, event) {
            server.on_event(&mut parts!(self, now), event);
        }
    }

    /// Whether requests can be taken.
    fn is_ready(&self) -> bool {
        self.server.as_ref().is_none_or(Server::is_ready)
    }

    fn on_flow(&mut self, now: Now, input: FlowInput) -> Result<(), Error> {
        if matches!(input, FlowInput::Datagram { .. }) && (!self.is_ready() || !self.has_room()) {
            // The peer repeats what matters.
            self.stats.dropped_datagrams += 1;
            self.probes.push(ProbeKind::DatagramDropped, 0, 0);
            return Ok(());
        }
        self.sip.handle_input(now, endpoint::Input::Flow(input)).map_err(|error| {
            self.stats.bad_inputs += 1;
            match error {
                endpoint::Error::Usage(what) => Error::Usage(what),
                endpoint::Error::Limit(what) => Error::Limit(what),
                _ => Error::Peer,
            }
        })
    }

    fn has_room(&self) -> bool {
        self.out.len() < self.config.limits.outputs
    }

    /// Fires one due timer of the node's own tables; false if none is due.
    fn fire(&mut self, now: Now) -> bool {
        if let Some(overdue) = self.effects.overdue(now) {
            self.stats.store_late += 1;
            self.probes.push(ProbeKind::StoreLate, 0, 0);
            let (NodeWaiter::Server(waiter), lost) = match overdue {
                Overdue::Late(waiter) => (waiter, false),
                Overdue::Lost(waiter) => (waiter, true),
            };
            if let Some(server) = &mut self.server {
                server.on_overdue(&mut parts!(self, now), waiter, lost);
            }
            return true;
        }
        self.client.fire(parts!(self, now))
            || self.server.as_mut().is_some_and(|server| server.on_timer(&mut parts!(self, now)))
    }
}

impl Machine for Node {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn handle_input(&mut self, now: Now, input: Input) -> Result<(), Error> {
        let now = self.clock.stamp(now, &mut self.probes);
        let result = match input {
            Input::Flow(input) => self.on_flow(now, input),
            Input::Stored { token, result } => match self.effects.answered(token) {
                Some(NodeWaiter::Server(waiter)) => {
                    if let Some(server) = &mut self.server {
                        server.on_stored(&mut parts!(self, now), waiter, result);
                    }
                    Ok(())
                }
                None => Err(Error::Usage("no effect waits under this token")),
            },
        };
        self.pump(now);
        result
    }

    fn handle_timeout(&mut self, now: Now, budget: usize) -> bool {
        let now = self.clock.stamp(now, &mut self.probes);
        self.sip.handle_timeout(now, budget);
        self.pump(now);
        for _ in 0..budget {
            if !self.fire(now) {
                break;
            }
            self.pump(now);
        }
        self.poll_timeout().is_some_and(|(at, _)| at <= now.mono)
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let server = self.server.as_ref().and_then(Server::next_timer);
        let client = self.client.poll_timeout();
        [self.sip.poll_timeout(), self.effects.next(), client, server]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }
}

impl FlowMachine for Node {
    type Rest = Rest;

    fn split(output: Output) -> Result<FlowOutput, Rest> {
        match output {
            Output::Flow(flow) => Ok(flow),
            Output::Effect(effect) => Err(Rest::Effect(effect)),
            Output::Event(event) => Err(Rest::Event(event)),
        }
    }

    fn wants_read(&self, flow: FlowId) -> bool {
        self.is_ready() && self.has_room() && self.sip.wants_read(flow)
    }

    fn poll_stream(&mut self, now: Now, flow: FlowId, out: &mut Vec<Bytes>, room: usize) -> usize {
        self.sip.poll_stream(now, flow, out, room)
    }
}
