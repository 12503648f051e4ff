//! The order of checks.

use std::path::PathBuf;
use std::sync::Arc;

use ledger_types::family::FamilyRegistry;

use super::blocks::Blocks;
use super::files::Files;
use super::finality::{self, CertificateCheck};
use super::receipts::Receipts;
use super::replay;
use super::state::State;
use crate::chain::{GenesisBlock, LedgerError};
use crate::reader::Head;
use crate::store::{FileKind, FileLock};

/// What to check.
#[derive(Clone)]
pub struct VerifyOptions<'a> {
    /// The data directory of a stopped node.
    pub directory: PathBuf,
    /// What block 0 must be made of; without it the network is taken from block 0 itself.
    pub genesis: Option<&'a GenesisBlock>,
    /// Checks finalizations; without it only the checksums of the consensus file are checked.
    pub certificates: Option<&'a dyn CertificateCheck>,
    /// The families, to execute everything again. It takes as much room as receipts and state do, in a folder
    /// `verify-replay` in the data directory.
    pub registry: Option<Arc<dyn FamilyRegistry>>,
}

/// What a clean ledger holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
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
}

/// Checks the files of a stopped node, and writes nothing but LMDB's lock files, which are removed again (and what
/// [`VerifyOptions::registry`] says). `progress` is told the heights done and the heights to do.
///
/// # Errors
/// The first record that is wrong, with its file; or when a process has the files, or they cannot be read.
pub fn verify(
    options: &VerifyOptions<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Summary, LedgerError> {
    let _lock = FileLock::take(&options.directory.join("node.lock"))?;
    let files = Files::open(&options.directory, options.genesis.map(|genesis| genesis.network_id))?;
    check(&files, options, progress)
}

fn check(
    files: &Files,
    options: &VerifyOptions<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Summary, LedgerError> {
    let passes = 1 + u64::from(options.registry.is_some());
    let heights = Head::of(&files.block)?.map_or(0, |head| head.height).saturating_add(1);
    let all = heights.saturating_mul(passes);
    let mut summary = check_chain(files, options.genesis, &mut |height| progress(height + 1, all))?;
    let head = summary.head.height;
    let finality = finality::check(&files.consensus, &files.block, head, options.certificates)?;
    summary.finalizations = options.certificates.map(|_| finality.committed);
    summary.finalized_ahead = finality.ahead;
    if let Some(registry) = options.registry.clone() {
        let mut told = |height| progress(heights + height + 1, all);
        replay::check(files, &options.directory, registry, &mut told)?;
    }
    Ok(summary)
}

/// Walks the blocks once, and beside each what receipts and state hold of it.
fn check_chain(
    files: &Files,
    genesis: Option<&GenesisBlock>,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, LedgerError> {
    let mut blocks = Blocks::new(&files.block, files.network_id)?;
    let (mut receipts, mut state) = (Receipts::new(&files.receipts)?, State::new(&files.merkle)?);
    let head = blocks.head();
    check_ahead(FileKind::Receipts, receipts.head(), head.height)?;
    check_ahead(FileKind::Merkle, state.head(), head.height)?;
    let mut summary = Summary {
        head,
        batches: 0,
        transactions: 0,
        rejections: 0,
        state_values: 0,
        finalizations: None,
        finalized_ahead: 0,
        receipts_height: receipts.head().map(|head| head.height),
        state_height: state.head().map(|head| head.height),
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
        progress(height);
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
