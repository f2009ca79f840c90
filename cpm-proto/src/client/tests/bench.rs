//! One account against a scripted server, in virtual time: what the account puts on the wire is looked at, what
//! the server says is handed in, and the clock jumps from deadline to deadline.

use crate::client::{ClientApi, Outgoing, User};
use crate::{Account, ClientEvent, Config, Error, Event, Input, Limits, Node, Output, Secret};
use bytes::Bytes;
use cpm_base::{FlowDown, FlowId, FlowInfo, FlowInput, FlowOutput, Handle, Machine, Now, Token, Transport};
use cpm_sip::{HeaderId, Message};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(super) const SERVER: &str = "192.0.2.1:5060";
pub(super) const LOCAL: &str = "192.0.2.100:40000";
pub(super) const INSTANCE: &str = "urn:uuid:00000000-0000-4000-8000-0000000000a1";
pub(super) const ALICE: &str = "sip:alice@example.test";
pub(super) const BOB: &str = "sip:bob@example.test";
const FLOW: FlowId = FlowId(1);

pub(super) struct Bench {
    pub(super) now: Now,
    start: Instant,
    node: Node,
    pub(super) limits: Limits,
    pub(super) user: Handle<User>,
    transport: Transport,
    flow: FlowId,
    wire: VecDeque<Message>,
    pub(super) opens: VecDeque<Token>,
    events: VecDeque<ClientEvent>,
    branch: u32,
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl Bench {
    /// An account over UDP that has not yet registered; its socket is up.
    pub(super) fn udp() -> Self {
        let mut bench = Self::new(Transport::Udp, Limits::default());
        bench.up(FLOW, None);
        bench
    }

    /// An account with these limits over UDP, registered.
    pub(super) fn registered_with(limits: Limits) -> Self {
        let mut bench = Self::new(Transport::Udp, limits);
        bench.up(FLOW, None);
        bench.complete_registration();
        bench
    }

    /// An account over UDP, registered.
    pub(super) fn registered() -> Self {
        Self::registered_with(Limits::default())
    }

    /// An account over TCP whose connection is not open yet.
    pub(super) fn tcp() -> Self {
        Self::new(Transport::Tcp, Limits::default())
    }

    fn new(transport: Transport, limits: Limits) -> Self {
        let start = Instant::now();
        let now = Now { mono: start, unix: Duration::from_secs(1_795_615_200) };
        let config = Config { limits: limits.clone(), ..Config::default() };
        let mut node = Node::new(config, [1; 32]);
        let account = Account::new(ALICE, Secret::new("secret"), address(SERVER), transport, INSTANCE);
        let user = node.add_account(now, account).unwrap();
        let mut bench = Self {
            now,
            start,
            node,
            limits,
            user,
            transport,
            flow: FLOW,
            wire: VecDeque::new(),
            opens: VecDeque::new(),
            events: VecDeque::new(),
            branch: 0,
        };
        bench.drain();
        bench
    }

    /// A flow comes up, by itself or as the answer to an attempt.
    pub(super) fn up(&mut self, flow: FlowId, opened: Option<Token>) {
        self.flow = flow;
        let info = FlowInfo {
            transport: self.transport,
            local: address(LOCAL),
            remote: self.transport.is_reliable().then(|| address(SERVER)),
            accepted: false,
            trusted: false,
        };
        self.input(FlowInput::Up { flow, opened, info: Box::new(info) });
    }

    pub(super) fn down(&mut self, reason: FlowDown) {
        self.input(FlowInput::Down { flow: self.flow, reason });
    }

    pub(super) fn open_failed(&mut self, reason: FlowDown) {
        let token = self.opens.pop_front().expect("a connection attempt");
        self.input(FlowInput::OpenFailed { token, reason });
    }

    fn input(&mut self, input: FlowInput) {
        // What is wrong with an input shows on the wire.
        let _ = self.node.handle_input(self.now, Input::Flow(input));
        self.drain();
    }

    /// What the server puts on the wire.
    pub(super) fn receive(&mut self, text: impl Into<Bytes>) {
        self.receive_from(SERVER, text);
    }

    pub(super) fn receive_from(&mut self, from: &str, text: impl Into<Bytes>) {
        let data = text.into();
        let input = match self.transport {
            Transport::Udp => FlowInput::Datagram { flow: self.flow, from: address(from), data },
            _ => FlowInput::Stream { flow: self.flow, data },
        };
        self.input(input);
    }

    fn command<T>(&mut self, run: impl FnOnce(ClientApi<'_>, Now) -> T) -> T {
        let result = run(self.node.client(self.user), self.now);
        self.drain();
        result
    }

    pub(super) fn send(&mut self, outgoing: Outgoing) -> Result<String, Error> {
        self.command(|mut api, now| api.send(now, outgoing))
    }

    pub(super) fn read(&mut self, message_id: &str) -> Result<(), Error> {
        self.command(|mut api, now| api.read(now, message_id))
    }

    pub(super) fn leave(&mut self) {
        self.command(|mut api, now| api.unregister(now)).unwrap();
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Flow(FlowOutput::Transmit { data, .. }) => self.transmitted(data),
                Output::Flow(FlowOutput::Open { token, .. }) => self.opens.push_back(token),
                Output::Event(Event::Client { user, event }) => {
                    assert_eq!(user, self.user);
                    self.events.push_back(event);
                }
                _ => {}
            }
        }
    }

    fn transmitted(&mut self, data: Bytes) {
        if data.as_ref() == b"\r\n\r\n" {
            return;
        }
        let message = Message::parse(data, &cpm_sip::Limits::default()).expect("what is sent can be read");
        if message.is_request() {
            assert_eq!(cpm_sip::validate(&message, &cpm_sip::Limits::default()), Ok(()));
        }
        self.wire.push_back(message);
    }

    /// Lets time pass, from deadline to deadline.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        let mut steps = 0;
        while let Some((at, name)) = self.node.poll_timeout().filter(|(at, _)| *at <= end) {
            steps += 1;
            assert!(steps < 100_000, "the timer {name} does not rest");
            self.set(at);
            self.node.handle_timeout(self.now, 1_000);
            self.drain();
        }
        self.set(end);
    }

    fn set(&mut self, at: Instant) {
        let by = at.saturating_duration_since(self.now.mono);
        self.now = self.now.after(by);
    }

    /// Seconds since the beginning, rounded down.
    pub(super) fn elapsed(&self) -> u64 {
        self.now.mono.saturating_duration_since(self.start).as_secs()
    }

    /// The next message on the wire.
    pub(super) fn sent(&mut self) -> Message {
        self.wire.pop_front().expect("something on the wire")
    }

    /// The next message on the wire, if there is one.
    pub(super) fn sent_or_none(&mut self) -> Option<Message> {
        self.wire.pop_front()
    }

    /// The next request on the wire, which must have this method.
    pub(super) fn request(&mut self, method: &str) -> Message {
        let message = self.sent();
        assert_eq!(message.method().map(|found| found.as_str().to_owned()).as_deref(), Some(method));
        message
    }

    /// The next request on the wire within `time`; copies of earlier ones are passed over, REGISTERs are answered.
    pub(super) fn request_within(&mut self, method: &str, time: Duration, known: &[Message]) -> Message {
        let end = self.now.mono + time;
        loop {
            while let Some(message) = self.wire.pop_front() {
                let copy = known.iter().any(|known| known.raw() == message.raw());
                let found = message.method().map(|found| found.as_str().to_owned()).unwrap_or_default();
                if !copy && found == method {
                    return message;
                }
                if found == "REGISTER" {
                    self.answer(&message, "200 OK", "Expires: 3600\r\n");
                }
            }
            assert!(self.now.mono < end, "no {method} within {time:?}");
            self.pass(Duration::from_millis(100));
        }
    }

    /// The next response on the wire, which must have this status.
    pub(super) fn response(&mut self, status: u16) -> Message {
        let message = self.sent();
        assert_eq!(message.status(), Some(status), "{:?}", message.raw());
        message
    }

    pub(super) fn nothing_sent(&self) {
        assert!(self.wire.is_empty(), "{:?}", self.wire.front().map(Message::raw));
    }

    /// Forgets what is on the wire.
    pub(super) fn skip_wire(&mut self) {
        self.wire.clear();
    }

    pub(super) fn event_or_none(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    pub(super) fn next_event(&mut self) -> ClientEvent {
        self.events.pop_front().expect("an event")
    }

    /// Status and reason of the next failure of a message; what befalls the registration is passed over.
    pub(super) fn failure(&mut self) -> (u16, String) {
        loop {
            match self.next_event() {
                ClientEvent::Failed { status, reason, .. } => return (status, reason),
                ClientEvent::Registered | ClientEvent::RegistrationFailed { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(super) fn no_event(&self) {
        assert!(self.events.is_empty(), "{:?}", self.events.front());
    }

    pub(super) fn is_quiescent(&self) -> bool {
        self.node.is_quiescent()
    }

    /// Nothing of the account is left, and nothing at all once the last transactions have ended.
    pub(super) fn assert_empty(&mut self) {
        assert_eq!(self.node.stats().accounts, 0);
        self.pass(secs(40));
        assert!(self.node.is_quiescent());
        assert_eq!(self.node.poll_timeout(), None);
        self.no_event();
    }

    /// Answers a request: status line, the fields every response copies, `more` fields, no body.
    pub(super) fn answer(&mut self, request: &Message, status: &str, more: &str) {
        let text = response(request, status, more);
        self.receive(text);
    }

    /// Plays the registration with a challenge to its end and takes the event.
    pub(super) fn complete_registration(&mut self) {
        let first = self.request("REGISTER");
        self.answer(&first, "401 Unauthorized", CHALLENGE_401);
        let second = self.request("REGISTER");
        let contact = second.header(HeaderId::Contact).unwrap().to_owned();
        self.answer(&second, "200 OK", &format!("Contact: {contact};expires=3600\r\n"));
        assert_eq!(self.next_event(), ClientEvent::Registered);
        self.nothing_sent();
    }

    /// A MESSAGE of the server for this account.
    pub(super) fn incoming(&mut self, fields: &str, body: &str) {
        let text = self.message(fields, body);
        self.receive(text);
    }

    /// The text of a MESSAGE for this account with a new branch and Call-ID.
    pub(super) fn message(&mut self, fields: &str, body: &str) -> String {
        self.branch += 1;
        let at = self.branch;
        format!(
            "MESSAGE {ALICE} SIP/2.0\r\nVia: SIP/2.0/{} {SERVER};branch=z9hG4bKscript{at}\r\nMax-Forwards: 70\r\n\
             Call-ID: script{at}\r\nCSeq: 1 MESSAGE\r\n{fields}Content-Length: {}\r\n\r\n{body}",
            if self.transport == Transport::Udp { "UDP" } else { "TCP" },
            body.len()
        )
    }
}

pub(super) const CHALLENGE_401: &str =
    "WWW-Authenticate: Digest realm=\"example.test\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"\r\n";

pub(super) const CHALLENGE_407: &str =
    "Proxy-Authenticate: Digest realm=\"example.test\", nonce=\"p1\", algorithm=MD5, qop=\"auth\"\r\n";

/// A response with the fields that every response copies (RFC 3261 §8.2.6.2).
pub(super) fn response(request: &Message, status: &str, more: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for (name, id) in [
        ("Via", HeaderId::Via),
        ("From", HeaderId::From),
        ("To", HeaderId::To),
        ("Call-ID", HeaderId::CallId),
        ("CSeq", HeaderId::CSeq),
    ] {
        for value in request.headers(id) {
            let tag = if name == "To" && !value.contains("tag=") { ";tag=server" } else { "" };
            text.push_str(&format!("{name}: {value}{tag}\r\n"));
        }
    }
    text.push_str(more);
    text.push_str("Content-Length: 0\r\n\r\n");
    text
}
