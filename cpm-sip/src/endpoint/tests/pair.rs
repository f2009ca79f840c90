//! Two endpoints in virtual time over a link that loses, doubles, delays and reorders.

use super::*;
use crate::endpoint::{Event, Target};
use crate::txn::TxnFailure;
use cpm_base::Rng;
use std::collections::BTreeMap;

/// What the link does, in percent, and how long a packet may take.
#[derive(Clone, Copy)]
struct Link {
    loss: u64,
    double: u64,
    delay_ms: u64,
}

struct Pair {
    ends: [Endpoint; 2],
    now: Now,
    start: Instant,
    rng: Rng,
    link: Link,
    /// By arrival and number: destination end and octets.
    flying: BTreeMap<(Duration, u64), (usize, Bytes)>,
    number: u64,
    /// Requests seen by the server, answers and failures seen by the client.
    requests: usize,
    finals: Vec<u16>,
    failed: usize,
    acks: usize,
    status: u16,
}

fn place(end: usize) -> SocketAddr {
    addr(if end == 0 { "192.0.2.1:5060" } else { "192.0.2.2:5060" })
}

impl Pair {
    fn new(seed: u8, link: Link, status: u16) -> Self {
        let start = Instant::now();
        let now = Now { mono: start, unix: Duration::from_secs(1_700_000_000) };
        let mut ends = [1, 2].map(|end| Endpoint::new(Config::default(), [seed ^ (end << 4); 32]));
        for (end, endpoint) in ends.iter_mut().enumerate() {
            let info = FlowInfo {
                transport: Transport::Udp,
                local: place(end),
                remote: None,
                accepted: false,
                trusted: false,
            };
            let up = FlowInput::Up { flow: UDP, opened: None, info: Box::new(info) };
            endpoint.handle_input(now, Input::Flow(up)).unwrap();
            endpoint.poll_output();
        }
        Self {
            ends,
            now,
            start,
            rng: Rng::new([seed; 32]),
            link,
            flying: BTreeMap::new(),
            number: 0,
            requests: 0,
            finals: Vec::new(),
            failed: 0,
            acks: 0,
            status,
        }
    }

    fn send(&mut self, method: Method<'_>) {
        self.ends[0].request(self.now, outgoing(method), Target::udp(place(1))).unwrap();
    }

    fn run(&mut self) {
        for _ in 0..200_000 {
            self.take_outputs();
            let packet = self.flying.keys().next().map(|(at, _)| self.start + *at);
            let timers = self.ends.iter().filter_map(|end| end.poll_timeout().map(|(at, _)| at));
            let Some(next) = timers.chain(packet).min() else { return };
            self.now = self.now.after(next.saturating_duration_since(self.now.mono));
            for end in &mut self.ends {
                end.handle_timeout(self.now, 64);
            }
            while let Some(entry) = self.flying.first_entry() {
                if self.start + entry.key().0 > self.now.mono {
                    break;
                }
                let (to, data) = entry.remove();
                let input = FlowInput::Datagram { flow: UDP, from: place(1 - to), data };
                self.ends[to].handle_input(self.now, Input::Flow(input)).unwrap();
            }
        }
        panic!("no end");
    }

    fn take_outputs(&mut self) {
        for end in 0..2 {
            while let Some(output) = self.ends[end].poll_output() {
                match output {
                    Output::Flow(FlowOutput::Transmit { to: Some(to), data, .. }) => {
                        assert_eq!(to, place(1 - end));
                        self.fly(1 - end, data);
                    }
                    Output::Event(Event::Request { txn, message, .. }) => {
                        self.requests += 1;
                        let head = Head::response_to(&message, self.status, "");
                        self.ends[end].respond(self.now, txn, head).unwrap();
                    }
                    Output::Event(Event::Response { message, .. }) => {
                        self.finals.extend(message.status().filter(|status| *status >= 200));
                    }
                    Output::Event(Event::TxnFailed { why: TxnFailure::Timeout, .. }) => self.failed += 1,
                    Output::Event(Event::Ack { .. }) => self.acks += 1,
                    Output::Event(Event::TxnEnded { .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn fly(&mut self, to: usize, data: Bytes) {
        let copies = 1 + usize::from(self.rng.below(100) < self.link.double);
        for _ in 0..copies {
            if self.rng.below(100) < self.link.loss {
                continue;
            }
            let delay = ms(1 + self.rng.below(self.link.delay_ms));
            let at = self.now.mono.duration_since(self.start) + delay;
            self.number += 1;
            self.flying.insert((at, self.number), (to, data.clone()));
        }
    }
}

const BAD: Link = Link { loss: 30, double: 20, delay_ms: 400 };

/// The server sees each request once and the client one final answer, or none and a timeout.
// test: RFC3261-17
#[test]
fn messages_over_a_bad_link() {
    let mut answered = 0;
    for seed in 0..30 {
        let mut pair = Pair::new(seed, BAD, 200);
        for _ in 0..20 {
            pair.send(Method::Message);
        }
        pair.run();
        assert_eq!(pair.finals.len() + pair.failed, 20, "seed {seed}");
        assert!(pair.finals.iter().all(|status| *status == 200));
        assert!(pair.requests >= pair.finals.len() && pair.requests <= 20, "seed {seed}: each request once");
        assert!(pair.ends.iter().all(Endpoint::is_quiescent), "seed {seed}");
        answered += pair.finals.len();
    }
    assert!(answered > 590, "eleven tries get through a third of loss: {answered}");
}

// test: RFC3261-17
#[test]
fn rejected_invites_over_a_bad_link() {
    for seed in 0..30 {
        let mut pair = Pair::new(seed, BAD, 486);
        for _ in 0..5 {
            pair.send(Method::Invite);
        }
        pair.run();
        assert_eq!(pair.finals.len() + pair.failed, 5, "seed {seed}");
        assert!(pair.requests <= 5 && pair.acks == 0, "seed {seed}");
        assert!(pair.ends.iter().all(Endpoint::is_quiescent), "seed {seed}");
    }
}

#[test]
fn dead_link_ends_in_timeouts() {
    let mut pair = Pair::new(1, Link { loss: 100, double: 0, delay_ms: 1 }, 200);
    pair.send(Method::Message);
    pair.send(Method::Invite);
    pair.run();
    assert_eq!((pair.failed, pair.requests), (2, 0));
    assert_eq!(pair.now.mono.duration_since(pair.start), Duration::from_secs(32));
}

/// Same seed and inputs, same octets.
#[test]
fn runs_repeat_exactly() {
    let run = |seed| {
        let mut pair = Pair::new(seed, BAD, 200);
        let mut wire = Vec::new();
        pair.send(Method::Message);
        pair.send(Method::Invite);
        pair.take_outputs();
        wire.extend(pair.flying.values().map(|(_, data)| data.clone()));
        pair.run();
        (wire, pair.now.mono.duration_since(pair.start), pair.number)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).0, run(8).0);
}
