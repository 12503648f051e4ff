//! A whole block: built by a leader, checked by a voter, replayed from the block file. All three run the same code.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::sync::Arc;

use bytes::Bytes;
use ledger_types::block::RejectionReason;
use ledger_types::family::FamilyRegistry;
use ledger_types::{
    Address, Batch, BatchId, Block, BlockHeader, BlockId, ConfigHash, Entry, Hash, NetworkId, Rejection,
    TransactionId, ValidatorId, Verified,
};
use thiserror::Error;

use super::batch::BlockScope;
use super::context::Changes;
use super::rules::Rules;
use super::view::ParentView;
use crate::roots;
use crate::state::TreeUpdate;
use crate::state_file::update_tree;
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

/// Why a block does not hold.
#[derive(Debug, Error)]
pub enum CheckError {
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

/// A block and all it does, ready to commit.
pub struct Executed {
    id: BlockId,
    block: Block,
    body: Bytes,
    changes: Changes,
    tree: TreeUpdate,
    receipts: Vec<(TransactionId, Bytes)>,
    batches: BTreeSet<BatchId>,
    decided: BTreeSet<BatchId>,
    transactions: BTreeSet<TransactionId>,
    contents: BTreeSet<Hash>,
    keep_versions: Option<NonZeroU64>,
}

/// Executes blocks.
#[derive(Clone)]
pub struct Executor {
    registry: Arc<dyn FamilyRegistry>,
}

impl Executor {
    /// An executor of these families.
    pub fn new(registry: Arc<dyn FamilyRegistry>) -> Self {
        Self { registry }
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
        candidates: impl IntoIterator<Item = Candidate>,
        max_transactions: usize,
    ) -> Result<Built, StoreError> {
        let mut run = Run::new(self, parent, slot.time_ms)?;
        let mut deferred = Vec::new();
        for Candidate { batch, waited_enough, since_height } in candidates {
            if run.transactions.len() >= max_transactions || run.is_full(&batch) {
                break;
            }
            if run.has_batch(&batch.id)? || parent.has_rejection_above(&batch.id, since_height)? {
                continue;
            }
            match run.execute(&batch)? {
                Err(rejection)
                    if rejection.reason == RejectionReason::MissingDependency && !waited_enough =>
                {
                    deferred.push(batch.id);
                }
                outcome => run.push(&batch, outcome),
            }
        }
        Ok(Built { executed: run.finish(slot)?, deferred })
    }

    /// Executes a proposal of somebody else and compares.
    ///
    /// # Errors
    /// When execution gives another block, or this node's storage fails.
    pub(crate) fn check(
        &self,
        parent: &ParentView,
        header: &BlockHeader,
        entries: &[ProposedEntry],
    ) -> Result<Executed, CheckError> {
        let differs = |what: String| CheckError::Differs { height: header.height, what };
        let mut run = Run::new(self, parent, header.time_ms)?;
        for (index, entry) in entries.iter().enumerate() {
            if run.is_full(&entry.batch) {
                return Err(differs(format!("entry {index}: beyond the block's limits")));
            }
            if run.has_batch(&entry.batch.id)? {
                return Err(differs(format!("entry {index}: batch decided already")));
            }
            let outcome = run.execute(&entry.batch)?;
            if outcome.as_ref().err() != entry.rejection.as_ref() {
                return Err(differs(format!("entry {index}: outcome")));
            }
            run.push(&entry.batch, outcome);
        }
        run.finish_as(header)
    }

    /// Executes a block that was decided before. Its rejections stand as they are: the batches are gone.
    ///
    /// # Errors
    /// When execution gives another block: the files are damaged. Or when this node's storage fails.
    pub(crate) fn replay(&self, parent: &ParentView, block: &Block) -> Result<Executed, CheckError> {
        let differs = |what: String| CheckError::Differs { height: block.header.height, what };
        let mut run = Run::new(self, parent, block.header.time_ms)?;
        for (index, entry) in block.entries.iter().enumerate() {
            match entry {
                Entry::Rejection(rejection) => run.push_rejection(rejection.clone()),
                Entry::Batch(batch) => {
                    let outcome = run.execute(batch)?;
                    if let Err(rejection) = &outcome {
                        return Err(differs(format!("entry {index}: rejected ({})", rejection.message)));
                    }
                    run.push(batch, outcome);
                }
            }
        }
        run.finish_as(&block.header)
    }
}

/// A block in the making.
struct Run<'a> {
    executor: &'a Executor,
    parent: &'a ParentView,
    rules: Rules,
    time_ms: u64,
    entries: Vec<Entry>,
    encoded: Vec<Vec<u8>>,
    entry_bytes: usize,
    changes: Changes,
    receipts: Vec<(TransactionId, Bytes)>,
    batches: BTreeSet<BatchId>,
    decided: BTreeSet<BatchId>,
    transactions: BTreeSet<TransactionId>,
    contents: BTreeSet<Hash>,
}

type Outcome = Result<super::batch::BatchEffects, Rejection>;

impl<'a> Run<'a> {
    fn new(executor: &'a Executor, parent: &'a ParentView, time_ms: u64) -> Result<Self, StoreError> {
        Ok(Self {
            executor,
            parent,
            rules: Rules::at(parent)?,
            time_ms,
            entries: Vec::new(),
            encoded: Vec::new(),
            entry_bytes: 0,
            changes: Changes::new(),
            receipts: Vec::new(),
            batches: BTreeSet::new(),
            decided: BTreeSet::new(),
            transactions: BTreeSet::new(),
            contents: BTreeSet::new(),
        })
    }

    /// Whether the batch would exceed the block's limits. One that is larger than any block is let in: to be rejected.
    fn is_full(&self, batch: &Batch) -> bool {
        let bytes = self.entry_bytes + 1 + batch.encoded_len();
        self.entries.len() >= self.rules.max_entries
            || (bytes > self.rules.max_bytes && !self.entries.is_empty())
    }

    /// Whether the batch is committed, or decided earlier in this block.
    fn has_batch(&self, id: &BatchId) -> Result<bool, StoreError> {
        Ok(self.decided.contains(id) || self.parent.has_batch(id)?)
    }

    fn execute(&self, batch: &Batch) -> Result<Outcome, StoreError> {
        let scope = BlockScope {
            registry: &*self.executor.registry,
            parent: self.parent,
            rules: &self.rules,
            time_ms: self.time_ms,
            changes: &self.changes,
            transactions: &self.transactions,
            contents: &self.contents,
        };
        scope.execute(batch)
    }

    fn push(&mut self, batch: &Batch, outcome: Outcome) {
        match outcome {
            Err(rejection) => self.push_rejection(rejection),
            Ok(effects) => {
                self.changes.extend(effects.changes);
                let receipts = effects.receipts.iter();
                self.receipts.extend(receipts.map(|receipt| (receipt.transaction, receipt.encode().into())));
                self.transactions.extend(batch.transactions.iter().map(|transaction| transaction.id));
                self.contents.extend(effects.contents);
                self.batches.insert(batch.id);
                self.push_entry(Entry::Batch(batch.clone()));
            }
        }
    }

    fn push_rejection(&mut self, rejection: Rejection) {
        self.push_entry(Entry::Rejection(rejection));
    }

    fn push_entry(&mut self, entry: Entry) {
        let encoded = entry.encode();
        self.decided.insert(entry.batch_id());
        self.entry_bytes += encoded.len();
        self.encoded.push(encoded);
        self.entries.push(entry);
    }

    /// Makes the block, with the parent and the roots that execution gives.
    fn finish(self, slot: &Slot) -> Result<Executed, StoreError> {
        let parent = self.parent.header()?;
        let height = parent.as_ref().map_or(0, |parent| parent.height + 1);
        let changes = self.changes;
        let tree = update_tree(self.parent, height, &changes)?;
        let leaves = |domain, values: &mut dyn Iterator<Item = &[u8]>| {
            roots::root(&values.map(|value| roots::leaf(domain, value)).collect::<Vec<_>>())
        };
        let header = BlockHeader {
            network_id: slot.network_id,
            epoch: slot.epoch,
            view: slot.view,
            height,
            parent: parent.map_or(BlockId::ZERO, |parent| parent.id()),
            proposer: slot.proposer,
            time_ms: slot.time_ms,
            entry_count: count(self.entries.len()),
            receipt_count: count(self.receipts.len()),
            entries_root: leaves(roots::ENTRIES, &mut self.encoded.iter().map(Vec::as_slice)),
            state_root: tree.root,
            receipts_root: leaves(roots::RECEIPTS, &mut self.receipts.iter().map(|(_, bytes)| &bytes[..])),
            cfg_hash: slot.cfg_hash,
            next_cfg_hash: None,
        };
        let block = Block { header, entries: self.entries };
        Ok(Executed {
            id: block.id(),
            body: block.encode().into(),
            block,
            changes,
            tree,
            receipts: self.receipts,
            batches: self.batches,
            decided: self.decided,
            transactions: self.transactions,
            contents: self.contents,
            keep_versions: self.rules.keep_versions,
        })
    }

    /// Makes the block and compares it with a header: equal headers commit to equal blocks.
    fn finish_as(self, header: &BlockHeader) -> Result<Executed, CheckError> {
        let slot = Slot {
            network_id: header.network_id,
            cfg_hash: header.cfg_hash,
            epoch: header.epoch,
            view: header.view,
            proposer: header.proposer,
            time_ms: header.time_ms,
        };
        let executed = self.finish(&slot)?;
        let ours = executed.header();
        if ours == header {
            return Ok(executed);
        }
        let what = [
            ("the height", ours.height == header.height),
            ("the parent", ours.parent == header.parent),
            ("the entries root", ours.entries_root == header.entries_root),
            ("the receipts root", ours.receipts_root == header.receipts_root),
            ("the state root", ours.state_root == header.state_root),
        ];
        let first = what.iter().find(|(_, equal)| !equal).map_or("the header", |(what, _)| *what);
        Err(CheckError::Differs { height: header.height, what: first.to_owned() })
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).expect("invariant: a block's bytes bound its entries and receipts")
}

impl Executed {
    /// The block's id.
    pub fn id(&self) -> BlockId {
        self.id
    }

    /// The block's header.
    pub fn header(&self) -> &BlockHeader {
        &self.block.header
    }

    /// The block.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// The encoded block: what is stored and served.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// State changes, by address.
    pub fn changes(&self) -> &BTreeMap<Address, Option<Bytes>> {
        &self.changes
    }

    /// Encoded receipts of committed transactions, in order.
    pub fn receipts(&self) -> &[(TransactionId, Bytes)] {
        &self.receipts
    }

    /// How many versions of state the network keeps with this block; all without.
    pub(crate) fn keep_versions(&self) -> Option<NonZeroU64> {
        self.keep_versions
    }

    pub(crate) fn tree(&self) -> &TreeUpdate {
        &self.tree
    }

    pub(crate) fn state_change(&self, address: &Address) -> Option<&Option<Bytes>> {
        self.changes.get(address)
    }

    pub(crate) fn has_batch(&self, id: &BatchId) -> bool {
        self.batches.contains(id)
    }

    /// Whether an entry of the block decides the batch, in whatever way.
    pub(crate) fn decides(&self, id: &BatchId) -> bool {
        self.decided.contains(id)
    }

    pub(crate) fn has_transaction(&self, id: &TransactionId) -> bool {
        self.transactions.contains(id)
    }

    pub(crate) fn has_content(&self, hash: &Hash) -> bool {
        self.contents.contains(hash)
    }
}
