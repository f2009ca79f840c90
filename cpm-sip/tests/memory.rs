//! Bytes held for what a node holds many of. Run with `--nocapture` for the figures.

use allocation_counter::measure;
use cpm_base::{FlowId, FlowInfo, FlowInput, Machine, Now, Transport};
use cpm_sip::auth::Secret;
use cpm_sip::endpoint::{Config, Endpoint, Event, Input, Output};
use cpm_sip::register::{
    Bindings, Decision, RegisterRequest, RegistrarPolicy, Registration, RegistrationConfig,
};
use cpm_sip::{Head, Limits, Message};
use std::io::Write;
use std::time::{Duration, Instant};

const HELD: u64 = 20_000;

fn now() -> Now {
    Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) }
}

fn show(what: &str, bytes: u64) {
    // Straight to the stream: this is a report, not a log.
    let _ = writeln!(std::io::stderr(), "{what}: {bytes} bytes");
}

fn request(n: u64) -> String {
    format!(
        "MESSAGE sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK{n:016x};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@example.test>;tag=a1b2c3d4\r\nTo: <sip:bob@example.test>\r\n\
         Call-ID: {n:032x}\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
    )
}

fn endpoint(now: Now) -> Endpoint {
    let mut config = Config::default();
    config.trusted.insert([192, 0, 2, 2].into());
    let mut endpoint = Endpoint::new(config, [1; 32]);
    let local = ([192, 0, 2, 1], 5060).into();
    let info = FlowInfo { transport: Transport::Udp, local, remote: None, accepted: false, trusted: false };
    let up = FlowInput::Up { flow: FlowId(1), opened: None, info: Box::new(info) };
    endpoint.handle_input(now, Input::Flow(up)).unwrap();
    endpoint.poll_output();
    endpoint
}

/// Answered transactions that wait for retransmissions: what a busy node holds most of, for 32 s each. The kept
/// response is part of the figure.
#[test]
fn server_transaction() {
    let now = now();
    let mut held = None;
    let mut response = 0;
    let info = measure(|| {
        let mut endpoint = endpoint(now);
        for n in 0..HELD {
            let from = ([192, 0, 2, 2], 5060).into();
            let data = request(n).into();
            endpoint
                .handle_input(now, Input::Flow(FlowInput::Datagram { flow: FlowId(1), from, data }))
                .unwrap();
            let Some(Output::Event(Event::Request { txn, message, .. })) = endpoint.poll_output() else {
                panic!("no request")
            };
            let head = Head::response_to(&message, 200, "OK");
            response = head.write().len();
            endpoint.respond(now, txn, head).unwrap();
            endpoint.poll_output();
        }
        held = Some(endpoint);
    });
    assert_eq!(held.map(|endpoint| endpoint.stats().server_txns), Some(usize::try_from(HELD).unwrap()));
    let each = u64::try_from(info.bytes_current).unwrap() / HELD;
    show("completed server transaction with its response", each);
    show("of which response as written by its owner", u64::try_from(response).unwrap());
    assert!(each < 1200, "{each}");
}

/// A binding at the registrar and the client's machine for it (architecture §14: 1 KiB).
#[test]
fn idle_registration() {
    let now = now();
    let text = "REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n\
                From: <sip:alice@example.test>;tag=a\r\nTo: <sip:alice@example.test>\r\n\
                Call-ID: a84b4c76e66710a84b4c76e66710\r\nCSeq: 1 REGISTER\r\n\
                Contact: <sip:alice@192.0.2.2:5060;transport=tcp>;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"\r\n\
                Content-Length: 0\r\n\r\n";
    let mut held = Vec::with_capacity(1000);
    let binding = measure(|| {
        for _ in 0..1000 {
            let message = Message::parse(text.into(), &Limits::default()).unwrap();
            let request = RegisterRequest::of(&message).unwrap();
            let Decision::Update(update) =
                Bindings::new().register(now, &request, &RegistrarPolicy::default())
            else {
                panic!("refused")
            };
            held.push(update.bindings);
        }
    });
    let each = u64::try_from(binding.bytes_current).unwrap() / 1000;
    show("binding at the registrar", each);
    assert!(each < 1024, "{each}");
    let mut clients = Vec::with_capacity(1000);
    let client = measure(|| {
        for _ in 0..1000 {
            let secret = Secret::new("password");
            let config =
                RegistrationConfig::new("sip:alice@example.test", "sip:example.test", "alice", secret);
            let mut registration = Registration::new(config, [1; 32]);
            registration.register(now, "sip:alice@192.0.2.2:5060");
            clients.push(registration);
        }
    });
    let own = u64::try_from(size_of::<Registration>()).unwrap();
    let each = u64::try_from(client.bytes_current).unwrap() / 1000 + own;
    show("client registration", each);
    assert!(each < 2048, "{each}");
}
