//! Which sockets may have something to do: a queue that the runtime's wakers fill and a driver empties.
//!
//! Every socket has one waker for each direction. A wake puts the socket in the queue once, however often it
//! comes, and wakes the driver. So a turn costs as much as there are ready sockets, not as there are sockets.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

#[derive(Debug)]
struct Queue<K> {
    ready: VecDeque<Arc<Entry<K>>>,
    driver: Option<Waker>,
}

#[derive(Debug)]
struct Entry<K> {
    key: K,
    queued: AtomicBool,
    queue: Arc<Mutex<Queue<K>>>,
}

/// A lock is held for a few instructions that cannot panic; a poisoned one holds what it held.
fn lock<K>(queue: &Mutex<Queue<K>>) -> MutexGuard<'_, Queue<K>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Send + Sync> Wake for Entry<K> {
    fn wake(self: Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let driver = {
            let mut queue = lock(&self.queue);
            queue.ready.push_back(Arc::clone(&self));
            queue.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

/// The waker of one direction of one socket.
#[derive(Debug)]
pub struct ReadyWaker<K> {
    entry: Arc<Entry<K>>,
    waker: Waker,
}

impl<K: Send + Sync + 'static> ReadyWaker<K> {
    /// The context to poll the socket's readiness with.
    pub fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    /// Puts the socket in the queue: it may have more to do.
    pub fn again(&self) {
        Arc::clone(&self.entry).wake();
    }
}

/// The queue of ready sockets of one driver.
#[derive(Debug)]
pub struct ReadyQueue<K> {
    queue: Arc<Mutex<Queue<K>>>,
}

impl<K> Default for ReadyQueue<K> {
    fn default() -> Self {
        Self { queue: Arc::new(Mutex::new(Queue { ready: VecDeque::new(), driver: None })) }
    }
}

impl<K: Copy + Send + Sync + 'static> ReadyQueue<K> {
    /// A waker that stands for `key`.
    pub fn waker(&self, key: K) -> ReadyWaker<K> {
        let entry = Arc::new(Entry { key, queued: AtomicBool::new(false), queue: Arc::clone(&self.queue) });
        ReadyWaker { waker: Waker::from(Arc::clone(&entry)), entry }
    }

    /// Takes the socket that has waited longest. It can be woken again from here on.
    pub fn pop(&self) -> Option<K> {
        let entry = lock(&self.queue).ready.pop_front()?;
        entry.queued.store(false, Ordering::Release);
        Some(entry.key)
    }

    /// Sockets in the queue.
    pub fn len(&self) -> usize {
        lock(&self.queue).ready.len()
    }

    /// Whether no socket is in the queue.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a socket is ready; if none is, the driver is woken when that changes.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> bool {
        let mut queue = lock(&self.queue);
        if queue.ready.is_empty() {
            queue.driver = Some(cx.waker().clone());
            return false;
        }
        true
    }
}

#[cfg(test)]
#[path = "ready_tests.rs"]
mod tests;
