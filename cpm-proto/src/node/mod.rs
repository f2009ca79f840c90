//! All functions of one shard behind one `FlowMachine`.
//!
//! The node owns the table of outstanding effects, one output queue in cause order, and the functions
//! (client accounts, participating function). Commands and inputs leave their outputs in that queue.

mod effects;

use crate::{Config, Error, Event, Input, Output, Rest};
use cpm_base::{FlowId, FlowMachine, FlowOutput, Machine, Now, Rng, Wheel};
use effects::Effects;
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
    /// Datagrams dropped because outputs wait or because the node is not started.
    pub dropped_datagrams: u64,
}

/// What fires when time passes.
#[derive(Clone, Copy, Debug)]
enum Timer {
    /// The store has not answered.
    Store(cpm_base::Handle<effects::Pending>),
}

/// One shard: protocols, functions and the effects they wait for, without any IO.
#[derive(Debug)]
pub struct Node {
    config: Config,
    rng: Rng,
    effects: Effects,
    timers: Wheel<Timer>,
    out: VecDeque<Output>,
    stats: Stats,
}

impl Node {
    /// A node that serves nobody until [`Node::start`].
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let effects = Effects::new(config.limits.effects, config.limits.store_timeout);
        Self {
            config,
            rng: Rng::new(seed),
            effects,
            timers: Wheel::new(),
            out: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Restores durable state; [`Event::Started`] tells when it is there. Requests are served from then on.
    pub fn start(&mut self, _now: Now) {
        self.out.push_back(Output::Event(Event::Started));
    }

    /// Whether nothing is pending: no effect, no transaction, no message under way, no binding.
    pub fn is_quiescent(&self) -> bool {
        self.effects.is_empty() && self.timers.is_empty()
    }

    /// Counters and table sizes.
    pub fn stats(&self) -> Stats {
        Stats { effects: self.effects.len(), outputs: self.out.len(), ..self.stats }
    }
}

impl Machine for Node {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn handle_input(&mut self, _now: Now, input: Input) -> Result<(), Error> {
        match input {
            Input::Flow(_) => {}
            Input::Stored { token, result } => {
                if let Some(waiter) = self.effects.answered(&mut self.timers, token) {
                    match waiter {}
                }
                drop(result);
            }
        }
        Ok(())
    }

    fn handle_timeout(&mut self, now: Now, budget: usize) -> bool {
        for _ in 0..budget {
            match self.timers.pop_due(now.mono) {
                Some(Timer::Store(pending)) => {
                    self.stats.store_failures += 1;
                    if let Some(waiter) = self.effects.timed_out(pending) {
                        match waiter {}
                    }
                }
                None => return false,
            }
        }
        self.timers.next().is_some_and(|(at, _)| at <= now.mono)
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.timers.next()
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

    fn wants_read(&self, _flow: FlowId) -> bool {
        self.out.len() < self.config.limits.outputs
    }

    fn poll_stream(&mut self, _now: Now, _flow: FlowId, _out: &mut Vec<bytes::Bytes>, _room: usize) -> usize {
        0
    }
}
