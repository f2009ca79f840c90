//! One Device of the demonstration: a client whose events are waited for one by one.

use crate::args::{Runtime, Transport};
use crate::client::new_instance;
use crate::driver::Client;
use crate::failure::{Context, Failure};
use cpm_proto::client::Outgoing;
use cpm_proto::{Account, ClientEvent, Received, Secret};
use cpm_runtime_common::{ClientCommand, ClientOptions};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Longest wait for one event. A Device is back within 35 s of a restart, however that went unnoticed.
const PATIENCE: Duration = Duration::from_secs(36);

/// A client and the events that nobody asked for yet.
pub(super) struct Device {
    name: &'static str,
    client: Client,
    events: Receiver<ClientEvent>,
    backlog: VecDeque<ClientEvent>,
}

impl Device {
    /// Starts a Device; its registration comes as an event.
    pub(super) fn start(
        runtime: Runtime,
        name: &'static str,
        address: &str,
        transport: Transport,
        server: SocketAddr,
    ) -> Result<Self, Failure> {
        let transport = match transport {
            Transport::Udp => cpm_base::Transport::Udp,
            Transport::Tcp => cpm_base::Transport::Tcp,
        };
        let password = Secret::new(super::node::PASSWORD);
        let account = Account::new(address, password, server, transport, new_instance()?);
        let client = Client::start(runtime, ClientOptions::new(account))?;
        let (sender, events) = sync_channel(256);
        let watched = client.clone();
        std::thread::spawn(move || {
            while let Some(event) = watched.next_event() {
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name, client, events, backlog: VecDeque::new() })
    }

    /// Its name in the story.
    pub(super) fn name(&self) -> &str {
        self.name
    }

    /// Waits for an event; others stay for later.
    pub(super) fn expect(
        &mut self,
        what: &str,
        wanted: impl Fn(&ClientEvent) -> bool,
    ) -> Result<ClientEvent, Failure> {
        if let Some(at) = self.backlog.iter().position(&wanted) {
            return self.backlog.remove(at).ok_or_else(|| self.missing(what));
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let wait = until.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(wait) {
                Ok(event) if wanted(&event) => return Ok(event),
                Ok(event) => self.backlog.push_back(event),
                Err(_) => return Err(self.missing(what)),
            }
        }
    }

    fn missing(&self, what: &str) -> Failure {
        Failure::new(format!("{} waited in vain {what}; it heard {:?}", self.name, self.backlog))
    }

    /// Sends a message; gives its Message-ID.
    pub(super) fn send(&mut self, outgoing: Outgoing) -> Result<String, Failure> {
        let sent = self.client.command(ClientCommand::Send(outgoing)).context("not sent")?;
        sent.ok_or_else(|| Failure::new("the message got no Message-ID"))
    }

    /// Waits until the network has taken a message; gives the status.
    pub(super) fn accepted(&mut self, sent: &str) -> Result<u16, Failure> {
        let about = |event: &ClientEvent| match event {
            ClientEvent::Accepted { message_id, .. } | ClientEvent::Failed { message_id, .. } => {
                message_id == sent
            }
            _ => false,
        };
        match self.expect("for its message to be taken", about)? {
            ClientEvent::Accepted { status, .. } => Ok(status),
            other => Err(Failure::new(format!("not sent: {other:?}"))),
        }
    }

    /// Waits for a message.
    pub(super) fn message(&mut self, sent: &str) -> Result<Received, Failure> {
        let about =
            |event: &ClientEvent| matches!(event, ClientEvent::Message(got) if got.message_id == sent);
        match self.expect("for the message", about)? {
            ClientEvent::Message(got) => Ok(*got),
            other => Err(Failure::new(format!("no message: {other:?}"))),
        }
    }

    /// Waits to hear that a message was delivered.
    pub(super) fn delivered(&mut self, sent: &str, recipient: &str) -> Result<(), Failure> {
        let wanted = ClientEvent::Delivered { message_id: sent.to_owned(), by: recipient.to_owned() };
        self.expect("to hear of the delivery", move |event| *event == wanted).map(drop)
    }

    /// Waits to hear that a message was displayed.
    pub(super) fn displayed(&mut self, sent: &str, recipient: &str) -> Result<(), Failure> {
        let wanted = ClientEvent::Displayed { message_id: sent.to_owned(), by: recipient.to_owned() };
        self.expect("to hear of the display", move |event| *event == wanted).map(drop)
    }

    /// The user reads a message.
    pub(super) fn read(&mut self, message_id: &str) -> Result<(), Failure> {
        let command = ClientCommand::Read { message_id: message_id.to_owned() };
        self.client.command(command).context("cannot be read").map(drop)
    }

    /// Fails if a message came that nobody waited for.
    pub(super) fn no_message(&mut self) -> Result<(), Failure> {
        self.backlog.extend(self.events.try_iter());
        match self.backlog.iter().find(|event| matches!(event, ClientEvent::Message(_))) {
            Some(event) => Err(Failure::new(format!("{} got something twice: {event:?}", self.name))),
            None => Ok(()),
        }
    }

    /// Unregisters and waits for it.
    pub(super) fn unregister(&mut self) -> Result<(), Failure> {
        self.client.command(ClientCommand::Unregister).context("cannot unregister")?;
        self.expect("to be unregistered", |event| matches!(event, ClientEvent::Unregistered)).map(drop)
    }

    /// Unregisters and ends.
    pub(super) fn leave(mut self) -> Result<(), Failure> {
        self.unregister()?;
        self.client.stop().context("the client did not end in order")
    }
}
