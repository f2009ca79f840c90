//! The language of sockets, the same for every protocol.

use crate::{Machine, Now, Token};
use bytes::Bytes;
use std::net::SocketAddr;

/// One datagram socket or one stream connection. Given out by the driver, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowId(pub u64);

/// How bytes travel on a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream without protection.
    Tcp,
    /// A stream under TLS.
    Tls,
}

impl Transport {
    /// Whether the transport delivers in order or fails (RFC 3261 §17: "reliable").
    pub fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Whether the peer cannot read or write on the flow without the key.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Tls)
    }
}

/// What a driver knows about a flow when it comes up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowInfo {
    /// How bytes travel.
    pub transport: Transport,
    /// Our address. Never the unspecified address where the driver can know better.
    pub local: SocketAddr,
    /// The peer of a stream; `None` for a datagram socket.
    pub remote: Option<SocketAddr>,
    /// We accepted the stream (`true`) or opened it (`false`); `false` for a datagram socket.
    pub accepted: bool,
    /// The peer is part of the trust domain by configuration (RFC 3325).
    pub trusted: bool,
}

/// Why a flow ended or did not come up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FlowDown {
    /// The peer closed in order.
    #[error("closed by the peer")]
    Closed,
    /// We closed it.
    #[error("closed locally")]
    Local,
    /// The peer or the network reset it.
    #[error("connection reset")]
    Reset,
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// No answer in time.
    #[error("timed out")]
    TimedOut,
    /// No way to that address.
    #[error("unreachable")]
    Unreachable,
    /// Idle for longer than allowed.
    #[error("idle for too long")]
    Idle,
    /// A limit stood against it.
    #[error("limit reached")]
    Limit,
}

/// What a driver tells a machine about flows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FlowInput {
    /// A flow is there. `opened` is the token of the `Open` it answers.
    Up {
        /// The flow.
        flow: FlowId,
        /// The `FlowOutput::Open` this answers.
        opened: Option<Token>,
        /// What is known about it.
        info: Box<FlowInfo>,
    },
    /// A flow asked for did not come up.
    OpenFailed {
        /// The token of the `Open`.
        token: Token,
        /// Why.
        reason: FlowDown,
    },
    /// A flow is gone.
    Down {
        /// The flow.
        flow: FlowId,
        /// Why.
        reason: FlowDown,
    },
    /// One datagram.
    Datagram {
        /// The socket it came in on.
        flow: FlowId,
        /// Its source.
        from: SocketAddr,
        /// Its bytes.
        data: Bytes,
    },
    /// The next bytes of a stream, cut anywhere.
    Stream {
        /// The connection.
        flow: FlowId,
        /// The bytes.
        data: Bytes,
    },
}

/// What a machine asks of flows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FlowOutput {
    /// Send one datagram (`to` is given) or append to a stream (`to` is `None`).
    Transmit {
        /// The flow.
        flow: FlowId,
        /// Destination of a datagram.
        to: Option<SocketAddr>,
        /// The bytes.
        data: Bytes,
    },
    /// From nothing to something to send, once per edge; then pull with `poll_stream`.
    Ready {
        /// The flow.
        flow: FlowId,
    },
    /// Open a stream.
    Open {
        /// Comes back in `Up` or `OpenFailed`.
        token: Token,
        /// Which kind.
        transport: Transport,
        /// Where to.
        remote: SocketAddr,
        /// The name to verify under TLS.
        server_name: Option<Box<str>>,
    },
    /// Close a stream once what was transmitted is written.
    Close {
        /// The flow.
        flow: FlowId,
    },
}

/// A machine with flows: an endpoint, a gateway, a node. What the shell and the adapters drive.
pub trait FlowMachine: Machine<Input: From<FlowInput>> {
    /// Outputs that are no flow's business: events, effects.
    type Rest;

    /// Tells the two kinds of output apart.
    fn split(output: Self::Output) -> Result<FlowOutput, Self::Rest>;

    /// The adapter reads this flow only while true.
    fn wants_read(&self, flow: FlowId) -> bool;

    /// Appends at most `room` bytes of segments for a vectored write; 0 means idle.
    fn poll_stream(&mut self, now: Now, flow: FlowId, out: &mut Vec<Bytes>, room: usize) -> usize;
}
