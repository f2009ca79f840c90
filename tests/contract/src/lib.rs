//! One suite that every runtime adapter must pass. The library holds what the suite drives: a small machine
//! whose behaviour is known, [`Echo`]. The suite itself is in `tests/suite`, compiled once for each runtime.

mod echo;
mod gate;

pub use echo::{Command, Echo, EchoError, EchoHandler, Input, Note};
pub use gate::{Gate, GatedEngine};
