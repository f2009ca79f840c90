//! Non-INVITE round trips through pure transaction layers: a request is sent, answered 200, and both transactions
//! end by their timers. Bytes cross between the two sides, so writing and parsing are part of it.

use bytes::Bytes;
use cpm_base::{FlowId, FlowInfo, FlowInput, FlowOutput, Handle, Machine, Now, Transport};
use cpm_sip::endpoint::{Config, Event, Input, Output, ServerTxn, Target};
use cpm_sip::{Endpoint, Head, HeaderId, Message, Method};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Longer than any timer of a transaction (64*T1).
const ALL_TIMERS: Duration = Duration::from_secs(40);

const FLOW: FlowId = FlowId(1);

/// Two of our endpoints over UDP that loses nothing, in virtual time.
pub struct Ours {
    now: Now,
    client: Endpoint,
    server: Endpoint,
    client_addr: SocketAddr,
    server_addr: SocketAddr,
}

impl Default for Ours {
    fn default() -> Self {
        let mut config = Config::default();
        config.limits.transactions = 10_000_000;
        config.limits.transactions_per_source = 10_000_000;
        let now = Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let mut pair = Self {
            now,
            client: Endpoint::new(config.clone(), [1; 32]),
            server: Endpoint::new(config, [2; 32]),
            client_addr: SocketAddr::from(([192, 0, 2, 1], 5060)),
            server_addr: SocketAddr::from(([192, 0, 2, 2], 5060)),
        };
        for (endpoint, local) in [(&mut pair.client, pair.client_addr), (&mut pair.server, pair.server_addr)]
        {
            let info =
                FlowInfo { transport: Transport::Udp, local, remote: None, accepted: false, trusted: false };
            let up = FlowInput::Up { flow: FLOW, opened: None, info: Box::new(info) };
            endpoint.handle_input(now, Input::Flow(up)).expect("a flow");
            while endpoint.poll_output().is_some() {}
        }
        pair
    }
}

impl Ours {
    /// The request every contender sends: 305 bytes or so.
    fn head() -> Head {
        let mut head = Head::request(Method::Message, "sip:bob@example.net").expect("a method");
        head.push(HeaderId::From, "<sip:alice@example.net>;tag=49583").expect("clean");
        head.push(HeaderId::To, "<sip:bob@example.net>").expect("clean");
        head.body("text/plain", Bytes::from_static(b"Hello Bob")).expect("clean");
        head
    }

    /// Sends a request; gives its bytes.
    fn request(&mut self) -> Bytes {
        let target = Target::udp(self.server_addr);
        self.client.request(self.now, Self::head(), target).expect("room for a request");
        sent(&mut self.client).expect("the request")
    }

    /// Takes a request at the server; the transaction stays open.
    fn take(&mut self, data: Bytes) -> (Handle<ServerTxn>, Message) {
        let input = FlowInput::Datagram { flow: FLOW, from: self.client_addr, data };
        self.server.handle_input(self.now, Input::Flow(input)).expect("a good request");
        while let Some(output) = self.server.poll_output() {
            if let Output::Event(Event::Request { txn, message, .. }) = output {
                return (txn, message);
            }
        }
        panic!("no request came up");
    }

    /// Answers 200; gives the bytes.
    fn respond(&mut self, txn: Handle<ServerTxn>, request: &Message) -> Bytes {
        let head = Head::response_to(request, 200, "OK");
        self.server.respond(self.now, txn, head).expect("a live transaction");
        sent(&mut self.server).expect("the response")
    }

    /// Makes `count` round trips and lets all their timers fire.
    pub fn round_trips(&mut self, count: usize) {
        for _ in 0..count {
            let request = self.request();
            let (txn, request) = self.take(request);
            let data = self.respond(txn, &request);
            let input = FlowInput::Datagram { flow: FLOW, from: self.server_addr, data };
            self.client.handle_input(self.now, Input::Flow(input)).expect("a good response");
            let mut answered = false;
            while let Some(output) = self.client.poll_output() {
                answered |= matches!(output, Output::Event(Event::Response { .. }));
            }
            assert!(answered);
        }
        self.settle();
    }

    /// Lets `count` server transactions stand: answered ones wait for timer J, others for an answer.
    pub fn hold(&mut self, count: usize, answered: bool) {
        for _ in 0..count {
            let request = self.request();
            let (txn, request) = self.take(request);
            if answered {
                self.respond(txn, &request);
            }
        }
    }

    /// Ends the client side's transactions, so that only the server's are left.
    pub fn forget_client(&mut self) {
        self.client = Self::default().client;
    }

    /// Server transactions now.
    pub fn held(&self) -> usize {
        self.server.stats().server_txns
    }

    /// Lets all timers fire; nothing may be left.
    pub fn settle(&mut self) {
        self.now = self.now.after(ALL_TIMERS);
        for endpoint in [&mut self.client, &mut self.server] {
            while endpoint.handle_timeout(self.now, 256) {}
            while endpoint.poll_output().is_some() {}
            assert!(endpoint.is_quiescent());
        }
    }
}

fn sent(endpoint: &mut Endpoint) -> Option<Bytes> {
    let mut data = None;
    while let Some(output) = endpoint.poll_output() {
        if let Output::Flow(FlowOutput::Transmit { data: sent, .. }) = output {
            data = Some(sent);
        }
    }
    data
}

/// The same with sipx-sip. Its driver keeps the timers, here in a plain list that fires cleared ones too: cheaper
/// than any driver in use could be.
pub mod sipx {
    use bytes::Bytes;
    use sipx_sip::transaction::{
        Dispatch, Output, Reliability, Timer, Timers, TransactionKey, TransactionLayer, TuEvent,
    };
    use sipx_sip::{HeaderName, Limits, Message, Request, Response, StatusCode, parse_datagram};

    /// Two transaction layers.
    pub struct Peers {
        client: TransactionLayer,
        server: TransactionLayer,
        client_timers: Vec<(TransactionKey, Timer)>,
        server_timers: Vec<(TransactionKey, Timer)>,
        limits: Limits,
        count: u64,
    }

    impl Default for Peers {
        fn default() -> Self {
            let timers = Timers::default();
            Self {
                client: TransactionLayer::new(timers),
                server: TransactionLayer::new(timers),
                client_timers: Vec::new(),
                server_timers: Vec::new(),
                limits: Limits::datagram(),
                count: 0,
            }
        }
    }

    impl Peers {
        fn request(&mut self) -> Bytes {
            self.count += 1;
            let n = self.count;
            let text = format!(
                "MESSAGE sip:bob@example.net SIP/2.0\r\n\
                 Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{n:020};rport\r\n\
                 Max-Forwards: 70\r\n\
                 From: <sip:alice@example.net>;tag=49583\r\n\
                 To: <sip:bob@example.net>\r\n\
                 Call-ID: {n:020}\r\n\
                 CSeq: 1 MESSAGE\r\n\
                 Content-Type: text/plain\r\n\
                 Content-Length: 9\r\n\
                 \r\n\
                 Hello Bob"
            );
            let Ok(Message::Request(request)) = parse_datagram(text.into(), &self.limits) else {
                panic!("a good request")
            };
            let (key, outputs) = self.client.send_request(request, Reliability::Unreliable).expect("a key");
            let (sent, _) = follow(outputs, &key, &mut self.client_timers);
            sent.expect("the request")
        }

        fn take(&mut self, data: Bytes) -> (TransactionKey, Request) {
            let message = parse_datagram(data, &self.limits).expect("a good request");
            let Dispatch::Created { key, outputs } = self.server.receive(message, Reliability::Unreliable)
            else {
                panic!("a new transaction")
            };
            let (_, event) = follow(outputs, &key, &mut self.server_timers);
            let Some(TuEvent::Request(request)) = event else { panic!("a request for the user") };
            (key, *request)
        }

        fn respond(&mut self, key: &TransactionKey, request: &Request) -> Bytes {
            let mut response = Response::new(StatusCode::new(200).expect("200"), "OK");
            for header in request.headers.iter() {
                let copied = [HeaderName::Via, HeaderName::From, HeaderName::To];
                if copied.contains(header.name())
                    || [HeaderName::CallId, HeaderName::CSeq].contains(header.name())
                {
                    response.headers.push(header.clone());
                }
            }
            let outputs = self.server.send_response(key, response);
            follow(outputs, key, &mut self.server_timers).0.expect("the response")
        }

        /// Makes `count` round trips and lets all their timers fire.
        pub fn round_trips(&mut self, count: usize) {
            for _ in 0..count {
                let request = self.request();
                let (key, request) = self.take(request);
                let data = self.respond(&key, &request);
                let message = parse_datagram(data, &self.limits).expect("a good response");
                let Dispatch::Matched { key, outputs } =
                    self.client.receive(message, Reliability::Unreliable)
                else {
                    panic!("a known transaction")
                };
                let (_, event) = follow(outputs, &key, &mut self.client_timers);
                assert!(matches!(event, Some(TuEvent::Response(_))));
            }
            for (key, timer) in std::mem::take(&mut self.client_timers) {
                self.client.on_timer(&key, timer);
            }
            for (key, timer) in std::mem::take(&mut self.server_timers) {
                self.server.on_timer(&key, timer);
            }
            self.client_timers.clear();
            assert!(self.client.is_empty() && self.server.is_empty());
        }

        /// Lets `count` server transactions stand.
        pub fn hold(&mut self, count: usize, answered: bool) {
            for _ in 0..count {
                let request = self.request();
                let (key, request) = self.take(request);
                if answered {
                    self.respond(&key, &request);
                }
            }
        }

        /// Drops the client's side and the list of timers, so that only the server's transactions are left.
        pub fn forget_client(&mut self) {
            self.client = TransactionLayer::new(Timers::default());
            self.client_timers = Vec::new();
            self.server_timers = Vec::new();
        }

        /// Server transactions now.
        pub fn held(&self) -> usize {
            self.server.len().1
        }
    }

    /// Carries out outputs: the bytes sent and the event, if any.
    fn follow(
        outputs: Vec<Output>,
        key: &TransactionKey,
        timers: &mut Vec<(TransactionKey, Timer)>,
    ) -> (Option<Bytes>, Option<TuEvent>) {
        let (mut sent, mut event) = (None, None);
        for output in outputs {
            match output {
                Output::Send(message) => sent = Some(message.to_bytes()),
                Output::SetTimer { timer, .. } => timers.push((key.clone(), timer)),
                Output::ToTu(up) => event = Some(*up),
                _ => {}
            }
        }
        (sent, event)
    }
}
