//! Nobody can exhaust the node.

use super::world::*;
use crate::Config;

fn with(change: impl FnOnce(&mut crate::Limits)) -> Config {
    let mut config = config();
    change(&mut config.limits);
    config
}

#[test]
fn messages_under_way_per_sender_at_n_minus_1_n_and_n_plus_1() {
    let mut world = World::with(with(|limits| limits.exchanges_per_user = 2));
    let (mut alice, mut bob, mut carol) =
        (Device::udp("alice", 5061), Device::udp("bob", 5062), Device::udp("carol", 5063));
    bob.register(&mut world);
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    assert!(alice.message(&mut world, &text("bob", "m2")).is_none());
    assert_eq!(alice.status(&mut world, &text("bob", "m3")), 503);
    assert!(carol.message(&mut world, &text("bob", "m4")).is_none(), "others are not affected");
    bob.accept(&mut world);
    assert_eq!(alice.response(&mut world).unwrap().status(), Some(200));
    assert!(alice.message(&mut world, &text("bob", "m3")).is_none());
}

#[test]
fn messages_under_way_at_n_minus_1_n_and_n_plus_1() {
    let mut world = World::with(with(|limits| limits.exchanges = 2));
    let (mut alice, mut bob, mut carol) =
        (Device::udp("alice", 5061), Device::udp("bob", 5062), Device::udp("carol", 5063));
    bob.register(&mut world);
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    assert!(carol.message(&mut world, &text("bob", "m2")).is_none());
    assert_eq!(alice.status(&mut world, &text("bob", "m3")), 503);
}

// test: CONV-PM-015
#[test]
fn waiting_for_one_device_at_n_minus_1_n_and_n_plus_1() {
    let mut world = World::with(with(|limits| limits.gate_queue = 2));
    let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    bob.register(&mut world);
    for id in ["on its way", "m1", "m2"] {
        let id = id.replace(' ', "-");
        assert!(alice.message(&mut world, &text("bob", &id)).is_none());
    }
    assert_eq!(alice.status(&mut world, &text("bob", "m3")), 202, "deferred instead");
}

#[test]
fn effects_at_n_minus_1_n_and_n_plus_1() {
    let mut world = World::with(with(|limits| limits.effects = 2));
    let mut alice = Device::udp("alice", 5061);
    world.hold = true;
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    assert!(alice.message(&mut world, &text("carol", "m2")).is_none());
    assert_eq!(alice.status(&mut world, &text("bob", "m3")), 503);
    assert_eq!(world.stats().effects, 2);
    world.hold = false;
    world.release();
    assert_eq!(alice.response(&mut world).unwrap().status(), Some(202));
    assert_eq!(alice.status(&mut world, &text("bob", "m3")), 202);
}

#[test]
fn retries_that_wait_are_bounded() {
    let mut world = World::new();
    let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    bob.register(&mut world);
    for _ in 0..4 {
        assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    }
    assert_eq!(alice.status(&mut world, &text("bob", "m1")), 503);
    bob.accept(&mut world);
    let answers = world.responses.iter().filter(|packet| packet.message.status() == Some(200)).count();
    assert_eq!(answers, 4);
}

#[test]
fn outputs_that_wait_stop_the_reading() {
    let mut world = World::with(with(|limits| limits.outputs = 1));
    let alice = Device::udp("alice", 5061);
    use cpm_base::{FlowInput, FlowMachine, Machine};
    let options = |n: u32| {
        let text = format!(
            "OPTIONS sip:example.test SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\nFrom: <sip:a@b.test>;tag=r\r\nTo: <sip:example.test>\r\nCall-ID: c{n}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
            alice.addr
        );
        crate::Input::Flow(FlowInput::Datagram { flow: UDP, from: alice.addr, data: text.into() })
    };
    assert!(world.node.wants_read(UDP));
    world.node.handle_input(world.now, options(1)).unwrap();
    assert!(!world.node.wants_read(UDP));
    world.node.handle_input(world.now, options(2)).unwrap();
    assert_eq!(world.stats().dropped_datagrams, 1);
    world.drain();
    assert!(world.node.wants_read(UDP));
}

#[test]
fn answers_nobody_waits_for_are_reported_and_change_nothing() {
    use cpm_base::{Machine, Token};
    let mut world = World::new();
    for token in [0, 1, u64::MAX] {
        let answer = crate::Input::Stored { token: Token(token), result: Ok(Vec::new()) };
        assert!(world.node.handle_input(world.now, answer).is_err());
    }
    assert!(world.node.is_quiescent());
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let run = || {
        let mut world = World::new();
        let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
        alice.register(&mut world);
        assert_eq!(alice.status(&mut world, &text("bob", "m1")), 202);
        bob.register(&mut world);
        world.advance(secs(40));
        let bytes: Vec<_> = world.requests.iter().map(|packet| packet.message.raw().clone()).collect();
        assert!(!bytes.is_empty());
        bytes
    };
    assert_eq!(run(), run());
}
