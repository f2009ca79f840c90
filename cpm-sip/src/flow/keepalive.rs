//! Keep-alive on streams (RFC 5626 §3.5.1, §4.4.1): a ping is CRLFCRLF, a pong is CRLF.

use cpm_base::TimerId;
use std::time::{Duration, Instant};

/// How many line ends a peer may send within one second (threats 1.7). Refills as a whole, so it costs two words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    since: Instant,
    used: u32,
}

impl Budget {
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, used: 0 }
    }

    /// Takes one; false if more came within a second than `limit` allows.
    pub(crate) fn take(&mut self, now: Instant, limit: u32) -> bool {
        if now.saturating_duration_since(self.since) >= Duration::from_secs(1) {
            *self = Self::new(now);
        }
        self.used = self.used.saturating_add(1);
        self.used <= limit
    }
}

/// Our side of keep-alive on one stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ping {
    /// Time between a pong and the next ping.
    pub(crate) every: Duration,
    pub(crate) state: PingState,
    pub(crate) timer: Option<TimerId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PingState {
    /// The next ping is due when the timer fires.
    Waiting,
    /// A ping is out; the flow has failed when the timer fires.
    Pinged,
}
