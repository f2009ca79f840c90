//! The boundary to storage: what a batch may ask, what comes back, and the trait that engines implement.
//!
//! An engine knows nothing of CPM: ordered byte keys, a version per key for compare-and-set, range scans and
//! append-only objects (architecture §5, §16).

use bytes::Bytes;
use cpm_base::Now;
use std::time::Duration;

/// Longest key of a record and longest name of an object, in bytes. The shortest is one byte.
pub const KEY_LIMIT: usize = 1024;

/// Longest value of a record and longest piece appended to an object at once, in bytes.
pub const VALUE_LIMIT: usize = 16 * 1024 * 1024;

/// Most operations in a batch.
pub const BATCH_LIMIT: usize = 4096;

/// How safe a batch must be before its answer may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Visible to later reads; lost with the process.
    Memory,
    /// On stable storage of this machine.
    Local,
    /// On a quorum of machines; `Local` where the engine has only one.
    Replicated,
}

/// What a write expects to find under its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Anything or nothing.
    Any,
    /// Nothing.
    Absent,
    /// A record of exactly this version.
    Version(u64),
}

/// One operation of a batch. Reads of a batch see the writes before them in the same batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreOp {
    /// Reads one record. Answer: `Value`.
    Get {
        /// Its key.
        key: Bytes,
    },
    /// Reads records with `from <= key < to`. Answer: `Rows`.
    Scan {
        /// First key, inclusive.
        from: Bytes,
        /// Last key, exclusive.
        to: Bytes,
        /// At most this many rows.
        limit: u32,
        /// From the end.
        reverse: bool,
    },
    /// Fails the batch unless the record has this version (0: is not there); a lease check is this. Answer:
    /// `Done`.
    Check {
        /// The key.
        key: Bytes,
        /// The version it must have.
        version: u64,
    },
    /// Writes a record. Its version becomes 1, or the old one plus 1. Answer: `Written`.
    Put {
        /// The key.
        key: Bytes,
        /// The value; its first byte is the schema version.
        value: Bytes,
        /// What must be there.
        expect: Expect,
    },
    /// Deletes a record; no error if there is none and `expect` allows it. A later `Put` begins at version 1
    /// again. Answer: `Done`.
    Delete {
        /// The key.
        key: Bytes,
        /// What must be there.
        expect: Expect,
    },
    /// Grows an object. Fails with `Conflict` unless `at` is its present length. Answer: `Done`.
    Append {
        /// Name of the object.
        object: Bytes,
        /// Its present length in bytes.
        at: u64,
        /// What to add.
        data: Bytes,
    },
    /// Reads a piece of an object. Answer: `Piece`, empty beyond the end.
    Read {
        /// Name of the object.
        object: Bytes,
        /// First byte.
        at: u64,
        /// At most this many bytes.
        limit: u32,
    },
    /// Drops an object; no error if there is none. Answer: `Done`.
    Drop {
        /// Name of the object.
        object: Bytes,
    },
}

/// The answer to one operation, at the same place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreAnswer {
    /// To `Get`: version and value, if there.
    Value(Option<(u64, Bytes)>),
    /// To `Scan`: key, version and value of each row.
    Rows {
        /// The rows, in the order asked.
        rows: Vec<(Bytes, u64, Bytes)>,
        /// Whether the limit cut the range off.
        more: bool,
    },
    /// To `Put`.
    Written {
        /// The record's version now.
        version: u64,
    },
    /// To `Read`.
    Piece {
        /// The bytes.
        data: Bytes,
        /// The whole object's length.
        length: u64,
    },
    /// To anything else that went well.
    Done,
}

/// Why a batch did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An expectation did not hold.
    #[error("operation {op} met version {current}")]
    Conflict {
        /// Index of the operation in the batch.
        op: u16,
        /// The version found (0: nothing there), or the object's length.
        current: u64,
    },
    /// No room.
    #[error("the store is full")]
    Full,
    /// Not now.
    #[error("the store is not available")]
    Unavailable {
        /// When to try again.
        retry: Duration,
    },
    /// What was read makes no sense.
    #[error("the store holds damaged data")]
    Corrupt,
    /// The batch breaks a rule of the boundary: an empty key, or something beyond [`KEY_LIMIT`],
    /// [`VALUE_LIMIT`] or [`BATCH_LIMIT`]. The fault is the caller's.
    #[error("the batch is beyond the limits of the store")]
    Invalid,
}

/// Refuses what no engine may take; every engine calls it first.
///
/// # Errors
///
/// `Invalid`.
pub fn check_batch(batch: &[StoreOp]) -> Result<(), StoreError> {
    let key_fits = |key: &Bytes| !key.is_empty() && key.len() <= KEY_LIMIT;
    let fits = |op: &StoreOp| match op {
        StoreOp::Get { key } | StoreOp::Check { key, .. } | StoreOp::Delete { key, .. } => key_fits(key),
        StoreOp::Put { key, value, .. } => key_fits(key) && value.len() <= VALUE_LIMIT,
        StoreOp::Append { object, data, .. } => key_fits(object) && data.len() <= VALUE_LIMIT,
        StoreOp::Read { object, .. } | StoreOp::Drop { object } => key_fits(object),
        // The bounds of a range are no keys: an empty or a longer one is meaningful.
        StoreOp::Scan { .. } => true,
    };
    if batch.len() <= BATCH_LIMIT && batch.iter().all(fits) { Ok(()) } else { Err(StoreError::Invalid) }
}

/// A storage engine. A driver calls it off the protocol thread.
pub trait StoreEngine {
    /// All or nothing; visible at once, durable only after `sync`.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; nothing was changed.
    fn apply(&mut self, now: Now, batch: &[StoreOp]) -> Result<Vec<StoreAnswer>, StoreError>;

    /// Makes everything applied so far as safe as asked. After an error nobody knows what is safe: the engine
    /// must not be written to any more.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Full` or `Corrupt`.
    fn sync(&mut self, durability: Durability) -> Result<(), StoreError>;
}
