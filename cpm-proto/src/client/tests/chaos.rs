//! A server that answers as it likes: whatever it does, every message ends exactly once, and never more than one of
//! them is on its way to the same recipient.

use super::bench::{Bench, CHALLENGE_401, CHALLENGE_407, secs};
use crate::ClientEvent;
use crate::client::Outgoing;
use cpm_base::Rng;
use cpm_sip::{HeaderId, Message};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const MESSAGES: usize = 12;

/// What the server does with one request, by chance.
fn react(bench: &mut Bench, rng: &mut Rng, request: &Message, stale: u64) {
    let register = request.method().is_some_and(|method| method.as_str() == "REGISTER");
    let (challenge, status) = match register {
        true => (CHALLENGE_401, "401 Unauthorized"),
        false => (CHALLENGE_407, "407 Proxy Authentication Required"),
    };
    match rng.below(10) {
        0 | 1 => {}
        2 => bench.answer(request, "503 Service Unavailable", "Retry-After: 3\r\n"),
        3 => {
            let nonce = format!("nonce=\"{stale}\"");
            let fresh = challenge.replace("nonce=\"n1\"", &nonce).replace("nonce=\"p1\"", &nonce);
            bench.answer(request, status, &fresh.replace("\r\n", ", stale=true\r\n"));
        }
        4 if !register => bench.answer(request, "404 Not Found", ""),
        5 => {
            bench.answer(request, "200 OK", "Expires: 3600\r\n");
            bench.answer(request, "200 OK", "Expires: 3600\r\n");
        }
        _ => bench.answer(request, "200 OK", "Expires: 3600\r\n"),
    }
}

/// Lets the server react to what is on the wire, and notes the contributions seen for each recipient.
fn serve(bench: &mut Bench, rng: &mut Rng, seen: &mut BTreeMap<String, BTreeSet<String>>, turn: u64) {
    let waiting: Vec<Message> = std::iter::from_fn(|| bench.sent_or_none()).collect();
    for message in waiting {
        if let Some(contribution) = message.header(HeaderId::ContributionId) {
            let uri = message.request_uri().unwrap_or_default().to_owned();
            seen.entry(uri).or_default().insert(contribution.to_owned());
        }
        react(bench, rng, &message, turn);
    }
}

fn peer(number: usize) -> String {
    format!("sip:peer{}@example.test", number % 3)
}

fn play(seed: u8) {
    let mut rng = Rng::new([seed; 32]);
    let mut bench = Bench::registered();
    let mut open: BTreeSet<usize> = (0..MESSAGES).collect();
    for number in 0..MESSAGES {
        bench.send(Outgoing::text(peer(number), "x").reference(number.to_string())).unwrap();
    }
    let mut ended: BTreeMap<String, usize> = BTreeMap::new();
    let mut seen = BTreeMap::new();
    for turn in 0..20_000 {
        serve(&mut bench, &mut rng, &mut seen, turn);
        while let Some(event) = bench.event_or_none() {
            let (ClientEvent::Accepted { reference, .. } | ClientEvent::Failed { reference, .. }) = event
            else {
                continue;
            };
            let number: usize = reference.parse().unwrap();
            assert!(open.remove(&number), "seed {seed}: message {number} ended twice");
            *ended.entry(peer(number)).or_default() += 1;
        }
        // The next message of a lane shows only after the one before has ended.
        for (uri, contributions) in &seen {
            let over = ended.get(uri).copied().unwrap_or_default();
            assert!(contributions.len() <= over + 1, "seed {seed}: two messages at once to {uri}");
        }
        if open.is_empty() {
            break;
        }
        bench.pass(Duration::from_millis(50));
    }
    assert!(open.is_empty(), "seed {seed}: {open:?} never ended");
    bench.skip_wire();
    bench.leave();
    bench.pass(secs(5));
    while bench.event_or_none().is_some() {}
    bench.assert_empty();
}

// test: CONV-PM-013, CONV-PM-014, CONV-PM-015
#[test]
fn every_message_ends_exactly_once_whatever_the_server_does() {
    for seed in 0..40 {
        play(seed);
    }
}
