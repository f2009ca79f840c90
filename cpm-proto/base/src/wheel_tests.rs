use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The same promises in the plainest form: one ordered map by tick and order of arming.
#[derive(Default)]
struct Model {
    timers: BTreeMap<(u64, u64), u64>,
    next_seq: u64,
}

impl Model {
    fn arm(&mut self, now_us: u64, at_us: u64, value: u64) -> (u64, u64) {
        let tick = if at_us <= now_us { now_us / 1_000 } else { at_us.div_ceil(1_000) };
        let key = (tick, self.next_seq);
        self.next_seq += 1;
        self.timers.insert(key, value);
        key
    }

    fn pop_due(&mut self, now_us: u64) -> Option<u64> {
        let first = self.timers.first_entry()?;
        (first.key().0 <= now_us / 1_000).then(|| first.remove())
    }

    fn next_us(&self) -> Option<u64> {
        self.timers.first_key_value().map(|((tick, _), _)| tick * 1_000)
    }
}

#[derive(Clone, Debug)]
enum Op {
    /// Arms so many microseconds ahead of now.
    Arm(u64),
    /// Cancels one of the timers armed so far, live or stale.
    Cancel(usize),
    /// Moves the clock by microseconds, then pops at most so many.
    Advance(u64, usize),
    /// Moves the clock to the next moment the wheel names, so many times.
    Follow(usize),
}

fn microseconds() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..3_000u64,
        4 => 0..200_000u64,
        3 => 0..40_000_000u64,
        1 => 0..86_400_000_000u64,
        1 => 0..3_000_000_000_000u64, // 35 days: beyond five levels
        1 => (0..70u64).prop_map(|block| block * 64_000),
        1 => (0..70u64).prop_map(|block| block * 4_096_000),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => microseconds().prop_map(Op::Arm),
        2 => any::<prop::sample::Index>().prop_map(|at| Op::Cancel(at.index(64))),
        2 => (microseconds(), 0..4usize).prop_map(|(by, pops)| Op::Advance(by, pops)),
        2 => (1..8usize).prop_map(Op::Follow),
    ]
}

/// Runs both beside each other; every answer must be equal.
fn compare(ops: &[Op]) {
    let origin = Instant::now();
    let instant = |us: u64| origin + Duration::from_micros(us);
    let (mut wheel, mut model) = (Wheel::new(), Model::default());
    let (mut now, mut armed) = (0u64, Vec::new());
    // The first moment a wheel sees is its origin.
    armed.push((wheel.arm(origin, origin, "t", 0), model.arm(0, 0, 0)));
    for op in ops {
        match *op {
            Op::Arm(ahead) => {
                let value = armed.len() as u64;
                let at = now + ahead;
                armed.push((wheel.arm(instant(now), instant(at), "t", value), model.arm(now, at, value)));
            }
            Op::Cancel(at) => {
                let (id, key) = armed[at % armed.len()];
                assert_eq!(wheel.cancel(id), model.timers.remove(&key));
            }
            Op::Advance(by, pops) => {
                now += by;
                for _ in 0..pops {
                    assert_eq!(wheel.pop_due(instant(now)), model.pop_due(now));
                }
            }
            Op::Follow(times) => {
                for _ in 0..times {
                    let Some((at, _)) = wheel.next() else { break };
                    now = now.max(at.duration_since(origin).as_micros() as u64);
                    assert_eq!(wheel.pop_due(instant(now)), model.pop_due(now));
                }
            }
        }
        assert_eq!(wheel.len(), model.timers.len());
        match (wheel.next(), model.next_us()) {
            (None, None) => {}
            (Some((at, name)), Some(due)) => {
                let at = at.duration_since(origin).as_micros() as u64;
                assert!(at <= due.max(now), "{name} at {at} but due at {due}");
                assert!(name == "cascade" || at >= due, "{name} named at {at}, before {due}");
            }
            (wheel, model) => panic!("{wheel:?} beside {model:?}"),
        }
    }
    // Everything left fires, in order, when its time comes, in few enough wake-ups.
    let mut wakes = 0;
    while let Some((at, _)) = wheel.next() {
        let at = at.duration_since(origin).as_micros() as u64;
        assert!(wakes == 0 || at > now || !wheel.is_empty());
        now = now.max(at);
        assert_eq!(wheel.pop_due(instant(now)), model.pop_due(now));
        wakes += 1;
        assert!(wakes <= 8 * (armed.len() + 1), "a timer needs one wake-up a level at most");
    }
    assert!(model.timers.is_empty() && wheel.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_an_ordered_map(ops in prop::collection::vec(op(), 1..80)) {
        compare(&ops);
    }
}

#[test]
fn every_distance_fires_on_its_tick() {
    let origin = Instant::now();
    // Around every block bound of every level, from several positions of the clock.
    for start in [0u64, 1, 63, 64, 4_095, 4_096, 262_143, 16_777_215] {
        for power in 0..5u32 {
            for near in [0u64, 1, 2] {
                let ahead = (64u64.pow(power) + near).saturating_sub(1).max(1);
                let mut wheel = Wheel::new();
                wheel.arm(origin, origin, "first", 0);
                let begin = origin + Duration::from_millis(start);
                assert_eq!(wheel.pop_due(begin), Some(0));
                assert_eq!(wheel.pop_due(begin), None);
                let at = begin + Duration::from_millis(ahead);
                wheel.arm(begin, at, "t", 1);
                assert_eq!(wheel.pop_due(at - Duration::from_nanos(1)), None, "{start} + {ahead}");
                assert_eq!(wheel.pop_due(at), Some(1), "{start} + {ahead}");
            }
        }
    }
}

#[test]
fn a_deadline_is_never_early_and_at_most_a_tick_late() {
    let origin = Instant::now();
    let mut wheel = Wheel::new();
    wheel.arm(origin, origin + Duration::from_micros(10_300), "t", ());
    assert_eq!(wheel.next(), Some((origin + Duration::from_millis(11), "t")));
    assert_eq!(wheel.pop_due(origin + Duration::from_micros(10_999)), None);
    assert_eq!(wheel.pop_due(origin + Duration::from_millis(11)), Some(()));
    // A deadline that has passed is due in the very moment it is armed.
    let now = origin + Duration::from_micros(20_700);
    wheel.arm(now, origin, "t", ());
    assert_eq!(wheel.pop_due(now), Some(()));
}

#[test]
fn stale_names_find_nothing() {
    let now = Instant::now();
    let mut wheel = Wheel::new();
    let first = wheel.arm(now, now, "a", 1);
    assert_eq!(wheel.pop_due(now), Some(1));
    assert_eq!(wheel.cancel(first), None);
    let second = wheel.arm(now, now + Duration::from_secs(1), "b", 2);
    assert_eq!(wheel.cancel(first), None, "the entry is used again, the name is not");
    assert_eq!(wheel.cancel(second), Some(2));
    assert_eq!(wheel.cancel(second), None);
    assert!(wheel.is_empty() && wheel.next().is_none());
}

#[test]
fn equal_deadlines_beyond_the_last_level_keep_their_order() {
    let day = Duration::from_secs(86_400);
    let origin = Instant::now();
    let at = origin + day * 20;
    let mut wheel = Wheel::new();
    wheel.arm(origin, at, "t", 1);
    wheel.arm(origin, origin, "t", 0);
    assert_eq!(wheel.pop_due(origin), Some(0));
    let later = origin + day * 10;
    assert_eq!(wheel.pop_due(later), None);
    wheel.arm(later, at, "t", 2);
    assert_eq!(wheel.pop_due(at - Duration::from_millis(1)), None);
    assert_eq!(wheel.pop_due(at), Some(1));
    assert_eq!(wheel.pop_due(at), Some(2));
}

#[test]
fn a_long_silence_does_not_hide_what_is_due() {
    let origin = Instant::now();
    let mut wheel = Wheel::new();
    wheel.arm(origin, origin + Duration::from_millis(5), "t", 'a');
    let late = origin + Duration::from_secs(86_400 * 40);
    wheel.arm(late, late, "t", 'b');
    wheel.arm(late, late + Duration::from_millis(1), "t", 'c');
    assert_eq!(wheel.pop_due(late), Some('a'));
    assert_eq!(wheel.pop_due(late), Some('b'));
    assert_eq!(wheel.pop_due(late), None);
    assert_eq!(wheel.pop_due(late + Duration::from_millis(1)), Some('c'));
}
