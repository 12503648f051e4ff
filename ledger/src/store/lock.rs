//! Who may touch a node's files: advisory locks that die with their process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a lock was not had.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{} is held by process {holder}: is the node running?", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The holder's process id, as it wrote it, or `unknown`.
        holder: String,
    },
    /// The file system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// An exclusive lock on a file that holds the owner's process id. Dropping it removes the file; a killed process leaves
/// the file but not the lock.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Takes the lock or says who has it.
    ///
    /// # Errors
    /// When another process has it, or the file cannot be written.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let io = |source| LockError::Io { path: path.to_owned(), source };
        loop {
            let mut open = OpenOptions::new();
            let mut file = open.read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    let known = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
                    let holder = if known { holder.trim().to_owned() } else { "unknown".to_owned() };
                    return Err(LockError::Held { path: path.to_owned(), holder });
                }
                Err(TryLockError::Error(source)) => return Err(io(source)),
            }
            // The previous owner may have removed the file between our open and our lock: then we hold a lock on a
            // file that nobody else can see.
            if !is_still_at(&file, path) {
                continue;
            }
            file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
            writeln!(file, "{}", std::process::id()).map_err(io)?;
            return Ok(Self { file, path: path.to_owned() });
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Removed while the lock is still held, so that no other process's new file is removed.
        if is_still_at(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}

/// LMDB's reader table beside a file. LMDB never removes it; dropping this does, unless a process still has the file open:
/// that process holds a lock on the table.
pub(super) struct ReaderTable(PathBuf);

impl ReaderTable {
    /// The table of a file.
    pub(super) fn of(file: &Path) -> Self {
        let mut table = file.as_os_str().to_owned();
        table.push("-lock");
        Self(table.into())
    }

    /// Whether another process has the file open. This one must not: closing the table loses its locks (fcntl).
    pub(super) fn is_held(&self) -> std::io::Result<bool> {
        let table = match OpenOptions::new().read(true).write(true).open(&self.0) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            table => table?,
        };
        Ok(rustix::fs::fcntl_lock(&table, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err())
    }
}

impl Drop for ReaderTable {
    fn drop(&mut self) {
        let Ok(table) = OpenOptions::new().read(true).write(true).open(&self.0) else { return };
        let exclusive = rustix::fs::FlockOperation::NonBlockingLockExclusive;
        if rustix::fs::fcntl_lock(&table, exclusive).is_ok() {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}
