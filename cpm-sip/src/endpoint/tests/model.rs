//! Any order of operations against a model so plain that it can be read beside the RFC: it looks at every
//! transaction every 100 ms and knows nothing of tables, timers or keys.

use super::*;
use crate::endpoint::{ClientTxn, Event, ServerTxn, Target};
use crate::txn::TxnFailure;
use cpm_base::Handle;
use proptest::prelude::*;
use std::collections::BTreeMap;

const PEER: &str = "192.0.2.2:5060";

#[derive(Clone, Copy, Debug)]
enum Op {
    /// The peer sends request `n`, again or for the first time; odd ones are INVITEs.
    Request(u8),
    /// The peer acknowledges it.
    Ack(u8),
    /// The owner answers it.
    Respond(u8, u16),
    /// We send request `n`; odd ones are INVITEs.
    Send(u8),
    /// The peer answers it.
    Answer(u8, u16),
    /// Tenths of a second pass.
    Wait(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let status = prop_oneof![Just(100u16), Just(180), Just(200), Just(202), Just(404), Just(503)];
    prop_oneof![
        3 => (0u8..4).prop_map(Op::Request),
        1 => (0u8..4).prop_map(Op::Ack),
        2 => (0u8..4, status.clone()).prop_map(|(n, status)| Op::Respond(n, status)),
        2 => (0u8..4).prop_map(Op::Send),
        3 => (0u8..4, status).prop_map(|(n, status)| Op::Answer(n, status)),
        3 => (1u8..60).prop_map(Op::Wait),
    ]
}

/// A server transaction of the model.
#[derive(Clone, Debug, Default)]
struct Served {
    invite: bool,
    began: u64,
    /// What was sent last, and when a final response was first.
    last: Option<u16>,
    done: Option<u64>,
    acked: Option<u64>,
    next_copy: u64,
    gap: u64,
}

/// A client transaction of the model.
#[derive(Clone, Debug, Default)]
struct Asked {
    invite: bool,
    began: u64,
    rang: bool,
    last: Option<u16>,
    done: u64,
    next_copy: u64,
    gap: u64,
}

#[derive(Default)]
struct Model {
    now: u64,
    served: BTreeMap<u8, Served>,
    asked: BTreeMap<u8, Asked>,
    seen: Vec<String>,
}

impl Model {
    fn see(&mut self, what: String) {
        self.seen.push(what);
    }

    fn request(&mut self, n: u8) {
        let invite = n % 2 == 1;
        let Some(txn) = self.served.get(&n) else {
            self.served.insert(n, Served { invite, began: self.now, ..Served::default() });
            return self.see(format!("request {n}"));
        };
        let accepted = invite && txn.done.is_some() && txn.last.is_some_and(|status| status < 300);
        if let (Some(status), false, None) = (txn.last, accepted, txn.acked) {
            self.see(format!("sent {n} {status}"));
        }
    }

    fn ack(&mut self, n: u8) {
        let now = self.now;
        match self.served.get_mut(&n) {
            Some(txn) if txn.invite => match (txn.done, txn.last) {
                (Some(_), Some(200..=299)) => self.see(format!("ack {n}")),
                (Some(_), _) if txn.acked.is_none() => txn.acked = Some(now),
                _ => {}
            },
            _ => self.see(format!("ack {n}")),
        }
    }

    fn respond(&mut self, n: u8, status: u16) -> bool {
        let now = self.now;
        let Some(txn) = self.served.get_mut(&n) else { return false };
        if !txn.invite && status == 180 {
            return false;
        }
        let again = txn.invite && status / 100 == 2 && txn.last.is_some_and(|last| last / 100 == 2);
        if txn.done.is_some() && !again {
            return false;
        }
        txn.last = Some(status);
        if status >= 200 && txn.done.is_none() {
            (txn.done, txn.gap, txn.next_copy) = (Some(now), 500, now + 500);
        }
        self.see(format!("sent {n} {status}"));
        true
    }

    fn send(&mut self, n: u8) -> bool {
        if self.asked.contains_key(&n) {
            return false;
        }
        let (invite, now) = (n % 2 == 1, self.now);
        let txn = Asked { invite, began: now, gap: 500, next_copy: now + 500, ..Asked::default() };
        self.asked.insert(n, txn);
        self.see(format!("asked {n}"));
        true
    }

    fn answer(&mut self, n: u8, status: u16) {
        let now = self.now;
        let Some(txn) = self.asked.get_mut(&n) else { return };
        let first = txn.last.is_none();
        let mut seen = Vec::new();
        match (status, txn.last) {
            (..=199, None) => {
                txn.rang = true;
                seen.push(format!("response {n} {status}"));
            }
            (200..=299, Some(200..=299)) if txn.invite => seen.push(format!("response {n} {status}")),
            (300.., Some(300..)) if txn.invite => seen.push(format!("acked {n}")),
            (200.., None) => {
                if txn.invite && status >= 300 {
                    seen.push(format!("acked {n}"));
                }
                seen.push(format!("response {n} {status}"));
            }
            _ => {}
        }
        if first && status >= 200 {
            (txn.last, txn.done) = (Some(status), now);
        }
        self.seen.extend(seen);
    }

    fn tick(&mut self) {
        self.now += 100;
        let now = self.now;
        let mut seen = Vec::new();
        self.served.retain(|n, txn| {
            let trying = if txn.invite { 200 } else { 3500 };
            let Some(done) = txn.done else {
                if txn.last.is_none() && now == txn.began + trying {
                    txn.last = Some(100);
                    seen.push(format!("sent {n} 100"));
                }
                let over = !txn.invite && now == txn.began + 32_000;
                if over {
                    seen.push(format!("ended {n}"));
                }
                return !over;
            };
            let status = txn.last.unwrap_or(0);
            let rejected = txn.invite && status >= 300;
            if rejected && txn.acked.is_none() && now == txn.next_copy && now < done + 32_000 {
                txn.gap = (txn.gap * 2).min(4000);
                txn.next_copy += txn.gap;
                seen.push(format!("sent {n} {status}"));
            }
            match txn.acked {
                Some(acked) => now != acked + 5000,
                None if now == done + 32_000 => {
                    if rejected {
                        seen.push(format!("ended {n}"));
                    }
                    false
                }
                None => true,
            }
        });
        self.asked.retain(|n, txn| {
            if let Some(status) = txn.last {
                let linger = if txn.invite { 32_000 } else { 5000 };
                let _ = status;
                return now != txn.done + linger;
            }
            if now == txn.began + 32_000 && !(txn.invite && txn.rang) {
                seen.push(format!("failed {n}"));
                return false;
            }
            if now == txn.next_copy && !(txn.invite && txn.rang) {
                let longest = if txn.invite { u64::MAX } else { 4000 };
                txn.gap = if txn.rang { 4000 } else { (txn.gap * 2).min(longest) };
                txn.next_copy += txn.gap;
                seen.push(format!("asked {n}"));
            }
            true
        });
        self.seen.extend(seen);
    }
}

/// The endpoint, seen the same way.
struct Real {
    bench: Bench,
    served: BTreeMap<u8, (Handle<ServerTxn>, Message)>,
    asked: BTreeMap<u8, (Handle<ClientTxn>, String)>,
    seen: Vec<String>,
}

impl Real {
    fn take(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            let what = match &output {
                Output::Flow(_) => {
                    let text = transmitted(&output).unwrap().1;
                    self.sent(&text)
                }
                Output::Event(Event::Request { txn, message, .. }) => {
                    let n = number(message.call_id().unwrap());
                    self.served.insert(n, (*txn, message.clone()));
                    format!("request {n}")
                }
                Output::Event(Event::Ack { message, .. }) => {
                    format!("ack {}", number(message.call_id().unwrap()))
                }
                Output::Event(Event::TxnEnded { txn }) => {
                    format!("ended {}", self.served.iter().find(|(_, (of, _))| of == txn).unwrap().0)
                }
                Output::Event(Event::Response { txn, message }) => {
                    format!("response {} {}", self.of(*txn), message.status().unwrap())
                }
                Output::Event(Event::TxnFailed { txn, why: TxnFailure::Timeout }) => {
                    format!("failed {}", self.of(*txn))
                }
                other => panic!("{other:?}"),
            };
            self.seen.push(what);
        }
    }

    fn of(&self, txn: Handle<ClientTxn>) -> u8 {
        *self.asked.iter().find(|(_, (of, _))| *of == txn).unwrap().0
    }

    fn sent(&self, text: &str) -> String {
        let message = message(text);
        let call = message.call_id().unwrap();
        match (message.status(), message.method()) {
            (Some(status), _) => format!("sent {} {status}", number(call)),
            (None, Some(Method::Ack)) => format!("acked {}", number(call)),
            _ => format!("asked {}", number(call)),
        }
    }

    fn apply(&mut self, op: Op, allowed: bool) -> bool {
        let now = self.bench.now;
        let mut applied = true;
        match op {
            Op::Request(n) | Op::Ack(n) => {
                let method = match op {
                    Op::Ack(_) => "ACK",
                    _ if n % 2 == 1 => "INVITE",
                    _ => "MESSAGE",
                };
                self.bench.datagram(PEER, request(method, &format!("z9hG4bK{n}"))).unwrap();
            }
            Op::Respond(n, status) => {
                applied = self.served.get(&n).is_some_and(|(txn, message)| {
                    self.bench.endpoint.respond(now, *txn, Head::response_to(message, status, "")).is_ok()
                });
            }
            Op::Send(n) if allowed => {
                let mut head = outgoing(if n % 2 == 1 { Method::Invite } else { Method::Message });
                head.push(HeaderId::CallId, format!("z9hG4bK{n}")).unwrap();
                let txn = self.bench.endpoint.request(now, head, Target::udp(addr(PEER))).unwrap();
                let out = self.bench.drain();
                let text = transmitted(&out[0]).unwrap().1;
                self.asked.insert(n, (txn, text));
                self.take(out);
            }
            Op::Answer(n, status) => {
                if let Some((_, text)) = self.asked.get(&n) {
                    let response = answer(text, status, "");
                    self.bench.datagram(PEER, response).unwrap();
                }
            }
            Op::Send(_) | Op::Wait(_) => {}
        }
        let out = self.bench.drain();
        self.take(out);
        applied
    }
}

fn number(call: &str) -> u8 {
    call.trim_start_matches("z9hG4bK").parse().unwrap()
}

fn sorted(mut seen: Vec<String>) -> Vec<String> {
    seen.sort();
    seen
}

fn check(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    let mut real = Real {
        bench: Bench::udp(Config::default()),
        served: BTreeMap::new(),
        asked: BTreeMap::new(),
        seen: vec![],
    };
    // The end lets everything run out; Timer C and the patience with owners lie beyond it.
    let ops = ops.into_iter().chain((0..7).map(|_| Op::Wait(100)));
    for op in ops {
        if let Op::Wait(tenths) = op {
            for _ in 0..tenths {
                model.tick();
                let out = real.bench.pass(ms(100)).into_iter().map(|(_, output)| output).collect();
                real.take(out);
                let (seen, expected) = (std::mem::take(&mut real.seen), std::mem::take(&mut model.seen));
                prop_assert_eq!(sorted(seen), sorted(expected), "at {} ms", model.now);
            }
            continue;
        }
        let allowed = match op {
            Op::Request(n) => {
                model.request(n);
                true
            }
            Op::Ack(n) => {
                model.ack(n);
                true
            }
            Op::Respond(n, status) => model.respond(n, status),
            Op::Send(n) => model.send(n),
            Op::Answer(n, status) => {
                model.answer(n, status);
                true
            }
            Op::Wait(_) => true,
        };
        let applied = real.apply(op, allowed);
        if matches!(op, Op::Respond(..)) {
            prop_assert_eq!(applied, allowed, "{:?} at {} ms", op, model.now);
        }
        let (seen, expected) = (std::mem::take(&mut real.seen), std::mem::take(&mut model.seen));
        prop_assert_eq!(sorted(seen), sorted(expected), "{:?} at {} ms", op, model.now);
        let stats = real.bench.endpoint.stats();
        prop_assert_eq!((stats.server_txns, stats.client_txns), (model.served.len(), model.asked.len()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    // test: RFC3261-17.1.1.2 RFC3261-17.1.2.2 RFC3261-17.2.1 RFC3261-17.2.2 RFC6026-8.4 RFC6026-8.7 RFC4320-4.1
    #[test]
    fn endpoint_does_what_the_model_does(ops in proptest::collection::vec(op(), 1..40)) {
        check(ops)?;
    }
}
