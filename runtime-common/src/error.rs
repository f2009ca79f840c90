//! What can go wrong before and after a shard runs.

use cpm_base::Transport;
use cpm_proto::store::engine::StoreError;
use std::io;
use std::net::SocketAddr;

/// Why a server, a client or a driver did not start. Nothing is left behind: all sockets are closed again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another process (or another listener of this one) has the address.
    #[error("the address {addr} ({transport}) is in use")]
    AddressInUse {
        /// How it was to be listened on.
        transport: Label,
        /// The address.
        addr: SocketAddr,
    },
    /// The system refused the address for another reason: not ours, not permitted, ...
    #[error("cannot listen on {addr} ({transport}): {source}")]
    Listen {
        /// How it was to be listened on.
        transport: Label,
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// This build has no such transport.
    #[error("{transport} is not available for {addr}")]
    NoSuchTransport {
        /// The transport.
        transport: Label,
        /// The address it was asked for.
        addr: SocketAddr,
    },
    /// No address to listen on was given.
    #[error("nothing to listen on")]
    NothingToListen,
    /// The runtime, a thread or a socket of the runtime's own could not be made.
    #[error("cannot start the {what}: {source}")]
    System {
        /// What could not be made.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
    /// Durable state could not be read; nobody is served.
    #[error("durable state cannot be restored: {0}")]
    Store(StoreError),
    /// The shard ended before it had started.
    #[error("the shard ended while starting: {0}")]
    Ended(RunError),
    /// The node refused the account.
    #[error("the account was refused: {0}")]
    Account(cpm_proto::Error),
}

/// Why a call on a handle got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It was stopped before.
    #[error("already stopped")]
    Stopped,
    /// The shard's thread ended in a panic; its state is gone, nothing else is touched.
    #[error("the shard failed")]
    Panicked,
    /// The work outstanding did not finish within the time that a stop may take.
    #[error("stopped with work unfinished")]
    Unfinished,
}

/// Why a command to a client was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The client is no longer there.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The client refused it; nothing changed.
    #[error(transparent)]
    Refused(#[from] cpm_proto::Error),
}

/// The name of a transport in error texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(pub Transport);

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            _ => "transport",
        })
    }
}
