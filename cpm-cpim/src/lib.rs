//! Message bodies of CPM: CPIM (RFC 3862), IMDN (RFC 5438) and the MIME around them, as pure functions.
//!
//! Reading gives borrowed views over the caller's bytes, writing takes owned builders that refuse anything
//! which could inject a line. Nothing here reads a clock, a random source or a file. Every reader takes
//! [`Limits`] and answers a fault with [`ParseError`]: a kind and a byte offset.
//!
//! ```
//! use cpm_cpim::{Limits, cpim::Cpim};
//!
//! let raw = b"From: <sip:alice@example.com>\r\nTo: <sip:bob@example.com>\r\n\
//!     NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 34jk324j\r\n\
//!     DateTime: 2006-04-04T12:16:49-05:00\r\nimdn.Disposition-Notification: display\r\n\r\n\
//!     Content-Type: text/plain\r\n\r\nHello World";
//! let message = Cpim::parse(raw, &Limits::default())?;
//! assert_eq!(message.from()?.unwrap().uri, "sip:alice@example.com");
//! assert_eq!(message.message_id().as_deref(), Some("34jk324j"));
//! assert!(message.disposition_notification().display);
//! assert_eq!(message.body(), b"Hello World");
//! # Ok::<(), cpm_cpim::ParseError>(())
//! ```
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

pub mod coding;
pub mod cpim;
pub mod datetime;
mod error;
pub mod imdn;
mod limits;
pub mod mime;
mod text;

pub use error::{ParseError, ParseKind, WriteError};
pub use limits::Limits;
