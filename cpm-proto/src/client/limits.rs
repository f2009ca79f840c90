//! What one client account may hold and how long it tries.

use std::time::Duration;

/// Limits and times of one client account.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientLimits {
    /// Messages that wait or are on their way. Reached: the send command gets `Error::Limit`.
    pub outgoing: usize,
    /// Disposition notifications that wait or are on their way. Reached: the new one is dropped.
    pub notifications: usize,
    /// Received messages remembered, to know them again and to notify about them. Reached: the oldest is
    /// forgotten.
    pub received: usize,
    /// Sent messages remembered, to match notifications. Reached: the oldest is forgotten.
    pub sent: usize,
    /// Peers whose Conversation-ID is remembered. Reached: the oldest is forgotten.
    pub conversations: usize,
    /// Length of an identifier from a peer, bytes (CONV-SEC-006). Longer: 400.
    pub id_bytes: usize,
    /// Whole MESSAGE over UDP without its credentials, bytes (RFC 3428 §8, CONV-PM-001). Larger: the
    /// message fails at once with 403 `Size exceeded`.
    pub pager_udp: usize,
    /// The same over a reliable transport (CONV-PM-002).
    pub pager_reliable: usize,
    /// Transactions that may end in a timeout, a transport failure or a 503 before a message fails.
    pub attempts: u32,
    /// The same for a notification, which may also meet 480, 408 and any 5xx (CONV-IMDN-060).
    pub notify_attempts: u32,
    /// A message fails with 503 when it could not be sent for this long, registered or not.
    pub give_up: Duration,
    /// First pause between two attempts; doubles up to `back_off_max`.
    pub back_off: Duration,
    /// Longest pause between two attempts.
    pub back_off_max: Duration,
    /// On unregister: how long messages and notifications under way may still take.
    pub linger: Duration,
    /// On unregister: how long the registrar may take to answer.
    pub unregister: Duration,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            outgoing: 256,
            notifications: 1_024,
            received: 4_096,
            sent: 4_096,
            conversations: 1_024,
            id_bytes: 256,
            pager_udp: 1_300,
            pager_reliable: 65_536,
            attempts: 4,
            notify_attempts: 8,
            give_up: Duration::from_secs(180),
            back_off: Duration::from_secs(2),
            back_off_max: Duration::from_secs(60),
            linger: Duration::from_secs(2),
            unregister: Duration::from_secs(2),
        }
    }
}
