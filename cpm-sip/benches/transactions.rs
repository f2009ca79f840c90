//! Non-INVITE round trips through two endpoints in memory: request written, parsed, answered, answer written,
//! parsed, matched, and every timer of both transactions armed and fired.

use cpm_base::{FlowId, FlowInfo, FlowInput, FlowOutput, Machine, Now, Transport};
use cpm_sip::endpoint::{Config, Endpoint, Event, Input, Output, Target};
use cpm_sip::{Head, HeaderId, Method};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const FLOW: FlowId = FlowId(1);

struct Pair {
    client: Endpoint,
    server: Endpoint,
    now: Now,
    transport: Transport,
    places: [SocketAddr; 2],
    body: &'static [u8],
}

impl Pair {
    fn new(transport: Transport, body: &'static [u8]) -> Self {
        let now = Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let places = [SocketAddr::from(([192, 0, 2, 1], 5060)), SocketAddr::from(([192, 0, 2, 2], 5060))];
        let mut config = Config::default();
        config.trusted.insert(places[0].ip());
        let mut pair = Self {
            client: Endpoint::new(Config::default(), [1; 32]),
            server: Endpoint::new(config, [2; 32]),
            now,
            transport,
            places,
            body,
        };
        for (end, here, there) in
            [(&mut pair.client, places[0], places[1]), (&mut pair.server, places[1], places[0])]
        {
            let remote = transport.is_reliable().then_some(there);
            let info = FlowInfo { transport, local: here, remote, accepted: false, trusted: false };
            let up = FlowInput::Up { flow: FLOW, opened: None, info: Box::new(info) };
            end.handle_input(now, Input::Flow(up)).expect("flow up");
            end.poll_output();
        }
        pair
    }

    fn request(&self) -> Head {
        let mut head = Head::request(Method::Message, "sip:bob@example.test").expect("head");
        head.push(HeaderId::From, "<sip:alice@example.test>").expect("From");
        head.push(HeaderId::To, "<sip:bob@example.test>").expect("To");
        head.body("message/cpim", self.body).expect("body");
        head
    }

    fn carry(from: &mut Endpoint, to: &mut Endpoint, now: Now, source: SocketAddr, stream: bool) {
        while let Some(output) = from.poll_output() {
            if let Output::Flow(FlowOutput::Transmit { data, .. }) = output {
                let input = if stream {
                    FlowInput::Stream { flow: FLOW, data }
                } else {
                    FlowInput::Datagram { flow: FLOW, from: source, data }
                };
                to.handle_input(now, Input::Flow(input)).expect("input");
            }
        }
    }

    fn round_trip(&mut self) {
        self.now = self.now.after(Duration::from_millis(10));
        self.client.handle_timeout(self.now, 256);
        self.server.handle_timeout(self.now, 256);
        let target = Target { transport: self.transport, remote: self.places[1], flow: Some(FLOW) };
        let head = self.request();
        self.client.request(self.now, head, target).expect("request");
        let stream = self.transport.is_reliable();
        Self::carry(&mut self.client, &mut self.server, self.now, self.places[0], stream);
        let Some(Output::Event(Event::Request { txn, message, .. })) = self.server.poll_output() else {
            panic!("no request")
        };
        self.server.respond(self.now, txn, Head::response_to(&message, 200, "OK")).expect("respond");
        Self::carry(&mut self.server, &mut self.client, self.now, self.places[1], stream);
        let answered = matches!(self.client.poll_output(), Some(Output::Event(Event::Response { .. })));
        assert!(answered, "no response");
    }
}

fn transactions(c: &mut Criterion) {
    let mut group = c.benchmark_group("non_invite_round_trip");
    group.throughput(Throughput::Elements(1));
    let body: &'static [u8] = &[b'x'; 700];
    for (name, transport, body) in [
        ("udp", Transport::Udp, &[][..]),
        ("tcp", Transport::Tcp, &[][..]),
        ("udp_1kB", Transport::Udp, body),
    ] {
        let mut pair = Pair::new(transport, body);
        // 32 s of round trips fill the tables to their steady state.
        for _ in 0..4_000 {
            pair.round_trip();
        }
        group.bench_function(name, |b| b.iter(|| pair.round_trip()));
        pair.now = pair.now.after(Duration::from_secs(60));
        while pair.client.handle_timeout(pair.now, 1024) || pair.server.handle_timeout(pair.now, 1024) {}
        assert!(pair.client.is_quiescent() && pair.server.is_quiescent());
    }
    group.finish();
}

criterion_group!(benches, transactions);
criterion_main!(benches);
