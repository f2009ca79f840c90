//! The story with real client accounts: what one half says, the other half understands.

use super::world::config;
use crate::client::{Outgoing, User, Want};
use crate::effect::Effect;
use crate::store::engine::StoreEngine;
use crate::store::mem::MemStore;
use crate::{Account, ClientEvent, Config, Direction, Event, Input, Node, Output, Secret};
use cpm_base::{FlowDown, FlowId, FlowInfo, FlowInput, FlowOutput, Handle, Machine, Now, Rng, Transport};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const FLOW: FlowId = FlowId(1);

struct Host {
    node: Node,
    addr: SocketAddr,
    user: Option<Handle<User>>,
    events: Vec<ClientEvent>,
}

/// A server and clients on a datagram network without faults.
pub(super) struct Net {
    now: Now,
    store: MemStore,
    hosts: Vec<Host>,
    rng: Rng,
    /// Percentages of packets lost and repeated.
    loss: u64,
    repeat: u64,
    /// Hosts without a network.
    cut: BTreeSet<usize>,
}

fn server_addr() -> SocketAddr {
    "192.0.2.1:5060".parse().unwrap()
}

impl Net {
    pub(super) fn new() -> Self {
        let now = Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let rng = Rng::new([3; 32]);
        let (store, hosts, cut) = (MemStore::new(), Vec::new(), BTreeSet::new());
        let mut net = Self { now, store, hosts, rng, loss: 0, repeat: 0, cut };
        net.host(Node::new(config(), [1; 32]), server_addr());
        net.hosts[0].node.start(now);
        net.settle();
        net
    }

    fn up(now: Now, node: Node, addr: SocketAddr) -> Host {
        let mut host = Host { node, addr, user: None, events: Vec::new() };
        let info = FlowInfo {
            transport: Transport::Udp,
            local: addr,
            remote: None,
            accepted: false,
            trusted: false,
        };
        let up = FlowInput::Up { flow: FLOW, opened: None, info: Box::new(info) };
        host.node.handle_input(now, Input::Flow(up)).unwrap();
        host
    }

    fn host(&mut self, node: Node, addr: SocketAddr) -> usize {
        self.hosts.push(Self::up(self.now, node, addr));
        self.hosts.len() - 1
    }

    pub(super) fn device(&mut self, user: &str, port: u16) -> usize {
        let addr = SocketAddr::new("198.51.100.7".parse().unwrap(), port);
        let index = self.host(Node::new(Config::default(), [port as u8; 32]), addr);
        let account = Account::new(
            format!("sip:{user}@example.test"),
            Secret::new("secret"),
            server_addr(),
            Transport::Udp,
            format!("urn:uuid:00000000-0000-4000-8000-{port:012}"),
        );
        let (now, host) = (self.now, &mut self.hosts[index]);
        host.node.start(now);
        host.user = Some(host.node.add_account(now, account).unwrap());
        self.settle();
        index
    }

    /// Carries packets and store answers until nothing is on its way.
    fn settle(&mut self) {
        loop {
            let mut packets = Vec::new();
            for host in &mut self.hosts {
                while let Some(output) = host.node.poll_output() {
                    match output {
                        Output::Flow(FlowOutput::Transmit { to: Some(to), data, .. }) => {
                            packets.push((host.addr, to, data));
                        }
                        Output::Effect(Effect::Store { token, durability, batch, .. }) => {
                            let result = self.store.apply(self.now, &batch);
                            self.store.sync(durability).unwrap();
                            host.node.handle_input(self.now, Input::Stored { token, result }).unwrap();
                        }
                        Output::Flow(FlowOutput::Open { token, .. }) => {
                            // Nobody listens for streams here.
                            let failed = FlowInput::OpenFailed { token, reason: FlowDown::Refused };
                            host.node.handle_input(self.now, Input::Flow(failed)).unwrap();
                        }
                        Output::Event(Event::Client { event, .. }) => host.events.push(event),
                        _ => {}
                    }
                }
            }
            if packets.is_empty() {
                return;
            }
            for (from, to, data) in packets {
                let times = match self.rng.below(100) {
                    draw if draw < self.loss => 0,
                    draw if draw < self.loss + self.repeat => 2,
                    _ => 1,
                };
                let cut = |addr| {
                    self.hosts
                        .iter()
                        .position(|host| host.addr == addr)
                        .is_some_and(|at| self.cut.contains(&at))
                };
                let times = if cut(from) || cut(to) { 0 } else { times };
                for host in self.hosts.iter_mut().filter(|host| host.addr == to) {
                    for _ in 0..times {
                        let data = data.clone();
                        let _ = host.node.handle_input(
                            self.now,
                            Input::Flow(FlowInput::Datagram { flow: FLOW, from, data }),
                        );
                    }
                }
            }
        }
    }

    pub(super) fn advance(&mut self, by: Duration) {
        let end = self.now.mono + by;
        loop {
            let next = self.hosts.iter().filter_map(|host| host.node.poll_timeout()).map(|(at, _)| at).min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.after(at.saturating_duration_since(self.now.mono));
            for host in &mut self.hosts {
                host.node.handle_timeout(self.now, 100);
            }
            self.settle();
        }
        self.now = self.now.after(end.saturating_duration_since(self.now.mono));
    }

    fn send(&mut self, host: usize, to: &str, text: &str) -> String {
        let want = Want { delivery: true, display: true };
        let outgoing = Outgoing::text(format!("sip:{to}@example.test"), text).want(want).reference(text);
        let (now, host) = (self.now, &mut self.hosts[host]);
        let id = host.node.client(host.user.unwrap()).send(now, outgoing).unwrap();
        self.settle();
        id
    }

    /// Sends if the account takes it.
    pub(super) fn try_send(&mut self, host: usize, to: &str, text: &str) -> Option<String> {
        let want = Want { delivery: true, display: true };
        let outgoing = Outgoing::text(format!("sip:{to}@example.test"), text).want(want).reference(text);
        let (now, host) = (self.now, &mut self.hosts[host]);
        let id = host.node.client(host.user?).send(now, outgoing).ok();
        self.settle();
        id
    }

    pub(super) fn try_read(&mut self, host: usize, id: &str) {
        let (now, host) = (self.now, &mut self.hosts[host]);
        let _ = host.node.client(host.user.unwrap()).read(now, id);
        self.settle();
    }

    pub(super) fn faults(&mut self, seed: u8, loss: u64, repeat: u64) {
        self.rng = Rng::new([seed; 32]);
        (self.loss, self.repeat) = (loss, repeat);
    }

    pub(super) fn cut(&mut self, host: usize, cut: bool) {
        if cut {
            self.cut.insert(host);
        } else {
            self.cut.remove(&host);
        }
    }

    /// The server dies and starts again.
    pub(super) fn crash_server(&mut self) {
        self.store.crash();
        let seed = self.rng.child_seed();
        self.hosts[0] = Self::up(self.now, Node::new(config(), seed), server_addr());
        self.hosts[0].node.start(self.now);
        self.settle();
    }

    pub(super) fn server(&self) -> &Node {
        &self.hosts[0].node
    }

    /// Records in the store.
    pub(super) fn stored(&self) -> usize {
        self.store.records().count()
    }

    fn read(&mut self, host: usize, id: &str) {
        let (now, host) = (self.now, &mut self.hosts[host]);
        host.node.client(host.user.unwrap()).read(now, id).unwrap();
        self.settle();
    }

    pub(super) fn unregister(&mut self, host: usize) {
        let (now, host) = (self.now, &mut self.hosts[host]);
        host.node.client(host.user.unwrap()).unregister(now).unwrap();
        self.settle();
    }

    pub(super) fn events(&mut self, host: usize) -> Vec<ClientEvent> {
        std::mem::take(&mut self.hosts[host].events)
    }
}

fn bob(events: &[ClientEvent], id: &str, displayed: bool) -> usize {
    let by = "sip:bob@example.test".to_owned();
    let wanted = match displayed {
        true => ClientEvent::Displayed { message_id: id.into(), by },
        false => ClientEvent::Delivered { message_id: id.into(), by },
    };
    events.iter().filter(|event| **event == wanted).count()
}

// test: CONV-PM-032, CONV-PM-041, CONV-IMDN-031
#[test]
fn a_message_is_delivered_copied_and_notified_to_all_devices() {
    let mut net = Net::new();
    let (phone, tablet) = (net.device("alice", 5061), net.device("alice", 5062));
    let (bob1, bob2) = (net.device("bob", 5063), net.device("bob", 5064));
    for host in 1..=4 {
        assert_eq!(net.events(host), [ClientEvent::Registered]);
    }
    let id = net.send(phone, "bob", "hello");
    let events = net.events(phone);
    let accepted = ClientEvent::Accepted { reference: "hello".into(), message_id: id.clone(), status: 200 };
    assert!(events.contains(&accepted), "{events:?}");
    assert_eq!(bob(&events, &id, false), 1, "{events:?}");
    let events = net.events(tablet);
    let [ClientEvent::Message(copy), ..] = &events[..] else { panic!("{events:?}") };
    assert_eq!((copy.direction, copy.to.as_str()), (Direction::Copy, "sip:bob@example.test"));
    assert_eq!(bob(&events, &id, false), 1, "{events:?}");
    for host in [bob1, bob2] {
        let events = net.events(host);
        let [ClientEvent::Message(message), ..] = &events[..] else { panic!("{events:?}") };
        assert_eq!(
            (message.message_id.as_str(), message.direction, message.deferred),
            (&*id, Direction::In, false)
        );
        assert_eq!((message.from.as_str(), &message.body[..]), ("sip:alice@example.test", &b"hello"[..]));
    }
    net.read(bob1, &id);
    for host in [phone, tablet] {
        let events = net.events(host);
        assert_eq!((bob(&events, &id, true), bob(&events, &id, false)), (1, 0), "{events:?}");
    }
}

// test: CONV-DF-004, CONV-IMDN-050
#[test]
fn a_message_for_somebody_who_is_away_and_notifications_for_a_sender_who_has_left() {
    let mut net = Net::new();
    let alice = net.device("alice", 5061);
    let id = net.send(alice, "bob", "later");
    let events = net.events(alice);
    let accepted = |event: &ClientEvent| matches!(event, ClientEvent::Accepted { status: 202, .. });
    assert!(events.iter().any(accepted), "{events:?}");
    net.unregister(alice);
    net.advance(Duration::from_secs(60));
    let receiver = net.device("bob", 5063);
    let events = net.events(receiver);
    assert!(events.iter().any(|event| match event {
        ClientEvent::Message(message) => message.deferred && message.message_id == id,
        _ => false,
    }));
    net.read(receiver, &id);
    net.advance(Duration::from_secs(60));
    let again = net.device("alice", 5065);
    let _ = net.events(again);
    net.unregister(receiver);
    net.unregister(again);
    net.advance(Duration::from_secs(120));
    assert!(net.hosts[0].node.is_quiescent(), "{:?}", net.hosts[0].node.stats());
}
