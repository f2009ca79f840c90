//! Sending: from the command, over the gate and as many attempts as allowed, to the last event (B.1).
//!
//! | job state | input | next | output |
//! |---|---|---|---|
//! | Waiting | head of its lane and registered | Flying | MESSAGE |
//! | Flying | 401, 407 | Flying | MESSAGE with credentials |
//! | Flying | 2xx | gone | `Accepted` |
//! | Flying | first 3xx into the own domain | Flying | MESSAGE there, same ids |
//! | Flying | timeout, transport failure, 408, 503 | Paused, or gone at the last attempt | `Failed` at the last |
//! | Flying | other 3xx to 6xx | gone | `Failed` |
//! | Paused | pause over, registered | Flying | MESSAGE, same ids |
//! | Paused | pause over, not registered | Waiting | |
//! | Waiting, Paused | given up | gone | `Failed` |
//!
//! A notification makes no events and has no end of patience beside its number of attempts. A message given
//! while the account is not registered waits for the registration as long as `ClientLimits::give_up`.

use super::compose;
use super::cx::Cx;
use super::job::{Job, JobState, Purpose, Verdict, back_off, judge};
use super::seen::Step;
use super::sent::{Progress, SentMessage};
use super::{Errand, Outgoing, Timer, User};
use crate::gate::Place;
use crate::{ClientEvent, Error};
use cpm_base::{Handle, Transport};
use cpm_sip::auth::Role;
use cpm_sip::endpoint::Target;
use cpm_sip::header::Contact;
use cpm_sip::txn::TxnFailure;
use cpm_sip::{HeaderId, Message, Uri};
use std::time::Duration;

/// Letters of base 32 in a Message-ID: 80 random bits (RFC 5438 §6.3 asks for 64).
const MESSAGE_ID_LETTERS: usize = 16;

/// Challenges answered for one attempt: the first, and one because the nonce was stale.
const CHALLENGES: u32 = 2;

impl User {
    /// Takes a message over; its outcome comes as events. Gives its Message-ID.
    // spec: CONV-PM-010, CONV-PM-012, CONV-BODY-006, CONV-HDR-004
    pub(crate) fn send(&mut self, cx: &mut Cx<'_>, outgoing: Outgoing) -> Result<String, Error> {
        if self.link.is_leaving() {
            return Err(Error::Usage("the account is unregistering"));
        }
        if self.texts >= cx.client_limits().outgoing {
            return Err(Error::Limit("messages under way"));
        }
        let lane = recipient(&outgoing.to)?;
        let message_id = cx.rng.base32(MESSAGE_ID_LETTERS);
        let body = compose::text(&outgoing, &message_id, cx.now)?;
        let conversation_id = self.conversations.keep(&lane, || cx.rng.uuid()).to_owned();
        let contribution_id = cx.rng.uuid();
        let purpose = Purpose::Text {
            message_id: message_id.as_str().into(),
            reference: outgoing.reference.as_str().into(),
        };
        let mut job = Job::new(purpose, &outgoing.to, &lane, (&conversation_id, &contribution_id), body);
        job.expires = outgoing.expires;
        if compose::size(self, &job, cx.now)? > self.largest(cx) {
            // Large Message Mode would take over here (CONV-PM-001).
            cx.event(failed(&job, 403, "Size exceeded"));
            return Ok(message_id);
        }
        let tracked = SentMessage {
            recipient: lane.as_str().into(),
            reference: outgoing.reference.as_str().into(),
            progress: Progress::Sent,
        };
        self.sent.insert(&message_id, tracked);
        self.texts += 1;
        let handle = self.jobs.insert(job);
        let give_up = cx.client_limits().give_up;
        let timer = cx.arm(give_up, "client.give_up", Timer::GiveUp(cx.user, handle));
        if let Some(job) = self.jobs.get_mut(handle) {
            job.give_up = Some(timer);
        }
        self.enqueue(cx, handle);
        Ok(message_id)
    }

    /// Bound on a whole MESSAGE without its credentials. These and the first Via are gone after the first hop, and
    /// the endpoint moves what they make too large for a datagram to TCP (RFC 3261 §18.1.1).
    // spec: CONV-PM-001, CONV-PM-002, CONV-PM-003
    fn largest(&self, cx: &Cx<'_>) -> usize {
        match self.account.transport {
            Transport::Udp => cx.client_limits().pager_udp,
            _ => cx.client_limits().pager_reliable,
        }
    }

    /// Puts a job in its lane and sends it if it is its turn.
    pub(super) fn enqueue(&mut self, cx: &mut Cx<'_>, handle: Handle<Job>) {
        // The number of jobs is limited as a whole, so a lane needs no limit of its own.
        if let Some(job) = self.jobs.get(handle)
            && self.gate.enter(&job.lane, handle, usize::MAX) == Place::Head
        {
            self.launch(cx, handle);
        }
    }

    /// Sends what waits and may go: after the registration came up.
    pub(super) fn launch_all(&mut self, cx: &mut Cx<'_>) {
        for handle in self.gate.heads() {
            self.launch(cx, handle);
        }
    }

    /// Sends a job if it waits, is the head of its lane and the account is registered.
    fn launch(&mut self, cx: &mut Cx<'_>, handle: Handle<Job>) {
        let Some(job) = self.jobs.get(handle) else { return };
        let ready = job.state == JobState::Waiting && self.gate.is_head(&job.lane, handle);
        if ready && self.link.is_up() {
            self.transmit(cx, handle);
        }
    }

    /// Sends a job now.
    fn transmit(&mut self, cx: &mut Cx<'_>, handle: Handle<Job>) {
        let Some(job) = self.jobs.get(handle) else { return };
        let Ok(mut head) = compose::head(self, job, cx.now) else {
            return self.conclude(cx, handle, Some((400, "Cannot be written")));
        };
        for credentials in self.auth.authorize("MESSAGE", job.request_uri(), &job.body) {
            let field = match credentials.role {
                Role::Server => HeaderId::Authorization,
                Role::Proxy => HeaderId::ProxyAuthorization,
            };
            // Credentials that cannot be written are not sent: the challenge then decides.
            let _ = head.push(field, credentials.value);
        }
        let epoch = self.challenged;
        let target = Target {
            transport: self.account.transport,
            remote: self.account.server,
            flow: self.link.flow(&self.account),
        };
        match cx.request(head, target, Errand::Message(handle)) {
            Ok(txn) => {
                if let Some(job) = self.jobs.get_mut(handle) {
                    job.state = JobState::Flying(txn);
                    job.challenged = epoch;
                }
            }
            Err(_) => self.again(cx, handle, None),
        }
    }

    /// A final response to a job.
    // spec: CONV-PM-013, CONV-PM-014, CONV-PM-016
    pub(crate) fn on_message_response(&mut self, cx: &mut Cx<'_>, handle: Handle<Job>, message: &Message) {
        let Some(status) = message.status().filter(|status| *status >= 200) else { return };
        let Some(job) = self.jobs.get_mut(handle) else { return };
        let notification = job.is_notification();
        job.said = Some((status, why(message).into()));
        job.state = JobState::Waiting;
        match status {
            401 | 407 => return self.on_challenge(cx, handle, status, message),
            300..=399 => return self.on_redirect(cx, handle, message),
            _ => {}
        }
        job.challenges = 0;
        self.auth.passed();
        let retry_after = message.retry_after().ok().flatten();
        let retry_after = retry_after.map(|after| Duration::from_secs(u64::from(after.seconds)));
        match judge(notification, status, retry_after) {
            Verdict::Accepted(status) => self.accepted(cx, handle, status),
            Verdict::Again(pause) => self.again(cx, handle, pause),
            Verdict::Failed => self.conclude(cx, handle, None),
        }
    }

    /// No final response to a job.
    pub(crate) fn on_message_failed(&mut self, cx: &mut Cx<'_>, handle: Handle<Job>, why: TxnFailure) {
        let Some(job) = self.jobs.get_mut(handle) else { return };
        job.state = JobState::Waiting;
        job.said = Some(match why {
            TxnFailure::Timeout => (408, "Request Timeout".into()),
            _ => (503, "Server unreachable".into()),
        });
        self.again(cx, handle, None);
        self.check_registration(cx);
    }

    /// Answers a challenge once, and once more when the nonce was stale. Where another job has answered a newer
    /// challenge meanwhile, its nonce serves this one too.
    fn on_challenge(&mut self, cx: &mut Cx<'_>, handle: Handle<Job>, status: u16, message: &Message) {
        let Some(job) = self.jobs.get_mut(handle) else { return };
        job.challenges += 1;
        let answered = if job.challenges > CHALLENGES {
            false
        } else if job.challenged < self.challenged {
            true
        } else {
            if job.challenges == 1 {
                self.auth.passed();
            }
            let role = if status == 407 { Role::Proxy } else { Role::Server };
            let challenges = message
                .proxy_authenticate()
                .filter(|_| role == Role::Proxy)
                .chain(message.www_authenticate().filter(|_| role == Role::Server));
            let usable = self.auth.challenged(cx.rng, role, challenges.flatten()).is_ok();
            self.challenged += u64::from(usable);
            usable
        };
        if answered {
            self.transmit(cx, handle);
        } else {
            self.conclude(cx, handle, None);
        }
    }

    /// Follows the first redirection if it stays in the own domain.
    fn on_redirect(&mut self, cx: &mut Cx<'_>, handle: Handle<Job>, message: &Message) {
        let own = Uri::parse(&self.account.address).ok();
        let target = message.contacts().flatten().find_map(|contact| match contact {
            Contact::Address(address) => {
                let uri = address.uri();
                let same = uri.host().is_some() && uri.host() == own.as_ref().and_then(|own| own.host());
                (same && uri.headers().is_none()).then(|| Box::from(uri.as_str()))
            }
            Contact::Any => None,
        });
        let Some(job) = self.jobs.get_mut(handle) else { return };
        match target {
            Some(target) if job.redirected.is_none() => {
                job.redirected = Some(target);
                self.transmit(cx, handle);
            }
            _ => self.conclude(cx, handle, None),
        }
    }

    /// The same again after a pause, unless the job has had its attempts.
    // spec: CONV-PM-014, CONV-IMDN-060
    fn again(&mut self, cx: &mut Cx<'_>, handle: Handle<Job>, pause: Option<Duration>) {
        let limits = cx.client_limits();
        let (first, longest) = (limits.back_off, limits.back_off_max);
        let (attempts, notify_attempts) = (limits.attempts, limits.notify_attempts);
        let Some(job) = self.jobs.get_mut(handle) else { return };
        job.attempts += 1;
        let allowed = if job.is_notification() { notify_attempts } else { attempts };
        if job.last || job.attempts >= allowed {
            return self.conclude(cx, handle, None);
        }
        let pause = back_off(job.attempts, first, longest).max(pause.unwrap_or_default());
        job.state = JobState::Paused(cx.arm(pause, "client.retry", Timer::Retry(cx.user, handle)));
    }

    /// The pause of a job is over.
    pub(crate) fn on_retry(&mut self, cx: &mut Cx<'_>, handle: Handle<Job>) {
        if let Some(job) = self.jobs.get_mut(handle) {
            job.state = JobState::Waiting;
            self.launch(cx, handle);
        }
    }

    /// A job had all the time it may take; an attempt under way still counts.
    pub(crate) fn on_give_up(&mut self, cx: &mut Cx<'_>, handle: Handle<Job>) {
        let Some(job) = self.jobs.get_mut(handle) else { return };
        job.give_up = None;
        match job.state {
            JobState::Flying(_) => job.last = true,
            JobState::Waiting | JobState::Paused(_) => self.conclude(cx, handle, None),
        }
    }

    /// The network took a job over.
    fn accepted(&mut self, cx: &mut Cx<'_>, handle: Handle<Job>, status: u16) {
        let Some(job) = self.take_out(cx, handle) else { return };
        match &job.purpose {
            Purpose::Text { message_id, reference } => cx.event(ClientEvent::Accepted {
                reference: reference.as_ref().into(),
                message_id: message_id.as_ref().into(),
                status,
            }),
            Purpose::Notification { seen, kind } => self.noticed(*seen, *kind, Step::Done),
        }
    }

    /// A job is over without success; `why` if not what the network said last.
    pub(super) fn conclude(&mut self, cx: &mut Cx<'_>, handle: Handle<Job>, why: Option<(u16, &str)>) {
        let Some(job) = self.take_out(cx, handle) else { return };
        match &job.purpose {
            Purpose::Text { message_id, reference } => {
                // The recipient has spoken: only the response was lost.
                if self.sent.get(message_id).is_some_and(|sent| sent.progress >= Progress::Delivered) {
                    return cx.event(ClientEvent::Accepted {
                        reference: reference.as_ref().into(),
                        message_id: message_id.as_ref().into(),
                        status: 200,
                    });
                }
                let (status, reason) = match (why, &job.said) {
                    (Some(why), _) => why,
                    (None, Some((status, reason))) => (*status, reason.as_ref()),
                    (None, None) => (503, "Not registered"),
                };
                cx.event(failed(&job, status, reason));
            }
            Purpose::Notification { seen, kind } => self.noticed(*seen, *kind, Step::Dropped),
        }
    }

    /// Takes a job out of everything and lets the next of its lane go.
    fn take_out(&mut self, cx: &mut Cx<'_>, handle: Handle<Job>) -> Option<Job> {
        let job = self.jobs.remove(handle)?;
        match job.state {
            JobState::Flying(txn) => cx.forget(txn),
            JobState::Paused(timer) => drop(cx.timers.cancel(timer)),
            JobState::Waiting => {}
        }
        if let Some(timer) = job.give_up {
            cx.timers.cancel(timer);
        }
        match job.purpose {
            Purpose::Text { .. } => self.texts -= 1,
            Purpose::Notification { .. } => self.notifications -= 1,
        }
        match self.gate.leave(&job.lane, handle) {
            Some(next) => self.launch(cx, next),
            None => self.lingered(cx),
        }
        Some(job)
    }

    /// Ends every job: the account is leaving.
    pub(super) fn conclude_all(&mut self, cx: &mut Cx<'_>) {
        let all: Vec<Handle<Job>> = self.jobs.iter().map(|(handle, _)| handle).collect();
        for handle in all {
            self.conclude(cx, handle, None);
        }
    }
}

/// The canonical form of an address that a MESSAGE can go to.
fn recipient(to: &str) -> Result<String, Error> {
    let uri = Uri::parse(to).map_err(|_| Error::Usage("the recipient is no CPM Address"))?;
    let fits = match &uri {
        Uri::Sip(sip) => sip.user().is_some() && sip.headers().is_none() && sip.password().is_none(),
        Uri::Tel(_) => true,
        _ => false,
    };
    if fits { Ok(uri.canonical()) } else { Err(Error::Usage("the recipient is no CPM Address")) }
}

/// What a response says in words: the text of an OMA warning without its number, else the reason phrase.
// spec: CONV-ERR-001, CONV-ERR-010
fn why(message: &Message) -> String {
    let warning = message.warnings().flatten().find_map(|warning| {
        let text = warning.text();
        let (number, text) = text.split_once(' ')?;
        let is_number = number.len() == 3 && number.bytes().all(|digit| digit.is_ascii_digit());
        is_number.then(|| text.to_owned())
    });
    warning.unwrap_or_else(|| message.reason().unwrap_or_default().to_owned())
}

fn failed(job: &Job, status: u16, reason: &str) -> ClientEvent {
    let (message_id, reference) = match &job.purpose {
        Purpose::Text { message_id, reference } => (message_id.as_ref(), reference.as_ref()),
        Purpose::Notification { .. } => ("", ""),
    };
    ClientEvent::Failed {
        reference: reference.into(),
        message_id: message_id.into(),
        status,
        reason: reason.into(),
    }
}
