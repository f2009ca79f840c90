//! The IO-free half of a driver: [`Shell`] wraps any [`FlowMachine`] and speaks the language of sockets.
//!
//! It owns the connection table, the write buffers, connect and idle limits and read back-pressure, so that an
//! adapter is left with sockets and one timer (architecture §10). A turn of a driver is six steps:
//!
//! 1. stamp [`Now`] once,
//! 2. hand in what the sockets gave ([`ShellInput`]) and what the embedder commands ([`Shell::command`]),
//! 3. fire timers: `handle_timeout(now, budget)`,
//! 4. carry out every `poll_output`,
//! 5. arm one timer for `poll_timeout`,
//! 6. wait for a socket, the timer, a command, or the answer to an effect.
//!
//! | state of a stream | enters by | leaves by |
//! |---|---|---|
//! | connecting | `FlowOutput::Open` | `Connected`; `ConnectFailed` or the connect limit (`OpenFailed`) |
//! | up | `attach`, `Connected` | `Closed`, a limit (`Down` with the reason); `FlowOutput::Close` (`Down{Local}`) |
//! | closing | `Close` with bytes unsent | all bytes written, `Closed`, or the linger limit |
//!
//! Every `Up` is followed by exactly one `Down`, every `Open` by exactly one `Up` or `OpenFailed`.

mod connect;
mod flows;
mod limits;
mod write;

pub use limits::{ShellLimits, ShellStats};

use crate::{
    FlowDown, FlowId, FlowInfo, FlowInput, FlowMachine, FlowOutput, Machine, Now, Segments, Transport, Wheel,
};
use bytes::Bytes;
use flows::Flows;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

/// What an adapter tells the shell.
#[derive(Debug)]
#[non_exhaustive]
pub enum ShellInput<I> {
    /// A `Connect` came up.
    Connected {
        /// The flow named by the `Connect`.
        flow: FlowId,
        /// What is known about the connection.
        info: FlowInfo,
    },
    /// A `Connect` failed.
    ConnectFailed {
        /// The flow named by the `Connect`.
        flow: FlowId,
        /// Why.
        reason: FlowDown,
    },
    /// One datagram came in.
    Datagram {
        /// The socket.
        flow: FlowId,
        /// Its source.
        from: SocketAddr,
        /// Its bytes.
        data: Bytes,
    },
    /// The next bytes of a stream.
    Read {
        /// The connection.
        flow: FlowId,
        /// The bytes; cut anywhere.
        data: Bytes,
    },
    /// So many bytes of the outstanding `Write` are on the wire. May come in several steps.
    Wrote {
        /// The connection.
        flow: FlowId,
        /// Bytes since the last `Wrote`.
        bytes: usize,
    },
    /// The socket is gone. After this the adapter gives no more inputs for the flow.
    Closed {
        /// The flow.
        flow: FlowId,
        /// Why.
        reason: FlowDown,
    },
    /// Anything else the machine takes: answers to effects.
    Machine(I),
}

/// What the shell asks of an adapter.
#[derive(Debug)]
#[non_exhaustive]
pub enum ShellOutput<R> {
    /// Open a stream and answer with `Connected` or `ConnectFailed` for this flow. A `Shutdown` before that
    /// calls the attempt off.
    Connect {
        /// The name of the connection from now on.
        flow: FlowId,
        /// Which kind.
        transport: Transport,
        /// Where to.
        remote: SocketAddr,
        /// The name to verify under TLS.
        server_name: Option<Box<str>>,
    },
    /// Write all of this and report progress by `Wrote`. At most one is outstanding per flow.
    Write {
        /// The connection.
        flow: FlowId,
        /// What to write.
        segments: Segments,
    },
    /// Send one datagram; losing it is allowed.
    Datagram {
        /// The socket.
        flow: FlowId,
        /// Destination.
        to: SocketAddr,
        /// The bytes.
        data: Bytes,
    },
    /// Close the socket now and forget the flow; no `Closed` is needed. Where bytes had to go out first, the
    /// shell has waited for them, so a `Write` still outstanding is given up.
    Shutdown {
        /// The flow.
        flow: FlowId,
    },
    /// Stop reading this stream; bytes already read may still be handed in.
    PauseRead {
        /// The connection.
        flow: FlowId,
    },
    /// Read again.
    ResumeRead {
        /// The connection.
        flow: FlowId,
    },
    /// What is no flow's business: an event or an effect of the machine.
    Rest(R),
}

/// The shell's own timers.
#[derive(Clone, Copy, Debug)]
enum Timer {
    /// A connect attempt takes too long.
    Connect(FlowId),
    /// An accepted stream stays silent from the start.
    FirstByte(FlowId),
    /// A closing stream does not get its last bytes out.
    Linger(FlowId),
    /// An `Open` that a limit refuses is answered from the timer, so that a machine which asks again at once
    /// cannot keep one call busy for ever.
    Refuse(crate::Token),
}

/// Wraps a machine for one driver. Not generic over a runtime, and no IO of its own.
///
/// ```
/// # use cpm_base::{FlowMachine, Machine, Now, shell::{Shell, ShellOutput}};
/// fn turn<M: FlowMachine>(shell: &mut Shell<M>, now: Now, mut carry_out: impl FnMut(ShellOutput<M::Rest>)) {
///     while shell.handle_timeout(now, 256) {}
///     while let Some(output) = shell.poll_output() {
///         carry_out(output);
///     }
/// }
/// ```
pub struct Shell<M: FlowMachine> {
    machine: M,
    limits: ShellLimits,
    stats: ShellStats,
    flows: Flows,
    timers: Wheel<Timer>,
    now: Option<Now>,
    /// Flows opened by outputs that a command left behind: the clock last seen may be old, so their connect
    /// limit starts with the next stamp.
    unstamped: Vec<FlowId>,
    out: VecDeque<ShellOutput<M::Rest>>,
    recheck_reads: bool,
}

impl<M: FlowMachine + std::fmt::Debug> std::fmt::Debug for Shell<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shell")
            .field("machine", &self.machine)
            .field("flows", &self.flows.len())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl<M: FlowMachine> Shell<M> {
    /// Wraps `machine`.
    pub fn new(machine: M, limits: ShellLimits) -> Self {
        Self {
            machine,
            limits,
            stats: ShellStats::default(),
            flows: Flows::default(),
            timers: Wheel::new(),
            now: None,
            unstamped: Vec::new(),
            out: VecDeque::new(),
            recheck_reads: false,
        }
    }

    /// The machine, to look at.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The machine, for commands. What they cause comes out of `poll_output` in the same turn, once the shell
    /// has been told the time by any call that takes a [`Now`]. [`Shell::command`] does both.
    pub fn machine_mut(&mut self) -> &mut M {
        self.recheck_reads = true;
        &mut self.machine
    }

    /// Runs one command at `now` and takes over what it causes.
    pub fn command<R>(&mut self, now: Now, command: impl FnOnce(&mut M, Now) -> R) -> R {
        self.stamp(now);
        let result = command(&mut self.machine, now);
        self.settle(now);
        result
    }

    /// Gives the machine back; flows and unsent bytes are gone.
    pub fn into_machine(self) -> M {
        self.machine
    }

    /// A datagram socket was bound or a stream was accepted. `None`: a limit refuses it, the adapter drops the
    /// socket.
    pub fn attach(&mut self, now: Now, info: FlowInfo) -> Option<FlowId> {
        self.stamp(now);
        if !self.admit(now, &info) {
            self.stats.refused += 1;
            return None;
        }
        let flow = self.flows.insert_up(now.mono, &info);
        if info.accepted && info.transport != Transport::Udp {
            let at = now.mono + self.limits.first_byte;
            let timer = self.timers.arm(now.mono, at, "shell.first_byte", Timer::FirstByte(flow));
            self.flows.set_timer(flow, timer);
        }
        self.report(now, FlowInput::Up { flow, opened: None, info: Box::new(info) });
        self.settle(now);
        self.pause_if_unwanted(flow);
        Some(flow)
    }

    /// Flows in the table: up, connecting or closing.
    pub fn flows(&self) -> usize {
        self.flows.len()
    }

    /// Counters since the start.
    pub fn stats(&self) -> ShellStats {
        self.stats
    }

    /// Notes the time of this turn and starts the limits that waited for it.
    fn stamp(&mut self, now: Now) {
        self.now = Some(now);
        self.recheck_reads = true;
        self.start_connect_limits(now);
    }

    /// Ends a call that was given the time: takes over what the machine put out.
    fn settle(&mut self, now: Now) {
        self.pump(now);
        self.start_connect_limits(now);
    }

    /// Tells the machine something no caller waits for the verdict of.
    fn report(&mut self, now: Now, input: FlowInput) {
        if self.machine.handle_input(now, input.into()).is_err() {
            self.stats.machine_errors += 1;
        }
    }

    /// Carries out what the machine has put out.
    fn pump(&mut self, now: Now) {
        while let Some(output) = self.machine.poll_output() {
            match M::split(output) {
                Err(rest) => self.out.push_back(ShellOutput::Rest(rest)),
                Ok(FlowOutput::Transmit { flow, to, data }) => self.transmit(now, flow, to, data),
                Ok(FlowOutput::Ready { flow }) => self.ready(now, flow),
                Ok(FlowOutput::Open { token, transport, remote, server_name }) => {
                    self.open(now, token, transport, remote, server_name);
                }
                Ok(FlowOutput::Close { flow }) => self.close(now, flow),
            }
        }
    }

    /// Stops reading a stream the machine has no room for.
    fn pause_if_unwanted(&mut self, flow: FlowId) {
        if self.flows.is_up_stream(flow) && !self.machine.wants_read(flow) && self.flows.pause(flow) {
            self.out.push_back(ShellOutput::PauseRead { flow });
        }
    }

    /// Reads paused streams again where the machine has room by now.
    fn resume_wanted(&mut self) {
        for flow in self.flows.paused() {
            if self.machine.wants_read(flow) {
                self.flows.resume(flow);
                self.out.push_back(ShellOutput::ResumeRead { flow });
            }
        }
    }

    fn fire(&mut self, now: Now, timer: Timer) {
        match timer {
            Timer::Connect(flow) => {
                self.stats.connect_timeouts += 1;
                self.kill(now, flow, FlowDown::TimedOut);
            }
            Timer::FirstByte(flow) => {
                self.stats.silent += 1;
                self.kill(now, flow, FlowDown::TimedOut);
            }
            Timer::Linger(flow) => {
                self.stats.unwritten += 1;
                self.kill(now, flow, FlowDown::Local);
            }
            Timer::Refuse(token) => {
                self.report(now, FlowInput::OpenFailed { token, reason: FlowDown::Limit });
            }
        }
    }
}

impl<M: FlowMachine> Machine for Shell<M> {
    type Input = ShellInput<M::Input>;
    type Output = ShellOutput<M::Rest>;
    type Error = M::Error;

    fn handle_input(&mut self, now: Now, input: Self::Input) -> Result<(), M::Error> {
        self.stamp(now);
        let mut verdict = Ok(());
        match input {
            ShellInput::Connected { flow, info } => self.connected(now, flow, info),
            ShellInput::ConnectFailed { flow, reason } | ShellInput::Closed { flow, reason } => {
                self.end(now, flow, reason);
            }
            ShellInput::Datagram { flow, from, data } => {
                if self.flows.is_datagram(flow) {
                    verdict = self.machine.handle_input(now, FlowInput::Datagram { flow, from, data }.into());
                }
            }
            ShellInput::Read { flow, data } => verdict = self.read(now, flow, data),
            ShellInput::Wrote { flow, bytes } => self.wrote(now, flow, bytes),
            ShellInput::Machine(input) => verdict = self.machine.handle_input(now, input),
        }
        self.settle(now);
        verdict
    }

    fn handle_timeout(&mut self, now: Now, budget: usize) -> bool {
        self.stamp(now);
        let mut left = budget;
        while left > 0 {
            if let Some(timer) = self.timers.pop_due(now.mono) {
                self.fire(now, timer);
            } else if let Some(flow) = self.flows.pop_idle(now.mono, self.limits.idle) {
                self.stats.idle += 1;
                self.kill(now, flow, FlowDown::Idle);
            } else {
                break;
            }
            left -= 1;
        }
        let more = self.machine.handle_timeout(now, left);
        self.settle(now);
        more || left == 0
    }

    fn poll_output(&mut self) -> Option<Self::Output> {
        if let Some(now) = self.now {
            self.pump(now);
        }
        if let Some(output) = self.out.pop_front() {
            return Some(output);
        }
        if let Some((flow, segments)) = self.flows.next_write(&self.limits) {
            return Some(ShellOutput::Write { flow, segments });
        }
        if std::mem::take(&mut self.recheck_reads) {
            self.resume_wanted();
        }
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let stamp = match self.now {
            Some(now) if !self.unstamped.is_empty() => Some((now.mono, "shell.stamp")),
            _ => None,
        };
        let idle = self.flows.next_idle(self.limits.idle).map(|at| (at, "shell.idle"));
        [self.machine.poll_timeout(), self.timers.next(), idle, stamp]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
