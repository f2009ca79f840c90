//! How often a source may give wrong credentials (design threats 7.3). Guessing gets slow; who knows the secret
//! is let in as soon as the window is over.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Wrong credentials a source may give within one window.
const TRIES: u32 = 20;

/// Length of a window.
const WINDOW: Duration = Duration::from_secs(60);

/// Sources remembered. Beyond it the oldest window is forgotten.
const SOURCES: usize = 10_000;

/// Wrong credentials by source.
#[derive(Debug, Default)]
pub(super) struct Tries {
    sources: BTreeMap<IpAddr, (Instant, u32)>,
}

impl Tries {
    /// How long the source must wait before its credentials are looked at again.
    pub(super) fn wait(&mut self, now: Instant, source: IpAddr) -> Option<Duration> {
        let (start, count) = *self.sources.get(&source)?;
        let left = (start + WINDOW).saturating_duration_since(now);
        if left.is_zero() {
            self.sources.remove(&source);
            return None;
        }
        (count >= TRIES).then_some(left)
    }

    /// The source gave wrong credentials.
    pub(super) fn failed(&mut self, now: Instant, source: IpAddr) {
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&source) {
            self.sources.retain(|_, (start, _)| now.saturating_duration_since(*start) < WINDOW);
            let oldest = self.sources.iter().min_by_key(|(_, (start, _))| *start).map(|(source, _)| *source);
            if let Some(oldest) = oldest.filter(|_| self.sources.len() >= SOURCES) {
                self.sources.remove(&oldest);
            }
        }
        let entry = self.sources.entry(source).or_insert((now, 0));
        entry.1 = entry.1.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn limit_at_n_minus_1_n_and_n_plus_1_and_the_end_of_the_window() {
        let now = Instant::now();
        for (count, waits) in [(TRIES - 1, false), (TRIES, true), (TRIES + 1, true)] {
            let mut tries = Tries::default();
            for _ in 0..count {
                tries.failed(now, SOURCE);
            }
            assert_eq!(tries.wait(now, SOURCE).is_some(), waits, "{count}");
            assert_eq!(tries.wait(now, IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)), None);
            assert_eq!(tries.wait(now + WINDOW, SOURCE), None);
            assert_eq!(tries.wait(now, SOURCE), None, "a new window begins");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let now = Instant::now();
        let mut tries = Tries::default();
        for at in 0..SOURCES as u32 + 5 {
            tries.failed(now + Duration::from_millis(u64::from(at)), IpAddr::from(at.to_be_bytes()));
            assert!(tries.sources.len() <= SOURCES);
        }
    }
}
