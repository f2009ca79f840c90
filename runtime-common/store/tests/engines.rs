//! Every engine through the same suite.

mod suite;

use cpm_proto::store::engine::{Durability, Expect, StoreEngine, StoreError};
use cpm_proto::store::mem::MemStore;
use cpm_store::{FjallStore, Options};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::panic::{AssertUnwindSafe, catch_unwind};
use suite::{Subject, append, cases, delete, drop_object, get, model, now, put};
use tempfile::TempDir;

/// The reference engine; closing in good order is a sync, and the process's end a crash.
struct Memory(MemStore);

impl Subject for Memory {
    fn engine(&mut self) -> &mut dyn StoreEngine {
        &mut self.0
    }

    fn reopen(&mut self) {
        self.0.sync(Durability::Local).unwrap();
        self.0.crash();
    }
}

/// The embedded engine in a temporary folder.
struct Embedded {
    // Before the folder, so that it is closed before its files go.
    store: Option<FjallStore>,
    options: Options,
    folder: TempDir,
}

impl Embedded {
    fn new(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = FjallStore::open(folder.path(), options.clone()).unwrap();
        Self { store: Some(store), options, folder }
    }
}

impl Subject for Embedded {
    fn engine(&mut self) -> &mut dyn StoreEngine {
        self.store.as_mut().unwrap()
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(FjallStore::open(self.folder.path(), self.options.clone()).unwrap());
    }
}

/// Runs all cases, each on an empty engine.
fn every_case<S: Subject>(empty: impl Fn() -> S) {
    for (name, case) in cases() {
        let outcome = catch_unwind(AssertUnwindSafe(|| case(&mut empty())));
        assert!(outcome.is_ok(), "{name}");
    }
}

#[test]
fn the_reference_engine_passes_every_case() {
    every_case(|| Memory(MemStore::new()));
}

#[test]
fn the_embedded_engine_passes_every_case() {
    every_case(|| Embedded::new(Options::default()));
}

/// Sorted files and compaction instead of memory: the answers must not depend on where a record lies.
#[test]
fn the_embedded_engine_passes_every_case_with_tiny_memtables() {
    let mut options = Options::default();
    options.memtable_bytes = 1;
    options.cache_bytes = 0;
    every_case(|| Embedded::new(options.clone()));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_reference_engine_is_the_model(run in model::runs()) {
        model::play(&mut Memory(MemStore::new()), &run)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_embedded_engine_is_the_model(run in model::runs()) {
        model::play(&mut Embedded::new(Options::default()), &run)?;
    }
}

#[test]
fn a_full_embedded_store_still_deletes() {
    let mut options = Options::default();
    // Less than the journal that every store begins with, so full from the start.
    options.capacity = 1024 * 1024;
    let mut full = Embedded::new(options);
    assert_eq!(full.apply(&[put("k", "v", Expect::Any)]), Err(StoreError::Full));
    assert_eq!(full.apply(&[get("k"), append("o", 0, "x")]), Err(StoreError::Full));
    full.apply(&[get("k"), delete("k", Expect::Any), drop_object("o")]).unwrap();
    full.options.capacity = 1024 * 1024 * 1024;
    full.reopen();
    full.apply(&[put("k", "v", Expect::Any)]).unwrap();
}

#[test]
fn engines_can_be_driven_from_another_thread() {
    let mut boxed: Box<dyn StoreEngine + Send> = Box::new(MemStore::new());
    std::thread::spawn(move || boxed.apply(now(), &[]).unwrap()).join().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut boxed: Box<dyn StoreEngine + Send> =
        Box::new(FjallStore::open(folder.path(), Options::default()).unwrap());
    std::thread::spawn(move || boxed.apply(now(), &[]).unwrap()).join().unwrap();
}
