//! Limits, each just below, at and just above.

use super::*;
use crate::endpoint::{Error, Event, Target};
use cpm_base::FlowMachine;

fn numbered(n: usize) -> String {
    request("MESSAGE", &format!("z9hG4bK{n}"))
}

fn config(change: impl FnOnce(&mut Limits)) -> Config {
    let mut config = Config::default();
    change(&mut config.limits);
    config
}

fn assert_overloaded(bench: &mut Bench) {
    let out = bench.drain();
    assert_eq!(out.len(), 1);
    let (_, text) = transmitted(&out[0]).unwrap();
    assert!(text.starts_with("SIP/2.0 503 Service Unavailable\r\n"), "{text}");
    assert!(text.contains("Retry-After: 10\r\n"));
}

// test: RFC3261-21.5.4
#[test]
fn transactions_of_the_endpoint() {
    let mut bench = Bench::udp(config(|limits| limits.transactions = 5));
    for n in 0..5 {
        bench.datagram("192.0.2.2:5060", numbered(n)).unwrap();
        one_request(bench.events());
    }
    assert_eq!(bench.datagram("192.0.2.3:5060", numbered(5)), Err(Error::Limit("transactions")));
    assert_overloaded(&mut bench);
    let refused =
        bench.endpoint.request(bench.now, outgoing(Method::Message), Target::udp(addr("192.0.2.3:1")));
    assert_eq!(refused, Err(Error::Limit("transactions")));
    bench.datagram("192.0.2.2:5060", numbered(0)).unwrap();
    assert!(bench.drain().is_empty(), "what is there goes on");
    assert_eq!(bench.endpoint.stats().server_txns, 5);
    bench.pass(ms(32_000));
    bench.datagram("192.0.2.3:5060", numbered(5)).unwrap();
    one_request(bench.events());
}

/// A CANCEL is taken at the limit too: it makes room.
// test: RFC3261-9.2
#[test]
fn cancel_at_the_limit() {
    let mut bench = Bench::udp(config(|limits| limits.transactions = 1));
    bench.datagram("192.0.2.2:5060", request("INVITE", "z9hG4bK1")).unwrap();
    let (txn, invite) = one_request(bench.events());
    bench.datagram("192.0.2.2:5060", request("CANCEL", "z9hG4bK1")).unwrap();
    let out = bench.drain();
    assert!(transmitted(&out[0]).unwrap().1.starts_with("SIP/2.0 200 OK\r\n"));
    assert!(matches!(out[1], Output::Event(Event::Cancelled { txn: of }) if of == txn));
    assert_eq!(bench.endpoint.stats().server_txns, 1);
    bench.endpoint.respond(bench.now, txn, Head::response_to(&invite, 487, "")).unwrap();
}

#[test]
fn transactions_of_one_untrusted_source() {
    let mut bench = Bench::udp(config(|limits| limits.transactions_per_source = 3));
    for n in 0..3 {
        bench.datagram(&format!("192.0.2.2:{}", 5060 + n), numbered(n)).unwrap();
    }
    bench.drain();
    assert_eq!(bench.datagram("192.0.2.2:9", numbered(3)), Err(Error::Limit("transactions per source")));
    assert_overloaded(&mut bench);
    bench.datagram("192.0.2.3:5060", numbered(4)).unwrap();
    one_request(bench.events());
    let mut trusting = config(|limits| limits.transactions_per_source = 3);
    trusting.trusted.insert(addr("192.0.2.2:1").ip());
    let mut bench = Bench::udp(trusting);
    for n in 0..10 {
        bench.datagram("192.0.2.2:5060", numbered(n)).unwrap();
    }
    assert_eq!(bench.events().len(), 10, "trusted by configuration");
}

/// Above the limit datagrams are dropped and counted, streams wait, commands change nothing (architecture §3).
#[test]
fn waiting_outputs() {
    let mut bench = Bench::tcp(config(|limits| limits.outputs = 4));
    for n in 0..4 {
        assert!(bench.endpoint.wants_read(TCP), "{n}");
        bench.datagram("192.0.2.2:5060", numbered(n)).unwrap();
    }
    assert!(!bench.endpoint.wants_read(TCP));
    assert_eq!(bench.datagram("192.0.2.2:5060", numbered(4)), Err(Error::Limit("outputs")));
    assert_eq!(bench.endpoint.stats().dropped, 1);
    assert_eq!(bench.endpoint.stats().outputs, 4);
    let command =
        bench.endpoint.request(bench.now, outgoing(Method::Message), Target::udp(addr("192.0.2.3:1")));
    assert_eq!(command, Err(Error::Limit("outputs")));
    let late = request_via("MESSAGE", "SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKs", "s");
    bench.stream(late).unwrap();
    assert_eq!(bench.endpoint.stats().outputs, 4, "the bytes wait in the framer");
    assert!(!bench.endpoint.is_quiescent());
    let Some(Output::Event(Event::Request { txn, message, .. })) = bench.endpoint.poll_output() else {
        panic!()
    };
    bench.endpoint.respond(bench.now, txn, Head::response_to(&message, 200, "")).unwrap();
    let Some(Output::Event(Event::Request { txn, message, .. })) = bench.endpoint.poll_output() else {
        panic!()
    };
    bench.endpoint.respond(bench.now, txn, Head::response_to(&message, 200, "")).unwrap();
    let Some(Output::Event(Event::Request { txn, message, .. })) = bench.endpoint.poll_output() else {
        panic!()
    };
    bench.datagram("192.0.2.2:5060", numbered(5)).unwrap();
    let full = bench.endpoint.respond(bench.now, txn, Head::response_to(&message, 200, ""));
    assert_eq!(full, Err(Error::Limit("outputs")), "and the request can be answered later");
    assert_ne!(
        bench.endpoint.poll_timeout().map(|(_, name)| name),
        Some("sip.resume"),
        "no room, no wake-up"
    );
    bench.drain();
    bench.endpoint.respond(bench.now, txn, Head::response_to(&message, 200, "")).unwrap();
    bench.drain();
    assert_eq!(bench.endpoint.poll_timeout().map(|(_, name)| name), Some("sip.resume"));
    bench.endpoint.handle_timeout(bench.now, 8);
    one_request(bench.events());
    assert!(bench.endpoint.wants_read(TCP));
}

/// Every transaction ends by itself, whatever nobody does.
#[test]
fn everything_ends() {
    let mut bench = Bench::tcp(Config::default());
    for (n, method) in ["INVITE", "MESSAGE", "OPTIONS", "CANCEL"].iter().enumerate() {
        bench.datagram("192.0.2.2:5060", request(method, &format!("z9hG4bK{n}"))).unwrap();
        let via = format!("SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKs{n}");
        bench.stream(request_via(method, &via, &format!("s{n}"))).unwrap();
    }
    for method in [Method::Invite, Method::Message] {
        for target in [Target::udp(addr("192.0.2.3:5060")), Target::tcp(addr("192.0.2.3:5060"))] {
            bench.endpoint.request(bench.now, outgoing(method), target).unwrap();
        }
    }
    bench.drain();
    bench.pass(Duration::from_secs(600));
    assert!(bench.endpoint.is_quiescent());
    assert_eq!(bench.endpoint.poll_timeout(), None);
}
