//! Durable batches a second: a sync for each, and group commit by the engine thread; beside a bare file that is
//! written and synced, and the engine in memory.
//!
//! A batch is what a deferred message comes to: a body of 1 kB and three small records, half of it random.

use bytes::Bytes;
use cpm_base::{Rng, Token};
use cpm_bench::rounds::median;
use cpm_proto::store::engine::{Durability, Expect, StoreEngine, StoreOp};
use cpm_proto::store::mem::MemStore;
use cpm_runtime_common::engine::{EngineLimits, EngineThread};
use cpm_runtime_common::stamp;
use cpm_store::{FjallStore, Options};
use std::io::Write;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// Rounds of the whole table.
const ROUNDS: usize = 3;

/// Batches of one round where each is synced.
const SYNCED: u64 = 500;

/// Batches of one round where groups are synced or nothing is.
const GROUPED: u64 = 10_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let names = [
        "bare file, write and fsync each (bound)",
        "fjall, sync each",
        "fjall, engine thread, 1 under way",
        "fjall, engine thread, 64 under way",
        "fjall, engine thread, 1,000 under way",
        "memory engine, engine thread, 64 under way",
        "memory engine, called directly",
    ];
    let mut rows = vec![Vec::new(); names.len()];
    for _ in 0..ROUNDS {
        let round = [
            bare_file()?,
            sync_each()?,
            grouped(fjall()?, 1, SYNCED)?,
            grouped(fjall()?, 64, GROUPED)?,
            grouped(fjall()?, 1_000, GROUPED)?,
            grouped((None, Box::new(MemStore::new())), 64, GROUPED)?,
            in_memory()?,
        ];
        rows.iter_mut().zip(round).for_each(|(row, rate)| row.push(rate));
    }
    println!("### Batches of one deferred message a second, median of {ROUNDS}\n");
    println!("| engine | batches/s | x |");
    println!("|---|---:|---:|");
    let medians: Vec<f64> = rows.into_iter().map(median).collect();
    for (name, rate) in names.iter().zip(&medians) {
        println!("| {name} | {rate:.0} | {:.1} |", rate / medians[0]);
    }
    Ok(())
}

fn batch(rng: &mut Rng, n: u64) -> Vec<StoreOp> {
    let mut random = [0; 512];
    rng.fill(&mut random);
    let body = [&random[..], &[b'x'; 512]].concat();
    let key = |kind: &[u8]| Bytes::from([b"cp".as_slice(), &[7; 16], kind, &n.to_be_bytes()].concat());
    let put =
        |key, value: &[u8]| StoreOp::Put { key, value: Bytes::copy_from_slice(value), expect: Expect::Any };
    vec![
        put(key(b"d"), &body),
        put(key(b"s"), &random[..24]),
        put(key(b"t"), &random[..8]),
        put(Bytes::from_static(b"counter"), &n.to_be_bytes()),
    ]
}

fn rate(batches: u64, started: Instant) -> f64 {
    batches as f64 / started.elapsed().as_secs_f64()
}

fn bare_file() -> Outcome<f64> {
    let folder = tempfile::tempdir()?;
    let mut file = std::fs::File::create(folder.path().join("journal"))?;
    let started = Instant::now();
    for _ in 0..SYNCED {
        file.write_all(&[b'x'; 1_300])?;
        file.sync_all()?;
    }
    Ok(rate(SYNCED, started))
}

type Engine = (Option<tempfile::TempDir>, Box<dyn StoreEngine + Send>);

fn fjall() -> Outcome<Engine> {
    let folder = tempfile::tempdir()?;
    let store = FjallStore::open(folder.path(), Options::default())?;
    Ok((Some(folder), Box::new(store)))
}

fn sync_each() -> Outcome<f64> {
    let (_folder, mut store) = fjall()?;
    let mut rng = Rng::new([1; 32]);
    let started = Instant::now();
    for n in 0..SYNCED {
        store.apply(stamp(), &batch(&mut rng, n))?;
        store.sync(Durability::Local)?;
    }
    Ok(rate(SYNCED, started))
}

fn in_memory() -> Outcome<f64> {
    let mut store = MemStore::new();
    let mut rng = Rng::new([1; 32]);
    let started = Instant::now();
    for n in 0..GROUPED {
        store.apply(stamp(), &batch(&mut rng, n))?;
    }
    Ok(rate(GROUPED, started))
}

/// `window` batches are under way at any time; each is answered when it is safe.
fn grouped((_folder, store): Engine, window: u64, batches: u64) -> Outcome<f64> {
    let (answers, answered) = channel();
    let limits = EngineLimits::default();
    let thread = EngineThread::spawn(store, limits, move |_, result| {
        let _ = answers.send(result.map(|_| ()));
    })?;
    let mut rng = Rng::new([1; 32]);
    let started = Instant::now();
    let mut begun = 0;
    for ended in 0..batches {
        while begun < batches && begun < ended + window {
            thread.submit(Token(begun), Durability::Local, batch(&mut rng, begun))?;
            begun += 1;
        }
        wait(&answered)?;
    }
    let rate = rate(batches, started);
    drop(thread);
    Ok(rate)
}

fn wait(answered: &Receiver<Result<(), cpm_proto::store::engine::StoreError>>) -> Outcome<()> {
    Ok(answered.recv()??)
}
