//! What both drivers share that is no IO: their options, budgets and counters, and the [`Handler`] by which an
//! embedder hangs his part on a machine.

use crate::Listen;
use crate::udp::UdpStats;
use bytes::{Bytes, BytesMut};
use cpm_base::shell::{Shell, ShellLimits, ShellStats};
use cpm_base::{FlowId, FlowMachine, Now, Probe, Transport};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Ready sockets served in one turn.
pub const TURN_SOCKETS: usize = 256;
/// Reads of one stream in one turn; a stream with more to read queues up again.
pub const TURN_READS: usize = 4;
/// Batches received from one datagram socket in one turn.
pub const TURN_BATCHES: usize = 8;
/// Streams accepted by one listener in one turn.
pub const TURN_ACCEPTS: usize = 64;
/// Commands, and answers to effects, taken in one turn (of each).
pub const TURN_ORDERS: usize = 256;
/// Timers fired in one turn.
pub const TURN_TIMERS: usize = 256;
/// Outputs carried out in one turn; a machine that always has more must not keep the sockets waiting.
pub const TURN_OUTPUTS: usize = 4_096;
/// Commands that may wait for the shard; above it the caller waits.
pub const COMMANDS: usize = 256;
/// Events that may wait for the embedder; above it the shard stops reading its sockets.
pub const EVENTS: usize = 1_024;
/// How long a stream that we closed may take to end its side before it is dropped.
pub const DRAIN: Duration = Duration::from_secs(1);
/// Closed streams that may wait like that; above it they are dropped at once.
pub const DRAINING: usize = 1_024;
/// Bytes read from a stream at once.
const READ_BYTES: usize = 64 << 10;

/// How a driver is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DriverOptions {
    /// Name of the shard's thread.
    pub name: String,
    /// Addresses to listen on; may be empty for a machine that only opens streams.
    pub listen: Vec<Listen>,
    /// Where traffic goes to, if that is known: a socket on the unspecified address tells the machine the
    /// address that packets to this peer leave from.
    pub towards: Option<SocketAddr>,
    /// Guards of the shell.
    pub limits: ShellLimits,
}

impl DriverOptions {
    /// Options with default limits.
    pub fn new(name: impl Into<String>, listen: Vec<Listen>) -> Self {
        Self { name: name.into(), listen, towards: None, limits: ShellLimits::default() }
    }
}

/// What a wake of the ready queue stands for: one direction of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Streams to accept at this listener.
    Accept(usize),
    /// Datagrams to receive at this socket.
    Receive(usize),
    /// Room to send at this socket.
    Send(usize),
    /// Bytes to read on this stream.
    Read(FlowId),
    /// Room to write on this stream, or its connect has ended.
    Write(FlowId),
}

/// One address a driver listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// UDP or TCP.
    pub transport: Transport,
    /// The address with the port in use. Its IP address is unspecified if that was asked for.
    pub addr: SocketAddr,
}

/// Counters of a driver since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverStats {
    /// Turns of the loop.
    pub turns: u64,
    /// Streams accepted and kept.
    pub accepted: u64,
    /// Streams accepted and dropped because a limit of the shell refused them.
    pub refused: u64,
    /// Times a socket had to rest because the system had no descriptors or buffers left.
    pub exhausted: u64,
    /// Inputs that the machine reported as wrong: broken messages of peers, mostly.
    pub input_errors: u64,
    /// Streams open, connecting or closing now.
    pub streams: usize,
    /// Flows in the shell's table now.
    pub flows: usize,
    /// Datagrams of all sockets.
    pub udp: UdpStats,
    /// Counters of the shell.
    pub shell: ShellStats,
}

/// How a driver behaves between the order to stop and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopping {
    /// It ends after this long whatever is outstanding.
    pub within: Duration,
    /// Sockets are still read. New streams are not accepted in any case.
    pub read: bool,
}

/// The embedder's part on the shard's thread: carries out effects, runs commands, says what the user is told.
///
/// Every method must return at once: it holds up the whole shard.
pub trait Handler<M: FlowMachine>: Send + 'static {
    /// What users of the handle may order.
    type Command: Send + 'static;
    /// What users of the handle are told.
    type Event: Send + 'static;

    /// The sockets are up; the first turn begins.
    fn started(&mut self, _now: Now, _shell: &mut Shell<M>) -> Option<Self::Event> {
        None
    }

    /// The machine put out something that is no flow's business: an effect to carry out, or an event, which may
    /// be answered by a command to the machine. What it returns is told to the user.
    fn rest(&mut self, now: Now, shell: &mut Shell<M>, rest: M::Rest) -> Option<Self::Event>;

    /// Runs one command.
    fn command(&mut self, now: Now, shell: &mut Shell<M>, command: Self::Command) -> Option<Self::Event>;

    /// The next probe of the machine, for the log.
    fn probe(&mut self, _shell: &mut Shell<M>) -> Option<Probe> {
        None
    }

    /// The order to stop has come.
    fn stopping(&mut self, _now: Now, _shell: &mut Shell<M>) -> Stopping {
        Stopping { within: Duration::from_secs(2), read: false }
    }

    /// Whether nothing is outstanding any more; asked after [`Handler::stopping`]. The driver itself waits for
    /// unsent bytes.
    fn may_end(&self, _machine: &M) -> bool {
        true
    }

    /// The last call, with all sockets closed. May block: nobody waits for the shard any more.
    fn ended(self)
    where
        Self: Sized,
    {
    }
}

/// How long a socket rests when the system has no descriptors left: 50 ms, doubled up to 1 s.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pause {
    until: Option<Instant>,
    last: Duration,
}

impl Pause {
    /// The system refused for want of descriptors or buffers.
    pub fn begin(&mut self, now: Instant) {
        self.last = (self.last * 2).clamp(Duration::from_millis(50), Duration::from_secs(1));
        self.until = Some(now + self.last);
    }

    /// It worked: the shortage is over.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// When to try again.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Whether the wait is over; true only once.
    pub fn over(&mut self, now: Instant) -> bool {
        self.until.take_if(|until| *until <= now).is_some()
    }
}

/// Where streams are read into: large reads are handed on as they are, small ones are copied to their size so
/// that a short message does not hold a large block.
#[derive(Debug)]
pub struct ReadBuffer {
    space: BytesMut,
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self { space: BytesMut::zeroed(READ_BYTES) }
    }
}

impl ReadBuffer {
    /// The space to read into.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.space
    }

    /// The first `bytes` bytes of the space, just read.
    pub fn take(&mut self, bytes: usize) -> Bytes {
        if bytes < READ_BYTES / 4 {
            return Bytes::copy_from_slice(&self.space[..bytes]);
        }
        let mut full = std::mem::replace(&mut self.space, BytesMut::zeroed(READ_BYTES));
        full.truncate(bytes);
        full.freeze()
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
