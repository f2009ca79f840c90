//! What the shell allows, and what it counted.

use std::time::Duration;

/// Guards of the shell; defaults are those of architecture §14.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShellLimits {
    /// Flows in the table. Above it the stream idle the longest makes room, or the new one is refused.
    pub flows: usize,
    /// Streams accepted from one untrusted source (an IPv4 address, or the /64 of an IPv6 address).
    pub flows_per_source: usize,
    /// A stream must have been idle this long before it may be closed to make room.
    pub evict_after: Duration,
    /// A stream without a byte in either direction for this long is closed.
    pub idle: Duration,
    /// An accepted stream without its first byte for this long is closed.
    pub first_byte: Duration,
    /// A connect attempt may take this long.
    pub connect: Duration,
    /// After `Close`, unsent bytes get this long to go out.
    pub linger: Duration,
    /// Unsent bytes of one stream, those of the outstanding `Write` included. Above it the stream is closed.
    pub unsent: usize,
    /// A machine that is pulled (`Ready`) is asked for more while less than this is unsent.
    pub low_water: usize,
    /// Bytes of one `Write`.
    pub write_bytes: usize,
    /// Pieces of one `Write`.
    pub write_pieces: usize,
    /// Outputs waiting for the adapter. Above it datagrams are dropped and counted.
    pub outputs: usize,
}

impl Default for ShellLimits {
    fn default() -> Self {
        Self {
            flows: 20_000,
            flows_per_source: 200,
            evict_after: Duration::from_secs(30),
            idle: Duration::from_secs(15 * 60),
            first_byte: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            linger: Duration::from_secs(5),
            unsent: 1 << 20,
            low_water: 64 << 10,
            write_bytes: 256 << 10,
            write_pieces: 64,
            outputs: 16_384,
        }
    }
}

/// Plain counters since the start of a shell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShellStats {
    /// Sockets refused by a limit.
    pub refused: u64,
    /// Idle streams closed to make room.
    pub evicted: u64,
    /// Streams closed for being idle.
    pub idle: u64,
    /// Accepted streams closed without a first byte.
    pub silent: u64,
    /// Connect attempts that took too long.
    pub connect_timeouts: u64,
    /// Streams closed because too many bytes were unsent.
    pub overflowed: u64,
    /// Streams closed by us that did not get all their bytes out.
    pub unwritten: u64,
    /// Datagrams dropped because too many outputs waited.
    pub datagrams_dropped: u64,
    /// Outputs of the machine for a flow that is gone or cannot carry them.
    pub undeliverable: u64,
    /// Reports of the machine (`Err`) about something no caller waited for.
    pub machine_errors: u64,
}
