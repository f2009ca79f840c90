//! A batch at work: reads see the writes before them, and nothing reaches the database before all went well.

use crate::embedded::{FjallStore, Writes, read_error};
use crate::layout::{length_value, object_key, piece_key, record_value, split_record, trailing_number};
use bytes::{Bytes, BytesMut};
use cpm_proto::store::engine::{Expect, StoreAnswer, StoreError, StoreOp};
use std::collections::BTreeMap;
use std::ops::Bound;

/// The database with the writes of one batch over it.
pub(crate) struct Working<'a> {
    store: &'a FjallStore,
    /// Version and value, or none where the batch deleted it.
    records: BTreeMap<Bytes, Option<(u64, Bytes)>>,
    objects: BTreeMap<Bytes, Object>,
}

/// An object that the batch changed.
struct Object {
    /// Its length now.
    length: u64,
    /// How much of it is in the database; the rest is in `added`.
    kept: u64,
    /// What the database holds of it has to go.
    dropped: bool,
    /// Where each piece begins, without gaps from `kept` on.
    added: Vec<(u64, Bytes)>,
}

/// Why an operation ended the batch.
pub(crate) enum Stop {
    /// An expectation did not hold.
    Met { current: u64 },
    /// The database failed.
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Stop {
    /// The answer to the batch whose operation number `index` was stopped.
    pub(crate) fn at(self, index: usize) -> StoreError {
        match self {
            Self::Met { current } => {
                StoreError::Conflict { op: u16::try_from(index).unwrap_or(u16::MAX), current }
            }
            Self::Store(error) => error,
        }
    }
}

impl<'a> Working<'a> {
    pub(crate) fn new(store: &'a FjallStore) -> Self {
        Self { store, records: BTreeMap::new(), objects: BTreeMap::new() }
    }

    pub(crate) fn perform(&mut self, op: &StoreOp) -> Result<StoreAnswer, Stop> {
        match op {
            StoreOp::Get { key } => Ok(StoreAnswer::Value(self.record(key)?)),
            StoreOp::Scan { from, to, limit, reverse } => Ok(self.scan(from, to, *limit, *reverse)?),
            StoreOp::Check { key, version } => {
                self.expect(key, Expect::Version(*version))?;
                Ok(StoreAnswer::Done)
            }
            StoreOp::Put { key, value, expect } => {
                let version = self.expect(key, *expect)?.saturating_add(1);
                self.records.insert(key.clone(), Some((version, value.clone())));
                Ok(StoreAnswer::Written { version })
            }
            StoreOp::Delete { key, expect } => {
                if self.expect(key, *expect)? > 0 {
                    self.records.insert(key.clone(), None);
                }
                Ok(StoreAnswer::Done)
            }
            StoreOp::Append { object, at, data } => self.append(object, *at, data),
            StoreOp::Read { object, at, limit } => Ok(self.read(object, *at, *limit)?),
            StoreOp::Drop { object } => {
                if self.length(object)? > 0 {
                    let gone = Object { length: 0, kept: 0, dropped: true, added: Vec::new() };
                    self.objects.insert(object.clone(), gone);
                }
                Ok(StoreAnswer::Done)
            }
            // A later kind of operation than this engine knows.
            _ => Err(StoreError::Invalid.into()),
        }
    }

    /// What the batch wrote, for one atomic commit.
    pub(crate) fn finish(self) -> Result<Writes, StoreError> {
        let mut writes = Writes::default();
        for (key, record) in self.records {
            let value = record.map(|(version, value)| record_value(version, &value));
            writes.records.push((key.to_vec(), value));
        }
        for (name, object) in self.objects {
            let length_key = object_key(&name);
            if object.dropped {
                for guard in self.store.objects.prefix(&length_key) {
                    writes.objects.insert(guard.key().map_err(read_error)?.to_vec(), None);
                }
            }
            // After the removals: what is written anew under the same key must win.
            if object.length > 0 {
                writes.objects.insert(length_key, Some(length_value(object.length).to_vec()));
            }
            for (at, data) in object.added {
                writes.objects.insert(piece_key(&name, at), Some(data.to_vec()));
            }
        }
        Ok(writes)
    }

    fn record(&self, key: &Bytes) -> Result<Option<(u64, Bytes)>, StoreError> {
        if let Some(record) = self.records.get(key) {
            return Ok(record.clone());
        }
        let stored = self.store.records.get(key).map_err(read_error)?;
        Ok(stored.map(|stored| split_record(&stored)).transpose()?)
    }

    /// The version found, 0 for nothing, if it is as expected.
    fn expect(&self, key: &Bytes, expect: Expect) -> Result<u64, Stop> {
        let current = self.record(key)?.map_or(0, |(version, _)| version);
        let holds = match expect {
            Expect::Any => true,
            Expect::Absent => current == 0,
            Expect::Version(version) => current == version,
        };
        if holds { Ok(current) } else { Err(Stop::Met { current }) }
    }

    fn scan(&self, from: &Bytes, to: &Bytes, limit: u32, reverse: bool) -> Result<StoreAnswer, StoreError> {
        let mut rows = Vec::new();
        if from >= to {
            return Ok(StoreAnswer::Rows { rows, more: false });
        }
        let bounds = (Bound::Included(&from[..]), Bound::Excluded(&to[..]));
        let mut stored = self.store.records.range::<&[u8], _>(bounds);
        let mut written = self.records.range::<[u8], _>(bounds);
        let mut next_stored = || {
            let guard = if reverse { stored.next_back() } else { stored.next() };
            guard.map(|guard| guard.into_inner().map_err(read_error)).transpose()
        };
        let mut next_written = || if reverse { written.next_back() } else { written.next() };
        let before = |one: &[u8], other: &[u8]| if reverse { one > other } else { one < other };
        let (mut old, mut new) = (next_stored()?, next_written());
        loop {
            let stored_first = match (&old, new) {
                (None, None) => return Ok(StoreAnswer::Rows { rows, more: false }),
                (Some((stored, _)), Some((written, _))) => before(stored, written),
                (stored, _) => stored.is_some(),
            };
            let (key, record) = if stored_first {
                let Some((key, value)) = old.take() else { continue };
                old = next_stored()?;
                (Bytes::copy_from_slice(&key), Some(split_record(&value)?))
            } else {
                let Some((key, record)) = new else { continue };
                // The batch's record hides the database's.
                if old.as_ref().is_some_and(|(stored, _)| stored[..] == key[..]) {
                    old = next_stored()?;
                }
                new = next_written();
                (key.clone(), record.clone())
            };
            let Some((version, value)) = record else { continue };
            if rows.len() >= limit as usize {
                return Ok(StoreAnswer::Rows { rows, more: true });
            }
            rows.push((key, version, value));
        }
    }

    fn length(&self, name: &Bytes) -> Result<u64, StoreError> {
        match self.objects.get(name) {
            Some(object) => Ok(object.length),
            None => self.stored_length(name),
        }
    }

    fn stored_length(&self, name: &Bytes) -> Result<u64, StoreError> {
        let stored = self.store.objects.get(object_key(name)).map_err(read_error)?;
        Ok(stored.map_or(Ok(0), |stored| trailing_number(&stored))?)
    }

    fn append(&mut self, name: &Bytes, at: u64, data: &Bytes) -> Result<StoreAnswer, Stop> {
        let current = self.length(name)?;
        if current != at {
            return Err(Stop::Met { current });
        }
        if data.is_empty() {
            return Ok(StoreAnswer::Done);
        }
        let untouched = || Object { length: current, kept: current, dropped: false, added: Vec::new() };
        let object = self.objects.entry(name.clone()).or_insert_with(untouched);
        object.added.push((at, data.clone()));
        object.length = at.saturating_add(data.len() as u64);
        Ok(StoreAnswer::Done)
    }

    fn read(&self, name: &Bytes, at: u64, limit: u32) -> Result<StoreAnswer, StoreError> {
        let changed = self.objects.get(name);
        let length = self.length(name)?;
        let end = at.saturating_add(u64::from(limit)).min(length);
        let mut piece = BytesMut::new();
        let kept = changed.map_or(length, |object| object.kept);
        if at < kept.min(end) {
            self.read_stored(name, at, kept.min(end), &mut piece)?;
        }
        for (begin, data) in changed.iter().flat_map(|object| &object.added) {
            take(&mut piece, at, end, *begin, data);
        }
        Ok(StoreAnswer::Piece { data: piece.freeze(), length })
    }

    /// Adds the bytes from `at` to `end`, all of which must be in the database.
    fn read_stored(&self, name: &Bytes, at: u64, end: u64, piece: &mut BytesMut) -> Result<(), StoreError> {
        let objects = &self.store.objects;
        // The last piece that begins at or before `at`.
        let first = objects.range(piece_key(name, 0)..=piece_key(name, at)).next_back();
        let first = first.ok_or(StoreError::Corrupt)?.key().map_err(read_error)?;
        for guard in objects.range(first.to_vec()..piece_key(name, end)) {
            let (key, data) = guard.into_inner().map_err(read_error)?;
            take(piece, at, end, trailing_number(&key)?, &data);
        }
        // A hole would have made it shorter.
        if piece.len() as u64 == end - at { Ok(()) } else { Err(StoreError::Corrupt) }
    }
}

/// Adds what of `data`, which begins at `begin`, lies between `at` and `end`.
fn take(piece: &mut BytesMut, at: u64, end: u64, begin: u64, data: &[u8]) {
    let inside = |offset: u64| usize::try_from(offset.saturating_sub(begin)).unwrap_or(usize::MAX);
    let (from, to) = (inside(at).min(data.len()), inside(end).min(data.len()));
    piece.extend_from_slice(&data[from..to]);
}
