//! The only place where the adapters read the system's clocks and its randomness.

use crate::StartError;
use cpm_base::Now;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Both clocks as they stand. A system clock set before 1970 counts as 1970.
pub fn stamp() -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Now { mono: Instant::now(), unix }
}

/// A seed from the operating system's random source. It is a secret: it must be neither shown nor kept.
pub fn seed() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| StartError::NoRandomness)?;
    Ok(seed)
}
