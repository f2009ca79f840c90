//! Why a command or an input was refused.

/// Who is at fault comes first. Small and `Copy`; no text from peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol; the answer, if one is due, is already queued. A report only.
    #[error("the peer broke the protocol")]
    Peer,
    /// The caller used a stale handle, a value that cannot be sent, or a call that does not fit the state.
    /// Nothing changed.
    #[error("wrong use: {0}")]
    Usage(&'static str),
    /// A configured limit was reached. Nothing changed.
    #[error("limit reached: {0}")]
    Limit(&'static str),
}
