//! The embedded engine on fjall: opening, committing, syncing, and what its failures mean.

use crate::batch::Working;
use crate::folder::{Folder, OpenError, is_damage};
use crate::layout::Damage;
use cpm_base::Now;
use cpm_proto::store::engine::{Durability, StoreAnswer, StoreEngine, StoreError, StoreOp, check_batch};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

/// Journals are replayed when a folder is opened; this many bytes at most.
const JOURNAL_BYTES: u64 = 128 * 1024 * 1024;

/// One flushes while the other compacts.
const WORKERS: usize = 2;

/// The size on disk is looked up once in this many batches.
const SIZE_CHECK: u32 = 64;

/// A failed engine needs an operator; asking again sooner is no use.
const RETRY: Duration = Duration::from_secs(30);

/// How an embedded store is run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Bytes of blocks kept in memory.
    pub cache_bytes: u64,
    /// Bytes on disk, journals included (64 MiB from the start), above which batches that write records or grow
    /// objects are answered `Full`; deleting is always possible. Space comes back as files are compacted, not at
    /// once.
    pub capacity: u64,
    /// Bytes of writes collected in memory before they go into a sorted file, for records and for objects each.
    /// Settled when a folder is made.
    pub memtable_bytes: u64,
}

impl Default for Options {
    /// 64 MiB of cache, no limit on disk, twice 32 MiB of writes.
    fn default() -> Self {
        let mib = 1024 * 1024;
        Self { cache_bytes: 64 * mib, capacity: u64::MAX, memtable_bytes: 32 * mib }
    }
}

/// The embedded engine: one folder, one process, one writer.
pub struct FjallStore {
    // Before `_folder`, so that the lock is given back only after the database is closed.
    database: Database,
    pub(crate) records: Keyspace,
    pub(crate) objects: Keyspace,
    /// Batches were committed that are not synced.
    dirty: bool,
    /// A commit or sync failed: nobody knows what is on disk, so nothing is taken or told any more.
    failed: bool,
    capacity: u64,
    full: bool,
    until_size_check: u32,
    _folder: Folder,
}

impl std::fmt::Debug for FjallStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallStore").field("dirty", &self.dirty).field("failed", &self.failed).finish()
    }
}

impl FjallStore {
    /// Opens the store in the folder `path`, or makes one there.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: in use, of a newer version, someone else's, damaged, or refused by the operating system.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let folder = Folder::open(path.as_ref())?;
        folder.check_names()?;
        // Damage that fjall did not think of may still make it panic.
        let opened = catch_unwind(AssertUnwindSafe(|| open_database(&folder, &options)))
            .unwrap_or_else(|_| Err(folder.damaged("its engine could not be started".to_owned())));
        let (database, records, objects) = opened?;
        Ok(Self {
            database,
            records,
            objects,
            dirty: false,
            failed: false,
            capacity: options.capacity,
            full: false,
            until_size_check: 0,
            _folder: folder,
        })
    }

    /// Whether the engine gave up after a failed commit or sync. It must be opened again, after the cause is
    /// found.
    pub fn is_failed(&self) -> bool {
        self.failed
    }

    fn check_size(&mut self) {
        if self.until_size_check > 0 && !self.full {
            self.until_size_check -= 1;
            return;
        }
        self.until_size_check = SIZE_CHECK;
        // Unknown is not full: a commit will tell.
        self.full = self.database.disk_space().is_ok_and(|bytes| bytes > self.capacity);
    }

    fn commit(&mut self, writes: Writes) -> Result<(), StoreError> {
        let mut batch = self.database.batch().durability(None);
        for (key, value) in writes.records {
            put_or_remove(&mut batch, &self.records, key, value);
        }
        for (key, value) in writes.objects {
            put_or_remove(&mut batch, &self.objects, key, value);
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.dirty = true;
        batch.commit().map_err(|_| self.fail())
    }

    fn fail(&mut self) -> StoreError {
        self.failed = true;
        StoreError::Unavailable { retry: RETRY }
    }
}

impl StoreEngine for FjallStore {
    fn apply(&mut self, _now: Now, batch: &[StoreOp]) -> Result<Vec<StoreAnswer>, StoreError> {
        if self.failed {
            return Err(StoreError::Unavailable { retry: RETRY });
        }
        check_batch(batch)?;
        if self.capacity < u64::MAX && batch.iter().any(grows) {
            self.check_size();
            if self.full {
                return Err(StoreError::Full);
            }
        }
        let mut working = Working::new(self);
        let mut answers = Vec::with_capacity(batch.len());
        for (index, op) in batch.iter().enumerate() {
            match working.perform(op) {
                Ok(answer) => answers.push(answer),
                Err(stop) => return Err(stop.at(index)),
            }
        }
        let writes = working.finish()?;
        self.commit(writes)?;
        Ok(answers)
    }

    fn sync(&mut self, durability: Durability) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Unavailable { retry: RETRY });
        }
        if durability == Durability::Memory || !self.dirty {
            return Ok(());
        }
        self.database.persist(PersistMode::SyncAll).map_err(|_| self.fail())?;
        self.dirty = false;
        Ok(())
    }
}

/// What a batch comes to: per key the new value, or none to remove it. A key comes once: fjall gives all writes
/// of a batch the same sequence number and would not know which is the last.
#[derive(Default)]
pub(crate) struct Writes {
    pub(crate) records: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) objects: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

/// What a failed read means.
pub(crate) fn read_error(error: fjall::Error) -> StoreError {
    match error {
        fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source))
            if !is_damage(source.kind()) =>
        {
            StoreError::Unavailable { retry: RETRY }
        }
        fjall::Error::Poisoned => StoreError::Unavailable { retry: RETRY },
        _ => StoreError::Corrupt,
    }
}

impl From<Damage> for StoreError {
    fn from(_: Damage) -> Self {
        Self::Corrupt
    }
}

fn grows(op: &StoreOp) -> bool {
    matches!(op, StoreOp::Put { .. } | StoreOp::Append { .. })
}

fn put_or_remove(
    batch: &mut fjall::OwnedWriteBatch,
    keyspace: &Keyspace,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
) {
    match value {
        Some(value) => batch.insert(keyspace, key, value),
        None => batch.remove(keyspace, key),
    }
}

fn open_database(folder: &Folder, options: &Options) -> Result<(Database, Keyspace, Keyspace), OpenError> {
    let refusal = |error| folder.refusal(error);
    let database = Database::builder(folder.database())
        .cache_size(options.cache_bytes)
        .worker_threads(WORKERS)
        .max_journaling_size(JOURNAL_BYTES)
        // Nothing reaches the operating system before `sync`: one write and one fsync for a whole group.
        .manual_journal_persist(true)
        .open()
        .map_err(refusal)?;
    let defaults = KeyspaceCreateOptions::default;
    let plain = || defaults().max_memtable_size(options.memtable_bytes).manual_journal_persist(true);
    let records = database.keyspace("records", plain).map_err(refusal)?;
    let separated = || plain().with_kv_separation(Some(KvSeparationOptions::default()));
    let objects = database.keyspace("objects", separated).map_err(refusal)?;
    // What durability hangs on is asserted, not assumed: this file system can sync, and the keyspaces are laid
    // out as this program would have made them.
    database.persist(PersistMode::SyncAll).map_err(refusal)?;
    if !objects.is_kv_separated() || records.is_kv_separated() {
        return Err(folder.damaged("its keyspaces have other settings".to_owned()));
    }
    Ok((database, records, objects))
}
