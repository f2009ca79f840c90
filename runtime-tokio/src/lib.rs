//! CPM on tokio: sockets, timer and tasks around the pure core.

mod datagrams;
mod driver;
mod events;
mod handle;
mod streams;

pub use cpm_runtime_common::{
    Address, DriverOptions, DriverStats, Handler, Listen, RunError, StartError, Stopping,
};
pub use handle::{DriverHandle, Inputs};
