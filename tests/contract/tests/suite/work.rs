//! Timers, commands, answers of other threads, events.

use super::*;
use crate::rt::block_on;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

#[test]
fn timers_fire_in_order_and_not_early() {
    let shard = Shard::start(&[], |_| {});
    block_on(async {
        let start = Instant::now();
        let order = [7_u32, 3, 9, 1, 5, 0, 8, 2, 6, 4];
        for id in order {
            shard.order(Command::Timer(id, Duration::from_millis(30 * u64::from(id)))).await;
        }
        for id in 0..10 {
            assert_eq!(shard.next().await, Note::Fired(id));
            assert!(start.elapsed() >= Duration::from_millis(30 * u64::from(id)), "timer {id} was early");
        }
        shard.stop().await;
    });
}

#[test]
fn many_timers_at_once_all_fire() {
    let shard = Shard::start(&[], |_| {});
    block_on(async {
        for id in 0..600 {
            shard.order(Command::Timer(id, Duration::ZERO)).await;
        }
        let mut fired = vec![false; 600];
        for _ in 0..600 {
            let Note::Fired(id) = shard.next().await else { panic!("no timer") };
            assert!(!std::mem::replace(&mut fired[id as usize], true), "fired twice");
        }
        shard.stop().await;
    });
}

#[test]
fn commands_are_taken_while_the_sockets_are_busy() {
    let shard = Shard::start(&[(Transport::Udp, "127.0.0.1:0")], |_| {});
    let busy = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            while busy.load(Ordering::Relaxed) {
                for _ in 0..100 {
                    socket.send_to(&[1; 200], shard.addr(0)).unwrap();
                }
                std::thread::yield_now();
            }
        });
        block_on(async {
            shard.up().await;
            for id in 0..50 {
                shard.order(Command::Timer(id, Duration::ZERO)).await;
                assert_eq!(shard.next().await, Note::Fired(id));
            }
            busy.store(false, Ordering::Relaxed);
        });
    });
    block_on(shard.stop());
}

#[test]
fn orders_of_one_caller_are_carried_out_in_order() {
    let shard = Shard::start(&[], |_| {});
    block_on(async {
        for round in 0..300 {
            shard.order(Command::Count(round % 3)).await;
        }
        let flows = shard.handle.inspect(|_, stats| stats.flows).await.unwrap();
        assert_eq!(flows, 0);
        for round in 0..300 {
            for number in 0..round % 3 {
                assert_eq!(shard.next().await, Note::Number(number));
            }
        }
        shard.stop().await;
    });
}

#[test]
fn answers_of_other_threads_wake_the_shard() {
    let shard = Shard::start(&[], |_| {});
    block_on(async {
        for what in 0..200 {
            shard.order(Command::Ask(what)).await;
            assert_eq!(shard.next().await, Note::Answered(what));
        }
        shard.stop().await;
    });
}

#[test]
fn events_nobody_takes_hold_the_sockets_up_but_are_not_lost() {
    const MANY: u32 = 5_000;
    let shard = Shard::start(&[(Transport::Udp, "127.0.0.1:0")], |_| {});
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(shard.addr(0)).unwrap();
    block_on(async {
        shard.up().await;
        shard.order(Command::Count(MANY)).await;
        // The first event comes out after the sockets of its turn were served, and fills the channel.
        assert_eq!(shard.next().await, Note::Number(0));
        peer.send(b"while full").unwrap();
        peer.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut buffer = [0; 64];
        assert!(peer.recv(&mut buffer).is_err(), "sockets are not read while events wait");
        // Commands are still taken.
        shard.handle.inspect(|_, _| ()).await.unwrap();
        for number in 1..MANY {
            assert_eq!(shard.next().await, Note::Number(number));
        }
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        assert_eq!(peer.recv(&mut buffer).unwrap(), 10);
        shard.stop().await;
    });
}
