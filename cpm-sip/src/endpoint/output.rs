//! Putting bytes and events into the output queue.

use super::{Endpoint, Event, Output};
use bytes::Bytes;
use cpm_base::{FlowDown, FlowId, FlowOutput, Now};
use std::net::SocketAddr;

impl Endpoint {
    pub(super) fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    /// Puts a message on a flow; the error is that of a flow that is gone or going.
    pub(super) fn transmit(
        &mut self,
        flow: FlowId,
        to: Option<SocketAddr>,
        data: Bytes,
    ) -> Result<(), FlowDown> {
        if self.flows.writable(flow).is_none() {
            return Err(FlowDown::Closed);
        }
        self.out.push_back(Output::Flow(FlowOutput::Transmit { flow, to, data }));
        Ok(())
    }

    /// Ends a stream after what was transmitted. The driver reports `Down` when it is done; what waits on the
    /// stream fails now, because nothing more is read from it.
    pub(super) fn close_stream(&mut self, now: Now, flow: FlowId, reason: FlowDown) {
        if !self.flows.close(flow) {
            return;
        }
        self.stalled.remove(&flow);
        self.stop_stream_timers(flow);
        self.stats.streams_closed = self.stats.streams_closed.saturating_add(1);
        self.out.push_back(Output::Flow(FlowOutput::Close { flow }));
        self.fail_clients_on(now, flow, reason);
    }
}
