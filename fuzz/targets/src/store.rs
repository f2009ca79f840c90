//! The reference store beside a naive model.

use std::collections::BTreeMap;

use bytes::Bytes;
use cpm_proto::store::{
    engine::{Durability, Expect, StoreAnswer, StoreEngine, StoreError, StoreOp},
    mem::MemStore,
};

use crate::input::{Input, start};

/// What the boundary says, as plainly as it can be written: maps that are copied for every batch.
#[derive(Clone, Default)]
struct Model {
    records: BTreeMap<Bytes, (u64, Bytes)>,
    objects: BTreeMap<Bytes, Vec<u8>>,
}

impl Model {
    fn apply(&mut self, batch: &[StoreOp]) -> Result<Vec<StoreAnswer>, StoreError> {
        let mut copy = self.clone();
        let mut answers = Vec::new();
        for (index, op) in batch.iter().enumerate() {
            let conflict =
                |current| StoreError::Conflict { op: u16::try_from(index).unwrap_or(u16::MAX), current };
            answers.push(copy.one(op).map_err(conflict)?);
        }
        *self = copy;
        Ok(answers)
    }

    fn version(&self, key: &Bytes) -> u64 {
        self.records.get(key).map_or(0, |r| r.0)
    }

    fn expect(&self, key: &Bytes, expect: &Expect) -> Result<u64, u64> {
        let current = self.version(key);
        let holds = match expect {
            Expect::Any => true,
            Expect::Absent => current == 0,
            Expect::Version(version) => current == *version,
        };
        if holds { Ok(current) } else { Err(current) }
    }

    fn one(&mut self, op: &StoreOp) -> Result<StoreAnswer, u64> {
        Ok(match op {
            StoreOp::Get { key } => StoreAnswer::Value(self.records.get(key).cloned()),
            StoreOp::Scan { from, to, limit, reverse } => {
                let mut rows: Vec<_> = self
                    .records
                    .iter()
                    .filter(|(key, _)| *key >= from && *key < to)
                    .map(|(key, (version, value))| (key.clone(), *version, value.clone()))
                    .collect();
                if *reverse {
                    rows.reverse();
                }
                let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
                let more = rows.len() > limit;
                rows.truncate(limit);
                StoreAnswer::Rows { rows, more }
            }
            StoreOp::Check { key, version } => {
                let current = self.version(key);
                if current != *version {
                    return Err(current);
                }
                StoreAnswer::Done
            }
            StoreOp::Put { key, value, expect } => {
                let version = self.expect(key, expect)? + 1;
                self.records.insert(key.clone(), (version, value.clone()));
                StoreAnswer::Written { version }
            }
            StoreOp::Delete { key, expect } => {
                self.expect(key, expect)?;
                self.records.remove(key);
                StoreAnswer::Done
            }
            StoreOp::Append { object, at, data } => {
                let length = u64::try_from(self.objects.get(object).map_or(0, Vec::len)).unwrap_or(u64::MAX);
                if length != *at {
                    return Err(length);
                }
                if !data.is_empty() {
                    self.objects.entry(object.clone()).or_default().extend_from_slice(data);
                }
                StoreAnswer::Done
            }
            StoreOp::Read { object, at, limit } => {
                let content = self.objects.get(object).map_or(&[][..], Vec::as_slice);
                let from = usize::try_from(*at).unwrap_or(usize::MAX).min(content.len());
                let to =
                    from.saturating_add(usize::try_from(*limit).unwrap_or(usize::MAX)).min(content.len());
                let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
                StoreAnswer::Piece { data: Bytes::copy_from_slice(&content[from..to]), length }
            }
            StoreOp::Drop { object } => {
                self.objects.remove(object);
                StoreAnswer::Done
            }
            _ => panic!("an operation that the model does not know"),
        })
    }
}

/// Applies batches, syncs and crashes: answers and contents are the model's, and a crash brings back a prefix
/// that holds everything synced.
///
/// # Panics
/// When store and model disagree.
pub fn store_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let now = start();
    let mut store = MemStore::new();
    let mut model = Model::default();
    // The states a crash may leave: the synced one and one more for every batch with writes since.
    let mut history = vec![model.clone()];
    while !input.is_empty() {
        match input.byte() % 8 {
            0 => {
                assert_eq!(store.sync(Durability::Local), Ok(()));
                history = vec![model.clone()];
            }
            1 => {
                let keep = input.below(history.len());
                assert_eq!(store.unsynced(), history.len() - 1);
                store.crash_keeping(keep);
                model = history.swap_remove(keep);
                history = vec![model.clone()];
            }
            _ => {
                let batch: Vec<StoreOp> = (0..=input.below(4)).map(|_| operation(&mut input)).collect();
                assert_eq!(store.apply(now, &batch), model.apply(&batch), "{batch:?}");
                if store.unsynced() == history.len() {
                    history.push(model.clone());
                }
            }
        }
        compare(&store, &model);
        if history.len() > 64 {
            return;
        }
    }
}

fn operation(input: &mut Input<'_>) -> StoreOp {
    let kind = input.byte() % 8;
    let key = Bytes::from(vec![b'k', input.byte() % 6]);
    let number = input.byte() % 6;
    let expect = match number {
        0..=2 => Expect::Any,
        3 => Expect::Absent,
        n => Expect::Version(u64::from(n) - 3),
    };
    match kind {
        0 => StoreOp::Get { key },
        1 => StoreOp::Scan {
            from: key,
            to: Bytes::from(vec![b'k', input.byte() % 8]),
            limit: u32::from(number),
            reverse: input.byte() % 2 == 1,
        },
        2 => StoreOp::Check { key, version: u64::from(number) },
        3 => StoreOp::Delete { key, expect },
        4 => StoreOp::Append {
            object: key,
            at: u64::from(number),
            data: Bytes::copy_from_slice(input.take(usize::from(number) + 1)),
        },
        5 => StoreOp::Read { object: key, at: u64::from(number), limit: u32::from(input.byte()) },
        6 if number == 0 => StoreOp::Drop { object: key },
        _ => StoreOp::Put { key, value: Bytes::copy_from_slice(input.take(usize::from(number))), expect },
    }
}

fn compare(store: &MemStore, model: &Model) {
    assert!(store.records().eq(model.records.iter().map(|(key, (version, value))| (key, *version, value))));
    let objects = model.objects.iter().map(|(name, content)| (name, content.as_slice()));
    assert!(store.objects().eq(objects));
    let held: usize = model.records.iter().map(|(k, (_, v))| k.len() + v.len()).sum::<usize>()
        + model.objects.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>();
    assert_eq!(store.bytes(), u64::try_from(held).unwrap_or(u64::MAX));
}
