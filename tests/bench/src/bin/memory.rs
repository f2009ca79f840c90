//! Heap bytes held by one server transaction and by one idle registration, counted.

use cpm_base::{FlowId, FlowInfo, FlowInput, FlowMachine, FlowOutput, Machine, Now, Transport};
use cpm_bench::load::{DOMAIN, PASSWORD, recipient};
use cpm_bench::trips::{Ours, sipx};
use cpm_proto::effect::Effect;
use cpm_proto::store::engine::StoreEngine;
use cpm_proto::store::mem::MemStore;
use cpm_proto::{Config, Input, Node, Rest, ServerConfig, UserSecret};
use cpm_sip::auth::{Authenticator, Role, Secret};
use cpm_sip::{Limits, MessageView};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Transactions held.
const TRANSACTIONS: usize = 100_000;

/// Users registered.
const USERS: usize = 5_000;

fn main() {
    println!("### Heap bytes held\n");
    println!("| what | bytes each |");
    println!("|---|---:|");
    for (answered, state) in [(false, "not answered yet"), (true, "answered, waiting for timer J")] {
        let region = Region::new(HEAP);
        let mut ours = Ours::default();
        ours.hold(TRANSACTIONS, answered);
        ours.forget_client();
        assert_eq!(ours.held(), TRANSACTIONS);
        line(&format!("server transaction, {state}: cpm-sip"), held(&region), TRANSACTIONS);
        drop(ours);
        let region = Region::new(HEAP);
        let mut theirs = sipx::Peers::default();
        theirs.hold(TRANSACTIONS, answered);
        theirs.forget_client();
        assert_eq!(theirs.held(), TRANSACTIONS);
        line(&format!("server transaction, {state}: sipx-sip 1.0.1"), held(&region), TRANSACTIONS);
    }
    registrations();
}

fn line(name: &str, bytes: usize, count: usize) {
    println!("| {name} | {:.0} |", bytes as f64 / count as f64);
}

/// Bytes on the heap since the region began.
fn held(region: &Region<'_, System>) -> usize {
    let change = region.change();
    let grown =
        change.bytes_allocated as isize - change.bytes_deallocated as isize + change.bytes_reallocated;
    grown.max(0) as usize
}

/// A node with a store that answers at once, and one UDP socket.
struct Bed {
    node: Node,
    store: MemStore,
    now: Now,
    sent: Vec<bytes::Bytes>,
}

const FLOW: FlowId = FlowId(1);

impl Bed {
    fn new() -> Self {
        let user = |n| UserSecret { address: recipient(n), password: Secret::new(PASSWORD) };
        let users = (0..USERS).map(user).collect();
        let server = ServerConfig { domains: vec![DOMAIN.to_owned()], users, ..ServerConfig::default() };
        let mut config = Config { server: Some(server), ..Config::default() };
        config.sip.limits.transactions_per_source = 1_000_000;
        let now = Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let mut bed =
            Self { node: Node::new(config, [5; 32]), store: MemStore::new(), now, sent: Vec::new() };
        bed.node.start(now);
        bed.settle();
        let info = FlowInfo {
            transport: Transport::Udp,
            local: SocketAddr::from(([192, 0, 2, 2], 5060)),
            remote: None,
            accepted: false,
            trusted: false,
        };
        bed.input(FlowInput::Up { flow: FLOW, opened: None, info: Box::new(info) });
        bed
    }

    fn input(&mut self, input: FlowInput) {
        self.node.handle_input(self.now, input.into()).expect("taken");
        self.settle();
    }

    /// Carries out all outputs; the store answers at once.
    fn settle(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match Node::split(output) {
                Ok(FlowOutput::Transmit { data, .. }) => self.sent.push(data),
                Err(Rest::Effect(Effect::Store { token, batch, .. })) => {
                    let result = self.store.apply(self.now, &batch);
                    self.node.handle_input(self.now, Input::Stored { token, result }).expect("taken");
                }
                _ => {}
            }
        }
    }

    fn register(&mut self, n: usize) {
        let from = SocketAddr::from(([192, 0, 2, 1], 1024 + u16::try_from(n).expect("a port")));
        let mut credentials = Authenticator::new(format!("r{n}"), Secret::new(PASSWORD), None);
        let mut rng = cpm_base::Rng::new([9; 32]);
        for cseq in 1..=2 {
            let values = credentials.authorize("REGISTER", &format!("sip:{DOMAIN}"), b"");
            let value =
                values.iter().find(|value| value.role == Role::Server).map(|value| value.value.as_str());
            let data = cpm_bench::load::register(n, cseq, from, value).into();
            self.input(FlowInput::Datagram { flow: FLOW, from, data });
            let answer = self.sent.pop().expect("an answer");
            let answer = MessageView::parse(&answer, &Limits::default()).expect("a response");
            if answer.status() == Some(200) {
                return;
            }
            let challenges = answer.www_authenticate().filter_map(Result::ok);
            credentials.challenged(&mut rng, Role::Server, challenges).expect("a challenge");
        }
        panic!("not registered");
    }

    /// Half a minute later all transactions have ended.
    fn wait(&mut self) {
        self.now = self.now.after(Duration::from_secs(40));
        while self.node.handle_timeout(self.now, 256) {
            self.settle();
        }
        self.settle();
        self.sent = Vec::new();
    }
}

fn registrations() {
    let mut bed = Bed::new();
    bed.register(0);
    bed.wait();
    let (region, stored) = (Region::new(HEAP), bed.store.bytes());
    for n in 1..USERS {
        bed.register(n);
        // A few at a time, so that the tables of transactions under way do not grow for good.
        if n % 50 == 0 {
            bed.wait();
        }
    }
    bed.wait();
    let bytes = held(&region);
    let stored = bed.store.bytes() - stored;
    line("idle registration: node and memory engine", bytes, USERS - 1);
    line("- of it keys and values in the memory engine", stored as usize, USERS - 1);
}
