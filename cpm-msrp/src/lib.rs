//! MSRP (RFC 4975) as pure state machines, without any IO.
//!
//! What stands here so far is the address of an MSRP session, [`MsrpUri`], with the comparison of
//! RFC 4975 §6.1, and the list of them that a `To-Path` or `From-Path` holds, [`Path`]. Framing, sessions and
//! transfers are built on these (docs/architecture.md says in what order).

mod path;
mod uri;

pub use path::Path;
pub use uri::{MsrpUri, UriError, UriErrorKind};

/// Limits that guard the parsers of this crate (threats: every size a peer chooses has a bound).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest URI, in bytes.
    pub uri_bytes: usize,
    /// Most URIs in one path: the hops of a message.
    pub path_hops: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { uri_bytes: 1024, path_hops: 8 }
    }
}
