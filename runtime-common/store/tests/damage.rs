//! Damaged folders: an error or the truth, never a wrong value and never a panic.

use bytes::Bytes;
use cpm_base::Now;
use cpm_proto::store::engine::{Durability, Expect, StoreAnswer, StoreEngine, StoreError, StoreOp};
use cpm_store::{FjallStore, OpenError, Options};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const RECORDS: u64 = 60;

fn small() -> Options {
    let mut options = Options::default();
    options.memtable_bytes = 1;
    options.cache_bytes = 0;
    options
}

fn now() -> Now {
    Now { mono: Instant::now(), unix: Duration::ZERO }
}

fn key(n: u64) -> Bytes {
    format!("key {n:03}").into()
}

fn content(n: u64) -> String {
    format!("value {n} ").repeat(30)
}

/// A store with `RECORDS` records and an object, closed in good order.
fn filled(folder: &Path, options: Options) {
    let mut store = FjallStore::open(folder, options.clone()).unwrap();
    for n in 0..RECORDS {
        store
            .apply(now(), &[StoreOp::Put { key: key(n), value: content(n).into(), expect: Expect::Absent }])
            .unwrap();
        let data = vec![n as u8; 2000].into();
        store.apply(now(), &[StoreOp::Append { object: "o".into(), at: n * 2000, data }]).unwrap();
        store.sync(Durability::Local).unwrap();
    }
    drop(store);
    // A second start cuts the journal, laid out with 64 MiB in front, to its content: copies are cheap then.
    drop(FjallStore::open(folder, options).unwrap());
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Opens the folder; whatever it answers must be true or an error. Gives the number of errors.
fn probe(folder: &Path) -> usize {
    let mut store = match FjallStore::open(folder, small()) {
        Ok(store) => store,
        Err(error) => {
            assert_eq!(error.to_string().lines().count(), 1);
            return 1;
        }
    };
    let mut errors = 0;
    for n in 0..RECORDS {
        match store.apply(now(), &[StoreOp::Get { key: key(n) }]) {
            Ok(answers) => match &answers[0] {
                StoreAnswer::Value(Some((1, value))) => assert_eq!(value, content(n).as_bytes()),
                // The journal's end was cut off.
                StoreAnswer::Value(None) => errors += 1,
                other => panic!("{other:?}"),
            },
            Err(StoreError::Corrupt | StoreError::Unavailable { .. }) => errors += 1,
            Err(other) => panic!("{other}"),
        }
        match store.apply(now(), &[StoreOp::Read { object: "o".into(), at: n * 2000, limit: 2000 }]) {
            Ok(answers) => match &answers[0] {
                StoreAnswer::Piece { data, .. } if data.is_empty() => errors += 1,
                StoreAnswer::Piece { data, .. } => assert!(data.iter().all(|byte| *byte == n as u8)),
                other => panic!("{other:?}"),
            },
            Err(StoreError::Corrupt | StoreError::Unavailable { .. }) => errors += 1,
            Err(other) => panic!("{other}"),
        }
    }
    errors
}

#[test]
fn a_flipped_byte_is_an_error_or_harmless() {
    let parent = tempfile::tempdir().unwrap();
    let good = parent.path().join("good");
    filled(&good, small());
    assert_eq!(probe(&good), 0);
    let mut all = Vec::new();
    files(&good.join("db"), &mut all);
    all.sort();
    let mut noticed = 0;
    for (index, file) in all.iter().enumerate() {
        let length = fs::metadata(file).unwrap().len().min(20_000) as usize;
        if length == 0 {
            continue;
        }
        let bad = parent.path().join(format!("bad{index}"));
        copy(&good, &bad);
        let target = bad.join(file.strip_prefix(&good).unwrap());
        let mut bytes = fs::read(&target).unwrap();
        bytes[length / 2] ^= 0x20;
        fs::write(&target, bytes).unwrap();
        noticed += usize::from(probe(&bad) > 0);
        fs::remove_dir_all(&bad).unwrap();
    }
    assert!(noticed > 0);
}

#[test]
fn a_flipped_byte_in_the_journal_stops_the_start() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    // With memtables of normal size everything is in the journal only.
    filled(&folder, Options::default());
    let journal = folder.join("db/0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    // Inside the value of a record.
    let needle = content(20);
    let at = bytes.windows(needle.len()).position(|window| window == needle.as_bytes()).unwrap();
    bytes[at + 10] ^= 0x01;
    fs::write(&journal, &bytes).unwrap();
    let error = FjallStore::open(&folder, Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    // Repaired from a copy, nothing is missing: the refusal changed nothing before the damage.
    bytes[at + 10] ^= 0x01;
    fs::write(&journal, &bytes).unwrap();
    assert_eq!(probe(&folder), 0);
}

#[test]
fn a_missing_file_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let good = parent.path().join("good");
    filled(&good, small());
    let mut all = Vec::new();
    files(&good.join("db/keyspaces"), &mut all);
    for (index, file) in all.iter().enumerate() {
        let bad = parent.path().join(format!("bad{index}"));
        copy(&good, &bad);
        fs::remove_file(bad.join(file.strip_prefix(&good).unwrap())).unwrap();
        probe(&bad);
        fs::remove_dir_all(&bad).unwrap();
    }
}

#[test]
fn a_stray_file_in_the_engine_s_folder_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), Options::default());
    fs::create_dir(folder.path().join("db/keyspaces/lost+found")).unwrap();
    let error = FjallStore::open(folder.path(), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert_eq!(error.to_string().lines().count(), 1);
}

#[test]
fn an_engine_of_a_newer_version_is_refused_and_not_harmed() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), Options::default());
    let journal = fs::read(folder.path().join("db/0.jnl")).unwrap();
    let marker = folder.path().join("db/version");
    let old = fs::read(&marker).unwrap();
    let mut new = old.clone();
    *new.last_mut().unwrap() = 200;
    fs::write(&marker, new).unwrap();
    let error = FjallStore::open(folder.path(), Options::default()).unwrap_err();
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    assert_eq!(fs::read(folder.path().join("db/0.jnl")).unwrap(), journal);
    fs::write(&marker, old).unwrap();
    assert_eq!(probe(folder.path()), 0);
}
