//! The connection table: who is there, since when idle, how many from one source, who is paused.

use super::ShellLimits;
use crate::{FlowId, FlowInfo, Segments, TimerId, Token, Transport};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// A stream is moved in the idle order at most this often; its exact last moment is kept beside.
const COARSE: Duration = Duration::from_secs(1);
/// How many of the longest idle streams are looked at to make room: trusted ones are passed over.
const EVICT_LOOK: usize = 64;

/// Where a stream is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// An `Open` that waits for the adapter.
    Connecting(Token),
    /// Known to the machine.
    Up,
    /// Given up by the machine; its last bytes go out.
    Closing,
}

/// One flow.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) phase: Phase,
    pub(super) transport: Transport,
    /// Counted against this source.
    source: Option<IpAddr>,
    trusted: bool,
    /// Connect, first-byte or linger timer: a flow has at most one of them at a time.
    pub(super) timer: Option<TimerId>,
    /// Under which key the flow lies in the idle order.
    touched: Instant,
    active: Instant,
    pub(super) paused: bool,
    pub(super) unsent: Segments,
    pub(super) in_flight: usize,
    /// In the list of flows with something to write.
    queued: bool,
    /// The machine has more to be pulled.
    pub(super) ready: bool,
}

/// All flows, by id. Ids count up and are never used again.
#[derive(Debug, Default)]
pub(super) struct Flows {
    last_id: u64,
    map: BTreeMap<FlowId, Flow>,
    /// Streams that are up, the longest idle first.
    idle_order: BTreeSet<(Instant, FlowId)>,
    sources: BTreeMap<IpAddr, usize>,
    paused: BTreeSet<FlowId>,
    writable: VecDeque<FlowId>,
}

impl Flows {
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    pub(super) fn get_mut(&mut self, flow: FlowId) -> Option<&mut Flow> {
        self.map.get_mut(&flow)
    }

    pub(super) fn phase(&self, flow: FlowId) -> Option<Phase> {
        self.map.get(&flow).map(|flow| flow.phase)
    }

    pub(super) fn is_datagram(&self, flow: FlowId) -> bool {
        self.map.get(&flow).is_some_and(|flow| flow.transport == Transport::Udp)
    }

    pub(super) fn is_up_stream(&self, flow: FlowId) -> bool {
        self.map.get(&flow).is_some_and(|flow| flow.phase == Phase::Up && flow.transport != Transport::Udp)
    }

    /// Takes in a bound socket or an accepted stream.
    pub(super) fn insert_up(&mut self, now: Instant, info: &FlowInfo) -> FlowId {
        let id = self.insert(now, info.transport, Phase::Up);
        let source = counted_source(info);
        if let Some(flow) = self.map.get_mut(&id) {
            flow.trusted = info.trusted;
            flow.source = source;
        }
        if let Some(source) = source {
            *self.sources.entry(source).or_default() += 1;
        }
        if info.transport != Transport::Udp {
            self.idle_order.insert((now, id));
        }
        id
    }

    /// Takes in an attempt to connect.
    pub(super) fn insert_connecting(&mut self, now: Instant, transport: Transport, token: Token) -> FlowId {
        self.insert(now, transport, Phase::Connecting(token))
    }

    fn insert(&mut self, now: Instant, transport: Transport, phase: Phase) -> FlowId {
        self.last_id += 1;
        let id = FlowId(self.last_id);
        let flow = Flow {
            phase,
            transport,
            source: None,
            trusted: false,
            timer: None,
            touched: now,
            active: now,
            paused: false,
            unsent: Segments::new(),
            in_flight: 0,
            queued: false,
            ready: false,
        };
        self.map.insert(id, flow);
        id
    }

    /// The attempt came up.
    pub(super) fn connected(&mut self, now: Instant, id: FlowId, info: &FlowInfo) {
        if let Some(flow) = self.map.get_mut(&id) {
            flow.phase = Phase::Up;
            flow.trusted = info.trusted;
            flow.touched = now;
            flow.active = now;
            self.idle_order.insert((now, id));
        }
    }

    /// Takes a flow out of every table.
    pub(super) fn remove(&mut self, id: FlowId) -> Option<Flow> {
        let flow = self.map.remove(&id)?;
        self.idle_order.remove(&(flow.touched, id));
        self.paused.remove(&id);
        if let Some(source) = flow.source
            && let Some(count) = self.sources.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&source);
            }
        }
        Some(flow)
    }

    pub(super) fn set_timer(&mut self, id: FlowId, timer: TimerId) {
        if let Some(flow) = self.map.get_mut(&id) {
            flow.timer = Some(timer);
        }
    }

    /// Notes that bytes moved on a stream.
    pub(super) fn touch(&mut self, now: Instant, id: FlowId) {
        let Some(flow) = self.map.get_mut(&id) else { return };
        flow.active = flow.active.max(now);
        if now.saturating_duration_since(flow.touched) >= COARSE
            && self.idle_order.remove(&(flow.touched, id))
        {
            flow.touched = now;
            self.idle_order.insert((now, id));
        }
    }

    /// When to look for idle streams next; at most [`COARSE`] before one is due.
    pub(super) fn next_idle(&self, limit: Duration) -> Option<Instant> {
        self.idle_order.first().map(|(touched, _)| *touched + limit)
    }

    /// A stream idle for `limit`.
    pub(super) fn pop_idle(&mut self, now: Instant, limit: Duration) -> Option<FlowId> {
        while let Some(&(touched, id)) = self.idle_order.first() {
            if touched + limit > now {
                return None;
            }
            let flow = self.map.get_mut(&id)?;
            if flow.active + limit <= now {
                return Some(id);
            }
            self.idle_order.remove(&(touched, id));
            flow.touched = flow.active;
            self.idle_order.insert((flow.active, id));
        }
        None
    }

    /// The untrusted stream idle the longest, if that is at least `after`.
    pub(super) fn evictable(&self, now: Instant, after: Duration) -> Option<FlowId> {
        let oldest = self.idle_order.iter().take(EVICT_LOOK);
        let idle = oldest.filter_map(|(_, id)| Some((id, self.map.get(id)?)));
        idle.filter(|(_, flow)| !flow.trusted && flow.active + after <= now)
            .min_by_key(|(_, flow)| flow.active)
            .map(|(id, _)| *id)
    }

    /// Streams already accepted from where this one comes from; 0 where that is not counted.
    pub(super) fn of_same_source(&self, info: &FlowInfo) -> usize {
        counted_source(info).and_then(|source| self.sources.get(&source)).copied().unwrap_or(0)
    }

    /// Marks a stream as paused; false if it was already.
    pub(super) fn pause(&mut self, id: FlowId) -> bool {
        self.map.get_mut(&id).is_some_and(|flow| !std::mem::replace(&mut flow.paused, true))
            && self.paused.insert(id)
    }

    pub(super) fn resume(&mut self, id: FlowId) {
        self.paused.remove(&id);
        if let Some(flow) = self.map.get_mut(&id) {
            flow.paused = false;
        }
    }

    pub(super) fn paused(&self) -> Vec<FlowId> {
        self.paused.iter().copied().collect()
    }

    /// Puts a flow on the list of those with something to write.
    pub(super) fn queue_write(&mut self, id: FlowId) {
        if let Some(flow) = self.map.get_mut(&id)
            && !std::mem::replace(&mut flow.queued, true)
        {
            self.writable.push_back(id);
        }
    }

    /// The next `Write` to hand out: only where none is outstanding.
    pub(super) fn next_write(&mut self, limits: &ShellLimits) -> Option<(FlowId, Segments)> {
        while let Some(id) = self.writable.pop_front() {
            let Some(flow) = self.map.get_mut(&id) else { continue };
            flow.queued = false;
            if flow.in_flight == 0 && !flow.unsent.is_empty() {
                let segments = flow.unsent.take_front(limits.write_bytes, limits.write_pieces);
                flow.in_flight = segments.len();
                return Some((id, segments));
            }
        }
        None
    }
}

/// Who a stream counts against: untrusted peers that connected to us. An IPv6 peer owns its whole /64.
fn counted_source(info: &FlowInfo) -> Option<IpAddr> {
    if info.trusted || !info.accepted {
        return None;
    }
    Some(match info.remote?.ip().to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    })
}
