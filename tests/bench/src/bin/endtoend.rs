//! Messages a second end to end over loopback UDP, and what each costs the server in CPU time.
//!
//! `endtoend [ROUNDS MESSAGES]` runs the whole table; `endtoend against ADDRESS PROCESS-ID` loads a registrar and proxy that is
//! already running (users s0.. and r0.. of example.test, password "secret"); `node` and `echo` are the roles of its
//! child processes.

use cpm_bench::load::{
    Child, DOMAIN, Devices, PASSWORD, Proof, Senders, cpu, recipient, run, sender_address,
};
use cpm_proto::store::engine::StoreEngine;
use cpm_proto::store::mem::MemStore;
use cpm_proto::{Config, ServerConfig, UserSecret};
use cpm_runtime_common::{Listen, ServerOptions};
use cpm_sip::auth::Secret;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// Senders, and so messages under way at once.
const PAIRS: usize = 64;

/// Rounds of the whole table; the median is shown.
const ROUNDS: usize = 3;

/// Messages of one measurement, after a tenth as many to warm up.
const MESSAGES: u64 = 10_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["node", runtime, engine, proof] => node(runtime, engine, proof),
        ["echo"] => echo(),
        ["against", address, process] => against(address.parse()?, process.parse()?),
        [] => table(ROUNDS, MESSAGES),
        [rounds, messages] => table(rounds.parse()?, messages.parse()?),
        _ => Err("usage: endtoend [ROUNDS MESSAGES | against ADDRESS PROCESS-ID]".into()),
    }
}

/// One measured line.
#[derive(Clone, Copy, Default)]
struct Measured {
    per_second: f64,
    /// Microseconds of the server's CPU for each message.
    cpu: f64,
}

/// What is measured: a name, the child's arguments, whether the recipients are there.
struct Case {
    name: &'static str,
    child: [&'static str; 4],
    online: bool,
}

const CASES: [Case; 7] = [
    Case {
        name: "relayed, trusted, memory, tokio",
        child: ["node", "tokio", "memory", "trusted"],
        online: true,
    },
    Case {
        name: "relayed, trusted, memory, smol",
        child: ["node", "smol", "memory", "trusted"],
        online: true,
    },
    Case {
        name: "relayed, trusted, fjall, tokio",
        child: ["node", "tokio", "fjall", "trusted"],
        online: true,
    },
    Case {
        name: "relayed, digest, memory, tokio",
        child: ["node", "tokio", "memory", "digest"],
        online: true,
    },
    Case {
        name: "deferred, trusted, memory, tokio",
        child: ["node", "tokio", "memory", "trusted"],
        online: false,
    },
    Case {
        name: "deferred, trusted, fjall, tokio",
        child: ["node", "tokio", "fjall", "trusted"],
        online: false,
    },
    Case {
        name: "deferred, trusted, fjall, smol",
        child: ["node", "smol", "fjall", "trusted"],
        online: false,
    },
];

fn table(rounds: usize, messages: u64) -> Outcome<()> {
    let mut echoes = Vec::new();
    let mut cases = vec![Vec::new(); CASES.len()];
    for _ in 0..rounds {
        echoes.push(measure_echo(messages)?);
        for (case, measured) in CASES.iter().zip(&mut cases) {
            let line = measure(case, messages).map_err(|error| format!("{}: {error}", case.name))?;
            eprintln!("{}: {:.0}/s, {:.1} µs", case.name, line.per_second, line.cpu);
            measured.push(line);
        }
    }
    println!(
        "### Messages end to end over loopback UDP ({PAIRS} under way, {messages} each, median of {rounds})\n"
    );
    println!("| what | messages/s | server CPU µs/message | x echo |");
    println!("|---|---:|---:|---:|");
    let echo = middle(&echoes);
    println!("| UDP echo of a fixed 200 (bound) | {:.0} | {:.2} | 1.0 |", echo.per_second, echo.cpu);
    for (case, measured) in CASES.iter().zip(&cases) {
        let line = middle(measured);
        println!("| {} | {:.0} | {:.2} | {:.1} |", case.name, line.per_second, line.cpu, line.cpu / echo.cpu);
    }
    Ok(())
}

fn middle(measured: &[Measured]) -> Measured {
    let pick = |of: fn(&Measured) -> f64| cpm_bench::rounds::median(measured.iter().map(of).collect());
    Measured { per_second: pick(|m| m.per_second), cpu: pick(|m| m.cpu) }
}

fn measure(case: &Case, messages: u64) -> Outcome<Measured> {
    let child = Child::start(&case.child)?;
    let proof = if case.child[3] == "digest" { Proof::Digest } else { Proof::Trusted };
    let devices = if case.online { Some(Devices::register(child.address, PAIRS)?) } else { None };
    load(child.address, child.id(), proof, devices.as_ref(), messages)
}

fn load(
    server: SocketAddr,
    process: u32,
    proof: Proof,
    devices: Option<&Devices>,
    messages: u64,
) -> Outcome<Measured> {
    let mut senders = Senders::new(server, PAIRS, proof)?;
    let warm = messages / 10;
    let total = messages + warm;
    let warmed = run(&mut senders, warm)?;
    let before = cpu(process)?;
    let outcome = run(&mut senders, messages)?;
    let spent = cpu(process)? - before;
    if outcome.accepted + warmed.accepted < total {
        return Err(format!("not all were accepted: {warmed:?} {outcome:?}").into());
    }
    if let Some(devices) = devices
        && devices.received() != total
    {
        return Err(format!("{} of {total} were delivered", devices.received()).into());
    }
    if outcome.again > 0 {
        eprintln!("{} were sent again", outcome.again);
    }
    Ok(Measured {
        per_second: messages as f64 / outcome.took.as_secs_f64(),
        cpu: spent.as_secs_f64() * 1e6 / messages as f64,
    })
}

/// Each round has Devices of its own, since a proxy keeps the message identifiers of no one apart.
fn against(server: SocketAddr, process: u32) -> Outcome<()> {
    let mut measured = Vec::new();
    for _ in 0..ROUNDS {
        let devices = Devices::register(server, PAIRS)?;
        measured.push(load(server, process, Proof::Trusted, Some(&devices), MESSAGES)?);
    }
    let line = middle(&measured);
    println!("| relayed by {server} | {:.0} | {:.2} |", line.per_second, line.cpu);
    Ok(())
}

/// Packets a second of a socket that answers anything with the same 200, loaded in the same way.
fn measure_echo(messages: u64) -> Outcome<Measured> {
    let child = Child::start(&["echo"])?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(child.address)?;
    let packet = vec![b'x'; 900];
    let mut buffer = [0; 2048];
    for _ in 0..PAIRS {
        socket.send(&packet)?;
    }
    let mut exchange = |count: u64| -> std::io::Result<()> {
        for _ in 0..count {
            socket.recv(&mut buffer)?;
            socket.send(&packet)?;
        }
        Ok(())
    };
    exchange(messages / 10)?;
    let before = cpu(child.id())?;
    let started = std::time::Instant::now();
    exchange(messages)?;
    let took = started.elapsed();
    let spent = cpu(child.id())? - before;
    Ok(Measured {
        per_second: messages as f64 / took.as_secs_f64(),
        cpu: spent.as_secs_f64() * 1e6 / messages as f64,
    })
}

fn echo() -> Outcome<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    announce(socket.local_addr()?)?;
    std::thread::spawn(end_with_input);
    let answer = [b'y'; 400];
    let mut buffer = [0; 2048];
    loop {
        let (_, from) = socket.recv_from(&mut buffer)?;
        socket.send_to(&answer, from)?;
    }
}

/// A node that serves the users of the load.
fn node(runtime: &str, engine: &str, proof: &str) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let engine: Box<dyn StoreEngine + Send> = match engine {
        "fjall" => Box::new(cpm_store::FjallStore::open(folder.path(), cpm_store::Options::default())?),
        _ => Box::new(MemStore::new()),
    };
    let listen = vec![Listen { transport: cpm_base::Transport::Udp, addr: "127.0.0.1:0".parse()? }];
    let options = ServerOptions::new(configuration(proof), listen, engine);
    // The servers run on threads of their own; this one only waits.
    match runtime {
        "smol" => {
            let server = smol::block_on(cpm_runtime_smol::Server::start(options))?;
            announce(server.addresses()[0].addr)?;
            wait_for_input();
            smol::block_on(server.stop())?;
        }
        _ => {
            let tokio = tokio::runtime::Builder::new_current_thread().build()?;
            let server = tokio.block_on(cpm_runtime_tokio::Server::start(options))?;
            announce(server.addresses()[0].addr)?;
            wait_for_input();
            tokio.block_on(server.stop())?;
        }
    }
    Ok(())
}

fn configuration(proof: &str) -> Config {
    let user = |address| UserSecret { address, password: Secret::new(PASSWORD) };
    let users = (0..PAIRS).flat_map(|n| [user(sender_address(n)), user(recipient(n))]).collect();
    let server = ServerConfig { domains: vec![DOMAIN.to_owned()], users, ..ServerConfig::default() };
    let mut config = Config { server: Some(server), ..Config::default() };
    if proof == "trusted" {
        config.sip.trusted.insert("127.0.0.1".parse().expect("an address"));
    }
    // One source stands for many users here, and finished transactions live on for 32 s.
    config.sip.limits.transactions = 2_000_000;
    config.sip.limits.transactions_per_source = 2_000_000;
    config
}

fn announce(address: SocketAddr) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{address}")?;
    out.flush()
}

fn wait_for_input() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn end_with_input() {
    wait_for_input();
    std::thread::sleep(Duration::from_millis(1));
    std::process::exit(0);
}
