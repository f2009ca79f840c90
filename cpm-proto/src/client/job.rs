//! One MESSAGE to get through: a text or a notification, with everything that stays the same from attempt to
//! attempt (CONV-PM-014).

use super::seen::SeenId;
use bytes::Bytes;
use cpm_base::{Handle, TimerId};
use cpm_sip::endpoint::ClientTxn;
use std::time::Duration;

/// What a job is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A message of the user.
    Text {
        /// `imdn.Message-ID`.
        message_id: Box<str>,
        /// The caller's name for it.
        reference: Box<str>,
    },
    /// A notification about a received message.
    Notification {
        /// The message.
        seen: SeenId,
        /// Which notification.
        kind: Notice,
    },
}

/// The notifications a client sends (CONV-IMDN-010).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The message is on the Device.
    Delivered,
    /// The user has seen it.
    Displayed,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobState {
    /// It waits for its turn in the gate or for the registration.
    Waiting,
    /// It is on its way.
    Flying(Handle<ClientTxn>),
    /// It waits for the next attempt.
    Paused(TimerId),
}

/// One MESSAGE until its last attempt.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) purpose: Purpose,
    /// Request-URI of the first attempt.
    pub(crate) uri: Box<str>,
    /// Its canonical form: the lane of the gate.
    pub(crate) lane: Box<str>,
    pub(crate) conversation_id: Box<str>,
    pub(crate) contribution_id: Box<str>,
    /// `Message-Expires`.
    pub(crate) expires: Option<Duration>,
    /// The CPIM message.
    pub(crate) body: Bytes,
    pub(crate) state: JobState,
    /// Attempts that ended without a word about the message itself.
    pub(crate) attempts: u32,
    /// Challenges answered since the last attempt that got through authentication.
    pub(crate) challenges: u32,
    /// Which of the account's challenges the last attempt answered.
    pub(crate) challenged: u64,
    /// Where a redirection pointed to.
    pub(crate) redirected: Option<Box<str>>,
    /// When to give up; notifications have none.
    pub(crate) give_up: Option<TimerId>,
    /// `give_up` fired while the last attempt was on its way.
    pub(crate) last: bool,
    /// What the network said at the last attempt.
    pub(crate) said: Option<(u16, Box<str>)>,
}

impl Job {
    /// A job that waits for its turn.
    pub(crate) fn new(purpose: Purpose, uri: &str, lane: &str, ids: (&str, &str), body: Bytes) -> Self {
        Self {
            purpose,
            uri: uri.into(),
            lane: lane.into(),
            conversation_id: ids.0.into(),
            contribution_id: ids.1.into(),
            expires: None,
            body,
            state: JobState::Waiting,
            attempts: 0,
            challenges: 0,
            challenged: 0,
            redirected: None,
            give_up: None,
            last: false,
            said: None,
        }
    }

    /// The Request-URI of the next attempt.
    pub(crate) fn request_uri(&self) -> &str {
        self.redirected.as_deref().unwrap_or(&self.uri)
    }

    /// Whether it is on its way.
    pub(crate) fn is_flying(&self) -> bool {
        matches!(self.state, JobState::Flying(_))
    }

    /// Whether it is a notification.
    pub(crate) fn is_notification(&self) -> bool {
        matches!(self.purpose, Purpose::Notification { .. })
    }
}

/// What becomes of a job after a final response or a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The network took it.
    Accepted(u16),
    /// The same again, after this pause at least.
    Again(Option<Duration>),
    /// Over.
    Failed,
}

/// The rule for a final response that is neither a challenge nor a redirection.
// spec: CONV-PM-013, CONV-PM-016, CONV-IMDN-060
pub(crate) fn judge(notification: bool, status: u16, retry_after: Option<Duration>) -> Verdict {
    match status {
        200..=299 => Verdict::Accepted(status),
        408 | 503 => Verdict::Again(retry_after),
        480 if notification => Verdict::Again(retry_after),
        500..=599 if notification => Verdict::Again(retry_after),
        _ => Verdict::Failed,
    }
}

/// The pause before attempt `attempts` + 1: doubles from `first` up to `longest`.
pub(crate) fn back_off(attempts: u32, first: Duration, longest: Duration) -> Duration {
    first.saturating_mul(1u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX)).min(longest)
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
