//! Streams: order is kept, everything else may happen: cut anywhere, delayed, stalled, reset, refused.
//!
//! A connection has two ends and two pipes. A pipe holds what was written and has not arrived; bytes count as
//! written (`Wrote`) when they arrive, so that a reader who pauses holds up the writer.

use crate::host::{Handler, Socket};
use crate::link::happens;
use crate::world::{Happening, World};
use bytes::{Buf, Bytes};
use cpm_base::shell::ShellInput;
use cpm_base::{FlowDown, FlowId, FlowInfo, FlowMachine, Segments, Transport};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A connect without an answer fails after this long in the operating system.
const CONNECT_GIVES_UP: Duration = Duration::from_secs(60);
/// A write to a host that is gone fails after this long.
const WRITE_GIVES_UP: Duration = Duration::from_secs(60);
/// How often a parted link is tried again.
const PARTED_AGAIN: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(crate) struct Connection {
    transport: Transport,
    ends: [End; 2],
    /// `pipes[0]` carries from the opener to the acceptor.
    pipes: [Pipe; 2],
}

#[derive(Debug)]
struct End {
    host: usize,
    process: u32,
    address: SocketAddr,
    /// `None`: not there yet, or gone.
    flow: Option<FlowId>,
    paused: bool,
}

#[derive(Debug)]
struct Pipe {
    items: VecDeque<(Instant, Item)>,
    /// Nothing arrives before what was sent earlier.
    last: Instant,
    /// While the link is parted: when it is tried again.
    again: Instant,
}

#[derive(Debug)]
enum Item {
    Data(Bytes),
    Down(FlowDown),
}

impl<M: FlowMachine, H: Handler<M>> World<M, H> {
    /// A host opens a connection.
    pub(crate) fn connect(&mut self, host: usize, flow: FlowId, transport: Transport, remote: SocketAddr) {
        self.trace.counts.connects += 1;
        let opener = &mut self.hosts[host];
        let local = SocketAddr::new(opener.address, opener.next_port);
        opener.next_port = opener.next_port.checked_add(1).unwrap_or(20_000);
        let process = opener.process;
        let link = self.link((local.ip(), remote.ip()));
        let listener = self.hosts.iter().position(|host| host.binds.contains(&(transport, remote)));
        let number = self.next_connection;
        self.next_connection += 1;
        let delay = link.delay(&mut self.rng);
        let pipe = || Pipe { items: VecDeque::new(), last: self.now.mono, again: self.now.mono };
        let end = |host, process, address, flow| End { host, process, address, flow, paused: false };
        let connection = Connection {
            transport,
            ends: [
                end(host, process, local, Some(flow)),
                end(listener.unwrap_or(usize::MAX), 0, remote, None),
            ],
            pipes: [pipe(), pipe()],
        };
        self.connections.insert(number, connection);
        self.hosts[host].sockets.insert(flow, Socket::Stream { connection: number, end: 0 });
        self.note(host, format_args!("connect to {remote}"), &[]);
        if self.parted.contains(&(local.ip(), remote.ip())) || happens(&mut self.rng, link.blackhole) {
            self.trace.counts.unconnected += 1;
            self.schedule(
                CONNECT_GIVES_UP,
                Happening::ConnectFails { connection: number, reason: FlowDown::TimedOut },
            );
        } else if happens(&mut self.rng, link.refuse) {
            self.trace.counts.unconnected += 1;
            self.schedule(
                delay * 2,
                Happening::ConnectFails { connection: number, reason: FlowDown::Refused },
            );
        } else {
            self.schedule(delay, Happening::ConnectArrives { connection: number });
        }
    }

    /// The first packet of a connect reaches the listener.
    pub(crate) fn connect_arrives(&mut self, number: u64) {
        let Some(connection) = self.connections.get(&number) else { return };
        let [opener, acceptor] = &connection.ends;
        let (host, local, remote) = (acceptor.host, acceptor.address, opener.address);
        let listening = self.hosts.get(host).is_some_and(|host| host.shell.is_some());
        let info = FlowInfo {
            transport: connection.transport,
            local,
            remote: Some(remote),
            accepted: true,
            trusted: false,
        };
        let accepted = if listening { self.attach(host, info) } else { None };
        let delay = self.link((local.ip(), remote.ip())).delay(&mut self.rng);
        let Some(flow) = accepted else {
            self.trace.counts.unconnected += 1;
            return self
                .schedule(delay, Happening::ConnectFails { connection: number, reason: FlowDown::Refused });
        };
        self.note(host, format_args!("accepted {remote}"), &[]);
        let (process, up) = (self.hosts[host].process, self.now.mono + delay);
        self.hosts[host].sockets.insert(flow, Socket::Stream { connection: number, end: 1 });
        if let Some(connection) = self.connections.get_mut(&number) {
            let acceptor = &mut connection.ends[1];
            (acceptor.flow, acceptor.process) = (Some(flow), process);
            // What the acceptor sends arrives after the news that it accepted.
            connection.pipes[1].last = up;
        }
        self.schedule(delay, Happening::ConnectAnswered { connection: number });
        self.drain(host);
    }

    /// The opener learns that its connection is there.
    pub(crate) fn connect_answered(&mut self, number: u64) {
        let Some(connection) = self.connections.get(&number) else { return };
        let [opener, acceptor] = &connection.ends;
        let Some(flow) = opener.flow else { return };
        let info = FlowInfo {
            transport: connection.transport,
            local: opener.address,
            remote: Some(acceptor.address),
            accepted: false,
            trusted: false,
        };
        let host = opener.host;
        self.feed(host, ShellInput::Connected { flow, info });
    }

    /// The opener learns that its connect failed.
    pub(crate) fn connect_fails(&mut self, number: u64, reason: FlowDown) {
        let Some(connection) = self.connections.remove(&number) else { return };
        let opener = &connection.ends[0];
        if let Some(flow) = opener.flow
            && self.hosts[opener.host].sockets.remove(&flow).is_some()
        {
            self.note(opener.host, format_args!("connect failed: {reason}"), &[]);
            self.feed(opener.host, ShellInput::ConnectFailed { flow, reason });
        }
    }

    /// A host writes to a connection.
    pub(crate) fn write(&mut self, host: usize, flow: FlowId, mut segments: Segments) {
        let Some(&Socket::Stream { connection: number, end }) = self.hosts[host].sockets.get(&flow) else {
            return;
        };
        let data = segments.copy_to_bytes(segments.len());
        self.note(host, format_args!("write on {number}"), &data);
        let Some(connection) = self.connections.get(&number) else { return };
        let pair = (connection.ends[end].address.ip(), connection.ends[1 - end].address.ip());
        let link = self.link(pair);
        let peer = &connection.ends[1 - end];
        if self.hosts.get(peer.host).is_none_or(|host| host.process != peer.process || host.shell.is_none()) {
            // The peer vanished without a word. A new process answers with a reset, a dead host not at all.
            let alive = self.hosts.get(peer.host).is_some_and(|host| host.shell.is_some());
            let (after, reason) = if alive {
                (link.latency * 2, FlowDown::Reset)
            } else {
                (WRITE_GIVES_UP, FlowDown::TimedOut)
            };
            return self.push(number, 1 - end, after, Item::Down(reason));
        }
        if happens(&mut self.rng, link.reset) {
            self.trace.counts.resets += 1;
            let keep = self.rng.below(data.len() as u64 + 1) as usize;
            self.push_pieces(number, end, data.slice(..keep));
            for direction in [end, 1 - end] {
                let delay = link.delay(&mut self.rng);
                self.push(number, direction, delay, Item::Down(FlowDown::Reset));
            }
            return;
        }
        self.push_pieces(number, end, data);
    }

    fn push_pieces(&mut self, number: u64, end: usize, mut data: Bytes) {
        let Some(connection) = self.connections.get(&number) else { return };
        let link = self.link((connection.ends[end].address.ip(), connection.ends[1 - end].address.ip()));
        while !data.is_empty() {
            let most = link.piece.clamp(1, 65_536).min(data.len());
            let piece = data.split_to(1 + self.rng.below(most as u64) as usize);
            let mut delay = link.delay(&mut self.rng);
            if happens(&mut self.rng, link.stall) {
                self.trace.counts.stalls += 1;
                delay += Duration::from_micros(self.rng.below(link.stall_for.as_micros() as u64 + 1));
            }
            self.push(number, end, delay, Item::Data(piece));
        }
    }

    /// Puts something into a pipe; it arrives after everything before it.
    fn push(&mut self, number: u64, direction: usize, delay: Duration, item: Item) {
        let now = self.now.mono;
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let pipe = &mut connection.pipes[direction];
        let at = pipe.last.max(now + delay);
        pipe.last = at;
        pipe.items.push_back((at, item));
        self.schedule_at(at, Happening::StreamArrives { connection: number, direction });
    }

    /// The next things of a pipe arrive, as far as they are due and the reader reads.
    pub(crate) fn stream_arrives(&mut self, number: u64, direction: usize) {
        loop {
            let now = self.now.mono;
            let Some(connection) = self.connections.get_mut(&number) else { return };
            let addresses =
                (connection.ends[direction].address.ip(), connection.ends[1 - direction].address.ip());
            let (sender, reader) = (&connection.ends[direction], &connection.ends[1 - direction]);
            let (wrote, read) =
                ((sender.host, sender.process, sender.flow), (reader.host, reader.process, reader.flow));
            let (paused, parted) = (reader.paused, self.parted.contains(&addresses));
            let pipe = &mut connection.pipes[direction];
            match pipe.items.front() {
                Some((at, Item::Data(_))) if *at <= now && paused => return,
                Some((at, _)) if *at <= now => {}
                _ => return,
            }
            if parted {
                if pipe.again <= now {
                    pipe.again = now + PARTED_AGAIN;
                    self.schedule(PARTED_AGAIN, Happening::StreamArrives { connection: number, direction });
                }
                return;
            }
            match pipe.items.pop_front() {
                Some((_, Item::Data(data))) => {
                    self.trace.counts.pieces += 1;
                    let bytes = data.len();
                    self.tell(read, |flow| ShellInput::Read { flow, data });
                    self.tell(wrote, |flow| ShellInput::Wrote { flow, bytes });
                }
                Some((_, Item::Down(reason))) => return self.end_arrives(number, 1 - direction, reason),
                None => return,
            }
        }
    }

    /// Gives an input to one end, if that process still runs and still knows the flow.
    fn tell(
        &mut self,
        (host, process, flow): (usize, u32, Option<FlowId>),
        input: impl FnOnce(FlowId) -> ShellInput<M::Input>,
    ) {
        let Some(flow) = flow else { return };
        if self
            .hosts
            .get(host)
            .is_some_and(|host| host.process == process && host.sockets.contains_key(&flow))
        {
            self.feed(host, input(flow));
        }
    }

    /// One end learns that its connection is over.
    fn end_arrives(&mut self, number: u64, end: usize, reason: FlowDown) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let at = &mut connection.ends[end];
        let told = (at.host, at.process, at.flow.take());
        if connection.ends.iter().all(|end| end.flow.is_none()) {
            self.connections.remove(&number);
        }
        self.tell(told, |flow| ShellInput::Closed { flow, reason });
        if let (host, process, Some(flow)) = told
            && self.hosts[host].process == process
        {
            self.hosts[host].sockets.remove(&flow);
        }
    }

    /// A host closes a socket.
    pub(crate) fn shut_down(&mut self, host: usize, flow: FlowId) {
        let Some(Socket::Stream { connection: number, end }) = self.hosts[host].sockets.remove(&flow) else {
            return;
        };
        self.note(host, format_args!("shutdown of {number}"), &[]);
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.ends[end].flow = None;
        if connection.ends.iter().all(|end| end.flow.is_none()) && connection.ends[1].process == 0 {
            // Called off before it was accepted; the packet under way finds nobody.
            self.connections.remove(&number);
            return;
        }
        let link = self.link_of(number, end);
        let delay = link.delay(&mut self.rng);
        self.push(number, end, delay, Item::Down(FlowDown::Closed));
    }

    /// A host stops or goes on reading.
    pub(crate) fn set_paused(&mut self, host: usize, flow: FlowId, paused: bool) {
        let Some(&Socket::Stream { connection: number, end }) = self.hosts[host].sockets.get(&flow) else {
            return;
        };
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.ends[end].paused = paused;
            if !paused {
                self.schedule(
                    Duration::ZERO,
                    Happening::StreamArrives { connection: number, direction: 1 - end },
                );
            }
        }
    }

    /// The process of a host has died. Its peers hear of it, or with `silent` nothing at all.
    pub(crate) fn streams_die(&mut self, host: usize, silent: bool) {
        let sockets = std::mem::take(&mut self.hosts[host].sockets);
        for socket in sockets.into_values() {
            let Socket::Stream { connection: number, end } = socket else { continue };
            let link = self.link_of(number, end);
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            connection.ends[end].flow = None;
            if connection.ends.iter().all(|end| end.flow.is_none()) {
                self.connections.remove(&number);
            } else if !silent {
                let delay = link.delay(&mut self.rng);
                self.push(number, end, delay, Item::Down(FlowDown::Reset));
            }
        }
    }

    fn link_of(&self, number: u64, end: usize) -> crate::Link {
        match self.connections.get(&number) {
            Some(connection) => {
                self.link((connection.ends[end].address.ip(), connection.ends[1 - end].address.ip()))
            }
            None => crate::Link::calm(),
        }
    }
}
