use super::*;
use bytes::Bytes;
use cpm_base::Now;
use cpm_proto::store::engine::Expect;
use cpm_proto::store::mem::MemStore;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

/// What happened, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Applied(Bytes),
    Synced(Durability),
    Answered(u64, Answer),
}

type Log = Arc<Mutex<Vec<Step>>>;

/// Writes down its calls; a sync waits for a permit, if there are permits at all.
struct Recorder {
    log: Log,
    gate: Option<(Sender<()>, Receiver<()>)>,
    apply: fn(&[StoreOp]) -> Answer,
    sync: fn() -> Result<(), StoreError>,
}

impl StoreEngine for Recorder {
    fn apply(&mut self, _now: Now, batch: &[StoreOp]) -> Answer {
        let StoreOp::Get { key } = &batch[0] else { panic!("{batch:?}") };
        self.log.lock().unwrap().push(Step::Applied(key.clone()));
        (self.apply)(batch)
    }

    fn sync(&mut self, durability: Durability) -> Result<(), StoreError> {
        if let Some((entered, permits)) = &self.gate {
            entered.send(()).unwrap();
            permits.recv().unwrap();
        }
        self.log.lock().unwrap().push(Step::Synced(durability));
        (self.sync)()
    }
}

const UNAVAILABLE: StoreError = StoreError::Unavailable { retry: Duration::from_secs(1) };

/// Groups end by their number only.
fn patient() -> EngineLimits {
    EngineLimits { span: Duration::from_secs(60), ..EngineLimits::default() }
}

fn done(_: &[StoreOp]) -> Answer {
    Ok(vec![StoreAnswer::Done])
}

fn recorder(log: &Log) -> Recorder {
    Recorder { log: Arc::clone(log), gate: None, apply: done, sync: || Ok(()) }
}

/// Holds the syncs of a recorder back.
struct Gate {
    entered: Receiver<()>,
    permit: Sender<()>,
}

impl Gate {
    /// Blocks until the next sync has begun: from then on nothing joins its group.
    fn wait_for_sync(&self) {
        self.entered.recv_timeout(Duration::from_secs(30)).unwrap();
    }

    /// Lets one sync pass.
    fn open(&self) {
        self.permit.send(()).unwrap();
    }
}

/// A recorder whose syncs wait at a gate.
fn gated(log: &Log) -> (Recorder, Gate) {
    let (enter, entered) = channel();
    let (permit, permits) = channel();
    (Recorder { gate: Some((enter, permits)), ..recorder(log) }, Gate { entered, permit })
}

fn start(engine: Recorder, limits: EngineLimits) -> EngineThread {
    let log = Arc::clone(&engine.log);
    EngineThread::spawn(Box::new(engine), limits, move |token, answer| {
        log.lock().unwrap().push(Step::Answered(token.0, answer));
    })
    .unwrap()
}

fn submit(thread: &EngineThread, n: u64, durability: Durability) -> Result<(), StoreError> {
    thread.submit(Token(n), durability, vec![StoreOp::Get { key: n.to_string().into() }])
}

fn applied(n: u64) -> Step {
    Step::Applied(n.to_string().into())
}

fn answered(n: u64) -> Step {
    Step::Answered(n, Ok(vec![StoreAnswer::Done]))
}

fn syncs(log: &Log) -> usize {
    log.lock().unwrap().iter().filter(|step| matches!(step, Step::Synced(_))).count()
}

/// Blocks until the log has `count` steps.
fn wait_for(log: &Log, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while log.lock().unwrap().len() < count {
        assert!(Instant::now() < deadline, "{:?}", log.lock().unwrap());
        std::thread::yield_now();
    }
}

#[test]
fn the_answer_comes_after_the_sync() {
    let log = Log::default();
    let thread = start(recorder(&log), patient());
    submit(&thread, 7, Durability::Local).unwrap();
    thread.stop().unwrap();
    assert_eq!(*log.lock().unwrap(), [applied(7), Step::Synced(Durability::Local), answered(7)]);
}

#[test]
fn nothing_is_answered_while_the_sync_runs() {
    let log = Log::default();
    let (engine, gate) = gated(&log);
    let thread = start(engine, patient());
    submit(&thread, 1, Durability::Local).unwrap();
    gate.wait_for_sync();
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(*log.lock().unwrap(), [applied(1)]);
    gate.open();
    thread.stop().unwrap();
    assert_eq!(log.lock().unwrap().last(), Some(&answered(1)));
}

#[test]
fn what_gathers_during_a_sync_shares_the_next_one() {
    let log = Log::default();
    let (engine, gate) = gated(&log);
    let thread = start(engine, patient());
    submit(&thread, 0, Durability::Local).unwrap();
    gate.wait_for_sync();
    for n in 1..=100 {
        submit(&thread, n, Durability::Local).unwrap();
    }
    assert_eq!(thread.waiting(), 100);
    gate.open();
    gate.open();
    thread.stop().unwrap();
    assert_eq!(syncs(&log), 2);
    // In the order submitted, each answered once.
    let log = log.lock().unwrap();
    let order: Vec<_> = log.iter().filter(|step| matches!(step, Step::Applied(_))).cloned().collect();
    assert_eq!(order, (0..=100).map(applied).collect::<Vec<_>>());
    let answers: Vec<_> = log.iter().filter(|step| matches!(step, Step::Answered(..))).cloned().collect();
    assert_eq!(answers, (0..=100).map(answered).collect::<Vec<_>>());
}

#[test]
fn a_group_holds_so_many_batches_and_no_more() {
    for (gathered, groups) in [(255, 1), (256, 1), (257, 2), (600, 3)] {
        let log = Log::default();
        let (engine, gate) = gated(&log);
        let thread = start(engine, patient());
        submit(&thread, 0, Durability::Local).unwrap();
        gate.wait_for_sync();
        for n in 1..=gathered {
            submit(&thread, n, Durability::Local).unwrap();
        }
        for _ in 0..=groups {
            gate.open();
        }
        thread.stop().unwrap();
        assert_eq!(syncs(&log), 1 + groups, "{gathered}");
    }
}

#[test]
fn a_group_that_takes_long_is_closed() {
    let log = Log::default();
    let (mut engine, gate) = gated(&log);
    engine.apply = |_| {
        std::thread::sleep(Duration::from_millis(3));
        Ok(vec![StoreAnswer::Done])
    };
    let thread = start(engine, EngineLimits::default());
    for n in 0..5 {
        submit(&thread, n, Durability::Local).unwrap();
        gate.open();
    }
    thread.stop().unwrap();
    // 3 ms each are more than the 2 ms of a group.
    assert_eq!(syncs(&log), 5);
}

#[test]
fn memory_durability_waits_for_no_sync() {
    let log = Log::default();
    let thread = start(recorder(&log), patient());
    submit(&thread, 1, Durability::Memory).unwrap();
    thread.stop().unwrap();
    assert_eq!(*log.lock().unwrap(), [applied(1), answered(1)]);

    let log = Log::default();
    let (engine, gate) = gated(&log);
    let thread = start(engine, patient());
    submit(&thread, 0, Durability::Local).unwrap();
    gate.wait_for_sync();
    submit(&thread, 1, Durability::Local).unwrap();
    submit(&thread, 2, Durability::Memory).unwrap();
    gate.open();
    // Answered although the second sync has no permit yet.
    wait_for(&log, 6);
    assert_eq!(log.lock().unwrap()[3..], [applied(1), applied(2), answered(2)]);
    gate.open();
    thread.stop().unwrap();
}

#[test]
fn a_group_is_synced_as_strongly_as_any_of_it_asks() {
    for (asked, strongest) in [
        ([Durability::Memory, Durability::Local, Durability::Memory], Durability::Local),
        ([Durability::Local, Durability::Replicated, Durability::Local], Durability::Replicated),
    ] {
        let log = Log::default();
        let (engine, gate) = gated(&log);
        let thread = start(engine, patient());
        submit(&thread, 0, Durability::Local).unwrap();
        gate.wait_for_sync();
        for (n, durability) in (1..).zip(asked) {
            submit(&thread, n, durability).unwrap();
        }
        gate.open();
        gate.open();
        thread.stop().unwrap();
        assert!(log.lock().unwrap().contains(&Step::Synced(strongest)));
        assert_eq!(syncs(&log), 2);
    }
}

#[test]
fn after_a_failed_sync_everybody_hears_of_it_and_the_engine_is_left_alone() {
    for error in [UNAVAILABLE, StoreError::Corrupt] {
        let log = Log::default();
        let (mut engine, gate) = gated(&log);
        engine.sync = if error == UNAVAILABLE { || Err(UNAVAILABLE) } else { || Err(StoreError::Corrupt) };
        let thread = start(engine, patient());
        submit(&thread, 0, Durability::Local).unwrap();
        gate.wait_for_sync();
        submit(&thread, 1, Durability::Local).unwrap();
        submit(&thread, 2, Durability::Memory).unwrap();
        gate.open();
        thread.stop().unwrap();
        let expected = [
            applied(0),
            Step::Synced(Durability::Local),
            Step::Answered(0, Err(error)),
            Step::Answered(1, Err(error)),
            Step::Answered(2, Err(error)),
        ];
        assert_eq!(*log.lock().unwrap(), expected);
    }
}

#[test]
fn a_failed_batch_does_not_fail_its_group() {
    let log = Log::default();
    let mut engine = recorder(&log);
    engine.apply = |batch| match &batch[0] {
        StoreOp::Get { key } if key == "1" => Err(StoreError::Conflict { op: 0, current: 9 }),
        _ => Ok(vec![StoreAnswer::Done]),
    };
    let thread = start(engine, patient());
    for n in 0..3 {
        submit(&thread, n, Durability::Local).unwrap();
    }
    thread.stop().unwrap();
    let log = log.lock().unwrap();
    assert!(log.contains(&answered(0)) && log.contains(&answered(2)));
    assert!(log.contains(&Step::Answered(1, Err(StoreError::Conflict { op: 0, current: 9 }))));
}

#[test]
fn a_conflict_is_told_only_when_what_it_met_is_safe() {
    let log = Log::default();
    let mut engine = recorder(&log);
    engine.apply = |_| Err(StoreError::Conflict { op: 0, current: 1 });
    engine.sync = || Err(UNAVAILABLE);
    let thread = start(engine, patient());
    submit(&thread, 1, Durability::Local).unwrap();
    thread.stop().unwrap();
    let expected = [applied(1), Step::Synced(Durability::Local), Step::Answered(1, Err(UNAVAILABLE))];
    assert_eq!(*log.lock().unwrap(), expected);
}

#[test]
fn a_full_queue_refuses_at_once() {
    let log = Log::default();
    let (engine, gate) = gated(&log);
    let thread = start(engine, EngineLimits { queue: 3, ..patient() });
    submit(&thread, 0, Durability::Local).unwrap();
    // The thread has it and waits for a permit.
    gate.wait_for_sync();
    for n in 1..=3 {
        submit(&thread, n, Durability::Local).unwrap();
    }
    assert_eq!(submit(&thread, 4, Durability::Local), Err(UNAVAILABLE));
    assert_eq!(submit(&thread, 5, Durability::Memory), Err(UNAVAILABLE));
    assert_eq!(thread.waiting(), 3);
    gate.open();
    gate.open();
    thread.stop().unwrap();
    let log = log.lock().unwrap();
    assert!(log.contains(&answered(3)) && !log.contains(&answered(4)));
}

#[test]
fn dropping_it_answers_what_waits() {
    let log = Log::default();
    let thread = start(recorder(&log), patient());
    for n in 0..50 {
        submit(&thread, n, Durability::Local).unwrap();
    }
    drop(thread);
    let log = log.lock().unwrap();
    assert!((0..50).all(|n| log.contains(&answered(n))));
}

#[test]
fn an_engine_that_panics_is_unavailable() {
    let log = Log::default();
    let mut engine = recorder(&log);
    engine.apply = |_| panic!("on purpose");
    let thread = start(engine, patient());
    submit(&thread, 0, Durability::Local).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while submit(&thread, 1, Durability::Local).is_ok() {
        assert!(Instant::now() < deadline);
    }
    assert_eq!(submit(&thread, 2, Durability::Local), Err(UNAVAILABLE));
    assert!(thread.stop().is_none());
}

#[test]
fn the_engine_comes_back_and_holds_what_was_written() {
    let (answers, answered) = channel();
    let thread =
        EngineThread::spawn(Box::new(MemStore::new()), EngineLimits::default(), move |token, answer| {
            answers.send((token, answer)).unwrap();
        })
        .unwrap();
    let put = |expect| vec![StoreOp::Put { key: "k".into(), value: "v".into(), expect }];
    thread.submit(Token(1), Durability::Local, put(Expect::Absent)).unwrap();
    // Named before the first was answered, as lanes allow.
    thread.submit(Token(2), Durability::Local, put(Expect::Version(1))).unwrap();
    let mut engine = thread.stop().unwrap();
    let all: Vec<_> = answered.iter().collect();
    assert_eq!(all[0], (Token(1), Ok(vec![StoreAnswer::Written { version: 1 }])));
    assert_eq!(all[1], (Token(2), Ok(vec![StoreAnswer::Written { version: 2 }])));
    let answers = engine.apply(stamp(), &[StoreOp::Get { key: "k".into() }]).unwrap();
    assert_eq!(answers, [StoreAnswer::Value(Some((2, "v".into())))]);
}
