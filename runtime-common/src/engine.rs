//! The engine thread: one thread owns a storage engine, and one sync answers a whole group of batches.
//!
//! It takes what waits in its queue, applies each batch in the order submitted (so the order of every lane is
//! kept), syncs once at the strongest durability asked, and only then answers (architecture §5). Groups form by
//! themselves: while one is being synced the next one gathers, and a lone batch waits for nobody.

use crate::clock::stamp;
use cpm_base::Token;
use cpm_proto::store::engine::{Durability, StoreAnswer, StoreEngine, StoreError, StoreOp};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How much the thread takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineLimits {
    /// Batches that may wait. One more is refused at once.
    pub queue: usize,
    /// Batches per sync.
    pub group: usize,
    /// A group is closed when applying it has taken this long, full or not.
    pub span: Duration,
    /// When a refused batch may be tried again.
    pub retry: Duration,
}

impl Default for EngineLimits {
    /// 16 384 batches; 256 batches or 2 ms per sync; again after a second.
    fn default() -> Self {
        Self { queue: 16_384, group: 256, span: Duration::from_millis(2), retry: Duration::from_secs(1) }
    }
}

/// What comes back for a batch.
pub type Answer = Result<Vec<StoreAnswer>, StoreError>;

type Engine = Box<dyn StoreEngine + Send>;

/// A storage engine on a thread of its own. Dropping it answers what waits and joins the thread.
pub struct EngineThread {
    /// Taken to close the queue.
    queue: Option<SyncSender<Work>>,
    thread: Option<JoinHandle<Engine>>,
    waiting: Arc<AtomicUsize>,
    limits: EngineLimits,
}

struct Work {
    token: Token,
    durability: Durability,
    batch: Vec<StoreOp>,
}

impl fmt::Debug for EngineThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineThread").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

impl EngineThread {
    /// Starts the thread. It calls `answer` once for every batch that [`submit`](Self::submit) took, unless the
    /// engine panics: what it held then is never answered, and the machine's own timer speaks.
    ///
    /// # Errors
    ///
    /// The operating system has no thread to give.
    pub fn spawn(
        engine: Engine,
        limits: EngineLimits,
        answer: impl FnMut(Token, Answer) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (queue, work) = sync_channel(limits.queue);
        let waiting = Arc::new(AtomicUsize::new(0));
        let worker =
            Worker { engine, answer, limits, waiting: Arc::clone(&waiting), failed: None, held: Vec::new() };
        let thread = std::thread::Builder::new().name("cpm-engine".to_owned()).spawn(|| worker.run(work))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), waiting, limits })
    }

    /// Hands over a batch; never blocks. Batches are applied in the order of these calls, whatever their lane.
    ///
    /// With `Memory` the answer comes as soon as the batch is applied, and may tell of writes of others that a
    /// power cut would still take back; whoever acknowledges to a peer what was read asks for `Local`.
    ///
    /// # Errors
    ///
    /// `Unavailable`: the queue is full or the engine is gone. The batch is not applied and not answered: the
    /// caller hands this error to the machine as the answer.
    pub fn submit(
        &self,
        token: Token,
        durability: Durability,
        batch: Vec<StoreOp>,
    ) -> Result<(), StoreError> {
        let unavailable = StoreError::Unavailable { retry: self.limits.retry };
        let queue = self.queue.as_ref().ok_or(unavailable)?;
        // Counted first, lest the thread takes it off before it is on.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        queue.try_send(Work { token, durability, batch }).map_err(|_| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            unavailable
        })
    }

    /// Batches submitted and not yet taken up: a sign of overload when it stays high.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Answers everything submitted, ends the thread and gives the engine back; `None` if the engine panicked.
    /// Blocks until then.
    pub fn stop(mut self) -> Option<Engine> {
        self.join()
    }

    fn join(&mut self) -> Option<Engine> {
        self.queue = None;
        self.thread.take()?.join().ok()
    }
}

impl Drop for EngineThread {
    fn drop(&mut self) {
        self.join();
    }
}

struct Worker<F> {
    engine: Engine,
    answer: F,
    limits: EngineLimits,
    waiting: Arc<AtomicUsize>,
    /// A sync failed, so nobody knows what is on disk: the engine is not asked any more.
    failed: Option<StoreError>,
    /// Applied, to be answered after the sync.
    held: Vec<(Token, Answer)>,
}

impl<F: FnMut(Token, Answer)> Worker<F> {
    fn run(mut self, work: Receiver<Work>) -> Engine {
        while let Ok(first) = work.recv() {
            self.group(first, &work);
        }
        self.engine
    }

    /// Applies `first` and what waits behind it, syncs, answers.
    fn group(&mut self, first: Work, work: &Receiver<Work>) {
        let started = Instant::now();
        let mut durability = Durability::Memory;
        let mut next = Some(first);
        let mut applied = 0;
        while let Some(item) = next {
            durability = durability.max(item.durability);
            self.apply(item);
            applied += 1;
            if applied >= self.limits.group || started.elapsed() >= self.limits.span {
                break;
            }
            next = work.try_recv().ok();
        }
        self.settle(durability);
    }

    fn apply(&mut self, work: Work) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        if let Some(error) = self.failed {
            return (self.answer)(work.token, Err(error));
        }
        let result = self.engine.apply(stamp(), &work.batch);
        if work.durability == Durability::Memory {
            (self.answer)(work.token, result);
        } else {
            // Also a failure: a conflict may be with a write that is not safe yet.
            self.held.push((work.token, result));
        }
    }

    fn settle(&mut self, durability: Durability) {
        if self.held.is_empty() {
            return;
        }
        if let Err(error) = self.engine.sync(durability) {
            tracing::error!(%error, "the storage engine cannot sync; it takes no more writes");
            self.failed = Some(error);
        }
        for (token, result) in self.held.drain(..) {
            (self.answer)(token, self.failed.map_or(result, Err));
        }
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
