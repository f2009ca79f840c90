//! Framing: a datagram is a message, a stream is cut by the end of the head and Content-Length (RFC 3261 §18.3).
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

mod datagram;
mod stream;
#[cfg(test)]
mod tests;

pub use datagram::Datagram;
pub use stream::{Frame, FrameError, StreamFramer};
