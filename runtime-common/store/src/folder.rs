//! The data folder: who may use it and what wrote it, settled before the storage engine touches anything.
//!
//! ```text
//! lock      held by the process that uses the folder
//! version   "cpm-store 1": the layout of everything below
//! db/       the folder of fjall
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The layout this program writes. Raised whenever older programs could not read what a newer one wrote.
const FORMAT: u32 = 1;

const LOCK: &str = "lock";
const VERSION: &str = "version";
const VERSION_NEW: &str = "version.new";
const DATABASE: &str = "db";
const KEYSPACES: &str = "keyspaces";
const MAGIC: &str = "cpm-store ";

/// Why a data folder was not opened. Nothing in it was changed, unless it is damaged: then its engine may
/// already have cut off an unfinished last write, as after any crash.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or this one, has it open.
    #[error("the data folder {} is in use by another process", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// It was written by a later version of this program.
    #[error(
        "the data folder {} was written by a newer version (format {found}, this one knows {FORMAT})",
        path.display()
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// There is something else in it.
    #[error("{} holds other files and is no data folder of this program", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// What it holds makes no sense.
    #[error("the data folder {} is damaged: {detail}", path.display())]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What was wrong, for the operator.
        detail: String,
    },
    /// The operating system refuses.
    #[error("cannot use the data folder {}: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
}

/// A folder that belongs to this process until dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Locked; closing it gives the lock back.
    _lock: File,
}

impl Folder {
    /// Takes the folder at `path`, making it if there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        create_private(path).map_err(io)?;
        // Looked at first: a folder of someone else's gets no lock file from us.
        let version = read_version(path)?;
        if version.is_none() && !is_vacant(path).map_err(io)? {
            return Err(OpenError::Foreign { path: path.to_owned() });
        }
        let lock =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path.join(LOCK));
        let lock = lock.map_err(io)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::InUse { path: path.to_owned() },
            TryLockError::Error(source) => io(source),
        })?;
        // Once more under the lock: another process may have been making the folder.
        if read_version(path)?.is_none() {
            write_version(path).map_err(io)?;
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where the engine keeps its files.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// fjall panics at names it did not give, with locks held, so that the process would abort.
    pub(crate) fn check_names(&self) -> Result<(), OpenError> {
        let keyspaces = self.database().join(KEYSPACES);
        let entries = match fs::read_dir(keyspaces) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(OpenError::Io { path: self.path.clone(), source }),
        };
        for entry in entries {
            let name = entry.map_err(|source| OpenError::Io { path: self.path.clone(), source })?.file_name();
            if name.to_str().is_none_or(|name| name.parse::<u64>().is_err()) {
                let name = name.display();
                return Err(self.damaged(format!("{DATABASE}/{KEYSPACES}/{name} does not belong there")));
            }
        }
        Ok(())
    }

    /// What a failure of the engine to open means for the operator.
    pub(crate) fn refusal(&self, error: fjall::Error) -> OpenError {
        let path = self.path.clone();
        match error {
            fjall::Error::Locked => OpenError::InUse { path },
            fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source))
                if !is_damage(source.kind()) =>
            {
                OpenError::Io { path, source }
            }
            other => self.damaged(format!("{other:?}")),
        }
    }

    pub(crate) fn damaged(&self, detail: String) -> OpenError {
        OpenError::Damaged { path: self.path.clone(), detail }
    }
}

/// Whether an IO error says that the content is wrong, not the device.
pub(crate) fn is_damage(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound)
}

/// Messages are private: only the owner may look into a folder that we make.
fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Whether the folder is empty but for what an interrupted `open` leaves behind.
fn is_vacant(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if name != LOCK && name != VERSION_NEW && name != VERSION {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read_version(path: &Path) -> Result<Option<u32>, OpenError> {
    let text = match fs::read_to_string(path.join(VERSION)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
        Err(source) => return Err(OpenError::Io { path: path.to_owned(), source }),
    };
    let found = text.strip_prefix(MAGIC).and_then(|rest| rest.trim_end().parse::<u32>().ok());
    match found {
        Some(FORMAT) => Ok(Some(FORMAT)),
        Some(found) if found > FORMAT => Err(OpenError::Newer { path: path.to_owned(), found }),
        _ => Err(OpenError::Damaged {
            path: path.to_owned(),
            detail: format!("its {VERSION} file does not name a format"),
        }),
    }
}

/// Complete or not there at all, also across a power cut.
fn write_version(path: &Path) -> io::Result<()> {
    let new = path.join(VERSION_NEW);
    let mut file = File::create(&new)?;
    file.write_all(format!("{MAGIC}{FORMAT}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path.join(VERSION))?;
    sync_folder(path)
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere a folder cannot be synced; renames are journalled by the file system.
#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
