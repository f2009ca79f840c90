//! Guards against exhaustion, one place to set them (architecture §14).

use crate::client::ClientLimits;
use std::time::Duration;

/// The limits of a node. Every one has an answer for the moment it is reached.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Readers of CPIM, MIME and IMDN.
    pub cpim: cpm_cpim::Limits,
    /// Store effects that wait for an answer. Reached: 503 with Retry-After, commands get `Error::Limit`.
    pub effects: usize,
    /// Outputs that wait for the driver. Reached: reading stops, datagrams are dropped, commands get
    /// `Error::Limit`.
    pub outputs: usize,
    /// A store that has not answered after this long counts as failed: 503 or 480.
    pub store_timeout: Duration,
    /// Deferred messages of one user. Reached: 480 with Retry-After.
    pub deferred_count: u32,
    /// Bytes of deferred messages of one user. Reached: 480 with Retry-After.
    pub deferred_bytes: u64,
    /// Contacts of one address of record. Reached: 403.
    pub bindings: usize,
    /// Messages under way in the participating function. Reached: 503 with Retry-After.
    pub exchanges: usize,
    /// Messages under way from one sender. Reached: 503 with Retry-After.
    pub exchanges_per_user: usize,
    /// Client transactions that wait for their turn toward one Request-URI (CONV-PM-015). Reached: 503.
    pub gate_queue: usize,
    /// Remembered (sender, Message-ID) pairs and notification states. Reached: the oldest is forgotten.
    pub remembered: usize,
    /// Size of a body once a Content-Encoding is undone. Reached: 413.
    pub decoded_body: usize,
    /// Client accounts of this node. Reached: `Error::Limit`.
    pub accounts: usize,
    /// Limits and times of each client account.
    pub client: ClientLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpim: cpm_cpim::Limits::default(),
            effects: 50_000,
            outputs: 16_384,
            store_timeout: Duration::from_secs(5),
            deferred_count: 1_000,
            deferred_bytes: 64 << 20,
            bindings: 10,
            exchanges: 50_000,
            exchanges_per_user: 200,
            gate_queue: 64,
            remembered: 200_000,
            decoded_body: 256 << 10,
            accounts: 10_000,
            client: ClientLimits::default(),
        }
    }
}
