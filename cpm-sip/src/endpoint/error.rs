//! Errors of the endpoint (architecture §13).

use crate::{ParseError, ParseKind};

/// Why an input or a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol; the answer, if one is due, is already queued.
    #[error("peer: {kind} at octet {offset}")]
    Peer {
        /// What is wrong.
        kind: ParseKind,
        /// Where it shows.
        offset: u32,
    },
    /// The caller used a stale handle or a call that does not fit the state. Nothing changed.
    #[error("usage: {0}")]
    Usage(&'static str),
    /// A configured limit was reached. Nothing changed.
    #[error("limit: {0}")]
    Limit(&'static str),
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::Peer { kind: error.kind, offset: error.offset }
    }
}
