//! Two SIP endpoints under faults: every request ends in exactly one final response or one failure, reaches its
//! owner at most once, and at rest nothing is left.

mod seeds;

use cpm_base::{Handle, Machine, Now, Transport};
use cpm_sim::{Counts, Handler, HostId, Link, World};
use cpm_sip::endpoint::{ClientTxn, Config, Endpoint, Event, ServerTxn, Target};
use cpm_sip::{Head, HeaderId, Message, Method};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const REQUESTS: usize = 30;

/// How a request of the client side ended.
#[derive(Debug, Default)]
struct Outcome {
    finals: Vec<u16>,
    failures: usize,
}

/// The owner of one endpoint.
#[derive(Debug, Default)]
struct Owner {
    /// Requests that wait for an answer.
    waiting: Vec<(Handle<ServerTxn>, Message)>,
    /// How often the request with this Call-ID came.
    came: BTreeMap<String, usize>,
    outcomes: BTreeMap<Handle<ClientTxn>, Outcome>,
}

impl Handler<Endpoint> for Owner {
    fn rest(&mut self, _now: Now, event: Event) {
        match event {
            Event::Request { txn, message, .. } => {
                let call_id = message.call_id().expect("the endpoint has checked it").to_owned();
                *self.came.entry(call_id).or_default() += 1;
                self.waiting.push((txn, message));
            }
            Event::Response { txn, message } => {
                let status = message.status().expect("a response");
                if status >= 200 {
                    self.outcomes.entry(txn).or_default().finals.push(status);
                }
            }
            Event::TxnFailed { txn, .. } => self.outcomes.entry(txn).or_default().failures += 1,
            Event::TxnEnded { txn } => self.waiting.retain(|(waiting, _)| *waiting != txn),
            _ => {}
        }
    }
}

/// What a run leaves.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    fingerprint: u64,
    counts: Counts,
    failures: usize,
    answers: usize,
}

type Pair = World<Endpoint, Owner>;

fn make(seed: u64, record: bool) -> Pair {
    let mut world = World::new(seed, record);
    for (name, address) in [("a", A), ("b", B)] {
        let ports = [(Transport::Udp, 5060), (Transport::Tcp, 5060)];
        let host = world.add_host(name, address, &ports, Owner::default());
        let endpoint = Endpoint::new(Config::default(), world.rng().child_seed());
        world.start(host, endpoint);
    }
    world
}

fn request(world: &mut Pair, host: HostId, number: usize) {
    let method =
        [Method::Message, Method::Options, Method::Register, Method::Invite][world.rng().below(4) as usize];
    let udp = world.rng().below(2) == 0;
    let body = "x".repeat(world.rng().below(3_000) as usize);
    let mut head = Head::request(method, "sip:bob@192.0.2.2").unwrap();
    head.push(HeaderId::From, "<sip:alice@example.test>").unwrap();
    head.push(HeaderId::To, "<sip:bob@example.test>").unwrap();
    head.push(HeaderId::CallId, format_args!("call-{number}@example.test")).unwrap();
    if method == Method::Invite {
        head.push(HeaderId::Contact, "<sip:alice@192.0.2.1>").unwrap();
    }
    head.body("text/plain", body).unwrap();
    let remote = SocketAddr::new(B, 5060);
    let target = if udp { Target::udp(remote) } else { Target::tcp(remote) };
    let sent = world.command(host, |endpoint, now| endpoint.request(now, head, target));
    let txn = sent.unwrap().expect("nothing stands against this request");
    world.handler_mut(host).outcomes.entry(txn).or_default();
}

/// The owner of b answers some of what waits; a final failure for an INVITE, since nobody here sends ACK for 2xx.
fn answer_some(world: &mut Pair, host: HostId) {
    let waiting = std::mem::take(&mut world.handler_mut(host).waiting);
    for (txn, message) in waiting {
        let chance = world.rng().below(10);
        let invite = message.method() == Some(Method::Invite);
        let status = match chance {
            0..4 => {
                world.handler_mut(host).waiting.push((txn, message));
                continue;
            }
            4 if invite => 180,
            _ if invite => 486,
            5 => 404,
            _ => 200,
        };
        let head = Head::response_to(&message, status, "");
        let answered = world.command(host, |endpoint, now| endpoint.respond(now, txn, head));
        if status < 200 || answered.is_some_and(|answered| answered.is_err()) {
            world.handler_mut(host).waiting.push((txn, message));
        }
    }
}

fn story(world: &mut Pair) -> Run {
    let (a, b) = (HostId::of(0), HostId::of(1));
    let link = Link::swarm(world.rng());
    world.set_links(link);
    for number in 0..REQUESTS {
        request(world, a, number);
        for _ in 0..world.rng().below(20) {
            world.run_for(Duration::from_millis(50));
            answer_some(world, b);
        }
    }
    // Half a minute is the longest a request may take; the owner goes on answering.
    for _ in 0..1_400 {
        world.run_for(Duration::from_millis(50));
        answer_some(world, b);
    }
    world.calm_down();
    world.run_for(Duration::from_secs(300));
    let outcomes = &world.handler(a).outcomes;
    assert_eq!(outcomes.len(), REQUESTS);
    for (txn, outcome) in outcomes {
        assert_eq!(outcome.finals.len() + outcome.failures, 1, "{txn:?}: {outcome:?}");
    }
    for (call_id, times) in &world.handler(b).came {
        assert_eq!(*times, 1, "{call_id} reached its owner more than once");
    }
    for host in [a, b] {
        let endpoint = world.machine(host).unwrap();
        assert!(endpoint.is_quiescent(), "{:?} {:?}", endpoint.stats(), endpoint.poll_timeout());
    }
    let failures = outcomes.values().map(|outcome| outcome.failures).sum();
    Run { fingerprint: world.fingerprint(), counts: world.counts(), failures, answers: REQUESTS - failures }
}

#[test]
fn every_request_ends_once_under_faults() {
    let runs = seeds::each("sip_pair", 100, make, story, |world| world.lines());
    if runs.len() >= 100 {
        let sum = |part: fn(&Run) -> u64| runs.iter().map(part).sum::<u64>();
        let parts = [
            sum(|run| run.counts.lost),
            sum(|run| run.counts.duplicated),
            sum(|run| run.counts.reordered),
            sum(|run| run.counts.resets),
            sum(|run| run.counts.stalls),
            sum(|run| run.counts.unconnected),
            sum(|run| run.failures as u64),
            sum(|run| run.answers as u64),
        ];
        assert!(parts.iter().all(|count| *count > 10), "some fault or end hardly ever happened: {parts:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |seed| story(&mut make(seed, false));
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed));
    }
}
