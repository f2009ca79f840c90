//! What an endpoint is told once.

use crate::Limits;
use crate::txn::Timers;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// Configuration of an [`Endpoint`](super::Endpoint).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Sizes and counts that peers cannot exceed.
    pub limits: Limits,
    /// Transaction timers.
    pub timers: Timers,
    /// `User-Agent` of requests that bring none.
    pub user_agent: Option<String>,
    /// `Server` of responses that bring none.
    pub server: Option<String>,
    /// Sources that answer to the limits of the endpoint only, beside the flows the driver calls trusted.
    pub trusted: BTreeSet<IpAddr>,
    /// Largest request, in bytes, that goes over UDP if the peer may also be reached over TCP (RFC 3261 §18.1.1).
    /// Default 1 300. `usize::MAX` switches the rule off.
    pub datagram_max: usize,
    /// What overloaded answers carry in `Retry-After`. Default 10 s.
    pub retry_after: Duration,
    /// How long a connection may take to come up. Default 8 s.
    pub connect_timeout: Duration,
    /// How long a pong may take after a ping on a stream. Default 10 s (RFC 5626 §4.4.1).
    pub pong_timeout: Duration,
    /// Messages taken from one stream per call before others get their turn. Default 256.
    pub messages_per_turn: usize,
    /// Probes kept for the driver. Default 0: none.
    pub probes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            timers: Timers::default(),
            user_agent: None,
            server: None,
            trusted: BTreeSet::new(),
            datagram_max: 1300,
            retry_after: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(8),
            pong_timeout: Duration::from_secs(10),
            messages_per_turn: 256,
            probes: 0,
        }
    }
}
