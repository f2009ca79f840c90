//! A whole node: raw bytes on its flows, storage that answers, fails and forgets.

use std::{net::SocketAddr, time::Duration};

use cpm_base::{FlowDown, FlowId, FlowInfo, FlowInput, FlowOutput, Machine, Now, Token, Transport};
use cpm_proto::{
    Config, Input as NodeInput, Node, Output, Policy, RegistrarPolicy, Secret, ServerConfig, UserSecret,
    effect::Effect,
    store::{
        engine::{StoreEngine, StoreError, StoreOp},
        mem::MemStore,
    },
};

use crate::input::{Input, owned, start};

/// Anyone's datagrams.
const UDP: FlowId = FlowId(1);
/// Those of a core that has authenticated the user.
const CORE: FlowId = FlowId(2);

/// A node with storage.
struct World {
    node: Node,
    store: MemStore,
    now: Now,
    pending: Vec<(Token, Vec<StoreOp>)>,
    streams: Vec<FlowId>,
    sent: usize,
}

fn config() -> Config {
    let user = |name: &str| UserSecret {
        address: format!("sip:{name}@example.test"),
        password: Secret::new("secret"),
    };
    let server = ServerConfig {
        domains: vec!["example.test".to_owned()],
        users: vec![user("alice"), user("bob")],
        // Short, so that what is kept ends within the time that a run lets pass.
        policy: Policy { deferred_max_seconds: 600, ..Policy::default() },
        registrar: RegistrarPolicy { max_expires: 600, default_expires: 600, ..RegistrarPolicy::default() },
    };
    Config { server: Some(server), ..Config::default() }
}

fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 2], 5060))
}

/// Feeds a node raw datagrams and stream pieces from strangers, and datagrams from a trusted core, so that the
/// functions behind authentication are reached.
///
/// # Panics
/// When outputs or effects grow without bound, the node asks to be woken for ever, answers more than it was asked,
/// or does not come to rest once its flows are gone.
pub fn node_bytes(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World {
        node: Node::new(config(), [9; 32]),
        store: MemStore::new(),
        now: start(),
        pending: Vec::new(),
        streams: Vec::new(),
        sent: 0,
    };
    world.node.start(world.now);
    world.flow(UDP, Transport::Udp, false);
    world.flow(CORE, Transport::Udp, true);
    world.settle();
    let mut next_flow = 3;
    for _ in 0..200 {
        if input.is_empty() {
            break;
        }
        match input.byte() {
            b'S' => {
                let flow = FlowId(next_flow);
                next_flow += 1;
                world.streams.push(flow);
                world.flow(flow, Transport::Tcp, false);
            }
            b's' => {
                let length = usize::from(input.word());
                let Some(flow) = world.streams.last().copied() else { continue };
                world.feed(FlowInput::Stream { flow, data: owned(input.take(length)) });
            }
            b'X' => {
                let Some(flow) = world.streams.pop() else { continue };
                world.feed(FlowInput::Down { flow, reason: FlowDown::Reset });
            }
            b'T' => world.pass(Duration::from_millis(1 << input.below(16)), false),
            b'P' => {
                let length = usize::from(input.word());
                world.feed(FlowInput::Datagram { flow: CORE, from: peer(), data: owned(input.take(length)) });
            }
            b'A' => world.answer(input.byte()),
            _ => {
                let length = usize::from(input.word());
                world.feed(FlowInput::Datagram { flow: UDP, from: peer(), data: owned(input.take(length)) });
            }
        }
        world.outputs();
        assert!(world.pending.len() <= 400, "effects pile up");
    }
    world.settle();
    for flow in std::mem::take(&mut world.streams) {
        world.feed(FlowInput::Down { flow, reason: FlowDown::Reset });
    }
    world.pass(Duration::from_secs(4_000), true);
    assert!(world.node.is_quiescent(), "{:?} {:?}", world.node.stats(), world.node.sip_stats());
}

impl World {
    fn flow(&mut self, flow: FlowId, transport: Transport, trusted: bool) {
        let info = FlowInfo {
            transport,
            local: SocketAddr::from(([192, 0, 2, 1], 5060)),
            remote: transport.is_reliable().then(peer),
            accepted: transport.is_reliable(),
            trusted,
        };
        self.feed(FlowInput::Up { flow, opened: None, info: Box::new(info) });
    }

    fn feed(&mut self, input: FlowInput) {
        let _ = self.node.handle_input(self.now, NodeInput::Flow(input));
    }

    fn outputs(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Effect(Effect::Store { token, batch, .. }) => self.pending.push((token, batch)),
                Output::Flow(FlowOutput::Transmit { data, .. }) => {
                    self.sent += data.len();
                }
                Output::Flow(FlowOutput::Close { flow }) => self.streams.retain(|known| *known != flow),
                Output::Flow(FlowOutput::Open { token, .. }) => {
                    let failed = FlowInput::OpenFailed { token, reason: FlowDown::Refused };
                    self.feed(failed);
                }
                _ => {}
            }
        }
    }

    /// Answers the oldest effect: as the store does, or by a fault.
    fn answer(&mut self, how: u8) {
        if self.pending.is_empty() {
            return;
        }
        let (token, batch) = self.pending.remove(0);
        let result = match how % 4 {
            1 => Err(StoreError::Unavailable { retry: Duration::from_secs(1) }),
            2 => Err(StoreError::Full),
            _ => self.store.apply(self.now, &batch),
        };
        let _ = self.node.handle_input(self.now, NodeInput::Stored { token, result });
    }

    /// Answers every effect until there is none.
    fn settle(&mut self) {
        for turn in 0.. {
            assert!(turn < 20_000, "effects without end");
            self.outputs();
            if self.pending.is_empty() {
                return;
            }
            self.answer(0);
        }
    }

    /// Lets time pass; with `answer`, storage answers at once, else not at all.
    fn pass(&mut self, span: Duration, answer: bool) {
        let end = self.now.mono + span;
        for turn in 0.. {
            assert!(turn < 20_000, "the node asks to be woken for ever");
            let due = self.node.poll_timeout().map(|(at, _)| at).filter(|at| *at <= end);
            self.now = self.now.after(due.unwrap_or(end).saturating_duration_since(self.now.mono));
            for budget in 0.. {
                assert!(budget < 10_000, "timers fire for ever");
                if !self.node.handle_timeout(self.now, 16) {
                    break;
                }
            }
            if answer {
                self.settle();
            } else {
                self.outputs();
            }
            if due.is_none() {
                return;
            }
        }
    }
}
