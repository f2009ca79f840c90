//! The storage of a simulated host: an engine thread in virtual time, with faults.
//!
//! Batches wait in a queue. The thread takes what is there, applies it in order, syncs once, then answers, as
//! the real engine thread does. A kill in between loses what was not synced, or, as a disk may have written
//! back some of it by itself, a random end of it.

use crate::link::happens;
use cpm_base::{Now, Rng, Token};
use cpm_proto::effect::Effect;
use cpm_proto::store::engine::{Durability, StoreAnswer, StoreEngine, StoreError, StoreOp};
use cpm_proto::store::mem::MemStore;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// At most so many batches share one sync.
const GROUP: usize = 256;

/// Faults of a store. Chances are in thousandths, for each batch or sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreFaults {
    /// Time until a group is applied, at most.
    pub apply: Duration,
    /// Time of a sync, at most.
    pub sync: Duration,
    /// A group takes [`StoreFaults::slow_for`] longer.
    pub slow: u16,
    /// How much longer.
    pub slow_for: Duration,
    /// A batch with a write is refused for lack of room.
    pub full: u16,
    /// A batch finds the store unavailable; nothing is done.
    pub unavailable: u16,
    /// A batch with a write meets a version that somebody else has just written; nothing is done.
    pub conflict: u16,
    /// A sync fails: the batches were applied, their outcome is unknown to who asked.
    pub sync_fails: u16,
    /// An answer is never given.
    pub silent: u16,
}

impl StoreFaults {
    /// A good store: a millisecond, nothing fails.
    pub fn calm() -> Self {
        Self {
            apply: Duration::from_millis(1),
            sync: Duration::from_millis(2),
            slow: 0,
            slow_for: Duration::ZERO,
            full: 0,
            unavailable: 0,
            conflict: 0,
            sync_fails: 0,
            silent: 0,
        }
    }

    /// A random subset of all faults, each with a random strength.
    pub fn swarm(rng: &mut Rng) -> Self {
        let mut chance = |limit: u64| if rng.below(2) == 0 { 1 + rng.below(limit) as u16 } else { 0 };
        Self {
            slow: chance(50),
            full: chance(30),
            unavailable: chance(50),
            conflict: chance(30),
            sync_fails: chance(30),
            silent: chance(20),
            apply: Duration::from_millis(1 + rng.below(20)),
            sync: Duration::from_millis(1 + rng.below(60)),
            slow_for: Duration::from_millis(500 + rng.below(8_000)),
        }
    }
}

#[derive(Debug)]
struct Job {
    token: Token,
    durability: Durability,
    batch: Vec<StoreOp>,
}

#[derive(Debug)]
enum Work {
    /// The thread waits for batches.
    Idle,
    /// It will apply what is in the queue.
    Apply { at: Instant },
    /// It has applied a group and syncs.
    Sync { at: Instant, group: Vec<Answer> },
}

type Answer = (Token, Durability, Result<Vec<StoreAnswer>, StoreError>);

/// The engine of one host. It survives the kill of the host's process, less what was not synced.
#[derive(Debug)]
pub struct SimStore {
    engine: MemStore,
    faults: StoreFaults,
    rng: Rng,
    queue: VecDeque<Job>,
    work: Work,
}

impl SimStore {
    /// An empty store.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            engine: MemStore::new(),
            faults: StoreFaults::calm(),
            rng: Rng::new(seed),
            queue: VecDeque::new(),
            work: Work::Idle,
        }
    }

    /// Sets the faults from now on.
    pub fn set_faults(&mut self, faults: StoreFaults) {
        self.faults = faults;
    }

    /// The engine, to look at.
    pub fn engine(&self) -> &MemStore {
        &self.engine
    }

    /// Takes a store effect.
    pub fn submit(&mut self, now: Now, effect: Effect) {
        match effect {
            Effect::Store { token, durability, batch, .. } => {
                self.queue.push_back(Job { token, durability, batch });
            }
            other => panic!("a store cannot do {other:?}"),
        }
        if matches!(self.work, Work::Idle) {
            self.work = Work::Apply { at: now.mono + self.apply_time() };
        }
    }

    /// When the engine thread is done with its present step.
    pub fn wakes(&self) -> Option<Instant> {
        match &self.work {
            Work::Idle => None,
            Work::Apply { at } | Work::Sync { at, .. } => Some(*at),
        }
    }

    /// Does the step that is due; gives the answers that are ready.
    pub fn run(&mut self, now: Now) -> Vec<(Token, Result<Vec<StoreAnswer>, StoreError>)> {
        match std::mem::replace(&mut self.work, Work::Idle) {
            Work::Apply { at } if at <= now.mono => {
                let mut group = Vec::new();
                while let Some(job) = self.queue.pop_front() {
                    let result = self.apply(now, &job.batch);
                    group.push((job.token, job.durability, result));
                    if group.len() == GROUP {
                        break;
                    }
                }
                let sync = 1 + self.rng.below(self.faults.sync.as_micros() as u64 + 1);
                self.work = Work::Sync { at: now.mono + Duration::from_micros(sync), group };
                Vec::new()
            }
            Work::Sync { at, group } if at <= now.mono => {
                if !self.queue.is_empty() {
                    self.work = Work::Apply { at: now.mono + self.apply_time() };
                }
                self.sync(group)
            }
            waiting => {
                self.work = waiting;
                Vec::new()
            }
        }
    }

    /// The process was killed.
    pub fn killed(&mut self, rng: &mut Rng) {
        let kept = rng.below(self.engine.unsynced() as u64 + 1) as usize;
        self.engine.crash_keeping(kept);
        self.queue.clear();
        self.work = Work::Idle;
    }

    fn apply_time(&mut self) -> Duration {
        let slow =
            if happens(&mut self.rng, self.faults.slow) { self.faults.slow_for } else { Duration::ZERO };
        slow + Duration::from_micros(1 + self.rng.below(self.faults.apply.as_micros() as u64 + 1))
    }

    fn apply(&mut self, now: Now, batch: &[StoreOp]) -> Result<Vec<StoreAnswer>, StoreError> {
        let writes = batch.iter().any(|op| matches!(op, StoreOp::Put { .. } | StoreOp::Append { .. }));
        if writes && happens(&mut self.rng, self.faults.full) {
            return Err(StoreError::Full);
        }
        if happens(&mut self.rng, self.faults.unavailable) {
            return Err(StoreError::Unavailable { retry: Duration::from_secs(1) });
        }
        if happens(&mut self.rng, self.faults.conflict)
            && let Some(conflict) = self.conflict(now, batch)
        {
            return Err(conflict);
        }
        self.engine.apply(now, batch)
    }

    /// What the first write of the batch would hear if another writer had been faster.
    fn conflict(&mut self, now: Now, batch: &[StoreOp]) -> Option<StoreError> {
        let (op, key) = batch.iter().enumerate().find_map(|(op, step)| match step {
            StoreOp::Put { key, .. } | StoreOp::Delete { key, .. } => Some((op, key.clone())),
            _ => None,
        })?;
        let current = match self.engine.apply(now, &[StoreOp::Get { key }]).ok()?.pop()? {
            StoreAnswer::Value(found) => found.map_or(0, |(version, _)| version),
            _ => return None,
        };
        Some(StoreError::Conflict { op: u16::try_from(op).ok()?, current })
    }

    fn sync(&mut self, group: Vec<Answer>) -> Vec<(Token, Result<Vec<StoreAnswer>, StoreError>)> {
        let durability =
            group.iter().map(|(_, durability, _)| *durability).max().unwrap_or(Durability::Memory);
        if happens(&mut self.rng, self.faults.sync_fails) {
            self.engine.fail_syncs(1, StoreError::Unavailable { retry: Duration::from_secs(1) });
        }
        let synced = self.engine.sync(durability);
        let mut answers = Vec::new();
        for (token, durability, result) in group {
            let result = match synced {
                Err(error) if durability > Durability::Memory && result.is_ok() => Err(error),
                _ => result,
            };
            if !happens(&mut self.rng, self.faults.silent) {
                answers.push((token, result));
            }
        }
        answers
    }
}
