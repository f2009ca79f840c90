//! The SIP endpoint: operation sequences on one, and two over a link that loses, doubles and delays.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use bytes::Bytes;
use cpm_base::{FlowDown, FlowId, FlowInfo, FlowInput, FlowOutput, Handle, Machine, Now, Token, Transport};
use cpm_sip::{
    Config, Endpoint, Head, HeaderId, Limits, Message, Method,
    endpoint::{ClientTxn, Event, Input as SipInput, Output, ServerTxn, Target},
};

use crate::input::{Input, owned, start};

const UDP: FlowId = FlowId(1);
const METHODS: [&str; 6] = ["MESSAGE", "INVITE", "ACK", "CANCEL", "OPTIONS", "REGISTER"];
const STATUSES: [u16; 8] = [100, 180, 200, 302, 401, 486, 503, 603];

fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], 5060))
}

fn config() -> Config {
    let mut config = Config::default();
    // Small enough that the fuzzer reaches them.
    config.limits.transactions = 24;
    config.limits.transactions_per_source = 16;
    config.limits.outputs = 512;
    config
}

fn up(flow: FlowId, transport: Transport, remote: Option<u8>, opened: Option<Token>, local: u8) -> FlowInput {
    let info = FlowInfo {
        transport,
        local: address(local),
        remote: remote.map(address),
        accepted: opened.is_none() && remote.is_some(),
        trusted: false,
    };
    FlowInput::Up { flow, opened, info: Box::new(info) }
}

fn outgoing(method: Method<'_>) -> Head {
    let head = Head::request(method, "sip:bob@example.test").and_then(|mut head| {
        head.push(HeaderId::From, "<sip:alice@example.test>")?
            .push(HeaderId::To, "<sip:bob@example.test>")?;
        Ok(head)
    });
    head.unwrap_or_else(|e| panic!("{e}"))
}

/// Fires what is due up to `span` from now.
fn pass(endpoint: &mut Endpoint, now: &mut Now, span: Duration, mut out: impl FnMut(&mut Endpoint, Now)) {
    let end = now.mono + span;
    for turn in 0.. {
        assert!(turn < 20_000, "the endpoint asks to be woken for ever");
        let due = endpoint.poll_timeout().map(|(at, _)| at).filter(|at| *at <= end);
        *now = now.after(due.unwrap_or(end).saturating_duration_since(now.mono));
        for budget in 0.. {
            assert!(budget < 10_000, "timers fire for ever");
            if !endpoint.handle_timeout(*now, 4) {
                break;
            }
        }
        out(endpoint, *now);
        if due.is_none() {
            return;
        }
    }
}

/// What the owner of the endpoint knows.
#[derive(Default)]
struct Owner {
    servers: Vec<(Handle<ServerTxn>, Message)>,
    /// Client transactions by the order they were opened: handle, whether INVITE, final answers.
    clients: Vec<(Handle<ClientTxn>, bool, usize)>,
    sent: Vec<Bytes>,
    opens: Vec<Token>,
    streams: Vec<FlowId>,
    next_flow: u64,
}

impl Owner {
    fn drain(&mut self, endpoint: &mut Endpoint) {
        while let Some(output) = endpoint.poll_output() {
            match output {
                Output::Flow(FlowOutput::Transmit { data, .. }) if self.sent.len() < 64 => {
                    self.sent.push(data)
                }
                Output::Flow(FlowOutput::Open { token, .. }) => self.opens.push(token),
                Output::Flow(FlowOutput::Close { flow }) => self.streams.retain(|known| *known != flow),
                Output::Event(event) => self.event(event),
                _ => {}
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Request { txn, message, .. } => self.servers.push((txn, message)),
            Event::Response { txn, message } if message.status().is_some_and(|s| s >= 200) => self.ended(txn),
            Event::TxnFailed { txn, .. } => self.ended(txn),
            _ => {}
        }
    }

    fn ended(&mut self, txn: Handle<ClientTxn>) {
        let found = self.clients.iter_mut().find(|(known, ..)| *known == txn);
        let Some((_, invite, finals)) = found else { panic!("an answer to nothing") };
        *finals += 1;
        // An INVITE that forked can be answered by several 2xx (RFC 6026).
        assert!(*finals == 1 || *invite, "two final answers");
    }
}

/// A request of a peer with few choices, so that branches and tags meet again.
fn incoming(input: &mut Input<'_>, transport: &str) -> Bytes {
    let method = METHODS[input.below(METHODS.len())];
    let (branch, cseq, tag) = (input.below(4), input.below(2) + 1, input.below(3));
    let tag = ["", ";tag=b", ";tag=c"][tag];
    Bytes::from(format!(
        "{method} sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/{transport} 192.0.2.2:5060;branch=z9hG4bK{branch};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@example.test>;tag=a\r\nTo: <sip:bob@example.test>{tag}\r\n\
         Call-ID: c{branch}\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
    ))
}

/// Feeds an endpoint requests, responses, commands, flow changes, time and raw bytes in any order.
///
/// # Panics
/// When a transaction ends twice or never, a limit does not hold, or tables are not empty at rest.
pub fn txn_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let mut now = start();
    let mut endpoint = Endpoint::new(config(), [3; 32]);
    let mut owner = Owner { next_flow: 2, ..Owner::default() };
    let _ = endpoint.handle_input(now, SipInput::Flow(up(UDP, Transport::Udp, None, None, 1)));
    for _ in 0..400 {
        if input.is_empty() {
            break;
        }
        operation(&mut input, &mut endpoint, &mut now, &mut owner);
        owner.drain(&mut endpoint);
        let stats = endpoint.stats();
        assert!(stats.server_txns + stats.client_txns <= 24 + 24);
        assert_eq!(stats.outputs, 0);
    }
    pass(&mut endpoint, &mut now, Duration::from_secs(2_000), |endpoint, _| owner.drain(endpoint));
    for token in std::mem::take(&mut owner.opens) {
        let failed = FlowInput::OpenFailed { token, reason: FlowDown::TimedOut };
        let _ = endpoint.handle_input(now, SipInput::Flow(failed));
    }
    owner.drain(&mut endpoint);
    for flow in owner.streams.clone() {
        let _ = endpoint.handle_input(now, SipInput::Flow(FlowInput::Down { flow, reason: FlowDown::Reset }));
    }
    pass(&mut endpoint, &mut now, Duration::from_secs(2_000), |endpoint, _| owner.drain(endpoint));
    assert!(endpoint.is_quiescent(), "{:?}", endpoint.stats());
    for (_, _, finals) in &owner.clients {
        assert!(*finals >= 1, "a request without an end");
    }
}

fn operation(input: &mut Input<'_>, endpoint: &mut Endpoint, now: &mut Now, owner: &mut Owner) {
    let feed = |endpoint: &mut Endpoint, flow: FlowInput| {
        let _ = endpoint.handle_input(*now, SipInput::Flow(flow));
    };
    match input.byte() % 12 {
        0 | 1 => {
            let data = incoming(input, "UDP");
            feed(endpoint, FlowInput::Datagram { flow: UDP, from: address(2), data });
        }
        2 => {
            let data = incoming(input, "TCP");
            let Some(flow) = owner.streams.get(input.below(owner.streams.len())).copied() else { return };
            feed(endpoint, FlowInput::Stream { flow, data });
        }
        3 => {
            // The answer to something we sent, perhaps to something long gone.
            let Some(sent) = owner.sent.get(input.below(owner.sent.len())).cloned() else { return };
            let Ok(request) = Message::parse(sent, &Limits::default()) else { return };
            let mut head = Head::response_to(&request, STATUSES[input.below(STATUSES.len())], "Fuzz");
            let _ = head.to_tag(["x", "y"][input.below(2)]);
            let data = head.write();
            let flow = owner.streams.get(input.below(8)).copied();
            match flow {
                Some(flow) if input.below(2) == 0 => feed(endpoint, FlowInput::Stream { flow, data }),
                _ => feed(endpoint, FlowInput::Datagram { flow: UDP, from: address(2), data }),
            }
        }
        4 | 5 => {
            let method = [Method::Message, Method::Invite, Method::Options][input.below(3)];
            let target = if input.below(2) == 0 { Target::udp(address(2)) } else { Target::tcp(address(3)) };
            if let Ok(txn) = endpoint.request(*now, outgoing(method), target) {
                owner.clients.push((txn, method == Method::Invite, 0));
            }
        }
        6 => {
            let Some((txn, message)) = owner.servers.get(input.below(owner.servers.len())) else { return };
            let head = Head::response_to(message, STATUSES[input.below(STATUSES.len())], "Fuzz");
            let _ = endpoint.respond(*now, *txn, head);
        }
        7 => {
            let Some((txn, ..)) = owner.clients.get(input.below(owner.clients.len())) else { return };
            let _ = endpoint.cancel(*now, *txn);
        }
        8 => {
            let Some((txn, _)) = owner.servers.get(input.below(owner.servers.len())) else { return };
            let _ = endpoint.abandon(*txn);
        }
        9 => {
            let span = Duration::from_millis(1 << input.below(18));
            pass(endpoint, now, span, |endpoint, _| owner.drain(endpoint));
        }
        10 => flows(input, endpoint, *now, owner),
        _ => {
            let (pick, data) = (input.below(4), owned(input.piece()));
            match owner.streams.get(pick).copied() {
                Some(flow) => feed(endpoint, FlowInput::Stream { flow, data }),
                None => feed(endpoint, FlowInput::Datagram { flow: UDP, from: address(2), data }),
            }
        }
    }
}

/// Answers a connection attempt, accepts a stream or loses one.
fn flows(input: &mut Input<'_>, endpoint: &mut Endpoint, now: Now, owner: &mut Owner) {
    let flow = FlowId(owner.next_flow);
    let change = match input.byte() % 4 {
        0 => {
            let Some(token) = owner.opens.pop() else { return };
            owner.next_flow += 1;
            owner.streams.push(flow);
            up(flow, Transport::Tcp, Some(3), Some(token), 1)
        }
        1 => {
            let Some(token) = owner.opens.pop() else { return };
            FlowInput::OpenFailed { token, reason: FlowDown::Refused }
        }
        2 => {
            owner.next_flow += 1;
            owner.streams.push(flow);
            up(flow, Transport::Tcp, Some(2), None, 1)
        }
        _ => {
            let Some(flow) = owner.streams.pop() else { return };
            FlowInput::Down { flow, reason: FlowDown::Reset }
        }
    };
    let _ = endpoint.handle_input(now, SipInput::Flow(change));
}

/// Two endpoints and what flies between them, by arrival.
struct Pair<'a> {
    ends: [Endpoint; 2],
    now: Now,
    fates: Input<'a>,
    flying: BTreeMap<(Duration, u64), (usize, Bytes)>,
    number: u64,
    lossless: bool,
    /// At the server: how often each Call-ID was given to the owner.
    seen: BTreeMap<String, usize>,
    /// At the client: answers to each request.
    finals: BTreeMap<usize, usize>,
    failures: usize,
    handles: Vec<Handle<ClientTxn>>,
}

/// Requests from one endpoint to another; the bytes decide what is sent and what the link does to each packet.
///
/// # Panics
/// When a request has no or two results, a server sees one twice, anything fails over a link that loses nothing,
/// or tables are not empty at rest.
pub fn endpoint_pair(data: &[u8]) {
    let mut input = Input::new(data);
    let lossless = input.byte().is_multiple_of(4);
    let count = input.below(6) + 1;
    let plan = input.take(count);
    let mut now = start();
    let mut ends = [1, 2].map(|seed| Endpoint::new(Config::default(), [seed; 32]));
    for (end, local) in ends.iter_mut().zip([1, 2]) {
        let _ = end.handle_input(now, SipInput::Flow(up(UDP, Transport::Udp, None, None, local)));
    }
    now = now.after(Duration::from_millis(1));
    let mut pair = Pair {
        ends,
        now,
        fates: input,
        flying: BTreeMap::new(),
        number: 0,
        lossless,
        seen: BTreeMap::new(),
        finals: BTreeMap::new(),
        failures: 0,
        handles: Vec::new(),
    };
    for kind in plan {
        let method = [Method::Message, Method::Invite, Method::Options][usize::from(*kind) % 3];
        let sent = pair.ends[0].request(pair.now, outgoing(method), Target::udp(address(2)));
        pair.handles.push(sent.unwrap_or_else(|e| panic!("{e}")));
        pair.outputs();
    }
    pair.run();
    for end in &pair.ends {
        assert!(end.is_quiescent(), "{:?}", end.stats());
    }
    for index in 0..pair.handles.len() {
        assert_eq!(pair.finals.get(&index), Some(&1), "request {index} has not one result");
    }
    assert!(pair.seen.values().all(|times| *times == 1), "a request was given out twice");
    if lossless {
        assert_eq!((pair.failures, pair.seen.len()), (0, pair.handles.len()));
    }
}

impl Pair<'_> {
    fn run(&mut self) {
        for turn in 0.. {
            assert!(turn < 50_000, "the pair never comes to rest");
            self.outputs();
            let arrival = self.flying.keys().next().map(|(at, _)| *at);
            let timers = self.ends.iter().filter_map(|end| end.poll_timeout().map(|(at, _)| at)).min();
            let timer = timers.map(|at| self.now.unix + at.saturating_duration_since(self.now.mono));
            let Some(next) = arrival.into_iter().chain(timer).min() else { return };
            self.now = self.now.after(next.saturating_sub(self.now.unix));
            while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= self.now.unix) {
                let (end, data) = entry.remove();
                let from = address(if end == 0 { 2 } else { 1 });
                let datagram = FlowInput::Datagram { flow: UDP, from, data };
                let _ = self.ends[end].handle_input(self.now, SipInput::Flow(datagram));
            }
            for end in &mut self.ends {
                while end.handle_timeout(self.now, 16) {}
            }
        }
    }

    fn outputs(&mut self) {
        for end in 0..2 {
            while let Some(output) = self.ends[end].poll_output() {
                match output {
                    Output::Flow(FlowOutput::Transmit { data, .. }) => self.fly(1 - end, &data),
                    Output::Event(event) => self.event(event),
                    _ => {}
                }
            }
        }
    }

    /// The next byte says what becomes of a packet; when none is left it arrives at once.
    fn fly(&mut self, to: usize, data: &Bytes) {
        let fate = self.fates.byte();
        let copies = match fate % 8 {
            1 | 2 if !self.lossless => 0,
            3 => 2,
            _ => 1,
        };
        for copy in 0..copies {
            let delay = Duration::from_millis(u64::from(fate >> 3) * 10 * (copy + 1) + 1);
            self.flying.insert((self.now.unix + delay, self.number), (to, data.clone()));
            self.number += 1;
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Request { txn, message, .. } => {
                let call = message.call_id().unwrap_or("").to_owned();
                *self.seen.entry(call).or_default() += 1;
                let status = if message.method() == Some(Method::Invite) { 486 } else { 200 };
                let answered =
                    self.ends[1].respond(self.now, txn, Head::response_to(&message, status, "Fuzz"));
                assert_eq!(answered, Ok(()));
            }
            Event::Response { txn, message } if message.status().is_some_and(|s| s >= 200) => {
                self.ended(txn, false)
            }
            Event::TxnFailed { txn, .. } => self.ended(txn, true),
            _ => {}
        }
    }

    fn ended(&mut self, txn: Handle<ClientTxn>, failed: bool) {
        let index = self.handles.iter().position(|known| *known == txn);
        let Some(index) = index else { panic!("a result for nothing") };
        *self.finals.entry(index).or_default() += 1;
        self.failures += usize::from(failed);
    }
}
