//! The same measurements under criterion, for work on one of them: `cargo bench -- parse/INVITE`. The tables of
//! docs/performance.md come from `run.sh`, which interleaves the contenders.

#![allow(missing_docs)]

use cpm_bench::contenders;
use cpm_bench::fixtures;
use cpm_bench::trips::{Ours, sipx};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

fn sip(criterion: &mut Criterion) {
    for fixture in fixtures::all() {
        for (what, typed) in [("parse", false), ("typed", true)] {
            let mut group = criterion.benchmark_group(format!("{what}/{}", fixture.name));
            group.throughput(Throughput::Bytes(fixture.raw.len() as u64));
            for contender in contenders::all() {
                let call = if typed { contender.typed } else { Some(contender.parse) };
                let Some(call) = call.filter(|call| call(&fixture.raw).is_some()) else { continue };
                let name = BenchmarkId::from_parameter(contender.name);
                group.bench_with_input(name, &fixture.raw, |bencher, raw| {
                    bencher.iter(|| call(black_box(raw)));
                });
            }
            group.finish();
        }
    }
}

fn transactions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transactions");
    group.throughput(Throughput::Elements(1_000));
    let mut ours = Ours::default();
    group.bench_function("cpm-sip", |bencher| bencher.iter(|| ours.round_trips(1_000)));
    let mut theirs = sipx::Peers::default();
    group.bench_function("sipx-sip", |bencher| bencher.iter(|| theirs.round_trips(1_000)));
    group.finish();
}

criterion_group!(benches, sip, transactions);
criterion_main!(benches);
