//! Notifications on their way back.

use super::world::*;

/// Alice with two Devices, bob with two; bob has message m1 of alice on both.
fn delivered_message() -> (World, [Device; 2], [Device; 2]) {
    let mut world = World::new();
    let mut alice = [Device::udp("alice", 5061), Device::udp("alice", 5071)];
    let mut bob = [Device::udp("bob", 5062), Device::udp("bob", 5072)];
    for device in alice.iter_mut().chain(&mut bob) {
        device.register(&mut world);
    }
    assert!(alice[0].message(&mut world, &text("bob", "m1")).is_none());
    for device in &bob {
        device.accept(&mut world);
    }
    alice[1].accept(&mut world);
    world.responses.clear();
    (world, alice, bob)
}

fn says(message: &cpm_sip::Message, what: &str) -> bool {
    String::from_utf8_lossy(&message.body()).contains(&format!("<{what}/>"))
}

/// Bob's Device sends a notification; gives its status if it is answered without alice.
fn send(world: &mut World, bob: &mut Device, draft: &Draft) -> Option<u16> {
    bob.message(world, draft).map(|response| response.status().unwrap())
}

// test: CONV-IMDN-031, CONV-IMDN-064, CONV-IMDN-020
#[test]
fn a_notification_reaches_all_devices_of_the_sender_and_the_others_of_the_reporter() {
    let (mut world, alice, mut bob) = delivered_message();
    assert_eq!(send(&mut world, &mut bob[0], &delivered("alice", "n1", "m1")), None);
    let first = alice[0].accept(&mut world);
    assert!(says(&first, "delivered"));
    assert_eq!(first.from().unwrap().uri().to_string(), "sip:bob@example.test");
    assert!(says(&alice[1].accept(&mut world), "delivered"));
    assert_eq!(bob[0].response(&mut world).unwrap().status(), Some(200));
    let copy = bob[1].accept(&mut world);
    assert!(says(&copy, "delivered"));
    assert_eq!(copy.from().unwrap().uri().to_string(), "sip:bob@example.test");
    assert!(String::from_utf8_lossy(&copy.body()).contains("From: <sip:bob@example.test>\r\n"));
    bob[0].none(&mut world);
}

// test: CONV-IMDN-040, CONV-PF-070
#[test]
fn each_passes_once_per_user_and_delivered_never_after_displayed() {
    let (mut world, alice, mut bob) = delivered_message();
    assert_eq!(send(&mut world, &mut bob[0], &displayed("alice", "n1", "m1")), None);
    for device in &alice {
        assert!(says(&device.accept(&mut world), "displayed"));
    }
    bob[1].accept(&mut world);
    world.responses.clear();
    for (id, draft) in [
        ("n2", delivered("alice", "n2", "m1")),
        ("n3", displayed("alice", "n3", "m1")),
        ("n4", delivered("alice", "n4", "m1")),
    ] {
        assert_eq!(send(&mut world, &mut bob[1], &draft), Some(200), "{id}");
    }
    alice[0].none(&mut world);
    world.crash();
    assert_eq!(
        send(&mut world, &mut bob[1], &displayed("alice", "n5", "m1")),
        Some(200),
        "also after a restart"
    );
    alice[0].none(&mut world);
}

// test: CONV-IMDN-063
#[test]
fn a_forged_notification_is_taken_and_dropped() {
    let (mut world, alice, _bob) = delivered_message();
    let mut mallory = Device::udp("carol", 5069);
    assert_eq!(send(&mut world, &mut mallory, &displayed("alice", "n1", "m1")), Some(200));
    alice[0].none(&mut world);
    assert_eq!(world.stats().forged_notifications, 1);
}

// test: CONV-IMDN-061, CONV-IMDN-062
#[test]
fn one_about_a_message_nobody_remembers_passes_once() {
    let (mut world, alice, mut bob) = delivered_message();
    assert_eq!(send(&mut world, &mut bob[0], &displayed("alice", "n1", "forgotten")), None);
    for device in &alice {
        device.accept(&mut world);
    }
    bob[1].accept(&mut world);
    assert_eq!(send(&mut world, &mut bob[1], &displayed("alice", "n2", "forgotten")), Some(200));
    alice[0].none(&mut world);
}

// test: CONV-IMDN-050, CONV-IMDN-051
#[test]
fn notifications_wait_for_a_sender_who_is_away_and_collapse() {
    let (mut world, mut alice, mut bob) = delivered_message();
    for device in &mut alice {
        device.unregister(&mut world);
    }
    assert_eq!(send(&mut world, &mut bob[0], &delivered("alice", "n1", "m1")), Some(202));
    assert_eq!(world.stats().deferred, 1);
    assert_eq!(send(&mut world, &mut bob[1], &displayed("alice", "n2", "m1")), Some(202));
    assert_eq!(world.stats().deferred, 1, "displayed says it all");
    world.crash();
    alice[0].restarted();
    alice[0].register(&mut world);
    let only = alice[0].accept(&mut world);
    assert!(says(&only, "displayed"));
    alice[0].none(&mut world);
    assert_eq!(world.stats().deferred, 0);
}

// test: CONV-IMDN-040
#[test]
fn delivered_does_not_come_after_displayed_by_way_of_the_queue() {
    let (mut world, mut alice, mut bob) = delivered_message();
    for device in &mut alice {
        device.unregister(&mut world);
    }
    world.hold = true;
    assert_eq!(send(&mut world, &mut bob[0], &delivered("alice", "n1", "m1")), None);
    assert_eq!(send(&mut world, &mut bob[1], &displayed("alice", "n2", "m1")), None);
    world.hold = false;
    world.release();
    alice[0].restarted();
    alice[0].register(&mut world);
    let mut seen = Vec::new();
    while let Some(request) = alice[0].take(&mut world).pop() {
        seen.push(if says(&request, "displayed") { "displayed" } else { "delivered" });
        alice[0].answer(&mut world, &request, 200);
    }
    assert_eq!(seen.last(), Some(&"displayed"));
    assert!(seen.len() <= 2);
}

#[test]
fn a_notification_that_could_not_pass_may_be_sent_again() {
    let (mut world, mut alice, mut bob) = delivered_message();
    for device in &mut alice {
        device.unregister(&mut world);
    }
    world.store.fail_applies(1, crate::store::engine::StoreError::Unavailable { retry: secs(1) });
    assert_eq!(send(&mut world, &mut bob[0], &delivered("alice", "n1", "m1")), Some(503));
    assert_eq!(send(&mut world, &mut bob[0], &delivered("alice", "n1", "m1")), Some(202));
    assert_eq!(world.stats().deferred, 1);
}

// test: CONV-IMDN-011, CONV-IMDN-013
#[test]
fn no_notification_is_ever_made_about_a_notification() {
    let (mut world, mut alice, mut bob) = delivered_message();
    for device in &mut alice {
        device.unregister(&mut world);
    }
    let mut draft = displayed("alice", "n1", "m1");
    let body = String::from_utf8(draft.body).unwrap();
    let asking = "imdn.Disposition-Notification: positive-delivery, negative-delivery\r\n\r\nContent-Type";
    draft.body = body.replacen("\r\nContent-Type", asking, 1).into();
    draft.headers.push_str("Message-Expires: 60\r\n");
    assert_eq!(send(&mut world, &mut bob[0], &draft), Some(202));
    bob[1].accept(&mut world);
    world.advance(secs(61));
    assert_eq!(world.stats().deferred, 0);
    bob[0].none(&mut world);
    bob[1].none(&mut world);
}

#[test]
fn outcomes_are_forgotten_in_time() {
    let (mut world, _alice, _bob) = delivered_message();
    assert_eq!(world.stats().remembered, 1);
    world.advance(secs(8 * 86_400 + 120));
    assert_eq!(world.stats().remembered, 0);
    assert!(!world.store.records().any(|(key, _, _)| key[18] == 0x22));
    assert!(world.node.is_quiescent());
}

// test: CONV-PF-092
#[test]
fn a_notification_to_nobody_finds_the_hidden_sender() {
    for deferred in [false, true] {
        let mut world = World::new();
        let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
        alice.register(&mut world);
        let mut draft = text("bob", "m1");
        draft.headers.push_str("Privacy: id\r\n");
        if deferred {
            assert_eq!(alice.status(&mut world, &draft), 202);
            bob.register(&mut world);
        } else {
            bob.register(&mut world);
            assert!(alice.message(&mut world, &draft).is_none());
        }
        let request = bob.accept(&mut world);
        assert!(!String::from_utf8_lossy(request.raw()).contains("alice"));
        alice.response(&mut world);
        let nobody = |draft: Draft| Draft { to: "sip:anonymous@anonymous.invalid".into(), ..draft };
        let mut carol = Device::udp("carol", 5069);
        assert_eq!(send(&mut world, &mut carol, &nobody(displayed("alice", "n1", "m1"))), Some(404));
        assert_eq!(send(&mut world, &mut bob, &nobody(displayed("alice", "n2", "other"))), Some(404));
        assert_eq!(send(&mut world, &mut bob, &nobody(text("alice", "m2"))), Some(404), "notifications only");
        assert_eq!(send(&mut world, &mut bob, &nobody(delivered("alice", "n3", "m1"))), None);
        assert!(says(&alice.accept(&mut world), "delivered"));
        world.crash();
        assert_eq!(send(&mut world, &mut bob, &nobody(delivered("alice", "n4", "m1"))), Some(200), "once");
        assert_eq!(send(&mut world, &mut bob, &nobody(displayed("alice", "n5", "m1"))), None);
        assert!(says(&alice.accept(&mut world), "displayed"));
        world.advance(secs(9 * 86_400));
        assert_eq!(world.store.records().count(), 0);
    }
}

// What the full table forgets leaves the store as well, or it would come back with a restart.
#[test]
fn a_notification_that_displaces_an_outcome_takes_it_from_the_store_too() {
    let mut config = config();
    config.limits.remembered = 1;
    let mut world = World::with(config);
    let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    alice.register(&mut world);
    bob.register(&mut world);
    assert!(alice.message(&mut world, &wanting("bob", "m1", "")).is_none());
    bob.accept(&mut world);
    let kept = |world: &World| world.store.records().filter(|(key, _, _)| key[18] == 0x22).count();
    assert_eq!(kept(&world), 1);
    world.responses.clear();
    assert_eq!(send(&mut world, &mut bob, &delivered("alice", "n1", "unknown")), None);
    alice.accept(&mut world);
    assert_eq!(world.stats().remembered, 1);
    assert_eq!(kept(&world), 1);
}
