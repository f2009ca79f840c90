//! The contract that all CPM machines share, and what every one of them needs. Nothing here touches a socket, a
//! file, a thread or a clock (docs/architecture.md, "Sans-IO is law").
//!
//! | part | what for |
//! |---|---|
//! | [`Machine`], [`FlowMachine`] | the traits that drivers, the simulator and the fuzzers use |
//! | [`Now`], [`Monotonic`] | the two clocks, stamped from outside once a turn |
//! | [`FlowInput`], [`FlowOutput`] | the language of sockets, the same for every protocol |
//! | [`shell`] | the IO-free half of a driver: connections, write buffers, limits |
//! | [`Wheel`] | timers: arm, cancel and next deadline in constant time |
//! | [`Arena`], [`Handle`], [`Side`], [`Token`] | objects and typed keys that go stale instead of wrong |
//! | [`SeededMap`], [`Rng`] | hashing and randomness from the node's seed: unguessable and repeatable |
//! | [`RecvBuf`], [`Segments`] | bytes on their way in and out, without copies |
//! | [`ProbeRing`] | what may be observed: numbers, never addresses or text |
//!
//! A driver is a loop of six steps; [`shell`] has them, `cpm-proto/examples/blocking.rs` is one in full.

mod arena;
mod flow;
mod machine;
mod map;
mod now;
mod probe;
mod recvbuf;
mod rng;
mod segments;
pub mod shell;
mod token;
mod wheel;

pub use arena::{Arena, Handle, Side};
pub use flow::{FlowDown, FlowId, FlowInfo, FlowInput, FlowMachine, FlowOutput, Transport};
pub use machine::Machine;
pub use map::{HashSeed, SeededMap};
pub use now::{Monotonic, Now};
pub use probe::{Probe, ProbeKind, ProbeRing};
pub use recvbuf::{Full, RecvBuf};
pub use rng::Rng;
pub use segments::Segments;
pub use token::Token;
pub use wheel::{TimerId, Wheel};
