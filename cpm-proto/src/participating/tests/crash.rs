//! The process dies at every step: nothing acknowledged is lost, nothing delivered comes again to the user
//! as news of the node's making.

use super::world::*;
use cpm_sip::HeaderId;

/// What alice was told and what bob got, with a crash after so many store answers.
#[derive(Debug, Default)]
struct Story {
    accepted: bool,
    delivered: u32,
}

/// A message for bob who is away; bob comes later. The node dies when the store has answered `steps` times,
/// before or after it has learnt of the last answer.
fn story(steps: usize, knows: bool) -> Story {
    let mut world = World::new();
    let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    let mut told = Story::default();
    let mut left = steps;
    let mut died = false;
    world.hold = true;
    let first = alice.message(&mut world, &text("bob", "m1"));
    told.accepted |= first.is_some_and(|response| response.status() == Some(202));
    let mut step = |world: &mut World, died: &mut bool| {
        while !world.held.is_empty() {
            if !*died && left == 0 {
                if knows {
                    world.release_one();
                    world.drain();
                }
                *died = true;
                return true;
            }
            left = left.saturating_sub(1);
            world.release_one();
            world.drain();
        }
        false
    };
    let crashed = step(&mut world, &mut died);
    told.accepted |= alice.response(&mut world).is_some_and(|response| response.status() == Some(202));
    if crashed {
        world.crash();
        world.hold = true;
        step(&mut world, &mut died);
    }
    let lines = format!("{}Expires: 3600\r\n", bob.contact_line());
    for _ in 0..3 {
        bob.send_register(&mut world, &lines);
        let crashed = step(&mut world, &mut died);
        for request in bob.take(&mut world) {
            told.delivered += u32::from(request.header(HeaderId::ConversationId).is_some());
            bob.answer(&mut world, &request, 200);
        }
        let crashed = crashed || step(&mut world, &mut died);
        if crashed {
            world.crash();
            bob.restarted();
            world.hold = true;
        }
        step(&mut world, &mut died);
        for request in bob.take(&mut world) {
            told.delivered += 1;
            bob.answer(&mut world, &request, 200);
        }
        step(&mut world, &mut died);
        world.advance(secs(31));
    }
    if died || steps > 6 {
        world.hold = false;
        world.release();
        world.advance(secs(120));
        assert_eq!(world.stats().deferred, 0, "step {steps}, knows {knows}");
    }
    told
}

// test: CONV-PF-095, CONV-DF-009, CONV-DF-014
#[test]
fn a_crash_at_every_step_loses_nothing_that_was_accepted() {
    for steps in 0..8 {
        for knows in [false, true] {
            let told = story(steps, knows);
            assert!(!told.accepted || told.delivered >= 1, "step {steps}, knows {knows}: {told:?}");
            // A Device knows a message again by its Message-ID; more than one repetition would be a loop.
            assert!(told.delivered <= 2, "step {steps}, knows {knows}: {told:?}");
        }
    }
}

#[test]
fn a_message_accepted_before_the_crash_is_not_delivered_after_it_was_dequeued() {
    let mut world = World::new();
    let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    assert_eq!(alice.status(&mut world, &text("bob", "m1")), 202);
    bob.register(&mut world);
    bob.accept(&mut world);
    for _ in 0..3 {
        world.crash();
        bob.restarted();
        bob.register(&mut world);
        bob.none(&mut world);
    }
}

#[test]
fn an_unknown_write_and_the_retry_are_one_message() {
    let mut world = World::new();
    let (mut alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    world.hold = true;
    assert!(alice.message(&mut world, &text("bob", "m1")).is_none());
    // The write was made, but the node never learns of it.
    world.held.clear();
    world.advance(secs(70));
    world.hold = false;
    alice.response(&mut world);
    assert_eq!(alice.status(&mut world, &text("bob", "m1")), 202);
    let entries = |world: &World| world.store.records().filter(|(key, _, _)| key[18] == 0x21).count();
    assert_eq!(entries(&world), 2);
    world.crash();
    assert_eq!((world.stats().deferred, entries(&world)), (1, 1));
    bob.register(&mut world);
    bob.accept(&mut world);
    bob.none(&mut world);
    assert_eq!(entries(&world), 0);
}
