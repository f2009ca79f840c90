//! The world itself: links do what they are told to, and nothing else.

use bytes::Bytes;
use cpm_base::{FlowDown, FlowId, FlowInput, FlowMachine, FlowOutput, Machine, Now, Token, Transport};
use cpm_sim::{HostId, Link, World};
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Sends what the test says and reports what it hears.
#[derive(Debug, Default)]
struct Post {
    out: VecDeque<Result<FlowOutput, Heard>>,
    flows: BTreeSet<FlowId>,
    deaf: bool,
    /// Asks for this moment again and again, as no machine may.
    stuck: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Up(FlowId, bool),
    Failed(FlowDown),
    Down(FlowDown),
    Datagram(Bytes),
    Bytes(Bytes),
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl Machine for Post {
    type Input = FlowInput;
    type Output = Result<FlowOutput, Heard>;
    type Error = Never;

    fn handle_input(&mut self, _now: Now, input: FlowInput) -> Result<(), Never> {
        self.out.push_back(Err(match input {
            FlowInput::Up { flow, info, .. } => {
                self.flows.insert(flow);
                if info.transport == Transport::Udp {
                    return Ok(());
                }
                Heard::Up(flow, info.accepted)
            }
            FlowInput::OpenFailed { reason, .. } => Heard::Failed(reason),
            FlowInput::Down { flow, reason } => {
                self.flows.remove(&flow);
                Heard::Down(reason)
            }
            FlowInput::Datagram { data, .. } => Heard::Datagram(data),
            FlowInput::Stream { data, .. } => Heard::Bytes(data),
            _ => return Ok(()),
        }));
        Ok(())
    }

    fn handle_timeout(&mut self, _now: Now, _budget: usize) -> bool {
        false
    }

    fn poll_output(&mut self) -> Option<Self::Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.stuck.map(|at| (at, "stuck"))
    }
}

impl FlowMachine for Post {
    type Rest = Heard;

    fn split(output: Self::Output) -> Result<FlowOutput, Heard> {
        output
    }

    fn wants_read(&self, _flow: FlowId) -> bool {
        !self.deaf
    }

    fn poll_stream(&mut self, _now: Now, _flow: FlowId, _out: &mut Vec<Bytes>, _room: usize) -> usize {
        0
    }
}

type PostWorld = World<Post, Vec<(Now, Heard)>>;

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

fn pair(seed: u64) -> (PostWorld, HostId, HostId) {
    let mut world = World::new(seed, false);
    let ports = [(Transport::Udp, 5060), (Transport::Tcp, 5060)];
    let a = world.add_host("a", A, &ports, Vec::new());
    let b = world.add_host("b", B, &ports, Vec::new());
    world.start(a, Post::default());
    world.start(b, Post::default());
    (world, a, b)
}

fn connect(world: &mut PostWorld, from: HostId, to: IpAddr) {
    let remote = SocketAddr::new(to, 5060);
    world.command(from, |post, _| {
        let open = FlowOutput::Open { token: Token(1), transport: Transport::Tcp, remote, server_name: None };
        post.out.push_back(Ok(open));
    });
}

/// The stream of a host, once it is up.
fn stream(world: &PostWorld, host: HostId) -> Option<FlowId> {
    world.handler(host).iter().rev().find_map(|(_, heard)| match heard {
        Heard::Up(flow, _) => Some(*flow),
        _ => None,
    })
}

fn connected(world: &mut PostWorld, a: HostId) -> FlowId {
    connect(world, a, B);
    assert!(world.run_until(Duration::from_secs(1), |world| stream(world, a).is_some()));
    stream(world, a).unwrap()
}

fn send(world: &mut PostWorld, host: HostId, flow: FlowId, to: Option<SocketAddr>, data: Vec<u8>) {
    world.command(host, |post, _| {
        post.out.push_back(Ok(FlowOutput::Transmit { flow, to, data: Bytes::from(data) }));
    });
}

fn heard_bytes(world: &PostWorld, host: HostId) -> Vec<u8> {
    let bytes = world.handler(host).iter().filter_map(|(_, heard)| match heard {
        Heard::Bytes(bytes) => Some(bytes.to_vec()),
        _ => None,
    });
    bytes.flatten().collect()
}

fn downs(world: &PostWorld, host: HostId) -> Vec<FlowDown> {
    let downs = world.handler(host).iter().filter_map(|(_, heard)| match heard {
        Heard::Down(reason) | Heard::Failed(reason) => Some(*reason),
        _ => None,
    });
    downs.collect()
}

fn numbers(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at % 251) as u8).collect()
}

/// Sends 100 numbered datagrams from a to b, 10 ms apart; gives what arrived.
fn hundred_datagrams(link: Link) -> (Vec<u8>, cpm_sim::Counts) {
    let (mut world, a, b) = pair(7);
    world.set_links(link);
    let flow = *world.machine(a).unwrap().flows.first().unwrap();
    for number in 0..100 {
        send(&mut world, a, flow, Some(SocketAddr::new(B, 5060)), vec![number]);
        world.run_for(Duration::from_millis(10));
    }
    world.run_for(Duration::from_secs(2));
    let arrived = world.handler(b).iter().filter_map(|(_, heard)| match heard {
        Heard::Datagram(data) => Some(data[0]),
        _ => None,
    });
    (arrived.collect(), world.counts())
}

fn faulty(change: impl FnOnce(&mut Link)) -> Link {
    let mut link = Link::calm();
    change(&mut link);
    link
}

#[test]
fn a_calm_link_delivers_every_datagram_once_and_in_order() {
    let (arrived, counts) = hundred_datagrams(Link::calm());
    assert_eq!(arrived, (0..100).collect::<Vec<u8>>());
    assert_eq!((counts.datagrams, counts.lost, counts.duplicated), (100, 0, 0));
}

#[test]
fn datagrams_are_lost_repeated_and_overtaken_as_told() {
    let (arrived, counts) = hundred_datagrams(faulty(|link| link.loss = 300));
    assert!((10..60).contains(&counts.lost), "{counts:?}");
    assert_eq!(arrived.len() as u64, 100 - counts.lost);
    assert!(arrived.is_sorted());

    let (arrived, counts) = hundred_datagrams(faulty(|link| link.duplicate = 1_000));
    assert_eq!((arrived.len(), counts.duplicated), (200, 100));

    let (mut arrived, counts) = hundred_datagrams(faulty(|link| link.reorder = 300));
    assert!(!arrived.is_sorted() && counts.reordered > 10);
    arrived.sort_unstable();
    assert_eq!(arrived, (0..100).collect::<Vec<u8>>());

    let dark = faulty(|link| (link.burst, link.dark) = (20, Duration::from_millis(200)));
    let (arrived, counts) = hundred_datagrams(dark);
    assert!(counts.lost >= 15, "a dark time takes many in a row: {counts:?}");
    assert_eq!(arrived.len() as u64, 100 - counts.lost);
}

#[test]
fn a_stream_keeps_its_order_however_it_is_cut() {
    for piece in [1, 2, 7, 1_000, 65_536] {
        let (mut world, a, b) = pair(11);
        let stalls = faulty(|link| {
            (link.piece, link.stall, link.stall_for) = (piece, 20, Duration::from_millis(50));
            link.jitter = Duration::from_millis(20);
        });
        world.set_links(stalls);
        let flow = connected(&mut world, a);
        for part in numbers(4_000).chunks(1_500) {
            send(&mut world, a, flow, None, part.to_vec());
        }
        world.run_for(Duration::from_secs(60));
        assert_eq!(heard_bytes(&world, b), numbers(4_000));
        let longest = world.handler(b).iter().filter_map(|(_, heard)| match heard {
            Heard::Bytes(bytes) => Some(bytes.len()),
            _ => None,
        });
        assert!(longest.max().unwrap() <= piece);
    }
}

#[test]
fn a_reset_loses_an_end_of_what_was_sent_and_both_hear_of_it() {
    let (mut world, a, b) = pair(3);
    let flow = connected(&mut world, a);
    world.set_links(faulty(|link| link.reset = 1_000));
    send(&mut world, a, flow, None, numbers(5_000));
    world.run_for(Duration::from_secs(5));
    let heard = heard_bytes(&world, b);
    assert_eq!(heard[..], numbers(5_000)[..heard.len()]);
    assert_eq!((downs(&world, a), downs(&world, b)), (vec![FlowDown::Reset], vec![FlowDown::Reset]));
    assert_eq!((world.connections(), world.counts().resets), (0, 1));
}

#[test]
fn connects_are_refused_or_never_answered() {
    let (mut world, a, b) = pair(3);
    world.set_links(faulty(|link| link.refuse = 1_000));
    connect(&mut world, a, B);
    world.run_for(Duration::from_secs(1));
    assert_eq!(downs(&world, a), [FlowDown::Refused]);
    world.set_links(faulty(|link| link.blackhole = 1_000));
    connect(&mut world, a, B);
    world.run_for(Duration::from_secs(70));
    assert_eq!(downs(&world, a), [FlowDown::Refused, FlowDown::TimedOut]);
    world.calm_down();
    connect(&mut world, a, IpAddr::from([192, 0, 2, 99]));
    world.run_for(Duration::from_secs(1));
    assert_eq!(downs(&world, a).len(), 3, "nobody is there");
    assert!(world.handler(b).is_empty());
    assert_eq!(world.connections(), 0);
}

#[test]
fn a_killed_host_resets_its_peers_or_says_nothing() {
    for silent in [false, true] {
        let (mut world, a, b) = pair(5);
        let flow = connected(&mut world, a);
        world.kill(b, silent);
        assert!(!world.is_running(b) && world.command(b, |_, _| ()).is_none());
        world.run_for(Duration::from_secs(2));
        assert_eq!(downs(&world, a).is_empty(), silent);
        world.start(b, Post::default());
        send(&mut world, a, flow, None, vec![1]);
        world.run_for(Duration::from_secs(2));
        assert_eq!(downs(&world, a), [FlowDown::Reset], "at the latest when it writes to the new process");
        assert_eq!(heard_bytes(&world, b), [], "nothing reaches the new process on the old connection");
        assert_eq!(world.connections(), 0);
    }
}

#[test]
fn closing_lets_everything_arrive_first() {
    let (mut world, a, b) = pair(5);
    world.set_links(faulty(|link| link.piece = 10));
    let flow = connected(&mut world, a);
    send(&mut world, a, flow, None, numbers(1_000));
    world.command(a, |post, _| post.out.push_back(Ok(FlowOutput::Close { flow })));
    world.run_for(Duration::from_secs(4));
    assert_eq!(heard_bytes(&world, b), numbers(1_000));
    assert_eq!((downs(&world, a), downs(&world, b)), (vec![FlowDown::Local], vec![FlowDown::Closed]));
    assert_eq!(world.connections(), 0);
}

#[test]
fn a_reader_that_pauses_holds_up_the_writer() {
    let (mut world, a, b) = pair(5);
    let flow = connected(&mut world, a);
    world.run_for(Duration::from_secs(1));
    world.command(b, |post, _| post.deaf = true);
    world.set_links(faulty(|link| link.piece = 100));
    // The first piece is read before the shell learns that no more is wanted.
    send(&mut world, a, flow, None, numbers(5_000));
    world.run_for(Duration::from_secs(3));
    let held = heard_bytes(&world, b).len();
    assert!(held <= 100, "{held} bytes came through");
    world.command(b, |post, _| post.deaf = false);
    world.run_for(Duration::from_secs(3));
    assert_eq!(heard_bytes(&world, b), numbers(5_000));
}

#[test]
fn a_parted_link_loses_datagrams_and_holds_streams() {
    let (mut world, a, b) = pair(5);
    let flow = connected(&mut world, a);
    world.part(A, B, true);
    send(&mut world, a, flow, None, vec![9; 10]);
    let socket = *world.machine(a).unwrap().flows.first().unwrap();
    send(&mut world, a, socket, Some(SocketAddr::new(B, 5060)), vec![1]);
    world.run_for(Duration::from_secs(2));
    assert_eq!((heard_bytes(&world, b).len(), world.counts().lost), (0, 1));
    world.part(A, B, false);
    world.run_for(Duration::from_secs(1));
    assert_eq!(heard_bytes(&world, b), [9; 10]);
}

#[test]
fn wall_clocks_step_and_timers_do_not_notice() {
    let (mut world, a, _) = pair(5);
    world.step_wall_clock(a, -5_000);
    let now = world.now();
    let seen = world.command(a, |_, now| now).unwrap();
    assert_eq!((seen.mono, seen.unix), (now.mono, now.unix - Duration::from_secs(5)));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let (mut world, a, _) = pair(seed);
        let link = Link::swarm(world.rng());
        world.set_links(link);
        connect(&mut world, a, B);
        world.run_for(Duration::from_secs(20));
        for round in 0..20 {
            if let Some(flow) = stream(&world, a) {
                send(&mut world, a, flow, None, numbers(100 * round));
            }
            let socket = *world.machine(a).unwrap().flows.first().unwrap();
            send(&mut world, a, socket, Some(SocketAddr::new(B, 5060)), numbers(round));
            world.run_for(Duration::from_millis(200));
        }
        (world.fingerprint(), world.counts())
    };
    let runs: Vec<_> = (0..20).map(run).collect();
    assert_eq!(runs, (0..20).map(run).collect::<Vec<_>>());
    let different: BTreeSet<u64> = runs.iter().map(|(fingerprint, _)| *fingerprint).collect();
    assert_eq!(different.len(), 20);
}

#[test]
#[should_panic(expected = "asks twice for stuck")]
fn a_machine_that_asks_twice_for_the_same_past_moment_is_found() {
    let (mut world, a, _) = pair(5);
    let at = world.now().mono + Duration::from_secs(1);
    world.command(a, |post, _| post.stuck = Some(at));
    world.run_for(Duration::from_secs(2));
}
