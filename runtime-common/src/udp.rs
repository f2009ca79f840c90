//! Datagrams in batches: many per system call where the platform can (`recvmmsg`, segmentation offload both
//! ways). The runtime knows when a socket is ready; the calls here never block.

use bytes::{Bytes, BytesMut};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;

#[cfg(unix)]
pub use std::os::fd::AsFd as AsSystem;
#[cfg(windows)]
pub use std::os::windows::io::AsSocket as AsSystem;

/// Room for the largest datagram, or for a run of them that the kernel has joined.
const SLOT_BYTES: usize = 65_536;
/// Bytes that one offloaded send may carry: the largest UDP payload over IPv4.
const RUN_BYTES: usize = 65_507;
/// Datagrams that wait for room in the socket. Reached: the newest is dropped, as the network would.
const QUEUE_COUNT: usize = 4_096;
/// Bytes that wait for room in the socket. Reached: the newest is dropped.
const QUEUE_BYTES: usize = 8 << 20;

/// What happened to datagrams on one socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpStats {
    /// Received.
    pub received: u64,
    /// Handed to the kernel.
    pub sent: u64,
    /// Not sent: no room, too long for the path, or an address that cannot be sent to.
    pub dropped: u64,
}

impl UdpStats {
    /// Adds the counters of another socket.
    pub fn add(&mut self, other: Self) {
        self.received += other.received;
        self.sent += other.sent;
        self.dropped += other.dropped;
    }
}

/// The state of one datagram socket beside the socket itself.
pub struct UdpBatch {
    state: UdpSocketState,
    ipv4: bool,
    slots: Box<[u8]>,
    waiting: VecDeque<(SocketAddr, Bytes)>,
    waiting_bytes: usize,
    run: BytesMut,
    stats: UdpStats,
}

impl std::fmt::Debug for UdpBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UdpBatch").field("waiting", &self.waiting.len()).field("stats", &self.stats).finish()
    }
}

impl UdpBatch {
    /// Prepares `socket`, bound to `local`: non-blocking, and datagrams longer than the path allows are
    /// fragmented, as SIP responses may have to be (RFC 3261 §18.1.1). Over IPv6 Linux keeps the sender from
    /// fragmenting once segmentation offload is prepared: there such a datagram is dropped and counted.
    pub fn new(socket: &impl AsSystem, local: SocketAddr) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(socket))?;
        allow_fragments(socket, local)?;
        Ok(Self {
            state,
            ipv4: local.is_ipv4(),
            slots: vec![0; SLOT_BYTES * BATCH_SIZE].into_boxed_slice(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            run: BytesMut::new(),
            stats: UdpStats::default(),
        })
    }

    /// What happened so far.
    pub fn stats(&self) -> UdpStats {
        self.stats
    }

    /// Whether datagrams wait for room in the socket.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Receives at most one batch and hands each datagram to `take`. `WouldBlock` when there is none. Errors
    /// that tell of an earlier send (ICMP) are passed over: the retransmission timers know better.
    pub fn recv(
        &mut self,
        socket: &impl AsSystem,
        mut take: impl FnMut(SocketAddr, Bytes),
    ) -> io::Result<usize> {
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let mut slots: Vec<IoSliceMut<'_>> = self.slots.chunks_mut(SLOT_BYTES).map(IoSliceMut::new).collect();
        let filled = match self.state.recv(UdpSockRef::from(socket), &mut slots, &mut metas) {
            Ok(filled) => filled,
            Err(error) if is_of_earlier_send(&error) => return Ok(0),
            Err(error) => return Err(error),
        };
        drop(slots);
        let mut count = 0;
        for (meta, slot) in metas.iter().zip(self.slots.chunks(SLOT_BYTES)).take(filled) {
            let data = Bytes::copy_from_slice(&slot[..meta.len.min(slot.len())]);
            let stride = if meta.stride == 0 { data.len().max(1) } else { meta.stride };
            let mut at = 0;
            loop {
                let end = (at + stride).min(data.len());
                take(meta.addr, data.slice(at..end));
                count += 1;
                at = end;
                if at >= data.len() {
                    break;
                }
            }
        }
        self.stats.received += count as u64;
        Ok(count)
    }

    /// Queues one datagram; [`UdpBatch::flush`] sends it.
    pub fn push(&mut self, to: SocketAddr, data: Bytes) {
        let sendable = to.is_ipv4() == self.ipv4
            && to.port() != 0
            && !to.ip().is_unspecified()
            && data.len() <= RUN_BYTES
            && self.waiting.len() < QUEUE_COUNT
            && self.waiting_bytes + data.len() <= QUEUE_BYTES;
        if !sendable {
            self.stats.dropped += 1;
            return;
        }
        self.waiting_bytes += data.len();
        self.waiting.push_back((to, data));
    }

    /// Sends what waits. `WouldBlock` when the socket has no more room; the rest stays queued.
    pub fn flush(&mut self, socket: &impl AsSystem) -> io::Result<()> {
        while let Some((to, first)) = self.waiting.front() {
            let (to, first) = (*to, first.clone());
            let count = self.run_length(to, first.len());
            let contents: &[u8] = if count > 1 {
                self.run.clear();
                for (_, data) in self.waiting.iter().take(count) {
                    self.run.extend_from_slice(data);
                }
                &self.run
            } else {
                &first
            };
            let transmit = Transmit {
                destination: to,
                ecn: None,
                contents,
                segment_size: (count > 1).then_some(first.len()),
                src_ip: None,
            };
            let offload_before = self.state.max_gso_segments();
            match self.state.try_send(UdpSockRef::from(socket), &transmit) {
                Ok(()) => self.stats.sent += count as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                // The device cannot segment: the same datagrams go one by one.
                Err(_) if count > 1 && self.state.max_gso_segments() < offload_before => continue,
                // A datagram that cannot be sent is a lost datagram.
                Err(_) => self.stats.dropped += count as u64,
            }
            for (_, data) in self.waiting.drain(..count) {
                self.waiting_bytes -= data.len();
            }
        }
        Ok(())
    }

    /// How many queued datagrams can go as one offloaded send: same destination, same length, the last one
    /// may be shorter.
    fn run_length(&self, to: SocketAddr, length: usize) -> usize {
        if length == 0 {
            return 1;
        }
        let most = self.state.max_gso_segments().min(RUN_BYTES / length).max(1);
        let mut count = 0;
        for (other, data) in self.waiting.iter().take(most) {
            if *other != to || data.len() > length || data.is_empty() {
                break;
            }
            count += 1;
            if data.len() < length {
                break;
            }
        }
        count.max(1)
    }
}

/// quinn-udp forbids fragments, as QUIC must; SIP needs them.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn allow_fragments(socket: &impl AsSystem, local: SocketAddr) -> io::Result<()> {
    use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
    if local.is_ipv4() {
        set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::WANT)?;
    }
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn allow_fragments(_socket: &impl AsSystem, _local: SocketAddr) -> io::Result<()> {
    Ok(())
}

/// The kernel reports ICMP errors of earlier sends on the next call; also Windows' `WSAECONNRESET`.
fn is_of_earlier_send(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
#[path = "udp_tests.rs"]
mod tests;
