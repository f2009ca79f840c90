//! Processes that die: SIGKILL in the middle of writing, and a disk that takes no more. Whatever a child was told
//! is synced must be there afterwards, whole and in order (threats 10.1, 10.3, 10.8).
//!
//! The child is this same test program, run for one test with the folder in its environment.

use cpm_base::Now;
use cpm_proto::store::engine::{Durability, Expect, StoreAnswer, StoreEngine, StoreError, StoreOp};
use cpm_store::{FjallStore, OpenError, Options};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const FOLDER: &str = "CPM_STORE_TEST_FOLDER";

/// Batches per sync in the child.
const GROUP: u64 = 7;

/// Small, so that files are written and compacted while the child is killed.
fn small() -> Options {
    let mut options = Options::default();
    options.memtable_bytes = 256 * 1024;
    options
}

fn now() -> Now {
    Now { mono: Instant::now(), unix: Duration::ZERO }
}

fn record_key(n: u64) -> bytes::Bytes {
    n.to_be_bytes().to_vec().into()
}

/// Bytes that do not compress, different for each `n`.
fn filling(n: u64, len: usize) -> bytes::Bytes {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect::<Vec<_>>().into()
}

/// The `n`th batch: a record, a piece of an object, the number of batches so far, and for every fourth an object
/// that the next batch drops again.
fn batch(n: u64, object_length: u64) -> Vec<StoreOp> {
    let put = |key, value| StoreOp::Put { key, value, expect: Expect::Any };
    let mut batch = vec![
        put(record_key(n), filling(n, 1500)),
        StoreOp::Append { object: "log".into(), at: object_length, data: filling(n, 100) },
        put("count".into(), n.to_be_bytes().to_vec().into()),
    ];
    match n % 4 {
        0 => batch.push(StoreOp::Append { object: "brief".into(), at: 0, data: filling(n, 2000) }),
        1 => batch.push(StoreOp::Drop { object: "brief".into() }),
        _ => {}
    }
    batch
}

/// How many batches are in the store, each of which must be whole, with nothing after a gap.
fn verify(store: &mut FjallStore) -> u64 {
    let mut ask = |op| store.apply(now(), &[op]).unwrap().remove(0);
    let count = match ask(StoreOp::Get { key: "count".into() }) {
        StoreAnswer::Value(Some((_, value))) => u64::from_be_bytes(value[..].try_into().unwrap()),
        StoreAnswer::Value(None) => 0,
        other => panic!("{other:?}"),
    };
    let to = u64::MAX.to_be_bytes().to_vec().into();
    let scan = StoreOp::Scan { from: record_key(0), to, limit: u32::MAX, reverse: false };
    let StoreAnswer::Rows { rows, .. } = ask(scan) else { panic!() };
    let records: Vec<_> = rows.iter().filter(|(key, ..)| key.len() == 8).collect();
    assert_eq!(records.len() as u64, count);
    for (n, (key, version, value)) in (1..).zip(records) {
        assert_eq!((key, *version, value), (&record_key(n), 1, &filling(n, 1500)));
    }
    let StoreAnswer::Piece { data, length } =
        ask(StoreOp::Read { object: "log".into(), at: 0, limit: u32::MAX })
    else {
        panic!()
    };
    assert_eq!(length, count * 100);
    for (n, piece) in (1..).zip(data.chunks(100)) {
        assert_eq!(piece, filling(n, 100));
    }
    let brief = if count > 0 && count.is_multiple_of(4) { filling(count, 2000) } else { bytes::Bytes::new() };
    let StoreAnswer::Piece { data, .. } =
        ask(StoreOp::Read { object: "brief".into(), at: 0, limit: u32::MAX })
    else {
        panic!()
    };
    assert_eq!(data, brief);
    count
}

/// This program again, as one of the `child_...` tests below. It writes numbers to its standard output.
fn spawn(test: &str, folder: &Path, shell: Option<&str>) -> (Child, BufReader<ChildStdout>) {
    let program = std::env::current_exe().unwrap();
    let mut command = match shell {
        None => Command::new(program),
        Some(before) => {
            let mut command = Command::new("sh");
            command.arg("-c").arg(format!("{before}; exec \"$0\" \"$@\"")).arg(program);
            command
        }
    };
    command.args(["--exact", test, "--nocapture", "--quiet"]).env(FOLDER, folder);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// Numbers that a child reported, skipping what the test harness itself prints.
fn numbers(output: impl BufRead) -> impl Iterator<Item = u64> {
    output.lines().map_while(Result::ok).filter_map(|line| line.strip_prefix("synced ")?.parse().ok())
}

fn report(n: u64) {
    say(&format!("synced {n}"));
}

/// A line on the real standard output, which the test harness does not hold back.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").unwrap();
    out.flush().unwrap();
}

#[test]
fn child_that_writes_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut store = FjallStore::open(folder, small()).unwrap();
    let mut n = verify(&mut store);
    loop {
        for _ in 0..GROUP {
            n += 1;
            store.apply(now(), &batch(n, (n - 1) * 100)).unwrap();
        }
        store.sync(Durability::Local).unwrap();
        report(n);
    }
}

#[test]
fn what_was_synced_survives_sigkill() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = 0;
    // Different moments, counted in syncs, of ever larger stores.
    for syncs in [1, 40, 7, 90, 23, 60] {
        let (mut child, output) = spawn("child_that_writes_until_killed", folder.path(), None);
        let mut synced = numbers(output);
        let mut last = synced.by_ref().take(syncs).last().expect("a child that syncs");
        child.kill().unwrap();
        child.wait().unwrap();
        // What it still said before it died was synced as well.
        last = synced.last().unwrap_or(last);
        let mut store = FjallStore::open(folder.path(), small()).unwrap();
        let found = verify(&mut store);
        assert!(found >= last, "{last} were synced, {found} are there");
        assert!(found >= before);
        before = found;
    }
}

#[test]
fn child_that_writes_until_refused() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut options = Options::default();
    // Everything into the journal, so that it is the journal that meets the end of the disk.
    options.memtable_bytes = 1024 * 1024 * 1024;
    let mut store = FjallStore::open(folder, options).unwrap();
    for n in 1..=2000 {
        let mut batch = batch(n, (n - 1) * 100);
        let ballast = filling(n, 256 * 1024);
        batch.push(StoreOp::Put { key: "ballast".into(), value: ballast, expect: Expect::Any });
        let unavailable = |result: StoreError| assert!(matches!(result, StoreError::Unavailable { .. }));
        if let Err(error) = store.apply(now(), &batch).and_then(|_| store.sync(Durability::Local)) {
            unavailable(error);
            // From then on it refuses everything: nobody knows what is on the disk.
            assert!(store.is_failed());
            unavailable(store.apply(now(), &batch).unwrap_err());
            unavailable(store.sync(Durability::Local).unwrap_err());
            say("refused");
            return;
        }
        report(n);
    }
}

/// A limit on the size of files stands for a full disk. The journal is laid out with 64 MiB in front.
#[cfg(unix)]
#[test]
fn what_was_synced_survives_a_disk_that_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let shell = "trap '' XFSZ; ulimit -f 135168";
    let (mut child, mut output) = spawn("child_that_writes_until_refused", folder.path(), Some(shell));
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(text.contains("refused"), "the limit was never met");
    let last = numbers(text.as_bytes()).last().unwrap();
    let mut store = FjallStore::open(folder.path(), Options::default()).unwrap();
    let found = verify(&mut store);
    assert!(found >= last, "{last} were synced, {found} are there");
}

#[test]
fn child_that_holds_the_folder() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let _store = FjallStore::open(folder, Options::default()).unwrap();
    report(0);
    // Until the parent closes its end.
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn a_folder_in_use_by_another_process_is_refused_and_not_harmed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, output) = spawn("child_that_holds_the_folder", folder.path(), None);
    let mut synced = numbers(output);
    assert_eq!(synced.next(), Some(0));
    let error = FjallStore::open(folder.path(), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    FjallStore::open(folder.path(), Options::default()).unwrap();
}
