//! Messages for users who are away.

use super::world::*;
use crate::store::engine::StoreError;
use cpm_sip::HeaderId;

const DEFERRED: &str = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.deferred";

fn id_of(message: &cpm_sip::Message) -> String {
    let body = message.body();
    let text = std::str::from_utf8(&body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("imdn.Message-ID: ")).unwrap();
    line.to_owned()
}

/// Alice registered, these messages of hers waiting for bob.
fn waiting(ids: &[&str]) -> (World, Device, Device) {
    let mut world = World::new();
    let (mut alice, bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    alice.register(&mut world);
    for id in ids {
        assert_eq!(alice.status(&mut world, &text("bob", id)), 202);
    }
    (world, alice, bob)
}

// test: CONV-PM-043, CONV-DF-001, CONV-DF-004, CONV-DF-005, CONV-DF-007, CONV-DF-008, CONV-REG-005
#[test]
fn a_deferred_message_comes_with_the_next_registration() {
    let (mut world, _alice, mut bob) = waiting(&["m1"]);
    assert_eq!(world.stats().deferred, 1);
    bob.register(&mut world);
    let request = bob.one(&mut world);
    assert_eq!(request.header(HeaderId::PAssertedService), Some(DEFERRED));
    let constraint = request.header(HeaderId::AcceptContact).unwrap();
    assert!(constraint.contains("oma.cpm.deferred") && constraint.ends_with(";require;explicit"));
    assert_eq!(request.header(HeaderId::PAssertedIdentity), Some("<sip:alice@example.test>"));
    assert_eq!(request.body(), text("bob", "m1").body, "not one octet is changed");
    assert_eq!(request.header(HeaderId::ConversationId), Some("7c9e6679-7425-40de-944b-e07fc1f90ae7"));
    bob.answer(&mut world, &request, 200);
    assert_eq!(world.stats().deferred, 0);
    assert!(!world.store.records().any(|(key, _, _)| key[18] == 0x21));
    bob.restarted();
    bob.register(&mut world);
    bob.none(&mut world);
}

// test: CONV-PM-043
#[test]
fn accepted_means_durable() {
    let (mut world, mut alice, mut bob) = waiting(&[]);
    world.hold = true;
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none(), "no 202 before the store has it");
    assert_eq!(world.store.unsynced(), 0);
    world.release();
    assert_eq!(alice.response(&mut world).unwrap().status(), Some(202));
    world.crash();
    assert_eq!(world.stats().deferred, 1);
    bob.register(&mut world);
    bob.accept(&mut world);
    assert_eq!(world.stats().deferred, 0);
}

// test: CONV-DF-010
#[test]
fn they_come_in_order_one_at_a_time() {
    let (mut world, _alice, mut bob) = waiting(&["m1", "m2", "m3"]);
    bob.register(&mut world);
    for id in ["m1", "m2", "m3"] {
        let request = bob.one(&mut world);
        assert_eq!(id_of(&request), id);
        bob.answer(&mut world, &request, 200);
    }
    assert_eq!(world.stats().deferred, 0);
}

// test: CONV-DF-010
#[test]
fn what_the_same_sender_sends_now_queues_up_behind() {
    let (mut world, mut alice, mut bob) = waiting(&["m1"]);
    bob.register(&mut world);
    let first = bob.one(&mut world);
    assert_eq!(alice.status(&mut world, &text("bob", "m2")), 202, "m1 is still under way");
    let mut carol = Device::udp("carol", 5066);
    assert!(carol.message(&mut world, &text("bob", "m3")).is_none(), "carol overtakes nobody of hers");
    bob.answer(&mut world, &first, 200);
    let mut ids = vec![];
    while let Some(request) = bob.take(&mut world).pop() {
        ids.push(id_of(&request));
        bob.answer(&mut world, &request, 200);
    }
    ids.sort();
    assert_eq!(ids, ["m2", "m3"]);
}

// test: CONV-HDR-008
#[test]
fn not_kept_for_no_time() {
    let (mut world, mut alice, _bob) = waiting(&[]);
    for line in
        ["Message-Expires: 0\r\n", "Expires: 0\r\n", "Message-Expires: Mon, 07 Sep 2020 10:00:00 GMT\r\n"]
    {
        let mut draft = text("bob", "m1");
        draft.headers.push_str(line);
        assert_eq!(alice.status(&mut world, &draft), 480, "{line}");
    }
    assert_eq!(world.stats().deferred, 0);
    let mut config = config();
    config.server.as_mut().unwrap().policy.deferred_max_seconds = 0;
    let mut world = World::with(config);
    assert_eq!(alice.status(&mut world, &text("bob", "m1")), 480);
}

// test: CONV-DF-002, CONV-IMDN-011, CONV-IMDN-003
#[test]
fn expiry_drops_it_and_tells_the_sender_once() {
    for restart in [false, true] {
        let (mut world, mut alice, mut bob) = waiting(&[]);
        let mut draft = text("bob", "m1");
        draft.headers.push_str("Message-Expires: 60\r\n");
        assert_eq!(alice.status(&mut world, &draft), 202);
        world.advance(secs(59));
        alice.none(&mut world);
        if restart {
            world.crash();
        }
        world.advance(secs(1));
        let notice = alice.one(&mut world);
        assert_eq!(notice.header(HeaderId::PAssertedIdentity), Some("<sip:bob@example.test>"));
        let body = notice.body();
        let body = std::str::from_utf8(&body).unwrap();
        assert!(body.contains("Content-Disposition: notification"));
        assert!(!body.contains("Disposition-Notification"));
        let xml = body.split_once("<?xml").map(|(_, rest)| rest).unwrap_or(body);
        for part in ["<message-id>m1</message-id>", "<failed/>", "sip:anonymous@anonymous.invalid"] {
            assert!(xml.contains(part), "{part}: {xml}");
        }
        alice.answer(&mut world, &notice, 200);
        assert_eq!(world.stats().deferred, 0);
        bob.register(&mut world);
        bob.none(&mut world);
        world.crash();
        world.advance(secs(100));
        alice.none(&mut world);
    }
}

#[test]
fn expiry_is_silent_where_no_notification_was_asked() {
    let (mut world, mut alice, _bob) = waiting(&[]);
    let mut draft = wanting("bob", "m1", "positive-delivery");
    draft.headers.push_str("Message-Expires: 60\r\n");
    assert_eq!(alice.status(&mut world, &draft), 202);
    world.advance(secs(61));
    alice.none(&mut world);
    assert_eq!(world.stats().deferred, 0);
    assert_eq!(world.stats().deferred_dropped, 1);
}

// test: CONV-DF-002
#[test]
fn what_expired_while_the_node_was_down_is_not_delivered() {
    let (mut world, mut alice, mut bob) = waiting(&[]);
    let mut draft = text("bob", "m1");
    draft.headers.push_str("Message-Expires: 60\r\n");
    assert_eq!(alice.status(&mut world, &draft), 202);
    bob.register(&mut world);
    bob.take(&mut world);
    world.now = world.now.after(secs(61));
    world.crash();
    bob.none(&mut world);
    let notice = alice.one(&mut world);
    assert!(String::from_utf8_lossy(&notice.body()).contains("<failed/>"));
}

// test: CONV-DF-012
#[test]
fn count_limit_at_n_minus_1_n_and_n_plus_1() {
    let mut config = config();
    config.limits.deferred_count = 3;
    let mut world = World::with(config);
    let mut alice = Device::udp("alice", 5061);
    for (id, expected) in [("m1", 202), ("m2", 202), ("m3", 202), ("m4", 480)] {
        let response = alice.message(&mut world, &text("bob", id)).unwrap();
        assert_eq!(response.status(), Some(expected));
        assert_eq!(response.header(HeaderId::RetryAfter).is_some(), expected == 480);
    }
    assert_eq!(alice.status(&mut world, &text("carol", "m5")), 202, "another user has room");
}

// test: CONV-DF-012
#[test]
fn byte_limit_at_n_minus_1_n_and_n_plus_1() {
    let mut world = World::new();
    let mut alice = Device::udp("alice", 5061);
    assert_eq!(alice.status(&mut world, &text("bob", "m1")), 202);
    let is_defer = |key: &bytes::Bytes| key[18] == 0x21;
    let size = world.store.records().find(|(key, _, _)| is_defer(key)).unwrap().2.len() as u64;
    for (limit, expected) in [(size - 1, 480), (size, 202), (size + 1, 202)] {
        let mut config = config();
        config.limits.deferred_bytes = limit;
        let mut world = World::with(config);
        assert_eq!(alice.status(&mut world, &text("bob", "m1")), expected);
    }
}

#[test]
fn a_store_that_is_full_or_away_is_an_honest_answer() {
    let table = [
        (StoreError::Full, 480),
        (StoreError::Unavailable { retry: secs(9) }, 503),
        (StoreError::Conflict { op: 0, current: 1 }, 503),
        (StoreError::Corrupt, 500),
    ];
    for (error, expected) in table {
        let (mut world, mut alice, mut bob) = waiting(&[]);
        world.store.fail_applies(1, error);
        assert_eq!(alice.status(&mut world, &text("bob", "m1")), expected);
        assert_eq!(world.stats().deferred, 0);
        assert_eq!(alice.status(&mut world, &text("bob", "m1")), 202, "the retry is taken");
        bob.register(&mut world);
        bob.accept(&mut world);
        bob.none(&mut world);
    }
}

#[test]
fn a_slow_store_is_503_and_its_late_yes_counts() {
    let (mut world, mut alice, mut bob) = waiting(&[]);
    world.hold = true;
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    world.advance(secs(4));
    assert!(alice.response(&mut world).is_none());
    world.advance(secs(1));
    let response = alice.response(&mut world).unwrap();
    assert_eq!(response.status(), Some(503));
    assert!(response.header(HeaderId::RetryAfter).is_some());
    assert_eq!(alice.status(&mut world, &text("bob", "m1")), 503, "still unknown");
    world.hold = false;
    world.release();
    assert_eq!(world.stats().deferred, 1);
    assert_eq!(alice.status(&mut world, &text("bob", "m1")), 202, "known now");
    bob.register(&mut world);
    bob.accept(&mut world);
    bob.none(&mut world);
    assert_eq!(world.stats().deferred, 0);
}

#[test]
fn an_answer_that_never_comes_leaves_nothing_behind() {
    let (mut world, mut alice, _bob) = waiting(&[]);
    world.hold = true;
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    world.held.clear();
    world.advance(secs(70));
    assert_eq!(world.stats().effects, 0);
    assert_eq!(world.stats().exchanges, 0);
    world.hold = false;
    assert_eq!(alice.status(&mut world, &text("bob", "m1")), 202);
}

/// Delivery of m1 to bob is answered with these; gives the seconds between the rounds.
fn rounds(answers: &[u16]) -> (World, Device, Vec<u64>) {
    let (mut world, alice, mut bob) = waiting(&["m1"]);
    bob.register(&mut world);
    let mut waits = Vec::new();
    for status in answers {
        let mut waited = 0;
        let request = loop {
            match bob.take(&mut world).pop() {
                Some(request) => break request,
                None => {
                    world.advance(secs(1));
                    waited += 1;
                    assert!(waited < 5000, "no further round");
                }
            }
        };
        waits.push(waited);
        bob.answer(&mut world, &request, *status);
    }
    (world, alice, waits)
}

#[test]
fn unreachable_devices_are_tried_again_with_growing_waits() {
    let (world, _, waits) = rounds(&[480, 486, 503, 408, 480, 480, 480]);
    assert_eq!(waits, [0, 30, 60, 120, 240, 480, 960]);
    assert_eq!(world.stats().deferred, 1);
    let (world, _, waits) = rounds(&[480, 200]);
    assert_eq!(waits, [0, 30]);
    assert_eq!(world.stats().deferred, 0);
}

#[test]
fn a_message_that_is_refused_three_times_is_given_up() {
    let (mut world, alice, waits) = rounds(&[400, 480, 400, 400]);
    assert_eq!(waits.len(), 4);
    let notice = alice.one(&mut world);
    assert!(String::from_utf8_lossy(&notice.body()).contains("<failed/>"));
    alice.answer(&mut world, &notice, 200);
    assert_eq!(world.stats().deferred, 0);
}

/// 404 and 410 come from a contact its Device has left; the message was acknowledged and waits for the Device.
// test: CONV-DF-009
#[test]
fn a_contact_that_was_left_refuses_nothing() {
    for answers in [[404; 3], [410; 3], [404, 410, 404]] {
        let (mut world, alice, _) = rounds(&answers);
        alice.none(&mut world);
        assert_eq!((world.stats().deferred, world.stats().deferred_dropped), (1, 0), "{answers:?}");
        let mut bob = Device::udp("bob", 5064);
        bob.register(&mut world);
        assert_eq!(id_of(&bob.accept(&mut world)), "m1", "{answers:?}");
        assert_eq!(world.stats().deferred, 0);
    }
}

#[test]
fn refusals_are_counted_across_a_restart() {
    let (mut world, alice, _) = rounds(&[400, 400]);
    world.crash();
    let mut bob = Device::udp("bob", 5062);
    if bob.take(&mut world).is_empty() {
        bob.register(&mut world);
    }
    world.advance(secs(1));
    for request in bob.take(&mut world) {
        bob.answer(&mut world, &request, 400);
    }
    world.advance(secs(3600));
    for request in bob.take(&mut world) {
        bob.answer(&mut world, &request, 400);
    }
    let notices = alice.take(&mut world);
    assert!(notices.iter().any(|notice| String::from_utf8_lossy(&notice.body()).contains("<failed/>")));
    assert!(!bob.take(&mut world).iter().any(|request| id_of(request) == "m1"));
}

// test: CONV-PM-016
#[test]
fn a_message_that_is_declined_is_given_up_at_once() {
    let (mut world, alice, _) = rounds(&[603]);
    let notice = alice.one(&mut world);
    assert!(String::from_utf8_lossy(&notice.body()).contains("<failed/>"));
    assert_eq!(world.stats().deferred_dropped, 1);
}

// test: CONV-DF-014
#[test]
fn a_device_that_registers_while_delivery_is_under_way_gets_it_once() {
    let (mut world, _alice, mut bob) = waiting(&["m1"]);
    bob.register(&mut world);
    let request = bob.one(&mut world);
    bob.register(&mut world);
    bob.restarted();
    bob.register(&mut world);
    bob.none(&mut world);
    let mut tablet = Device::udp("bob", 5063);
    tablet.register(&mut world);
    let other = tablet.one(&mut world);
    assert_eq!(id_of(&other), "m1");
    bob.answer(&mut world, &request, 200);
    tablet.answer(&mut world, &other, 200);
    bob.none(&mut world);
    tablet.none(&mut world);
    assert_eq!(world.stats().deferred, 0);
}

#[test]
fn a_refresh_asks_again_but_not_too_often() {
    let (mut world, _alice, mut bob) = waiting(&["m1"]);
    bob.register(&mut world);
    let request = bob.one(&mut world);
    bob.answer(&mut world, &request, 480);
    bob.register(&mut world);
    bob.none(&mut world);
    for wait in [30, 30] {
        world.advance(secs(wait));
        for request in bob.take(&mut world) {
            bob.answer(&mut world, &request, 480);
        }
        world.advance(secs(31));
        bob.take(&mut world);
        bob.register(&mut world);
        let request = bob.take(&mut world).pop().expect("a refresh after the rest");
        bob.answer(&mut world, &request, 480);
    }
}

#[test]
fn dequeuing_is_repeated_until_the_store_takes_it() {
    for error in [StoreError::Unavailable { retry: secs(1) }, StoreError::Conflict { op: 0, current: 1 }] {
        dequeue_despite(error);
    }
}

fn dequeue_despite(error: StoreError) {
    let (mut world, _alice, mut bob) = waiting(&["m1"]);
    bob.register(&mut world);
    let request = bob.one(&mut world);
    world.store.fail_applies(3, error);
    bob.answer(&mut world, &request, 200);
    assert_eq!(world.stats().deferred, 0);
    assert!(!world.node.is_quiescent());
    world.advance(secs(60));
    assert!(!world.store.records().any(|(key, _, _)| key[18] == 0x21));
    bob.restarted();
    world.crash();
    bob.register(&mut world);
    bob.none(&mut world);
}

/// The removal of a delivered message was made, but the store could not say so: it is repeated, and must not meet a
/// message that was acknowledged in the meantime.
// test: CONV-DF-009
#[test]
fn a_repeated_removal_spares_what_came_later() {
    let (mut world, mut alice, mut bob) = waiting(&["m1"]);
    bob.register(&mut world);
    let request = bob.one(&mut world);
    world.store.fail_syncs(1, StoreError::Unavailable { retry: secs(1) });
    bob.answer(&mut world, &request, 200);
    let kept = |world: &World| world.store.records().filter(|(key, _, _)| key[18] == 0x21).count();
    assert_eq!((world.stats().deferred, kept(&world)), (0, 0));
    assert!(!world.node.is_quiescent(), "the removal will be repeated");
    bob.unregister(&mut world);
    assert_eq!(alice.status(&mut world, &text("bob", "m2")), 202);
    world.advance(secs(60));
    assert_eq!((world.stats().deferred, kept(&world)), (1, 1));
    world.crash();
    bob.restarted();
    bob.register(&mut world);
    assert_eq!(id_of(&bob.accept(&mut world)), "m2");
    assert_eq!((world.stats().deferred, kept(&world)), (0, 0));
}

#[test]
fn a_device_that_came_back_while_its_old_self_was_asked_gets_it_at_once() {
    let (mut world, mut alice, mut bob) = waiting(&[]);
    bob.register(&mut world);
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    let lost = bob.one(&mut world);
    world.advance(secs(5));
    bob.restarted();
    bob.register(&mut world);
    bob.take(&mut world);
    // The old transaction still holds the lane of this contact; it ends before its Timer F would.
    bob.answer(&mut world, &lost, 480);
    assert_eq!(alice.response(&mut world).unwrap().status(), Some(202));
    let request = bob.take(&mut world).pop().expect("no rest for a Device that has just come");
    bob.answer(&mut world, &request, 200);
    assert_eq!(world.stats().deferred, 0);
}
