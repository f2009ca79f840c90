//! The trait that drivers, the simulator and the fuzzers use.

use crate::Now;
use std::time::Instant;

/// A pure state machine: inputs in, outputs out, time given by the caller (architecture §3).
///
/// Any interleaving of the calls is legal; nothing has to be drained first.
pub trait Machine {
    /// What the outside tells the machine.
    type Input;
    /// What the machine wants carried out, in cause order.
    type Output;
    /// Why an input was refused. A report only: the input is spent either way.
    type Error: std::error::Error;

    /// Takes one input. Bounded work. Legal at any moment, drained or not.
    fn handle_input(&mut self, now: Now, input: Self::Input) -> Result<(), Self::Error>;

    /// Fires at most `budget` due timers; true if more are due.
    fn handle_timeout(&mut self, now: Now, budget: usize) -> bool;

    /// Takes the next output; O(1).
    fn poll_output(&mut self) -> Option<Self::Output>;

    /// The next deadline and the name of the timer that set it; O(1).
    fn poll_timeout(&self) -> Option<(Instant, &'static str)>;
}
