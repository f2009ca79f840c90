//! Bytes on streams and datagrams: buffers with watermarks, one outstanding write per stream, pulling.

use super::flows::Phase;
use super::{Shell, ShellOutput, Timer};
use crate::{FlowDown, FlowId, FlowInput, FlowMachine, Now, Transport};
use bytes::Bytes;
use std::net::SocketAddr;

impl<M: FlowMachine> Shell<M> {
    /// The machine sends a datagram or appends to a stream.
    pub(super) fn transmit(&mut self, now: Now, id: FlowId, to: Option<SocketAddr>, data: Bytes) {
        let Some(flow) = self.flows.get_mut(id) else {
            self.stats.undeliverable += 1;
            return;
        };
        match (flow.transport, flow.phase, to) {
            (Transport::Udp, _, Some(to)) => {
                if self.out.len() < self.limits.outputs {
                    self.out.push_back(ShellOutput::Datagram { flow: id, to, data });
                } else {
                    self.stats.datagrams_dropped += 1;
                }
            }
            (Transport::Tcp | Transport::Tls, Phase::Up, None) => {
                if flow.unsent.len() + flow.in_flight + data.len() > self.limits.unsent {
                    self.stats.overflowed += 1;
                    self.kill(now, id, FlowDown::Limit);
                } else {
                    flow.unsent.push(data);
                    self.flows.queue_write(id);
                }
            }
            _ => self.stats.undeliverable += 1,
        }
    }

    /// The machine has bytes to be pulled.
    pub(super) fn ready(&mut self, now: Now, id: FlowId) {
        if self.flows.is_up_stream(id) {
            if let Some(flow) = self.flows.get_mut(id) {
                flow.ready = true;
            }
            self.pull(now, id);
        } else {
            self.stats.undeliverable += 1;
        }
    }

    /// Pulls from the machine while little is unsent, so that it can still interleave at the last moment.
    fn pull(&mut self, now: Now, id: FlowId) {
        let mut pieces = Vec::new();
        while let Some(flow) = self.flows.get_mut(id) {
            let room = self.limits.low_water.saturating_sub(flow.unsent.len() + flow.in_flight);
            if !flow.ready || flow.phase != Phase::Up || room == 0 {
                break;
            }
            if self.machine.poll_stream(now, id, &mut pieces, room) == 0 || pieces.is_empty() {
                flow.ready = false;
            }
            for piece in pieces.drain(..) {
                flow.unsent.push(piece);
            }
        }
        self.flows.queue_write(id);
    }

    /// Bytes of a stream came in.
    pub(super) fn read(&mut self, now: Now, id: FlowId, data: Bytes) -> Result<(), M::Error> {
        if !self.flows.is_up_stream(id) || data.is_empty() {
            return Ok(());
        }
        self.stop_timer(id);
        self.flows.touch(now.mono, id);
        let verdict = self.machine.handle_input(now, FlowInput::Stream { flow: id, data }.into());
        self.pump(now);
        self.pause_if_unwanted(id);
        verdict
    }

    /// The adapter got bytes out.
    pub(super) fn wrote(&mut self, now: Now, id: FlowId, bytes: usize) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.in_flight = flow.in_flight.saturating_sub(bytes);
        self.flows.touch(now.mono, id);
        self.pull(now, id);
        if self
            .flows
            .get_mut(id)
            .is_some_and(|flow| flow.phase == Phase::Closing && flow.unsent.is_empty() && flow.in_flight == 0)
        {
            self.stop_timer(id);
            self.flows.remove(id);
            self.out.push_back(ShellOutput::Shutdown { flow: id });
        }
    }

    /// The machine is done with a flow: what it transmitted goes out first.
    pub(super) fn close(&mut self, now: Now, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if flow.phase != Phase::Up {
            return;
        }
        if flow.unsent.is_empty() && flow.in_flight == 0 {
            self.kill(now, id, FlowDown::Local);
            return;
        }
        flow.phase = Phase::Closing;
        flow.ready = false;
        self.stop_timer(id);
        let at = now.mono + self.limits.linger;
        let timer = self.timers.arm(now.mono, at, "shell.linger", Timer::Linger(id));
        self.flows.set_timer(id, timer);
        self.report(now, FlowInput::Down { flow: id, reason: FlowDown::Local });
    }

    /// Cancels the flow's own timer.
    pub(super) fn stop_timer(&mut self, id: FlowId) {
        if let Some(timer) = self.flows.get_mut(id).and_then(|flow| flow.timer.take()) {
            self.timers.cancel(timer);
        }
    }
}
