//! The handler that turns a node with a storage engine into a server; the same for both runtimes.

use crate::engine::{Answer, EngineLimits, EngineThread};
use crate::{DriverStats, Handler, Listen, StartError, Stopping};
use cpm_base::shell::{Shell, ShellLimits};
use cpm_base::{Now, Probe, Token};
use cpm_proto::effect::Effect;
use cpm_proto::store::engine::{StoreEngine, StoreError};
use cpm_proto::{Event, Input, Node, Rest};
use std::convert::Infallible;
use std::time::Duration;

/// Probes a node keeps between two turns.
const PROBES: usize = 1_024;

/// How a server is set up.
#[non_exhaustive]
pub struct ServerOptions {
    /// The node: users, domains, policy, limits.
    pub node: cpm_proto::Config,
    /// The node's secret seed; `None` takes one from the operating system, as is right outside of tests.
    pub seed: Option<[u8; 32]>,
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// Where durable state lives.
    pub engine: Box<dyn StoreEngine + Send>,
    /// Guards of the connection table.
    pub shell: ShellLimits,
    /// Guards of the engine thread.
    pub engine_limits: EngineLimits,
}

impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerOptions").field("listen", &self.listen).finish_non_exhaustive()
    }
}

impl ServerOptions {
    /// Options with default limits and a fresh seed.
    pub fn new(node: cpm_proto::Config, listen: Vec<Listen>, engine: Box<dyn StoreEngine + Send>) -> Self {
        Self {
            node,
            seed: None,
            listen,
            engine,
            shell: ShellLimits::default(),
            engine_limits: EngineLimits::default(),
        }
    }
}

/// What a server looks like from outside.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ServerStats {
    /// Sockets and turns.
    pub driver: DriverStats,
    /// The node: tables and counters.
    pub node: cpm_proto::Stats,
}

impl ServerStats {
    /// The counters of one moment.
    pub fn of(node: &Node, driver: DriverStats) -> Self {
        Self { driver, node: node.stats() }
    }
}

/// How the start of a server went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// Durable state is restored; requests are served.
    Started,
    /// It could not be read.
    StartFailed(StoreError),
}

/// Runs a node's effects against an engine on a thread of its own.
pub struct ServerHandler<F> {
    engine: EngineThread,
    answer: F,
}

impl<F: FnMut(Token, Answer) + Clone + Send + 'static> ServerHandler<F> {
    /// Starts the engine's thread; `answer` brings an answer to the shard, from any thread.
    pub fn new(
        engine: Box<dyn StoreEngine + Send>,
        limits: EngineLimits,
        answer: F,
    ) -> Result<Self, StartError> {
        let engine = EngineThread::spawn(engine, limits, answer.clone())
            .map_err(|source| StartError::System { what: "engine thread", source })?;
        Ok(Self { engine, answer })
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Store { token, durability, batch, .. } => {
                // One thread applies everything in the order submitted, so lanes need no care of their own.
                if let Err(error) = self.engine.submit(token, durability, batch) {
                    (self.answer)(token, Err(error));
                }
            }
            _ => tracing::error!("an effect that this version cannot carry out"),
        }
    }
}

impl<F: FnMut(Token, Answer) + Clone + Send + 'static> Handler<Node> for ServerHandler<F> {
    type Command = Infallible;
    type Event = ServerEvent;

    fn started(&mut self, now: Now, shell: &mut Shell<Node>) -> Option<ServerEvent> {
        shell.command(now, |node, now| node.start(now));
        None
    }

    fn rest(&mut self, _now: Now, _shell: &mut Shell<Node>, rest: Rest) -> Option<ServerEvent> {
        match rest {
            Rest::Effect(effect) => self.effect(effect),
            Rest::Event(Event::Started) => return Some(ServerEvent::Started),
            Rest::Event(Event::StartFailed { error }) => return Some(ServerEvent::StartFailed(error)),
            _ => {}
        }
        None
    }

    fn command(&mut self, _now: Now, _shell: &mut Shell<Node>, command: Infallible) -> Option<ServerEvent> {
        match command {}
    }

    fn probe(&mut self, shell: &mut Shell<Node>) -> Option<Probe> {
        shell.machine_mut().poll_probe()
    }

    /// Nothing new is read; what is being stored is finished and answered.
    fn stopping(&mut self, _now: Now, _shell: &mut Shell<Node>) -> Stopping {
        Stopping { within: Duration::from_secs(10), read: false }
    }

    fn may_end(&self, node: &Node) -> bool {
        node.stats().effects == 0
    }

    fn ended(self) {
        if self.engine.stop().is_none() {
            tracing::error!("the storage engine had failed before it was stopped");
        }
    }
}

/// What one answer of the engine is to the node.
pub fn stored(token: Token, result: Answer) -> Input {
    Input::Stored { token, result }
}

/// Makes the node of a server.
pub fn server_node(mut config: cpm_proto::Config, seed: Option<[u8; 32]>) -> Result<Node, StartError> {
    if config.sip.probes == 0 {
        config.sip.probes = PROBES;
    }
    let seed = match seed {
        Some(seed) => seed,
        None => crate::seed()?,
    };
    Ok(Node::new(config, seed))
}
