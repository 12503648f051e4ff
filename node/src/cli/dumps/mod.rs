//! `dgt dump` and `dgt load`: one LMDB file as text, and back.

mod dump;
mod load;
mod output;

use std::path::Path;

use ledger::store::{FileLock, LockError};

pub(super) use dump::Dump;
pub(super) use load::Load;
pub(super) use output::NewFile;

/// The lock of the node whose data directory holds the file, if one is or was there: no node may run while it is read.
pub(super) fn lock_to_read(file: &Path) -> Result<Option<FileLock>, LockError> {
    let lock = file.with_file_name("node.lock");
    lock.exists().then(|| FileLock::take(&lock)).transpose()
}

/// The lock of the file's directory: no node may start while the file changes.
pub(super) fn lock_to_write(file: &Path) -> Result<FileLock, LockError> {
    FileLock::take(&file.with_file_name("node.lock"))
}
