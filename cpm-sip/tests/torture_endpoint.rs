//! RFC 4475 and RFC 5118 through an endpoint: what is due is sent once, what is not is not, and nothing stays.

use bytes::Bytes;
use cpm_base::{FlowId, FlowInfo, FlowInput, FlowOutput, Machine, Now, Transport};
use cpm_sip::endpoint::{Config, Endpoint, Event, Input, Output};
use cpm_sip::{Head, Limits, Message};
use std::path::Path;
use std::time::{Duration, Instant};

const FLOW: FlowId = FlowId(1);

fn table() -> Vec<(String, String, Bytes)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let text = std::fs::read_to_string(folder.join("verdicts.tsv")).unwrap();
    let row = |line: &str| {
        let mut columns = line.split('\t');
        let (name, verdict) = (columns.next().unwrap().to_owned(), columns.nth(1).unwrap().to_owned());
        let raw = std::fs::read(folder.join(&name)).unwrap();
        (name, verdict, raw.into())
    };
    text.lines().skip(1).map(row).collect()
}

fn endpoint(now: Now, transport: Transport) -> Endpoint {
    let mut endpoint = Endpoint::new(Config::default(), [1; 32]);
    let remote = transport.is_reliable().then(|| "192.0.2.2:40000".parse().unwrap());
    let local = "192.0.2.1:5060".parse().unwrap();
    let info = FlowInfo { transport, local, remote, accepted: true, trusted: false };
    endpoint
        .handle_input(now, Input::Flow(FlowInput::Up { flow: FLOW, opened: None, info: Box::new(info) }))
        .unwrap();
    endpoint.poll_output();
    endpoint
}

/// Takes the outputs, answers requests with 480; statuses sent and requests seen.
fn take(endpoint: &mut Endpoint, now: Now) -> (Vec<u16>, usize) {
    let (mut sent, mut requests) = (Vec::new(), 0);
    while let Some(output) = endpoint.poll_output() {
        match output {
            Output::Flow(FlowOutput::Transmit { data, .. }) => {
                sent.extend(Message::parse(data, &Limits::default()).unwrap().status());
            }
            Output::Event(Event::Request { txn, message, .. }) => {
                requests += 1;
                endpoint.respond(now, txn, Head::response_to(&message, 480, "")).unwrap();
            }
            _ => {}
        }
    }
    (sent, requests)
}

// test: RFC4475-3 RFC5118-4 RFC3261-8.2.7 RFC3261-17.2
#[test]
fn datagrams() {
    for (name, verdict, raw) in table() {
        let start = Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let mut endpoint = endpoint(start, Transport::Udp);
        let parsed = Message::parse(raw.clone(), &Limits::default()).ok();
        let from = "192.0.2.2:5060".parse().unwrap();
        let result =
            endpoint.handle_input(start, Input::Flow(FlowInput::Datagram { flow: FLOW, from, data: raw }));
        let (sent, requests) = take(&mut endpoint, start);
        match verdict.as_str() {
            "accept" => {
                result.unwrap_or_else(|error| panic!("{name}: {error}"));
                let method = parsed.as_ref().and_then(Message::method).map(|method| method.as_str());
                let expected: (&[u16], usize) = match method {
                    None | Some("ACK") => (&[], 0),
                    Some("CANCEL") => (&[481], 0),
                    Some(_) => (&[480], 1),
                };
                assert_eq!((sent.as_slice(), requests), expected, "{name}");
            }
            status => {
                assert!(result.is_err(), "{name}");
                let expected: Vec<u16> = status.parse().into_iter().collect();
                assert_eq!((sent, requests), (expected, 0), "{name}");
                assert!(endpoint.is_quiescent(), "{name}: a reject keeps nothing");
            }
        }
        let mut now = start;
        for _ in 0..1000 {
            let Some((at, _)) = endpoint.poll_timeout() else { break };
            now = now.after(at.saturating_duration_since(now.mono));
            endpoint.handle_timeout(now, 64);
            take(&mut endpoint, now);
        }
        assert!(endpoint.is_quiescent(), "{name}: something stays");
    }
}

/// On a stream each message, alone, gives the same octets and events whole and octet by octet.
// test: RFC3261-18.3
#[test]
fn streams_cut_into_octets() {
    for (name, _, raw) in table() {
        let now = Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let run = |pieces: Vec<Bytes>| {
            let mut endpoint = endpoint(now, Transport::Tcp);
            for data in pieces {
                // The counted report differs with the cut; what comes out must not.
                let _ = endpoint.handle_input(now, Input::Flow(FlowInput::Stream { flow: FLOW, data }));
            }
            let mut out = Vec::new();
            while let Some(output) = endpoint.poll_output() {
                out.push(format!("{output:?}"));
            }
            (out, endpoint.stats())
        };
        let whole = run(vec![raw.clone()]);
        let octets = run((0..raw.len()).map(|at| raw.slice(at..=at)).collect());
        assert_eq!(whole, octets, "{name}");
    }
}
