//! A node, a store and scripted Devices in virtual time. Requests are written here as text, so that nothing of
//! the code under test decides what it is asked.

use crate::effect::Effect;
use crate::store::engine::{StoreAnswer, StoreEngine, StoreError};
use crate::store::mem::MemStore;
use crate::{Config, Event, Input, Node, Output, Secret, ServerConfig, UserSecret};
use bytes::Bytes;
use cpm_base::{FlowDown, FlowId, FlowInfo, FlowInput, FlowOutput, Machine, Now, Rng, Token, Transport};
use cpm_sip::auth::{Authenticator, Authorization};
use cpm_sip::{HeaderId, Limits, Message, Method};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(super) const UDP: FlowId = FlowId(1);
pub(super) const MSG: &str = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg";

/// One packet the node has sent.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) flow: FlowId,
    pub(super) to: Option<SocketAddr>,
    pub(super) message: Message,
}

pub(super) struct World {
    pub(super) node: Node,
    pub(super) config: Config,
    pub(super) store: MemStore,
    pub(super) now: Now,
    /// Store answers are held back until `release`.
    pub(super) hold: bool,
    pub(super) held: VecDeque<(Token, Result<Vec<StoreAnswer>, StoreError>)>,
    /// Requests of the node nobody has taken yet.
    pub(super) requests: Vec<Packet>,
    /// Responses of the node nobody has taken yet.
    pub(super) responses: Vec<Packet>,
    pub(super) events: Vec<Event>,
    pub(super) rng: Rng,
    serial: u32,
    next_flow: u64,
}

pub(super) fn config() -> Config {
    let user = |address: &str| UserSecret { address: address.into(), password: Secret::new("secret") };
    Config {
        server: Some(ServerConfig {
            domains: vec!["example.test".into()],
            users: ["alice", "bob", "carol"].map(|name| user(&format!("sip:{name}@example.test"))).into(),
            ..ServerConfig::default()
        }),
        ..Config::default()
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(config())
    }

    pub(super) fn with(config: Config) -> Self {
        let now = Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let mut world = Self {
            node: Node::new(config.clone(), [1; 32]),
            config,
            store: MemStore::new(),
            now,
            hold: false,
            held: VecDeque::new(),
            requests: Vec::new(),
            responses: Vec::new(),
            events: Vec::new(),
            rng: Rng::new([9; 32]),
            serial: 0,
            next_flow: 100,
        };
        world.boot();
        world
    }

    fn boot(&mut self) {
        self.flow_up(UDP, Transport::Udp, None, false);
        self.node.start(self.now);
        self.drain();
    }

    /// The process dies and starts again; what was not synced is lost.
    pub(super) fn crash(&mut self) {
        self.crash_with(|_| {});
    }

    /// The same, with something done to the store before it is read.
    pub(super) fn crash_with(&mut self, change: impl FnOnce(&mut MemStore)) {
        self.store.crash();
        change(&mut self.store);
        self.held.clear();
        self.requests.clear();
        self.responses.clear();
        self.events.clear();
        self.hold = false;
        self.node = Node::new(self.config.clone(), [2; 32]);
        self.boot();
    }

    pub(super) fn flow_up(
        &mut self,
        flow: FlowId,
        transport: Transport,
        remote: Option<SocketAddr>,
        trusted: bool,
    ) {
        let local = "192.0.2.1:5060".parse().unwrap();
        let info = FlowInfo { transport, local, remote, accepted: remote.is_some(), trusted };
        self.input(FlowInput::Up { flow, opened: None, info: Box::new(info) });
    }

    pub(super) fn new_stream(&mut self, remote: SocketAddr, trusted: bool) -> FlowId {
        self.next_flow += 1;
        let flow = FlowId(self.next_flow);
        self.flow_up(flow, Transport::Tcp, Some(remote), trusted);
        flow
    }

    pub(super) fn flow_down(&mut self, flow: FlowId) {
        self.input(FlowInput::Down { flow, reason: FlowDown::Reset });
    }

    pub(super) fn input(&mut self, input: FlowInput) {
        let _ = self.node.handle_input(self.now, Input::Flow(input));
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Effect(Effect::Store { token, durability, batch, .. }) => {
                    let mut result = self.store.apply(self.now, &batch);
                    if let (Ok(_), Err(error)) = (&result, self.store.sync(durability)) {
                        result = Err(error);
                    }
                    self.held.push_back((token, result));
                    if !self.hold {
                        self.release();
                    }
                }
                Output::Flow(FlowOutput::Transmit { flow, to, data }) => {
                    let message = Message::parse(data, &Limits::default()).expect("the node sends valid SIP");
                    let packet = Packet { flow, to, message };
                    if packet.message.is_request() {
                        self.requests.push(packet);
                    } else if packet.message.status() != Some(100) {
                        self.responses.push(packet);
                    }
                }
                Output::Flow(_) => {}
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    /// Gives the node the oldest store answer that is held back.
    pub(super) fn release_one(&mut self) -> bool {
        let Some((token, result)) = self.held.pop_front() else { return false };
        let _ = self.node.handle_input(self.now, Input::Stored { token, result });
        true
    }

    pub(super) fn release(&mut self) {
        while self.release_one() {}
        self.drain();
    }

    /// Lets time pass, timer by timer.
    pub(super) fn advance(&mut self, by: Duration) {
        let end = self.now.mono + by;
        while let Some((at, _)) = self.node.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.after(at.saturating_duration_since(self.now.mono));
            self.node.handle_timeout(self.now, 100);
            self.drain();
        }
        self.now = self.now.after(end.saturating_duration_since(self.now.mono));
        self.node.handle_timeout(self.now, 100);
        self.drain();
    }

    pub(super) fn serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn started(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Started))
    }

    pub(super) fn stats(&self) -> crate::Stats {
        self.node.stats()
    }
}

/// A scripted Device.
pub(super) struct Device {
    pub(super) user: &'static str,
    pub(super) addr: SocketAddr,
    pub(super) flow: FlowId,
    pub(super) transport: Transport,
    pub(super) instance: Option<String>,
    /// Feature parameters of its Contact.
    pub(super) tags: String,
    /// Registers this address instead of its own.
    pub(super) to: Option<String>,
    /// The last MESSAGE it sent.
    pub(super) last: String,
    call_id: String,
    cseq: u32,
    auth: Authenticator,
}

impl Device {
    pub(super) fn udp(user: &'static str, port: u16) -> Self {
        let instance = format!("urn:uuid:00000000-0000-4000-8000-{port:012}");
        Self {
            user,
            addr: SocketAddr::new("198.51.100.7".parse().unwrap(), port),
            flow: UDP,
            transport: Transport::Udp,
            instance: Some(instance),
            tags: format!(";+g.3gpp.icsi-ref=\"{MSG}\""),
            to: None,
            last: String::new(),
            call_id: format!("reg-{user}-{port}"),
            cseq: 0,
            auth: Authenticator::new(user, Secret::new("secret"), None),
        }
    }

    pub(super) fn tcp(world: &mut World, user: &'static str, port: u16) -> Self {
        let mut device = Self::udp(user, port);
        device.transport = Transport::Tcp;
        device.flow = world.new_stream(device.addr, false);
        device
    }

    /// A client that knows nothing of CPM.
    pub(super) fn plain(user: &'static str, port: u16) -> Self {
        Self { tags: String::new(), instance: None, ..Self::udp(user, port) }
    }

    pub(super) fn password(&mut self, password: &str) {
        self.auth = Authenticator::new(self.user, Secret::new(password), None);
    }

    /// The same Device after it was started again.
    pub(super) fn restarted(&mut self) {
        self.call_id.push('x');
        self.auth = Authenticator::new(self.user, Secret::new("secret"), None);
    }

    pub(super) fn contact(&self) -> String {
        format!("sip:{}@{};transport={}", self.user, self.addr, if self.is_tcp() { "tcp" } else { "udp" })
    }

    fn is_tcp(&self) -> bool {
        self.transport == Transport::Tcp
    }

    pub(super) fn send(&self, world: &mut World, text: String) {
        let data = Bytes::from(text);
        world.input(match self.is_tcp() {
            true => FlowInput::Stream { flow: self.flow, data },
            false => FlowInput::Datagram { flow: self.flow, from: self.addr, data },
        });
    }

    /// The requests the node has sent to this Device since last asked.
    pub(super) fn take(&self, world: &mut World) -> Vec<Message> {
        let mine = |packet: &Packet| match self.is_tcp() {
            true => packet.flow == self.flow,
            false => packet.to == Some(self.addr),
        };
        let (own, others) = world.requests.drain(..).partition(mine);
        world.requests = others;
        let own: Vec<Packet> = own;
        own.into_iter().map(|packet| packet.message).collect()
    }

    /// The one MESSAGE the node has sent to this Device.
    pub(super) fn one(&self, world: &mut World) -> Message {
        let mut all = self.take(world);
        assert_eq!(all.len(), 1, "one request for {}", self.addr);
        assert_eq!(all[0].method(), Some(Method::Message));
        all.remove(0)
    }

    pub(super) fn none(&self, world: &mut World) {
        assert_eq!(self.take(world).len(), 0, "no request for {}", self.addr);
    }

    pub(super) fn answer(&self, world: &mut World, request: &Message, status: u16) {
        let field = |id: HeaderId| request.header(id).unwrap();
        let vias: Vec<String> = request.headers(HeaderId::Via).map(|via| format!("Via: {via}\r\n")).collect();
        let text = format!(
            "SIP/2.0 {status} Reason\r\n{}From: {}\r\nTo: {};tag=dev\r\nCall-ID: {}\r\nCSeq: {}\r\nContent-Length: 0\r\n\r\n",
            vias.concat(),
            field(HeaderId::From),
            field(HeaderId::To),
            field(HeaderId::CallId),
            field(HeaderId::CSeq),
        );
        self.send(world, text);
    }

    /// Takes the one MESSAGE there is and answers it.
    pub(super) fn accept(&self, world: &mut World) -> Message {
        let request = self.one(world);
        self.answer(world, &request, 200);
        request
    }

    fn via(&self, world: &mut World) -> String {
        let branch = world.serial();
        let transport = if self.is_tcp() { "TCP" } else { "UDP" };
        format!("Via: SIP/2.0/{transport} {};rport;branch=z9hG4bKtest{branch}\r\n", self.addr)
    }

    fn authorization(&mut self, method: &str, uri: &str, body: &[u8]) -> String {
        let mut out = String::new();
        for Authorization { role, value } in self.auth.authorize(method, uri, body) {
            let name = match role {
                cpm_sip::auth::Role::Server => "Authorization",
                cpm_sip::auth::Role::Proxy => "Proxy-Authorization",
            };
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        out
    }

    fn take_challenge(&mut self, world: &mut World, response: &Message) -> bool {
        let role = match response.status() {
            Some(401) => cpm_sip::auth::Role::Server,
            Some(407) => cpm_sip::auth::Role::Proxy,
            _ => return false,
        };
        let all: Vec<_> = match role {
            cpm_sip::auth::Role::Server => response.www_authenticate().map(Result::unwrap).collect(),
            cpm_sip::auth::Role::Proxy => response.proxy_authenticate().map(Result::unwrap).collect(),
        };
        self.auth.challenged(&mut world.rng, role, all.into_iter()).is_ok()
    }

    /// The last response the node has sent to this Device.
    pub(super) fn response(&self, world: &mut World) -> Option<Message> {
        let mine = |packet: &Packet| match self.is_tcp() {
            true => packet.flow == self.flow,
            false => packet.to == Some(self.addr),
        };
        let (own, others): (Vec<_>, Vec<_>) = world.responses.drain(..).partition(mine);
        world.responses = others;
        own.into_iter().next_back().map(|packet| packet.message)
    }

    /// Sends one REGISTER with these Contact and Expires lines; gives the answer that came at once.
    pub(super) fn send_register(&mut self, world: &mut World, lines: &str) -> Option<Message> {
        self.cseq += 1;
        let uri = "sip:example.test";
        let auth = self.authorization("REGISTER", uri, b"");
        let own = format!("sip:{}@example.test", self.user);
        let text = format!(
            "REGISTER {uri} SIP/2.0\r\n{}Max-Forwards: 70\r\nFrom: <{own}>;tag=r\r\nTo: <{}>\r\nCall-ID: {}\r\nCSeq: {} REGISTER\r\n{auth}{lines}Content-Length: 0\r\n\r\n",
            self.via(world),
            self.to.as_ref().unwrap_or(&own),
            self.call_id,
            self.cseq,
        );
        self.send(world, text);
        let response = self.response(world)?;
        self.take_challenge(world, &response);
        Some(response)
    }

    /// Sends a REGISTER with these Contact and Expires lines, answering one challenge.
    pub(super) fn register_with(&mut self, world: &mut World, lines: &str) -> Message {
        for _ in 0..2 {
            let response = self.send_register(world, lines).expect("an answer");
            if response.status() != Some(401) {
                self.auth.passed();
                return response;
            }
        }
        panic!("challenged twice");
    }

    pub(super) fn contact_line(&self) -> String {
        let instance =
            self.instance.as_ref().map(|urn| format!(";+sip.instance=\"<{urn}>\"")).unwrap_or_default();
        format!("Contact: <{}>{instance}{}\r\n", self.contact(), self.tags)
    }

    pub(super) fn register(&mut self, world: &mut World) {
        let lines = format!("{}Expires: 3600\r\n", self.contact_line());
        assert_eq!(self.register_with(world, &lines).status(), Some(200));
    }

    pub(super) fn unregister(&mut self, world: &mut World) {
        let lines = format!("{}Expires: 0\r\n", self.contact_line());
        assert_eq!(self.register_with(world, &lines).status(), Some(200));
    }

    /// Sends a MESSAGE and gives the answer that came at once, if any. One challenge is answered.
    pub(super) fn message(&mut self, world: &mut World, draft: &Draft) -> Option<Message> {
        for _ in 0..2 {
            let via = self.via(world);
            let auth = match draft.credentials {
                true => self.authorization("MESSAGE", &draft.to, draft.body.as_ref()),
                false => String::new(),
            };
            let from = draft.from.clone().unwrap_or_else(|| format!("<sip:{}@example.test>", self.user));
            let text = format!(
                "MESSAGE {to} SIP/2.0\r\n{via}Max-Forwards: {hops}\r\nFrom: {from};tag=f{n}\r\nTo: <{to}>\r\nCall-ID: call-{n}\r\nCSeq: 1 MESSAGE\r\n{auth}{headers}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n",
                to = draft.to,
                hops = draft.hops,
                n = world.serial(),
                headers = draft.headers,
                kind = draft.kind,
                length = draft.body.len(),
            );
            let mut data = text.into_bytes();
            data.extend_from_slice(&draft.body);
            self.last = String::from_utf8_lossy(&data).into_owned();
            let data = Bytes::from(data);
            world.input(match self.is_tcp() {
                true => FlowInput::Stream { flow: self.flow, data },
                false => FlowInput::Datagram { flow: self.flow, from: self.addr, data },
            });
            let response = self.response(world)?;
            if !draft.credentials || !self.take_challenge(world, &response) {
                self.auth.passed();
                return Some(response);
            }
        }
        panic!("challenged twice");
    }

    /// Sends a MESSAGE that is answered at once; gives the status.
    pub(super) fn status(&mut self, world: &mut World, draft: &Draft) -> u16 {
        self.message(world, draft).expect("an answer").status().unwrap()
    }
}

/// A MESSAGE to send.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) to: String,
    pub(super) from: Option<String>,
    pub(super) headers: String,
    pub(super) kind: String,
    pub(super) body: Vec<u8>,
    pub(super) hops: u8,
    pub(super) credentials: bool,
}

pub(super) fn cpim(id: &str, want: &str, payload: &str) -> Vec<u8> {
    let want = match want {
        "" => String::new(),
        want => format!("imdn.Disposition-Notification: {want}\r\n"),
    };
    format!(
        "From: <sip:anonymous@anonymous.invalid>\r\nTo: <sip:anonymous@anonymous.invalid>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: {id}\r\nDateTime: 2020-09-07T10:00:00Z\r\n{want}\r\n{payload}"
    )
    .into_bytes()
}

/// A CPM message with this Message-ID.
pub(super) fn text(to: &str, id: &str) -> Draft {
    wanting(to, id, "positive-delivery, negative-delivery, display")
}

pub(super) fn wanting(to: &str, id: &str, want: &str) -> Draft {
    Draft {
        to: format!("sip:{to}@example.test"),
        from: None,
        headers: format!(
            "Accept-Contact: *;+g.3gpp.icsi-ref=\"{MSG}\";require;explicit\r\nP-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg\r\nConversation-ID: 7c9e6679-7425-40de-944b-e07fc1f90ae7\r\nContribution-ID: 4b6f0c42-2f5e-4f0d-9ed6-{:012}\r\n",
            id.len()
        ),
        kind: "message/cpim".into(),
        body: cpim(id, want, "Content-Type: text/plain;charset=UTF-8\r\n\r\nhello"),
        hops: 70,
        credentials: true,
    }
}

/// A notification about message `about`.
pub(super) fn report(to: &str, id: &str, about: &str, kind: &str, status: &str) -> Draft {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><imdn xmlns=\"urn:ietf:params:xml:ns:imdn\"><message-id>{about}</message-id><datetime>2020-09-07T10:00:00Z</datetime><{kind}-notification><status><{status}/></status></{kind}-notification></imdn>"
    );
    let payload = format!("Content-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n{xml}");
    Draft { body: cpim(id, "", &payload), ..wanting(to, id, "") }
}

pub(super) fn delivered(to: &str, id: &str, about: &str) -> Draft {
    report(to, id, about, "delivery", "delivered")
}

pub(super) fn displayed(to: &str, id: &str, about: &str) -> Draft {
    report(to, id, about, "display", "displayed")
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
