//! The two clocks a machine may look at.

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
