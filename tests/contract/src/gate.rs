//! A storage engine whose syncs can be held.

use cpm_base::Now;
use cpm_proto::store::engine::{Durability, StoreAnswer, StoreEngine, StoreError, StoreOp};
use cpm_proto::store::mem::MemStore;
use std::sync::{Arc, Condvar, Mutex};

#[derive(Debug, Default)]
struct State {
    closed: bool,
    held: usize,
}

/// Holds the syncs of a [`GatedEngine`] while it is closed.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Gate {
    /// A gate that holds nothing.
    pub fn open() -> Self {
        Self::default()
    }

    /// Syncs wait from now on.
    pub fn close(&self) {
        self.state.0.lock().expect("no panic under this lock").closed = true;
    }

    /// Lets them through again.
    pub fn set_open(&self) {
        self.state.0.lock().expect("no panic under this lock").closed = false;
        self.state.1.notify_all();
    }

    /// Syncs that wait now.
    pub fn syncs_held(&self) -> usize {
        self.state.0.lock().expect("no panic under this lock").held
    }

    fn pass(&self) {
        let mut state = self.state.0.lock().expect("no panic under this lock");
        state.held += 1;
        while state.closed {
            state = self.state.1.wait(state).expect("no panic under this lock");
        }
        state.held -= 1;
    }
}

/// The reference engine behind a gate.
#[derive(Debug)]
pub struct GatedEngine {
    store: MemStore,
    gate: Gate,
}

impl GatedEngine {
    /// An empty engine.
    pub fn new(gate: Gate) -> Self {
        Self { store: MemStore::new(), gate }
    }
}

impl StoreEngine for GatedEngine {
    fn apply(&mut self, now: Now, batch: &[StoreOp]) -> Result<Vec<StoreAnswer>, StoreError> {
        self.store.apply(now, batch)
    }

    fn sync(&mut self, durability: Durability) -> Result<(), StoreError> {
        self.gate.pass();
        self.store.sync(durability)
    }
}
