//! Bodies of the fuzz targets as plain functions, so that corpora replay under cargo test.
//!
//! Each takes arbitrary bytes and asserts properties, not only that nothing panics: two readers of the same
//! thing agree, what is written reads back, the cut of a stream does not matter, tables are empty at rest.
//! `fuzz/fuzz_targets` wraps each in one line for libFuzzer; `tests/corpus.rs` replays `fuzz/corpus`.

mod base;
mod body;
mod endpoint;
mod input;
mod node;
mod sip;
mod store;

pub use base::{arena_ops, wheel_ops};
pub use body::{coding, cpim, imdn, mime};
pub use endpoint::{endpoint_pair, txn_ops};
pub use node::node_bytes;
pub use sip::{sip_auth, sip_headers, sip_message, sip_roundtrip, sip_stream_split, sip_uri};
pub use store::store_ops;

/// One target: its name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 16] = [
    ("arena_ops", arena_ops),
    ("coding", coding),
    ("cpim", cpim),
    ("endpoint_pair", endpoint_pair),
    ("imdn", imdn),
    ("mime", mime),
    ("node_bytes", node_bytes),
    ("sip_auth", sip_auth),
    ("sip_headers", sip_headers),
    ("sip_message", sip_message),
    ("sip_roundtrip", sip_roundtrip),
    ("sip_stream_split", sip_stream_split),
    ("sip_uri", sip_uri),
    ("store_ops", store_ops),
    ("txn_ops", txn_ops),
    ("wheel_ops", wheel_ops),
];
