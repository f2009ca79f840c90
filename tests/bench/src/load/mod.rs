//! A load generator for pager-mode messages over loopback UDP: many senders with one message under way each, and
//! the Devices of as many recipients. It counts a message once its sender has the final answer.

mod device;
mod process;
mod sender;
mod wire;

pub use device::Devices;
pub use process::{Child, cpu};
pub use sender::{Outcome, Senders, run};
pub use wire::{DOMAIN, PASSWORD, recipient, register, sender as sender_address};

/// How a sender proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The source is trusted, as the IMS core is: P-Asserted-Identity.
    Trusted,
    /// Digest with every message, nonce count up, as a client over UDP does.
    Digest,
}
