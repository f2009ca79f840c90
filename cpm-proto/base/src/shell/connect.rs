//! How flows come and go: admission, connecting, and the one place where a flow ends.

use super::flows::Phase;
use super::{Shell, ShellOutput, Timer};
use crate::{FlowDown, FlowId, FlowInfo, FlowInput, FlowMachine, Now, Token, Transport};
use std::net::SocketAddr;

impl<M: FlowMachine> Shell<M> {
    /// Whether a new socket may come in; makes room by closing an idle stream where that helps.
    pub(super) fn admit(&mut self, now: Now, info: &FlowInfo) -> bool {
        if self.flows.of_same_source(info) >= self.limits.flows_per_source {
            return false;
        }
        self.has_room(now)
    }

    fn has_room(&mut self, now: Now) -> bool {
        if self.flows.len() < self.limits.flows {
            return true;
        }
        let Some(idle) = self.flows.evictable(now.mono, self.limits.evict_after) else { return false };
        self.stats.evicted += 1;
        self.kill(now, idle, FlowDown::Limit);
        true
    }

    /// The machine wants a stream.
    pub(super) fn open(
        &mut self,
        now: Now,
        token: Token,
        transport: Transport,
        remote: SocketAddr,
        server_name: Option<Box<str>>,
    ) {
        if transport == Transport::Udp || !self.has_room(now) {
            self.stats.refused += 1;
            self.timers.arm(now.mono, now.mono, "shell.refuse", Timer::Refuse(token));
            return;
        }
        let flow = self.flows.insert_connecting(now.mono, transport, token);
        self.unstamped.push(flow);
        self.out.push_back(ShellOutput::Connect { flow, transport, remote, server_name });
    }

    /// Starts the clock of new attempts; called with a fresh stamp.
    pub(super) fn start_connect_limits(&mut self, now: Now) {
        for flow in std::mem::take(&mut self.unstamped) {
            if matches!(self.flows.phase(flow), Some(Phase::Connecting(_))) {
                let at = now.mono + self.limits.connect;
                let timer = self.timers.arm(now.mono, at, "shell.connect", Timer::Connect(flow));
                self.flows.set_timer(flow, timer);
            }
        }
    }

    /// An attempt came up. One that was called off meanwhile is shut down.
    pub(super) fn connected(&mut self, now: Now, flow: FlowId, info: FlowInfo) {
        let token = match self.flows.phase(flow) {
            Some(Phase::Connecting(token)) => token,
            Some(Phase::Up | Phase::Closing) => return,
            None => return self.out.push_back(ShellOutput::Shutdown { flow }),
        };
        self.stop_timer(flow);
        self.flows.connected(now.mono, flow, &info);
        self.report(now, FlowInput::Up { flow, opened: Some(token), info: Box::new(info) });
        self.pump(now);
        self.pause_if_unwanted(flow);
    }

    /// Ends a flow from our side at once, whatever is unsent.
    pub(super) fn kill(&mut self, now: Now, flow: FlowId, reason: FlowDown) {
        if self.end(now, flow, reason) {
            self.out.push_back(ShellOutput::Shutdown { flow });
        }
    }

    /// Takes the flow out and tells the machine once; false if there was none.
    pub(super) fn end(&mut self, now: Now, flow: FlowId, reason: FlowDown) -> bool {
        self.stop_timer(flow);
        let Some(gone) = self.flows.remove(flow) else { return false };
        match gone.phase {
            Phase::Connecting(token) => self.report(now, FlowInput::OpenFailed { token, reason }),
            Phase::Up => self.report(now, FlowInput::Down { flow, reason }),
            Phase::Closing => {}
        }
        true
    }
}
