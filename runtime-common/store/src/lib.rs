//! Durable storage engines behind the Store effect of cpm-proto.
//!
//! One engine so far: [`FjallStore`], embedded, on the log-structured store fjall. It knows nothing of CPM:
//! ordered byte keys with a version each, scans, append-only objects, atomic batches and a sync
//! ([`StoreEngine`](cpm_proto::store::engine::StoreEngine)). The reference for its meaning is
//! [`MemStore`](cpm_proto::store::mem::MemStore); one suite tests both.
//!
//! ```
//! use cpm_proto::store::engine::{Durability, Expect, StoreAnswer, StoreEngine, StoreOp};
//! use cpm_store::{FjallStore, Options};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! let now = cpm_base::Now { mono: std::time::Instant::now(), unix: std::time::Duration::ZERO };
//! let mut store = FjallStore::open(folder.path().join("data"), Options::default()).unwrap();
//! let put = StoreOp::Put { key: "k".into(), value: "\u{1}v".into(), expect: Expect::Absent };
//! assert_eq!(store.apply(now, &[put]), Ok(vec![StoreAnswer::Written { version: 1 }]));
//! store.sync(Durability::Local).unwrap(); // only now may anything be acknowledged
//! ```

mod batch;
mod embedded;
mod folder;
mod layout;

pub use embedded::{FjallStore, Options};
pub use folder::OpenError;
