//! What is the reference engine's own: crashes, faults and size. The meaning of the operations is tested for all
//! engines by one suite in cpm-store.

use super::*;
use std::time::{Duration, Instant};

fn now() -> Now {
    Now { mono: Instant::now(), unix: Duration::ZERO }
}

fn put(key: &'static str, value: &'static str, expect: Expect) -> StoreOp {
    StoreOp::Put { key: key.into(), value: value.into(), expect }
}

fn append(object: &'static str, at: u64, data: &'static str) -> StoreOp {
    StoreOp::Append { object: object.into(), at, data: data.into() }
}

fn drop_object(object: &'static str) -> StoreOp {
    StoreOp::Drop { object: object.into() }
}

fn delete(key: &'static str) -> StoreOp {
    StoreOp::Delete { key: key.into(), expect: Expect::Any }
}

type Row = (String, u64, String);
type Object = (String, String);

/// Records and objects as plain values.
fn content(store: &MemStore) -> (Vec<Row>, Vec<Object>) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        store.records().map(|(key, version, value)| (text(key), version, text(value))).collect(),
        store.objects().map(|(name, content)| (text(name), text(content))).collect(),
    )
}

#[test]
fn crash_loses_what_was_not_synced_and_nothing_else() {
    let mut store = MemStore::new();
    store.apply(now(), &[put("a", "1", Expect::Any), append("o", 0, "abc"), append("p", 0, "x")]).unwrap();
    store.sync(Durability::Local).unwrap();
    let safe = content(&store);
    let bytes = store.bytes();
    store.apply(now(), &[put("a", "22", Expect::Any), put("b", "3", Expect::Any)]).unwrap();
    store.apply(now(), &[delete("a"), append("o", 3, "def"), drop_object("p")]).unwrap();
    store.apply(now(), &[append("p", 0, "new"), drop_object("o"), append("q", 0, "q")]).unwrap();
    assert_eq!(store.unsynced(), 3);
    store.crash();
    assert_eq!(content(&store), safe);
    assert_eq!(store.bytes(), bytes);
    assert_eq!(store.unsynced(), 0);
}

#[test]
fn memory_durability_makes_nothing_safe() {
    let mut store = MemStore::new();
    store.apply(now(), &[put("a", "1", Expect::Any)]).unwrap();
    store.sync(Durability::Memory).unwrap();
    store.crash();
    assert_eq!(store.records().count(), 0);
}

#[test]
fn a_crash_may_keep_any_prefix_of_the_batches() {
    let mut store = MemStore::new();
    for batch in ["1", "2", "3"] {
        store.apply(now(), &[put("a", batch, Expect::Any)]).unwrap();
    }
    for (keep, version, value) in [(3, 3, "3"), (2, 2, "2"), (1, 1, "1")] {
        let mut crashed = store.clone();
        crashed.crash_keeping(keep);
        assert_eq!(content(&crashed).0, [("a".to_owned(), version, value.to_owned())]);
        // What survived is safe: a second crash does not take it.
        crashed.crash();
        assert_eq!(content(&crashed).0, [("a".to_owned(), version, value.to_owned())]);
    }
}

#[test]
fn reads_leave_nothing_to_lose() {
    let mut store = MemStore::new();
    store.apply(now(), &[StoreOp::Get { key: "a".into() }, delete("a"), drop_object("o")]).unwrap();
    assert_eq!(store.unsynced(), 0);
}

#[test]
fn the_memory_of_unsynced_batches_is_bounded() {
    let mut store = MemStore::new();
    for _ in 0..=UNSYNCED_BATCHES {
        store.apply(now(), &[put("a", "x", Expect::Any)]).unwrap();
    }
    assert_eq!(store.unsynced(), UNSYNCED_BATCHES);
    store.crash();
    assert_eq!(content(&store).0, [("a".to_owned(), 1, "x".to_owned())]);
}

#[test]
fn capacity_counts_keys_values_names_and_contents() {
    // Key 1 + value 3, name 2 + content 4.
    let fill = [put("k", "abc", Expect::Any), append("no", 0, "wxyz")];
    for (capacity, fits) in [(9, false), (10, true), (11, true)] {
        let mut store = MemStore::with_capacity(capacity);
        let result = store.apply(now(), &fill);
        assert_eq!(result.is_ok(), fits);
        if !fits {
            assert_eq!(result, Err(StoreError::Full));
            assert_eq!(content(&store), (vec![], vec![]));
        }
        assert_eq!(store.bytes(), if fits { 10 } else { 0 });
    }
}

#[test]
fn a_full_store_can_be_emptied() {
    let mut store = MemStore::with_capacity(20);
    store.apply(now(), &[put("key", "0123456789", Expect::Any)]).unwrap();
    store.set_capacity(5);
    // Still above the limit, but no larger than before.
    store.apply(now(), &[put("key", "012345678", Expect::Any)]).unwrap();
    assert_eq!(store.apply(now(), &[put("key", "0123456789", Expect::Any)]), Err(StoreError::Full));
    store.apply(now(), &[delete("key")]).unwrap();
    assert_eq!(store.bytes(), 0);
    store.apply(now(), &[put("key", "01", Expect::Any)]).unwrap();
}

#[test]
fn failing_applies_change_nothing() {
    let mut store = MemStore::new();
    let error = StoreError::Unavailable { retry: Duration::from_secs(1) };
    store.fail_applies(2, error);
    assert_eq!(store.apply(now(), &[put("a", "1", Expect::Any)]), Err(error));
    assert_eq!(store.apply(now(), &[put("a", "1", Expect::Any)]), Err(error));
    assert_eq!(store.records().count(), 0);
    store.apply(now(), &[put("a", "1", Expect::Any)]).unwrap();
}

#[test]
fn failing_syncs_make_nothing_safe() {
    let mut store = MemStore::new();
    store.apply(now(), &[put("a", "1", Expect::Any)]).unwrap();
    store.fail_syncs(1, StoreError::Corrupt);
    assert_eq!(store.sync(Durability::Local), Err(StoreError::Corrupt));
    assert_eq!(store.unsynced(), 1);
    store.sync(Durability::Local).unwrap();
    assert_eq!(store.unsynced(), 0);
}

#[test]
fn faults_of_no_calls_never_strike_and_a_crash_ends_them() {
    let mut store = MemStore::new();
    store.fail_applies(0, StoreError::Corrupt);
    store.apply(now(), &[put("a", "1", Expect::Any)]).unwrap();
    store.fail_applies(9, StoreError::Corrupt);
    store.fail_syncs(9, StoreError::Corrupt);
    store.crash();
    store.apply(now(), &[put("a", "1", Expect::Any)]).unwrap();
    store.sync(Durability::Replicated).unwrap();
}

#[test]
fn the_value_kept_does_not_hold_the_buffer_it_came_from() {
    let buffer = Bytes::from(vec![7_u8; 65_536]);
    let mut store = MemStore::new();
    let put = StoreOp::Put { key: buffer.slice(..4), value: buffer.slice(4..8), expect: Expect::Any };
    store.apply(now(), &[put]).unwrap();
    assert!(buffer.is_unique());
}

#[test]
fn the_limits_of_a_batch() {
    use crate::store::engine::{BATCH_LIMIT, KEY_LIMIT, VALUE_LIMIT};
    let get = |len: usize| StoreOp::Get { key: vec![b'k'; len].into() };
    let put = |len: usize| StoreOp::Put { key: "k".into(), value: vec![0; len].into(), expect: Expect::Any };
    let grow = |len: usize| StoreOp::Append { object: "o".into(), at: 0, data: vec![0; len].into() };
    let scan = StoreOp::Scan { from: Bytes::new(), to: vec![255; 2000].into(), limit: 1, reverse: false };
    for (batch, fits) in [
        (vec![get(0)], false),
        (vec![get(1)], true),
        (vec![get(KEY_LIMIT)], true),
        (vec![get(KEY_LIMIT + 1)], false),
        (vec![put(VALUE_LIMIT)], true),
        (vec![put(VALUE_LIMIT + 1)], false),
        (vec![grow(VALUE_LIMIT)], true),
        (vec![grow(VALUE_LIMIT + 1)], false),
        (vec![drop_object("")], false),
        (vec![scan], true),
        (vec![get(1); BATCH_LIMIT], true),
        (vec![get(1); BATCH_LIMIT + 1], false),
        (vec![], true),
    ] {
        let mut store = MemStore::new();
        let result = store.apply(now(), &batch);
        assert_eq!(result.is_ok(), fits, "{:?}", batch.first());
        if !fits {
            assert_eq!(result, Err(StoreError::Invalid));
        }
    }
}
