//! The reference engine: everything in memory, with a memory of what a crash would lose.
//!
//! It owns the meaning of [`StoreEngine`]: durable engines are tested against it. It also plays the storage of
//! simulated nodes, so it can lose unsynced writes, run full and fail on command (architecture §5, §11).

use super::engine::{Durability, Expect, StoreAnswer, StoreEngine, StoreError, StoreOp, check_batch};
use bytes::Bytes;
use cpm_base::Now;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

/// Unsynced batches remembered. Beyond it the oldest counts as safe, as an operating system writes back in
/// time by itself; so a store that nobody ever syncs does not grow without end.
pub const UNSYNCED_BATCHES: usize = 4096;

/// An ordered store in memory.
///
/// ```
/// use bytes::Bytes;
/// use cpm_proto::store::engine::{Durability, Expect, StoreAnswer, StoreEngine, StoreOp};
/// use cpm_proto::store::mem::MemStore;
///
/// let now = cpm_base::Now { mono: std::time::Instant::now(), unix: std::time::Duration::ZERO };
/// let mut store = MemStore::new();
/// let (key, value) = (Bytes::from_static(b"k"), Bytes::from_static(b"\x01v"));
/// let put = StoreOp::Put { key: key.clone(), value, expect: Expect::Absent };
/// assert_eq!(store.apply(now, &[put]), Ok(vec![StoreAnswer::Written { version: 1 }]));
/// store.crash(); // never synced, so it is gone
/// assert_eq!(store.apply(now, &[StoreOp::Get { key }]), Ok(vec![StoreAnswer::Value(None)]));
/// store.sync(Durability::Local).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct MemStore {
    records: BTreeMap<Bytes, Record>,
    objects: BTreeMap<Bytes, Vec<u8>>,
    bytes: u64,
    capacity: u64,
    /// Per unsynced batch what takes it back, oldest batch first.
    unsynced: VecDeque<Vec<Undo>>,
    apply_fault: Option<Fault>,
    sync_fault: Option<Fault>,
}

#[derive(Clone, Debug)]
struct Record {
    version: u64,
    value: Bytes,
}

#[derive(Clone, Debug)]
enum Undo {
    Record { key: Bytes, was: Option<Record> },
    Grown { object: Bytes, was: usize },
    Dropped { object: Bytes, was: Vec<u8> },
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    calls: u32,
    error: StoreError,
}

impl Default for MemStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemStore {
    /// An empty store without a size limit.
    pub fn new() -> Self {
        Self::with_capacity(u64::MAX)
    }

    /// An empty store that answers `Full` to a batch that would grow it beyond `capacity` bytes (see
    /// [`bytes`](Self::bytes)). A batch that does not grow it is always taken, so a full store can be emptied.
    pub fn with_capacity(capacity: u64) -> Self {
        Self {
            records: BTreeMap::new(),
            objects: BTreeMap::new(),
            bytes: 0,
            capacity,
            unsynced: VecDeque::new(),
            apply_fault: None,
            sync_fault: None,
        }
    }

    /// Changes the size limit, in bytes.
    pub fn set_capacity(&mut self, capacity: u64) {
        self.capacity = capacity;
    }

    /// Bytes held: keys and values of records, names and contents of objects.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The records in key order: key, version, value.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = (&Bytes, u64, &Bytes)> {
        self.records.iter().map(|(key, record)| (key, record.version, &record.value))
    }

    /// The objects in order of their names: name, content.
    pub fn objects(&self) -> impl DoubleEndedIterator<Item = (&Bytes, &[u8])> {
        self.objects.iter().map(|(name, content)| (name, content.as_slice()))
    }

    /// Batches with writes that a crash might lose now.
    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// A power cut at its worst: everything since the last `sync` is lost. Pending faults end with it.
    pub fn crash(&mut self) {
        self.crash_keeping(0);
    }

    /// A power cut that the oldest `batches` of the unsynced ones survive; what survives is always a prefix of
    /// the batches in the order applied, and then safe. Pending faults end with it.
    pub fn crash_keeping(&mut self, batches: usize) {
        while self.unsynced.len() > batches {
            if let Some(undo) = self.unsynced.pop_back() {
                self.take_back(undo);
            }
        }
        self.unsynced.clear();
        self.apply_fault = None;
        self.sync_fault = None;
    }

    /// The next `calls` of `apply` change nothing and answer `error`.
    pub fn fail_applies(&mut self, calls: u32, error: StoreError) {
        self.apply_fault = Some(Fault { calls, error });
    }

    /// The next `calls` of `sync` make nothing safe and answer `error`.
    pub fn fail_syncs(&mut self, calls: u32, error: StoreError) {
        self.sync_fault = Some(Fault { calls, error });
    }

    fn take_back(&mut self, undo: Vec<Undo>) {
        for step in undo.into_iter().rev() {
            match step {
                Undo::Record { key, was } => {
                    self.replace(&key, was);
                }
                Undo::Grown { object, was: 0 } => {
                    self.remove_object(&object);
                }
                Undo::Grown { object, was } => {
                    if let Some(content) = self.objects.get_mut(&object) {
                        self.bytes -= (content.len() - was) as u64;
                        content.truncate(was);
                    }
                }
                Undo::Dropped { object, was } => {
                    self.bytes += (object.len() + was.len()) as u64;
                    self.objects.insert(object, was);
                }
            }
        }
    }

    /// Sets or removes a record; gives what was there.
    fn replace(&mut self, key: &Bytes, record: Option<Record>) -> Option<Record> {
        let key_len = key.len();
        let was = match record {
            Some(record) => {
                self.bytes += (key_len + record.value.len()) as u64;
                self.records.insert(key.clone(), record)
            }
            None => self.records.remove(key),
        };
        if let Some(was) = &was {
            self.bytes -= (key_len + was.value.len()) as u64;
        }
        was
    }

    fn remove_object(&mut self, object: &Bytes) -> Option<Vec<u8>> {
        let content = self.objects.remove(object)?;
        self.bytes -= (object.len() + content.len()) as u64;
        Some(content)
    }

    fn version(&self, key: &Bytes) -> u64 {
        self.records.get(key).map_or(0, |record| record.version)
    }

    fn perform(&mut self, op: &StoreOp, undo: &mut Vec<Undo>) -> Result<StoreAnswer, Mismatch> {
        match op {
            StoreOp::Get { key } => {
                let record = self.records.get(key);
                Ok(StoreAnswer::Value(record.map(|record| (record.version, record.value.clone()))))
            }
            StoreOp::Scan { from, to, limit, reverse } => Ok(self.scan(from, to, *limit, *reverse)),
            StoreOp::Check { key, version } => {
                Expect::Version(*version).met(self.version(key))?;
                Ok(StoreAnswer::Done)
            }
            StoreOp::Put { key, value, expect } => {
                let found = self.version(key);
                expect.met(found)?;
                let version = found.saturating_add(1);
                // Copies, since a slice of a receive buffer would keep the whole buffer alive.
                let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
                let was = self.replace(&key, Some(Record { version, value }));
                undo.push(Undo::Record { key, was });
                Ok(StoreAnswer::Written { version })
            }
            StoreOp::Delete { key, expect } => {
                expect.met(self.version(key))?;
                if let Some(was) = self.replace(key, None) {
                    undo.push(Undo::Record { key: Bytes::copy_from_slice(key), was: Some(was) });
                }
                Ok(StoreAnswer::Done)
            }
            StoreOp::Append { object, at, data } => self.append(object, *at, data, undo),
            StoreOp::Read { object, at, limit } => Ok(self.read(object, *at, *limit)),
            StoreOp::Drop { object } => {
                if let Some(was) = self.remove_object(object) {
                    undo.push(Undo::Dropped { object: Bytes::copy_from_slice(object), was });
                }
                Ok(StoreAnswer::Done)
            }
        }
    }

    fn scan(&self, from: &Bytes, to: &Bytes, limit: u32, reverse: bool) -> StoreAnswer {
        if from >= to {
            return StoreAnswer::Rows { rows: Vec::new(), more: false };
        }
        let mut range = self.records.range::<[u8], _>((Bound::Included(&from[..]), Bound::Excluded(&to[..])));
        let mut rows = Vec::new();
        let mut next = || if reverse { range.next_back() } else { range.next() };
        while let Some((key, record)) = next() {
            if rows.len() >= limit as usize {
                return StoreAnswer::Rows { rows, more: true };
            }
            rows.push((key.clone(), record.version, record.value.clone()));
        }
        StoreAnswer::Rows { rows, more: false }
    }

    fn append(
        &mut self,
        object: &Bytes,
        at: u64,
        data: &Bytes,
        undo: &mut Vec<Undo>,
    ) -> Result<StoreAnswer, Mismatch> {
        let was = self.objects.get(object).map_or(0, Vec::len);
        if was as u64 != at {
            return Err(Mismatch { current: was as u64 });
        }
        if data.is_empty() {
            return Ok(StoreAnswer::Done);
        }
        let object = Bytes::copy_from_slice(object);
        self.bytes += (data.len() + if was == 0 { object.len() } else { 0 }) as u64;
        self.objects.entry(object.clone()).or_default().extend_from_slice(data);
        undo.push(Undo::Grown { object, was });
        Ok(StoreAnswer::Done)
    }

    fn read(&self, object: &Bytes, at: u64, limit: u32) -> StoreAnswer {
        let content = self.objects.get(object).map_or(&[][..], Vec::as_slice);
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(content.len());
        let to = from.saturating_add(limit as usize).min(content.len());
        StoreAnswer::Piece { data: Bytes::copy_from_slice(&content[from..to]), length: content.len() as u64 }
    }
}

impl StoreEngine for MemStore {
    fn apply(&mut self, _now: Now, batch: &[StoreOp]) -> Result<Vec<StoreAnswer>, StoreError> {
        if let Some(error) = Fault::strike(&mut self.apply_fault) {
            return Err(error);
        }
        check_batch(batch)?;
        let before = self.bytes;
        let mut undo = Vec::new();
        let mut answers = Vec::with_capacity(batch.len());
        for (index, op) in batch.iter().enumerate() {
            match self.perform(op, &mut undo) {
                Ok(answer) => answers.push(answer),
                Err(Mismatch { current }) => {
                    self.take_back(undo);
                    let op = u16::try_from(index).unwrap_or(u16::MAX);
                    return Err(StoreError::Conflict { op, current });
                }
            }
        }
        if self.bytes > self.capacity && self.bytes > before {
            self.take_back(undo);
            return Err(StoreError::Full);
        }
        if !undo.is_empty() {
            if self.unsynced.len() >= UNSYNCED_BATCHES {
                self.unsynced.pop_front();
            }
            self.unsynced.push_back(undo);
        }
        Ok(answers)
    }

    fn sync(&mut self, durability: Durability) -> Result<(), StoreError> {
        if let Some(error) = Fault::strike(&mut self.sync_fault) {
            return Err(error);
        }
        if durability > Durability::Memory {
            self.unsynced.clear();
        }
        Ok(())
    }
}

/// An expectation did not hold.
struct Mismatch {
    current: u64,
}

impl Expect {
    fn met(self, found: u64) -> Result<(), Mismatch> {
        let holds = match self {
            Self::Any => true,
            Self::Absent => found == 0,
            Self::Version(version) => found == version,
        };
        if holds { Ok(()) } else { Err(Mismatch { current: found }) }
    }
}

impl Fault {
    /// The error of this call, if one is due.
    fn strike(fault: &mut Option<Self>) -> Option<StoreError> {
        let pending = fault.as_mut()?;
        let error = pending.error;
        match pending.calls {
            0 => {
                *fault = None;
                return None;
            }
            1 => *fault = None,
            _ => pending.calls -= 1,
        }
        Some(error)
    }
}

#[cfg(test)]
#[path = "mem_tests.rs"]
mod tests;
