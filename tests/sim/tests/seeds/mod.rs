//! Runs a simulation under many seeds and says which one failed.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `CPM_SIM_SEED` | run this seed only, and write its trace whether it fails or not | |
//! | `CPM_SIM_SEEDS` | how many seeds | as the test says |
//! | `CPM_SIM_BASE` | the first of them | 0 |

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Runs `story` in a fresh world for each seed. At the first that fails, plays it again with a record, writes
/// the trace, names the seed and fails with it. Gives what the runs returned.
pub(crate) fn each<W, R>(
    test: &str,
    count: u64,
    make: impl Fn(u64, bool) -> W,
    story: impl Fn(&mut W) -> R,
    lines: impl Fn(&W) -> &[String],
) -> Vec<R> {
    let single = number("CPM_SIM_SEED");
    let first = single.or_else(|| number("CPM_SIM_BASE")).unwrap_or(0);
    let count = if single.is_some() { 1 } else { number("CPM_SIM_SEEDS").unwrap_or(count) };
    let mut results = Vec::new();
    for seed in first..first + count {
        let mut world = make(seed, single.is_some());
        let result = catch_unwind(AssertUnwindSafe(|| story(&mut world)));
        if single.is_some() {
            write_trace(test, seed, lines(&world));
        }
        match result {
            Ok(result) => results.push(result),
            Err(failure) => {
                if single.is_none() {
                    let mut again = make(seed, true);
                    // It fails again; the trace is what is wanted now.
                    let _ = catch_unwind(AssertUnwindSafe(|| story(&mut again)));
                    write_trace(test, seed, lines(&again));
                }
                eprintln!(
                    "seed {seed} failed; replay: CPM_SIM_SEED={seed} cargo test -p cpm-sim --test {test}"
                );
                resume_unwind(failure);
            }
        }
    }
    results
}

fn write_trace(test: &str, seed: u64, lines: &[String]) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{seed}.trace"));
    match std::fs::write(&path, lines.join("\n")) {
        Ok(()) => eprintln!("trace: {}", path.display()),
        Err(error) => eprintln!("trace not written to {}: {error}", path.display()),
    }
}
