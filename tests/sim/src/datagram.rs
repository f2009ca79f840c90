//! Datagrams: lost, repeated, delayed, overtaken.

use crate::host::{Handler, Socket};
use crate::link::happens;
use crate::world::{Happening, World};
use bytes::Bytes;
use cpm_base::shell::ShellInput;
use cpm_base::{FlowId, FlowMachine};
use std::net::SocketAddr;
use std::time::Duration;

/// Datagrams remembered for whoever listens on the way.
const OVERHEARD: usize = 64;

impl<M: FlowMachine, H: Handler<M>> World<M, H> {
    /// A host sends a datagram.
    pub(crate) fn send_datagram(&mut self, host: usize, flow: FlowId, to: SocketAddr, data: Bytes) {
        let Some(&Socket::Datagram(from)) = self.hosts[host].sockets.get(&flow) else { return };
        self.note(host, format_args!("datagram to {to}"), &data);
        self.trace.counts.datagrams += 1;
        let pair = (from.ip(), to.ip());
        let link = self.link(pair);
        if happens(&mut self.rng, link.burst) {
            self.dark_until.insert(pair, self.now.mono + link.dark);
        }
        let dark = self.dark_until.get(&pair).is_some_and(|until| self.now.mono < *until);
        if dark || self.parted.contains(&pair) || happens(&mut self.rng, link.loss) {
            self.trace.counts.lost += 1;
            return;
        }
        let copies = if happens(&mut self.rng, link.duplicate) { 2 } else { 1 };
        self.trace.counts.duplicated += copies - 1;
        for _ in 0..copies {
            let mut delay = link.delay(&mut self.rng);
            if happens(&mut self.rng, link.reorder) {
                self.trace.counts.reordered += 1;
                delay += Duration::from_millis(self.rng.below(1_000));
            }
            self.schedule(delay, Happening::Datagram { from, to, data: data.clone() });
        }
    }

    /// A datagram reaches its destination, if anybody is there.
    pub(crate) fn datagram_arrives(&mut self, from: SocketAddr, to: SocketAddr, data: Bytes) {
        let bound = self.hosts.iter().enumerate().find_map(|(at, host)| {
            let mut sockets = host.sockets.iter();
            let (flow, _) =
                sockets.find(|(_, socket)| matches!(socket, Socket::Datagram(local) if *local == to))?;
            Some((at, *flow))
        });
        match bound {
            Some((host, flow)) => {
                self.note(host, format_args!("datagram from {from}"), &data);
                if self.overheard.len() == OVERHEARD {
                    self.overheard.pop_front();
                }
                self.overheard.push_back((from, to, data.clone()));
                self.feed(host, ShellInput::Datagram { flow, from, data });
            }
            None => self.trace.counts.lost += 1,
        }
    }
}
