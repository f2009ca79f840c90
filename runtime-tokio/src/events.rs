//! Events on their way to the embedder: a bounded channel, and what waits for room in it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc::error::{SendError, TrySendError};
use tokio::sync::mpsc::{OwnedPermit, Sender};

type Room<E> = Pin<Box<dyn Future<Output = Result<OwnedPermit<E>, SendError<()>>> + Send>>;

/// The shard's side of the event channel.
pub(crate) struct Events<E> {
    sender: Sender<E>,
    waiting: VecDeque<E>,
    room: Option<Room<E>>,
}

impl<E: Send + 'static> Events<E> {
    pub(crate) fn new(sender: Sender<E>) -> Self {
        Self { sender, waiting: VecDeque::new(), room: None }
    }

    pub(crate) fn push(&mut self, event: E) {
        if self.waiting.is_empty() {
            // When nobody listens any more, nobody misses it.
            if let Err(TrySendError::Full(event)) = self.sender.try_send(event) {
                self.waiting.push_back(event);
            }
        } else {
            self.waiting.push_back(event);
        }
    }

    /// Whether events wait; while they do, the shard takes in nothing new from its sockets.
    pub(crate) fn is_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Hands on what waits as room comes up; true once all is handed on.
    pub(crate) fn poll_drained(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(event) = self.waiting.pop_front() {
            let room = self.room.get_or_insert_with(|| Box::pin(self.sender.clone().reserve_owned()));
            match room.as_mut().poll(cx) {
                Poll::Ready(Ok(permit)) => drop(permit.send(event)),
                Poll::Ready(Err(_)) => self.waiting.clear(),
                Poll::Pending => {
                    self.waiting.push_front(event);
                    return false;
                }
            }
            self.room = None;
        }
        true
    }
}
