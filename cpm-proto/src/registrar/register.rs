//! One REGISTER, from the request to its answer.
//!
//! | Step | Input | Next | Output |
//! |---|---|---|---|
//! | – | no or wrong credentials | – | 401 |
//! | – | not the user's own address | – | 403 |
//! | – | accepted | Queued | – |
//! | Queued, first | query | done | 200 with all bindings |
//! | Queued, first | refused by the rules | done | 4xx, 5xx |
//! | Queued, first | update | Storing | store batch |
//! | Storing | stored | done | 200, deferred queue runs |
//! | Storing | store failed or late | done | 503 |

use super::{Registration, Way, binding_rest};
use crate::node::{NodeWaiter, Parts};
use crate::participating::{Place, Reply, Server, Timer, UserId, Waiter};
use crate::store::engine::{Durability, Expect, StoreError, StoreOp};
use crate::store::model::{BindingRecord, Kind, Owner, key};
use cpm_base::{Handle, Now};
use cpm_sip::endpoint::{ServerTxn, Source, Target};
use cpm_sip::register::{Binding, Decision, Refusal, RegisterRequest, Update};
use cpm_sip::{HeaderId, Message, Uri};
use std::net::SocketAddr;
use std::time::Duration;

/// REGISTERs of one user that may wait for their turn.
const WAITING: usize = 16;

/// A REGISTER that is accepted.
#[derive(Debug)]
pub(super) struct Job {
    id: u64,
    txn: Handle<ServerTxn>,
    message: Message,
    request: RegisterRequest,
    source: Source,
    /// What is being stored.
    update: Option<Update>,
}

impl Server {
    /// A REGISTER. `Err` is its answer.
    // spec: RFC3261-10.3, CONV-REG-004
    pub(crate) fn on_register(
        &mut self,
        parts: &mut Parts<'_>,
        txn: Handle<ServerTxn>,
        source: &Source,
        message: &Message,
    ) -> Result<(), Reply> {
        let uri = Uri::parse(message.request_uri().unwrap_or_default())
            .map_err(|_| Reply::bad("Malformed Request-URI"))?;
        // RFC 3261 §10.3 step 1: only for our domains. An address stands for the node itself.
        let host = uri.host().map(|host| (host.to_string(), host.ip().is_some()));
        if !host.is_some_and(|(name, address)| address || self.users.is_local(&name)) {
            return Err(Reply::new(404).because("Domain not served here"));
        }
        let user = self.authenticate(parts, source, message, HeaderId::Authorization)?;
        let to = message.to().map_err(|_| Reply::bad("Malformed To"))?;
        let from = message.from().map_err(|_| Reply::bad("Malformed From"))?;
        for (address, warning) in
            [(to, "To is not the authenticated user"), (from, "From is not the authenticated user")]
        {
            if self.users.find(address.uri()) != Place::Local(user) {
                parts.stats.identity_refused += 1;
                return Err(Reply::forbidden(self.users.realm(), warning));
            }
        }
        let request = RegisterRequest::of(message).map_err(|_| Reply::bad("Malformed Contact or Expires"))?;
        let id = self.registrar.next_job;
        let registration = self.registrar.by_user.entry(user).or_default();
        if registration.jobs.len() >= WAITING {
            return Err(Reply::busy(1));
        }
        self.registrar.next_job += 1;
        let (message, source) = (message.clone(), *source);
        registration.jobs.push_back(Job { id, txn, message, request, source, update: None });
        self.advance_registration(parts, user);
        Ok(())
    }

    /// Judges the first REGISTER of a user, and the next ones for as long as the store is not needed.
    fn advance_registration(&mut self, parts: &mut Parts<'_>, user: UserId) {
        let Some(owner) = self.users.get(user).map(|served| served.owner) else { return };
        loop {
            let Some(registration) = self.registrar.by_user.get_mut(&user) else { return };
            let Some(job) = registration.jobs.front_mut() else { break };
            if job.update.is_some() {
                return;
            }
            match registration.bindings.register(parts.now, &job.request, &self.registrar.policy) {
                Decision::Query => {
                    let reply = self.granted(parts.now, user);
                    self.answer_registration(parts, user, &reply);
                }
                Decision::Refuse(refusal) => self.answer_registration(parts, user, &refused(refusal)),
                Decision::Update(update) => {
                    let id = job.id;
                    let batch = update_batch(owner, &update, job);
                    job.update = Some(update);
                    let waiter = NodeWaiter::Server(Waiter::Register(user, id));
                    if parts.store(owner, Durability::Local, batch, waiter).is_err() {
                        self.answer_registration(parts, user, &Reply::busy(5));
                    }
                }
            }
        }
        self.registrar.tidy(user);
    }

    /// Answers the first REGISTER of a user and lets it go.
    fn answer_registration(&mut self, parts: &mut Parts<'_>, user: UserId, reply: &Reply) {
        let Some(registration) = self.registrar.by_user.get_mut(&user) else { return };
        let Some(job) = registration.jobs.pop_front() else { return };
        parts.respond(job.txn, reply.head(&job.message));
    }

    /// The store has the bindings, or not.
    pub(crate) fn on_registered(
        &mut self,
        parts: &mut Parts<'_>,
        user: UserId,
        id: u64,
        result: Result<(), StoreError>,
    ) {
        let Some(registration) = self.registrar.by_user.get_mut(&user) else { return };
        let Some(job) = registration.jobs.front_mut().filter(|job| job.id == id) else { return };
        let Some(update) = job.update.take() else { return };
        if let Err(error) = result {
            parts.store_failed();
            let wait = match error {
                StoreError::Unavailable { retry } => retry,
                StoreError::Conflict { .. } => Duration::from_secs(1),
                _ => Duration::from_secs(30),
            };
            self.answer_registration(parts, user, &Reply::busy(wait.as_secs()));
            return self.advance_registration(parts, user);
        }
        let source = job.source;
        let via_rport = asks_for_rport(&job.message);
        let fresh = registration.apply(update, &source, via_rport);
        if fresh {
            registration.came = parts.now.unix;
        }
        let uses_flow = source.transport.is_reliable()
            && registration.ways.values().any(|way| way.target.flow == Some(source.flow));
        let registered = !registration.bindings.list().is_empty();
        let reply = self.granted(parts.now, user);
        self.answer_registration(parts, user, &reply);
        match self.registrar.streams.get_mut(&source.flow) {
            Some(users) if uses_flow => {
                users.insert(user);
            }
            Some(users) => {
                users.remove(&user);
            }
            // The stream has gone while the store was asked.
            None if uses_flow => {
                let gone = self.registrar.drop_flow(user, source.flow);
                self.forget_bindings(parts, user, gone);
            }
            None => {}
        }
        self.arm_bindings(parts, user);
        if registered {
            self.on_device(parts, user, fresh);
        }
        self.advance_registration(parts, user);
    }

    /// 200 with all bindings (RFC 3261 §10.3 step 8) and the addresses the user may use (RFC 7315 §4.1).
    // spec: RFC3261-10.3, CONV-REG-003
    fn granted(&self, now: Now, user: UserId) -> Reply {
        let mut reply = Reply::new(200);
        if let Some(registration) = self.registrar.by_user.get(&user) {
            for binding in registration.bindings.live(now) {
                reply = reply.with(HeaderId::Contact, binding.contact_value(now));
            }
        }
        if let Some(served) = self.users.get(user) {
            reply = reply.with(HeaderId::PAssociatedUri, format!("<{}>", served.address));
        }
        reply
    }

    /// Removes bindings that ended from the store.
    pub(crate) fn forget_bindings(&mut self, parts: &mut Parts<'_>, user: UserId, gone: Vec<Binding>) {
        let Some(owner) = self.users.get(user).map(|served| served.owner) else { return };
        let batch = gone.iter().map(|binding| delete(owner, binding)).collect();
        self.insist(parts, owner, Durability::Local, batch);
        self.arm_bindings(parts, user);
        self.registrar.tidy(user);
    }

    /// Arms the timer for the end of the next binding.
    pub(crate) fn arm_bindings(&mut self, parts: &mut Parts<'_>, user: UserId) {
        let Some(registration) = self.registrar.by_user.get_mut(&user) else { return };
        if let Some(timer) = registration.timer.take() {
            self.timers.cancel(timer);
        }
        let Some(next) = registration.bindings.next_expiry() else { return };
        let timer = self.arm_at(parts.now, Duration::from_secs(next), "binding", Timer::Bindings(user));
        if let Some(registration) = self.registrar.by_user.get_mut(&user) {
            registration.timer = Some(timer);
        }
    }

    /// A binding of a user may be over.
    pub(crate) fn on_bindings_timer(&mut self, parts: &mut Parts<'_>, user: UserId) {
        if let Some(registration) = self.registrar.by_user.get_mut(&user) {
            registration.timer = None;
        }
        let over = self.registrar.expire(parts.now, user);
        self.forget_bindings(parts, user, over);
    }
}

impl Registration {
    /// Takes the new bindings over; true if one of them is more than a refresh.
    fn apply(&mut self, update: Update, source: &Source, via_rport: bool) -> bool {
        let Update { bindings, written, removed } = update;
        for binding in &removed {
            self.ways.remove(&binding.uri);
        }
        let mut fresh = false;
        for binding in written.iter().filter_map(|at| bindings.list().get(*at)) {
            let target = target_of(source, &binding.uri, via_rport);
            let refreshed = self
                .bindings
                .list()
                .iter()
                .any(|old| old.uri == binding.uri && old.call_id == binding.call_id);
            let old = self.ways.insert(binding.uri.clone(), Way::new(target, binding));
            let same_way = old.is_some_and(|old| old.target == target);
            fresh |= !(refreshed && same_way);
        }
        self.bindings = bindings;
        // What ended while the store was asked stays ended.
        self.keep(|_, target| target.is_some());
        fresh
    }
}

/// The way back to where a REGISTER came from: over a stream that stream; over UDP the source address, through
/// any NAT. A client on the same host that did not ask for `rport` is taken at its word about the port.
// spec: RFC3581-4
fn target_of(source: &Source, contact: &str, via_rport: bool) -> Target {
    if source.transport.is_reliable() {
        return Target { transport: source.transport, remote: source.addr, flow: Some(source.flow) };
    }
    let mut remote = source.addr;
    let contact = Uri::parse(contact).ok().filter(|_| !via_rport);
    let own = |uri: &Uri<'_>| uri.host().and_then(|host| host.ip()) == Some(source.addr.ip());
    if let Some(uri) = contact.filter(own) {
        remote = SocketAddr::new(source.addr.ip(), uri.port().unwrap_or(5060));
    }
    Target { transport: source.transport, remote, flow: Some(source.flow) }
}

fn asks_for_rport(message: &Message) -> bool {
    message.via_top().is_ok_and(|via| via.params().has("rport"))
}

fn update_batch(owner: Owner, update: &Update, job: &Job) -> Vec<StoreOp> {
    let mut batch: Vec<StoreOp> = update.removed.iter().map(|binding| delete(owner, binding)).collect();
    let via_rport = asks_for_rport(&job.message);
    for binding in update.written.iter().filter_map(|at| update.bindings.list().get(*at)) {
        let Target { transport, remote, .. } = target_of(&job.source, &binding.uri, via_rport);
        let record = BindingRecord { binding: binding.clone(), transport, remote };
        batch.push(StoreOp::Put {
            key: key(owner, Kind::Binding, &binding_rest(binding)),
            value: record.encode(),
            expect: Expect::Any,
        });
    }
    batch
}

fn delete(owner: Owner, binding: &Binding) -> StoreOp {
    StoreOp::Delete { key: key(owner, Kind::Binding, &binding_rest(binding)), expect: Expect::Any }
}

fn refused(refusal: Refusal) -> Reply {
    let reply = Reply::new(refusal.status());
    match refusal {
        Refusal::TooBrief { min_expires } => reply.with(HeaderId::MinExpires, min_expires.to_string()),
        Refusal::TooMany { retry_after } => reply.with(HeaderId::RetryAfter, retry_after.to_string()),
        Refusal::Star => reply.because("Contact * needs Expires 0 and no other contact"),
        Refusal::OutOfOrder => reply.because("CSeq out of order"),
        _ => reply,
    }
}
