//! The endpoint as a black box: bytes and time in, bytes and events out.

mod client;
mod limits;
mod model;
mod pair;
mod reject;
mod server;
mod stream;

use super::{Config, Endpoint, Event, Input, Output};
use crate::{Head, HeaderId, Limits, Message, Method};
use bytes::Bytes;
use cpm_base::{FlowDown, FlowId, FlowInfo, FlowInput, FlowOutput, Machine, Now, Token, Transport};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(super) const UDP: FlowId = FlowId(1);
pub(super) const TCP: FlowId = FlowId(2);

pub(super) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One endpoint at 192.0.2.1:5060 with a clock of its own.
pub(super) struct Bench {
    pub(super) endpoint: Endpoint,
    pub(super) now: Now,
    start: Instant,
}

impl Bench {
    pub(super) fn new(config: Config) -> Self {
        let start = Instant::now();
        let now = Now { mono: start, unix: Duration::from_secs(1_700_000_000) };
        Self { endpoint: Endpoint::new(config, [42; 32]), now, start }
    }

    /// With a datagram socket.
    pub(super) fn udp(config: Config) -> Self {
        let mut bench = Self::new(config);
        bench.up(UDP, Transport::Udp, None, None);
        bench.drain();
        bench
    }

    /// With a datagram socket and a stream from 192.0.2.2:40000.
    pub(super) fn tcp(config: Config) -> Self {
        let mut bench = Self::udp(config);
        bench.up(TCP, Transport::Tcp, Some(addr("192.0.2.2:40000")), None);
        bench.drain();
        bench
    }

    pub(super) fn up(
        &mut self,
        flow: FlowId,
        transport: Transport,
        remote: Option<SocketAddr>,
        opened: Option<Token>,
    ) {
        let local = addr("192.0.2.1:5060");
        let info = FlowInfo { transport, local, remote, accepted: opened.is_none(), trusted: false };
        self.input(FlowInput::Up { flow, opened, info: Box::new(info) }).unwrap();
    }

    pub(super) fn down(&mut self, flow: FlowId) {
        self.input(FlowInput::Down { flow, reason: FlowDown::Reset }).unwrap();
    }

    pub(super) fn input(&mut self, input: FlowInput) -> Result<(), super::Error> {
        self.endpoint.handle_input(self.now, Input::Flow(input))
    }

    pub(super) fn datagram(&mut self, from: &str, data: impl Into<Bytes>) -> Result<(), super::Error> {
        self.input(FlowInput::Datagram { flow: UDP, from: addr(from), data: data.into() })
    }

    pub(super) fn stream(&mut self, data: impl Into<Bytes>) -> Result<(), super::Error> {
        self.input(FlowInput::Stream { flow: TCP, data: data.into() })
    }

    pub(super) fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.endpoint.poll_output()).collect()
    }

    /// Messages sent since the last drain; events are thrown away.
    pub(super) fn sent(&mut self) -> Vec<String> {
        self.drain().into_iter().filter_map(|output| transmitted(&output).map(|(_, data)| data)).collect()
    }

    /// Events since the last drain; messages sent are thrown away.
    pub(super) fn events(&mut self) -> Vec<Event> {
        let event = |output| match output {
            Output::Event(event) => Some(event),
            _ => None,
        };
        self.drain().into_iter().filter_map(event).collect()
    }

    /// Lets time pass; what is sent meanwhile comes with the milliseconds since the start.
    pub(super) fn pass(&mut self, span: Duration) -> Vec<(u64, Output)> {
        let end = self.now.mono + span;
        let mut all = Vec::new();
        let mut turns = 0;
        loop {
            let due = self.endpoint.poll_timeout().map(|(at, _)| at).filter(|at| *at <= end);
            let step = due.unwrap_or(end).saturating_duration_since(self.now.mono);
            self.now = self.now.after(step);
            while self.endpoint.handle_timeout(self.now, 16) {}
            let at = self.at();
            all.extend(self.drain().into_iter().map(|output| (at, output)));
            turns += 1;
            assert!(turns < 100_000, "the endpoint asks to be woken for ever");
            if due.is_none() {
                return all;
            }
        }
    }

    /// Times of messages sent while time passes.
    pub(super) fn sent_at(&mut self, span: Duration) -> Vec<u64> {
        self.pass(span)
            .iter()
            .filter(|(_, output)| transmitted(output).is_some())
            .map(|(at, _)| *at)
            .collect()
    }

    pub(super) fn at(&self) -> u64 {
        u64::try_from(self.now.mono.duration_since(self.start).as_millis()).unwrap()
    }
}

/// Where a message went, if the output is one, and its text.
pub(super) fn transmitted(output: &Output) -> Option<(Option<SocketAddr>, String)> {
    match output {
        Output::Flow(FlowOutput::Transmit { to, data, .. }) => {
            Some((*to, String::from_utf8(data.to_vec()).unwrap()))
        }
        _ => None,
    }
}

pub(super) fn message(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap()
}

/// A request of a peer, with a Via of 192.0.2.2:5060 that asks for rport.
pub(super) fn request(method: &str, branch: &str) -> String {
    request_via(method, &format!("SIP/2.0/UDP 192.0.2.2:5060;branch={branch};rport"), branch)
}

pub(super) fn request_via(method: &str, via: &str, call: &str) -> String {
    format!(
        "{method} sip:bob@example.test SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@example.test>;tag=a1\r\nTo: <sip:bob@example.test>\r\nCall-ID: {call}\r\n\
         CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A request of ours, to be finished by the endpoint.
pub(super) fn outgoing(method: Method<'_>) -> Head {
    let mut head = Head::request(method, "sip:bob@example.test").unwrap();
    head.push(HeaderId::From, "<sip:alice@example.test>").unwrap();
    head.push(HeaderId::To, "<sip:bob@example.test>").unwrap();
    head
}

/// The response of a peer to a request of ours.
pub(super) fn answer(request: &str, status: u16, reason: &str) -> String {
    let mut head = Head::response_to(&message(request), status, reason);
    head.to_tag("b1").unwrap();
    String::from_utf8(head.write().to_vec()).unwrap()
}

/// The only request event.
pub(super) fn one_request(events: Vec<Event>) -> (cpm_base::Handle<super::ServerTxn>, Message) {
    let mut found = events.into_iter().filter_map(|event| match event {
        Event::Request { txn, message, .. } => Some((txn, message)),
        _ => None,
    });
    let first = found.next().expect("a request");
    assert!(found.next().is_none(), "one request only");
    first
}
