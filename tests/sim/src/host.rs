//! One host: a shell around a machine, its sockets, and the handler of what is no flow's business.

use cpm_base::shell::Shell;
use cpm_base::{FlowId, FlowMachine, Now, Rng, Transport};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Names a host of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(crate) usize);

impl HostId {
    /// The host added at this place, from 0.
    pub fn of(place: usize) -> Self {
        Self(place)
    }
}

/// Takes what a machine puts out that is no flow's business: answers effects, keeps events for the test.
pub trait Handler<M: FlowMachine> {
    /// Takes one output.
    fn rest(&mut self, now: Now, rest: M::Rest);

    /// One line about an output for the record; only asked for where there is one.
    fn describe(&self, rest: &M::Rest) -> Option<String> {
        let _ = rest;
        None
    }

    /// When the handler wants to run: an effect will be done then.
    fn wakes(&self) -> Option<Instant> {
        None
    }

    /// Runs what is due; gives inputs for the machine.
    fn run(&mut self, now: Now) -> Vec<M::Input> {
        let _ = now;
        Vec::new()
    }

    /// The process was killed: whatever is not durable is gone.
    fn killed(&mut self, rng: &mut Rng) {
        let _ = rng;
    }
}

/// A handler that only collects.
impl<M: FlowMachine> Handler<M> for Vec<(Now, M::Rest)> {
    fn rest(&mut self, now: Now, rest: M::Rest) {
        self.push((now, rest));
    }
}

/// What a flow of a host is in the network.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Socket {
    /// A bound datagram socket.
    Datagram(SocketAddr),
    /// One end of a connection: 0 opened it, 1 accepted it.
    Stream { connection: u64, end: usize },
}

pub(crate) struct Host<M: FlowMachine, H> {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    /// `None` while the process is not running.
    pub(crate) shell: Option<Shell<M>>,
    pub(crate) handler: H,
    /// What the process binds and listens on when it starts.
    pub(crate) binds: Vec<(Transport, SocketAddr)>,
    pub(crate) sockets: BTreeMap<FlowId, Socket>,
    /// Counts processes: what was meant for an earlier one does not reach a later one.
    pub(crate) process: u32,
    /// What the timer last asked for, after it was served.
    pub(crate) asked: Option<(Instant, &'static str)>,
    /// Port of the next connection this host opens.
    pub(crate) next_port: u16,
    /// Milliseconds this host's wall clock is off.
    pub(crate) wall_offset: i64,
}
