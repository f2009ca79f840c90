//! Every cell of the four tables, with what RFC 3261 §17, RFC 6026 and RFC 4320 print for it, and the timers.

use super::{Action, Fuse, KeyBuf, Timer, Timers, ict, ist, nict, nist};
use Action::*;
use std::time::Duration;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Checks the cells listed; every other cell must change nothing and do nothing.
macro_rules! table {
    ($machine:ident, [$($state:ident),*], [$($event:ident),*], { $($from:ident $on:ident => $to:ident [$($action:expr),*];)* }) => {{
        use $machine::{Event, State, next};
        let states = [$(State::$state),*];
        let events = [$(Event::$event),*];
        let listed: Vec<(State, Event, State, Vec<Action>)> =
            vec![$((State::$from, Event::$on, State::$to, vec![$($action),*])),*];
        let mut checked = 0;
        for state in states {
            for event in events {
                let cell = next(state, event);
                let expected = listed.iter().find(|(from, on, _, _)| *from == state && *on == event);
                let (to, actions) = expected.map_or((state, vec![]), |(_, _, to, actions)| (*to, actions.clone()));
                assert_eq!(cell.to, to, "{state:?} on {event:?}");
                assert_eq!(cell.actions, actions, "{state:?} on {event:?}");
                checked += 1;
            }
        }
        assert_eq!(checked, states.len() * events.len());
    }};
}

// test: RFC3261-17.1.1.2 RFC6026-8.4
#[test]
fn invite_client_cells() {
    table!(ict, [Calling, Proceeding, Accepted, Completed, Terminated],
        [TimerA, TimerB, TimerC, CancelWait, TimerD, TimerM, Provisional, Success, Reject, TransportError], {
        Calling TimerA => Calling [Transmit, Arm(Timer::A)];
        Calling TimerB => Terminated [FailTimeout];
        Calling Provisional => Proceeding [PassUp, StopRepeat, Arm(Timer::C)];
        Calling Success => Accepted [PassUp, StopRepeat, Arm(Timer::M)];
        Calling Reject => Completed [Ack, PassUp, StopRepeat, Arm(Timer::D)];
        Calling TransportError => Terminated [FailTransport];
        Proceeding TimerC => Proceeding [Cancel, Arm(Timer::CancelWait)];
        Proceeding CancelWait => Terminated [FailTimeout];
        Proceeding Provisional => Proceeding [PassUp, StopRepeat, Arm(Timer::C)];
        Proceeding Success => Accepted [PassUp, StopRepeat, Arm(Timer::M)];
        Proceeding Reject => Completed [Ack, PassUp, StopRepeat, Arm(Timer::D)];
        Proceeding TransportError => Terminated [FailTransport];
        Accepted TimerM => Terminated [];
        Accepted Success => Accepted [PassUp];
        Completed TimerD => Terminated [];
        Completed Reject => Completed [Ack];
        Completed TransportError => Terminated [FailTransport];
    });
    assert_eq!(ict::START.to, ict::State::Calling);
    assert_eq!(ict::START.actions, [Transmit, Arm(Timer::A), Arm(Timer::B)]);
}

// test: RFC3261-17.1.2.2
#[test]
fn non_invite_client_cells() {
    table!(nict, [Trying, Proceeding, Completed, Terminated],
        [TimerE, TimerF, TimerK, Provisional, Final, TransportError], {
        Trying TimerE => Trying [Transmit, Arm(Timer::E)];
        Trying TimerF => Terminated [FailTimeout];
        Trying Provisional => Proceeding [PassUp];
        Trying Final => Completed [PassUp, StopRepeat, Arm(Timer::K)];
        Trying TransportError => Terminated [FailTransport];
        Proceeding TimerE => Proceeding [Transmit, Arm(Timer::E)];
        Proceeding TimerF => Terminated [FailTimeout];
        Proceeding Provisional => Proceeding [PassUp];
        Proceeding Final => Completed [PassUp, StopRepeat, Arm(Timer::K)];
        Proceeding TransportError => Terminated [FailTransport];
        Completed TimerK => Terminated [];
    });
    assert_eq!(nict::START.to, nict::State::Trying);
    assert_eq!(nict::START.actions, [Transmit, Arm(Timer::E), Arm(Timer::F)]);
}

// test: RFC3261-17.2.1 RFC6026-8.7 RFC6026-8.8
#[test]
fn invite_server_cells() {
    table!(ist, [Proceeding, Accepted, Completed, Confirmed, Terminated],
        [Invite, Ack, Provisional, Success, Reject, Trying, Owner, TimerG, TimerH, TimerI, TimerL, TransportError], {
        Proceeding Invite => Proceeding [Transmit];
        Proceeding Provisional => Proceeding [Transmit, StopRepeat];
        Proceeding Success => Accepted [Transmit, StopRepeat, Arm(Timer::L)];
        Proceeding Reject => Completed [Transmit, StopRepeat, Arm(Timer::G), Arm(Timer::H)];
        Proceeding Trying => Proceeding [Trying];
        Proceeding Owner => Completed [GiveUp, StopRepeat, Arm(Timer::G), Arm(Timer::H)];
        Proceeding TransportError => Proceeding [Undelivered];
        Accepted Ack => Accepted [PassUp];
        Accepted Success => Accepted [Transmit];
        Accepted TimerL => Terminated [];
        Accepted TransportError => Accepted [Undelivered];
        Completed Invite => Completed [Transmit];
        Completed Ack => Confirmed [StopRepeat, Arm(Timer::I)];
        Completed TimerG => Completed [Transmit, Arm(Timer::G)];
        Completed TimerH => Terminated [Died];
        Completed TransportError => Completed [Undelivered];
        Confirmed TimerI => Terminated [];
    });
    assert_eq!(ist::START.to, ist::State::Proceeding);
    assert_eq!(ist::START.actions, [PassUp, Arm(Timer::Trying), Arm(Timer::Owner)]);
}

// test: RFC3261-17.2.2 RFC4320-4.1 RFC4320-4.2
#[test]
fn non_invite_server_cells() {
    table!(nist, [Trying, Proceeding, Completed, Terminated],
        [Request, Provisional, Final, LateTrying, Expire, TimerJ, TransportError], {
        Trying Provisional => Proceeding [Transmit, StopRepeat];
        Trying Final => Completed [Transmit, StopRepeat, Arm(Timer::J)];
        Trying LateTrying => Proceeding [Trying];
        Trying Expire => Terminated [Died];
        Trying TransportError => Trying [Undelivered];
        Proceeding Request => Proceeding [Transmit];
        Proceeding Provisional => Proceeding [Transmit, StopRepeat];
        Proceeding Final => Completed [Transmit, StopRepeat, Arm(Timer::J)];
        Proceeding Expire => Terminated [Died];
        Proceeding TransportError => Proceeding [Undelivered];
        Completed Request => Completed [Transmit];
        Completed TimerJ => Terminated [];
        Completed TransportError => Completed [Undelivered];
    });
    assert_eq!(nist::START.to, nist::State::Trying);
    assert_eq!(nist::START.actions, [PassUp, Arm(Timer::LateTrying), Arm(Timer::Expire)]);
}

/// RFC 3261 table 4: values on unreliable and on reliable transports.
// test: RFC3261-17.1.1.2 RFC3261-17.1.2.2 RFC3261-17.2.1 RFC3261-17.2.2 RFC6026-8.4
#[test]
fn timer_values() {
    let timers = Timers::default();
    let s = Duration::from_secs;
    for (timer, unreliable, reliable) in [
        (Timer::A, Fuse::After(MS(500)), Fuse::Never),
        (Timer::B, Fuse::After(s(32)), Fuse::After(s(32))),
        (Timer::D, Fuse::After(s(32)), Fuse::Now),
        (Timer::E, Fuse::After(MS(500)), Fuse::Never),
        (Timer::F, Fuse::After(s(32)), Fuse::After(s(32))),
        (Timer::G, Fuse::After(MS(500)), Fuse::Never),
        (Timer::H, Fuse::After(s(32)), Fuse::After(s(32))),
        (Timer::I, Fuse::After(s(5)), Fuse::Now),
        (Timer::J, Fuse::After(s(32)), Fuse::Now),
        (Timer::K, Fuse::After(s(5)), Fuse::Now),
        (Timer::L, Fuse::After(s(32)), Fuse::After(s(32))),
        (Timer::M, Fuse::After(s(32)), Fuse::After(s(32))),
    ] {
        assert_eq!(timers.fuse(timer, 0, false), unreliable, "{timer:?} unreliable");
        assert_eq!(timers.fuse(timer, 0, true), reliable, "{timer:?} reliable");
    }
    assert!(matches!(timers.fuse(Timer::C, 0, false), Fuse::After(c) if c > s(180)));
}

/// "at intervals of 500 ms, 1 s, 2 s, 4 s, 4 s, 4 s" (RFC 3261 §17.1.2.2); Timer A is not capped.
// test: RFC3261-17.1.1.2 RFC3261-17.1.2.2 RFC3261-17.2.1
#[test]
fn retransmit_intervals() {
    let timers = Timers::default();
    let run = |timer| (0..7).map(|nth| timers.fuse(timer, nth, false)).collect::<Vec<_>>();
    let after = |ms: [u64; 7]| ms.map(|ms| Fuse::After(MS(ms))).to_vec();
    assert_eq!(run(Timer::A), after([500, 1000, 2000, 4000, 8000, 16_000, 32_000]));
    assert_eq!(run(Timer::E), after([500, 1000, 2000, 4000, 4000, 4000, 4000]));
    assert_eq!(run(Timer::G), after([500, 1000, 2000, 4000, 4000, 4000, 4000]));
    assert_eq!(timers.fuse(Timer::E, 255, false), Fuse::After(MS(4000)));
}

/// RFC 4320 §4.1: 0.5 + 1 + 2 s until Timer E is reset to T2.
// test: RFC4320-4.1
#[test]
fn late_trying_is_when_timer_e_reaches_t2() {
    let timers = Timers::default();
    assert_eq!(timers.fuse(Timer::LateTrying, 0, false), Fuse::After(MS(3500)));
    let odd = Timers { t1: Duration::ZERO, ..timers };
    assert_eq!(odd.fuse(Timer::LateTrying, 0, false), Fuse::After(Duration::ZERO));
}

// test: RFC3261-17.2.3 RFC3261-9.2
#[test]
fn server_keys() {
    let mut a = KeyBuf::new();
    let mut b = KeyBuf::new();
    let mut same = |one: (&str, &str, &str, u32), two: (&str, &str, &str, u32)| {
        a.server(one.0, one.1).folded(one.2).number(one.3);
        b.server(two.0, two.1).folded(two.2).number(two.3);
        a == b
    };
    let invite = ("INVITE", "z9hG4bKa", "host.example", 5060);
    assert!(same(invite, ("ACK", "z9hG4bKa", "host.example", 5060)), "ACK matches the INVITE");
    assert!(same(invite, ("INVITE", "Z9HG4BKA", "HOST.example", 5060)), "tokens and hosts in any case");
    assert!(!same(invite, ("CANCEL", "z9hG4bKa", "host.example", 5060)), "CANCEL is its own transaction");
    assert!(!same(invite, ("INVITE", "z9hG4bKa", "host.example", 5061)), "the port of sent-by counts");
    assert!(!same(invite, ("INVITE", "z9hG4bKa", "host2.example", 5060)), "the host of sent-by counts");
    assert!(!same(("MESSAGE", "ab", "c", 1), ("MESSAGE", "a", "bc", 1)), "parts do not run into each other");
    assert!(!same(("MESSAGE", "a", "c", 1), ("message", "a", "c", 1)), "methods are case-sensitive");
}

// test: RFC3261-17.1.3
#[test]
fn client_keys_keep_methods_apart() {
    let mut invite = KeyBuf::new();
    let mut cancel = KeyBuf::new();
    let mut other = KeyBuf::new();
    invite.client("INVITE", "z9hG4bKa");
    cancel.client("CANCEL", "z9hG4bKa");
    other.client("CANCEL", "z9hG4bKb");
    assert_ne!(invite, cancel);
    assert_ne!(cancel, other);
}
