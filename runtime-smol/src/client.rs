//! One account on a Device, behind a handle.

use crate::{DriverHandle, DriverOptions};
use cpm_proto::{ClientEvent, Node};
use cpm_runtime_common::client::{ClientHandler, ClientNote, ClientOrder, client_node};
use cpm_runtime_common::{Address, ClientCommand, ClientOptions, CommandError, RunError, StartError};
use smol::channel::bounded;

/// A running client. Cheap to clone. When the last clone is dropped it unregisters and ends.
#[derive(Clone, Debug)]
pub struct Client {
    shard: DriverHandle<Node, ClientOrder, ClientNote>,
}

impl Client {
    /// Binds what the account needs and begins to register; [`Client::next_event`] tells how that went.
    ///
    /// # Errors
    ///
    /// Names what failed: the address in use, the account, the system. Nothing is left running.
    pub async fn start(options: ClientOptions) -> Result<Self, StartError> {
        let mut driver = DriverOptions::new("cpm-client", options.listen());
        driver.towards = Some(options.account.server);
        driver.limits = options.shell;
        let node = client_node(options.node, options.seed)?;
        let shard = DriverHandle::spawn(driver, node, |_| Ok(ClientHandler::new(options.account)))?;
        match shard.next_event().await {
            Some(ClientNote::Refused(error)) => {
                let _ended_anyway = shard.stop().await;
                Err(StartError::Account(error))
            }
            Some(_) => Ok(Self { shard }),
            None => Err(StartError::Ended(shard.ended().await.err().unwrap_or(RunError::Stopped))),
        }
    }

    /// Where it listens: nowhere over TCP.
    pub fn addresses(&self) -> &[Address] {
        self.shard.addresses()
    }

    /// Runs a command. `Send` gives the Message-ID; what becomes of the message comes as events.
    ///
    /// # Errors
    ///
    /// [`CommandError::Refused`] tells why nothing was done.
    pub async fn command(&self, command: ClientCommand) -> Result<Option<String>, CommandError> {
        let (reply, answer) = bounded(1);
        let reply = Box::new(move |result| drop(reply.try_send(result)));
        self.shard.command(ClientOrder { command, reply }).await?;
        match answer.recv().await {
            Ok(result) => Ok(result?),
            Err(_) => Err(CommandError::Run(self.shard.why_ended().await)),
        }
    }

    /// The next event; `None` once the client has ended. Clones share the events.
    pub async fn next_event(&self) -> Option<ClientEvent> {
        loop {
            match self.shard.next_event().await? {
                ClientNote::Event(event) => return Some(event),
                ClientNote::Added | ClientNote::Refused(_) => {}
            }
        }
    }

    /// Unregisters and ends, within five seconds. Stopping twice is no error.
    ///
    /// # Errors
    ///
    /// [`RunError::Unfinished`] when the server did not answer in time; the client has ended all the same.
    pub async fn stop(&self) -> Result<(), RunError> {
        self.shard.stop().await
    }
}
