//! The limits of the SIP layer in one place (architecture §14). Every one has a defined protocol answer.

use core::time::Duration;

/// What a peer may make us hold or do. Sizes are bytes unless the field says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Start line and header fields with the empty line; at most 65 535, larger values count as that. Beyond: 513.
    pub head: usize,
    /// Header fields of one message. Beyond: 400.
    pub fields: usize,
    /// One header field value, folding included. Beyond: 400.
    pub value: usize,
    /// Body of one message. Beyond: 413.
    pub body: usize,
    /// Via values of one message. Beyond: 483.
    pub vias: usize,
    /// Route, Record-Route and History-Info values each. Beyond: 400.
    pub routes: usize,
    /// One URI. Beyond: 414 for a Request-URI, else 400.
    pub uri: usize,
    /// Parameters of one header field value or URI. Beyond: 400.
    pub params: usize,
    /// Transactions of one endpoint. Beyond: 503 with Retry-After.
    pub transactions: usize,
    /// Transactions caused by one untrusted source address. Beyond: 503 with Retry-After.
    pub transactions_per_source: usize,
    /// Bindings of one address of record. Beyond: 503.
    pub bindings: usize,
    /// Octets of one stored binding.
    pub binding_size: usize,
    /// Redirects followed for one request; then the 3xx is passed up.
    pub redirects: u8,
    /// RFC 5393 Max-Breadth. Beyond: 440.
    pub max_breadth: u32,
    /// Flows of one endpoint. Beyond: refused.
    pub flows: usize,
    /// Flows of one untrusted source address. Beyond: refused.
    pub flows_per_source: usize,
    /// Keep-alive line ends taken from one flow within a second before it counts as abuse.
    pub keep_alives_per_second: u32,
    /// A stream without a first byte is closed after this.
    pub first_byte: Duration,
    /// A stream that began a head must complete it within this.
    pub complete_head: Duration,
    /// A flow without traffic is closed after this.
    pub idle: Duration,
    /// Bytes waiting to be written on one flow; beyond, the flow is closed and reported.
    pub unsent: usize,
    /// Outputs waiting to be taken; beyond, reading stops, datagrams are dropped and commands are refused.
    pub outputs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: 65_535,
            fields: 128,
            value: 8 * 1024,
            body: 256 * 1024,
            vias: 70,
            routes: 30,
            uri: 1024,
            params: 32,
            transactions: 200_000,
            transactions_per_source: 2_000,
            bindings: 10,
            binding_size: 512,
            redirects: 5,
            max_breadth: 60,
            flows: 20_000,
            flows_per_source: 200,
            keep_alives_per_second: 64,
            first_byte: Duration::from_secs(5),
            complete_head: Duration::from_secs(15),
            idle: Duration::from_secs(15 * 60),
            unsent: 1024 * 1024,
            outputs: 16_384,
        }
    }
}
