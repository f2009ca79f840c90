//! Runs a simulation under many seeds and says which one failed.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `CPM_SIM_SEED` | run this seed only, and write its trace whether it fails or not | |
//! | `CPM_SIM_SEEDS` | how many seeds | as the test says |
//! | `CPM_SIM_BASE` | the first of them | 0 |

// Which seed failed and where its trace lies is for the person who runs the test.
#![allow(clippy::print_stderr)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Runs `story` in a fresh world for each seed. At the first that fails, plays it again with a record, writes
/// the trace, names the seed and fails with it. Gives what the runs returned.
pub(crate) fn each<W, R: Send>(
    test: &str,
    count: u64,
    make: impl Fn(u64, bool) -> W + Sync,
    story: impl Fn(&mut W) -> R + Sync,
    lines: impl Fn(&W) -> &[String] + Sync,
) -> Vec<R> {
    let single = number("CPM_SIM_SEED");
    let first = single.or_else(|| number("CPM_SIM_BASE")).unwrap_or(0);
    let count = if single.is_some() { 1 } else { number("CPM_SIM_SEEDS").unwrap_or(count) };
    let seeds: Vec<u64> = (first..first + count).collect();
    let run = |seeds: &[u64]| {
        seeds.iter().map(|seed| one(test, *seed, single.is_some(), &make, &story, &lines)).collect::<Vec<R>>()
    };
    // Each run is single-threaded; two of them share the machine.
    let (left, right) = seeds.split_at(seeds.len().div_ceil(2));
    std::thread::scope(|scope| {
        let left = scope.spawn(|| run(left));
        let mut right = run(right);
        let mut results = left.join().unwrap_or_else(|failure| resume_unwind(failure));
        results.append(&mut right);
        results
    })
}

fn one<W, R>(
    test: &str,
    seed: u64,
    single: bool,
    make: impl Fn(u64, bool) -> W,
    story: impl Fn(&mut W) -> R,
    lines: impl Fn(&W) -> &[String],
) -> R {
    let mut world = make(seed, single);
    let result = catch_unwind(AssertUnwindSafe(|| story(&mut world)));
    if single {
        write_trace(test, seed, lines(&world));
    }
    result.unwrap_or_else(|failure| {
        if !single {
            let mut again = make(seed, true);
            // It fails again; the trace is what is wanted now.
            let _ = catch_unwind(AssertUnwindSafe(|| story(&mut again)));
            write_trace(test, seed, lines(&again));
        }
        eprintln!("seed {seed} failed; replay: CPM_SIM_SEED={seed} cargo test -p cpm-sim --test {test}");
        resume_unwind(failure)
    })
}

fn write_trace(test: &str, seed: u64, lines: &[String]) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{seed}.trace"));
    match std::fs::write(&path, lines.join("\n")) {
        Ok(()) => eprintln!("trace: {}", path.display()),
        Err(error) => eprintln!("trace not written to {}: {error}", path.display()),
    }
}
