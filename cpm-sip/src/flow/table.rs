//! The flows that are up, and the way to an address.

use super::{Budget, Ping};
use crate::StreamFramer;
use crate::endpoint::ClientTxn;
use cpm_base::{FlowId, FlowInfo, Handle, HashSeed, SeededMap, TimerId, Transport};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

/// One flow that is up.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) info: FlowInfo,
    /// Our address as it stands in Via.
    pub(crate) sent_by: Box<str>,
    /// Present on streams.
    pub(crate) stream: Option<Box<Stream>>,
}

/// What a stream needs beyond a datagram socket.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) framer: StreamFramer,
    /// Runs while a message has begun and is not complete.
    pub(crate) slow: Option<TimerId>,
    pub(crate) crlf: Budget,
    pub(crate) ping: Option<Ping>,
    /// We asked for the end of the flow: nothing more is read or written.
    pub(crate) closing: bool,
    /// Client transactions that wait for an answer on this flow.
    pub(crate) clients: BTreeSet<Handle<ClientTxn>>,
}

impl Stream {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            framer: StreamFramer::new(),
            slow: None,
            crlf: Budget::new(now),
            ping: None,
            closing: false,
            clients: BTreeSet::new(),
        }
    }
}

/// Flows by id, with the ways to addresses beside them.
#[derive(Debug)]
pub(crate) struct FlowTable {
    flows: BTreeMap<FlowId, Flow>,
    /// Streams by kind and peer: the newest one wins.
    peers: SeededMap<(Transport, SocketAddr), FlowId>,
    /// Datagram sockets in the order they came up.
    sockets: Vec<FlowId>,
}

impl FlowTable {
    pub(crate) fn new(seed: HashSeed) -> Self {
        Self { flows: BTreeMap::new(), peers: SeededMap::new(seed), sockets: Vec::new() }
    }

    pub(crate) fn up(&mut self, now: Instant, id: FlowId, info: FlowInfo) {
        let stream = info.transport.is_reliable().then(|| Box::new(Stream::new(now)));
        match info.remote {
            Some(remote) if stream.is_some() => {
                self.peers.insert((info.transport, remote), id);
            }
            _ => self.sockets.push(id),
        }
        let sent_by = info.local.to_string().into_boxed_str();
        self.flows.insert(id, Flow { info, sent_by, stream });
    }

    pub(crate) fn down(&mut self, id: FlowId) -> Option<Flow> {
        let flow = self.flows.remove(&id)?;
        self.forget_way(id, &flow.info);
        self.sockets.retain(|socket| *socket != id);
        Some(flow)
    }

    /// Ends the flow for reading and writing and takes its client transactions; false if it was ending already.
    pub(crate) fn close(&mut self, id: FlowId) -> bool {
        let Some(flow) = self.flows.get_mut(&id) else { return false };
        let Some(stream) = flow.stream.as_mut() else { return false };
        let first = !stream.closing;
        stream.closing = true;
        let info = flow.info.clone();
        self.forget_way(id, &info);
        first
    }

    pub(crate) fn get(&self, id: FlowId) -> Option<&Flow> {
        self.flows.get(&id)
    }

    pub(crate) fn stream_mut(&mut self, id: FlowId) -> Option<&mut Stream> {
        self.flows.get_mut(&id)?.stream.as_deref_mut()
    }

    /// The flow, if it can still be written.
    pub(crate) fn writable(&self, id: FlowId) -> Option<&Flow> {
        self.flows.get(&id).filter(|flow| !flow.stream.as_ref().is_some_and(|stream| stream.closing))
    }

    /// A stream of this kind to this address.
    pub(crate) fn stream_to(&self, transport: Transport, remote: SocketAddr) -> Option<FlowId> {
        self.peers.get(&(transport, remote)).copied()
    }

    /// The first datagram socket from which the address can be reached.
    pub(crate) fn socket_for(&self, remote: SocketAddr) -> Option<FlowId> {
        let fits = |id: &FlowId| {
            self.flows.get(id).is_some_and(|flow| flow.info.local.is_ipv4() == remote.is_ipv4())
        };
        self.sockets.iter().copied().find(fits)
    }

    pub(crate) fn len(&self) -> usize {
        self.flows.len()
    }

    fn forget_way(&mut self, id: FlowId, info: &FlowInfo) {
        if let Some(remote) = info.remote
            && self.peers.get(&(info.transport, remote)) == Some(&id)
        {
            self.peers.remove(&(info.transport, remote));
        }
    }
}
