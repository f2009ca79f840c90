//! Timers.

use std::collections::BTreeMap;
use std::time::Instant;

/// Names one armed timer; stale after it fired or was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerId {
    at: Instant,
    seq: u64,
}

/// Timers of one machine: arm, cancel and fire in deadline order, equal deadlines in the order armed.
#[derive(Debug, Clone)]
pub struct Wheel<T> {
    timers: BTreeMap<TimerId, (&'static str, T)>,
    next_seq: u64,
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self { timers: BTreeMap::new(), next_seq: 0 }
    }
}

impl<T> Wheel<T> {
    /// No timers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Arms a timer for `at`; `name` is what `poll_timeout` shows.
    pub fn arm(&mut self, now: Instant, at: Instant, name: &'static str, value: T) -> TimerId {
        let id = TimerId { at: at.max(now), seq: self.next_seq };
        self.next_seq += 1;
        self.timers.insert(id, (name, value));
        id
    }

    /// Takes the timer back before it fires; `None` if it is stale.
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        self.timers.remove(&id).map(|(_, value)| value)
    }

    /// The next timer that is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<T> {
        let entry = self.timers.first_entry()?;
        (entry.key().at <= now).then(|| entry.remove().1)
    }

    /// The next moment to call `pop_due`, with the timer's name. Never later than the true deadline.
    pub fn next(&self) -> Option<(Instant, &'static str)> {
        self.timers.first_key_value().map(|(id, (name, _))| (id.at, *name))
    }

    /// Armed timers.
    pub fn len(&self) -> usize {
        self.timers.len()
    }

    /// Whether none is armed.
    pub fn is_empty(&self) -> bool {
        self.timers.is_empty()
    }
}
