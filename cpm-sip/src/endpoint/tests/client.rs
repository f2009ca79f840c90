//! Client transactions over UDP and TCP.

use super::*;
use crate::endpoint::{ClientTxn, Error, Event, Target};
use crate::txn::TxnFailure;
use cpm_base::Handle;

const PEER: &str = "192.0.2.2:5060";

fn send(bench: &mut Bench, method: Method<'_>, target: Target) -> Handle<ClientTxn> {
    bench.endpoint.request(bench.now, outgoing(method), target).unwrap()
}

fn opened(out: &[Output]) -> (Token, SocketAddr) {
    let mut opens = out.iter().filter_map(|output| match output {
        Output::Flow(FlowOutput::Open { token, remote, transport: Transport::Tcp, .. }) => {
            Some((*token, *remote))
        }
        _ => None,
    });
    let first = opens.next().expect("an open");
    assert!(opens.next().is_none());
    first
}

fn failures(events: &[Event]) -> Vec<TxnFailure> {
    let why = |event: &Event| match event {
        Event::TxnFailed { why, .. } => Some(*why),
        _ => None,
    };
    events.iter().filter_map(why).collect()
}

fn statuses(events: &[Event]) -> Vec<u16> {
    let status = |event: &Event| match event {
        Event::Response { message, .. } => message.status(),
        _ => None,
    };
    events.iter().filter_map(status).collect()
}

// test: RFC3261-8.1.1 RFC3581-3
#[test]
fn request_is_completed() {
    let mut bench = Bench::udp(Config { user_agent: Some("cpm/1".into()), ..Config::default() });
    send(&mut bench, Method::Message, Target::udp(addr(PEER)));
    let out = bench.drain();
    let (to, text) = transmitted(&out[0]).unwrap();
    assert_eq!(to, Some(addr(PEER)));
    let sent = message(&text);
    crate::validate(&sent, &Limits::default()).unwrap();
    let via = sent.via_top().unwrap();
    assert!(text.starts_with(
        "MESSAGE sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"
    ));
    assert_eq!(via.rport(), Some(None));
    assert!(via.unique_branch().unwrap().len() >= 7 + 16);
    assert_eq!(sent.max_forwards(), Ok(Some(70)));
    assert!(sent.from().unwrap().tag().is_some());
    assert_eq!(sent.to().unwrap().tag(), None);
    assert_eq!(sent.cseq().unwrap().method, Method::Message);
    assert_eq!(sent.user_agent(), Some("cpm/1"));
    send(&mut bench, Method::Message, Target::udp(addr(PEER)));
    let second = message(&bench.sent()[0]);
    assert_ne!(second.call_id(), sent.call_id());
    assert_ne!(second.via_top().unwrap().branch(), via.branch());
}

/// 0.5, 1, 2, 4, 4… seconds apart, and Timer F after 32 s.
// test: RFC3261-17.1.2.2
#[test]
fn non_invite_is_repeated_and_times_out() {
    let mut bench = Bench::udp(Config::default());
    let txn = send(&mut bench, Method::Message, Target::udp(addr(PEER)));
    let first = bench.sent();
    let out = bench.pass(ms(40_000));
    let sent: Vec<_> =
        out.iter().filter_map(|(at, output)| transmitted(output).map(|(_, text)| (*at, text))).collect();
    let times: Vec<u64> = sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert!(sent.iter().all(|(_, text)| *text == first[0]), "octet for octet the same");
    let last = &out[out.len() - 1];
    assert!(
        matches!(last, (32_000, Output::Event(Event::TxnFailed { txn: of, why: TxnFailure::Timeout })) if *of == txn)
    );
    assert!(bench.endpoint.is_quiescent());
    assert_eq!(bench.endpoint.stats().retransmissions_out, 10);
}

// test: RFC3261-17.1.2.2
#[test]
fn non_invite_in_proceeding_repeats_every_t2() {
    let mut bench = Bench::udp(Config::default());
    send(&mut bench, Method::Message, Target::udp(addr(PEER)));
    let request = bench.sent().remove(0);
    bench.datagram(PEER, answer(&request, 100, "")).unwrap();
    assert_eq!(statuses(&bench.events()), [100]);
    assert_eq!(bench.sent_at(ms(9_000)), [500, 4500, 8500]);
    bench.datagram(PEER, answer(&request, 200, "")).unwrap();
    bench.datagram(PEER, answer(&request, 200, "")).unwrap();
    assert_eq!(statuses(&bench.events()), [200], "passed up once");
    assert!(bench.pass(ms(4_999)).is_empty());
    assert!(!bench.endpoint.is_quiescent());
    assert!(bench.pass(ms(1)).is_empty());
    assert!(bench.endpoint.is_quiescent(), "Timer K: T4");
    bench.datagram(PEER, answer(&request, 200, "")).unwrap();
    assert!(bench.drain().is_empty());
    assert_eq!(bench.endpoint.stats().stray_responses, 1);
}

// test: RFC3261-17.1.1.2 RFC3261-17.1.1.3
#[test]
fn invite_rejected_is_acknowledged_each_time() {
    let mut bench = Bench::udp(Config::default());
    let mut head = outgoing(Method::Invite);
    head.push(HeaderId::Route, "<sip:proxy.example.test;lr>").unwrap();
    bench.endpoint.request(bench.now, head, Target::udp(addr(PEER))).unwrap();
    let request = bench.sent().remove(0);
    assert_eq!(bench.sent_at(ms(4_000)), [500, 1500, 3500], "Timer A");
    bench.datagram(PEER, answer(&request, 180, "")).unwrap();
    assert!(bench.sent_at(ms(20_000)).is_empty(), "no more copies after a provisional response");
    bench.datagram(PEER, answer(&request, 486, "")).unwrap();
    let out = bench.drain();
    let (to, ack) = transmitted(&out[0]).unwrap();
    assert!(matches!(&out[1], Output::Event(Event::Response { .. })));
    assert_eq!(to, Some(addr(PEER)));
    let (invite, ack_message) = (message(&request), message(&ack));
    crate::validate(&ack_message, &Limits::default()).unwrap();
    assert_eq!(ack_message.method(), Some(Method::Ack));
    assert_eq!(ack_message.request_uri(), invite.request_uri());
    assert_eq!(ack_message.vias().count(), 1);
    for id in [HeaderId::Via, HeaderId::From, HeaderId::CallId, HeaderId::Route] {
        assert_eq!(ack_message.header(id), invite.header(id), "{id}");
    }
    assert_eq!(ack_message.to().unwrap().tag(), Some("b1"), "the To of the response");
    assert_eq!(ack_message.cseq().unwrap().number, invite.cseq().unwrap().number);
    bench.datagram(PEER, answer(&request, 486, "")).unwrap();
    assert_eq!(bench.sent(), [ack], "the ACK again, and nothing to the owner");
    assert!(bench.pass(ms(32_000)).is_empty());
    assert!(bench.endpoint.is_quiescent(), "Timer D");
}

// test: RFC3261-17.1.1.2
#[test]
fn invite_unanswered_times_out_with_timer_b() {
    let mut bench = Bench::udp(Config::default());
    send(&mut bench, Method::Invite, Target::udp(addr(PEER)));
    bench.drain();
    let out = bench.pass(ms(40_000));
    let times: Vec<_> = out.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [500, 1500, 3500, 7500, 15_500, 31_500, 32_000]);
    assert!(matches!(out[6].1, Output::Event(Event::TxnFailed { why: TxnFailure::Timeout, .. })));
    assert!(bench.endpoint.is_quiescent());
}

// test: RFC6026-8.4
#[test]
fn every_2xx_of_an_invite_is_passed_up() {
    let mut bench = Bench::udp(Config::default());
    send(&mut bench, Method::Invite, Target::udp(addr(PEER)));
    let request = bench.sent().remove(0);
    for _ in 0..3 {
        bench.datagram(PEER, answer(&request, 200, "")).unwrap();
    }
    bench.datagram(PEER, answer(&request, 486, "")).unwrap();
    let out = bench.drain();
    assert_eq!(out.len(), 3, "no ACK from here: {out:?}");
    let mut ack = outgoing(Method::Ack);
    ack.push(HeaderId::CSeq, "1 ACK").unwrap();
    bench.endpoint.send_ack(bench.now, ack, Target::udp(addr(PEER))).unwrap();
    let ack = message(&bench.sent()[0]);
    assert_ne!(ack.via_top().unwrap().branch(), message(&request).via_top().unwrap().branch());
    assert!(bench.pass(ms(32_000)).is_empty());
    assert!(bench.endpoint.is_quiescent(), "Timer M");
}

// test: RFC3261-9.1
#[test]
fn cancel_waits_for_a_provisional_response() {
    let mut bench = Bench::udp(Config::default());
    let txn = send(&mut bench, Method::Invite, Target::udp(addr(PEER)));
    let request = bench.sent().remove(0);
    bench.endpoint.cancel(bench.now, txn).unwrap();
    assert!(bench.drain().is_empty(), "nothing before a provisional response");
    bench.datagram(PEER, answer(&request, 100, "")).unwrap();
    let cancel = bench.sent().remove(0);
    let (invite, sent) = (message(&request), message(&cancel));
    assert_eq!(sent.method(), Some(Method::Cancel));
    for id in [HeaderId::Via, HeaderId::From, HeaderId::To, HeaderId::CallId] {
        assert_eq!(sent.header(id), invite.header(id), "{id}");
    }
    bench.datagram(PEER, answer(&cancel, 200, "")).unwrap();
    assert!(bench.events().is_empty(), "the answer to the CANCEL is not the owner's business");
    bench.datagram(PEER, answer(&request, 487, "")).unwrap();
    assert_eq!(statuses(&bench.events()), [487]);
    bench.pass(ms(40_000));
    assert!(bench.endpoint.is_quiescent());
    assert_eq!(bench.endpoint.cancel(bench.now, txn), Err(Error::Usage("stale client transaction")));
}

// test: RFC3261-9.1 RFC3261-16.6
#[test]
fn peer_that_promises_for_ever_is_cancelled_by_timer_c() {
    let mut bench = Bench::udp(Config::default());
    send(&mut bench, Method::Invite, Target::udp(addr(PEER)));
    let request = bench.sent().remove(0);
    bench.datagram(PEER, answer(&request, 180, "")).unwrap();
    bench.drain();
    let out = bench.pass(ms(185_000));
    assert!(transmitted(&out[0].1).unwrap().1.starts_with("CANCEL "));
    assert_eq!(out.len(), 1);
    let out = bench.pass(ms(32_000));
    let failed =
        out.iter().filter(|(_, output)| matches!(output, Output::Event(Event::TxnFailed { .. }))).count();
    assert_eq!(failed, 1, "the INVITE; its CANCEL is silent");
    assert!(bench.endpoint.is_quiescent());
}

// test: RFC3261-18.1.2 RFC6026-8.9 RFC3261-8.1.3.3
#[test]
fn responses_that_fit_nothing_are_dropped_and_counted() {
    let mut bench = Bench::udp(Config::default());
    send(&mut bench, Method::Message, Target::udp(addr(PEER)));
    let request = bench.sent().remove(0);
    let good = answer(&request, 200, "");
    let own = message(&request).header(HeaderId::Via).unwrap().to_owned();
    for stray in [
        good.replace("z9hG4bK", "z9hG4bKx"),
        good.replace(" MESSAGE\r\n", " OPTIONS\r\n"),
        good.replace(
            &format!("Via: {own}"),
            &format!("Via: {own}\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK9"),
        ),
    ] {
        bench.datagram(PEER, stray).unwrap();
        assert!(bench.drain().is_empty());
    }
    assert_eq!(bench.endpoint.stats().stray_responses, 3);
    let broken = good.replace("CSeq: 1 MESSAGE", "CSeq: one MESSAGE");
    assert!(matches!(bench.datagram(PEER, broken), Err(Error::Peer { .. })));
    assert!(bench.drain().is_empty(), "a response is never answered");
    bench.datagram(PEER, good).unwrap();
    assert_eq!(statuses(&bench.events()), [200]);
}

// test: RFC3261-17.1.2.2 RFC3261-18.1.1
#[test]
fn tcp_opens_once_sends_once_and_ends_at_once() {
    let mut bench = Bench::udp(Config::default());
    for _ in 0..2 {
        send(&mut bench, Method::Message, Target::tcp(addr(PEER)));
    }
    let out = bench.drain();
    let (token, remote) = opened(&out);
    assert_eq!((out.len(), remote), (1, addr(PEER)), "both wait for one connection");
    assert!(!bench.endpoint.is_quiescent());
    bench.up(TCP, Transport::Tcp, Some(remote), Some(token));
    let sent = bench.sent();
    assert_eq!(sent.len(), 2);
    assert!(sent[0].contains("Via: SIP/2.0/TCP 192.0.2.1:5060;"));
    assert!(bench.pass(ms(20_000)).is_empty(), "nothing is repeated on a stream");
    for request in &sent {
        bench.stream(answer(request, 200, "")).unwrap();
    }
    assert_eq!(statuses(&bench.events()), [200, 200]);
    assert!(bench.endpoint.is_quiescent(), "Timer K is zero");
    send(&mut bench, Method::Message, Target::tcp(addr(PEER)));
    assert_eq!(bench.sent().len(), 1, "the connection is used again");
}

// test: RFC3261-17.1.4
#[test]
fn failed_connections_fail_what_waits() {
    let mut bench = Bench::udp(Config::default());
    send(&mut bench, Method::Message, Target::tcp(addr(PEER)));
    let (token, _) = opened(&bench.drain());
    bench.input(FlowInput::OpenFailed { token, reason: FlowDown::Refused }).unwrap();
    assert_eq!(failures(&bench.events()), [TxnFailure::Transport(FlowDown::Refused)]);
    assert!(bench.endpoint.is_quiescent());
    bench.input(FlowInput::OpenFailed { token, reason: FlowDown::Refused }).unwrap();
    assert!(bench.drain().is_empty(), "a second answer to one Open means nothing");
    send(&mut bench, Method::Message, Target::tcp(addr(PEER)));
    bench.drain();
    let out = bench.pass(ms(8_000));
    assert!(matches!(
        out[..],
        [(_, Output::Event(Event::TxnFailed { why: TxnFailure::Transport(FlowDown::TimedOut), .. }))]
    ));
    assert!(bench.endpoint.is_quiescent());
}

// test: RFC3261-17.1.4
#[test]
fn lost_connection_fails_what_waits_on_it() {
    let mut bench = Bench::tcp(Config::default());
    let peer = addr("192.0.2.2:40000");
    send(&mut bench, Method::Message, Target::tcp(peer));
    let txn = send(&mut bench, Method::Message, Target { flow: Some(TCP), ..Target::tcp(peer) });
    bench.endpoint.forget(txn);
    assert_eq!(bench.sent().len(), 2);
    bench.down(TCP);
    let events = bench.events();
    assert_eq!(failures(&events), [TxnFailure::Transport(FlowDown::Reset)], "the forgotten one is silent");
    assert!(matches!(events.last(), Some(Event::FlowDown { flow: TCP, .. })));
    assert!(bench.endpoint.is_quiescent());
    let gone = bench.endpoint.request(
        bench.now,
        outgoing(Method::Message),
        Target { flow: Some(TCP), ..Target::tcp(peer) },
    );
    assert_eq!(gone.unwrap_err(), Error::Usage("no such flow"));
}

fn large(octets: usize) -> Head {
    let mut head = outgoing(Method::Message);
    head.body("text/plain", vec![b'x'; octets]).unwrap();
    head
}

// test: RFC3261-18.1.1
#[test]
fn large_request_goes_over_tcp_or_falls_back() {
    let mut bench = Bench::udp(Config::default());
    bench.endpoint.request(bench.now, large(0), Target::udp(addr(PEER))).unwrap();
    // Content-Length grows from one digit to three.
    let fill = 1300 - bench.sent()[0].len() - 2;
    bench.endpoint.request(bench.now, large(fill), Target::udp(addr(PEER))).unwrap();
    let exact = bench.sent();
    assert_eq!(exact[0].len(), 1300, "at the limit: UDP");
    bench.endpoint.request(bench.now, large(fill + 1), Target::udp(addr(PEER))).unwrap();
    let (token, remote) = opened(&bench.drain());
    assert_eq!(remote, addr(PEER));
    bench.input(FlowInput::OpenFailed { token, reason: FlowDown::Refused }).unwrap();
    let out = bench.drain();
    let (to, text) = transmitted(&out[0]).unwrap();
    assert_eq!(to, Some(addr(PEER)), "back to UDP");
    assert!(text.contains("Via: SIP/2.0/UDP "));
    assert_eq!(bench.sent_at(ms(600)), [500, 500, 500], "and repeated like any other");
    bench.endpoint.request(bench.now, large(fill + 1), Target::udp(addr(PEER))).unwrap();
    let (token, _) = opened(&bench.drain());
    bench.up(TCP, Transport::Tcp, Some(remote), Some(token));
    let sent = bench.sent();
    assert!(sent[0].contains("Via: SIP/2.0/TCP "));
    assert_eq!(bench.endpoint.stats().upgraded, 2);
    bench.endpoint.request(bench.now, large(fill + 1), Target::udp(addr(PEER))).unwrap();
    assert!(bench.sent()[0].contains("Via: SIP/2.0/TCP "), "an existing connection is used");
}

// test: RFC3261-18.1.1
#[test]
fn size_rule_can_be_switched_off_and_a_given_flow_wins() {
    let mut bench = Bench::udp(Config { datagram_max: usize::MAX, ..Config::default() });
    bench.endpoint.request(bench.now, large(3000), Target::udp(addr(PEER))).unwrap();
    assert_eq!(bench.sent().len(), 1);
    let mut bench = Bench::udp(Config::default());
    let target = Target { flow: Some(UDP), ..Target::udp(addr(PEER)) };
    bench.endpoint.request(bench.now, large(3000), target).unwrap();
    assert!(bench.sent()[0].contains("Via: SIP/2.0/UDP "));
}

#[test]
fn commands_that_make_no_sense_are_refused() {
    let mut bench = Bench::udp(Config::default());
    let now = bench.now;
    let peer = Target::udp(addr(PEER));
    let mut refused = |head: Head, target: Target| match bench.endpoint.request(now, head, target) {
        Err(Error::Usage(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(Head::response(200, ""), peer), "a request is needed");
    assert_eq!(refused(outgoing(Method::Ack), peer), "ACK and CANCEL have their own calls");
    assert_eq!(refused(outgoing(Method::Cancel), peer), "ACK and CANCEL have their own calls");
    let bare = Head::request(Method::Message, "sip:a@b").unwrap();
    assert_eq!(refused(bare, peer), "a request needs From");
    assert_eq!(refused(outgoing(Method::Message), Target::udp(addr("[2001:db8::1]:5060"))), "no socket");
    let tls = Target { transport: Transport::Tls, ..peer };
    assert_eq!(refused(outgoing(Method::Message), tls), "a TLS flow must be opened first");
    assert!(bench.drain().is_empty());
    assert!(bench.endpoint.is_quiescent());
}

#[test]
fn a_clock_that_goes_back_is_held() {
    let mut bench = Bench::udp(Config { probes: 8, ..Config::default() });
    send(&mut bench, Method::Message, Target::udp(addr(PEER)));
    bench.drain();
    let early = bench.now;
    bench.pass(ms(400));
    assert!(!bench.endpoint.handle_timeout(early, 8));
    let probe = bench.endpoint.poll_probe().unwrap();
    assert_eq!(probe.kind, cpm_base::ProbeKind::ClockBackwards);
    assert_eq!(bench.sent_at(ms(100)), [500]);
}
