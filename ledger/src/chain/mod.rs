//! The chain: the only writer of blocks, receipts and state, and the keeper of blocks that are executed but not decided.

mod birth;
mod error;
mod open;
mod pages;
mod records;
mod stopped;
mod write;

pub use error::LedgerError;
pub(crate) use open::check_lineage;
pub use open::{GenesisBlock, OpenOptions};
pub(crate) use records::for_each_receipt_record;

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger_types::{BatchId, BlockHeader, BlockId};
use parking_lot::Mutex;

use crate::execute::{
    Built, Candidate, CheckError, Executed, Executor, ParentView, ProposedEntry, Slot, list_of,
};
use crate::reader::{Committed, Head, Reader};
use crate::store::{ConsensusFile, StoreError};

/// An open ledger: the four files of one data directory. Dropping it, and the last [`Reader`], closes the files and
/// removes their lock files.
pub struct Ledger {
    // Before the others, which hold the lock of the directory.
    consensus: ConsensusFile,
    committed: Arc<Committed>,
    executor: Executor,
    /// Blocks executed and not committed: parents of what comes next.
    executed: Mutex<BTreeMap<BlockId, Arc<Executed>>>,
    writing: Mutex<()>,
}

impl Ledger {
    /// Reads of committed data.
    pub fn reader(&self) -> Reader {
        Reader(self.committed.clone())
    }

    /// The consensus file.
    pub fn consensus(&self) -> &ConsensusFile {
        &self.consensus
    }

    /// Reads which ids the chain has, all of them, so that most of those that are new need not be looked for in the file.
    /// Blocks may be committed meanwhile. Reads the whole index, whose pages should have been checked. `go_on` is asked at
    /// every id; if it says no, nothing is gained.
    ///
    /// # Errors
    /// When the block file cannot be read, or a record is damaged.
    pub fn load_ids(&self, go_on: &dyn Fn() -> bool) -> Result<(), StoreError> {
        self.committed.recent.load_ids(&self.committed.block, go_on)
    }

    /// Builds a block on a parent from candidates, in order, until the block is full or has so many transactions, and
    /// keeps it as executed. Also returns the candidates whose dependencies are not committed yet.
    ///
    /// # Errors
    /// When the parent is not known here, or storage fails.
    pub fn build(
        &self,
        parent: &BlockId,
        slot: &Slot,
        candidates: &[Candidate],
        max_transactions: usize,
    ) -> Result<(Arc<Executed>, Vec<BatchId>), LedgerError> {
        let Built { executed, deferred } = self
            .on_parent(parent, |view| Ok(self.executor.build(view, slot, candidates, max_transactions)?))?;
        Ok((self.keep(executed), deferred))
    }

    /// Executes somebody else's proposal and keeps it as executed when it holds.
    ///
    /// # Errors
    /// When the entries are not those of the header (nothing is executed then), the parent is not known here, execution
    /// gives another block, or storage fails.
    pub fn check(
        &self,
        header: &BlockHeader,
        entries: &[ProposedEntry],
    ) -> Result<Arc<Executed>, LedgerError> {
        let list = list_of(header, entries)?;
        let check = |view: &ParentView| Ok(self.executor.check(view, header, entries, &list)?);
        let executed = self.on_parent(&header.parent, check)?;
        Ok(self.keep(executed))
    }

    /// Executes a stored block (its rejections stand) and keeps it as executed.
    ///
    /// # Errors
    /// When the parent is not known here, execution gives another block, or storage fails.
    pub fn replay(&self, block: &ledger_types::Block) -> Result<Arc<Executed>, LedgerError> {
        let executed =
            self.on_parent(&block.header.parent, |view| Ok(self.executor.replay(view, block)?))?;
        Ok(self.keep(executed))
    }

    /// A block that is executed and not committed.
    pub fn executed(&self, id: &BlockId) -> Option<Arc<Executed>> {
        self.executed.lock().get(id).cloned()
    }

    /// Forgets a block that will never be committed.
    pub fn forget(&self, id: &BlockId) {
        self.executed.lock().remove(id);
    }

    /// The newest committed block.
    pub fn head(&self) -> Head {
        self.reader().head()
    }

    fn keep(&self, executed: Executed) -> Arc<Executed> {
        let executed = Arc::new(executed);
        self.executed.lock().insert(executed.id(), executed.clone());
        executed
    }

    /// Executes on a parent. Meanwhile so many blocks may be committed that the state which this began on is no longer
    /// kept, or that what came before is written behind its view: then it begins again, on a newer one. A parent that is itself so old is as good as unknown: blocks on it lost
    /// long ago.
    pub(crate) fn on_parent<T>(
        &self,
        parent: &BlockId,
        execute: impl Fn(&ParentView) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut began_on = None;
        loop {
            let view = self.view_of(parent)?;
            match execute(&view) {
                Err(LedgerError::Store(StoreError::NoState { .. })) if view.base_height() > began_on => {
                    began_on = view.base_height();
                }
                Err(LedgerError::Store(StoreError::NoState { .. })) => {
                    return Err(LedgerError::UnknownParent { parent: Box::new(*parent) });
                }
                done => return done,
            }
        }
    }

    /// The past of a block with this parent.
    fn view_of(&self, parent: &BlockId) -> Result<ParentView, LedgerError> {
        let reader = self.reader();
        let mut layers = Vec::new();
        let mut next = *parent;
        // A commit publishes its head before it drops what it committed, so a block is always found in one of the two.
        let executed = self.executed.lock();
        loop {
            if let Some(height) = reader.height_of(&next)? {
                return Ok(ParentView::new(reader, Some(height), layers));
            }
            let Some(layer) = executed.get(&next) else {
                return Err(LedgerError::UnknownParent { parent: Box::new(*parent) });
            };
            layers.push(layer.clone());
            next = layer.header().parent;
        }
    }
}

impl From<CheckError> for LedgerError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Store(error) => Self::Store(error),
            CheckError::OtherEntries => Self::OtherEntries,
            differs => Self::Check(differs.to_string()),
        }
    }
}
