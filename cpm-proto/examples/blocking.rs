//! A CPM node on `std` alone: threads, one channel, no runtime.
//!
//! `cargo run -p cpm-proto --example blocking -- 127.0.0.1:5060` serves SIP over UDP and TCP with its store in
//! memory. Any driver does what this one does, in six steps a turn (see `turn`): stamp the time, take in what
//! the sockets gave, fire timers, carry out outputs, arm one timer, wait. Everything that blocks has a thread
//! of its own and reports over the same bounded channel: full, it holds up readers, and TCP passes that on.
#![allow(clippy::print_stdout)]

use bytes::{Buf, Bytes};
use cpm_base::shell::{Shell, ShellInput, ShellLimits, ShellOutput};
use cpm_base::{FlowDown, FlowId, FlowInfo, Machine, Now, Segments, Token, Transport};
use cpm_proto::effect::Effect;
use cpm_proto::store::engine::{Durability, StoreEngine, StoreOp};
use cpm_proto::store::mem::MemStore;
use cpm_proto::{Config, Event, Input, Node, Rest, Secret, ServerConfig, UserSecret};
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::spawn;
use std::time::{Duration, Instant, SystemTime};

/// What the other threads report.
enum Report {
    /// Straight to the shell.
    Input(ShellInput<Input>),
    /// A listener took in a connection.
    Accepted(TcpStream),
    /// A connect came up; its flow exists already.
    Connected(FlowId, TcpStream),
}

/// The driver's side of one open socket.
enum Socket {
    Datagram(UdpSocket),
    Stream { socket: TcpStream, writer: Sender<Segments>, gate: Sender<bool> },
}

struct Driver {
    shell: Shell<Node>,
    sockets: HashMap<FlowId, Socket>,
    engine: Sender<(Token, Durability, Vec<StoreOp>)>,
    reports: Receiver<Report>,
    report: SyncSender<Report>,
}

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5060".to_owned());
    let (mut driver, local) = Driver::serve(&address)?;
    println!("serving example.test on {local}, UDP and TCP");
    loop {
        driver.turn();
    }
}

impl Driver {
    /// A node for two users, with its sockets and threads.
    fn serve(address: &str) -> std::io::Result<(Self, SocketAddr)> {
        let users = ["alice", "bob"].map(|name| UserSecret {
            address: format!("sip:{name}@example.test"),
            password: Secret::new(format!("{name}-secret")),
        });
        let domains = vec!["example.test".to_owned()];
        let server = ServerConfig { domains, users: users.into(), ..ServerConfig::default() };
        let node = Node::new(Config { server: Some(server), ..Config::default() }, seed());
        let (report, reports) = sync_channel(1_024);
        let engine = start_engine(report.clone());
        let shell = Shell::new(node, ShellLimits::default());
        let mut driver = Self { shell, sockets: HashMap::new(), engine, reports, report: report.clone() };

        let listener = TcpListener::bind(address)?;
        let local = listener.local_addr()?;
        driver.bind(UdpSocket::bind(local)?)?;
        driver.shell.command(now(), |node, now| node.start(now));
        spawn(move || {
            // An accept that fails is a connection that was gone before we looked.
            for stream in listener.incoming().flatten() {
                report.send(Report::Accepted(stream)).expect("the driver lives as long as the process");
            }
        });
        Ok((driver, local))
    }

    /// One turn: fire timers, carry out, wait, take in.
    fn turn(&mut self) {
        self.shell.handle_timeout(now(), 256);
        while let Some(output) = self.shell.poll_output() {
            self.carry_out(output);
        }
        let wait = match self.shell.poll_timeout() {
            Some((at, _)) => at.saturating_duration_since(Instant::now()),
            None => Duration::from_secs(3_600),
        };
        match self.reports.recv_timeout(wait) {
            // More may be waiting: take in a bounded number, then serve timers and outputs.
            Ok(first) => {
                self.take_in(first);
                for report in self.reports.try_iter().take(64).collect::<Vec<_>>() {
                    self.take_in(report);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => unreachable!("the driver holds a sender itself"),
        }
    }

    fn take_in(&mut self, report: Report) {
        match report {
            // An error is a report about the peer, already answered and counted.
            Report::Input(input) => {
                if let ShellInput::Closed { flow, .. } = &input {
                    self.sockets.remove(flow);
                }
                let _ = self.shell.handle_input(now(), input);
            }
            Report::Accepted(stream) => {
                let Ok(info) = stream_info(&stream, true) else { return };
                if let Some(flow) = self.shell.attach(now(), info) {
                    self.run_stream(flow, stream);
                }
            }
            Report::Connected(flow, stream) => {
                let Ok(info) = stream_info(&stream, false) else { return };
                self.run_stream(flow, stream);
                let _ = self.shell.handle_input(now(), ShellInput::Connected { flow, info });
            }
        }
    }

    fn carry_out(&mut self, output: ShellOutput<Rest>) {
        match output {
            ShellOutput::Connect { flow, remote, .. } => {
                let report = self.report.clone();
                spawn(move || {
                    let _ = report.send(match TcpStream::connect_timeout(&remote, Duration::from_secs(30)) {
                        Ok(stream) => Report::Connected(flow, stream),
                        Err(error) => Report::Input(ShellInput::ConnectFailed { flow, reason: why(&error) }),
                    });
                });
            }
            ShellOutput::Write { flow, segments } => {
                if let Some(Socket::Stream { writer, .. }) = self.sockets.get(&flow) {
                    let _ = writer.send(segments);
                }
            }
            ShellOutput::Datagram { flow, to, data } => {
                if let Some(Socket::Datagram(socket)) = self.sockets.get(&flow) {
                    let _ = socket.send_to(&data, to); // a lost datagram is sent again by the protocol
                }
            }
            ShellOutput::Shutdown { flow } => {
                if let Some(Socket::Stream { socket, .. }) = self.sockets.remove(&flow) {
                    let _ = socket.shutdown(Shutdown::Both); // ends its reader and its writer
                }
            }
            ShellOutput::PauseRead { flow } => self.open_gate(flow, false),
            ShellOutput::ResumeRead { flow } => self.open_gate(flow, true),
            ShellOutput::Rest(Rest::Effect(Effect::Store { token, durability, batch, .. })) => {
                self.engine
                    .send((token, durability, batch))
                    .expect("the engine thread lives as long as we do");
            }
            ShellOutput::Rest(Rest::Event(Event::Started)) => println!("ready"),
            other => println!("{other:?}"),
        }
    }

    /// Adds a datagram socket and its reader thread.
    fn bind(&mut self, socket: UdpSocket) -> std::io::Result<()> {
        let local = socket.local_addr()?;
        let info =
            FlowInfo { transport: Transport::Udp, local, remote: None, accepted: false, trusted: false };
        let Some(flow) = self.shell.attach(now(), info) else { return Ok(()) };
        let (reader, report) = (socket.try_clone()?, self.report.clone());
        self.sockets.insert(flow, Socket::Datagram(socket));
        spawn(move || {
            let mut buffer = vec![0; 65_536];
            loop {
                // An error here is the echo of an earlier send to a closed port: not ours to handle.
                let Ok((length, from)) = reader.recv_from(&mut buffer) else { continue };
                let data = Bytes::copy_from_slice(&buffer[..length]);
                if report.send(Report::Input(ShellInput::Datagram { flow, from, data })).is_err() {
                    return;
                }
            }
        });
        Ok(())
    }

    /// Adds a connection with its reader and writer threads.
    fn run_stream(&mut self, flow: FlowId, socket: TcpStream) {
        let (Ok(reading), Ok(writing)) = (socket.try_clone(), socket.try_clone()) else { return };
        let ((gate, gates), (writer, writes)) = (channel(), channel());
        let report = self.report.clone();
        spawn(move || {
            let reason = read_all(flow, reading, &gates, &report);
            report.send(Report::Input(ShellInput::Closed { flow, reason }))
        });
        let report = self.report.clone();
        spawn(move || write_all(flow, writing, &writes, &report));
        self.sockets.insert(flow, Socket::Stream { socket, writer, gate });
    }

    fn open_gate(&self, flow: FlowId, open: bool) {
        if let Some(Socket::Stream { gate, .. }) = self.sockets.get(&flow) {
            let _ = gate.send(open);
        }
    }
}

/// Reads a connection to its end, holding while the gate is shut.
fn read_all(
    flow: FlowId,
    mut stream: TcpStream,
    gates: &Receiver<bool>,
    report: &SyncSender<Report>,
) -> FlowDown {
    let mut buffer = vec![0; 16_384];
    loop {
        let mut open = gates.try_iter().last().unwrap_or(true);
        while !open {
            match gates.recv() {
                Ok(now_open) => open = now_open,
                Err(_) => return FlowDown::Local,
            }
        }
        let data = match stream.read(&mut buffer) {
            Ok(0) => return FlowDown::Closed,
            Ok(length) => Bytes::copy_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return why(&error),
        };
        if report.send(Report::Input(ShellInput::Read { flow, data })).is_err() {
            return FlowDown::Local;
        }
    }
}

/// Writes what comes, one `Write` after the other, and reports progress.
fn write_all(flow: FlowId, mut stream: TcpStream, writes: &Receiver<Segments>, report: &SyncSender<Report>) {
    while let Ok(mut segments) = writes.recv() {
        while segments.has_remaining() {
            let Ok(bytes @ 1..) = stream.write(segments.chunk()) else {
                let _ = stream.shutdown(Shutdown::Both); // the reader reports the end
                return;
            };
            segments.advance(bytes);
            if report.send(Report::Input(ShellInput::Wrote { flow, bytes })).is_err() {
                return;
            }
        }
    }
}

/// Runs the store: take what waits, apply it in order, sync once, then answer.
fn start_engine(report: SyncSender<Report>) -> Sender<(Token, Durability, Vec<StoreOp>)> {
    let (engine, jobs) = channel::<(Token, Durability, Vec<StoreOp>)>();
    spawn(move || {
        let mut store = MemStore::new();
        while let Ok(first) = jobs.recv() {
            let group: Vec<_> = std::iter::once(first).chain(jobs.try_iter().take(255)).collect();
            let durability =
                group.iter().map(|(_, durability, _)| *durability).max().unwrap_or(Durability::Memory);
            let results: Vec<_> = group.iter().map(|(_, _, batch)| store.apply(now(), batch)).collect();
            let synced = store.sync(durability);
            for ((token, ..), result) in group.into_iter().zip(results) {
                let result = synced.and(result);
                if report.send(Report::Input(ShellInput::Machine(Input::Stored { token, result }))).is_err() {
                    return;
                }
            }
        }
    });
    engine
}

fn stream_info(stream: &TcpStream, accepted: bool) -> std::io::Result<FlowInfo> {
    let (local, remote) = (stream.local_addr()?, Some(stream.peer_addr()?));
    stream.set_nodelay(true)?;
    Ok(FlowInfo { transport: Transport::Tcp, local, remote, accepted, trusted: false })
}

fn why(error: &Error) -> FlowDown {
    match error.kind() {
        ErrorKind::ConnectionRefused => FlowDown::Refused,
        ErrorKind::TimedOut => FlowDown::TimedOut,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => FlowDown::Unreachable,
        _ => FlowDown::Reset,
    }
}

/// The one place that looks at a clock.
fn now() -> Now {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now { mono: Instant::now(), unix }
}

/// 32 bytes from the operating system, by the only way `std` has; a product asks `getrandom`.
fn seed() -> [u8; 32] {
    let words: [u64; 4] = std::array::from_fn(|at| std::hash::RandomState::new().hash_one(at));
    let mut seed = [0; 32];
    for (bytes, word) in seed.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_ne_bytes());
    }
    seed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §11: whoever asks for OPTIONS gets 200, here over both transports.
    #[test]
    fn serves_over_udp_and_tcp() {
        let (mut driver, node) = Driver::serve("127.0.0.1:0").unwrap();
        spawn(move || {
            loop {
                driver.turn();
            }
        });
        let options = |transport: &str, branch: &str| {
            format!(
                "OPTIONS sip:example.test SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1;rport;branch=z9hG4bK{branch}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:carol@example.org>;tag=1\r\nTo: <sip:example.test>\r\n\
                 Call-ID: {branch}@example.org\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            )
        };
        let mut buffer = [0; 4_096];
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        datagrams.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        // Sent again after T1, as every client does: the first may come before the node has read its store.
        let length = (0..20).find_map(|_| {
            datagrams.send_to(options("UDP", "datagram").as_bytes(), node).unwrap();
            datagrams.recv(&mut buffer).ok()
        });
        let length = length.expect("an answer within ten seconds");
        assert!(buffer[..length].starts_with(b"SIP/2.0 200 "));

        let mut stream = TcpStream::connect(node).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        for half in options("TCP", "stream").as_bytes().chunks(200) {
            stream.write_all(half).unwrap();
        }
        stream.read_exact(&mut buffer[..12]).unwrap();
        assert_eq!(&buffer[..12], b"SIP/2.0 200 ");
    }
}
