//! Any order of inputs, commands and time: what must hold for every flow is kept by a small model.

use super::tests::{Probe, accept, peer, start, stream};
use super::*;
use crate::Token;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Op {
    Accept(u8),
    Open,
    Answer { pick: usize, well: bool },
    Transmit { pick: usize, bytes: usize },
    Wrote { pick: usize, share: usize },
    Read { pick: usize },
    Close { pick: usize },
    Closed { pick: usize },
    Deaf(bool),
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let pick = 0..8usize;
    prop_oneof![
        2 => (1..4u8).prop_map(Op::Accept),
        2 => Just(Op::Open),
        2 => (pick.clone(), any::<bool>()).prop_map(|(pick, well)| Op::Answer { pick, well }),
        6 => (pick.clone(), 1..400usize).prop_map(|(pick, bytes)| Op::Transmit { pick, bytes }),
        6 => (pick.clone(), 1..5usize).prop_map(|(pick, share)| Op::Wrote { pick, share }),
        4 => pick.clone().prop_map(|pick| Op::Read { pick }),
        2 => pick.clone().prop_map(|pick| Op::Close { pick }),
        2 => pick.prop_map(|pick| Op::Closed { pick }),
        1 => any::<bool>().prop_map(Op::Deaf),
        2 => (0..20_000u64).prop_map(Op::Pass),
    ]
}

/// One socket as the adapter sees it.
#[derive(Debug, Default)]
struct Socket {
    connecting: bool,
    /// The adapter has closed it, or was told to.
    gone: bool,
    outstanding: usize,
    paused: bool,
    /// Sum of bytes handed to `Transmit` while the flow was up, and of those that came out.
    sent: usize,
    written: usize,
}

struct Model {
    shell: Shell<Probe>,
    now: Now,
    sockets: BTreeMap<FlowId, Socket>,
    opens: u64,
}

impl Model {
    fn pick(&self, pick: usize, wanted: impl Fn(&Socket) -> bool) -> Option<FlowId> {
        let fitting: Vec<FlowId> =
            self.sockets.iter().filter(|(_, socket)| wanted(socket)).map(|(flow, _)| *flow).collect();
        (!fitting.is_empty()).then(|| fitting[pick % fitting.len()])
    }

    fn run(&mut self, op: &Op) {
        match *op {
            Op::Accept(source) => {
                if let Some(flow) = accept(&mut self.shell, self.now, peer(source)) {
                    assert!(
                        self.sockets.insert(flow, Socket::default()).is_none(),
                        "ids are never used again"
                    );
                }
            }
            Op::Open => {
                self.opens += 1;
                let token = Token(self.opens);
                let open =
                    FlowOutput::Open { token, transport: Transport::Tcp, remote: peer(9), server_name: None };
                self.shell.command(self.now, |machine, _| machine.out.push_back(open));
            }
            Op::Answer { pick, well } => {
                let Some(flow) = self.pick(pick, |socket| socket.connecting && !socket.gone) else { return };
                if let Some(socket) = self.sockets.get_mut(&flow) {
                    (socket.connecting, socket.gone) = (false, !well);
                }
                self.input(match well {
                    true => ShellInput::Connected { flow, info: stream(peer(9), false) },
                    false => ShellInput::ConnectFailed { flow, reason: FlowDown::Refused },
                });
            }
            Op::Transmit { pick, bytes } => {
                let Some(flow) = self.pick(pick, |socket| !socket.connecting) else { return };
                if self.shell.machine().is_up(flow) {
                    self.sockets.entry(flow).or_default().sent += bytes;
                }
                let transmit = FlowOutput::Transmit { flow, to: None, data: Bytes::from(vec![0; bytes]) };
                self.shell.command(self.now, |machine, _| machine.out.push_back(transmit));
            }
            Op::Wrote { pick, share } => {
                let Some(flow) = self.pick(pick, |socket| !socket.gone && socket.outstanding > 0) else {
                    return;
                };
                let Some(socket) = self.sockets.get_mut(&flow) else { return };
                let bytes = socket.outstanding.div_ceil(share);
                socket.outstanding -= bytes;
                self.input(ShellInput::Wrote { flow, bytes });
            }
            Op::Read { pick } => {
                let Some(flow) = self.pick(pick, |socket| !socket.gone && !socket.connecting) else { return };
                self.input(ShellInput::Read { flow, data: Bytes::from_static(b"x") });
            }
            Op::Close { pick } => {
                let Some(flow) = self.pick(pick, |_| true) else { return };
                self.shell.command(self.now, |machine, _| machine.out.push_back(FlowOutput::Close { flow }));
            }
            Op::Closed { pick } => {
                let Some(flow) = self.pick(pick, |socket| !socket.gone && !socket.connecting) else { return };
                self.sockets.entry(flow).or_default().gone = true;
                self.input(ShellInput::Closed { flow, reason: FlowDown::Reset });
            }
            Op::Deaf(deaf) => self.shell.machine_mut().refuses_reads = deaf,
            Op::Pass(millis) => {
                self.now = self.now.after(Duration::from_millis(millis));
                while self.shell.handle_timeout(self.now, 3) {}
                assert!(
                    self.shell.poll_timeout().is_none_or(|(at, _)| at > self.now.mono),
                    "due means fired"
                );
            }
        }
    }

    fn input(&mut self, input: ShellInput<FlowInput>) {
        self.shell.handle_input(self.now, input).unwrap();
    }

    fn drain(&mut self) {
        while let Some(output) = self.shell.poll_output() {
            match output {
                ShellOutput::Connect { flow, .. } => {
                    let socket = Socket { connecting: true, ..Socket::default() };
                    assert!(self.sockets.insert(flow, socket).is_none(), "ids are never used again");
                }
                ShellOutput::Write { flow, segments } => {
                    let socket = self.sockets.get_mut(&flow).unwrap();
                    assert!(!socket.gone && !socket.connecting && socket.outstanding == 0, "{socket:?}");
                    assert!(!segments.is_empty() && segments.len() <= 300);
                    socket.outstanding = segments.len();
                    socket.written += segments.len();
                    assert!(socket.written <= socket.sent, "bytes nobody has sent");
                }
                ShellOutput::Shutdown { flow } => {
                    let socket = self.sockets.get_mut(&flow).unwrap();
                    assert!(!std::mem::replace(&mut socket.gone, true), "shut down twice");
                }
                ShellOutput::PauseRead { flow } | ShellOutput::ResumeRead { flow } => {
                    let paused = matches!(output, ShellOutput::PauseRead { .. });
                    let socket = self.sockets.get_mut(&flow).unwrap();
                    assert_ne!(socket.paused, paused, "said twice");
                    socket.paused = paused;
                }
                ShellOutput::Datagram { .. } | ShellOutput::Rest(()) => panic!("nobody asked for {output:?}"),
            }
        }
    }

    /// Lets everything go out and time pass; then nothing may be left, and the machine knows the end of all.
    fn end(&mut self) {
        let machine = self.shell.machine();
        let up: Vec<FlowId> = self.sockets.keys().copied().filter(|flow| machine.is_up(*flow)).collect();
        for flow in self.sockets.keys().copied().collect::<Vec<_>>() {
            self.shell.command(self.now, |machine, _| machine.out.push_back(FlowOutput::Close { flow }));
        }
        self.drain();
        while let Some(flow) = self.pick(0, |socket| !socket.gone && socket.outstanding > 0) {
            let bytes = std::mem::take(&mut self.sockets.get_mut(&flow).unwrap().outstanding);
            self.input(ShellInput::Wrote { flow, bytes });
            self.drain();
        }
        for flow in up {
            let socket = &self.sockets[&flow];
            assert_eq!(socket.written, socket.sent, "a stream closed in order loses nothing: {socket:?}");
        }
        self.run(&Op::Pass(20_000));
        self.drain();
        assert_eq!((self.shell.flows(), self.shell.poll_timeout()), (0, None));
        assert!(self.sockets.values().all(|socket| socket.gone));
        let machine = self.shell.machine();
        let count = |what: &str| machine.seen.iter().filter(|line| line.starts_with(what)).count();
        assert_eq!(count("up "), count("down "), "every Up has one Down: {:?}", machine.seen);
        let answered =
            count("open-failed ") + machine.seen.iter().filter(|line| line.contains("Some(")).count();
        assert_eq!(answered as u64, self.opens, "every Open has one answer: {:?}", machine.seen);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn holds_for_any_order(ops in prop::collection::vec(op(), 1..120)) {
        let mut limits = ShellLimits::default();
        (limits.flows, limits.flows_per_source, limits.unsent, limits.write_bytes) = (6, 3, 1_000, 300);
        let shell = Shell::new(Probe::default(), limits);
        let mut model = Model { shell, now: start(), sockets: BTreeMap::new(), opens: 0 };
        for op in &ops {
            model.run(op);
            model.drain();
            prop_assert!(model.shell.flows() <= 6);
        }
        model.end();
    }
}
