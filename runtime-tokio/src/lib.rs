//! CPM on tokio: sockets, timer and tasks around the pure core.

mod client;
mod datagrams;
mod driver;
mod events;
mod handle;
mod server;
mod streams;

pub use client::Client;
pub use cpm_runtime_common::{
    Address, ClientCommand, ClientOptions, CommandError, DriverOptions, DriverStats, Handler, Listen,
    RunError, ServerOptions, ServerStats, StartError, Stopping,
};
pub use handle::{DriverHandle, Inputs};
pub use server::Server;
