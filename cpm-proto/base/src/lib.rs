//! The contract that all CPM machines share, and what every one of them needs: two clocks stamped from
//! outside, flows, timers, typed handles, seeded randomness and maps, and [`shell`], the IO-free half of a
//! driver. Nothing here touches a socket, a file, a thread or a clock (architecture §2, §3).

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
