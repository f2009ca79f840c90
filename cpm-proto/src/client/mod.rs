//! The client function: one [`User`] for each account, each a Device of a CPM User (CONV-GEN-001).
//!
//! An account registers, sends Pager Mode messages, receives messages, and notifies about them. The node routes
//! requests, responses and timers to it; it never sees another account.

mod api;
mod compose;
mod content;
mod cx;
mod incoming;
mod job;
mod limits;
mod notify;
mod outgoing;
mod registration;
mod seen;
mod sent;

pub(crate) use cx::Cx;

pub use api::{ClientApi, Outgoing, Want};
pub use limits::ClientLimits;

use crate::gate::Gate;
use crate::node::Parts;
use crate::{Account, Error, Limits};
use cpm_base::{Arena, FlowDown, FlowId, Handle, Rng, Side, Wheel};
use cpm_sip::auth::Authenticator;
use cpm_sip::endpoint::{ClientTxn, ServerTxn, Source};
use cpm_sip::txn::TxnFailure;
use cpm_sip::{Head, Message, Uri};
use job::Job;
use registration::Link;
use seen::{Conversations, Seen};
use sent::Sent;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

/// Letters of base 32 in the user part of a Contact: 80 random bits, so that nobody else can aim at it.
const CONTACT_LETTERS: usize = 16;

/// One client account of a node.
#[derive(Debug)]
pub struct User {
    account: Account,
    /// Canonical form of the own address.
    own: Box<str>,
    link: Link,
    /// Credentials for everything but REGISTER.
    auth: Authenticator,
    /// Challenges answered so far.
    challenged: u64,
    jobs: Arena<Job>,
    /// Jobs that are messages.
    texts: usize,
    /// Jobs that are notifications.
    notifications: usize,
    gate: Gate<Handle<Job>>,
    seen: Seen,
    sent: Sent,
    conversations: Conversations,
}

/// What a client transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// REGISTER.
    Register,
    /// The MESSAGE of a job.
    Message(Handle<Job>),
}

/// What fires for an account when time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The registration has something to do.
    Registration(Handle<User>),
    /// A job may be tried again.
    Retry(Handle<User>, Handle<Job>),
    /// A job had its time.
    GiveUp(Handle<User>, Handle<Job>),
    /// A leaving account waits no longer.
    Leave(Handle<User>),
}

/// All accounts of a node.
#[derive(Debug, Default)]
pub(crate) struct Client {
    users: Arena<User>,
    txns: Side<ClientTxn, (Handle<User>, Errand)>,
    timers: Wheel<Timer>,
    /// Accounts by the user part of their Contact.
    contacts: BTreeMap<Box<str>, Handle<User>>,
}

impl User {
    fn new(account: Account, contact: &str, limits: &Limits, rng: &mut Rng) -> Result<Self, Error> {
        let uri = Uri::parse(&account.address).map_err(|_| Error::Usage("the address is no CPM Address"))?;
        if uri.user().is_none() && !matches!(uri, Uri::Tel(_)) || uri.headers().is_some() {
            return Err(Error::Usage("the address is no CPM Address"));
        }
        let secret = account.password.clone();
        Ok(Self {
            own: uri.canonical().into(),
            link: Link::new(&account, contact, rng),
            auth: Authenticator::new(registration::digest_user(&account), secret, None),
            challenged: 0,
            jobs: Arena::new(),
            texts: 0,
            notifications: 0,
            gate: Gate::new(),
            seen: Seen::new(limits.client.received),
            sent: Sent::new(limits.client.sent),
            conversations: Conversations::new(limits.client.conversations),
            account,
        })
    }
}

impl Client {
    /// Adds an account and starts its registration.
    pub(crate) fn add(&mut self, parts: Parts<'_>, account: Account) -> Result<Handle<User>, Error> {
        if self.users.len() >= parts.limits.accounts {
            return Err(Error::Limit("accounts"));
        }
        let contact: Box<str> = parts.rng.base32(CONTACT_LETTERS).into();
        let user = User::new(account, &contact, parts.limits, parts.rng)?;
        let handle = self.users.insert(user);
        self.contacts.insert(contact, handle);
        self.with(parts, handle, |user, cx| user.register(cx))?;
        Ok(handle)
    }

    /// Number of accounts.
    pub(crate) fn len(&self) -> usize {
        self.users.len()
    }

    /// Runs a command or an input of one account, and removes the account if that was its last.
    pub(crate) fn with<T>(
        &mut self,
        parts: Parts<'_>,
        handle: Handle<User>,
        run: impl FnOnce(&mut User, &mut Cx<'_>) -> T,
    ) -> Result<T, Error> {
        let user = self.users.get_mut(handle).ok_or(Error::Usage("no such account"))?;
        let Parts { now, sip, rng, out, limits, .. } = parts;
        let (txns, timers) = (&mut self.txns, &mut self.timers);
        let mut cx = Cx { now, sip, rng, out, limits, txns, timers, user: handle };
        let result = run(user, &mut cx);
        if user.link.is_gone() {
            self.contacts.retain(|_, user| *user != handle);
            self.users.remove(handle);
        }
        Ok(result)
    }

    /// The account a request is for: by its Request-URI, the Contact that was registered or the plain address.
    pub(crate) fn addressed(&self, message: &Message) -> Option<Handle<User>> {
        let uri = Uri::parse(message.request_uri()?).ok()?;
        let by_contact = uri.user().and_then(|contact| self.contacts.get(contact)).copied();
        by_contact.or_else(|| {
            let canonical = uri.canonical();
            self.users.iter().find(|(_, user)| *user.own == *canonical).map(|(handle, _)| handle)
        })
    }

    /// A request for one of the accounts. One for nobody is answered 404.
    pub(crate) fn on_request(
        &mut self,
        parts: Parts<'_>,
        txn: Handle<ServerTxn>,
        source: &Source,
        message: &Message,
    ) {
        match self.addressed(message) {
            Some(user) => {
                let _ = self.with(parts, user, |user, cx| user.on_request(cx, txn, source, message));
            }
            None => {
                let head = Head::response_to(message, 404, "Not Found");
                let _ = parts.sip.respond(parts.now, txn, head);
            }
        }
    }

    /// Whether a client transaction belongs to an account.
    pub(crate) fn owns(&self, txn: Handle<ClientTxn>) -> bool {
        self.txns.get(txn).is_some()
    }

    /// A response to a request of an account.
    pub(crate) fn on_response(&mut self, parts: Parts<'_>, txn: Handle<ClientTxn>, message: &Message) {
        let Some((user, errand)) = self.txns.get(txn).copied() else { return };
        if message.status().is_some_and(|status| status >= 200) {
            self.txns.remove(txn);
        }
        let _ = self.with(parts, user, |user, cx| match errand {
            Errand::Register => user.on_register_response(cx, message),
            Errand::Message(job) => user.on_message_response(cx, job, message),
        });
    }

    /// A request of an account got no final response.
    pub(crate) fn on_failed(&mut self, parts: Parts<'_>, txn: Handle<ClientTxn>, why: TxnFailure) {
        let Some((user, errand)) = self.txns.remove(txn) else { return };
        let _ = self.with(parts, user, |user, cx| match errand {
            Errand::Register => user.on_register_failed(cx, why),
            Errand::Message(job) => user.on_message_failed(cx, job, why),
        });
    }

    /// A flow came up: accounts that look for a way to their server may have one now.
    pub(crate) fn on_flow_up(&mut self, parts: &mut Parts<'_>) {
        for user in self.handles(|user| user.link.is_lost()) {
            let _ = self.with(parts.again(), user, |user, cx| user.on_flow_up(cx));
        }
    }

    /// A connection did not come up.
    pub(crate) fn on_connect_failed(&mut self, parts: &mut Parts<'_>, remote: SocketAddr, reason: FlowDown) {
        for user in self.handles(|user| user.link.is_connecting() && user.account.server == remote) {
            let _ = self.with(parts.again(), user, |user, cx| user.on_connect_failed(cx, reason));
        }
    }

    /// A flow is gone: accounts registered over it register again.
    pub(crate) fn on_flow_down(&mut self, parts: &mut Parts<'_>, flow: FlowId) {
        for user in self.handles(|user| user.link.is_flow(flow)) {
            let _ = self.with(parts.again(), user, |user, cx| user.on_flow_down(cx));
        }
    }

    fn handles(&self, which: impl Fn(&User) -> bool) -> Vec<Handle<User>> {
        self.users.iter().filter(|(_, user)| which(user)).map(|(handle, _)| handle).collect()
    }

    /// Fires one due timer; false if none is due.
    pub(crate) fn fire(&mut self, parts: Parts<'_>) -> bool {
        let Some(timer) = self.timers.pop_due(parts.now.mono) else { return false };
        let _ = match timer {
            Timer::Registration(user) => self.with(parts, user, |user, cx| user.on_registration_timer(cx)),
            Timer::Retry(user, job) => self.with(parts, user, |user, cx| user.on_retry(cx, job)),
            Timer::GiveUp(user, job) => self.with(parts, user, |user, cx| user.on_give_up(cx, job)),
            Timer::Leave(user) => self.with(parts, user, |user, cx| user.on_leave_timer(cx)),
        };
        true
    }

    /// The next deadline and its name.
    pub(crate) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.timers.next()
    }

    /// Whether no account has anything under way: registered or gone, and nothing to send.
    pub(crate) fn is_quiescent(&self) -> bool {
        self.users.iter().all(|(_, user)| user.link.is_at_rest() && user.gate.is_empty())
    }
}

#[cfg(test)]
mod tests;
