//! Why a ledger does not open or a block is not taken.

use std::path::PathBuf;

use ledger_types::BlockId;
use thiserror::Error;

use crate::store::{LockError, StoreError};

/// A refusal or fault of the ledger.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// Another process has the data directory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file refuses or fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data directory cannot be made.
    #[error("{}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Some of the four files are there and one is not.
    #[error("{missing} is missing beside {present}: {advice}")]
    Missing {
        /// The file that is not there.
        missing: &'static str,
        /// A file that is.
        present: &'static str,
        /// What an operator can do.
        advice: &'static str,
    },
    /// A file knows of more blocks than the block file.
    #[error(
        "{file} is at height {height}, ahead of the block file at {blocks}: was an older block-01.lmdb restored? \
         `dgt start --rebuild` makes state and receipts again from the blocks that are here"
    )]
    Ahead {
        /// The file that is ahead.
        file: &'static str,
        /// Its height.
        height: u64,
        /// The block file's height.
        blocks: u64,
    },
    /// A genesis batch is not valid.
    #[error("genesis: {0}")]
    Genesis(String),
    /// The block file begins with another genesis block.
    #[error("block-01.lmdb begins with block {found}, but this network's genesis is {expected}")]
    OtherGenesis {
        /// The id found.
        found: Box<BlockId>,
        /// The id expected.
        expected: Box<BlockId>,
    },
    /// A block's parent is neither committed nor executed here.
    #[error("the parent {parent} is not known here")]
    UnknownParent {
        /// The parent.
        parent: Box<BlockId>,
    },
    /// A block is not the result of its execution.
    #[error("{0}")]
    Check(String),
    /// A block to commit does not follow the head.
    #[error("block {height} does not follow the head at {head}")]
    NotNext {
        /// The block's height.
        height: u64,
        /// The head's height.
        head: u64,
    },
    /// A block to commit was not executed here.
    #[error("block {height} is decided but was not executed here")]
    NotExecuted {
        /// The block's height.
        height: u64,
    },
}

impl LedgerError {
    /// Whether more room would help: the files are intact, and a restart with more room goes on.
    pub fn is_out_of_space(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_out_of_space())
    }
}
