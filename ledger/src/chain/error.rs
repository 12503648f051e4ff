//! Why a ledger does not open or a block is not taken.

use std::path::PathBuf;

use ledger_types::{BlockId, NetworkId, Rollback};
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
    /// The network was rolled back, and these files were not, or not all of them.
    #[error(
        "the network file tells of a rollback that was not done or not finished here: run \
         `dgt rollback --to-height {} --to-block {}`", rollback.height, rollback.block
    )]
    NotRolledBack {
        /// The first rollback that the block file has not been through.
        rollback: Box<Rollback>,
    },
    /// These files were rolled back, and the network file does not tell of it.
    #[error(
        "block-01.lmdb was rolled back to height {}, block {}, and belongs to network {network_id} since; the network \
         file does not tell of it: take the network file of a node that was rolled back", rollback.height, rollback.block
    )]
    RolledBack {
        /// The first rollback that the network file does not tell of.
        rollback: Box<Rollback>,
        /// The network from then on.
        network_id: NetworkId,
    },
    /// The chain on disk is not the one that a rollback is about.
    #[error("{0}")]
    Rollback(String),
    /// A file does not have what belongs to the newest blocks: the node was killed.
    #[error("{file} ends below the block file's height {blocks}: start the node once, and it catches up")]
    Behind {
        /// The file that is behind.
        file: &'static str,
        /// The block file's height.
        blocks: u64,
    },
    /// The receipts end so far below the blocks that the state to execute them again on is gone.
    #[error(
        "txn-receipts-01.lmdb ends below height {height}, and the state to execute that block on is no longer kept, only \
         from height {oldest} on: was an older file restored? `dgt start --rebuild` makes state and receipts again from \
         the blocks"
    )]
    TooFarBehind {
        /// The first height that the receipts do not have.
        height: u64,
        /// The oldest height whose state is kept.
        oldest: u64,
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
    /// The entries of a proposal are not those of its header; others may be.
    #[error("the entries are not those of the header")]
    OtherEntries,
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
