//! The SIP endpoint: flows, transactions, one timer wheel and one output queue behind [`Machine`] and
//! [`FlowMachine`] (RFC 3261 §17, §18).
//!
//! A request of the owner goes out with [`Endpoint::request`] and comes back as [`Event::Response`] or
//! [`Event::TxnFailed`]; a request of a peer comes as [`Event::Request`] and is answered with
//! [`Endpoint::respond`]. Retransmission, matching, routing of responses, malformed messages, overload and
//! keep-alive are handled inside.

mod client;
mod config;
mod connect;
mod error;
mod event;
mod input;
mod output;
mod request;
mod server;
mod stats;
mod stream;
mod wire;

#[cfg(test)]
mod tests;

pub use client::ClientTxn;
pub use config::Config;
pub use error::Error;
pub use event::{Event, Input, Output, Source, Target};
pub use server::ServerTxn;
pub use stats::Stats;

use crate::flow::FlowTable;
use crate::txn::{KeyBuf, Owner, Table, Timer};
use bytes::Bytes;
use connect::Connecting;
use cpm_base::{
    Arena, FlowId, FlowInput, FlowMachine, FlowOutput, Handle, HashSeed, Machine, Now, Probe, ProbeKind,
    ProbeRing, Rng, SeededMap, Transport, Wheel,
};
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;
use std::time::Instant;

/// What a timer of the endpoint is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fire {
    Client(Handle<ClientTxn>, Timer),
    Server(Handle<ServerTxn>, Timer),
    /// The message that began on this stream is not complete.
    Slow(FlowId),
    /// The next ping is due, or its pong is late.
    Ping(FlowId),
    /// A connection attempt takes too long.
    Connect(Handle<Connecting>),
}

/// A SIP endpoint without IO.
///
/// ```
/// use cpm_base::{FlowId, FlowInfo, FlowInput, Machine, Now, Transport};
/// use cpm_sip::endpoint::{Config, Endpoint, Event, Input, Output};
/// use std::time::{Duration, Instant};
///
/// let now = Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
/// let mut endpoint = Endpoint::new(Config::default(), [7; 32]);
/// let info = FlowInfo {
///     transport: Transport::Udp,
///     local: "192.0.2.1:5060".parse()?,
///     remote: None,
///     accepted: false,
///     trusted: false,
/// };
/// endpoint.handle_input(now, Input::Flow(FlowInput::Up { flow: FlowId(1), opened: None, info: Box::new(info) }))?;
/// assert!(matches!(endpoint.poll_output(), Some(Output::Event(Event::FlowUp { .. }))));
/// assert!(endpoint.is_quiescent());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    rng: Rng,
    /// The largest `Now` seen.
    clock: Option<Now>,
    out: VecDeque<Output>,
    wheel: Wheel<Fire>,
    flows: FlowTable,
    table: Table,
    servers: Arena<ServerTxn>,
    clients: Arena<ClientTxn>,
    connects: Arena<Connecting>,
    /// Connection attempts by what they lead to.
    attempts: SeededMap<(Transport, SocketAddr), Handle<Connecting>>,
    /// Requests without To tag by From tag, Call-ID and CSeq (RFC 3261 §8.2.2.2).
    merged: SeededMap<NonZeroU64, Handle<ServerTxn>>,
    /// Live server transactions by untrusted source.
    sources: SeededMap<IpAddr, usize>,
    /// Streams with bytes that wait for room in `out` or for their turn.
    stalled: BTreeSet<FlowId>,
    /// Where the round of stalled streams goes on.
    resumed: FlowId,
    /// Built and used again for every look-up.
    key: KeyBuf,
    stats: Stats,
    probes: ProbeRing,
}

impl Endpoint {
    /// An endpoint without flows. The seed is a secret: branches, tags and hash keys come from it.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut rng = Rng::new(seed);
        let hash = HashSeed([rng.next_u64(), rng.next_u64()]);
        Self {
            probes: ProbeRing::new(config.probes),
            config,
            rng,
            clock: None,
            out: VecDeque::new(),
            wheel: Wheel::new(),
            flows: FlowTable::new(hash),
            table: Table::new(hash),
            servers: Arena::new(),
            clients: Arena::new(),
            connects: Arena::new(),
            attempts: SeededMap::new(hash),
            merged: SeededMap::new(hash),
            sources: SeededMap::new(hash),
            stalled: BTreeSet::new(),
            resumed: FlowId(0),
            key: KeyBuf::new(),
            stats: Stats::default(),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Counters and present sizes.
    pub fn stats(&self) -> Stats {
        Stats {
            server_txns: self.servers.len(),
            client_txns: self.clients.len(),
            flows: self.flows.len(),
            outputs: self.out.len(),
            ..self.stats
        }
    }

    /// Whether nothing is under way: no transaction, no connection attempt, no stalled stream. Flows may be up.
    pub fn is_quiescent(&self) -> bool {
        self.servers.is_empty()
            && self.clients.is_empty()
            && self.connects.is_empty()
            && self.table.is_empty()
            && self.merged.is_empty()
            && self.sources.is_empty()
            && self.stalled.is_empty()
    }

    /// The next observed fact, if probes are on.
    pub fn poll_probe(&mut self) -> Option<Probe> {
        self.probes.pop()
    }

    /// The transaction under `self.key`.
    fn find_owner(&self) -> Option<Owner> {
        self.table.find(&self.key, |owner| match owner {
            Owner::Client(txn) => self.clients.get(txn).is_some_and(|found| found.key().is(&self.key)),
            Owner::Server(txn) => self.servers.get(txn).is_some_and(|found| found.key().is(&self.key)),
        })
    }

    /// The clock, never backwards (architecture §3 rule 5).
    fn tick(&mut self, now: Now) -> Now {
        let now = match self.clock {
            Some(last) if now.mono < last.mono => {
                let back = last.mono.saturating_duration_since(now.mono).as_micros();
                self.probes.push(ProbeKind::ClockBackwards, u64::try_from(back).unwrap_or(u64::MAX), 0);
                last
            }
            _ => now,
        };
        self.clock = Some(now);
        now
    }

    /// Whether a stalled stream may go on.
    fn has_low_water(&self) -> bool {
        self.out.len() <= self.config.limits.outputs / 2
    }

    /// Whether more outputs may be caused by inputs and commands.
    fn has_room(&self) -> bool {
        self.out.len() < self.config.limits.outputs
    }

    fn fire(&mut self, now: Now, fire: Fire) {
        match fire {
            Fire::Client(txn, timer) => self.client_timer(now, txn, timer),
            Fire::Server(txn, timer) => self.server_timer(now, txn, timer),
            Fire::Slow(flow) => self.slow_stream(now, flow),
            Fire::Ping(flow) => self.ping_timer(now, flow),
            Fire::Connect(attempt) => self.connect_timeout(now, attempt),
        }
    }
}

/// A tag, Call-ID or branch that nobody can guess: 100 bits.
fn fresh(rng: &mut Rng) -> String {
    rng.base32(20)
}

impl Machine for Endpoint {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn handle_input(&mut self, now: Now, input: Input) -> Result<(), Error> {
        let now = self.tick(now);
        let Input::Flow(input) = input;
        match input {
            FlowInput::Up { flow, opened, info } => self.flow_up(now, flow, opened, *info),
            FlowInput::OpenFailed { token, reason } => self.open_failed(now, token, reason),
            FlowInput::Down { flow, reason } => self.flow_down(now, flow, reason),
            FlowInput::Datagram { flow, from, data } => return self.datagram(now, flow, from, data),
            FlowInput::Stream { flow, data } => return self.stream_bytes(now, flow, data),
            _ => return Err(Error::Usage("unknown flow input")),
        }
        Ok(())
    }

    fn handle_timeout(&mut self, now: Now, budget: usize) -> bool {
        let now = self.tick(now);
        for _ in 0..budget {
            let Some(fire) = self.wheel.pop_due(now.mono) else {
                self.resume_one(now);
                break;
            };
            self.fire(now, fire);
        }
        self.poll_timeout().is_some_and(|(at, _)| at <= now.mono)
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.clock {
            // The moment that made it necessary; it is handled as soon as the driver sees it.
            Some(clock) if !self.stalled.is_empty() && self.has_low_water() => {
                Some((clock.mono, "sip.resume"))
            }
            _ => self.wheel.next(),
        }
    }
}

impl FlowMachine for Endpoint {
    type Rest = Event;

    fn split(output: Output) -> Result<FlowOutput, Event> {
        match output {
            Output::Flow(output) => Ok(output),
            Output::Event(event) => Err(event),
        }
    }

    fn wants_read(&self, flow: FlowId) -> bool {
        self.has_room() && !self.stalled.contains(&flow)
    }

    /// SIP messages are small and go out by `Transmit`; there is never anything to pull.
    fn poll_stream(&mut self, _now: Now, _flow: FlowId, _out: &mut Vec<Bytes>, _room: usize) -> usize {
        0
    }
}
