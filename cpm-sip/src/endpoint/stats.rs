//! What an endpoint counts.

/// Plain counters since the start, and a few present sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Requests handed to the owner.
    pub requests_in: u64,
    /// Responses handed to the owner.
    pub responses_in: u64,
    /// Client transactions started.
    pub requests_out: u64,
    /// Responses sent by the owner.
    pub responses_out: u64,
    /// Requests that came again and were absorbed or answered from the kept response.
    pub retransmissions_in: u64,
    /// Requests and responses sent again by a timer.
    pub retransmissions_out: u64,
    /// Messages that could not be parsed or are not valid.
    pub malformed: u64,
    /// Of these, requests that were answered.
    pub malformed_answered: u64,
    /// Responses that fit no transaction (RFC 6026 §8.9).
    pub stray_responses: u64,
    /// Copies of a request that came over another way, answered 482.
    pub merged: u64,
    /// Requests answered 503 because of a limit.
    pub overload: u64,
    /// Datagrams dropped because outputs wait.
    pub dropped: u64,
    /// Client transactions that timed out.
    pub timeouts: u64,
    /// Client transactions that failed with their transport.
    pub transport_failures: u64,
    /// Server transactions that ended unanswered or unacknowledged.
    pub died: u64,
    /// Streams closed because their framing was lost or they were too slow or too noisy.
    pub streams_closed: u64,
    /// Pings answered.
    pub pings: u64,
    /// Large requests that went over TCP instead of UDP.
    pub upgraded: u64,
    /// Live server transactions.
    pub server_txns: usize,
    /// Live client transactions.
    pub client_txns: usize,
    /// Flows that are up.
    pub flows: usize,
    /// Outputs that wait to be taken.
    pub outputs: usize,
}
