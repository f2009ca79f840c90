//! Medians of CPU time over interleaved rounds: every contender runs in every round, so a slow moment hits all of
//! them alike and ratios stay true on a shared machine; and time that other programs had is not counted.

use std::time::{Duration, Instant};

/// CPU time of this thread so far where the system tells (Linux), else the time of day.
struct Clock {
    started: Instant,
}

impl Clock {
    fn now(&self) -> Duration {
        // The kernel brings the figure up to date when the thread leaves the CPU.
        std::thread::sleep(Duration::from_micros(1));
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let ran = text.split_whitespace().next().and_then(|number| number.parse().ok());
        ran.map_or_else(|| self.started.elapsed(), Duration::from_nanos)
    }
}

/// Rounds per table; odd, so that the median is one of them.
const ROUNDS: usize = 21;

/// CPU time of one contender in one round.
const SLICE: Duration = Duration::from_millis(5);

/// Something to be timed.
pub type Job<'a> = Box<dyn FnMut() + 'a>;

/// Nanoseconds a call, median over the rounds, in the order of `jobs`.
pub fn medians(jobs: &mut [Job<'_>]) -> Vec<f64> {
    let clock = Clock { started: Instant::now() };
    let calls: Vec<u32> = jobs.iter_mut().map(|job| calibrate(job, &clock)).collect();
    let mut rounds = vec![Vec::with_capacity(ROUNDS); jobs.len()];
    for _ in 0..ROUNDS {
        for ((job, calls), times) in jobs.iter_mut().zip(&calls).zip(&mut rounds) {
            let started = clock.now();
            for _ in 0..*calls {
                job();
            }
            times.push((clock.now() - started).as_secs_f64() * 1e9 / f64::from(*calls));
        }
    }
    rounds.into_iter().map(median).collect()
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How many calls fill a slice.
fn calibrate(job: &mut Job<'_>, clock: &Clock) -> u32 {
    let mut calls = 1_u32;
    loop {
        let started = clock.now();
        for _ in 0..calls {
            job();
        }
        let took = clock.now() - started;
        if took * 4 >= SLICE || calls >= 1 << 30 {
            let scale = SLICE.as_secs_f64() / took.as_secs_f64().max(1e-9);
            return (f64::from(calls) * scale).max(1.0) as u32;
        }
        calls = calls.saturating_mul(4);
    }
}
