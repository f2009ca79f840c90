//! The world: hosts, links, one clock, one queue of happenings, one seed.

use crate::Link;
use crate::host::{Handler, Host, HostId, Socket};
use crate::stream::Connection;
use crate::trace::{Counts, Trace};
use bytes::Bytes;
use cpm_base::shell::{Shell, ShellInput, ShellLimits, ShellOutput};
use cpm_base::{FlowDown, FlowId, FlowInfo, FlowMachine, Machine, Now, Rng, Transport};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Arguments;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Wall clock at the beginning of every world: 2023-11-14 22:13:20 UTC.
const BEGIN_UNIX: Duration = Duration::from_secs(1_700_000_000);
/// Timers fired in one call, small so that "more are due" is exercised.
const TIMER_BUDGET: usize = 7;
/// A turn of a host with more outputs or timer calls than this does not end.
const TURN_LIMIT: usize = 100_000;

/// What the network has in store.
#[derive(Debug)]
pub(crate) enum Happening {
    Datagram { from: SocketAddr, to: SocketAddr, data: Bytes },
    ConnectArrives { connection: u64 },
    ConnectAnswered { connection: u64 },
    ConnectFails { connection: u64, reason: FlowDown },
    StreamArrives { connection: u64, direction: usize },
}

/// Everything that runs in one simulation. See the crate documentation.
pub struct World<M: FlowMachine, H> {
    pub(crate) now: Now,
    begin: Now,
    pub(crate) rng: Rng,
    pub(crate) hosts: Vec<Host<M, H>>,
    queue: BTreeMap<(Instant, u64), Happening>,
    next_happening: u64,
    pub(crate) connections: BTreeMap<u64, Connection>,
    pub(crate) next_connection: u64,
    everywhere: Link,
    links: BTreeMap<(IpAddr, IpAddr), Link>,
    pub(crate) parted: BTreeSet<(IpAddr, IpAddr)>,
    pub(crate) dark_until: BTreeMap<(IpAddr, IpAddr), Instant>,
    /// The last datagrams that arrived: source, destination, bytes.
    pub(crate) overheard: VecDeque<(SocketAddr, SocketAddr, Bytes)>,
    pub(crate) trace: Trace,
}

impl<M: FlowMachine, H: Handler<M>> World<M, H> {
    /// An empty world. With `record` every happening is kept as a line, see [`World::lines`].
    pub fn new(seed: u64, record: bool) -> Self {
        // `Instant` has no zero: the one look at a clock of the whole simulation, and nothing depends on it.
        #[allow(clippy::disallowed_methods)]
        let begin = Now { mono: Instant::now(), unix: BEGIN_UNIX };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self {
            now: begin,
            begin,
            rng: Rng::new(bytes),
            hosts: Vec::new(),
            queue: BTreeMap::new(),
            next_happening: 0,
            connections: BTreeMap::new(),
            next_connection: 1,
            everywhere: Link::calm(),
            links: BTreeMap::new(),
            parted: BTreeSet::new(),
            dark_until: BTreeMap::new(),
            overheard: VecDeque::new(),
            trace: Trace::new(record),
        }
    }

    /// Adds a host that is not running yet. It binds and listens on these ports whenever it runs.
    pub fn add_host(
        &mut self,
        name: &str,
        address: IpAddr,
        ports: &[(Transport, u16)],
        handler: H,
    ) -> HostId {
        self.hosts.push(Host {
            name: name.to_owned(),
            address,
            shell: None,
            handler,
            binds: ports
                .iter()
                .map(|(transport, port)| (*transport, SocketAddr::new(address, *port)))
                .collect(),
            sockets: BTreeMap::new(),
            process: 1,
            asked: None,
            next_port: 20_000,
            wall_offset: 0,
        });
        HostId(self.hosts.len() - 1)
    }

    /// Starts a process on a host.
    pub fn start(&mut self, host: HostId, machine: M) {
        self.note(host.0, format_args!("starts"), &[]);
        let now = self.now_of(host.0);
        let mut shell = Shell::new(machine, ShellLimits::default());
        let at = &mut self.hosts[host.0];
        for (_, local) in at.binds.iter().filter(|(transport, _)| *transport == Transport::Udp) {
            let info = FlowInfo {
                transport: Transport::Udp,
                local: *local,
                remote: None,
                accepted: false,
                trusted: false,
            };
            if let Some(flow) = shell.attach(now, info) {
                at.sockets.insert(flow, Socket::Datagram(*local));
            }
        }
        at.shell = Some(shell);
        at.asked = None;
        self.drain(host.0);
    }

    /// Kills the process of a host as SIGKILL does: nothing is said, nothing is saved. Its peers' connections
    /// are reset, or with `silent` they hear nothing until they write.
    pub fn kill(&mut self, host: HostId, silent: bool) {
        let at = &mut self.hosts[host.0];
        if at.shell.take().is_none() {
            return;
        }
        at.process += 1;
        self.trace.counts.kills += 1;
        self.note(host.0, format_args!("killed"), &[]);
        self.streams_die(host.0, silent);
        let rng = &mut self.rng;
        self.hosts[host.0].handler.killed(rng);
    }

    /// Whether a process runs on the host.
    pub fn is_running(&self, host: HostId) -> bool {
        self.hosts[host.0].shell.is_some()
    }

    /// Runs a command on the machine of a host; `None` if no process runs.
    pub fn command<R>(&mut self, host: HostId, command: impl FnOnce(&mut M, Now) -> R) -> Option<R> {
        let now = self.now_of(host.0);
        self.hosts[host.0].asked = None;
        let result = self.hosts[host.0].shell.as_mut()?.command(now, command);
        self.drain(host.0);
        Some(result)
    }

    /// The machine of a host, to look at.
    pub fn machine(&self, host: HostId) -> Option<&M> {
        self.hosts[host.0].shell.as_ref().map(Shell::machine)
    }

    /// The handler of a host.
    pub fn handler(&self, host: HostId) -> &H {
        &self.hosts[host.0].handler
    }

    /// The handler of a host, to change it.
    pub fn handler_mut(&mut self, host: HostId) -> &mut H {
        &mut self.hosts[host.0].handler
    }

    /// Sets the faults of every link that has none of its own.
    pub fn set_links(&mut self, link: Link) {
        self.everywhere = link;
    }

    /// Sets the faults of the link between two addresses, both ways.
    pub fn set_link(&mut self, one: IpAddr, other: IpAddr, link: Link) {
        self.links.insert((one, other), link);
        self.links.insert((other, one), link);
    }

    /// Parts the way from one address to another, or mends it. Datagrams are lost, streams wait.
    pub fn part(&mut self, from: IpAddr, to: IpAddr, parted: bool) {
        if parted {
            self.parted.insert((from, to));
        } else {
            self.parted.remove(&(from, to));
        }
    }

    /// The last datagrams that arrived anywhere, oldest first: what somebody on the way has seen.
    pub fn overheard(&self) -> impl ExactSizeIterator<Item = &(SocketAddr, SocketAddr, Bytes)> {
        self.overheard.iter()
    }

    /// A datagram from nowhere, under any source address; it arrives at once.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, data: Bytes) {
        self.schedule(Duration::ZERO, Happening::Datagram { from, to, data });
    }

    /// Ends all faults of links.
    pub fn calm_down(&mut self) {
        self.everywhere = Link::calm();
        self.links.clear();
        self.parted.clear();
        self.dark_until.clear();
    }

    /// Sets the wall clock of a host forward or back by milliseconds; its timers do not notice.
    pub fn step_wall_clock(&mut self, host: HostId, by: i64) {
        self.hosts[host.0].wall_offset += by;
    }

    /// The clock of the world.
    pub fn now(&self) -> Now {
        self.now
    }

    /// Time since the beginning.
    pub fn age(&self) -> Duration {
        self.now.mono.duration_since(self.begin.mono)
    }

    /// The world's own source of randomness, for what the test decides.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Connections that exist, or are being made.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// What happened how often.
    pub fn counts(&self) -> Counts {
        self.trace.counts
    }

    /// A number over everything that moved and when: equal for equal runs.
    pub fn fingerprint(&self) -> u64 {
        self.trace.fingerprint()
    }

    /// The recorded lines.
    pub fn lines(&self) -> &[String] {
        self.trace.lines()
    }

    /// Notes something in the record, at this host.
    pub fn remark(&mut self, host: HostId, what: &str) {
        let age = self.age();
        self.trace.remark(age, &self.hosts[host.0].name, || Some(what.to_owned()));
    }

    /// Runs for so long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Runs until `done` holds, at most for `time`; whether it held.
    pub fn run_until(&mut self, time: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now.mono + time;
        loop {
            if done(self) {
                return true;
            }
            if !self.step(end) {
                return done(self);
            }
        }
    }

    /// Does the next thing, if it happens by `end`; otherwise moves the clock to `end` and gives false.
    fn step(&mut self, end: Instant) -> bool {
        let happening = self.queue.first_key_value().map(|((at, _), _)| *at);
        let due = |host: &Host<M, H>| {
            let timer = host.shell.as_ref().and_then(|shell| shell.poll_timeout()).map(|(at, _)| at);
            let handler = host.shell.as_ref().and_then(|_| host.handler.wakes());
            timer.into_iter().chain(handler).min()
        };
        let wake = self.hosts.iter().enumerate().filter_map(|(at, host)| Some((due(host)?, at))).min();
        let next = happening.into_iter().chain(wake.map(|(at, _)| at)).min();
        match next {
            Some(at) if at <= end => self.advance(at),
            _ => {
                self.advance(end);
                return false;
            }
        }
        match wake {
            Some((at, host)) if happening.is_none_or(|happening| at < happening) => self.wake(host),
            _ => {
                if let Some((_, happening)) = self.queue.pop_first() {
                    self.happen(happening);
                }
            }
        }
        true
    }

    fn advance(&mut self, to: Instant) {
        let by = to.saturating_duration_since(self.now.mono);
        self.now = self.now.after(by);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Datagram { from, to, data } => self.datagram_arrives(from, to, data),
            Happening::ConnectArrives { connection } => self.connect_arrives(connection),
            Happening::ConnectAnswered { connection } => self.connect_answered(connection),
            Happening::ConnectFails { connection, reason } => self.connect_fails(connection, reason),
            Happening::StreamArrives { connection, direction } => self.stream_arrives(connection, direction),
        }
    }

    /// Serves the handler and the timers of a host, and checks that the timers are content afterwards.
    fn wake(&mut self, host: usize) {
        let now = self.now_of(host);
        if self.hosts[host].handler.wakes().is_some_and(|at| at <= now.mono) {
            for input in self.hosts[host].handler.run(now) {
                self.feed(host, ShellInput::Machine(input));
            }
        }
        let at = &mut self.hosts[host];
        let Some(shell) = at.shell.as_mut() else { return };
        if let Some((due, name)) = shell.poll_timeout()
            && due <= now.mono
        {
            assert!(
                at.asked != Some((due, name)),
                "{} asks twice for {name}, which was due and served",
                at.name
            );
            let mut calls = 0;
            while shell.handle_timeout(now, TIMER_BUDGET) {
                calls += 1;
                assert!(calls < TURN_LIMIT, "{}: {name} never has enough", at.name);
            }
            at.asked = Some((due, name));
        }
        self.drain(host);
    }

    /// Binds or accepts at a host.
    pub(crate) fn attach(&mut self, host: usize, info: FlowInfo) -> Option<FlowId> {
        let now = self.now_of(host);
        self.hosts[host].shell.as_mut()?.attach(now, info)
    }

    /// Gives an input to the shell of a host and carries out what follows.
    pub(crate) fn feed(&mut self, host: usize, input: ShellInput<M::Input>) {
        let now = self.now_of(host);
        match &input {
            ShellInput::Read { flow, data } => {
                self.note(host, format_args!("reads on flow {}", flow.0), data)
            }
            ShellInput::Connected { flow, .. } => self.note(host, format_args!("flow {} is up", flow.0), &[]),
            ShellInput::Closed { flow, reason } => {
                self.note(host, format_args!("flow {}: {reason}", flow.0), &[])
            }
            _ => {}
        }
        // A new input may well arm a timer for this very moment again.
        self.hosts[host].asked = None;
        let Some(shell) = self.hosts[host].shell.as_mut() else { return };
        if let Err(error) = shell.handle_input(now, input) {
            let error = error.to_string();
            self.note(host, format_args!("refuses: {error}"), &[]);
        }
        self.drain(host);
    }

    /// Carries out what the shell of a host puts out.
    pub(crate) fn drain(&mut self, host: usize) {
        let now = self.now_of(host);
        for _ in 0..TURN_LIMIT {
            let Some(output) = self.hosts[host].shell.as_mut().and_then(|shell| shell.poll_output()) else {
                return;
            };
            match output {
                ShellOutput::Connect { flow, transport, remote, .. } => {
                    self.connect(host, flow, transport, remote)
                }
                ShellOutput::Write { flow, segments } => self.write(host, flow, segments),
                ShellOutput::Datagram { flow, to, data } => self.send_datagram(host, flow, to, data),
                ShellOutput::Shutdown { flow } => self.shut_down(host, flow),
                ShellOutput::PauseRead { flow } => self.set_paused(host, flow, true),
                ShellOutput::ResumeRead { flow } => self.set_paused(host, flow, false),
                ShellOutput::Rest(rest) => {
                    let (age, at) = (self.age(), &mut self.hosts[host]);
                    self.trace.remark(age, &at.name, || at.handler.describe(&rest));
                    at.handler.rest(now, rest);
                }
                other => panic!("the world does not know {}", std::any::type_name_of_val(&other)),
            }
        }
        panic!("a turn of {} does not end", self.hosts[host].name);
    }

    pub(crate) fn link(&self, pair: (IpAddr, IpAddr)) -> Link {
        self.links.get(&pair).copied().unwrap_or(self.everywhere)
    }

    pub(crate) fn schedule(&mut self, after: Duration, happening: Happening) {
        self.schedule_at(self.now.mono + after, happening);
    }

    pub(crate) fn schedule_at(&mut self, at: Instant, happening: Happening) {
        self.queue.insert((at, self.next_happening), happening);
        self.next_happening += 1;
    }

    /// The clocks as a host sees them.
    pub(crate) fn now_of(&self, host: usize) -> Now {
        let offset = self.hosts.get(host).map_or(0, |host| host.wall_offset);
        let by = Duration::from_millis(offset.unsigned_abs());
        let unix = if offset < 0 { self.now.unix.saturating_sub(by) } else { self.now.unix + by };
        Now { unix, ..self.now }
    }

    pub(crate) fn note(&mut self, host: usize, what: Arguments<'_>, data: &[u8]) {
        let age = self.age();
        let name = self.hosts.get(host).map_or("nobody", |host| host.name.as_str());
        self.trace.note(age, name, what, data);
    }
}
