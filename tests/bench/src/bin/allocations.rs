//! Heap allocations of each SIP parser for one message, counted. Exact and the same in every run, so a gate.

use cpm_bench::contenders::all;
use cpm_bench::fixtures;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Calls and bytes of one call, or none if the message cannot be read.
fn count(call: fn(&bytes::Bytes) -> Option<usize>, raw: &bytes::Bytes) -> Option<(usize, usize)> {
    call(raw)?;
    let region = Region::new(HEAP);
    std::hint::black_box(call(raw))?;
    let change = region.change();
    Some((change.allocations + change.reallocations, change.bytes_allocated))
}

fn main() {
    let fixtures = fixtures::all();
    println!("### Heap allocations of one message: calls (bytes)\n");
    print!("| contender |");
    for fixture in &fixtures {
        print!(" {} parse | typed |", fixture.name);
    }
    print!("\n|---|");
    fixtures.iter().for_each(|_| print!("---:|---:|"));
    for contender in all() {
        print!("\n| {} |", contender.name);
        for fixture in &fixtures {
            for call in [Some(contender.parse), contender.typed] {
                match call.map(|call| count(call, &fixture.raw)) {
                    Some(Some((calls, bytes))) => print!(" {calls} ({bytes}) |"),
                    Some(None) => print!(" fails |"),
                    None => print!(" - |"),
                }
            }
        }
    }
    println!();
}
