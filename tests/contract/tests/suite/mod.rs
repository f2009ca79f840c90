//! The suite. `crate::rt` is the runtime under test; peers are plain blocking sockets of the standard library.

mod life;
mod node;
mod sip;
mod streams;
mod udp;
mod work;

use crate::rt::{DriverHandle, DriverOptions, Listen, StartError, within};
use cpm_base::shell::ShellLimits;
use cpm_base::{FlowDown, FlowId, FlowInfo, Transport};
use cpm_contract::{Command, Echo, EchoHandler, Note};
use std::net::SocketAddr;
use std::time::Duration;

/// How long anything may take. Generous: the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(60);

type Handle = DriverHandle<Echo, Command, Note>;

/// A shard with an echo machine on these addresses.
struct Shard {
    handle: Handle,
}

impl Shard {
    fn start(listen: &[(Transport, &str)], change: impl FnOnce(&mut ShellLimits)) -> Self {
        Self::try_start(listen, change).unwrap()
    }

    fn try_start(
        listen: &[(Transport, &str)],
        change: impl FnOnce(&mut ShellLimits),
    ) -> Result<Self, StartError> {
        let listen = listen
            .iter()
            .map(|(transport, addr)| Listen { transport: *transport, addr: addr.parse().unwrap() })
            .collect();
        let mut options = DriverOptions::new("contract", listen);
        change(&mut options.limits);
        let handle = Handle::spawn(options, Echo::default(), |inputs| {
            let ask = move |what| {
                let inputs = inputs.clone();
                std::thread::spawn(move || inputs.send(cpm_contract::Input::Answer(what)));
            };
            Ok(EchoHandler { ask })
        })?;
        Ok(Self { handle })
    }

    fn addr(&self, index: usize) -> SocketAddr {
        self.handle.addresses()[index].addr
    }

    async fn order(&self, command: Command) {
        within(DEADLINE, self.handle.command(command)).await.unwrap();
    }

    async fn next(&self) -> Note {
        within(DEADLINE, self.handle.next_event()).await.expect("the shard has ended")
    }

    /// The next note, of a flow that came up.
    async fn up(&self) -> (FlowId, Box<FlowInfo>) {
        match self.next().await {
            Note::Up(flow, info) => (flow, info),
            other => panic!("expected a flow to come up, got {other:?}"),
        }
    }

    async fn down(&self) -> (FlowId, FlowDown) {
        match self.next().await {
            Note::Down(flow, reason) => (flow, reason),
            other => panic!("expected a flow to go down, got {other:?}"),
        }
    }

    async fn stop(self) {
        within(DEADLINE, self.handle.stop()).await.unwrap();
    }
}
