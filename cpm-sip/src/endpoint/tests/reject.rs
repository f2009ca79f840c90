//! What is no valid request: answered once, statelessly, and in proportion (threats 3.6).

use super::*;
use crate::endpoint::{Error, Event};

fn malformed(bench: &mut Bench, text: &str) -> Vec<(Option<SocketAddr>, String)> {
    let refused = bench.datagram("192.0.2.2:5060", text.to_owned());
    assert!(matches!(refused, Err(Error::Peer { .. })), "{refused:?}: {text}");
    assert!(bench.endpoint.is_quiescent(), "nothing is kept");
    bench.drain().iter().filter_map(transmitted).collect()
}

// test: RFC3261-8.2.7 RFC3261-21.4.1 RFC3261-21.5.6 RFC3261-16.3
#[test]
fn malformed_requests_are_answered_by_name_of_the_fault() {
    let good = request("MESSAGE", "z9hG4bK1");
    let mut bench = Bench::udp(Config::default());
    for (from, to, status) in [
        ("CSeq: 1 MESSAGE\r\n", "", "400 Missing CSeq header field"),
        ("CSeq: 1 MESSAGE", "CSeq: 4294967296 MESSAGE", "400 Malformed CSeq header field"),
        ("CSeq: 1 MESSAGE", "CSeq: 1 OPTIONS", "400 CSeq method does not match the request method"),
        ("Call-ID: z9hG4bK1\r\n", "Call-ID: a\r\nCall-ID: b\r\n", "400 Duplicate Call-ID header field"),
        ("SIP/2.0\r\n", "SIP/7.0\r\n", "505 Version Not Supported"),
        ("Content-Length: 0", "Content-Length: 9", "400 Body shorter than Content-Length"),
    ] {
        let sent = malformed(&mut bench, &good.replacen(from, to, 1));
        assert_eq!(sent.len(), 1, "{from} -> {to}");
        assert_eq!(sent[0].0, Some(addr("192.0.2.2:5060")));
        assert!(sent[0].1.starts_with(&format!("SIP/2.0 {status}\r\n")), "{}", sent[0].1);
        assert!(sent[0].1.contains("branch=z9hG4bK1"));
        assert!(bench.pass(ms(40_000)).is_empty(), "never repeated");
    }
    assert_eq!((bench.endpoint.stats().malformed, bench.endpoint.stats().malformed_answered), (6, 6));
}

// test: RFC3261-17.1.1.3 RFC3261-18.1.2
#[test]
fn malformed_acks_responses_and_noise_are_dropped() {
    let mut bench = Bench::udp(Config::default());
    let ack = request("ACK", "z9hG4bK1").replace("CSeq: 1 ACK\r\n", "");
    let response = answer(&request("MESSAGE", "z9hG4bK1"), 200, "").replace("CSeq: 1 MESSAGE\r\n", "");
    for text in [ack.as_str(), response.as_str(), "hello", "MESSAGE", "MESSAGE sip:a@b SIP/2.0\r\n\r\n"] {
        assert!(malformed(&mut bench, text).is_empty(), "{text}");
    }
    assert_eq!((bench.endpoint.stats().malformed, bench.endpoint.stats().malformed_answered), (5, 0));
    for quiet in ["", "\r\n\r\n", "\0\0\0\0", "jaK"] {
        bench.datagram("192.0.2.2:5060", quiet).unwrap();
        assert!(bench.drain().is_empty());
    }
    assert_eq!(bench.endpoint.stats().malformed, 5, "keep-alive is no fault");
}

/// RFC 3261 §8.2.7: a stateless answer has the same To tag each time.
// test: RFC3261-8.2.7
#[test]
fn stateless_answers_to_the_same_request_are_the_same() {
    let mut bench = Bench::udp(Config::default());
    let bad = request("INVITE", "z9hG4bK1").replace("Max-Forwards: 70", "Max-Forwards: x");
    let first = malformed(&mut bench, &bad);
    assert!(first[0].1.contains(";tag="));
    assert_eq!(malformed(&mut bench, &bad), first);
    let ack = request("ACK", "z9hG4bK1");
    bench.datagram("192.0.2.2:5060", ack).unwrap();
    assert!(matches!(&bench.events()[..], [Event::Ack { txn: None, .. }]), "its ACK finds no transaction");
    assert!(bench.endpoint.is_quiescent());
}

/// Less than three bytes out for a byte in, also over the time a transaction would repeat its answer.
#[test]
fn rejects_do_not_amplify() {
    let good = request("INVITE", "z9hG4bK1");
    for bad in [
        good.replace("CSeq: 1 INVITE", "CSeq: x"),
        good.replace("Max-Forwards: 70\r\n", "Max-Forwards: 700\r\n"),
        "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n".to_owned(),
        "X s:a SIP/2.0\r\nv:SIP/2.0/UDP h\r\n\r\n".to_owned(),
    ] {
        let mut bench = Bench::udp(Config { server: Some("cpm".into()), ..Config::default() });
        let _ = bench.datagram("192.0.2.2:5060", bad.clone());
        let mut out: Vec<_> = bench.drain().into_iter().map(|output| (0, output)).collect();
        out.extend(bench.pass(ms(64_000)));
        let sent: usize =
            out.iter().filter_map(|(_, output)| transmitted(output)).map(|(_, text)| text.len()).sum();
        assert!(sent > 0 && sent < 3 * bad.len(), "{sent} for {}: {bad}", bad.len());
    }
}

/// An unknown method is valid; the owner answers 405 (RFC 3261 §8.2.1).
// test: RFC3261-8.2.1
#[test]
fn unknown_methods_reach_the_owner() {
    let mut bench = Bench::udp(Config::default());
    bench.datagram("192.0.2.2:5060", request("NEWMETHOD", "z9hG4bK1")).unwrap();
    let (txn, message) = one_request(bench.events());
    assert_eq!(message.method(), Some(Method::Other("NEWMETHOD")));
    bench.endpoint.respond(bench.now, txn, Head::response_to(&message, 405, "")).unwrap();
    assert!(bench.sent()[0].starts_with("SIP/2.0 405 Method Not Allowed\r\n"));
}

/// RFC 3261 §8.2.7: turned away once, nothing is kept or repeated, and the To tag stays the same.
// test: RFC3261-8.2.7
#[test]
fn refused_requests_leave_nothing_behind() {
    for method in ["INVITE", "MESSAGE"] {
        let mut bench = Bench::udp(Config::default());
        let mut answers = Vec::new();
        for _ in 0..2 {
            bench.datagram("192.0.2.2:5060", request(method, "z9hG4bK1")).unwrap();
            let (txn, message) = one_request(bench.events());
            let low = bench.endpoint.refuse(bench.now, txn, Head::response_to(&message, 200, ""));
            assert_eq!(low, Err(Error::Usage("only a refusal can be forgotten")));
            bench.endpoint.refuse(bench.now, txn, Head::response_to(&message, 407, "")).unwrap();
            answers.extend(bench.sent());
            assert!(bench.endpoint.is_quiescent(), "{method}");
            assert!(bench.pass(ms(40_000)).is_empty(), "{method}");
            let stale = bench.endpoint.refuse(bench.now, txn, Head::response_to(&message, 407, ""));
            assert_eq!(stale, Err(Error::Usage("stale server transaction")));
        }
        assert_eq!(answers.len(), 2);
        assert!(answers[0].contains(";tag=") && answers[0] == answers[1], "{method}");
    }
}
