//! Registering and delivering.

use super::world::*;
use cpm_sip::HeaderId;

// test: CONV-PM-033, CONV-PM-041, CONV-PF-010, CONV-PF-011, CONV-PF-030, CONV-PF-045, CONV-TAG-010, CONV-TAG-012,
// test: CONV-HDR-012
#[test]
fn a_message_reaches_the_recipient_and_its_answer_the_sender() {
    let mut world = World::new();
    let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    alice.register(&mut world);
    bob.register(&mut world);
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none(), "no answer before a Device has it");
    let request = bob.one(&mut world);
    assert_eq!(request.request_uri(), Some(bob.contact().as_str()));
    assert_eq!(request.from().unwrap().uri().to_string(), "sip:alice@example.test");
    assert_eq!(request.to().unwrap().uri().to_string(), "sip:bob@example.test");
    assert_eq!(request.header(HeaderId::MaxForwards), Some("69"));
    assert_eq!(request.header(HeaderId::PAssertedIdentity), Some("<sip:alice@example.test>"));
    assert_eq!(
        request.header(HeaderId::PAssertedService),
        Some("urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg")
    );
    assert_eq!(request.header(HeaderId::ConversationId), Some("7c9e6679-7425-40de-944b-e07fc1f90ae7"));
    assert_eq!(request.header(HeaderId::ProxyAuthorization), None);
    assert_eq!(request.header(HeaderId::PPreferredService), None);
    let constraints: Vec<&str> = request.headers(HeaderId::AcceptContact).collect();
    let instance = bob.instance.clone().unwrap();
    assert_eq!(
        constraints,
        [
            format!("*;+g.3gpp.icsi-ref=\"{MSG}\";require;explicit"),
            format!("*;+sip.instance=\"<{instance}>\";require;explicit")
        ]
    );
    assert_eq!(request.body(), text("bob", "m1").body);
    bob.answer(&mut world, &request, 200);
    let response = alice.response(&mut world).unwrap();
    assert_eq!(response.status(), Some(200));
    assert_eq!(response.header(HeaderId::ConversationId), Some("7c9e6679-7425-40de-944b-e07fc1f90ae7"));
    assert_eq!(response.header(HeaderId::Contact), None);
    assert!(response.body().is_empty());
}

/// Alice with one Device, bob with two.
fn three() -> (World, Device, Device, Device) {
    let mut world = World::new();
    let (mut alice, mut bob, mut tablet) =
        (Device::udp("alice", 5061), Device::udp("bob", 5062), Device::udp("bob", 5063));
    alice.register(&mut world);
    bob.register(&mut world);
    tablet.register(&mut world);
    (world, alice, bob, tablet)
}

// test: CONV-PM-041, CONV-PF-041, CONV-PF-044
#[test]
fn every_device_gets_it_and_the_first_2xx_answers() {
    let (mut world, mut alice, bob, tablet) = three();
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    tablet.accept(&mut world);
    assert_eq!(alice.response(&mut world).unwrap().status(), Some(200));
    let late = bob.one(&mut world);
    bob.answer(&mut world, &late, 480);
    assert!(alice.response(&mut world).is_none(), "one answer only");
    assert_eq!(world.stats().exchanges, 0);
}

// test: CONV-PF-042, CONV-PF-043, CONV-PM-044, CONV-PM-047, CONV-ERR-002
#[test]
fn answers_of_all_devices_are_weighed() {
    let table = [
        ([480, 486], 202),
        ([408, 503], 202),
        ([407, 480], 202),
        ([415, 415], 415),
        ([480, 415], 415),
        ([603, 480], 603),
        ([603, 200], 200),
        ([403, 404], 403),
        ([500, 480], 500),
    ];
    for (answers, expected) in table {
        let (mut world, mut alice, bob, tablet) = three();
        assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
        for (device, status) in [&bob, &tablet].into_iter().zip(answers) {
            let request = device.one(&mut world);
            device.answer(&mut world, &request, status);
        }
        assert_eq!(alice.response(&mut world).unwrap().status(), Some(expected), "{answers:?}");
    }
}

// test: CONV-PM-047, CONV-DF-014
#[test]
fn silence_is_decided_after_15_seconds_and_a_late_2xx_ends_the_deferral() {
    let mut world = World::new();
    let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    alice.register(&mut world);
    bob.register(&mut world);
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    let request = bob.take(&mut world).remove(0);
    world.advance(secs(14));
    assert!(alice.response(&mut world).is_none(), "not yet");
    world.advance(secs(1));
    assert_eq!(alice.response(&mut world).unwrap().status(), Some(202));
    assert_eq!(world.stats().deferred, 1);
    bob.take(&mut world);
    bob.answer(&mut world, &request, 200);
    assert_eq!(world.stats().deferred, 0);
    assert_eq!(world.store.records().filter(|(key, _, _)| key[18] == 0x21).count(), 0, "gone for good");
    bob.restarted();
    bob.register(&mut world);
    bob.none(&mut world);
}

// test: CONV-PM-032, CONV-PF-031, CONV-PF-032, CONV-IMDN-013
#[test]
fn other_devices_of_the_sender_get_a_recognisable_copy() {
    let mut world = World::new();
    let (mut phone, mut tablet, mut bob) =
        (Device::udp("alice", 5061), Device::udp("alice", 5063), Device::udp("bob", 5062));
    let mut plain = Device::plain("alice", 5064);
    for device in [&mut phone, &mut tablet, &mut bob, &mut plain] {
        device.register(&mut world);
    }
    assert!(phone.message(&mut world, &text("bob", "m1")).is_none());
    tablet.none(&mut world);
    bob.accept(&mut world);
    assert_eq!(phone.response(&mut world).unwrap().status(), Some(200));
    let copy = tablet.accept(&mut world);
    assert_eq!(copy.from().unwrap().uri().to_string(), "sip:alice@example.test");
    assert_eq!(copy.to().unwrap().uri().to_string(), "sip:bob@example.test");
    assert_eq!(copy.header(HeaderId::PAssertedIdentity), Some("<sip:alice@example.test>"));
    assert_eq!(copy.header(HeaderId::ContributionId), Some("4b6f0c42-2f5e-4f0d-9ed6-000000000002"));
    let body = copy.body();
    let body = std::str::from_utf8(&body).unwrap();
    assert!(body.contains("From: <sip:alice@example.test>\r\nTo: <sip:bob@example.test>\r\n"), "{body}");
    assert!(body.contains("imdn.Message-ID: m1\r\n") && body.contains("DateTime: 2020-09-07T10:00:00Z\r\n"));
    assert!(!body.contains("Disposition-Notification"));
    phone.none(&mut world);
    plain.none(&mut world);
}

#[test]
fn a_refused_message_is_not_copied() {
    let mut world = World::new();
    let (mut phone, mut tablet) = (Device::udp("alice", 5061), Device::udp("alice", 5063));
    phone.register(&mut world);
    tablet.register(&mut world);
    assert_eq!(phone.status(&mut world, &text("nobody", "m1")), 404);
    tablet.none(&mut world);
}

// test: CONV-PM-018
#[test]
fn a_message_to_oneself_reaches_every_other_device_once() {
    let mut world = World::new();
    let (mut phone, mut tablet) = (Device::udp("alice", 5061), Device::udp("alice", 5063));
    phone.register(&mut world);
    assert_eq!(phone.status(&mut world, &text("alice", "m0")), 480, "nobody else there");
    tablet.register(&mut world);
    assert!(phone.message(&mut world, &text("alice", "m1")).is_none());
    tablet.accept(&mut world);
    assert_eq!(phone.response(&mut world).unwrap().status(), Some(200));
    tablet.none(&mut world);
    phone.none(&mut world);
}

// test: CONV-PM-015
#[test]
fn one_message_at_a_time_to_a_device_in_order() {
    let (mut world, mut alice, bob, tablet) = three();
    for id in ["m1", "m2", "m3"] {
        assert!(alice.message(&mut world, &text("bob", id)).is_none());
    }
    for id in ["m1", "m2", "m3"] {
        let request = bob.one(&mut world);
        let body = request.body();
        assert!(String::from_utf8_lossy(&body).contains(&format!("imdn.Message-ID: {id}\r\n")));
        bob.answer(&mut world, &request, 200);
        tablet.accept(&mut world);
    }
    assert_eq!(world.stats().exchanges, 0);
}

// test: CONV-TAG-014
#[test]
fn no_fork_reaches_one_device() {
    let (mut world, mut alice, bob, tablet) = three();
    let mut draft = text("bob", "m1");
    draft.headers.push_str("Request-Disposition: no-fork\r\n");
    assert!(alice.message(&mut world, &draft).is_none());
    assert_eq!(bob.take(&mut world).len() + tablet.take(&mut world).len(), 1);
}

// test: CONV-PM-014, CONV-DF-014
#[test]
fn a_retry_gets_the_same_outcome_and_is_not_delivered_twice() {
    let (mut world, mut alice, bob, tablet) = three();
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none(), "waits with the first");
    bob.accept(&mut world);
    tablet.accept(&mut world);
    let finals = world.responses.iter().filter(|packet| packet.message.status() == Some(200)).count();
    assert_eq!(finals, 2, "both transactions are answered");
    world.responses.clear();
    assert_eq!(alice.status(&mut world, &text("bob", "m1")), 200);
    bob.none(&mut world);
    world.crash();
    assert_eq!(alice.status(&mut world, &text("bob", "m1")), 200, "also after a restart");
    bob.none(&mut world);
}

#[test]
fn the_same_message_id_of_another_sender_is_another_message() {
    let (mut world, mut alice, bob, tablet) = three();
    let mut carol = Device::udp("carol", 5069);
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    bob.accept(&mut world);
    tablet.accept(&mut world);
    assert!(carol.message(&mut world, &text("bob", "m1")).is_none());
    bob.accept(&mut world);
}

// test: CONV-PF-040
#[test]
fn only_suitable_devices_are_asked() {
    let mut world = World::new();
    let (mut alice, mut session) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    session.tags = ";+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session\"".into();
    alice.register(&mut world);
    session.register(&mut world);
    assert_eq!(
        alice.status(&mut world, &text("bob", "m1")),
        202,
        "deferred: a session client takes no message"
    );
    session.none(&mut world);
    let mut plain = Device::plain("bob", 5065);
    plain.register(&mut world);
    let got = plain.accept(&mut world);
    let body = String::from_utf8(got.body().to_vec()).unwrap();
    assert!(body.contains("From: <sip:alice@example.test>\r\n"), "a plain client compares this: {body}");
    assert!(body.contains("To: <sip:bob@example.test>\r\n"), "{body}");
    session.none(&mut world);
}

// test: CONV-REG-004, CONV-GEN-021
#[test]
fn a_device_that_registered_twice_gets_it_once() {
    let mut world = World::new();
    let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    alice.register(&mut world);
    bob.register(&mut world);
    bob.restarted();
    bob.addr.set_port(6062);
    bob.register(&mut world);
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    bob.accept(&mut world);
    assert!(world.requests.is_empty());
}

// test: CONV-PF-090
#[test]
fn a_private_sender_is_not_shown() {
    let (mut world, mut alice, bob, _tablet) = three();
    let mut draft = text("bob", "m1");
    draft.headers.push_str("Privacy: id\r\nReply-To: <sip:alice@example.test>\r\nOrganization: alice\r\n");
    assert!(alice.message(&mut world, &draft).is_none());
    let request = bob.one(&mut world);
    assert!(!String::from_utf8_lossy(request.raw()).contains("alice"), "{:?}", request.raw());
    assert_eq!(request.from().unwrap().uri().to_string(), "sip:anonymous@anonymous.invalid");
}

// test: CONV-GEN-024
#[test]
fn who_registered_over_udp_gets_large_messages_over_udp() {
    for restart in [false, true] {
        let (mut world, mut alice, bob, _tablet) = three();
        if restart {
            world.crash();
        }
        let mut draft = text("bob", "m1");
        draft.body.extend(std::iter::repeat_n(b'x', 5000));
        assert!(alice.message(&mut world, &draft).is_none());
        assert_eq!(bob.accept(&mut world).body().len(), draft.body.len());
    }
}

#[test]
fn a_stream_that_breaks_before_the_answer_defers_and_the_next_one_delivers() {
    let mut world = World::new();
    let mut alice = Device::udp("alice", 5061);
    let mut bob = Device::tcp(&mut world, "bob", 5062);
    alice.register(&mut world);
    bob.register(&mut world);
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    bob.one(&mut world);
    world.flow_down(bob.flow);
    assert_eq!(alice.response(&mut world).unwrap().status(), Some(202));
    let mut again = Device::tcp(&mut world, "bob", 5063);
    again.instance = bob.instance.clone();
    again.register(&mut world);
    again.accept(&mut world);
    assert_eq!(world.stats().deferred, 0);
}

#[test]
fn a_private_sender_must_not_show_itself_inside_either() {
    let (mut world, mut alice, bob, _tablet) = three();
    let mut draft = text("bob", "m1");
    draft.headers.push_str("Privacy: id\r\n");
    let body = String::from_utf8(draft.body).unwrap();
    draft.body = body.replacen("sip:anonymous@anonymous.invalid", "sip:alice@example.test", 1).into();
    assert_eq!(alice.status(&mut world, &draft), 403);
    bob.none(&mut world);
}

#[test]
fn one_message_id_with_two_contents_is_two_messages() {
    let mut world = World::new();
    let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    let other = |id: &str| {
        let body = String::from_utf8(text("bob", id).body).unwrap().replace("hello", "something else");
        Draft { body: body.into(), ..text("bob", id) }
    };
    assert_eq!(alice.status(&mut world, &text("bob", "m1")), 202);
    assert_eq!(alice.status(&mut world, &other("m1")), 202);
    assert_eq!(alice.status(&mut world, &other("m1")), 202, "a retry");
    assert_eq!(world.stats().deferred, 2);
    world.crash();
    assert_eq!(world.stats().deferred, 2);
    bob.register(&mut world);
    assert_eq!(bob.accept(&mut world).body(), text("bob", "m1").body);
    assert_eq!(bob.accept(&mut world).body(), other("m1").body);
    bob.none(&mut world);
    assert!(alice.message(&mut world, &text("bob", "m2")).is_none());
    bob.accept(&mut world);
    assert_eq!(alice.response(&mut world).unwrap().status(), Some(200));
    assert!(alice.message(&mut world, &other("m2")).is_none());
    bob.accept(&mut world);
}
