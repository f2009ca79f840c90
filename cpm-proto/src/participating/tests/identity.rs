//! Who a message is from (design threats 7.1, 7.2 and 4.5).

use super::world::*;
use cpm_base::{FlowId, Transport};
use cpm_sip::HeaderId;
use std::net::SocketAddr;

const ALICE: &str = "<sip:alice@example.test>";
const BOB: &str = "<sip:bob@example.test>";
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

fn draft(from: &str, extra: &str) -> Draft {
    let mut draft = text("carol", "m1");
    draft.from = Some(from.into());
    draft.headers.push_str(extra);
    draft
}

/// What carol's Device sees as the asserted sender, or the status alice got.
fn outcome(
    world: &mut World,
    alice: &mut Device,
    carol: &Device,
    draft: &Draft,
) -> Result<Option<String>, u16> {
    match alice.message(world, draft) {
        Some(response) => Err(response.status().unwrap()),
        None => {
            let request = carol.one(world);
            Ok(request.header(HeaderId::PAssertedIdentity).map(str::to_owned))
        }
    }
}

// test: CONV-PF-004, CONV-SEC-007, CONV-PM-030
#[test]
fn matrix_of_names_and_untrusted_sources() {
    let own = Ok(Some(ALICE.to_owned()));
    let spoof = format!("P-Asserted-Identity: {BOB}\r\n");
    let table = [
        // From, further fields -> asserted to the recipient, or status
        (ALICE, String::new(), own.clone()),
        ("<sip:alice@EXAMPLE.test:5060;transport=udp>", String::new(), own.clone()),
        (BOB, String::new(), Err(403)),
        ("<sip:alice@elsewhere.test>", String::new(), Err(403)),
        ("<sip:alice@example.test.evil.test>", String::new(), Err(403)),
        (ALICE, spoof.clone(), own.clone()),
        (BOB, spoof, Err(403)),
        (ALICE, format!("P-Preferred-Identity: {ALICE}\r\n"), own.clone()),
        (ALICE, format!("P-Preferred-Identity: {BOB}\r\n"), Err(403)),
        (BOB, format!("P-Preferred-Identity: {ALICE}\r\n"), Err(403)),
        (ANONYMOUS, format!("P-Preferred-Identity: {ALICE}\r\n"), Ok(None)),
        (ANONYMOUS, format!("P-Preferred-Identity: {BOB}\r\n"), Err(403)),
        (ALICE, "P-Served-User: <sip:bob@example.test>;sescase=orig\r\n".to_owned(), own),
    ];
    for tcp in [false, true] {
        for (from, extra, expected) in &table {
            let mut world = World::new();
            let mut alice = match tcp {
                false => Device::udp("alice", 5061),
                true => Device::tcp(&mut world, "alice", 5061),
            };
            let mut carol = Device::udp("carol", 5062);
            alice.register(&mut world);
            carol.register(&mut world);
            let draft = draft(from, extra);
            assert_eq!(
                outcome(&mut world, &mut alice, &carol, &draft),
                *expected,
                "tcp {tcp}, {from} {extra}"
            );
        }
    }
}

// test: CONV-PF-012
#[test]
fn what_a_sender_asserts_of_others_does_not_pass() {
    let mut world = World::new();
    let (mut alice, mut carol) = (Device::udp("alice", 5061), Device::udp("carol", 5062));
    carol.register(&mut world);
    let extra = format!(
        "P-Asserted-Identity: {BOB}\r\nP-Served-User: {BOB}\r\nReferred-By: {BOB}\r\nHistory-Info: {BOB};index=1\r\nP-Access-Network-Info: secret\r\nP-Charging-Vector: icid-value=1\r\n"
    );
    assert!(alice.message(&mut world, &draft(ALICE, &extra)).is_none());
    let request = carol.one(&mut world);
    let raw = String::from_utf8_lossy(request.raw()).into_owned();
    assert!(!raw.contains("bob"), "{raw}");
    for gone in
        ["P-Served-User", "Referred-By", "History-Info", "P-Access-Network", "P-Charging", "Authorization"]
    {
        assert!(!raw.contains(gone), "{gone}: {raw}");
    }
}

// test: CONV-BODY-004
#[test]
fn the_sender_inside_cpim_must_be_the_sender() {
    for (from, accepted) in [
        ("<sip:anonymous@anonymous.invalid>", true),
        ("Alice <sip:alice@example.test>", true),
        ("<sip:bob@example.test>", false),
        ("<sip:alice@elsewhere.test>", false),
    ] {
        let mut world = World::new();
        let (mut alice, mut carol) = (Device::udp("alice", 5061), Device::udp("carol", 5062));
        carol.register(&mut world);
        let mut draft = text("carol", "m1");
        let body = String::from_utf8(draft.body).unwrap();
        draft.body =
            body.replacen("From: <sip:anonymous@anonymous.invalid>", &format!("From: {from}"), 1).into();
        let response = alice.message(&mut world, &draft);
        assert_eq!(response.map(|response| response.status().unwrap()), (!accepted).then_some(403), "{from}");
    }
}

// test: RFC3261-22.3
#[test]
fn a_message_over_udp_is_challenged_with_407_and_over_its_own_stream_is_not() {
    let mut world = World::new();
    let mut alice = Device::udp("alice", 5061);
    alice.register(&mut world);
    let bare = Draft { credentials: false, ..text("carol", "m1") };
    let response = alice.message(&mut world, &bare).unwrap();
    assert_eq!(response.status(), Some(407));
    let challenges: Vec<&str> = response.headers(HeaderId::ProxyAuthenticate).collect();
    assert_eq!(challenges.len(), 2);
    assert!(challenges[0].contains("SHA-256"));
    let mut tcp = Device::tcp(&mut world, "alice", 5070);
    assert_eq!(tcp.message(&mut world, &bare).unwrap().status(), Some(407), "not registered over it");
    tcp.register(&mut world);
    assert_eq!(tcp.message(&mut world, &bare).unwrap().status(), Some(202));
    tcp.unregister(&mut world);
    let again = Draft { body: cpim("m2", "", "Content-Type: text/plain\r\n\r\nx"), ..bare };
    assert_eq!(tcp.message(&mut world, &again).unwrap().status(), Some(407), "no longer");
}

#[test]
fn a_stream_of_one_user_does_not_speak_for_another() {
    let mut world = World::new();
    let mut mallory = Device::tcp(&mut world, "carol", 5070);
    mallory.register(&mut world);
    let draft = Draft { credentials: false, from: Some(ALICE.into()), ..text("bob", "m1") };
    assert_eq!(mallory.status(&mut world, &draft), 403);
    assert_eq!(world.stats().identity_refused, 1);
}

#[test]
fn credentials_cannot_be_used_twice() {
    let mut world = World::new();
    let mut alice = Device::udp("alice", 5061);
    let first = alice.message(&mut world, &text("bob", "m1")).unwrap();
    assert_eq!(first.status(), Some(202));
    let replay = alice.last.clone().replace("z9hG4bKtest", "z9hG4bKagain").replace("Call-ID: ", "Call-ID: x");
    alice.send(&mut world, replay);
    let response = alice.response(&mut world).unwrap();
    assert_eq!(response.status(), Some(407));
    assert!(response.header(HeaderId::ProxyAuthenticate).unwrap().contains("stale=true"));
}

// test: CONV-SEC-007
#[test]
fn a_trusted_peer_asserts_whom_it_likes() {
    let table = [
        (Some(BOB), ALICE, BOB),
        (Some("<tel:+12025550111>, <sip:bob@example.test>"), ALICE, BOB),
        (None, BOB, BOB),
        (Some("<sip:dave@elsewhere.test>"), ALICE, "<sip:dave@elsewhere.test>"),
    ];
    for (asserted, from, expected) in table {
        let mut world = World::new();
        let mut carol = Device::udp("carol", 5062);
        carol.register(&mut world);
        let core: SocketAddr = "203.0.113.1:5060".parse().unwrap();
        let flow: FlowId = world.new_stream(core, true);
        let mut peer = Device::udp("alice", 5060);
        (peer.flow, peer.addr, peer.transport) = (flow, core, Transport::Tcp);
        let extra = asserted.map(|value| format!("P-Asserted-Identity: {value}\r\n")).unwrap_or_default();
        let draft = Draft { credentials: false, ..draft(from, &extra) };
        assert!(peer.message(&mut world, &draft).is_none(), "{asserted:?}");
        let request = carol.one(&mut world);
        assert_eq!(request.header(HeaderId::PAssertedIdentity), Some(expected));
    }
}

#[test]
fn unknown_recipients_are_told_only_to_those_who_have_proven_who_they_are() {
    let mut world = World::new();
    let mut alice = Device::udp("alice", 5061);
    let bare = Draft { credentials: false, ..text("nobody", "m1") };
    assert_eq!(alice.status(&mut world, &bare), 407);
    assert_eq!(alice.status(&mut world, &text("nobody", "m1")), 404);
    let foreign = Draft { to: "sip:dave@elsewhere.test".into(), ..text("bob", "m1") };
    assert_eq!(alice.status(&mut world, &foreign), 404);
}

#[test]
fn guessing_passwords_gets_slow() {
    let mut world = World::new();
    let mut mallory = Device::udp("bob", 5062);
    let lines = mallory.contact_line();
    for guess in 0..20 {
        mallory.password(&format!("guess {guess}"));
        assert_eq!(mallory.send_register(&mut world, &lines).unwrap().status(), Some(401));
        assert_eq!(mallory.send_register(&mut world, &lines).unwrap().status(), Some(401));
    }
    mallory.password("secret");
    assert_eq!(mallory.send_register(&mut world, &lines).unwrap().status(), Some(401), "asking is free");
    let response = mallory.send_register(&mut world, &lines).unwrap();
    assert_eq!(response.status(), Some(503));
    assert!(response.header(HeaderId::RetryAfter).is_some());
    world.advance(secs(61));
    mallory.password("secret");
    assert_eq!(mallory.register_with(&mut world, &lines).status(), Some(200));
}

// test: RFC3261-8.2.7
#[test]
fn a_challenge_costs_no_memory() {
    let mut world = World::new();
    let mut alice = Device::udp("alice", 5061);
    for _ in 0..100 {
        let bare = Draft { credentials: false, ..text("bob", "m1") };
        assert_eq!(alice.status(&mut world, &bare), 407);
    }
    assert_eq!(world.node.sip_stats().server_txns, 0);
    assert!(world.node.is_quiescent());
}
