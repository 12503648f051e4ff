use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::store::{LockError, StoreError};

/// Why a dump is not written or not loaded.
#[derive(Debug, Error)]
pub enum DumpError {
    /// A line of a dump is not what it must be.
    #[error("{dump}: line {line}: {reason}")]
    Line {
        /// The dump.
        dump: String,
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or a stream fails.
    #[error("{name}: {operation} failed: {source}")]
    Io {
        /// The file or stream.
        name: String,
        /// What was tried.
        operation: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// The file to load into has something in it.
    #[error("{}: is there already; --replace puts the dump in its place", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A process has the file open.
    #[error("{}: another process has it open", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The file does not hold what was put into it.
    #[error("{}: holds {found} records after loading {expected}", path.display())]
    Count {
        /// The file.
        path: PathBuf,
        /// Records of the dump.
        expected: u64,
        /// Records in the file.
        found: u64,
    },
    /// A node runs on the files.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The LMDB file fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DumpError {
    /// A fault of the file system.
    pub(in crate::backup) fn io(path: &Path, operation: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let name = path.display().to_string();
        move |source| Self::Io { name, operation, source }
    }
}
