//! Streams: framing, keep-alive, slow and noisy peers.

use super::*;
use crate::endpoint::{Error, Event};
use proptest::prelude::*;

fn closed(out: &[Output]) -> bool {
    out.iter().any(|output| matches!(output, Output::Flow(FlowOutput::Close { flow: TCP })))
}

fn over_tcp(method: &str, n: usize) -> String {
    request_via(method, &format!("SIP/2.0/TCP 192.0.2.2;branch=z9hG4bK{n}"), &format!("call{n}"))
}

// test: RFC3261-18.3 RFC3261-17.2.2
#[test]
fn pipelined_requests_are_answered_on_the_connection() {
    let mut bench = Bench::tcp(Config::default());
    bench.stream(over_tcp("MESSAGE", 1) + &over_tcp("MESSAGE", 2)).unwrap();
    let requests: Vec<_> = bench
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Request { txn, message, source } => Some((txn, message, source)),
            _ => None,
        })
        .collect();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].2.addr, addr("192.0.2.2:40000"));
    for (txn, message, _) in &requests {
        bench.endpoint.respond(bench.now, *txn, Head::response_to(message, 200, "")).unwrap();
    }
    let out = bench.drain();
    assert!(
        out.iter()
            .all(|output| matches!(output, Output::Flow(FlowOutput::Transmit { flow: TCP, to: None, .. })))
    );
    assert!(bench.endpoint.is_quiescent(), "Timer J is zero");
}

// test: RFC5626-4.4.1
#[test]
fn ping_is_answered_with_pong() {
    let mut bench = Bench::tcp(Config::default());
    bench.stream("\r\n\r\n").unwrap();
    assert_eq!(bench.sent(), ["\r\n"]);
    bench.stream("\r\n").unwrap();
    assert!(bench.sent().is_empty(), "one line end is no ping");
    bench.stream("\r\n").unwrap();
    assert_eq!(bench.sent(), ["\r\n"], "a ping in two pieces");
    bench.stream("\r\n\r\n".to_owned() + &over_tcp("MESSAGE", 1)).unwrap();
    let out = bench.drain();
    assert_eq!(transmitted(&out[0]).unwrap().1, "\r\n");
    assert!(matches!(out[1], Output::Event(Event::Request { .. })));
}

// test: RFC5626-4.4.1
#[test]
fn our_ping_expects_a_pong_within_ten_seconds() {
    let mut bench = Bench::tcp(Config::default());
    bench.endpoint.keep_alive(bench.now, TCP, Duration::from_secs(100)).unwrap();
    let out = bench.pass(Duration::from_secs(100));
    assert_eq!(out.len(), 1);
    assert_eq!((out[0].0, transmitted(&out[0].1).unwrap().1.as_str()), (100_000, "\r\n\r\n"));
    bench.pass(ms(9_999));
    bench.stream("\r\n").unwrap();
    assert!(matches!(bench.events()[..], [Event::Pong { flow: TCP }]));
    let out = bench.pass(Duration::from_secs(111));
    assert_eq!(out.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [209_999, 219_999]);
    assert!(matches!(out[1].1, Output::Flow(FlowOutput::Close { flow: TCP })));
    bench.down(TCP);
    assert!(matches!(bench.events()[..], [Event::FlowDown { flow: TCP, .. }]));
    assert_eq!(bench.endpoint.poll_timeout(), None);
    assert!(bench.endpoint.keep_alive(bench.now, TCP, Duration::from_secs(1)).is_err());
}

/// Pong after pong: none of them is taken for the second half of a ping.
// test: RFC5626-4.4.1
#[test]
fn every_ping_has_its_own_pong() {
    let mut bench = Bench::tcp(Config::default());
    bench.endpoint.keep_alive(bench.now, TCP, Duration::from_secs(20)).unwrap();
    for round in 0..6 {
        let out = bench.pass(Duration::from_secs(20));
        assert_eq!(out.len(), 1, "round {round}");
        assert_eq!(transmitted(&out[0].1).unwrap().1, "\r\n\r\n");
        for half in ["\r", "\n"] {
            bench.stream(half).unwrap();
        }
        assert!(matches!(bench.events()[..], [Event::Pong { flow: TCP }]), "round {round}");
        assert!(bench.sent().is_empty(), "a pong is not answered");
    }
}

/// Threats 1.7: 64 line ends in a second, at n - 1, n and n + 1.
#[test]
fn line_end_flood_closes_the_stream() {
    let limit = Limits::default().keep_alives_per_second;
    for (line_ends, ends) in [(limit - 1, false), (limit, false), (limit + 1, true)] {
        let mut bench = Bench::tcp(Config::default());
        bench.stream("\r\n".repeat(line_ends as usize)).unwrap();
        assert_eq!(closed(&bench.drain()), ends, "{line_ends}");
        bench.pass(Duration::from_secs(1));
        bench.stream("\r\n".repeat(limit as usize)).unwrap();
        assert!(!closed(&bench.drain()), "the budget is one of seconds; a closed stream is not closed again");
    }
}

/// Threats 1.5: a message must be complete 15 s after its first byte, however it drips.
#[test]
fn slow_message_closes_the_stream() {
    let mut bench = Bench::tcp(Config::default());
    let text = over_tcp("MESSAGE", 1);
    let mut octets = text.bytes();
    for _ in 0..15 {
        bench.stream(vec![octets.next().unwrap()]).unwrap();
        let step = if bench.at() == 14_000 { 999 } else { 1000 };
        assert!(bench.pass(ms(step)).is_empty());
    }
    let out = bench.pass(ms(1));
    assert!(matches!(out[..], [(15_000, Output::Flow(FlowOutput::Close { flow: TCP }))]));
    bench.stream(text).unwrap();
    assert!(bench.drain().is_empty(), "nothing is read from a closing stream");
    bench.down(TCP);
    assert!(bench.endpoint.is_quiescent());

    let mut bench = Bench::tcp(Config::default());
    for n in 0..4 {
        let text = over_tcp("MESSAGE", n);
        let (one, two) = text.split_at(text.len() - 1);
        bench.stream(one.to_owned()).unwrap();
        bench.pass(ms(14_000));
        bench.stream(two.to_owned()).unwrap();
        one_request(bench.events());
    }
}

// test: RFC3261-18.3 RFC3261-20.14
#[test]
fn lost_framing_is_answered_then_closed() {
    for (from, to, phrase) in [
        ("Content-Length: 0\r\n", "", "Missing Content-Length header field"),
        ("Content-Length: 0", "Content-Length: +5", "Malformed Content-Length header field"),
        ("Content-Length: 0", "Content-Length: 0\r\nl: 1", "Duplicate Content-Length header field"),
        ("Content-Length: 0", "Content-Length: 99999999999999999999", ""),
    ] {
        let mut bench = Bench::tcp(Config::default());
        let bad = over_tcp("MESSAGE", 1).replace(from, to);
        let error = bench.stream(bad + &over_tcp("MESSAGE", 2)).unwrap_err();
        assert!(matches!(error, Error::Peer { .. }));
        let out = bench.drain();
        let (_, text) = transmitted(&out[0]).unwrap();
        assert!(text.starts_with("SIP/2.0 4"), "{text}");
        assert!(text.contains(phrase), "{text}");
        assert!(closed(&out[1..]));
        assert_eq!(out.len(), 2, "what follows is not read: {out:?}");
        assert_eq!(bench.endpoint.stats().streams_closed, 1);
    }
}

#[test]
fn bad_message_with_good_framing_leaves_the_stream_open() {
    let mut bench = Bench::tcp(Config::default());
    let bad = over_tcp("MESSAGE", 1).replace("CSeq: 1 MESSAGE", "CSeq: 1 OPTIONS");
    bench.stream(bad + &over_tcp("MESSAGE", 2)).unwrap_err();
    let out = bench.drain();
    assert!(transmitted(&out[0]).unwrap().1.starts_with("SIP/2.0 400 CSeq method does not match"));
    assert!(matches!(out[1], Output::Event(Event::Request { .. })));
}

#[test]
fn closing_stream_fails_its_requests_and_takes_no_more() {
    let mut bench = Bench::tcp(Config::default());
    let target =
        crate::endpoint::Target { flow: Some(TCP), ..crate::endpoint::Target::tcp(addr("192.0.2.2:40000")) };
    bench.endpoint.request(bench.now, outgoing(Method::Message), target).unwrap();
    bench.drain();
    bench.endpoint.close(bench.now, TCP).unwrap();
    let out = bench.drain();
    assert!(closed(&out));
    assert!(matches!(out[1], Output::Event(Event::TxnFailed { .. })));
    assert!(bench.endpoint.request(bench.now, outgoing(Method::Message), target).is_err());
    assert!(bench.endpoint.close(bench.now, TCP).is_err());
    assert!(bench.endpoint.is_quiescent());
}

/// Threats 1.8: one segment full of requests is worked off in turns, and nothing is lost.
#[test]
fn long_segment_is_taken_in_turns() {
    let mut bench = Bench::tcp(Config { messages_per_turn: 10, ..Config::default() });
    let all: String = (0..95).map(|n| over_tcp("MESSAGE", n)).collect();
    bench.stream(all).unwrap();
    assert_eq!(bench.events().len(), 10);
    assert!(!cpm_base::FlowMachine::wants_read(&bench.endpoint, TCP));
    assert_eq!(bench.endpoint.poll_timeout().map(|(_, name)| name), Some("sip.resume"));
    let mut seen = 10;
    while bench.endpoint.handle_timeout(bench.now, 256) {
        let more = bench.events().len();
        assert!(more <= 10);
        seen += more;
    }
    seen += bench.events().len();
    assert_eq!(seen, 95);
    assert!(cpm_base::FlowMachine::wants_read(&bench.endpoint, TCP));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any cut of the stream gives the same outputs (architecture §19).
    #[test]
    fn any_split_gives_the_same_outputs(cuts in proptest::collection::vec(1usize..60, 1..40)) {
        let text = format!(
            "\r\n\r\n{}{}\r\n\r\n{}{}",
            over_tcp("MESSAGE", 1),
            over_tcp("OPTIONS", 2).replace("Content-Length: 0\r\n\r\n", "Content-Length: 4\r\n\r\n\r\n\r\n"),
            over_tcp("MESSAGE", 3).replace("tag=a1", "tag=\"\u{1}"),
            over_tcp("INVITE", 4).replace("Content-Length: 0", "Content-Length: x"),
        );
        let whole = run(std::iter::once(text.as_bytes()));
        let mut rest = text.as_bytes();
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, left) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = left;
        }
        prop_assert_eq!(run(pieces.into_iter()), whole);
    }
}

fn run<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> String {
    let mut bench = Bench::tcp(Config::default());
    for piece in pieces {
        let _ = bench.stream(Bytes::copy_from_slice(piece));
    }
    format!("{:?}", bench.drain())
}
