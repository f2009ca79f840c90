//! What a core lets be seen: small `Copy` facts in a fixed ring. Never an address, never text.

use std::collections::VecDeque;

/// One observed fact: what happened and two numbers whose meaning the kind documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What happened.
    pub kind: ProbeKind,
    /// First number; see the kind.
    pub a: u64,
    /// Second number; see the kind.
    pub b: u64,
}

/// Every probe, one doc line each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProbeKind {
    /// `Now` went backwards; the larger value was used. a: by how many microseconds.
    ClockBackwards,
    /// A message could not be parsed. a: flow, b: byte offset of the fault.
    BadMessage,
    /// A datagram was dropped because outputs wait. a: flow.
    DatagramDropped,
    /// A response that fits no transaction was dropped. a: flow, b: status.
    StrayResponse,
    /// A limit was reached. a: flow or 0.
    LimitReached,
    /// A request failed authentication. a: flow, b: status sent.
    AuthFailed,
    /// A store answer came after its timer. a: token.
    StoreLate,
    /// A store effect failed. a: token.
    StoreFailed,
}

/// Fixed ring of probes. When it is full the oldest is lost and counted.
#[derive(Debug, Clone)]
pub struct ProbeRing {
    ring: VecDeque<Probe>,
    room: usize,
    lost: u64,
}

impl ProbeRing {
    /// A ring for `room` probes; 0 switches probing off.
    pub fn new(room: usize) -> Self {
        Self { ring: VecDeque::new(), room, lost: 0 }
    }

    /// Notes one fact.
    pub fn push(&mut self, kind: ProbeKind, a: u64, b: u64) {
        if self.room == 0 {
            return;
        }
        if self.ring.len() >= self.room {
            self.ring.pop_front();
            self.lost += 1;
        }
        self.ring.push_back(Probe { kind, a, b });
    }

    /// Takes the oldest probe.
    pub fn pop(&mut self) -> Option<Probe> {
        self.ring.pop_front()
    }

    /// Probes lost to a full ring so far.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
