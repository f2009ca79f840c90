//! How the end of a shard reaches everybody who waits for it.

use crate::RunError;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

#[derive(Debug, Default)]
struct State {
    end: Option<Result<(), RunError>>,
    waiting: Vec<Waker>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shard's side. Dropped without a word, as in a panic, it tells [`RunError::Panicked`].
#[derive(Debug)]
pub struct Ending {
    state: Arc<Mutex<State>>,
    end: Result<(), RunError>,
}

impl Ending {
    /// Both sides of the end of one shard.
    pub fn new() -> (Self, Ended) {
        let state = Arc::new(Mutex::new(State::default()));
        (Self { state: Arc::clone(&state), end: Err(RunError::Panicked) }, Ended { state })
    }

    /// How the shard ended; told when this is dropped.
    pub fn set(&mut self, end: Result<(), RunError>) {
        self.end = end;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let waiting = {
            let mut state = lock(&self.state);
            state.end = Some(self.end);
            std::mem::take(&mut state.waiting)
        };
        for waker in waiting {
            waker.wake();
        }
    }
}

/// The side of the handles.
#[derive(Clone, Debug)]
pub struct Ended {
    state: Arc<Mutex<State>>,
}

impl Ended {
    /// How the shard ended; `None` while it runs.
    pub fn now(&self) -> Option<Result<(), RunError>> {
        lock(&self.state).end
    }

    /// Waits for the end of the shard.
    pub async fn wait(&self) -> Result<(), RunError> {
        poll_fn(|cx| {
            let mut state = lock(&self.state);
            if let Some(end) = state.end {
                return Poll::Ready(end);
            }
            // One entry for each task that waits; a task that polls often does not pile up.
            if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                state.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let thread = std::thread::current();
        struct Unpark(std::thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(thread)));
        let mut cx = std::task::Context::from_waker(&waker);
        let mut future = std::pin::pin!(future);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                return value;
            }
            std::thread::park();
        }
    }

    #[test]
    fn every_waiter_learns_how_it_ended() {
        let (mut ending, ended) = Ending::new();
        assert_eq!(ended.now(), None);
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let ended = ended.clone();
                std::thread::spawn(move || block_on(ended.wait()))
            })
            .collect();
        ending.set(Ok(()));
        drop(ending);
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Ok(()));
        }
    }

    #[test]
    fn a_panic_is_told() {
        let (ending, ended) = Ending::new();
        let thread = std::thread::spawn(move || {
            let _ending = ending;
            std::panic::resume_unwind(Box::new("broken invariant"));
        });
        assert!(thread.join().is_err());
        assert_eq!(block_on(ended.wait()), Err(RunError::Panicked));
        assert_eq!(ended.now(), Some(Err(RunError::Panicked)));
    }
}
