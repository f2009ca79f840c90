//! What the benchmarks share: messages, contenders, and a clock that compares fairly on a busy machine.

pub mod contenders;
pub mod fixtures;
pub mod load;
pub mod rounds;
pub mod trips;
