//! The simulated world: virtual time, seeded links and store faults for any machine with flows.
//!
//! A [`World`] runs hosts. A host is a [`Shell`](cpm_base::shell::Shell) around a machine plus a [`Handler`] for
//! what is no flow's business. Datagrams and streams travel over [`Link`]s that lose, repeat, delay, cut, stall
//! and reset as their seed says. Time jumps from one happening to the next, so a simulated hour takes as long
//! as its work. The same seed gives the same run, byte for byte: [`World::fingerprint`] tells.
//!
//! Two things are checked after every step, whatever the test asks: a machine whose timer was due fires it and
//! does not ask again for the same moment that has passed, and one turn of a host ends.
//!
//! ```text
//! machine ── Shell ── sockets of a host ── Datagram ──> Link ──> Datagram ── sockets ── Shell ── machine
//!    └── Handler ── SimStore (latency, full, conflict, lost on kill)
//! ```

mod datagram;
mod host;
mod link;
mod node;
mod store;
mod stream;
mod trace;
mod world;

pub use host::{Handler, HostId};
pub use link::Link;
pub use node::{NodeHost, Noted};
pub use store::{SimStore, StoreFaults};
pub use trace::Counts;
pub use world::World;
