//! The registrar.

use super::world::*;
use crate::Event;
use crate::store::engine::StoreError;
use cpm_sip::HeaderId;

// test: RFC3261-10.3, RFC3261-22.2, RFC8760-2.4
#[test]
fn without_credentials_sha_256_is_asked_for_before_md5() {
    let mut world = World::new();
    let bob = Device::udp("bob", 5062);
    let text = format!(
        "REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKa\r\nMax-Forwards: 70\r\nFrom: <sip:bob@example.test>;tag=r\r\nTo: <sip:bob@example.test>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n{}Content-Length: 0\r\n\r\n",
        bob.addr,
        bob.contact_line()
    );
    bob.send(&mut world, text);
    let response = bob.response(&mut world).unwrap();
    assert_eq!(response.status(), Some(401));
    let challenges: Vec<&str> = response.headers(HeaderId::WwwAuthenticate).collect();
    assert_eq!(challenges.len(), 2);
    assert!(challenges[0].contains("algorithm=SHA-256") && challenges[1].contains("algorithm=MD5"));
    assert!(
        challenges.iter().all(|value| value.contains("realm=\"example.test\"") && value.contains("qop="))
    );
    assert!(world.store.records().next().is_none());
}

// test: RFC3261-10.3, CONV-REG-003
#[test]
fn registered_means_durable_and_lists_all_contacts() {
    let mut world = World::new();
    let (mut bob, mut tablet) = (Device::udp("bob", 5062), Device::udp("bob", 5063));
    bob.register(&mut world);
    assert_eq!(world.store.records().count(), 1);
    assert_eq!(world.store.unsynced(), 0, "synced before the answer");
    let lines = format!("{}Expires: 600\r\n", tablet.contact_line());
    let response = tablet.register_with(&mut world, &lines);
    assert_eq!(response.status(), Some(200));
    let contacts: Vec<&str> = response.headers(HeaderId::Contact).collect();
    assert_eq!(contacts.len(), 2);
    assert!(contacts.iter().any(|value| value.contains(&tablet.contact()) && value.contains("expires=600")));
    assert_eq!(response.header(HeaderId::PAssociatedUri), Some("<sip:bob@example.test>"));
    let query = tablet.register_with(&mut world, "");
    assert_eq!(query.headers(HeaderId::Contact).count(), 2);
}

// test: RFC3261-10.3
#[test]
fn the_answer_waits_for_the_store() {
    let mut world = World::new();
    let mut bob = Device::udp("bob", 5062);
    let _ = bob.register_with(&mut world, "");
    world.hold = true;
    let lines = format!("{}Expires: 600\r\n", bob.contact_line());
    bob.send_register(&mut world, &lines);
    assert!(bob.response(&mut world).is_none());
    assert_eq!(world.stats().bindings, 0);
    world.release();
    assert_eq!(bob.response(&mut world).unwrap().status(), Some(200));
    assert_eq!(world.stats().bindings, 1);
}

#[test]
fn a_store_that_fails_or_sleeps_is_503() {
    let mut world = World::new();
    let mut bob = Device::udp("bob", 5062);
    let _ = bob.register_with(&mut world, "");
    world.store.fail_applies(1, StoreError::Unavailable { retry: secs(7) });
    let lines = format!("{}Expires: 600\r\n", bob.contact_line());
    let response = bob.register_with(&mut world, &lines);
    assert_eq!((response.status(), response.header(HeaderId::RetryAfter)), (Some(503), Some("7")));
    world.hold = true;
    bob.send_register(&mut world, &lines);
    world.advance(secs(4));
    assert!(bob.response(&mut world).is_none());
    world.advance(secs(1));
    assert_eq!(bob.response(&mut world).unwrap().status(), Some(503));
    world.hold = false;
    world.release();
    bob.register(&mut world);
    assert_eq!(world.stats().bindings, 1);
}

// test: RFC3261-10.3
#[test]
fn two_devices_that_register_at_once_both_stay() {
    let mut world = World::new();
    let (mut bob, mut tablet) = (Device::udp("bob", 5062), Device::udp("bob", 5063));
    let _ = (bob.register_with(&mut world, ""), tablet.register_with(&mut world, ""));
    world.hold = true;
    let lines =
        [bob.contact_line(), tablet.contact_line()].map(|contact| format!("{contact}Expires: 600\r\n"));
    bob.send_register(&mut world, &lines[0]);
    tablet.send_register(&mut world, &lines[1]);
    world.hold = false;
    world.release();
    assert_eq!(bob.response(&mut world).unwrap().status(), Some(200));
    assert_eq!(tablet.response(&mut world).unwrap().status(), Some(200));
    assert_eq!(world.stats().bindings, 2);
}

#[test]
fn nobody_registers_for_somebody_else() {
    let mut world = World::new();
    let mut mallory = Device::udp("carol", 5066);
    mallory.to = Some("sip:bob@example.test".into());
    let response = mallory.register_with(&mut world, &mallory.contact_line());
    assert_eq!(response.status(), Some(403));
    assert_eq!(world.stats().bindings, 0);
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_the_same() {
    for (user, password) in [("bob", "wrong"), ("nobody", "secret")] {
        let mut world = World::new();
        let mut device = Device::udp(user, 5062);
        device.password(password);
        let lines = device.contact_line();
        let first = device.send_register(&mut world, &lines);
        assert_eq!(first.unwrap().status(), Some(401));
        let second = device.send_register(&mut world, &lines);
        assert_eq!(second.unwrap().status(), Some(401));
        assert_eq!(world.stats().auth_failures, 1);
    }
}

// test: RFC3261-10.3
#[test]
fn min_expires_at_n_minus_1_n_and_n_plus_1() {
    for (expires, status) in [(59, 423), (60, 200), (61, 200), (0, 200)] {
        let mut world = World::new();
        let mut bob = Device::udp("bob", 5062);
        let lines = format!("{}Expires: {expires}\r\n", bob.contact_line());
        let response = bob.register_with(&mut world, &lines);
        assert_eq!(response.status(), Some(status), "{expires}");
        if status == 423 {
            assert_eq!(response.header(HeaderId::MinExpires), Some("60"));
        }
    }
}

#[test]
fn binding_limit_at_n_minus_1_n_and_n_plus_1() {
    let mut world = World::new();
    for port in 1..=11 {
        let mut device = Device::udp("bob", 6000 + port);
        let lines = format!("{}Expires: 600\r\n", device.contact_line());
        let expected = if port <= 10 { 200 } else { 503 };
        assert_eq!(device.register_with(&mut world, &lines).status(), Some(expected), "{port}");
    }
    assert_eq!(world.stats().bindings, 10);
}

// test: CONV-REG-010
#[test]
fn leaving_and_expiry_empty_table_and_store() {
    let mut world = World::new();
    let (mut bob, mut tablet) = (Device::udp("bob", 5062), Device::udp("bob", 5063));
    bob.register(&mut world);
    tablet.register(&mut world);
    bob.unregister(&mut world);
    assert_eq!((world.stats().bindings, world.store.records().count()), (1, 1));
    world.advance(secs(3599));
    assert_eq!(world.stats().bindings, 1);
    world.advance(secs(2));
    assert_eq!((world.stats().bindings, world.store.records().count()), (0, 0));
    world.advance(secs(40));
    assert!(world.node.is_quiescent());
}

// test: CONV-PF-095
#[test]
fn a_restart_keeps_udp_bindings_and_drops_streams_and_what_is_over() {
    let mut world = World::new();
    let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    let mut tablet = Device::tcp(&mut world, "bob", 5063);
    let mut short = Device::udp("bob", 5064);
    bob.register(&mut world);
    tablet.register(&mut world);
    let lines = format!("{}Expires: 60\r\n", short.contact_line());
    short.register_with(&mut world, &lines);
    assert_eq!(world.stats().bindings, 3);
    world.now = world.now.after(secs(61));
    world.crash();
    assert!(world.started());
    assert_eq!((world.stats().bindings, world.store.records().count()), (1, 1));
    alice.register(&mut world);
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    bob.accept(&mut world);
}

// test: CONV-REG-009
#[test]
fn bindings_die_with_their_stream() {
    let mut world = World::new();
    let mut bob = Device::tcp(&mut world, "bob", 5063);
    bob.register(&mut world);
    world.flow_down(bob.flow);
    assert_eq!((world.stats().bindings, world.store.records().count()), (0, 0));
    assert!(world.node.is_quiescent());
}

#[test]
fn a_stream_that_dies_while_the_store_is_asked_leaves_nothing() {
    let mut world = World::new();
    let mut bob = Device::tcp(&mut world, "bob", 5063);
    let _ = bob.register_with(&mut world, "");
    world.hold = true;
    let lines = format!("{}Expires: 600\r\n", bob.contact_line());
    bob.send_register(&mut world, &lines);
    world.flow_down(bob.flow);
    world.hold = false;
    world.release();
    assert_eq!((world.stats().bindings, world.store.records().count()), (0, 0));
}

#[test]
fn a_foreign_domain_is_404() {
    let mut world = World::new();
    let bob = Device::udp("bob", 5062);
    let text = format!(
        "REGISTER sip:elsewhere.test SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKa\r\nMax-Forwards: 70\r\nFrom: <sip:bob@elsewhere.test>;tag=r\r\nTo: <sip:bob@elsewhere.test>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n",
        bob.addr
    );
    bob.send(&mut world, text);
    assert_eq!(bob.response(&mut world).unwrap().status(), Some(404));
}

// test: RFC3581-4
#[test]
fn requests_go_where_the_register_came_from() {
    let mut world = World::new();
    let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    alice.register(&mut world);
    // Behind a NAT: the contact names an address nobody can reach.
    let lines = "Contact: <sip:bob@10.0.0.9:5060>\r\nExpires: 600\r\n";
    assert_eq!(bob.register_with(&mut world, lines).status(), Some(200));
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    let request = bob.accept(&mut world);
    assert_eq!(request.request_uri(), Some("sip:bob@10.0.0.9:5060"));
}

// test: CONV-PF-095
#[test]
fn nothing_is_served_before_the_state_is_restored() {
    let mut world = World::new();
    let mut bob = Device::udp("bob", 5062);
    bob.register(&mut world);
    world.crash_with(|store| store.fail_applies(2, StoreError::Unavailable { retry: secs(1) }));
    assert!(!world.started());
    let lines = format!("{}Expires: 600\r\n", bob.contact_line());
    assert!(bob.send_register(&mut world, &lines).is_none(), "dropped, the peer repeats it");
    assert_eq!(world.stats().dropped_datagrams, 1);
    world.advance(secs(3));
    assert!(world.started());
    assert_eq!(world.stats().bindings, 1);
}

#[test]
fn damaged_storage_is_reported_and_nothing_is_served() {
    let mut world = World::new();
    world.crash_with(|store| store.fail_applies(1, StoreError::Corrupt));
    assert!(matches!(world.events[..], [Event::StartFailed { error: StoreError::Corrupt }]));
}
