use std::path::{Path, PathBuf};

use ledger_types::{BlockId, NetworkId};
use thiserror::Error;

use crate::backup::{DumpError, FileDigest};
use crate::chain::LedgerError;
use crate::store::{LockError, StoreError};

/// Why a set is not made, not taken for one, or not restored.
#[derive(Debug, Error)]
pub enum SetError {
    /// A node runs on the files.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The data directory is not whole, or a file of it refuses or fails.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A dump is not written or is damaged.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// A file or folder fails.
    #[error("{}: {operation} failed: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// The folder has no manifest.
    #[error("{}: not a backup set: there is no manifest.json in it", path.display())]
    NoSet {
        /// The folder.
        path: PathBuf,
    },
    /// The manifest is not one.
    #[error("{}: {reason}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A dump of the set is not there.
    #[error("{}: missing: the set is not whole", path.display())]
    Partial {
        /// The dump.
        path: PathBuf,
    },
    /// A dump is not the one that the manifest was written for.
    #[error(
        "{}: {} records with digest {}, but the manifest says {} with {}: damaged, or of another set",
        path.display(), found.records, found.sha256, expected.records, expected.sha256
    )]
    Differs {
        /// The dump.
        path: PathBuf,
        /// What the manifest says.
        expected: FileDigest,
        /// What the dump holds.
        found: FileDigest,
    },
    /// Files of different moments or chains are together.
    #[error(
        "{file} is at height {height} with block {found}, but block-01.lmdb {blocks}: the files are not of one moment"
    )]
    Mixed {
        /// The file that does not fit.
        file: &'static str,
        /// Its height.
        height: u64,
        /// Its block.
        found: Box<BlockId>,
        /// What the block file says.
        blocks: String,
    },
    /// The set is of another network.
    #[error("{}: a set of network {found}; this node belongs to {expected}", path.display())]
    OtherNetwork {
        /// The set.
        path: PathBuf,
        /// The set's network.
        found: NetworkId,
        /// The node's network.
        expected: NetworkId,
    },
    /// What is to be written is there already.
    #[error("{}: is there already{advice}", path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
        /// What to do, behind a colon.
        advice: &'static str,
    },
}

impl SetError {
    pub(super) fn io(path: &Path, operation: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, operation, source }
    }
}

impl From<StoreError> for SetError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}
