//! What a link between two hosts does to the bytes on it.

use cpm_base::Rng;
use std::time::Duration;

/// Faults of one link. Chances are in thousandths. [`Link::calm`] has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// Every datagram, piece of a stream and step of a connect takes at least this long.
    pub latency: Duration,
    /// And up to this much more.
    pub jitter: Duration,
    /// A datagram is lost.
    pub loss: u16,
    /// A datagram begins a dark time in which all datagrams are lost.
    pub burst: u16,
    /// How long a dark time lasts.
    pub dark: Duration,
    /// A datagram comes twice.
    pub duplicate: u16,
    /// A datagram is overtaken by those sent up to a second later.
    pub reorder: u16,
    /// Streams are cut into pieces of 1 to so many bytes.
    pub piece: usize,
    /// A piece of a stream stalls it.
    pub stall: u16,
    /// How long a stall lasts at most.
    pub stall_for: Duration,
    /// A write resets its connection.
    pub reset: u16,
    /// A connect is refused.
    pub refuse: u16,
    /// A connect gets no answer.
    pub blackhole: u16,
}

impl Link {
    /// A good link: 5 ms, nothing lost, streams in pieces of up to 64 KiB.
    pub fn calm() -> Self {
        Self {
            latency: Duration::from_millis(5),
            jitter: Duration::ZERO,
            loss: 0,
            burst: 0,
            dark: Duration::ZERO,
            duplicate: 0,
            reorder: 0,
            piece: 65_536,
            stall: 0,
            stall_for: Duration::ZERO,
            reset: 0,
            refuse: 0,
            blackhole: 0,
        }
    }

    /// A random subset of all faults, each with a random strength ("swarm"): runs with few faults reach states
    /// that runs with all of them never reach.
    pub fn swarm(rng: &mut Rng) -> Self {
        let mut link = Self::calm();
        link.latency = Duration::from_millis(1 + rng.below(80));
        let mut chance = |limit: u64| if rng.below(2) == 0 { 1 + rng.below(limit) as u16 } else { 0 };
        link.loss = chance(200);
        link.burst = chance(10);
        link.duplicate = chance(200);
        link.reorder = chance(200);
        link.stall = chance(50);
        link.reset = chance(30);
        link.refuse = chance(200);
        link.blackhole = chance(100);
        link.jitter = Duration::from_millis(u64::from(chance(100)));
        link.dark = Duration::from_millis(500 + rng.below(4_000));
        link.stall_for = Duration::from_millis(100 + rng.below(5_000));
        link.piece = match rng.below(3) {
            0 => 1 + rng.below(16) as usize,
            1 => 1 + rng.below(1_500) as usize,
            _ => 65_536,
        };
        link
    }

    /// How long one thing takes on this link.
    pub(crate) fn delay(&self, rng: &mut Rng) -> Duration {
        self.latency + Duration::from_micros(rng.below(self.jitter.as_micros() as u64 + 1))
    }
}

/// Whether something with this chance in thousandths happens.
pub(crate) fn happens(rng: &mut Rng, chance: u16) -> bool {
    chance > 0 && rng.below(1_000) < u64::from(chance)
}
