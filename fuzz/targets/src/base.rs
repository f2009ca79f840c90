//! The timer wheel and the arena beside naive models.

use std::{collections::BTreeMap, time::Duration};

use cpm_base::{Arena, Handle, Side, TimerId, Wheel};

use crate::input::{Input, start};

/// Arms, cancels and fires timers: every timer fires once, never early, at most one tick late, in the order of
/// its deadline, and `next` never lies beyond the earliest deadline.
///
/// # Panics
/// When the wheel and the model disagree.
pub fn wheel_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let origin = start().mono;
    let mut now = origin;
    let mut wheel = Wheel::new();
    // Deadline in microseconds and the timer's name, by what it carries.
    let mut armed: BTreeMap<u32, (u64, TimerId)> = BTreeMap::new();
    let mut stale = Vec::new();
    let mut next_value = 0_u32;
    let micros =
        |at: std::time::Instant| u64::try_from(at.duration_since(origin).as_micros()).unwrap_or(u64::MAX);
    while !input.is_empty() {
        match input.byte() % 4 {
            0 | 1 => {
                let scale = [1, 1_000, 64_000, 4_096_000][input.below(4)];
                let wait = Duration::from_micros(u64::from(input.word()) * scale);
                let id = wheel.arm(now, now + wait, "fuzz", next_value);
                armed.insert(next_value, (micros(now + wait), id));
                next_value += 1;
            }
            2 => {
                let pick = input.below(armed.len());
                let Some((&value, &(_, id))) = armed.iter().nth(pick) else { continue };
                assert_eq!(wheel.cancel(id), Some(value));
                armed.remove(&value);
                stale.push(id);
            }
            _ => {
                now += Duration::from_micros(u64::from(input.long()) >> input.below(32));
                fire(&mut wheel, now, micros(now), &mut armed);
            }
        }
        assert_eq!(wheel.len(), armed.len());
        for id in stale.drain(..) {
            assert_eq!(wheel.cancel(id), None, "a stale name is nobody's");
        }
        let earliest = armed.values().map(|(at, _)| *at).min();
        match (wheel.next(), earliest) {
            (None, None) => {}
            (Some((at, _)), Some(earliest)) => assert!(micros(at) < earliest.saturating_add(1_000)),
            (next, earliest) => panic!("next {next:?}, model {earliest:?}"),
        }
    }
    now += Duration::from_secs(400_000);
    fire(&mut wheel, now, micros(now), &mut armed);
    assert!(wheel.is_empty() && armed.is_empty());
}

fn fire(wheel: &mut Wheel<u32>, now: std::time::Instant, at: u64, armed: &mut BTreeMap<u32, (u64, TimerId)>) {
    let mut last = 0_u64;
    while let Some(value) = wheel.pop_due(now) {
        let (deadline, _) = armed.remove(&value).unwrap_or_else(|| panic!("timer {value} fired twice"));
        assert!(deadline <= at, "fired early");
        assert!(deadline.saturating_add(1_000) > last, "fired more than a tick out of order");
        last = deadline.max(last);
    }
    let late = armed.values().find(|(deadline, _)| deadline.saturating_add(1_000) <= at);
    assert!(late.is_none(), "{late:?} is overdue at {at}");
}

/// Inserts, removes and reads: a handle finds its value until that is removed and nothing afterwards, also under
/// a forged token and in the table beside it.
///
/// # Panics
/// When the arena and the model disagree.
pub fn arena_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let mut arena: Arena<u32> = Arena::new();
    let mut beside: Side<u32, u8> = Side::new();
    let mut live: Vec<(Handle<u32>, u32, Option<u8>)> = Vec::new();
    let mut dead: Vec<Handle<u32>> = Vec::new();
    let mut next = 0_u32;
    while !input.is_empty() {
        match input.byte() % 6 {
            0 | 1 => {
                live.push((arena.insert(next), next, None));
                next += 1;
            }
            2 if !live.is_empty() => {
                let (handle, value, noted) = live.swap_remove(input.below(live.len()));
                assert_eq!(beside.remove(handle), noted);
                assert_eq!(arena.remove(handle), Some(value));
                dead.push(handle);
            }
            3 if !live.is_empty() => {
                let (pick, note) = (input.below(live.len()), input.byte());
                let entry = &mut live[pick];
                assert_eq!(beside.insert(entry.0, note), entry.2);
                entry.2 = Some(note);
            }
            4 => {
                let token = cpm_base::Token(u64::from(input.long()) << 32 | u64::from(input.long()));
                let found = arena.get(Handle::of_token(token)).copied();
                let known = live.iter().find(|(handle, ..)| handle.token() == token).map(|entry| entry.1);
                // Tokens are bits of handles; what is found must be an object that lives.
                assert!(found.is_none() || found == known || live.iter().any(|entry| Some(entry.1) == found));
            }
            _ => {}
        }
        assert_eq!((arena.len(), arena.is_empty()), (live.len(), live.is_empty()));
        assert_eq!(beside.len(), live.iter().filter(|entry| entry.2.is_some()).count());
        for (handle, value, noted) in &live {
            assert_eq!(arena.get(*handle), Some(value));
            assert_eq!(arena.get(Handle::of_token(handle.token())), Some(value));
            assert_eq!(beside.get(*handle).copied(), *noted);
        }
        for handle in &dead {
            assert!(arena.get(*handle).is_none() && !arena.contains(*handle));
            assert!(beside.get(*handle).is_none());
        }
    }
}
