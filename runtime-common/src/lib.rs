//! What touches the operating system but no runtime: sockets before a runtime has them, UDP batches, clocks,
//! the queue of ready sockets, the engine thread, probes to tracing; and the types that both runtimes' users
//! see. It never names tokio or smol.

pub mod client;
mod clock;
pub mod driver;
mod ending;
pub mod engine;
mod error;
pub mod net;
pub mod probes;
pub mod ready;
pub mod server;
pub mod udp;

pub use client::{ClientCommand, ClientOptions};
pub use clock::{seed, stamp};
pub use driver::{Address, DriverOptions, DriverStats, Handler, Stopping};
pub use ending::{Ended, Ending};
pub use error::{CommandError, Label, RunError, StartError};
pub use net::Listen;
pub use server::{ServerOptions, ServerStats};
