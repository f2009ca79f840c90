//! The simulated store: an answer means durable, a kill loses the rest.

use bytes::Bytes;
use cpm_base::{Now, Rng, Token};
use cpm_proto::effect::Effect;
use cpm_proto::store::engine::{Durability, Expect, StoreError, StoreOp};
use cpm_sim::{SimStore, StoreFaults};
use std::time::{Duration, Instant};

fn start() -> Now {
    Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) }
}

fn put(number: u64) -> Effect {
    let key = Bytes::copy_from_slice(&number.to_be_bytes());
    let put = StoreOp::Put { key, value: Bytes::from_static(b"\x01"), expect: Expect::Any };
    Effect::Store { token: Token(number), lane: 0, durability: Durability::Local, batch: vec![put] }
}

/// Runs the engine's steps until `end`; gives the tokens answered, and whether well.
fn run_until(store: &mut SimStore, mut now: Now, end: Now) -> Vec<(u64, bool)> {
    let mut answered = Vec::new();
    while let Some(at) = store.wakes().filter(|at| *at <= end.mono) {
        let step = at.duration_since(now.mono);
        now = now.after(step);
        answered.extend(store.run(now).into_iter().map(|(token, result)| (token.0, result.is_ok())));
    }
    answered
}

fn keys(store: &SimStore) -> Vec<u64> {
    let keys = store.engine().records().map(|(key, _, _)| u64::from_be_bytes(key[..].try_into().unwrap()));
    keys.collect()
}

#[test]
fn an_answer_means_durable_whenever_the_kill_comes() {
    let mut lost = 0;
    for millis in 0..40 {
        let now = start();
        let mut store = SimStore::new([millis; 32]);
        let mut answered = Vec::new();
        for number in 0..10 {
            let at = now.after(Duration::from_millis(number));
            store.submit(at, put(number));
            answered.extend(run_until(&mut store, at, now.after(Duration::from_millis(number + 1))));
            if number == u64::from(millis) / 4 {
                break;
            }
        }
        store.killed(&mut Rng::new([9; 32]));
        assert!(store.wakes().is_none());
        let there = keys(&store);
        assert!(
            answered.iter().all(|(number, ok)| *ok && there.contains(number)),
            "{answered:?} of {there:?}"
        );
        assert!(there.iter().enumerate().all(|(at, number)| at as u64 == *number), "a prefix: {there:?}");
        lost += u32::from((there.len() as u64) < u64::from(millis) / 4 + 1);
    }
    assert!(lost > 0, "some kill must come before a sync");
}

#[test]
fn answers_come_in_order_of_asking() {
    let now = start();
    let mut store = SimStore::new([1; 32]);
    for number in 0..600 {
        store.submit(now, put(number));
    }
    let answered = run_until(&mut store, now, now.after(Duration::from_secs(10)));
    assert_eq!(answered, (0..600).map(|number| (number, true)).collect::<Vec<_>>());
}

#[test]
fn every_fault_of_a_swarm_comes_up() {
    let now = start();
    let (mut silent, mut full, mut unavailable, mut unknown, mut conflicts) = (0, 0, 0, 0, 0);
    for seed in 0..60 {
        let mut store = SimStore::new([seed; 32]);
        store.set_faults(StoreFaults::swarm(&mut Rng::new([seed; 32])));
        let (mut clock, mut answers) = (now, 0);
        for number in 0..100 {
            store.submit(clock, put(number));
            while let Some(at) = store.wakes() {
                let step = at.duration_since(clock.mono);
                clock = clock.after(step);
                for (_, result) in store.run(clock) {
                    answers += 1;
                    match result {
                        Err(StoreError::Full) => full += 1,
                        Err(StoreError::Conflict { .. }) => conflicts += 1,
                        Err(StoreError::Unavailable { .. }) if keys(&store).contains(&number) => unknown += 1,
                        Err(StoreError::Unavailable { .. }) => unavailable += 1,
                        _ => {}
                    }
                }
            }
        }
        silent += 100 - answers;
    }
    let all = [silent, full, unavailable, unknown, conflicts];
    assert!(all.iter().all(|count| *count > 0), "{all:?}");
}
