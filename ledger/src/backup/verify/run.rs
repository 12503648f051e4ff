//! The order of checks.

use std::path::PathBuf;
use std::sync::Arc;

use ledger_types::family::FamilyRegistry;

use super::blocks::Blocks;
use super::files::{self, Files};
use super::finality::{self, CertificateCheck};
use super::receipts::Receipts;
use super::state::State;
use super::{pages, replay};
use crate::chain::{GenesisBlock, LedgerError};
use crate::reader::{Committed, Head};
use crate::store::{FileKind, FileLock};

/// What to check.
#[derive(Clone)]
pub struct VerifyOptions<'a> {
    /// The data directory of a stopped node.
    pub directory: PathBuf,
    /// What block 0 must be made of; without it the network is taken from block 0 itself.
    pub genesis: Option<&'a GenesisBlock>,
    /// Checks finalizations; without it only the seals of the consensus file are checked.
    pub certificates: Option<&'a dyn CertificateCheck>,
    /// The families, to execute everything again, on all cores.
    pub registry: Option<Arc<dyn FamilyRegistry>>,
}

/// The parts of a check, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The pages of the files and the seals of their records; in bytes.
    Pages,
    /// Every record against what the blocks make of it; in blocks.
    Records,
    /// Every block executed again; in blocks.
    Execution,
}

/// What a clean ledger holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Pages of the four files, each of which has one use.
    pub pages: u64,
    /// The head.
    pub head: Head,
    /// Batches that took effect.
    pub batches: u64,
    /// Their transactions.
    pub transactions: u64,
    /// Rejections, repeated ones included.
    pub rejections: u64,
    /// Addresses with a value at the head of the state file.
    pub state_values: u64,
    /// Heights with a finalization. Block 0 never has one. `None` when certificates were not checked.
    pub finalizations: Option<u64>,
    /// Finalized heights above the block file's head, which the next start writes.
    pub finalized_ahead: u64,
    /// The height of the receipts file; below the head, or `None`, when the next start has to execute blocks again.
    pub receipts_height: Option<u64>,
    /// The same of the state file.
    pub state_height: Option<u64>,
    /// The oldest height whose state is kept; above 0, blocks up to it are not executed again.
    pub state_oldest: u64,
    /// The highest block that was executed again: the head, unless the state file ends far below it, or `None`.
    pub executed_height: Option<u64>,
}

/// Checks the files of a stopped node, and writes nothing but LMDB's lock files, which are removed again. `progress` is
/// told what is done of each step, and what there is to do.
///
/// # Errors
/// The first record that is wrong, with its file; or when a process has the files, or they cannot be read.
pub fn verify(
    options: &VerifyOptions<'_>,
    progress: &mut dyn FnMut(Step, u64, u64),
) -> Result<Summary, LedgerError> {
    let lock = FileLock::take(&options.directory.join("node.lock"))?;
    files::check_presence(&options.directory)?;
    let pages = pages::check(&options.directory, progress)?;
    let files = Files::open(lock, &options.directory, options.genesis.map(|genesis| &genesis.lineage))?;
    let mut summary = check_chain(&files, options.genesis, progress)?;
    let head = summary.head.height;
    let finality = finality::check(&files.consensus, &files.committed.block, head, options.certificates)?;
    summary.pages = pages;
    summary.finalizations = options.certificates.map(|_| finality.committed);
    summary.finalized_ahead = finality.ahead;
    if let Some(registry) = options.registry.clone() {
        summary.executed_height = replay::check(&files, registry, progress)?;
    }
    Ok(summary)
}

/// Walks the blocks once, and beside each what receipts and state hold of it.
fn check_chain(
    files: &Files,
    genesis: Option<&GenesisBlock>,
    progress: &mut dyn FnMut(Step, u64, u64),
) -> Result<Summary, LedgerError> {
    let Committed { block, receipts, merkle, .. } = &*files.committed;
    let mut blocks = Blocks::new(block, &files.lineage)?;
    let (mut receipts, mut state) = (Receipts::new(receipts)?, State::new(merkle)?);
    let head = blocks.head();
    check_ahead(FileKind::Receipts, receipts.head(), head.height)?;
    check_ahead(FileKind::Merkle, state.head(), head.height)?;
    let mut summary = Summary {
        pages: 0,
        head,
        batches: 0,
        transactions: 0,
        rejections: 0,
        state_values: 0,
        finalizations: None,
        finalized_ahead: 0,
        receipts_height: receipts.head().map(|head| head.height),
        state_height: state.head().map(|head| head.height),
        state_oldest: state.oldest(),
        executed_height: None,
    };
    for height in 0..=head.height {
        let block = blocks.check(height)?;
        if let Some(genesis) = genesis.filter(|_| height == 0) {
            blocks.check_genesis(&block, genesis)?;
        }
        let at = Head { height, id: block.id(), state_root: block.header.state_root };
        let changes = receipts.check(&at, &block)?;
        state.check(&at, changes.as_ref())?;
        summary.batches += block.batches().count() as u64;
        summary.transactions += u64::from(block.header.receipt_count);
        summary.rejections += block.rejections().count() as u64;
        progress(Step::Records, height + 1, head.height.saturating_add(1));
    }
    blocks.finish()?;
    receipts.finish()?;
    summary.state_values = state.finish()?;
    Ok(summary)
}

fn check_ahead(kind: FileKind, head: Option<Head>, blocks: u64) -> Result<(), LedgerError> {
    match head {
        Some(head) if head.height > blocks => {
            Err(LedgerError::Ahead { file: kind.file_name(), height: head.height, blocks })
        }
        _ => Ok(()),
    }
}
