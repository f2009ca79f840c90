//! The handler of a simulated node: its store, and its events for the test.

use crate::host::Handler;
use crate::store::SimStore;
use cpm_base::{Now, Rng};
use cpm_proto::effect::Effect;
use cpm_proto::{Event, Input, Node, Rest};
use std::time::Instant;

/// An event of a node, and when and in which life of the host it came.
#[derive(Clone, Debug)]
pub struct Noted {
    /// The clocks of the host.
    pub at: Now,
    /// Counts the processes of the host, from 0.
    pub process: u32,
    /// What happened.
    pub event: Event,
}

/// Store and events of one node. Both survive the kill of its process, the store less what was not synced.
#[derive(Debug)]
pub struct NodeHost {
    /// The store.
    pub store: SimStore,
    /// All events so far.
    pub events: Vec<Noted>,
    process: u32,
}

impl NodeHost {
    /// An empty store, no events.
    pub fn new(seed: [u8; 32]) -> Self {
        Self { store: SimStore::new(seed), events: Vec::new(), process: 0 }
    }
}

impl Handler<Node> for NodeHost {
    fn rest(&mut self, now: Now, rest: Rest) {
        match rest {
            Rest::Effect(effect) => self.store.submit(now, effect),
            Rest::Event(event) => self.events.push(Noted { at: now, process: self.process, event }),
            other => panic!("the host does not know {other:?}"),
        }
    }

    fn describe(&self, rest: &Rest) -> Option<String> {
        match rest {
            Rest::Event(event) => Some(format!("{event:?}")),
            Rest::Effect(Effect::Store { token, batch, .. }) => Some(format!("store {} {batch:?}", token.0)),
            _ => None,
        }
    }

    fn wakes(&self) -> Option<Instant> {
        self.store.wakes()
    }

    fn run(&mut self, now: Now) -> Vec<Input> {
        self.store.run(now).into_iter().map(|(token, result)| Input::Stored { token, result }).collect()
    }

    fn killed(&mut self, rng: &mut Rng) {
        self.process += 1;
        self.store.killed(rng);
    }
}
