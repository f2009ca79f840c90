//! Streams: framing, fairness, slow and noisy senders, keep-alive (RFC 3261 §18.3, RFC 5626 §4.4.1).

use super::{Endpoint, Error, Event, Fire, Output};
use crate::Frame;
use crate::flow::{Ping, PingState};
use bytes::Bytes;
use cpm_base::{FlowDown, FlowId, FlowOutput, Now, ProbeKind};
use std::time::Duration;

const PING: Bytes = Bytes::from_static(b"\r\n\r\n");
const PONG: Bytes = Bytes::from_static(b"\r\n");

impl Endpoint {
    /// Keeps a stream alive from our side: a ping every `every`, and the flow counts as failed if no pong comes
    /// (RFC 5626 §4.4.1). Only for peers that are known to answer pings.
    ///
    /// # Errors
    /// `Usage`: no such stream.
    // spec: RFC5626-4.4.1
    pub fn keep_alive(&mut self, now: Now, flow: FlowId, every: Duration) -> Result<(), Error> {
        let now = self.tick(now);
        if self.flows.writable(flow).is_none_or(|flow| flow.stream.is_none()) {
            return Err(Error::Usage("no such stream"));
        }
        self.stop_ping(flow);
        self.wait_for_ping(now, flow, every.max(Duration::from_secs(1)));
        Ok(())
    }

    /// Closes a stream after what was sent on it.
    ///
    /// # Errors
    /// `Usage`: no such stream.
    pub fn close(&mut self, now: Now, flow: FlowId) -> Result<(), Error> {
        let now = self.tick(now);
        if self.flows.writable(flow).is_none_or(|flow| flow.stream.is_none()) {
            return Err(Error::Usage("no such stream"));
        }
        self.close_stream(now, flow, FlowDown::Local);
        Ok(())
    }

    pub(super) fn stream_bytes(&mut self, now: Now, flow: FlowId, data: Bytes) -> Result<(), Error> {
        let Some(stream) = self.flows.stream_mut(flow) else { return Err(Error::Usage("no such stream")) };
        if stream.closing {
            return Ok(());
        }
        stream.framer.push(data);
        self.drain(now, flow)
    }

    /// Lets one stalled stream go on, if the outputs allow it.
    pub(super) fn resume_one(&mut self, now: Now) {
        if !self.has_low_water() {
            return;
        }
        // Round robin: the stream behind the one served last.
        let next = self.stalled.range(self.resumed..).next().or_else(|| self.stalled.first()).copied();
        let Some(flow) = next else { return };
        self.resumed = FlowId(flow.0.wrapping_add(1));
        self.stalled.remove(&flow);
        // What is wrong with a message was counted and answered inside.
        let _ = self.drain(now, flow);
    }

    /// Takes complete messages off a stream until it has none, or others should have their turn.
    fn drain(&mut self, now: Now, flow: FlowId) -> Result<(), Error> {
        let mut result = Ok(());
        let mut complete = false;
        for _ in 0..self.config.messages_per_turn.max(1) {
            if !self.has_room() {
                self.stalled.insert(flow);
                return result;
            }
            let Some(stream) = self.flows.stream_mut(flow) else { return result };
            if stream.closing {
                return result;
            }
            match stream.framer.next(&self.config.limits) {
                Ok(None) => {
                    self.watch_progress(now, flow, complete);
                    return result;
                }
                Ok(Some(Frame::Message(data))) => {
                    complete = true;
                    result = self.stream_message(now, flow, data).and(result);
                }
                Ok(Some(Frame::KeepAlive)) => self.pinged(now, flow),
                Ok(Some(Frame::Pong)) => self.ponged(now, flow),
                Err(error) => return Err(self.lost_framing(now, flow, error)),
            }
        }
        self.stalled.insert(flow);
        result
    }

    /// A message that has begun must be complete in time, measured from its first byte (threats 1.5).
    fn watch_progress(&mut self, now: Now, flow: FlowId, complete: bool) {
        let Some(stream) = self.flows.stream_mut(flow) else { return };
        let partial = stream.framer.is_inside();
        if (complete || !partial)
            && let Some(timer) = stream.slow.take()
        {
            self.wheel.cancel(timer);
        }
        if partial && stream.slow.is_none() {
            let at = now.mono + self.config.limits.complete_head;
            stream.slow = Some(self.wheel.arm(now.mono, at, "sip.slow", Fire::Slow(flow)));
        }
    }

    pub(super) fn slow_stream(&mut self, now: Now, flow: FlowId) {
        if let Some(stream) = self.flows.stream_mut(flow) {
            stream.slow = None;
            self.close_stream(now, flow, FlowDown::TimedOut);
        }
    }

    /// The peer's ping is answered (RFC 5626 §4.4.1), unless it sends nothing but pings (threats 1.7).
    // spec: RFC5626-4.4.1
    fn pinged(&mut self, now: Now, flow: FlowId) {
        if self.noisy(now, flow) {
            return;
        }
        self.stats.pings += 1;
        // The flow was there a moment ago; if it is gone there is nobody to answer.
        let _ = self.transmit(flow, None, PONG);
    }

    fn ponged(&mut self, now: Now, flow: FlowId) {
        if self.noisy(now, flow) {
            return;
        }
        let Some(ping) = self.flows.stream_mut(flow).and_then(|stream| stream.ping.as_mut()) else { return };
        if ping.state == PingState::Pinged {
            let every = ping.every;
            self.stop_ping(flow);
            self.wait_for_ping(now, flow, every);
            self.event(Event::Pong { flow });
        }
    }

    fn noisy(&mut self, now: Now, flow: FlowId) -> bool {
        let limit = self.config.limits.keep_alives_per_second;
        let Some(stream) = self.flows.stream_mut(flow) else { return true };
        let within = stream.crlf.take(now.mono, limit);
        if !within {
            self.probes.push(ProbeKind::LimitReached, flow.0, 0);
            self.close_stream(now, flow, FlowDown::Limit);
        }
        !within
    }

    fn wait_for_ping(&mut self, now: Now, flow: FlowId, every: Duration) {
        let timer = self.wheel.arm(now.mono, now.mono + every, "sip.ping", Fire::Ping(flow));
        if let Some(stream) = self.flows.stream_mut(flow) {
            stream.ping = Some(Ping { every, state: PingState::Waiting, timer: Some(timer) });
        }
    }

    pub(super) fn ping_timer(&mut self, now: Now, flow: FlowId) {
        let Some(stream) = self.flows.stream_mut(flow) else { return };
        let Some(ping) = stream.ping.as_mut() else { return };
        ping.timer = None;
        match ping.state {
            PingState::Waiting => {
                ping.state = PingState::Pinged;
                stream.framer.expect_pong();
                let at = now.mono + self.config.pong_timeout;
                ping.timer = Some(self.wheel.arm(now.mono, at, "sip.pong", Fire::Ping(flow)));
                self.out.push_back(Output::Flow(FlowOutput::Transmit { flow, to: None, data: PING }));
            }
            PingState::Pinged => self.close_stream(now, flow, FlowDown::TimedOut),
        }
    }

    fn stop_ping(&mut self, flow: FlowId) {
        let ping = self.flows.stream_mut(flow).and_then(|stream| stream.ping.take());
        if let Some(timer) = ping.and_then(|ping| ping.timer) {
            self.wheel.cancel(timer);
        }
    }

    pub(super) fn stop_stream_timers(&mut self, flow: FlowId) {
        self.stop_ping(flow);
        let slow = self.flows.stream_mut(flow).and_then(|stream| stream.slow.take());
        if let Some(timer) = slow {
            self.wheel.cancel(timer);
        }
    }
}
