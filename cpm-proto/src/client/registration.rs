//! The registration of an account and the way to its server (RFC 3261 §10.2, RFC 5626, CONV-REG).
//!
//! | state | input | next | output |
//! |---|---|---|---|
//! | Down | way to the server known | Down | REGISTER |
//! | Down | registered | Up | `Registered`; what waits is sent |
//! | Down, Up | refused, unanswered, connection lost | Down | `RegistrationFailed`; REGISTER after a pause |
//! | Down, Up | leave | Lingering, or Removing if nothing is under way | |
//! | Lingering | nothing under way any more, or time is up | Removing | REGISTER with Expires 0 |
//! | Removing | answered, or time is up | Gone | `Unregistered` |
//!
//! Over UDP the way is the datagram socket, and a REGISTER every 25 s keeps it alive: a server that was restarted has
//! the Device back within 35 s. Over TCP the connection is opened first, so that the Contact can name its local
//! address; CRLF keep-alive (RFC 5626 §4.4.1) finds a dead server within 30 s.

use super::cx::Cx;
use super::{Errand, Timer, User};
use crate::service::Service;
use crate::{Account, ClientEvent};
use cpm_base::{FlowDown, FlowId, Rng, TimerId, Transport};
use cpm_sip::endpoint::Target;
use cpm_sip::register::{Outcome, Registration, RegistrationConfig};
use cpm_sip::txn::TxnFailure;
use cpm_sip::{Message, Uri};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Longest time between two REGISTERs over UDP.
const UDP_REFRESH: Duration = Duration::from_secs(25);

/// Time between two pings on a connection; the pong may take 10 s more.
const TCP_PING: Duration = Duration::from_secs(20);

/// A nonce that is stale before this age was forgotten, not used up: servers keep theirs for five minutes or more.
const YOUNG_NONCE: Duration = Duration::from_secs(240);

/// Longest pause between two attempts to register: with one transaction or connection attempt in between, a server
/// that is back is found within 35 s.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Pause after a connection failed that was opened for the first registration.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down,
    Up,
    Lingering,
    Removing,
    Gone,
}

/// The registration of one account.
#[derive(Debug)]
pub(crate) struct Link {
    registration: Registration,
    state: State,
    /// User part of the Contact.
    contact_user: Box<str>,
    /// The socket or connection to the server and its local address.
    way: Option<(FlowId, SocketAddr)>,
    /// A connection is being opened.
    connecting: bool,
    /// A REGISTER is under way.
    asking: bool,
    /// The owner knows that the account is registered.
    told: bool,
    /// When the present nonce was given.
    nonce_since: Option<Instant>,
    /// The REGISTER under way was challenged.
    challenged: bool,
    /// The last refresh was challenged.
    challenged_before: bool,
    timer: Option<TimerId>,
    leave_timer: Option<TimerId>,
    service_route: Vec<String>,
}

impl Link {
    /// The registration of an account, not started.
    pub(super) fn new(account: &Account, contact_user: &str, rng: &mut Rng) -> Self {
        let uri = Uri::parse(&account.address).ok();
        let host = uri.as_ref().and_then(|uri| uri.host()).map(|host| host.to_string());
        let registrar = format!("sip:{}", host.unwrap_or_else(|| account.server.to_string()));
        let user = digest_user(account);
        let secret = account.password.clone();
        let mut config = RegistrationConfig::new(account.address.clone(), registrar, user, secret);
        config.instance = Some(account.instance.clone());
        config.features = vec![feature_tag()];
        config.expires = u32::try_from(account.expires.as_secs()).unwrap_or(u32::MAX);
        config.refresh_within = (!account.transport.is_reliable()).then_some(UDP_REFRESH);
        config.backoff_max = LONGEST_PAUSE;
        Self {
            registration: Registration::new(config, rng.child_seed()),
            state: State::Down,
            contact_user: contact_user.into(),
            way: None,
            connecting: false,
            asking: false,
            told: false,
            nonce_since: None,
            challenged: false,
            challenged_before: false,
            timer: None,
            leave_timer: None,
            service_route: Vec::new(),
        }
    }

    /// Whether requests may be sent.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Up | State::Lingering)
    }

    /// Whether the account is on its way out.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.state, State::Lingering | State::Removing | State::Gone)
    }

    /// Whether the account is over.
    pub(super) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Whether it waits for nothing but its own timers, or for nothing at all because it was refused.
    pub(super) fn is_at_rest(&self) -> bool {
        let given_up = !self.asking && !self.connecting && self.registration.poll_timeout().is_none();
        matches!(self.state, State::Up | State::Gone) || self.state == State::Down && given_up
    }

    /// Whether it has no way to its server.
    pub(super) fn is_lost(&self) -> bool {
        self.way.is_none()
    }

    /// Whether a connection to its server is being opened.
    pub(super) fn is_connecting(&self) -> bool {
        self.connecting
    }

    /// Whether it goes over this flow.
    pub(super) fn is_flow(&self, flow: FlowId) -> bool {
        self.way.is_some_and(|(own, _)| own == flow)
    }

    /// The flow that requests must use: the registered connection. Over UDP the endpoint chooses, because large
    /// requests go over TCP.
    pub(super) fn flow(&self, account: &Account) -> Option<FlowId> {
        self.way.filter(|_| account.transport.is_reliable()).map(|(flow, _)| flow)
    }

    /// The registrar challenged. A refresh whose nonce it does not know, or no longer although it is young, tells that
    /// it was restarted: the owner hears of the registration anew. A registrar that challenges every refresh does not
    /// mean that.
    fn challenged(&mut self, now: Instant, stale: bool) {
        let young = self.nonce_since.is_some_and(|since| now.saturating_duration_since(since) < YOUNG_NONCE);
        if !stale || young && !self.challenged_before {
            self.told = false;
        }
        self.nonce_since = Some(now);
        self.challenged = true;
    }

    /// The route set the registrar gave (RFC 3608).
    pub(super) fn service_route(&self) -> &[String] {
        &self.service_route
    }

    fn contact_uri(&self, account: &Account) -> Option<String> {
        let (_, local) = self.way?;
        let transport = if account.transport == Transport::Udp { "" } else { ";transport=tcp" };
        Some(format!("sip:{}@{local}{transport}", self.contact_user))
    }

    /// The Contact value with all this Device can do.
    // spec: CONV-REG-001, CONV-TAG-002
    pub(super) fn contact(&self, account: &Account) -> Option<String> {
        let uri = self.contact_uri(account)?;
        Some(format!("<{uri}>;+sip.instance=\"<{}>\";{}", account.instance, feature_tag()))
    }
}

/// All services of this Device in one parameter.
// spec: CONV-REG-001, CONV-TAG-002
fn feature_tag() -> String {
    let tags = [Service::Message, Service::Deferred, Service::System].map(Service::tag);
    format!("+g.3gpp.icsi-ref=\"{}\"", tags.join(","))
}

/// The digest user name of an account: the user part of its address, or its number.
pub(super) fn digest_user(account: &Account) -> String {
    match Uri::parse(&account.address) {
        Ok(Uri::Tel(tel)) => tel.number().to_owned(),
        Ok(uri) => uri.user().unwrap_or_default().to_owned(),
        Err(_) => String::new(),
    }
}

impl User {
    /// Starts the registration, or goes on with it where it stopped: finds the way to the server, then sends what is
    /// due.
    pub(crate) fn register(&mut self, cx: &mut Cx<'_>) {
        if self.link.is_leaving() {
            return;
        }
        if self.link.way.is_none() {
            self.find_way(cx);
        }
        self.pump_registration(cx);
    }

    /// The server's address and transport.
    fn target(&self) -> Target {
        Target { transport: self.account.transport, remote: self.account.server, flow: None }
    }

    fn find_way(&mut self, cx: &mut Cx<'_>) {
        let target = self.target();
        if let Some((flow, local)) = cx.sip.way(&target) {
            self.link.way = Some((flow, local));
            if target.transport.is_reliable() {
                // A connection that ended this moment is reported as down.
                let _ = cx.sip.keep_alive(cx.now, flow, TCP_PING);
            }
            if let Some(contact) = self.link.contact_uri(&self.account) {
                self.link.registration.register(cx.now, contact);
            }
        } else if target.transport.is_reliable() && !self.link.connecting {
            self.link.connecting = cx.sip.connect(cx.now, target.transport, target.remote).is_ok();
            if !self.link.connecting {
                self.on_connect_failed(cx, FlowDown::Limit);
            }
        }
    }

    /// A flow came up: perhaps the way to the server.
    pub(super) fn on_flow_up(&mut self, cx: &mut Cx<'_>) {
        if self.link.way.is_none() {
            self.link.connecting = false;
            self.register(cx);
        }
    }

    /// The connection could not be opened.
    pub(super) fn on_connect_failed(&mut self, cx: &mut Cx<'_>, _reason: FlowDown) {
        self.link.connecting = false;
        if self.link.is_leaving() {
            return;
        }
        self.down(cx, 503, "Server unreachable");
        self.lose(cx);
    }

    /// The connection is gone.
    pub(super) fn on_flow_down(&mut self, cx: &mut Cx<'_>) {
        self.link.way = None;
        if self.link.is_leaving() {
            return self.gone(cx);
        }
        self.down(cx, 503, "Connection lost");
        self.lose(cx);
    }

    /// Starts over after a pause.
    fn lose(&mut self, cx: &mut Cx<'_>) {
        self.link.registration.connection_lost(cx.now);
        self.arm_registration(cx);
    }

    /// Sends the REGISTERs that are due and arms the timer for the next.
    fn pump_registration(&mut self, cx: &mut Cx<'_>) {
        while let Some((flow, _)) = self.link.way {
            let head = match self.link.registration.next_request(cx.now) {
                Ok(Some(head)) => head,
                Ok(None) => break,
                Err(_) => return self.down(cx, 400, "The account cannot be written"),
            };
            let target = Target { flow: Some(flow), ..self.target() };
            self.link.asking = cx.request(head, target, Errand::Register).is_ok();
            if self.link.asking {
                break;
            }
            let outcome = self.link.registration.failed(cx.now, TxnFailure::Transport(FlowDown::Limit));
            self.on_outcome(cx, outcome);
            if self.link.is_gone() {
                return;
            }
        }
        self.arm_registration(cx);
    }

    fn arm_registration(&mut self, cx: &mut Cx<'_>) {
        if let Some(timer) = self.link.timer.take() {
            cx.timers.cancel(timer);
        }
        // The very first connection failed: nothing was registered that the registration could come back to.
        let first =
            self.link.way.is_none() && self.account.transport.is_reliable() && !self.link.is_leaving();
        let again = first.then(|| cx.now.mono + FIRST_PAUSE);
        // While a connection is being opened, its outcome goes on with the registration.
        let due = self.link.registration.poll_timeout().or(again).filter(|_| !self.link.connecting);
        if let Some(at) = due {
            let after = at.saturating_duration_since(cx.now.mono);
            self.link.timer = Some(cx.arm(after, "client.registration", Timer::Registration(cx.user)));
        }
    }

    /// A REGISTER is due.
    pub(super) fn on_registration_timer(&mut self, cx: &mut Cx<'_>) {
        self.link.timer = None;
        if self.link.way.is_some() || self.link.is_leaving() {
            self.pump_registration(cx);
        } else {
            self.register(cx);
        }
    }

    /// A response to a REGISTER.
    pub(super) fn on_register_response(&mut self, cx: &mut Cx<'_>, message: &Message) {
        if matches!(message.status(), Some(401 | 407)) {
            self.link.challenged(cx.now.mono, says_stale(message));
        }
        self.link.asking &= message.status().is_none_or(|status| status < 200);
        let outcome = self.link.registration.response(cx.now, message);
        self.on_outcome(cx, outcome);
        self.pump_registration(cx);
    }

    /// No final response to a REGISTER.
    pub(super) fn on_register_failed(&mut self, cx: &mut Cx<'_>, why: TxnFailure) {
        self.link.asking = false;
        let outcome = self.link.registration.failed(cx.now, why);
        self.on_outcome(cx, outcome);
        self.arm_registration(cx);
    }

    fn on_outcome(&mut self, cx: &mut Cx<'_>, outcome: Outcome) {
        match outcome {
            Outcome::Registered(granted) => {
                self.link.service_route = granted.service_route;
                self.link.challenged_before = self.link.challenged && granted.refreshed;
                self.link.challenged = false;
                if self.link.state == State::Down {
                    self.link.state = State::Up;
                }
                if !std::mem::replace(&mut self.link.told, true) {
                    cx.event(ClientEvent::Registered);
                }
                self.launch_all(cx);
            }
            Outcome::Unregistered => self.gone(cx),
            Outcome::Failed { status, reason, .. } => self.down(cx, status, &reason),
            _ => {}
        }
    }

    fn down(&mut self, cx: &mut Cx<'_>, status: u16, reason: &str) {
        if self.link.state == State::Up {
            self.link.state = State::Down;
        }
        self.link.told = false;
        cx.event(ClientEvent::RegistrationFailed { status, reason: reason.into() });
    }

    /// A MESSAGE went unanswered: finds out at once whether the server still knows us.
    pub(super) fn check_registration(&mut self, cx: &mut Cx<'_>) {
        if !self.link.is_leaving()
            && !self.account.transport.is_reliable()
            && let Some(contact) = self.link.contact_uri(&self.account)
        {
            self.link.registration.register(cx.now, contact);
            self.pump_registration(cx);
        }
    }

    /// The account is to end: what is under way gets a moment, then the binding is removed.
    pub(crate) fn leave(&mut self, cx: &mut Cx<'_>) {
        if self.link.is_leaving() {
            return;
        }
        if self.link.state == State::Up && !self.gate.is_empty() {
            self.link.state = State::Lingering;
            let linger = cx.client_limits().linger;
            self.link.leave_timer = Some(cx.arm(linger, "client.linger", Timer::Leave(cx.user)));
        } else {
            self.remove_binding(cx);
        }
    }

    /// A job ended: a lingering account that has none left goes on.
    pub(super) fn lingered(&mut self, cx: &mut Cx<'_>) {
        if self.link.state == State::Lingering && self.gate.is_empty() {
            self.remove_binding(cx);
        }
    }

    /// Time is up, for what is under way or for the registrar.
    pub(super) fn on_leave_timer(&mut self, cx: &mut Cx<'_>) {
        self.link.leave_timer = None;
        match self.link.state {
            State::Lingering => self.remove_binding(cx),
            State::Removing => self.gone(cx),
            State::Down | State::Up | State::Gone => {}
        }
    }

    fn remove_binding(&mut self, cx: &mut Cx<'_>) {
        self.link.state = State::Removing;
        self.conclude_all(cx);
        if let Some(timer) = self.link.leave_timer.take() {
            cx.timers.cancel(timer);
        }
        if self.link.way.is_none() {
            return self.gone(cx);
        }
        let wait = cx.client_limits().unregister;
        self.link.leave_timer = Some(cx.arm(wait, "client.unregister", Timer::Leave(cx.user)));
        self.link.registration.unregister(cx.now);
        if !self.link.asking && self.link.registration.poll_timeout().is_none() {
            return self.gone(cx);
        }
        self.pump_registration(cx);
    }

    fn gone(&mut self, cx: &mut Cx<'_>) {
        if self.link.is_gone() {
            return;
        }
        self.link.state = State::Gone;
        self.conclude_all(cx);
        for timer in [self.link.timer.take(), self.link.leave_timer.take()].into_iter().flatten() {
            cx.timers.cancel(timer);
        }
        cx.event(ClientEvent::Unregistered);
    }
}

/// Whether a challenge only asks for a fresher nonce.
fn says_stale(message: &Message) -> bool {
    let challenges = message.www_authenticate().chain(message.proxy_authenticate());
    challenges.flatten().any(|challenge| {
        challenge.params.value("stale").is_some_and(|value| value.eq_ignore_ascii_case("true"))
    })
}
