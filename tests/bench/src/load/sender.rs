//! The senders: each has one message under way; as many senders as wanted make the pipeline.

use super::{Proof, wire};
use cpm_base::Rng;
use cpm_sip::auth::{Authenticator, Role, Secret};
use cpm_sip::{Limits, MessageView};
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// A message without an answer is sent again after this (RFC 3261 T1).
const AGAIN: Duration = Duration::from_millis(500);

/// No message takes longer.
const GIVE_UP: Duration = Duration::from_secs(32);

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Messages with a 2xx.
    pub accepted: u64,
    /// Other final answers, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Sent again for want of an answer.
    pub again: u64,
    /// How long it took.
    pub took: Duration,
}

/// All senders on one socket.
pub struct Senders {
    socket: UdpSocket,
    local: SocketAddr,
    proof: Proof,
    rng: Rng,
    pairs: Vec<Pair>,
}

struct Pair {
    credentials: Authenticator,
    /// Messages begun.
    count: u32,
    cseq: u32,
    /// What is under way.
    text: String,
    sent: Instant,
    begun: Instant,
    waiting: bool,
}

impl Senders {
    /// `count` senders towards `server`.
    pub fn new(server: SocketAddr, count: usize, proof: Proof) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let now = Instant::now();
        let pair = |n| Pair {
            credentials: Authenticator::new(format!("s{n}"), Secret::new(wire::PASSWORD), None),
            count: 0,
            cseq: 0,
            text: String::new(),
            sent: now,
            begun: now,
            waiting: false,
        };
        let local = socket.local_addr()?;
        Ok(Self { socket, local, proof, rng: Rng::new([3; 32]), pairs: (0..count).map(pair).collect() })
    }

    fn begin(&mut self, n: usize) -> io::Result<()> {
        self.pairs[n].count += 1;
        self.pairs[n].begun = Instant::now();
        self.write(n)
    }

    /// Writes the present message of a pair, with a new CSeq, and sends it.
    fn write(&mut self, n: usize) -> io::Result<()> {
        let pair = &mut self.pairs[n];
        pair.cseq += 1;
        let body = wire::body(n, pair.count);
        let proof = match self.proof {
            Proof::Trusted => format!("P-Asserted-Identity: <{}>\r\n", wire::sender(n)),
            Proof::Digest => pair
                .credentials
                .authorize("MESSAGE", &wire::recipient(n), body.as_bytes())
                .iter()
                .filter(|value| value.role == Role::Proxy)
                .map(|value| format!("Proxy-Authorization: {}\r\n", value.value))
                .collect(),
        };
        pair.text = wire::message(n, pair.count, pair.cseq, self.local, &proof, &body);
        pair.sent = Instant::now();
        pair.waiting = true;
        self.socket.send(pair.text.as_bytes()).map(|_| ())
    }

    /// Sends again what has waited too long.
    fn again(&mut self, outcome: &mut Outcome) -> io::Result<()> {
        let now = Instant::now();
        for pair in &mut self.pairs {
            if pair.waiting && now - pair.sent >= AGAIN {
                if now - pair.begun >= GIVE_UP {
                    return Err(io::Error::other("a message was never answered"));
                }
                pair.sent = now;
                outcome.again += 1;
                self.socket.send(pair.text.as_bytes())?;
            }
        }
        Ok(())
    }

    /// The pair whose present message this answers.
    fn pair_of(&self, datagram: &[u8]) -> Option<usize> {
        let (n, count) = wire::field(datagram, "Call-ID")?.strip_prefix('m')?.split_once('-')?;
        let n: usize = n.parse().ok()?;
        let pair = self.pairs.get(n)?;
        let cseq = wire::field(datagram, "CSeq")?.strip_suffix(" MESSAGE")?;
        (pair.waiting && count.parse() == Ok(pair.count) && cseq.parse() == Ok(pair.cseq)).then_some(n)
    }

    /// Answers a challenge; the message goes out again with credentials.
    fn challenged(&mut self, n: usize, datagram: &[u8]) -> io::Result<()> {
        let answer = MessageView::parse(datagram, &Limits::default()).map_err(io::Error::other)?;
        let challenges = answer.proxy_authenticate().filter_map(Result::ok);
        let pair = &mut self.pairs[n];
        pair.credentials.challenged(&mut self.rng, Role::Proxy, challenges).map_err(io::Error::other)?;
        self.write(n)
    }
}

/// Sends `total` messages, one under way per sender, until each has its final answer.
pub fn run(senders: &mut Senders, total: u64) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let started = Instant::now();
    let (mut begun, mut ended) = (0, 0);
    for n in 0..senders.pairs.len() {
        if begun < total {
            senders.begin(n)?;
            begun += 1;
        }
    }
    let mut buffer = [0; 8192];
    let mut looked = Instant::now();
    while ended < total {
        if looked.elapsed() >= Duration::from_millis(100) {
            looked = Instant::now();
            senders.again(&mut outcome)?;
        }
        let length = match senders.socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                continue;
            }
            Err(error) => return Err(error),
        };
        let datagram = &buffer[..length];
        let (Some(status), Some(n)) = (wire::status(datagram), senders.pair_of(datagram)) else { continue };
        match status {
            100..=199 => continue,
            407 => {
                senders.challenged(n, datagram)?;
                continue;
            }
            200..=299 => outcome.accepted += 1,
            other => *outcome.refused.entry(other).or_default() += 1,
        }
        senders.pairs[n].credentials.passed();
        senders.pairs[n].waiting = false;
        ended += 1;
        if begun < total {
            senders.begin(n)?;
            begun += 1;
        }
    }
    outcome.took = started.elapsed();
    Ok(outcome)
}
