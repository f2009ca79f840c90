//! Probes of a core become `tracing` events, by one written table.
//!
//! A probe holds numbers only. No address, no name and no text of a peer is logged by the adapters; where an
//! embedder's own text goes to a log, [`Escaped`] keeps control characters from reaching a terminal.

use cpm_base::{Probe, ProbeKind};
use std::fmt;
use tracing::{Level, debug, error, info, trace, warn};

/// The target under which all probes are logged.
pub const TARGET: &str = "cpm::probe";

/// The table: how loud a probe is, its name, and what its two numbers are (empty: not used).
///
/// `error`: an operator must act. `warn`: something is lost or delayed. `info`: worth a line in operation.
/// `debug`: caused by one peer, who may do it as often as he likes.
pub fn entry(kind: ProbeKind) -> (Level, &'static str, &'static str, &'static str) {
    match kind {
        ProbeKind::StoreFailed => (Level::ERROR, "store effect failed", "token", ""),
        ProbeKind::StoreLate => (Level::WARN, "store answered too late", "token", ""),
        ProbeKind::ClockBackwards => (Level::WARN, "clock went backwards", "microseconds", ""),
        ProbeKind::LimitReached => (Level::WARN, "limit reached", "flow", ""),
        ProbeKind::DatagramDropped => (Level::WARN, "datagram dropped", "flow", ""),
        ProbeKind::AuthFailed => (Level::INFO, "authentication failed", "flow", "status"),
        ProbeKind::BadMessage => (Level::DEBUG, "malformed message", "flow", "offset"),
        ProbeKind::StrayResponse => (Level::DEBUG, "stray response", "flow", "status"),
        _ => (Level::DEBUG, "probe", "a", "b"),
    }
}

/// Logs one probe as the table says.
pub fn emit(probe: Probe) {
    let (level, name, a, b) = entry(probe.kind);
    let numbers = Numbers { a: (a, probe.a), b: (b, probe.b) };
    match level {
        Level::ERROR => error!(target: TARGET, "{name}{numbers}"),
        Level::WARN => warn!(target: TARGET, "{name}{numbers}"),
        Level::INFO => info!(target: TARGET, "{name}{numbers}"),
        Level::DEBUG => debug!(target: TARGET, "{name}{numbers}"),
        _ => trace!(target: TARGET, "{name}{numbers}"),
    }
}

struct Numbers {
    a: (&'static str, u64),
    b: (&'static str, u64),
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, number) in [self.a, self.b] {
            if !name.is_empty() {
                write!(f, " {name}={number}")?;
            }
        }
        Ok(())
    }
}

/// Text with every control character, also those of Unicode that change the direction or hide text, written as
/// an escape: safe for terminals and for one-line logs.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            if letter.is_control() || is_invisible(letter) {
                write!(f, "{}", letter.escape_unicode())?;
            } else {
                fmt::Write::write_char(f, letter)?;
            }
        }
        Ok(())
    }
}

/// Direction marks, zero-width characters and line separators.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
#[path = "probes_tests.rs"]
mod tests;
