//! Outstanding effects: who waits for which answer, and for how long (architecture §5).

use crate::Output;
use crate::effect::Effect;
use crate::error::Error;
use crate::participating;
use crate::store::engine::{Durability, StoreOp};
use cpm_base::{Arena, Handle, Now, TimerId, Token, Wheel};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Who goes on when the store has answered. Names only: what they wait with is in their own tables.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Waiter {
    /// The participating function or the registrar.
    Server(participating::Waiter),
}

/// One effect without an answer.
#[derive(Debug)]
pub(crate) struct Pending {
    waiter: Waiter,
    timer: Option<TimerId>,
    late: bool,
}

/// What became of a wait.
#[derive(Debug)]
pub(crate) enum Overdue {
    /// No answer in time. The write is of unknown outcome; its answer may still come.
    Late(Waiter),
    /// The answer will not come any more.
    Lost(Waiter),
}

/// The table of outstanding effects; its length is the limit, its handles are the tokens.
#[derive(Debug)]
pub(crate) struct Effects {
    pending: Arena<Pending>,
    timers: Wheel<Handle<Pending>>,
    limit: usize,
    timeout: Duration,
}

/// How much longer than the store timer an answer is waited for before it counts as lost.
const PATIENCE: u32 = 12;

impl Effects {
    pub(crate) fn new(limit: usize, timeout: Duration) -> Self {
        Self { pending: Arena::new(), timers: Wheel::new(), limit, timeout }
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Gives out one batch; its answer, or its silence after the store timer, goes to `waiter`.
    pub(crate) fn store(
        &mut self,
        now: Now,
        out: &mut VecDeque<Output>,
        request: StoreRequest,
        waiter: Waiter,
    ) -> Result<(), Error> {
        if self.pending.len() >= self.limit {
            return Err(Error::Limit("effects outstanding"));
        }
        let handle = self.pending.insert(Pending { waiter, timer: None, late: false });
        self.arm(now, handle, self.timeout);
        let StoreRequest { lane, durability, batch } = request;
        out.push_back(Output::Effect(Effect::Store { token: handle.token(), lane, durability, batch }));
        Ok(())
    }

    fn arm(&mut self, now: Now, handle: Handle<Pending>, wait: Duration) {
        let timer = self.timers.arm(now.mono, now.mono + wait, "store", handle);
        if let Some(pending) = self.pending.get_mut(handle) {
            pending.timer = Some(timer);
        }
    }

    /// The waiter of an answer, however late; `None` for an unknown token.
    pub(crate) fn answered(&mut self, token: Token) -> Option<Waiter> {
        let pending = self.pending.remove(Handle::of_token(token))?;
        pending.timer.and_then(|timer| self.timers.cancel(timer));
        Some(pending.waiter)
    }

    /// The next effect whose timer is due.
    pub(crate) fn overdue(&mut self, now: Now) -> Option<Overdue> {
        loop {
            let handle = self.timers.pop_due(now.mono)?;
            let Some(pending) = self.pending.get_mut(handle) else { continue };
            let waiter = pending.waiter;
            if pending.late {
                self.pending.remove(handle);
                return Some(Overdue::Lost(waiter));
            }
            pending.late = true;
            self.arm(now, handle, self.timeout * PATIENCE);
            return Some(Overdue::Late(waiter));
        }
    }

    /// The next store timer.
    pub(crate) fn next(&self) -> Option<(Instant, &'static str)> {
        self.timers.next()
    }
}

/// What to ask of the store.
#[derive(Debug)]
pub(crate) struct StoreRequest {
    /// Batches of one lane keep their order.
    pub(crate) lane: u64,
    /// How safe it must be before the answer.
    pub(crate) durability: Durability,
    /// All or nothing.
    pub(crate) batch: Vec<StoreOp>,
}
