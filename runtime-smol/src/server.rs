//! A node that serves users, behind a handle.

use crate::{DriverHandle, DriverOptions};
use cpm_proto::Node;
use cpm_runtime_common::server::{ServerEvent, ServerHandler, server_node, stored};
use cpm_runtime_common::{Address, RunError, ServerOptions, ServerStats, StartError};
use std::convert::Infallible;

/// A running server. Cheap to clone; when the last clone is dropped it ends as if it had been stopped.
#[derive(Clone, Debug)]
pub struct Server {
    shard: DriverHandle<Node, Infallible, ServerEvent>,
}

impl Server {
    /// Binds the addresses and restores durable state; requests are served from then on.
    ///
    /// # Errors
    ///
    /// Names what failed: the address in use, the store, the system. Nothing is left running.
    pub async fn start(options: ServerOptions) -> Result<Self, StartError> {
        let ServerOptions { node, seed, listen, engine, shell, engine_limits, .. } = options;
        if listen.is_empty() {
            return Err(StartError::NothingToListen);
        }
        let node = server_node(node, seed)?;
        let mut driver = DriverOptions::new("cpm-server", listen);
        driver.limits = shell;
        let shard = DriverHandle::spawn(driver, node, |inputs| {
            ServerHandler::new(engine, engine_limits, move |token, answer| inputs.send(stored(token, answer)))
        })?;
        match shard.next_event().await {
            Some(ServerEvent::Started) => Ok(Self { shard }),
            Some(ServerEvent::StartFailed(error)) => {
                let _ended_anyway = shard.stop().await;
                Err(StartError::Store(error))
            }
            None => Err(StartError::Ended(shard.ended().await.err().unwrap_or(RunError::Stopped))),
        }
    }

    /// Where it listens, in the order asked for; ports are the real ones.
    pub fn addresses(&self) -> &[Address] {
        self.shard.addresses()
    }

    /// Counters of this moment.
    pub async fn stats(&self) -> Result<ServerStats, RunError> {
        self.shard.inspect(ServerStats::of).await
    }

    /// Stops: takes nothing new in, answers what is being stored, syncs the engine and lets go of all sockets and
    /// files. Registrations stay; the next start serves them. Stopping twice is no error.
    ///
    /// # Errors
    ///
    /// [`RunError::Unfinished`] when the store did not answer within ten seconds.
    pub async fn stop(&self) -> Result<(), RunError> {
        self.shard.stop().await
    }

    /// Waits until it has ended, by [`Server::stop`] or by a failure.
    pub async fn ended(&self) -> Result<(), RunError> {
        self.shard.ended().await
    }
}
