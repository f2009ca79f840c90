//! The table of TCP streams: connecting, reading, writing, closing. All calls are non-blocking.

use bytes::Buf;
use cpm_base::shell::{Shell, ShellInput};
use cpm_base::{FlowDown, FlowId, FlowInfo, FlowMachine, Machine, Now, Segments, Transport};
use cpm_runtime_common::driver::{DRAIN, DRAINING, Key, ReadBuffer, TURN_READS};
use cpm_runtime_common::net;
use cpm_runtime_common::ready::{ReadyQueue, ReadyWaker};
use smol::Async;
use std::collections::{HashMap, VecDeque};
use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

/// Pieces of one vectored write.
const PIECES: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting(SocketAddr),
    Up,
    /// The peer has ended its side; what is outstanding still goes out.
    HalfClosed,
    /// We have ended our side and the shell has forgotten the flow; what still comes in is thrown away, for
    /// closing with unread bytes would reset the stream and lose what we wrote last.
    Draining,
}

struct Stream {
    socket: Async<TcpStream>,
    read: ReadyWaker<Key>,
    write: ReadyWaker<Key>,
    phase: Phase,
    paused: bool,
    outstanding: Segments,
}

impl Stream {
    /// Asks to be woken when there is something to read.
    fn await_read(&self) {
        if self.socket.poll_readable(&mut self.read.context()).is_ready() {
            self.read.again();
        }
    }

    /// Asks to be woken when there is room to write.
    fn await_write(&self) {
        if self.socket.poll_writable(&mut self.write.context()).is_ready() {
            self.write.again();
        }
    }
}

/// All streams of one shard.
pub(crate) struct Streams {
    map: HashMap<FlowId, Stream>,
    buffer: ReadBuffer,
    /// Streams to look after: half closed ones, until the outputs of the turn are carried out.
    half_closed: Vec<FlowId>,
    /// Draining streams, the oldest first.
    draining: VecDeque<(Instant, FlowId)>,
    pub(crate) input_errors: u64,
}

impl Streams {
    pub(crate) fn new() -> Self {
        Self {
            map: HashMap::new(),
            buffer: ReadBuffer::default(),
            half_closed: Vec::new(),
            draining: VecDeque::new(),
            input_errors: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether bytes of some stream are still to be written.
    pub(crate) fn is_writing(&self) -> bool {
        self.map.values().any(|stream| !stream.outstanding.is_empty())
    }

    /// When the oldest draining stream is dropped.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.draining.front().map(|(at, _)| *at)
    }

    fn insert(
        &mut self,
        ready: &ReadyQueue<Key>,
        flow: FlowId,
        socket: Async<TcpStream>,
        phase: Phase,
    ) -> &Stream {
        let stream = Stream {
            socket,
            read: ready.waker(Key::Read(flow)),
            write: ready.waker(Key::Write(flow)),
            phase,
            paused: false,
            outstanding: Segments::new(),
        };
        self.map.entry(flow).insert_entry(stream).into_mut()
    }

    /// Takes in an accepted stream that the shell has attached.
    pub(crate) fn accepted(&mut self, ready: &ReadyQueue<Key>, flow: FlowId, socket: Async<TcpStream>) {
        self.insert(ready, flow, socket, Phase::Up).await_read();
    }

    /// Begins to connect.
    pub(crate) fn connect(
        &mut self,
        ready: &ReadyQueue<Key>,
        flow: FlowId,
        transport: Transport,
        remote: SocketAddr,
    ) -> Result<(), FlowDown> {
        if transport != Transport::Tcp {
            return Err(FlowDown::Unreachable);
        }
        let begun = net::begin_connect(remote).and_then(Async::new);
        let socket = begun.map_err(|error| net::down_of(&error))?;
        self.insert(ready, flow, socket, Phase::Connecting(remote)).await_write();
        Ok(())
    }

    /// Something can be read, or the peer has ended its side.
    pub(crate) fn readable<M: FlowMachine>(&mut self, now: Now, shell: &mut Shell<M>, flow: FlowId) {
        for _ in 0..TURN_READS {
            let Some(stream) = self.map.get_mut(&flow) else { return };
            if stream.paused || matches!(stream.phase, Phase::Connecting(_) | Phase::HalfClosed) {
                return;
            }
            match stream.socket.get_ref().read(self.buffer.space()) {
                Ok(0) => return self.peer_ended(flow),
                Ok(_) if stream.phase == Phase::Draining => {}
                Ok(bytes) => {
                    let data = self.buffer.take(bytes);
                    self.tell(now, shell, ShellInput::Read { flow, data });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return stream.await_read(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.failed(now, shell, flow, &error),
            }
        }
        if let Some(stream) = self.map.get(&flow) {
            stream.read.again();
        }
    }

    fn peer_ended(&mut self, flow: FlowId) {
        let Some(stream) = self.map.get_mut(&flow) else { return };
        if stream.phase == Phase::Draining {
            self.map.remove(&flow);
        } else {
            stream.phase = Phase::HalfClosed;
            self.half_closed.push(flow);
        }
    }

    /// A stream the peer has ended is gone for the machine once nothing is outstanding on it.
    pub(crate) fn end_half_closed<M: FlowMachine>(&mut self, now: Now, shell: &mut Shell<M>) -> bool {
        let mut ended = false;
        for flow in std::mem::take(&mut self.half_closed) {
            match self.map.get(&flow) {
                Some(stream) if !stream.outstanding.is_empty() => self.half_closed.push(flow),
                Some(_) => {
                    self.map.remove(&flow);
                    self.tell(now, shell, ShellInput::Closed { flow, reason: FlowDown::Closed });
                    ended = true;
                }
                None => {}
            }
        }
        ended
    }

    /// The shell wants these bytes written; none are outstanding.
    pub(crate) fn write<M: FlowMachine>(
        &mut self,
        now: Now,
        shell: &mut Shell<M>,
        flow: FlowId,
        segments: Segments,
    ) {
        if let Some(stream) = self.map.get_mut(&flow) {
            stream.outstanding = segments;
            self.writable(now, shell, flow);
        }
    }

    /// There is room to write, or a connect has ended.
    pub(crate) fn writable<M: FlowMachine>(&mut self, now: Now, shell: &mut Shell<M>, flow: FlowId) {
        loop {
            let Some(stream) = self.map.get_mut(&flow) else { return };
            if let Phase::Connecting(remote) = stream.phase {
                return self.connect_ended(now, shell, flow, remote);
            }
            if stream.outstanding.is_empty() || stream.phase == Phase::Draining {
                return;
            }
            let mut slices = [IoSlice::new(&[]); PIECES];
            let filled = stream.outstanding.chunks_vectored(&mut slices);
            match stream.socket.get_ref().write_vectored(&slices[..filled]) {
                Ok(0) => return self.failed(now, shell, flow, &io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    stream.outstanding.advance(bytes);
                    self.tell(now, shell, ShellInput::Wrote { flow, bytes });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return stream.await_write(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.failed(now, shell, flow, &error),
            }
        }
    }

    fn connect_ended<M: FlowMachine>(
        &mut self,
        now: Now,
        shell: &mut Shell<M>,
        flow: FlowId,
        remote: SocketAddr,
    ) {
        let Some(stream) = self.map.get_mut(&flow) else { return };
        match net::connected(stream.socket.get_ref()) {
            Ok(local) => {
                stream.phase = Phase::Up;
                stream.await_read();
                let info = FlowInfo {
                    transport: Transport::Tcp,
                    local,
                    remote: Some(remote),
                    accepted: false,
                    trusted: false,
                };
                self.tell(now, shell, ShellInput::Connected { flow, info });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.await_write(),
            Err(error) => {
                self.map.remove(&flow);
                let reason = net::down_of(&error);
                self.tell(now, shell, ShellInput::ConnectFailed { flow, reason });
            }
        }
    }

    fn failed<M: FlowMachine>(&mut self, now: Now, shell: &mut Shell<M>, flow: FlowId, error: &io::Error) {
        if self.map.remove(&flow).is_some_and(|stream| stream.phase != Phase::Draining) {
            self.tell(now, shell, ShellInput::Closed { flow, reason: net::down_of(error) });
        }
    }

    /// The shell is done with a stream.
    pub(crate) fn shutdown(&mut self, now: Now, flow: FlowId) {
        let Some(stream) = self.map.get_mut(&flow) else { return };
        let drains = stream.phase == Phase::Up
            && stream.outstanding.is_empty()
            && self.draining.len() < DRAINING
            && net::shut_write(stream.socket.get_ref()).is_ok();
        if !drains {
            self.map.remove(&flow);
            return;
        }
        stream.phase = Phase::Draining;
        stream.paused = false;
        stream.read.again();
        self.draining.push_back((now.mono + DRAIN, flow));
    }

    /// Drops streams that have drained for long enough.
    pub(crate) fn expire(&mut self, now: Now) {
        while let Some((at, flow)) = self.draining.front().copied()
            && at <= now.mono
        {
            self.draining.pop_front();
            self.map.remove(&flow);
        }
    }

    /// Ends our side of every stream, before all are dropped.
    pub(crate) fn shut_all(&mut self) {
        for stream in self.map.values().filter(|stream| stream.phase == Phase::Up) {
            let _gone_already = net::shut_write(stream.socket.get_ref());
        }
    }

    pub(crate) fn pause(&mut self, flow: FlowId) {
        if let Some(stream) = self.map.get_mut(&flow) {
            stream.paused = true;
        }
    }

    pub(crate) fn resume(&mut self, flow: FlowId) {
        if let Some(stream) = self.map.get_mut(&flow) {
            stream.paused = false;
            stream.read.again();
        }
    }

    fn tell<M: FlowMachine>(&mut self, now: Now, shell: &mut Shell<M>, input: ShellInput<M::Input>) {
        if shell.handle_input(now, input).is_err() {
            self.input_errors += 1;
        }
    }
}
