//! A whole block: built by a leader, checked by a voter, replayed from the block file. All three run the same code.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread::available_parallelism;

use ledger_types::block::RejectionReason;
use ledger_types::family::FamilyRegistry;
use ledger_types::{
    Batch, BatchId, Block, BlockHeader, ConfigHash, Entry, NetworkId, Rejection, ValidatorId, Verified,
};
use thiserror::Error;

use super::Executed;
use super::ahead::{self, Ahead, LEAST_TRANSACTIONS, LONGEST_PAUSE, Pause};
use super::plan;
use super::run::Run;
use super::view::{ParentView, Past};
use crate::roots::EntryList;
use crate::store::StoreError;

/// Everything of a header that does not come from execution.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The network.
    pub network_id: NetworkId,
    /// The committee.
    pub cfg_hash: ConfigHash,
    /// The epoch.
    pub epoch: u64,
    /// The view of the proposal.
    pub view: u64,
    /// Who proposes.
    pub proposer: ValidatorId,
    /// The block's time, milliseconds since 1970.
    pub time_ms: u64,
}

/// A batch that may go into a block.
#[derive(Clone)]
pub struct Candidate {
    /// The batch.
    pub batch: Arc<Verified<Batch>>,
    /// Whether a missing dependency rejects it now, instead of leaving it to wait.
    pub waited_enough: bool,
    /// The committed height when it came: a rejection above this height has decided it.
    pub since_height: u64,
}

/// One entry of a proposal, with the batch it speaks of.
#[derive(Clone)]
pub struct ProposedEntry {
    /// The batch.
    pub batch: Arc<Verified<Batch>>,
    /// The rejection proposed; `None` when the batch shall take effect.
    pub rejection: Option<Rejection>,
}

impl ProposedEntry {
    /// The entry as its proposer says.
    pub(super) fn as_proposed(&self) -> Entry {
        match &self.rejection {
            Some(rejection) => Entry::Rejection(rejection.clone()),
            None => Entry::Batch(self.batch.share()),
        }
    }
}

/// Why a block does not hold.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The entries are not those of the header; others may be. Found out before anything is executed.
    #[error("the entries are not those of the header")]
    OtherEntries,
    /// Execution gives something else than the block says.
    #[error("block {height}: {what} differs from execution")]
    Differs {
        /// The block's height.
        height: u64,
        /// What differs.
        what: String,
    },
    /// This node's storage failed: says nothing of the block.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A block built from candidates.
pub(crate) struct Built {
    /// The block; may have no entries.
    pub(crate) executed: Executed,
    /// Candidates whose dependencies are not committed yet.
    pub(crate) deferred: Vec<BatchId>,
}

/// Executes blocks.
#[derive(Clone)]
pub struct Executor {
    pub(super) registry: Arc<dyn FamilyRegistry>,
    pub(super) ahead: Ahead,
}

impl Executor {
    /// An executor of these families, on all cores where that pays.
    pub fn new(registry: Arc<dyn FamilyRegistry>) -> Self {
        Self::with_threads(registry, available_parallelism().map_or(1, usize::from))
    }

    /// An executor for who executes several blocks at the same time: each on its caller's thread alone.
    pub fn on_one_thread(registry: Arc<dyn FamilyRegistry>) -> Self {
        Self::with_threads(registry, 1)
    }

    fn with_threads(registry: Arc<dyn FamilyRegistry>, threads: usize) -> Self {
        let ahead = Ahead {
            helpers: ahead::helpers(threads),
            least_transactions: LEAST_TRANSACTIONS,
            plan: plan::groups,
            pause: Pause::of_at_most(LONGEST_PAUSE),
        };
        Self { registry, ahead }
    }

    /// Builds a block from candidates, in order, until the block is full or has so many transactions. Candidates that
    /// are decided already are passed over.
    ///
    /// # Errors
    /// When this node's storage fails.
    pub(crate) fn build(
        &self,
        parent: &ParentView,
        slot: &Slot,
        candidates: &[Candidate],
        max_transactions: usize,
    ) -> Result<Built, StoreError> {
        let past = parent.open()?;
        let mut run = Run::new(self, &past, slot.time_ms)?.with_at_most(max_transactions);
        let mut deferred = Vec::new();
        let mut seen = HashSet::new();
        let fresh = candidates.iter().filter(|candidate| seen.insert(candidate.batch.id));
        let mut fresh = fresh.filter_map(|candidate| undecided(&past, candidate).transpose()).peekable();
        'block: loop {
            let window = run.window(&mut fresh, |candidate| Some(&candidate.batch))?;
            if window.is_empty() {
                break;
            }
            let mut ahead = run.ahead(window.iter().map(|candidate| &**candidate.batch))?;
            for Candidate { batch, waited_enough, .. } in window {
                if !run.has_room(batch) {
                    break 'block;
                }
                match run.outcome(&mut ahead, batch)? {
                    Err(rejection)
                        if rejection.reason == RejectionReason::MissingDependency && !waited_enough =>
                    {
                        deferred.push(batch.id);
                    }
                    outcome => run.push(batch.share(), outcome),
                }
            }
        }
        Ok(Built { executed: run.finish(slot)?, deferred })
    }

    /// Executes a proposal of somebody else and compares. The list is that of the entries, by [`list_of`].
    ///
    /// # Errors
    /// When execution gives another block, or this node's storage fails.
    pub(crate) fn check(
        &self,
        parent: &ParentView,
        header: &BlockHeader,
        entries: &[ProposedEntry],
        list: &EntryList,
    ) -> Result<Executed, CheckError> {
        let differs = |index: usize, what: &str| CheckError::Differs {
            height: header.height,
            what: format!("entry {index}: {what}"),
        };
        let past = parent.open()?;
        let mut run = Run::new(self, &past, header.time_ms)?.with_list(list);
        let mut rest = entries.iter().enumerate().map(Ok::<_, StoreError>).peekable();
        loop {
            let window = run.window(&mut rest, |(_, entry)| Some(&entry.batch))?;
            if window.is_empty() {
                break;
            }
            let mut ahead = run.ahead(window.iter().map(|(_, entry)| &**entry.batch))?;
            for (index, entry) in window {
                if !run.has_room(&entry.batch) {
                    return Err(differs(index, "beyond the block's limits"));
                }
                if run.has_batch(&entry.batch.id)? {
                    return Err(differs(index, "batch decided already"));
                }
                let outcome = run.outcome(&mut ahead, &entry.batch)?;
                if outcome.as_ref().err().map(Box::as_ref) != entry.rejection.as_ref() {
                    return Err(differs(index, "outcome"));
                }
                run.push(entry.batch.share(), outcome);
            }
        }
        match rest.next() {
            Some(beyond) => Err(differs(beyond?.0, "beyond the block's limits")),
            None => run.finish_as(header),
        }
    }

    /// Executes a block that was decided before. Its rejections stand as they are: the batches are gone.
    ///
    /// # Errors
    /// When execution gives another block: the files are damaged. Or when this node's storage fails.
    pub(crate) fn replay(&self, parent: &ParentView, block: &Block) -> Result<Executed, CheckError> {
        let past = parent.open()?;
        let mut run = Run::new(self, &past, block.header.time_ms)?.without_limits();
        let mut rest = block.entries.iter().enumerate().map(Ok::<_, StoreError>).peekable();
        loop {
            let window = run.window(&mut rest, |(_, entry)| batch_of(entry))?;
            if window.is_empty() {
                return run.finish_as(&block.header);
            }
            let mut ahead = run.ahead(window.iter().filter_map(|(_, entry)| batch_of(entry)))?;
            for (index, entry) in window {
                match entry {
                    Entry::Rejection(rejection) => run.push_rejection(rejection.clone()),
                    Entry::Batch(batch) => {
                        let outcome = run.outcome(&mut ahead, batch)?;
                        if let Err(rejection) = &outcome {
                            let what = format!("entry {index}: rejected ({})", rejection.message);
                            return Err(CheckError::Differs { height: block.header.height, what });
                        }
                        run.push(batch.clone(), outcome);
                    }
                }
            }
        }
    }
}

/// The list of proposed entries.
///
/// # Errors
/// When they are not those of the header.
pub(crate) fn list_of(header: &BlockHeader, entries: &[ProposedEntry]) -> Result<EntryList, CheckError> {
    let mut list = EntryList::default();
    entries.iter().for_each(|entry| list.push(&entry.as_proposed()));
    if list.root() == header.entries_root { Ok(list) } else { Err(CheckError::OtherEntries) }
}

/// The candidate, unless it is decided already.
fn undecided<'a>(past: &Past<'_>, candidate: &'a Candidate) -> Result<Option<&'a Candidate>, StoreError> {
    let id = &candidate.batch.id;
    let is_decided = past.has_batch(id)? || past.has_rejection_above(id, candidate.since_height)?;
    Ok((!is_decided).then_some(candidate))
}

fn batch_of(entry: &Entry) -> Option<&Batch> {
    match entry {
        Entry::Batch(batch) => Some(batch),
        Entry::Rejection(_) => None,
    }
}
