//! CPM on smol: sockets, timer and tasks around the pure core.

mod datagrams;
mod driver;
mod events;
mod handle;
mod server;
mod streams;

pub use cpm_runtime_common::{
    Address, DriverOptions, DriverStats, Handler, Listen, RunError, ServerOptions, ServerStats, StartError,
    Stopping,
};
pub use handle::{DriverHandle, Inputs};
pub use server::Server;
