//! One suite for every engine: the meaning of [`StoreEngine`], case by case and against a naive model.

pub(crate) mod model;
mod objects;
mod records;
mod scans;

use bytes::Bytes;
use cpm_base::Now;
use cpm_proto::store::engine::{Durability, Expect, StoreAnswer, StoreEngine, StoreError, StoreOp};
use std::time::{Duration, Instant};

/// An engine under test that can be closed in good order and opened again.
pub(crate) trait Subject {
    /// The open engine.
    fn engine(&mut self) -> &mut dyn StoreEngine;

    /// Closes and opens it; everything applied must still be there.
    fn reopen(&mut self);

    /// Applies a batch.
    fn apply(&mut self, batch: &[StoreOp]) -> Result<Vec<StoreAnswer>, StoreError> {
        self.engine().apply(now(), batch)
    }

    /// Applies a batch of one operation that must go well.
    fn one(&mut self, op: StoreOp) -> StoreAnswer {
        let mut answers = self.apply(std::slice::from_ref(&op)).unwrap_or_else(|e| panic!("{op:?}: {e}"));
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }
}

/// A named case; it gets an empty engine.
pub(crate) type Case = (&'static str, fn(&mut dyn Subject));

/// All cases.
pub(crate) fn cases() -> impl Iterator<Item = &'static Case> {
    records::CASES.iter().chain(scans::CASES).chain(objects::CASES)
}

/// Both clocks.
pub(crate) fn now() -> Now {
    Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) }
}

pub(crate) fn get(key: &str) -> StoreOp {
    StoreOp::Get { key: Bytes::copy_from_slice(key.as_bytes()) }
}

pub(crate) fn put(key: &str, value: &str, expect: Expect) -> StoreOp {
    let (key, value) = (key.as_bytes(), value.as_bytes());
    StoreOp::Put { key: Bytes::copy_from_slice(key), value: Bytes::copy_from_slice(value), expect }
}

pub(crate) fn delete(key: &str, expect: Expect) -> StoreOp {
    StoreOp::Delete { key: Bytes::copy_from_slice(key.as_bytes()), expect }
}

pub(crate) fn check(key: &str, version: u64) -> StoreOp {
    StoreOp::Check { key: Bytes::copy_from_slice(key.as_bytes()), version }
}

pub(crate) fn scan(from: &str, to: &str, limit: u32, reverse: bool) -> StoreOp {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    StoreOp::Scan { from: Bytes::copy_from_slice(from), to: Bytes::copy_from_slice(to), limit, reverse }
}

pub(crate) fn append(object: &str, at: u64, data: &str) -> StoreOp {
    let (object, data) = (object.as_bytes(), data.as_bytes());
    StoreOp::Append { object: Bytes::copy_from_slice(object), at, data: Bytes::copy_from_slice(data) }
}

pub(crate) fn read(object: &str, at: u64, limit: u32) -> StoreOp {
    StoreOp::Read { object: Bytes::copy_from_slice(object.as_bytes()), at, limit }
}

pub(crate) fn drop_object(object: &str) -> StoreOp {
    StoreOp::Drop { object: Bytes::copy_from_slice(object.as_bytes()) }
}

pub(crate) fn value(version: u64, value: &str) -> StoreAnswer {
    StoreAnswer::Value(Some((version, Bytes::copy_from_slice(value.as_bytes()))))
}

pub(crate) fn nothing() -> StoreAnswer {
    StoreAnswer::Value(None)
}

pub(crate) fn written(version: u64) -> StoreAnswer {
    StoreAnswer::Written { version }
}

pub(crate) fn rows(rows: &[(&str, u64, &str)], more: bool) -> StoreAnswer {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    StoreAnswer::Rows { rows: rows.iter().map(|(k, n, v)| (bytes(k), *n, bytes(v))).collect(), more }
}

pub(crate) fn piece(data: &str, length: u64) -> StoreAnswer {
    StoreAnswer::Piece { data: Bytes::copy_from_slice(data.as_bytes()), length }
}

pub(crate) fn conflict(op: u16, current: u64) -> Result<Vec<StoreAnswer>, StoreError> {
    Err(StoreError::Conflict { op, current })
}

/// Syncs as strongly as an engine of one machine can.
pub(crate) fn sync(subject: &mut dyn Subject) {
    subject.engine().sync(Durability::Local).unwrap();
}
