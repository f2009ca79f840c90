//! What an endpoint takes and gives.

use super::{ClientTxn, ServerTxn};
use crate::Message;
use crate::txn::TxnFailure;
use cpm_base::{FlowDown, FlowId, FlowInfo, FlowInput, FlowOutput, Handle, Transport};
use std::net::SocketAddr;

/// What the outside tells the endpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// Something happened to a flow.
    Flow(FlowInput),
}

impl From<FlowInput> for Input {
    fn from(input: FlowInput) -> Self {
        Self::Flow(input)
    }
}

/// What the endpoint wants done, in cause order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Something to do with a flow.
    Flow(FlowOutput),
    /// Something the owner should know.
    Event(Event),
}

/// What the owner of an endpoint learns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A flow came up.
    FlowUp {
        /// The flow.
        flow: FlowId,
        /// What is known about it.
        info: Box<FlowInfo>,
    },
    /// A connection asked for with [`connect`](super::Endpoint::connect) did not come up.
    ConnectFailed {
        /// How it was to travel.
        transport: Transport,
        /// Where to.
        remote: SocketAddr,
        /// Why.
        reason: FlowDown,
    },
    /// A flow is gone. Client transactions that waited on it have failed before this.
    FlowDown {
        /// The flow.
        flow: FlowId,
        /// Why.
        reason: FlowDown,
    },
    /// The peer of a stream answered a ping (RFC 5626 §4.4.1).
    Pong {
        /// The flow.
        flow: FlowId,
    },
    /// A new request. It is valid; the owner answers it with [`respond`](super::Endpoint::respond). ACK and CANCEL
    /// never come this way.
    Request {
        /// The transaction to answer.
        txn: Handle<ServerTxn>,
        /// Where the request came from.
        source: Source,
        /// The request.
        message: Message,
    },
    /// An ACK for a 2xx, within the transaction it belongs to or outside of any (RFC 3261 §13.3.1.4).
    Ack {
        /// The INVITE transaction, if it is still there and the ACK has its branch.
        txn: Option<Handle<ServerTxn>>,
        /// Where it came from.
        source: Source,
        /// The ACK.
        message: Message,
    },
    /// The INVITE was cancelled: the owner answers it with 487, unless it has answered (RFC 3261 §9.2). The CANCEL
    /// itself is answered already.
    Cancelled {
        /// The INVITE transaction.
        txn: Handle<ServerTxn>,
    },
    /// A response: every 1xx and the final one; for an INVITE every 2xx.
    Response {
        /// The transaction.
        txn: Handle<ClientTxn>,
        /// The response.
        message: Message,
    },
    /// No final response will come.
    TxnFailed {
        /// The transaction; its handle is stale now.
        txn: Handle<ClientTxn>,
        /// Why.
        why: TxnFailure,
    },
    /// A response could not be sent; the transaction lives on (RFC 6026 §8.8).
    Undelivered {
        /// The transaction.
        txn: Handle<ServerTxn>,
    },
    /// A server transaction ended before its owner was done: no answer in time, or no ACK.
    TxnEnded {
        /// The transaction; its handle is stale now.
        txn: Handle<ServerTxn>,
    },
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The flow it came in on.
    pub flow: FlowId,
    /// How it travelled.
    pub transport: Transport,
    /// The address its packets came from.
    pub addr: SocketAddr,
    /// The source is part of the trust domain, by flow or by configuration.
    pub trusted: bool,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// How to send it.
    pub transport: Transport,
    /// The address to send it to.
    pub remote: SocketAddr,
    /// This flow and no other: it is used or the request fails.
    pub flow: Option<FlowId>,
}

impl Target {
    /// Over UDP to this address; large requests may go over TCP (RFC 3261 §18.1.1).
    pub fn udp(remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, remote, flow: None }
    }

    /// Over TCP to this address, on a connection that exists or a new one.
    pub fn tcp(remote: SocketAddr) -> Self {
        Self { transport: Transport::Tcp, remote, flow: None }
    }

    /// Back the way a request came.
    pub fn back_to(source: &Source) -> Self {
        Self { transport: source.transport, remote: source.addr, flow: Some(source.flow) }
    }
}
