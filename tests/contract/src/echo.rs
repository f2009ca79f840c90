//! A machine that sends back what it gets, and tells what happens to it.
//!
//! Datagrams go back at once. Stream bytes wait in a buffer for each flow and are pulled by the shell; a full
//! buffer makes the flow unwanted, so that a peer who does not read is not read either.

use bytes::Bytes;
use cpm_base::shell::Shell;
use cpm_base::{
    FlowDown, FlowId, FlowInfo, FlowInput, FlowMachine, FlowOutput, Machine, Now, Token, Transport,
};
use cpm_runtime_common::Handler;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Bytes of one flow that may wait to be sent back.
const BUFFER: usize = 256 << 10;

/// What goes in.
#[derive(Debug)]
pub enum Input {
    /// Something about a flow.
    Flow(FlowInput),
    /// An answer from another thread.
    Answer(u64),
}

impl From<FlowInput> for Input {
    fn from(input: FlowInput) -> Self {
        Self::Flow(input)
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A flow came up.
    Up(FlowId, Box<FlowInfo>),
    /// A flow went down.
    Down(FlowId, FlowDown),
    /// An open failed.
    OpenFailed(FlowDown),
    /// A timer fired.
    Fired(u32),
    /// An effect to be answered by another thread.
    Ask(u64),
    /// The effect was answered.
    Answered(u64),
    /// One of many numbered events.
    Number(u32),
}

/// What a user of the handle can order.
#[derive(Debug)]
pub enum Command {
    /// Open a stream.
    Open(SocketAddr),
    /// Send bytes on a stream.
    Send(FlowId, Bytes),
    /// Close a stream after what was sent.
    Close(FlowId),
    /// Set a timer.
    Timer(u32, Duration),
    /// Ask the other thread this.
    Ask(u64),
    /// Tell so many numbers.
    Count(u32),
    /// Break an invariant.
    Panic,
}

/// What comes out.
#[derive(Debug)]
pub enum Output {
    /// Something to do on a flow.
    Flow(FlowOutput),
    /// Something to tell.
    Note(Note),
}

/// Never happens.
#[derive(Debug, thiserror::Error)]
pub enum EchoError {}

#[derive(Debug, Default)]
struct Buffer {
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

/// The machine.
#[derive(Debug, Default)]
pub struct Echo {
    out: VecDeque<Output>,
    buffers: BTreeMap<FlowId, Buffer>,
    timers: BTreeMap<(Instant, u32), ()>,
}

impl Echo {
    /// Whether nothing is left of any flow.
    pub fn is_empty(&self) -> bool {
        self.buffers.is_empty() && self.out.is_empty() && self.timers.is_empty()
    }

    fn note(&mut self, note: Note) {
        self.out.push_back(Output::Note(note));
    }

    fn flow(&mut self, input: FlowInput) {
        match input {
            FlowInput::Up { flow, info, .. } => {
                if info.transport != Transport::Udp {
                    self.buffers.insert(flow, Buffer::default());
                }
                self.note(Note::Up(flow, info));
            }
            FlowInput::Down { flow, reason } => {
                self.buffers.remove(&flow);
                self.note(Note::Down(flow, reason));
            }
            FlowInput::OpenFailed { reason, .. } => self.note(Note::OpenFailed(reason)),
            FlowInput::Datagram { flow, from, data } => {
                self.out.push_back(Output::Flow(FlowOutput::Transmit { flow, to: Some(from), data }));
            }
            FlowInput::Stream { flow, data } => {
                if let Some(buffer) = self.buffers.get_mut(&flow) {
                    let was_empty = buffer.bytes == 0;
                    buffer.bytes += data.len();
                    buffer.pieces.push_back(data);
                    if was_empty {
                        self.out.push_back(Output::Flow(FlowOutput::Ready { flow }));
                    }
                }
            }
            _ => {}
        }
    }

    fn command(&mut self, now: Now, command: Command) {
        let flow_output = match command {
            Command::Open(remote) => {
                FlowOutput::Open { token: Token(1), transport: Transport::Tcp, remote, server_name: None }
            }
            Command::Send(flow, data) => FlowOutput::Transmit { flow, to: None, data },
            Command::Close(flow) => FlowOutput::Close { flow },
            Command::Timer(id, after) => {
                self.timers.insert((now.mono + after, id), ());
                return;
            }
            Command::Ask(what) => return self.note(Note::Ask(what)),
            Command::Count(count) => {
                return (0..count).for_each(|number| self.note(Note::Number(number)));
            }
            Command::Panic => panic!("ordered by the test"),
        };
        self.out.push_back(Output::Flow(flow_output));
    }
}

impl Machine for Echo {
    type Input = Input;
    type Output = Output;
    type Error = EchoError;

    fn handle_input(&mut self, _now: Now, input: Input) -> Result<(), EchoError> {
        match input {
            Input::Flow(input) => self.flow(input),
            Input::Answer(what) => self.note(Note::Answered(what)),
        }
        Ok(())
    }

    fn handle_timeout(&mut self, now: Now, budget: usize) -> bool {
        for _ in 0..budget {
            let Some(entry) = self.timers.first_entry() else { return false };
            if entry.key().0 > now.mono {
                return false;
            }
            let ((_, id), ()) = entry.remove_entry();
            self.note(Note::Fired(id));
        }
        true
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.timers.first_key_value().map(|((at, _), ())| (*at, "echo"))
    }
}

impl FlowMachine for Echo {
    type Rest = Note;

    fn split(output: Output) -> Result<FlowOutput, Note> {
        match output {
            Output::Flow(output) => Ok(output),
            Output::Note(note) => Err(note),
        }
    }

    fn wants_read(&self, flow: FlowId) -> bool {
        self.buffers.get(&flow).is_none_or(|buffer| buffer.bytes < BUFFER)
    }

    fn poll_stream(&mut self, _now: Now, flow: FlowId, out: &mut Vec<Bytes>, room: usize) -> usize {
        let Some(buffer) = self.buffers.get_mut(&flow) else { return 0 };
        let mut given = 0;
        while given < room
            && let Some(mut piece) = buffer.pieces.pop_front()
        {
            if piece.len() > room - given {
                buffer.pieces.push_front(piece.split_off(room - given));
            }
            given += piece.len();
            out.push(piece);
        }
        buffer.bytes -= given;
        given
    }
}

/// Tells every note, and passes what the machine asks to `ask`.
pub struct EchoHandler<F> {
    /// Takes an effect; the answer comes back through the shard's inputs.
    pub ask: F,
}

impl<F: FnMut(u64) + Send + 'static> Handler<Echo> for EchoHandler<F> {
    type Command = Command;
    type Event = Note;

    fn rest(&mut self, _now: Now, _shell: &mut Shell<Echo>, rest: Note) -> Option<Note> {
        match rest {
            Note::Ask(what) => {
                (self.ask)(what);
                None
            }
            note => Some(note),
        }
    }

    fn command(&mut self, now: Now, shell: &mut Shell<Echo>, command: Command) -> Option<Note> {
        shell.command(now, |machine, now| machine.command(now, command));
        None
    }
}
