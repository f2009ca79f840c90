//! What happened: a fingerprint over everything, counters, and on demand the lines.

use cpm_base::HashSeed;
use std::fmt::Arguments;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// How often each fault and each kind of traffic happened in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Datagrams sent.
    pub datagrams: u64,
    /// Datagrams lost, for whatever reason.
    pub lost: u64,
    /// Datagrams that came twice.
    pub duplicated: u64,
    /// Datagrams delayed beyond later ones.
    pub reordered: u64,
    /// Connects tried.
    pub connects: u64,
    /// Connects refused or never answered.
    pub unconnected: u64,
    /// Pieces of streams delivered.
    pub pieces: u64,
    /// Stalls of streams.
    pub stalls: u64,
    /// Connections reset by a link.
    pub resets: u64,
    /// Hosts killed.
    pub kills: u64,
}

/// The record of one run.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) counts: Counts,
    fingerprint: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(record: bool) -> Self {
        Self { counts: Counts::default(), fingerprint: 0, lines: record.then(Vec::new) }
    }

    /// Notes that `data` moved at host `host`, `at` after the beginning.
    pub(crate) fn note(&mut self, at: Duration, host: &str, what: Arguments<'_>, data: &[u8]) {
        let mut hasher = HashSeed([self.fingerprint, at.as_nanos() as u64]).build_hasher();
        hasher.write(host.as_bytes());
        hasher.write(data);
        if let Some(lines) = &mut self.lines {
            let text = String::from_utf8_lossy(data);
            lines.push(format!("@{:.6} {host}: {what}", at.as_secs_f64()));
            lines.extend(text.lines().map(|line| format!("    |{line}")));
        }
        self.fingerprint = hasher.finish();
    }

    /// Keeps a line that is no part of the fingerprint.
    pub(crate) fn remark(&mut self, at: Duration, host: &str, what: impl FnOnce() -> Option<String>) {
        if let Some(lines) = &mut self.lines
            && let Some(what) = what()
        {
            lines.push(format!("@{:.6} {host}: # {what}", at.as_secs_f64()));
        }
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(crate) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or(&[])
    }
}
