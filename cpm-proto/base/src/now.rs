//! The two clocks a machine may look at.

use crate::{ProbeKind, ProbeRing};
use std::time::{Duration, Instant};

/// The two clocks, stamped once per driver turn. Cores never read a clock themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic; every timer lives here.
    pub mono: Instant,
    /// Since the Unix epoch, for `Date`, CPIM `DateTime` and expiry that survives a restart.
    pub unix: Duration,
}

impl Now {
    /// Both clocks moved forward by `by`, as a simulator does.
    pub fn after(self, by: Duration) -> Self {
        Self { mono: self.mono + by, unix: self.unix + by }
    }

    /// Whole seconds since the Unix epoch.
    pub fn unix_secs(self) -> u64 {
        self.unix.as_secs()
    }
}

/// Guards a machine against a clock that goes backwards (architecture §3, rule 5).
#[derive(Clone, Copy, Debug, Default)]
pub struct Monotonic {
    latest: Option<Instant>,
}

impl Monotonic {
    /// `now`, with the monotonic clock no smaller than any seen before; a step back raises
    /// [`ProbeKind::ClockBackwards`]. The wall clock may be set back by its owner and is passed on as it is.
    pub fn stamp(&mut self, now: Now, probes: &mut ProbeRing) -> Now {
        let latest = *self.latest.get_or_insert(now.mono);
        if now.mono < latest {
            let back = latest.duration_since(now.mono).as_micros();
            probes.push(ProbeKind::ClockBackwards, u64::try_from(back).unwrap_or(u64::MAX), 0);
            return Now { mono: latest, ..now };
        }
        self.latest = Some(now.mono);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_time_is_used_and_a_probe_raised() {
        let start = Now { mono: Instant::now(), unix: Duration::from_secs(100) };
        let later = start.after(Duration::from_millis(5));
        let (mut guard, mut probes) = (Monotonic::default(), ProbeRing::new(4));
        assert_eq!(guard.stamp(start, &mut probes), start);
        assert_eq!(guard.stamp(later, &mut probes), later);
        assert_eq!(probes.pop(), None);
        let back = guard.stamp(start, &mut probes);
        assert_eq!((back.mono, back.unix), (later.mono, start.unix));
        let probe = probes.pop().unwrap();
        assert_eq!((probe.kind, probe.a), (ProbeKind::ClockBackwards, 5_000));
    }
}
