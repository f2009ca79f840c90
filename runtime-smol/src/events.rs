//! Events on their way to the embedder: a bounded channel, and what waits for room in it.

use smol::channel::{SendError, Sender, TrySendError};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

type Sending<E> = Pin<Box<dyn Future<Output = Result<(), SendError<E>>> + Send>>;

/// The shard's side of the event channel.
pub(crate) struct Events<E> {
    sender: Sender<E>,
    waiting: VecDeque<E>,
    sending: Option<Sending<E>>,
}

impl<E: Send + 'static> Events<E> {
    pub(crate) fn new(sender: Sender<E>) -> Self {
        Self { sender, waiting: VecDeque::new(), sending: None }
    }

    pub(crate) fn push(&mut self, event: E) {
        if self.is_full() {
            self.waiting.push_back(event);
        } else if let Err(TrySendError::Full(event)) = self.sender.try_send(event) {
            // When nobody listens any more, nobody misses it.
            self.waiting.push_back(event);
        }
    }

    /// Whether events wait; while they do, the shard takes in nothing new from its sockets.
    pub(crate) fn is_full(&self) -> bool {
        self.sending.is_some() || !self.waiting.is_empty()
    }

    /// Hands on what waits as room comes up; true once all is handed on.
    pub(crate) fn poll_drained(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            if let Some(sending) = &mut self.sending {
                match sending.as_mut().poll(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => self.waiting.clear(),
                    Poll::Pending => return false,
                }
                self.sending = None;
            }
            let Some(event) = self.waiting.pop_front() else { return true };
            let sender = self.sender.clone();
            self.sending = Some(Box::pin(async move { sender.send(event).await }));
        }
    }
}
