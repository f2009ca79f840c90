//! The four transaction machines of SIP (RFC 3261 §17 with RFC 6026 and RFC 4320), the keys that find them and
//! the table that holds them.
//!
//! Each machine is a pure table `state x event -> state + actions` in a file of its own: [`ict`] and [`nict`]
//! for clients, [`ist`] and [`nist`] for servers. No table knows the transport: [`Timers::fuse`] says that a
//! timer does not run, or fires at once, on a reliable one.

pub mod ict;
pub mod ist;
mod key;
pub mod nict;
pub mod nist;
mod table;
mod timers;

#[cfg(test)]
mod tests;

pub use key::{Class, KeyBuf};
pub(crate) use table::{Owner, StoredKey, Table};
pub use timers::{Fuse, Timer, Timers};

/// Why a client transaction ended without a final response (RFC 3261 §17.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TxnFailure {
    /// No final response in time; the owner treats it as 408 (RFC 3261 §8.1.3.1).
    #[error("no final response in time")]
    Timeout,
    /// The transport failed; the owner treats it as 503 (RFC 3261 §8.1.3.1).
    #[error("transport: {0}")]
    Transport(cpm_base::FlowDown),
}

/// What a table tells the endpoint to do, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Put the request (client) or the kept response (server) on the wire.
    Transmit,
    /// Send `ACK` for a non-2xx final response (RFC 3261 §17.1.1.3).
    Ack,
    /// Send `CANCEL` for the `INVITE` (RFC 3261 §9.1).
    Cancel,
    /// Send `100 Trying` on behalf of the owner and keep it.
    Trying,
    /// Hand the message to the owner.
    PassUp,
    /// Tell the owner that no final response will come, because of time.
    FailTimeout,
    /// Tell the owner that no final response will come, because of the transport.
    FailTransport,
    /// Tell the owner of a server transaction that it ended before its time.
    Died,
    /// Tell the owner of a server transaction that a response could not be sent.
    Undelivered,
    /// Answer `500` for an owner that did not answer in time.
    GiveUp,
    /// Start the timer, in place of the one that runs in its slot.
    Arm(Timer),
    /// Stop the retransmission timer (A, E, G or Trying).
    StopRepeat,
}

/// One cell of a table: the state to go to and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<S> {
    /// The state after the event.
    pub to: S,
    /// What to do, in order.
    pub actions: &'static [Action],
}

const fn step<S>(to: S, actions: &'static [Action]) -> Step<S> {
    Step { to, actions }
}
