//! Outstanding effects: who waits for which answer, and for how long.

use super::Timer;
use cpm_base::{Arena, Handle, TimerId, Token, Wheel};
use std::time::Duration;

/// Who goes on when the store has answered.
#[derive(Debug)]
pub(crate) enum Waiter {}

/// One effect without an answer.
#[derive(Debug)]
pub(crate) struct Pending {
    waiter: Waiter,
    timer: TimerId,
}

/// The table of outstanding effects; its length is the limit, its handles are the tokens.
#[derive(Debug)]
pub(crate) struct Effects {
    pending: Arena<Pending>,
    limit: usize,
    timeout: Duration,
}

impl Effects {
    pub(crate) fn new(limit: usize, timeout: Duration) -> Self {
        Self { pending: Arena::new(), limit, timeout }
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The waiter of an answer; `None` for a late or forged token.
    pub(crate) fn answered(&mut self, timers: &mut Wheel<Timer>, token: Token) -> Option<Waiter> {
        let pending = self.pending.remove(Handle::of_token(token))?;
        timers.cancel(pending.timer);
        Some(pending.waiter)
    }

    /// The waiter of an effect whose timer fired.
    pub(crate) fn timed_out(&mut self, handle: Handle<Pending>) -> Option<Waiter> {
        self.pending.remove(handle).map(|pending| pending.waiter)
    }
}
