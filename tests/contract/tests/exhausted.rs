//! A process without file descriptors left: listeners rest instead of spinning, and go on when there are some.
//! A test program of its own, for the limit concerns the whole process.

#![cfg(target_os = "linux")]

use cpm_base::Transport;
use cpm_contract::{Command, Echo, EchoHandler, Note};
use cpm_runtime_common::{DriverOptions, DriverStats, Listen};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

const PEERS: usize = 40;
/// Descriptors left for the shard; some go to what runtimes open late.
const LEFT: u64 = 16;

fn options() -> DriverOptions {
    let listen = vec![Listen { transport: Transport::Tcp, addr: "127.0.0.1:0".parse().unwrap() }];
    DriverOptions::new("starving", listen)
}

/// Starves the shard at `addr`, whose counters `stats` reads, then lets it recover.
fn starve(addr: SocketAddr, stats: impl Fn() -> DriverStats) {
    let before = getrlimit(Resource::Nofile);
    let peers: Vec<Socket> =
        (0..PEERS).map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()).collect();
    let highest = peers.iter().map(|peer| peer.as_raw_fd()).max().unwrap() as u64;
    setrlimit(Resource::Nofile, Rlimit { current: Some(highest + 1 + LEFT), maximum: before.maximum })
        .unwrap();
    for peer in &peers {
        // The kernel connects; whether the shard can accept is another matter.
        peer.connect(&addr.into()).unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while stats().exhausted == 0 {
        assert!(Instant::now() < deadline, "descriptors did not run out");
        std::thread::sleep(Duration::from_millis(10));
    }
    let turns = stats().turns;
    std::thread::sleep(Duration::from_millis(500));
    let spent = stats().turns - turns;
    assert!(spent < 500, "{spent} turns in half a second: the listener spins");
    assert!(stats().accepted < PEERS as u64);
    setrlimit(Resource::Nofile, before).unwrap();
    for peer in peers {
        let mut peer = TcpStream::from(peer);
        peer.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        peer.write_all(b"x").unwrap();
        let mut back = [0; 1];
        peer.read_exact(&mut back).unwrap();
    }
}

#[test]
fn listeners_rest_while_descriptors_are_short() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let shard =
        cpm_runtime_tokio::DriverHandle::<Echo, Command, Note>::spawn(options(), Echo::default(), |_| {
            Ok(EchoHandler { ask: |_| {} })
        })
        .unwrap();
    starve(shard.addresses()[0].addr, || runtime.block_on(shard.inspect(|_, stats| stats)).unwrap());
    runtime.block_on(shard.stop()).unwrap();

    let shard =
        cpm_runtime_smol::DriverHandle::<Echo, Command, Note>::spawn(options(), Echo::default(), |_| {
            Ok(EchoHandler { ask: |_| {} })
        })
        .unwrap();
    starve(shard.addresses()[0].addr, || smol::block_on(shard.inspect(|_, stats| stats)).unwrap());
    smol::block_on(shard.stop()).unwrap();
}
