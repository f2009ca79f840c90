//! A client's registration (RFC 3261 §10.2): one contact, kept alive, authenticated, retried with back-off.
//!
//! The owner asks for the next REGISTER when [`Registration::poll_timeout`] is due, sends it, and brings back what
//! came of it. At most one REGISTER is under way.

use crate::auth::{Authenticator, Role, Secret};
use crate::header::Contact;
use crate::txn::TxnFailure;
use crate::uri::Uri;
use crate::{Head, HeadError, HeaderId, Message, Method};
use cpm_base::{Now, Rng};
use std::time::{Duration, Instant};

/// What is registered where. Times in whole seconds go on the wire.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegistrationConfig {
    /// The address of record.
    pub address: String,
    /// The registrar: the Request-URI, a domain without user part (RFC 3261 §10.2).
    pub registrar: String,
    /// User name for digest authentication.
    pub user: String,
    /// Password.
    pub secret: Secret,
    /// Only challenges of this realm are answered; `None`: of any.
    pub realm: Option<String>,
    /// The Device: a URN for `+sip.instance` (RFC 5626 §4.1), without quotes and angle brackets.
    pub instance: Option<String>,
    /// Feature parameters of the contact as they stand on the wire, without leading semicolon (RFC 3840).
    pub features: Vec<String>,
    /// The lifetime asked for, seconds. Default 3 600.
    pub expires: u32,
    /// Refresh at least this often, whatever lifetime was granted: keep-alive over UDP (25 s), `None` otherwise.
    pub refresh_within: Option<Duration>,
    /// The first pause after a failure; doubled with each. Default 2 s.
    pub backoff_min: Duration,
    /// The longest pause after a failure. Default 30 s.
    pub backoff_max: Duration,
}

impl RegistrationConfig {
    /// A registration of `address` at `registrar`, for a stream.
    pub fn new(
        address: impl Into<String>,
        registrar: impl Into<String>,
        user: impl Into<String>,
        secret: Secret,
    ) -> Self {
        Self {
            address: address.into(),
            registrar: registrar.into(),
            user: user.into(),
            secret,
            realm: None,
            instance: None,
            features: Vec::new(),
            expires: 3600,
            refresh_within: None,
            backoff_min: Duration::from_secs(2),
            backoff_max: Duration::from_secs(30),
        }
    }
}

/// What the registrar granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Lifetime in seconds.
    pub expires: u32,
    /// `Service-Route` values in order: the route set of further requests (RFC 3608).
    pub service_route: Vec<String>,
    /// URIs of `P-Associated-URI` in order (RFC 7315 §4.1).
    pub associated: Vec<String>,
    /// The registration was there before.
    pub refreshed: bool,
}

/// What came of a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing to tell: provisional, or the next REGISTER is due at once.
    None,
    /// The contact is registered.
    Registered(Granted),
    /// The contact is registered no more, as wished.
    Unregistered,
    /// It did not work.
    Failed {
        /// The final status; 408 for no answer, 503 for a failed transport (RFC 3261 §8.1.3.1).
        status: u16,
        /// Reason phrase.
        reason: String,
        /// When it is tried again; `None`: not before the owner asks for it.
        retry: Option<Duration>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing wanted, or given up.
    Idle,
    /// A REGISTER is due at this time.
    Due(Instant),
    /// A REGISTER is under way.
    Sent,
}

/// The client machine.
#[derive(Debug)]
pub struct Registration {
    config: RegistrationConfig,
    rng: Rng,
    auth: Authenticator,
    contact: String,
    call_id: String,
    from_tag: String,
    cseq: u32,
    expires: u32,
    state: State,
    /// A binding is wanted; else its removal.
    wanted: bool,
    /// The REGISTER under way removes the binding.
    removing: bool,
    registered: bool,
    /// The wish changed while a REGISTER was under way.
    changed: bool,
    failures: u32,
}

impl Registration {
    /// A registration that does nothing yet. The seed gives Call-ID, tag, client nonces and jitter.
    pub fn new(config: RegistrationConfig, seed: [u8; 32]) -> Self {
        let mut rng = Rng::new(seed);
        let auth = Authenticator::new(config.user.clone(), config.secret.clone(), config.realm.clone());
        let (call_id, from_tag) = (rng.base32(26), rng.base32(20));
        // RFC 3261 §8.1.1.5 allows any start below 2^31; a small random one hides how often we registered.
        let cseq = u32::try_from(rng.below(1 << 16)).unwrap_or(0);
        Self {
            expires: config.expires,
            config,
            rng,
            auth,
            contact: String::new(),
            call_id,
            from_tag,
            cseq,
            state: State::Idle,
            wanted: false,
            removing: false,
            registered: false,
            changed: false,
            failures: 0,
        }
    }

    /// Wants `contact`, a URI, to be registered from now on. Also starts over after a failure.
    pub fn register(&mut self, now: Now, contact: impl Into<String>) {
        self.contact = contact.into();
        self.wanted = true;
        self.failures = 0;
        self.wish(now);
    }

    /// Wants the binding removed: REGISTER with Expires 0.
    // spec: RFC3261-10.2.2
    pub fn unregister(&mut self, now: Now) {
        self.wanted = false;
        if self.state == State::Idle && !self.registered {
            return;
        }
        self.wish(now);
    }

    /// The connection the contact was registered over is gone: it is registered again after a pause.
    pub fn connection_lost(&mut self, now: Now) {
        if self.wanted && self.state != State::Sent {
            self.registered = false;
            let pause = self.backoff();
            self.state = State::Due(now.mono + pause);
        }
    }

    /// Whether the registrar holds our binding as far as we know.
    pub fn is_registered(&self) -> bool {
        self.registered
    }

    /// When [`Self::next_request`] has something to send.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Due(at) => Some(at),
            State::Idle | State::Sent => None,
        }
    }

    /// The credentials, for other requests to the same peer (RFC 3261 §22.3).
    pub fn authenticator(&mut self) -> &mut Authenticator {
        &mut self.auth
    }

    /// The REGISTER to send, if one is due.
    ///
    /// # Errors
    /// The configuration holds what may not stand in a message.
    // spec: RFC3261-10.2
    pub fn next_request(&mut self, now: Now) -> Result<Option<Head>, HeadError> {
        match self.state {
            State::Due(at) if at <= now.mono => {}
            _ => return Ok(None),
        }
        self.cseq = self.cseq.saturating_add(1);
        self.removing = !self.wanted;
        self.changed = false;
        let expires = if self.removing { 0 } else { self.expires };
        let mut head = Head::request(Method::Register, &self.config.registrar)?;
        head.push(HeaderId::From, format!("<{}>;tag={}", self.config.address, self.from_tag))?;
        head.push(HeaderId::To, format!("<{}>", self.config.address))?;
        head.push(HeaderId::CallId, &self.call_id)?;
        head.push(HeaderId::CSeq, format!("{} REGISTER", self.cseq))?;
        head.push(HeaderId::Contact, self.contact_value())?;
        head.push(HeaderId::Expires, expires)?;
        for credentials in self.auth.authorize("REGISTER", &self.config.registrar, b"") {
            let field = match credentials.role {
                Role::Server => HeaderId::Authorization,
                Role::Proxy => HeaderId::ProxyAuthorization,
            };
            head.push(field, credentials.value)?;
        }
        self.state = State::Sent;
        Ok(Some(head))
    }

    /// A response to the REGISTER under way.
    // spec: RFC3261-10.2.8
    pub fn response(&mut self, now: Now, message: &Message) -> Outcome {
        let status = message.status().unwrap_or(0);
        if self.state != State::Sent || status < 200 {
            return Outcome::None;
        }
        match status {
            200..=299 => self.accepted(now, message),
            401 => self.challenged(now, Role::Server, message),
            407 => self.challenged(now, Role::Proxy, message),
            423 if !self.removing => self.too_brief(now, message),
            _ => {
                self.auth.passed();
                let after = message.retry_after().ok().flatten();
                let after = after.map(|after| Duration::from_secs(u64::from(after.seconds)));
                self.rejected(now, message, after)
            }
        }
    }

    /// The REGISTER under way ended without final response.
    // spec: RFC3261-8.1.3.1 RFC3261-10.2.7
    pub fn failed(&mut self, now: Now, why: TxnFailure) -> Outcome {
        if self.state != State::Sent {
            return Outcome::None;
        }
        let (status, reason) = match why {
            TxnFailure::Timeout => (408, "Request Timeout"),
            TxnFailure::Transport(_) => (503, "Service Unavailable"),
        };
        self.give_pause(now, status, reason.to_owned(), None)
    }

    fn accepted(&mut self, now: Now, message: &Message) -> Outcome {
        self.auth.passed();
        self.failures = 0;
        if self.removing {
            self.registered = false;
            self.state = State::Idle;
            self.wish_again(now);
            return Outcome::Unregistered;
        }
        let expires = self.granted(message);
        let refreshed = std::mem::replace(&mut self.registered, true);
        self.state = State::Due(now.mono + self.refresh_after(expires));
        self.wish_again(now);
        Outcome::Registered(Granted {
            expires,
            service_route: message.service_routes().flatten().map(|route| route.to_string()).collect(),
            associated: message.p_associated_uris().flatten().map(|uri| uri.uri().to_string()).collect(),
            refreshed,
        })
    }

    fn challenged(&mut self, now: Now, role: Role, message: &Message) -> Outcome {
        let answered = match role {
            Role::Server => self.auth.challenged(&mut self.rng, role, message.www_authenticate().flatten()),
            Role::Proxy => self.auth.challenged(&mut self.rng, role, message.proxy_authenticate().flatten()),
        };
        match answered {
            Ok(()) => {
                self.due_now(now);
                Outcome::None
            }
            Err(_) => self.stop(now, message),
        }
    }

    fn too_brief(&mut self, now: Now, message: &Message) -> Outcome {
        self.auth.passed();
        match message.min_expires().ok().flatten() {
            Some(min) if min > self.expires => {
                self.expires = min;
                self.due_now(now);
                Outcome::None
            }
            _ => self.rejected(now, message, None),
        }
    }

    /// A final response that is neither success nor a way forward: some pass with time, most do not. A 400 says that
    /// what arrived was not understood, which need not be what we sent: a datagram that somebody else forged in our
    /// name is answered to us as well. It is tried again, but seldom.
    // spec: RFC3261-21.4.1
    fn rejected(&mut self, now: Now, message: &Message, after: Option<Duration>) -> Outcome {
        let status = message.status().unwrap_or(0);
        match status {
            408 | 430 | 480 | 500..=599 => {
                let reason = message.reason().unwrap_or("").to_owned();
                self.give_pause(now, status, reason, after)
            }
            400 if !self.removing => {
                let longest = self.jittered(self.config.backoff_max, 2);
                let after = after.map_or(longest, |after| after.max(longest));
                let reason = message.reason().unwrap_or("").to_owned();
                self.give_pause(now, status, reason, Some(after))
            }
            _ => self.stop(now, message),
        }
    }

    fn stop(&mut self, now: Now, message: &Message) -> Outcome {
        self.registered = false;
        self.state = State::Idle;
        self.wish_again(now);
        Outcome::Failed {
            status: message.status().unwrap_or(0),
            reason: message.reason().unwrap_or("").to_owned(),
            retry: None,
        }
    }

    fn give_pause(&mut self, now: Now, status: u16, reason: String, after: Option<Duration>) -> Outcome {
        self.registered = false;
        if self.removing {
            // Nobody is there to take the binding away; it ends by its own time.
            self.state = State::Idle;
            self.wish_again(now);
            return Outcome::Unregistered;
        }
        let pause = self.backoff();
        let pause = after.map_or(pause, |after| after.max(pause));
        self.state = State::Due(now.mono + pause);
        if !self.wanted {
            // It may have arrived all the same, so it is taken away.
            self.due_now(now);
            return Outcome::None;
        }
        Outcome::Failed { status, reason, retry: Some(pause) }
    }

    /// 2, 4, 8... seconds up to the longest pause, of which a random part between half and all.
    fn backoff(&mut self) -> Duration {
        let factor = 1u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        let full = self.config.backoff_min.saturating_mul(factor).min(self.config.backoff_max);
        self.jittered(full, 2)
    }

    /// `full` less a random part of at most its `nth`.
    fn jittered(&mut self, full: Duration, nth: u64) -> Duration {
        let millis = u64::try_from(full.as_millis()).unwrap_or(u64::MAX);
        let less = self.rng.below(millis.checked_div(nth).unwrap_or(0).saturating_add(1));
        Duration::from_millis(millis.saturating_sub(less))
    }

    /// Half of a short lifetime; ten minutes before the end of a long one (3GPP TS 24.229 §5.1.1.4.1).
    fn refresh_after(&mut self, expires: u32) -> Duration {
        let before_end = if expires > 1200 { expires - 600 } else { expires / 2 };
        let wait = Duration::from_secs(u64::from(before_end.max(1)));
        let wait = self.config.refresh_within.map_or(wait, |within| wait.min(within));
        self.jittered(wait, 10)
    }

    /// The lifetime of our contact in a 200 (RFC 3261 §10.2.4): its parameter, else the field, else what we asked.
    fn granted(&self, message: &Message) -> u32 {
        let ours = Uri::parse(&self.contact).ok();
        let mine = message.contacts().flatten().find_map(|contact| match contact {
            Contact::Address(address) => {
                let device =
                    self.config.instance.is_some() && address.instance() == self.config.instance.as_deref();
                let same = ours.as_ref().is_some_and(|ours| ours.is_equivalent(address.uri()));
                (device || same).then(|| address.expires()).flatten()
            }
            Contact::Any => None,
        });
        mine.or_else(|| message.expires().ok().flatten()).unwrap_or(self.expires)
    }

    fn contact_value(&self) -> String {
        let mut value = format!("<{}>", self.contact);
        if let Some(instance) = &self.config.instance {
            value.push_str(&format!(";+sip.instance=\"<{instance}>\""));
        }
        for feature in &self.config.features {
            value.push(';');
            value.push_str(feature);
        }
        value
    }

    fn due_now(&mut self, now: Now) {
        self.state = State::Due(now.mono);
    }

    /// The owner wants something else: at once, or after the REGISTER under way.
    fn wish(&mut self, now: Now) {
        if self.state == State::Sent {
            self.changed = true;
        } else {
            self.due_now(now);
        }
    }

    fn wish_again(&mut self, now: Now) {
        if self.changed {
            self.due_now(now);
        }
    }
}
