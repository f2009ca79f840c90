//! The same operations against a naive model: a copy of everything per batch, kept only if all went well.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A step of a run.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Apply a batch.
    Batch(Vec<StoreOp>),
    /// Sync.
    Sync,
    /// Close and open again.
    Reopen,
}

/// Runs of mostly small batches over few keys, so that they meet.
pub(crate) fn runs() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        30 => prop::collection::vec(ops(), 0..6).prop_map(Step::Batch),
        4 => Just(Step::Sync),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

fn ops() -> impl Strategy<Value = StoreOp> {
    let key = || {
        let keys = [&b"a"[..], b"aa", b"a\0", b"b", b"\xff", b"\xff\xff"];
        prop::sample::select(keys.to_vec()).prop_map(Bytes::from_static)
    };
    let bound = || prop_oneof![key(), Just(Bytes::new()), Just(Bytes::from_static(b"\xff\xff\xff"))];
    let data = || prop::collection::vec(any::<u8>(), 0..9).prop_map(Bytes::from);
    let expect = || {
        prop_oneof![
            6 => Just(Expect::Any),
            2 => Just(Expect::Absent),
            3 => (0..4_u64).prop_map(Expect::Version),
        ]
    };
    prop_oneof![
        3 => key().prop_map(|key| StoreOp::Get { key }),
        4 => (bound(), bound(), 0..5_u32, any::<bool>())
            .prop_map(|(from, to, limit, reverse)| StoreOp::Scan { from, to, limit, reverse }),
        1 => (key(), 0..4_u64).prop_map(|(key, version)| StoreOp::Check { key, version }),
        8 => (key(), data(), expect()).prop_map(|(key, value, expect)| StoreOp::Put { key, value, expect }),
        4 => (key(), expect()).prop_map(|(key, expect)| StoreOp::Delete { key, expect }),
        // Mostly at an offset that an object of few short pieces can have.
        6 => (key(), 0..12_u64, data()).prop_map(|(object, at, data)| StoreOp::Append { object, at, data }),
        4 => (key(), 0..20_u64, 0..20_u32).prop_map(|(object, at, limit)| StoreOp::Read { object, at, limit }),
        2 => key().prop_map(|object| StoreOp::Drop { object }),
    ]
}

/// Everything, in the plainest form.
#[derive(Clone, Default)]
struct Model {
    records: BTreeMap<Bytes, (u64, Bytes)>,
    objects: BTreeMap<Bytes, Vec<u8>>,
}

impl Model {
    fn apply(&mut self, batch: &[StoreOp]) -> Result<Vec<StoreAnswer>, StoreError> {
        let mut next = self.clone();
        let mut answers = Vec::new();
        for (index, op) in batch.iter().enumerate() {
            let conflict = |current| StoreError::Conflict { op: index as u16, current };
            answers.push(next.perform(op).map_err(conflict)?);
        }
        *self = next;
        Ok(answers)
    }

    fn version(&self, key: &Bytes) -> u64 {
        self.records.get(key).map_or(0, |record| record.0)
    }

    fn expect(&self, key: &Bytes, expect: Expect) -> Result<u64, u64> {
        let version = self.version(key);
        match expect {
            Expect::Any => Ok(version),
            Expect::Absent if version == 0 => Ok(version),
            Expect::Version(wanted) if version == wanted => Ok(version),
            _ => Err(version),
        }
    }

    fn perform(&mut self, op: &StoreOp) -> Result<StoreAnswer, u64> {
        Ok(match op {
            StoreOp::Get { key } => StoreAnswer::Value(self.records.get(key).cloned()),
            StoreOp::Scan { from, to, limit, reverse } => {
                let inside = self.records.iter().filter(|(key, _)| *key >= from && *key < to);
                let mut rows: Vec<_> =
                    inside.map(|(key, (n, value))| (key.clone(), *n, value.clone())).collect();
                if *reverse {
                    rows.reverse();
                }
                let more = rows.len() > *limit as usize;
                rows.truncate(*limit as usize);
                StoreAnswer::Rows { rows, more }
            }
            StoreOp::Check { key, version } => {
                self.expect(key, Expect::Version(*version))?;
                StoreAnswer::Done
            }
            StoreOp::Put { key, value, expect } => {
                let version = self.expect(key, *expect)? + 1;
                self.records.insert(key.clone(), (version, value.clone()));
                StoreAnswer::Written { version }
            }
            StoreOp::Delete { key, expect } => {
                self.expect(key, *expect)?;
                self.records.remove(key);
                StoreAnswer::Done
            }
            StoreOp::Append { object, at, data } => {
                let content = self.objects.entry(object.clone()).or_default();
                if content.len() as u64 != *at {
                    return Err(content.len() as u64);
                }
                content.extend_from_slice(data);
                StoreAnswer::Done
            }
            StoreOp::Read { object, at, limit } => {
                let content = self.objects.get(object).cloned().unwrap_or_default();
                let data =
                    content.iter().skip(*at as usize).take(*limit as usize).copied().collect::<Vec<_>>();
                StoreAnswer::Piece { data: data.into(), length: content.len() as u64 }
            }
            StoreOp::Drop { object } => {
                self.objects.remove(object);
                StoreAnswer::Done
            }
            _ => panic!("an operation the model does not know"),
        })
    }
}

/// Plays a run on an empty engine; every answer must be the model's.
pub(crate) fn play(subject: &mut dyn Subject, run: &[Step]) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    for step in run {
        match step {
            Step::Batch(batch) => prop_assert_eq!(subject.apply(batch), model.apply(batch)),
            Step::Sync => sync(subject),
            Step::Reopen => subject.reopen(),
        }
    }
    subject.reopen();
    let everything =
        [StoreOp::Scan { from: Bytes::new(), to: vec![255; 4].into(), limit: u32::MAX, reverse: false }];
    prop_assert_eq!(subject.apply(&everything), model.apply(&everything));
    for object in model.clone().objects.keys() {
        let whole = [StoreOp::Read { object: object.clone(), at: 0, limit: u32::MAX }];
        prop_assert_eq!(subject.apply(&whole), model.apply(&whole));
    }
    Ok(())
}
