use super::*;
use crate::{FlowOutput, Token};
use std::time::Duration;

/// A machine that notes what it is told and puts out what the test asks for.
#[derive(Debug, Default)]
pub(super) struct Probe {
    pub(super) seen: Vec<String>,
    pub(super) out: VecDeque<FlowOutput>,
    pub(super) refuses_reads: bool,
    pull: VecDeque<Bytes>,
    largest_room: usize,
    deadline: Option<Instant>,
}

#[derive(Debug, thiserror::Error)]
#[error("refused")]
pub(super) struct Refused;

impl Probe {
    /// Whether the last news of this flow is that it is up.
    pub(super) fn is_up(&self, flow: FlowId) -> bool {
        let (up, down) = (format!("up {} ", flow.0), format!("down {} ", flow.0));
        let mut news = self.seen.iter().rev();
        news.find(|line| line.starts_with(&up) || line.starts_with(&down))
            .is_some_and(|line| line.starts_with(&up))
    }
}

impl Machine for Probe {
    type Input = FlowInput;
    type Output = FlowOutput;
    type Error = Refused;

    fn handle_input(&mut self, _now: Now, input: FlowInput) -> Result<(), Refused> {
        match input {
            FlowInput::Up { flow, opened, .. } => self.seen.push(format!("up {} {opened:?}", flow.0)),
            FlowInput::OpenFailed { token, reason } => {
                self.seen.push(format!("open-failed {} {reason}", token.0))
            }
            FlowInput::Down { flow, reason } => self.seen.push(format!("down {} {reason}", flow.0)),
            FlowInput::Datagram { flow, data, .. } => {
                self.seen.push(format!("datagram {} {}", flow.0, data.len()))
            }
            FlowInput::Stream { data, .. } if &data[..] == b"bad" => return Err(Refused),
            FlowInput::Stream { flow, data } => self.seen.push(format!("stream {} {}", flow.0, data.len())),
        }
        Ok(())
    }

    fn handle_timeout(&mut self, now: Now, _budget: usize) -> bool {
        if self.deadline.is_some_and(|at| at <= now.mono) {
            self.deadline = None;
            self.seen.push("timer".to_owned());
        }
        false
    }

    fn poll_output(&mut self) -> Option<FlowOutput> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.deadline.map(|at| (at, "probe"))
    }
}

impl FlowMachine for Probe {
    type Rest = ();

    fn split(output: FlowOutput) -> Result<FlowOutput, ()> {
        Ok(output)
    }

    fn wants_read(&self, _flow: FlowId) -> bool {
        !self.refuses_reads
    }

    fn poll_stream(&mut self, _now: Now, _flow: FlowId, out: &mut Vec<Bytes>, room: usize) -> usize {
        self.largest_room = self.largest_room.max(room);
        let Some(mut piece) = self.pull.pop_front() else { return 0 };
        if piece.len() > room {
            self.pull.push_front(piece.split_off(room));
        }
        let taken = piece.len();
        out.push(piece);
        taken
    }
}

pub(super) fn start() -> Now {
    Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) }
}

pub(super) fn peer(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 40_000))
}

pub(super) fn stream(remote: SocketAddr, accepted: bool) -> FlowInfo {
    FlowInfo {
        transport: Transport::Tcp,
        local: SocketAddr::from(([198, 51, 100, 1], 5060)),
        remote: Some(remote),
        accepted,
        trusted: false,
    }
}

fn datagrams() -> FlowInfo {
    FlowInfo { transport: Transport::Udp, remote: None, ..stream(peer(1), false) }
}

fn shell() -> Shell<Probe> {
    Shell::new(Probe::default(), ShellLimits::default())
}

fn with_limits(change: impl FnOnce(&mut ShellLimits)) -> Shell<Probe> {
    let mut limits = ShellLimits::default();
    change(&mut limits);
    Shell::new(Probe::default(), limits)
}

/// What came out, as text: the payloads are counted.
fn drain(shell: &mut Shell<Probe>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(output) = shell.poll_output() {
        lines.push(match output {
            ShellOutput::Connect { flow, remote, .. } => format!("connect {} {remote}", flow.0),
            ShellOutput::Write { flow, segments } => format!("write {} {}", flow.0, segments.len()),
            ShellOutput::Datagram { flow, to, data } => format!("datagram {} {to} {}", flow.0, data.len()),
            ShellOutput::Shutdown { flow } => format!("shutdown {}", flow.0),
            ShellOutput::PauseRead { flow } => format!("pause {}", flow.0),
            ShellOutput::ResumeRead { flow } => format!("resume {}", flow.0),
            ShellOutput::Rest(()) => "rest".to_owned(),
        });
    }
    lines
}

fn seen(shell: &mut Shell<Probe>) -> Vec<String> {
    std::mem::take(&mut shell.machine.seen)
}

fn transmit(shell: &mut Shell<Probe>, flow: FlowId, bytes: usize) {
    let data = Bytes::from(vec![b'x'; bytes]);
    shell.machine_mut().out.push_back(FlowOutput::Transmit { flow, to: None, data });
}

pub(super) fn accept(shell: &mut Shell<Probe>, now: Now, remote: SocketAddr) -> Option<FlowId> {
    shell.attach(now, stream(remote, true))
}

/// Fires timers at the shell's own deadlines until `end`; a deadline asked for twice fails.
fn run_until(shell: &mut Shell<Probe>, mut now: Now, end: Now) {
    let mut last = None;
    while let Some((at, name)) = shell.poll_timeout() {
        if at > end.mono {
            break;
        }
        assert!(last < Some(at) || at > now.mono, "{name} asked twice for the same past moment");
        last = Some(at);
        let step = at.saturating_duration_since(now.mono);
        now = now.after(step);
        while shell.handle_timeout(now, 8) {}
    }
}

#[test]
fn every_up_has_one_down() {
    let (mut shell, now) = (shell(), start());
    let flow = accept(&mut shell, now, peer(1)).unwrap();
    shell.handle_input(now, ShellInput::Closed { flow, reason: FlowDown::Reset }).unwrap();
    shell.handle_input(now, ShellInput::Closed { flow, reason: FlowDown::Reset }).unwrap();
    shell.machine_mut().out.push_back(FlowOutput::Close { flow });
    assert!(drain(&mut shell).is_empty());
    assert_eq!(seen(&mut shell), ["up 1 None", "down 1 connection reset"]);
    assert_eq!(shell.flows(), 0);
    assert_eq!(accept(&mut shell, now, peer(1)), Some(FlowId(2)), "ids are not used again");
}

#[test]
fn one_write_is_outstanding_and_the_rest_waits() {
    let (mut shell, now) = (with_limits(|limits| limits.write_bytes = 100), start());
    let flow = accept(&mut shell, now, peer(1)).unwrap();
    transmit(&mut shell, flow, 60);
    transmit(&mut shell, flow, 60);
    assert_eq!(drain(&mut shell), ["write 1 100"]);
    shell.handle_input(now, ShellInput::Wrote { flow, bytes: 99 }).unwrap();
    assert!(drain(&mut shell).is_empty());
    shell.handle_input(now, ShellInput::Wrote { flow, bytes: 1 }).unwrap();
    assert_eq!(drain(&mut shell), ["write 1 20"]);
}

#[test]
fn unsent_bytes_are_limited() {
    for (extra, alive) in [(0, true), (1, false)] {
        let (mut shell, now) = (with_limits(|limits| limits.unsent = 1_000), start());
        let flow = accept(&mut shell, now, peer(1)).unwrap();
        transmit(&mut shell, flow, 600);
        assert_eq!(drain(&mut shell), ["write 1 600"]);
        transmit(&mut shell, flow, 400 + extra);
        seen(&mut shell);
        let out = drain(&mut shell);
        if alive {
            assert!(out.is_empty() && seen(&mut shell).is_empty());
        } else {
            assert_eq!(out, ["shutdown 1"]);
            assert_eq!(seen(&mut shell), ["down 1 limit reached"]);
            assert_eq!(shell.stats().overflowed, 1);
        }
    }
}

#[test]
fn close_lets_the_last_bytes_out() {
    let (mut shell, now) = (shell(), start());
    let flow = accept(&mut shell, now, peer(1)).unwrap();
    transmit(&mut shell, flow, 10);
    shell.machine_mut().out.push_back(FlowOutput::Close { flow });
    assert_eq!(drain(&mut shell), ["write 1 10"]);
    assert_eq!(seen(&mut shell), ["up 1 None", "down 1 closed locally"]);
    shell.handle_input(now, ShellInput::Read { flow, data: Bytes::from_static(b"late") }).unwrap();
    shell.handle_input(now, ShellInput::Wrote { flow, bytes: 10 }).unwrap();
    assert_eq!(drain(&mut shell), ["shutdown 1"]);
    assert!(seen(&mut shell).is_empty());
    assert!(shell.poll_timeout().is_none(), "no timer is left behind");
}

#[test]
fn a_closing_stream_that_does_not_drain_is_cut() {
    let (mut shell, now) = (shell(), start());
    let flow = accept(&mut shell, now, peer(1)).unwrap();
    transmit(&mut shell, flow, 10);
    shell.machine_mut().out.push_back(FlowOutput::Close { flow });
    drain(&mut shell);
    run_until(&mut shell, now, now.after(Duration::from_millis(4_998)));
    assert!(drain(&mut shell).is_empty());
    run_until(&mut shell, now, now.after(Duration::from_millis(5_001)));
    assert_eq!(drain(&mut shell), ["shutdown 1"]);
    assert_eq!((shell.flows(), shell.stats().unwritten), (0, 1));
}

#[test]
fn pulling_stops_at_the_low_water_mark() {
    let (mut shell, now) = (with_limits(|limits| limits.low_water = 100), start());
    let flow = accept(&mut shell, now, peer(1)).unwrap();
    shell.machine_mut().pull.push_back(Bytes::from(vec![0; 250]));
    shell.machine_mut().out.push_back(FlowOutput::Ready { flow });
    assert_eq!(drain(&mut shell), ["write 1 100"]);
    shell.handle_input(now, ShellInput::Wrote { flow, bytes: 40 }).unwrap();
    assert!(drain(&mut shell).is_empty());
    shell.handle_input(now, ShellInput::Wrote { flow, bytes: 60 }).unwrap();
    assert_eq!(drain(&mut shell), ["write 1 100"]);
    shell.handle_input(now, ShellInput::Wrote { flow, bytes: 100 }).unwrap();
    assert_eq!(drain(&mut shell), ["write 1 50"]);
    assert_eq!(shell.machine().largest_room, 100);
}

#[test]
fn reads_pause_while_the_machine_is_full() {
    let (mut shell, now) = (shell(), start());
    let flow = accept(&mut shell, now, peer(1)).unwrap();
    shell.machine_mut().refuses_reads = true;
    let read = || ShellInput::Read { flow, data: Bytes::from_static(b"x") };
    shell.handle_input(now, read()).unwrap();
    shell.handle_input(now, read()).unwrap();
    assert_eq!(drain(&mut shell), ["pause 1"], "once, and bytes already read still go in");
    assert_eq!(seen(&mut shell), ["up 1 None", "stream 1 1", "stream 1 1"]);
    shell.machine_mut().refuses_reads = false;
    assert_eq!(drain(&mut shell), ["resume 1"]);
    assert!(drain(&mut shell).is_empty());
}

#[test]
fn the_machines_verdict_reaches_the_caller() {
    let (mut shell, now) = (shell(), start());
    let flow = accept(&mut shell, now, peer(1)).unwrap();
    assert!(shell.handle_input(now, ShellInput::Read { flow, data: Bytes::from_static(b"bad") }).is_err());
}

#[test]
fn connect_comes_up_fails_or_times_out() {
    let (mut shell, now) = (shell(), start());
    for token in 1..=3 {
        shell.command(now, |machine, _| {
            let token = Token(token);
            machine.out.push_back(FlowOutput::Open {
                token,
                transport: Transport::Tcp,
                remote: peer(9),
                server_name: None,
            });
        });
    }
    assert_eq!(drain(&mut shell).len(), 3);
    let up = ShellInput::Connected { flow: FlowId(1), info: stream(peer(9), false) };
    shell.handle_input(now, up).unwrap();
    shell
        .handle_input(now, ShellInput::ConnectFailed { flow: FlowId(2), reason: FlowDown::Refused })
        .unwrap();
    assert_eq!(seen(&mut shell), ["up 1 Some(Token(1))", "open-failed 2 connection refused"]);
    run_until(&mut shell, now, now.after(Duration::from_millis(9_998)));
    assert!(seen(&mut shell).is_empty());
    run_until(&mut shell, now, now.after(Duration::from_millis(10_001)));
    assert_eq!(seen(&mut shell), ["open-failed 3 timed out"]);
    assert_eq!(drain(&mut shell), ["shutdown 3"]);
    let late = ShellInput::Connected { flow: FlowId(3), info: stream(peer(9), false) };
    shell.handle_input(now, late).unwrap();
    assert_eq!(drain(&mut shell), ["shutdown 3"]);
    assert!(seen(&mut shell).is_empty());
}

#[test]
fn a_command_without_the_time_does_not_shorten_the_connect_limit() {
    let (mut shell, now) = (shell(), start());
    shell.handle_timeout(now, 8);
    let later = now.after(Duration::from_secs(3_600));
    shell.machine_mut().out.push_back(FlowOutput::Open {
        token: Token(1),
        transport: Transport::Tcp,
        remote: peer(9),
        server_name: None,
    });
    assert_eq!(drain(&mut shell).len(), 1);
    assert_eq!(shell.poll_timeout(), Some((now.mono, "shell.stamp")));
    shell.handle_timeout(later, 8);
    assert!(shell.poll_timeout().is_some_and(|(at, _)| at > later.mono));
    run_until(&mut shell, later, later.after(Duration::from_secs(9)));
    assert!(seen(&mut shell).is_empty());
}

#[test]
fn flows_are_limited_and_an_idle_one_makes_room() {
    let (mut shell, now) = (with_limits(|limits| limits.flows = 2), start());
    let first = accept(&mut shell, now, peer(1)).unwrap();
    assert!(accept(&mut shell, now, peer(2)).is_some());
    shell.handle_input(now, ShellInput::Read { flow: first, data: Bytes::from_static(b"x") }).unwrap();
    assert_eq!(accept(&mut shell, now, peer(3)), None);
    let later = now.after(Duration::from_secs(31));
    let keep = ShellInput::Read { flow: FlowId(2), data: Bytes::from_static(b"x") };
    shell.handle_input(later, keep).unwrap();
    seen(&mut shell);
    assert_eq!(accept(&mut shell, later, peer(3)), Some(FlowId(3)));
    assert_eq!(seen(&mut shell), ["down 1 limit reached", "up 3 None"]);
    assert_eq!(drain(&mut shell), ["shutdown 1"]);
    assert_eq!((shell.stats().evicted, shell.stats().refused), (1, 1));
}

#[test]
fn an_open_above_the_limit_fails_from_the_timer() {
    let (mut shell, now) = (with_limits(|limits| limits.flows = 0), start());
    shell.command(now, |machine, _| {
        let open = FlowOutput::Open {
            token: Token(5),
            transport: Transport::Tcp,
            remote: peer(1),
            server_name: None,
        };
        machine.out.push_back(open);
    });
    assert!(drain(&mut shell).is_empty() && seen(&mut shell).is_empty());
    shell.handle_timeout(now, 8);
    assert_eq!(seen(&mut shell), ["open-failed 5 limit reached"]);
}

#[test]
fn one_source_has_its_own_limit() {
    let (mut shell, now) = (with_limits(|limits| limits.flows_per_source = 2), start());
    let v6 = |host: u16, net: u16| SocketAddr::from(([0x2001, 0xdb8, 0, net, 0, 0, 0, host], 4_000));
    assert!(accept(&mut shell, now, v6(1, 1)).is_some());
    assert!(accept(&mut shell, now, v6(2, 1)).is_some());
    assert_eq!(accept(&mut shell, now, v6(3, 1)), None, "a /64 is one source");
    assert!(accept(&mut shell, now, v6(3, 2)).is_some());
    let trusted = FlowInfo { trusted: true, ..stream(v6(4, 1), true) };
    assert!(shell.attach(now, trusted).is_some(), "trusted sources answer to the shard limit only");
    shell.handle_input(now, ShellInput::Closed { flow: FlowId(1), reason: FlowDown::Closed }).unwrap();
    assert!(accept(&mut shell, now, v6(3, 1)).is_some());
}

#[test]
fn a_silent_stream_and_an_idle_stream_are_closed() {
    let (mut shell, now) = (shell(), start());
    let silent = accept(&mut shell, now, peer(1)).unwrap();
    let busy = accept(&mut shell, now, peer(2)).unwrap();
    shell.handle_input(now, ShellInput::Read { flow: busy, data: Bytes::from_static(b"x") }).unwrap();
    seen(&mut shell);
    run_until(&mut shell, now, now.after(Duration::from_millis(5_001)));
    assert_eq!(seen(&mut shell), [format!("down {} timed out", silent.0)]);
    // Half a second after a coarse mark is kept exactly.
    let last = now.after(Duration::from_millis(500));
    shell.handle_input(last, ShellInput::Read { flow: busy, data: Bytes::from_static(b"x") }).unwrap();
    seen(&mut shell);
    run_until(&mut shell, last, now.after(Duration::from_millis(900_499)));
    assert!(seen(&mut shell).is_empty());
    run_until(&mut shell, last, now.after(Duration::from_millis(900_500)));
    assert_eq!(seen(&mut shell), [format!("down {} idle for too long", busy.0)]);
    assert!(shell.poll_timeout().is_none());
}

#[test]
fn datagrams_pass_and_are_dropped_above_the_queue_limit() {
    let (mut shell, now) = (with_limits(|limits| limits.outputs = 2), start());
    let flow = shell.attach(now, datagrams()).unwrap();
    let datagram = ShellInput::Datagram { flow, from: peer(4), data: Bytes::from_static(b"abc") };
    shell.handle_input(now, datagram).unwrap();
    assert_eq!(seen(&mut shell), ["up 1 None", "datagram 1 3"]);
    for _ in 0..3 {
        let data = Bytes::from_static(b"abcd");
        shell.machine_mut().out.push_back(FlowOutput::Transmit { flow, to: Some(peer(4)), data });
    }
    assert_eq!(drain(&mut shell), ["datagram 1 192.0.2.4:40000 4"; 2]);
    assert_eq!(shell.stats().datagrams_dropped, 1);
    run_until(&mut shell, now, now.after(Duration::from_secs(86_400)));
    assert_eq!(shell.flows(), 1, "a datagram socket is never idle");
}

#[test]
fn outputs_that_fit_no_flow_are_counted() {
    let (mut shell, now) = (shell(), start());
    let flow = shell.attach(now, datagrams()).unwrap();
    transmit(&mut shell, flow, 1);
    transmit(&mut shell, FlowId(77), 1);
    shell.machine_mut().out.push_back(FlowOutput::Ready { flow });
    assert!(drain(&mut shell).is_empty());
    assert_eq!(shell.stats().undeliverable, 3);
}

#[test]
fn the_machines_timers_fire_through_the_shell() {
    let (mut shell, now) = (shell(), start());
    shell.machine_mut().deadline = Some(now.mono + Duration::from_secs(1));
    assert_eq!(shell.poll_timeout(), Some((now.mono + Duration::from_secs(1), "probe")));
    run_until(&mut shell, now, now.after(Duration::from_secs(1)));
    assert_eq!(seen(&mut shell), ["timer"]);
}
