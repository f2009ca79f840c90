//! Digest authentication for SIP (RFC 3261 §22, RFC 7616, RFC 8760).
//!
//! [`digest`] computes, [`Verifier`] is the server's half (challenges, nonces, replay windows) and
//! [`Authenticator`] the client's. All three are pure; the owner carries the header fields.

mod algorithm;
mod client;
pub mod digest;
mod nonce;
mod qop;
mod secret;
mod server;

#[cfg(test)]
mod tests;

pub use algorithm::Algorithm;
pub use client::{Authenticator, Authorization, Refusal, Role};
pub use qop::Qop;
pub use secret::Secret;
pub use server::{Presented, Rejected, Verdict, Verifier, VerifierConfig};
