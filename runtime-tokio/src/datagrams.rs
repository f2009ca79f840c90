//! UDP sockets: batches in, batches out.

use bytes::Bytes;
use cpm_base::FlowId;
use cpm_runtime_common::driver::{Key, Pause, TURN_BATCHES};
use cpm_runtime_common::ready::{ReadyQueue, ReadyWaker};
use cpm_runtime_common::udp::{UdpBatch, UdpStats};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// One datagram socket.
pub(crate) struct Datagrams {
    socket: UdpSocket,
    batch: UdpBatch,
    pub(crate) flow: FlowId,
    receive: ReadyWaker<Key>,
    send: ReadyWaker<Key>,
    pause: Pause,
}

impl Datagrams {
    /// Registers `socket`; `index` is its place in the driver's table.
    pub(crate) fn new(
        socket: std::net::UdpSocket,
        flow: FlowId,
        ready: &ReadyQueue<Key>,
        index: usize,
    ) -> io::Result<Self> {
        let local = socket.local_addr()?;
        let batch = UdpBatch::new(&socket, local)?;
        let socket = UdpSocket::from_std(socket)?;
        let receive = ready.waker(Key::Receive(index));
        let send = ready.waker(Key::Send(index));
        receive.again();
        Ok(Self { socket, batch, flow, receive, send, pause: Pause::default() })
    }

    pub(crate) fn stats(&self) -> UdpStats {
        self.batch.stats()
    }

    pub(crate) fn is_sending(&self) -> bool {
        self.batch.is_waiting()
    }

    /// When a socket that the system had no buffers for is tried again.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.pause.until()
    }

    /// Tries again after a pause.
    pub(crate) fn expire(&mut self, now: Instant) {
        if self.pause.over(now) {
            self.receive.again();
        }
    }

    /// Receives what is there, within the budget of a turn. False if the system refused.
    pub(crate) fn receive(&mut self, now: Instant, mut take: impl FnMut(SocketAddr, Bytes)) -> bool {
        let (socket, batch) = (&self.socket, &mut self.batch);
        for _ in 0..TURN_BATCHES {
            match socket.try_io(Interest::READABLE, || batch.recv(socket, &mut take)) {
                Ok(_) => self.pause.clear(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if socket.poll_recv_ready(&mut self.receive.context()).is_ready() {
                        self.receive.again();
                    }
                    return true;
                }
                Err(_) => {
                    self.pause.begin(now);
                    return false;
                }
            }
        }
        self.receive.again();
        true
    }

    pub(crate) fn push(&mut self, to: SocketAddr, data: Bytes) {
        self.batch.push(to, data);
    }

    /// Sends what waits, as far as the socket has room.
    pub(crate) fn flush(&mut self) {
        if !self.batch.is_waiting() {
            return;
        }
        let (socket, batch) = (&self.socket, &mut self.batch);
        let full = socket.try_io(Interest::WRITABLE, || batch.flush(socket)).is_err();
        if full && socket.poll_send_ready(&mut self.send.context()).is_ready() {
            self.send.again();
        }
    }
}
