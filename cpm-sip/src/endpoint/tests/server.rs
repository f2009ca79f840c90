//! Server transactions over UDP.

use super::*;
use crate::endpoint::{Error, Event};

fn respond(
    bench: &mut Bench,
    txn: cpm_base::Handle<super::super::ServerTxn>,
    message: &Message,
    status: u16,
) {
    let head = Head::response_to(message, status, "");
    bench.endpoint.respond(bench.now, txn, head).unwrap();
}

// test: RFC3261-17.2.2 RFC3581-4 RFC3261-8.2.6
#[test]
fn request_is_answered_once_and_again_when_repeated() {
    let mut bench = Bench::udp(Config { server: Some("cpm".into()), ..Config::default() });
    let raw = request("MESSAGE", "z9hG4bK1");
    bench.datagram("192.0.2.2:6000", raw.clone()).unwrap();
    let (txn, message) = one_request(bench.events());
    bench.datagram("192.0.2.2:6000", raw.clone()).unwrap();
    assert!(bench.drain().is_empty(), "a retransmission is absorbed while the owner thinks");
    respond(&mut bench, txn, &message, 200);
    let sent = bench.drain();
    let (to, text) = transmitted(&sent[0]).unwrap();
    assert_eq!(to, Some(addr("192.0.2.2:6000")), "rport: back to the source port");
    assert!(text.starts_with("SIP/2.0 200 OK\r\n"));
    assert!(
        text.contains("Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK1;received=192.0.2.2;rport=6000\r\n")
    );
    assert!(text.contains("Server: cpm\r\n"));
    let answer = super::message(&text);
    for id in [HeaderId::From, HeaderId::CallId, HeaderId::CSeq] {
        assert_eq!(answer.header(id), message.header(id), "{id:?}");
    }
    assert_eq!(answer.to().unwrap().uri(), message.to().unwrap().uri());
    assert!(answer.to().unwrap().tag().is_some() && message.to().unwrap().tag().is_none());
    bench.datagram("192.0.2.2:6000", raw).unwrap();
    assert_eq!(bench.sent(), [text], "the kept response");
    let again = bench.endpoint.respond(bench.now, txn, Head::response_to(&message, 500, ""));
    assert_eq!(again, Err(Error::Usage("answered already")));
    assert!(!bench.endpoint.is_quiescent());
    bench.pass(ms(31_999));
    assert_eq!(bench.endpoint.stats().server_txns, 1, "Timer J: 64 T1");
    bench.pass(ms(1));
    assert!(bench.endpoint.is_quiescent());
}

// test: RFC3261-18.2.1 RFC3261-18.2.2
#[test]
fn without_rport_the_answer_goes_to_the_port_of_sent_by() {
    for (via, to, written) in [
        (
            "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKa",
            "192.0.2.2:5070",
            "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKa",
        ),
        ("SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKb", "192.0.2.2:5060", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKb"),
        (
            "SIP/2.0/UDP host.example.test:5070;branch=z9hG4bKc",
            "192.0.2.2:5070",
            "SIP/2.0/UDP host.example.test:5070;branch=z9hG4bKc;received=192.0.2.2",
        ),
        (
            "SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKd;maddr=203.0.113.1",
            "192.0.2.2:5070",
            "SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKd;maddr=203.0.113.1;received=192.0.2.2",
        ),
    ] {
        let mut bench = Bench::udp(Config::default());
        bench.datagram("192.0.2.2:6000", request_via("MESSAGE", via, "c")).unwrap();
        let (txn, message) = one_request(bench.events());
        respond(&mut bench, txn, &message, 200);
        let (sent_to, text) = transmitted(&bench.drain()[0]).unwrap();
        assert_eq!(sent_to, Some(addr(to)), "{via}");
        assert!(text.contains(&format!("Via: {written}\r\n")), "{via}: {text}");
    }
}

// test: RFC4320-4.1 RFC4320-4.2
#[test]
fn silent_owner_gets_100_sent_late_and_nothing_at_the_end() {
    let mut bench = Bench::udp(Config::default());
    bench.datagram("192.0.2.2:5060", request("MESSAGE", "z9hG4bK1")).unwrap();
    let (txn, message) = one_request(bench.events());
    let out = bench.pass(ms(31_999));
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].0, 3500);
    assert!(transmitted(&out[0].1).unwrap().1.starts_with("SIP/2.0 100 Trying\r\n"));
    let end = bench.pass(ms(1));
    assert!(matches!(end[..], [(32_000, Output::Event(Event::TxnEnded { .. }))]), "no 408");
    assert!(bench.endpoint.is_quiescent());
    let late = bench.endpoint.respond(bench.now, txn, Head::response_to(&message, 200, ""));
    assert_eq!(late, Err(Error::Usage("stale server transaction")));
}

// test: RFC4320-4.1 RFC4320-4.2
#[test]
fn statuses_forbidden_outside_invite_are_refused() {
    let mut bench = Bench::udp(Config::default());
    bench.datagram("192.0.2.2:5060", request("MESSAGE", "z9hG4bK1")).unwrap();
    let (txn, message) = one_request(bench.events());
    for status in [101, 180, 199, 408] {
        let refused = bench.endpoint.respond(bench.now, txn, Head::response_to(&message, status, ""));
        assert_eq!(refused, Err(Error::Usage("status not allowed outside INVITE")), "{status}");
    }
    assert!(bench.drain().is_empty());
    bench.endpoint.abandon(txn).unwrap();
    assert!(bench.endpoint.is_quiescent());
    assert_eq!(bench.endpoint.abandon(txn), Err(Error::Usage("stale server transaction")));
}

// test: RFC3261-17.2.1
#[test]
fn invite_rejected_is_repeated_until_ack() {
    let mut bench = Bench::udp(Config::default());
    bench.datagram("192.0.2.2:5060", request("INVITE", "z9hG4bK1")).unwrap();
    let (txn, message) = one_request(bench.events());
    assert_eq!(bench.sent_at(ms(250)), [200], "100 Trying after 200 ms");
    respond(&mut bench, txn, &message, 486);
    let first = bench.sent();
    assert!(first[0].starts_with("SIP/2.0 486 Busy Here\r\n"));
    let start = bench.at();
    let times: Vec<_> = bench.sent_at(ms(12_000)).iter().map(|at| at - start).collect();
    assert_eq!(times, [500, 1500, 3500, 7500, 11_500], "Timer G");
    bench.datagram("192.0.2.2:5060", request("INVITE", "z9hG4bK1")).unwrap();
    assert_eq!(bench.sent(), first, "the INVITE again gets the answer again");
    bench.datagram("192.0.2.2:5060", request("ACK", "z9hG4bK1")).unwrap();
    assert!(bench.drain().is_empty(), "the ACK is for the transaction alone");
    assert!(bench.pass(ms(4_999)).is_empty());
    assert_eq!(bench.endpoint.stats().server_txns, 1, "Timer I: T4");
    bench.pass(ms(1));
    assert!(bench.endpoint.is_quiescent());
}

// test: RFC3261-17.2.1
#[test]
fn invite_never_acknowledged_ends_with_timer_h() {
    let mut bench = Bench::udp(Config::default());
    bench.datagram("192.0.2.2:5060", request("INVITE", "z9hG4bK1")).unwrap();
    let (txn, message) = one_request(bench.events());
    respond(&mut bench, txn, &message, 404);
    bench.drain();
    let out = bench.pass(ms(32_000));
    let ended: Vec<_> = out.iter().filter(|(_, output)| matches!(output, Output::Event(_))).collect();
    assert!(matches!(ended[..], [(32_000, Output::Event(Event::TxnEnded { txn: ended }))] if *ended == txn));
    assert!(bench.endpoint.is_quiescent());
    assert_eq!(bench.endpoint.stats().died, 1);
}

// test: RFC6026-8.7 RFC3261-13.3.1.4
#[test]
fn invite_accepted_absorbs_invites_and_passes_acks() {
    let mut bench = Bench::udp(Config::default());
    bench.datagram("192.0.2.2:5060", request("INVITE", "z9hG4bK1")).unwrap();
    let (txn, message) = one_request(bench.events());
    respond(&mut bench, txn, &message, 200);
    assert_eq!(bench.sent().len(), 1);
    bench.datagram("192.0.2.2:5060", request("INVITE", "z9hG4bK1")).unwrap();
    assert!(bench.drain().is_empty());
    respond(&mut bench, txn, &message, 200);
    assert_eq!(bench.sent().len(), 1, "the owner repeats its 2xx");
    bench.datagram("192.0.2.2:5060", request("ACK", "z9hG4bK1")).unwrap();
    let acks = bench.events();
    assert!(matches!(&acks[..], [Event::Ack { txn: Some(of), .. }] if *of == txn));
    bench.datagram("192.0.2.2:5060", request("ACK", "z9hG4bKother")).unwrap();
    assert!(
        matches!(&bench.events()[..], [Event::Ack { txn: None, .. }]),
        "the ACK of a dialog has its own branch"
    );
    assert!(bench.pass(ms(32_000)).is_empty(), "Timer L ends it without a word");
    assert!(bench.endpoint.is_quiescent());
}

#[test]
fn owner_that_forgets_an_invite_is_answered_for() {
    let mut bench = Bench::udp(Config::default());
    bench.datagram("192.0.2.2:5060", request("INVITE", "z9hG4bK1")).unwrap();
    bench.events();
    let out = bench.pass(ms(240_000));
    let texts: Vec<_> =
        out.iter().filter_map(|(_, output)| transmitted(output)).map(|(_, text)| text).collect();
    assert!(texts[0].starts_with("SIP/2.0 100 "));
    assert!(texts[1].starts_with("SIP/2.0 500 "));
    assert!(out.iter().any(|(_, output)| matches!(output, Output::Event(Event::TxnEnded { .. }))));
    bench.datagram("192.0.2.2:5060", request("ACK", "z9hG4bK1")).unwrap();
    let rest = bench.pass(ms(10_000));
    assert!(rest.is_empty(), "told once: {rest:?}");
    assert!(bench.endpoint.is_quiescent());
}

// test: RFC3261-9.2
#[test]
fn cancel_is_answered_and_the_owner_answers_the_invite() {
    let mut bench = Bench::udp(Config::default());
    bench.datagram("192.0.2.2:5060", request("INVITE", "z9hG4bK1")).unwrap();
    let (txn, invite) = one_request(bench.events());
    bench.datagram("192.0.2.2:5060", request("CANCEL", "z9hG4bK1")).unwrap();
    let out = bench.drain();
    let (_, ok) = transmitted(&out[0]).unwrap();
    assert!(ok.starts_with("SIP/2.0 200 OK\r\n"));
    assert!(ok.contains("CSeq: 1 CANCEL\r\n"));
    assert!(matches!(&out[1], Output::Event(Event::Cancelled { txn: of }) if *of == txn));
    respond(&mut bench, txn, &invite, 487);
    let rejected = bench.sent();
    assert!(rejected[0].starts_with("SIP/2.0 487 "));
    let tag = |text: &str| message(text).to().unwrap().tag().map(str::to_owned);
    assert_eq!(tag(&ok), tag(&rejected[0]), "the same To tag (RFC 3261 §9.2)");
    bench.datagram("192.0.2.2:5060", request("CANCEL", "z9hG4bK1")).unwrap();
    assert_eq!(bench.sent(), [ok], "the CANCEL again is absorbed by its own transaction");
    bench.datagram("192.0.2.2:5060", request("ACK", "z9hG4bK1")).unwrap();
    bench.pass(ms(40_000));
    assert!(bench.endpoint.is_quiescent());
}

// test: RFC3261-9.2
#[test]
fn cancel_after_the_answer_or_without_invite_changes_nothing() {
    let mut bench = Bench::udp(Config::default());
    bench.datagram("192.0.2.2:5060", request("CANCEL", "z9hG4bK9")).unwrap();
    let out = bench.drain();
    assert_eq!(out.len(), 1);
    assert!(transmitted(&out[0]).unwrap().1.starts_with("SIP/2.0 481 "));
    bench.datagram("192.0.2.2:5060", request("INVITE", "z9hG4bK1")).unwrap();
    let (txn, invite) = one_request(bench.events());
    respond(&mut bench, txn, &invite, 486);
    bench.drain();
    bench.datagram("192.0.2.2:5060", request("CANCEL", "z9hG4bK1")).unwrap();
    let out = bench.drain();
    assert_eq!(out.len(), 1, "no Cancelled event");
    assert!(transmitted(&out[0]).unwrap().1.starts_with("SIP/2.0 200 "));
}

// test: RFC3261-8.2.2.2
#[test]
fn second_copy_over_another_way_is_a_loop() {
    let mut bench = Bench::udp(Config::default());
    let one = request_via("MESSAGE", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKone", "call");
    let two = request_via("MESSAGE", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKtwo", "call");
    bench.datagram("192.0.2.2:5060", one).unwrap();
    let (txn, message) = one_request(bench.events());
    bench.datagram("192.0.2.2:5060", two.clone()).unwrap();
    let sent = bench.sent();
    assert!(sent[0].starts_with("SIP/2.0 482 Loop Detected\r\n"));
    assert!(sent[0].contains("z9hG4bKtwo"));
    assert_eq!(bench.endpoint.stats().merged, 1);
    let within = two.replace("To: <sip:bob@example.test>", "To: <sip:bob@example.test>;tag=b");
    bench.datagram("192.0.2.2:5060", within).unwrap();
    one_request(bench.events());
    respond(&mut bench, txn, &message, 200);
    bench.pass(ms(40_000));
    assert!(bench.endpoint.is_quiescent());
}

// test: RFC3261-17.2.3
#[test]
fn requests_of_rfc_2543_are_matched_by_their_fields() {
    let mut bench = Bench::udp(Config::default());
    let invite = request_via("INVITE", "SIP/2.0/UDP 192.0.2.2", "old");
    bench.datagram("192.0.2.2:5060", invite.clone()).unwrap();
    let (txn, message) = one_request(bench.events());
    respond(&mut bench, txn, &message, 486);
    let rejected = bench.sent();
    bench.datagram("192.0.2.2:5060", invite.clone()).unwrap();
    assert_eq!(bench.sent(), rejected, "a retransmission");
    let to = super::message(&rejected[0]).header(HeaderId::To).unwrap().to_owned();
    let ack = request_via("ACK", "SIP/2.0/UDP 192.0.2.2", "old")
        .replace("<sip:bob@example.test>\r\nCall", &format!("{to}\r\nCall"));
    bench.datagram("192.0.2.2:5060", ack).unwrap();
    assert!(bench.drain().is_empty(), "its ACK, with our To tag");
    bench.pass(ms(6_000));
    assert!(bench.endpoint.is_quiescent());
    bench.datagram("192.0.2.2:5060", invite.replace("CSeq: 1 ", "CSeq: 2 ")).unwrap();
    one_request(bench.events());
}

// test: RFC6026-8.8
#[test]
fn answer_to_a_lost_connection_is_reported() {
    let mut bench = Bench::tcp(Config::default());
    bench.stream(request_via("MESSAGE", "SIP/2.0/TCP 192.0.2.2;branch=z9hG4bK1", "c")).unwrap();
    let (txn, message) = one_request(bench.events());
    bench.down(TCP);
    bench.drain();
    respond(&mut bench, txn, &message, 200);
    assert!(matches!(&bench.events()[..], [Event::Undelivered { txn: of }] if *of == txn));
    assert!(bench.endpoint.is_quiescent());
}

#[test]
fn header_injection_by_the_owner_is_impossible_and_changes_nothing() {
    let mut bench = Bench::udp(Config { server: Some("a\r\nEvil: 1".into()), ..Config::default() });
    bench.datagram("192.0.2.2:5060", request("MESSAGE", "z9hG4bK1")).unwrap();
    let (txn, message) = one_request(bench.events());
    let refused = bench.endpoint.respond(bench.now, txn, Head::response_to(&message, 200, ""));
    assert!(matches!(refused, Err(Error::Usage(_))));
    assert!(bench.drain().is_empty());
}
