//! Servers and clients of either runtime behind one face. Their shards have threads of their own; the program waits
//! for them with plain blocking calls.

use crate::args::Runtime;
use crate::failure::{Context, Failure};
use cpm_proto::ClientEvent;
use cpm_runtime_common::{Address, ClientCommand, ClientOptions, CommandError, RunError, ServerOptions};
use smol::block_on;

/// A running server.
#[derive(Clone, Debug)]
pub(crate) enum Server {
    Tokio(cpm_runtime_tokio::Server),
    Smol(cpm_runtime_smol::Server),
}

impl Server {
    /// Starts a server; it serves when this returns.
    pub(crate) fn start(runtime: Runtime, options: ServerOptions) -> Result<Self, Failure> {
        match runtime {
            Runtime::Tokio => block_on(cpm_runtime_tokio::Server::start(options)).map(Self::Tokio),
            Runtime::Smol => block_on(cpm_runtime_smol::Server::start(options)).map(Self::Smol),
        }
        .context("cannot serve")
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> &[Address] {
        match self {
            Self::Tokio(server) => server.addresses(),
            Self::Smol(server) => server.addresses(),
        }
    }

    /// Stops it and waits for its end.
    pub(crate) fn stop(&self) -> Result<(), RunError> {
        match self {
            Self::Tokio(server) => block_on(server.stop()),
            Self::Smol(server) => block_on(server.stop()),
        }
    }

    /// Waits for its end.
    pub(crate) fn ended(&self) -> Result<(), RunError> {
        match self {
            Self::Tokio(server) => block_on(server.ended()),
            Self::Smol(server) => block_on(server.ended()),
        }
    }
}

/// A running client.
#[derive(Clone, Debug)]
pub(crate) enum Client {
    Tokio(cpm_runtime_tokio::Client),
    Smol(cpm_runtime_smol::Client),
}

impl Client {
    /// Starts a client; it registers by itself.
    pub(crate) fn start(runtime: Runtime, options: ClientOptions) -> Result<Self, Failure> {
        match runtime {
            Runtime::Tokio => block_on(cpm_runtime_tokio::Client::start(options)).map(Self::Tokio),
            Runtime::Smol => block_on(cpm_runtime_smol::Client::start(options)).map(Self::Smol),
        }
        .context("cannot start the client")
    }

    /// Runs a command.
    pub(crate) fn command(&self, command: ClientCommand) -> Result<Option<String>, CommandError> {
        match self {
            Self::Tokio(client) => block_on(client.command(command)),
            Self::Smol(client) => block_on(client.command(command)),
        }
    }

    /// Waits for the next event; `None` once the client has ended.
    pub(crate) fn next_event(&self) -> Option<ClientEvent> {
        match self {
            Self::Tokio(client) => block_on(client.next_event()),
            Self::Smol(client) => block_on(client.next_event()),
        }
    }

    /// Stops it and waits for its end.
    pub(crate) fn stop(&self) -> Result<(), RunError> {
        match self {
            Self::Tokio(client) => block_on(client.stop()),
            Self::Smol(client) => block_on(client.stop()),
        }
    }
}
