//! A block in the making.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::iter::Peekable;
use std::sync::Arc;

use ledger_types::{Batch, BatchId, Block, BlockHeader, BlockId, Entry, Rejection};

use super::ahead::Ground;
use super::batch::{Before, BlockScope};
use super::block::{CheckError, Slot};
use super::effects::{Effects, Outcome, Receipts};
use super::rules::Rules;
use super::view::Past;
use super::{Executed, Executor};
use crate::roots::{self, EntryList};
use crate::state_file::update_tree;
use crate::store::StoreError;

/// A block in the making.
pub(super) struct Run<'a> {
    executor: &'a Executor,
    past: &'a Past<'a>,
    rules: Rules,
    limits: Limits,
    time_ms: u64,
    size: Size,
    entries: Vec<Entry>,
    /// The entries so far, or all that there will be.
    list: Cow<'a, EntryList>,
    effects: Effects,
    receipts: Receipts,
    batches: HashSet<BatchId>,
    decided: HashSet<BatchId>,
}

/// The size of a block.
#[derive(Clone, Copy, Default)]
struct Size {
    entries: usize,
    /// Of the encoded entries.
    bytes: usize,
    transactions: usize,
}

/// What of a [`Size`] there may be at most.
#[derive(Clone, Copy)]
struct Limits {
    entries: usize,
    bytes: usize,
    /// The batch that reaches it is the last one, whole.
    transactions: usize,
}

impl Limits {
    const NONE: Self = Self { entries: usize::MAX, bytes: usize::MAX, transactions: usize::MAX };

    /// Whether a block of this size may have one more batch. One that is larger than any block is let in: to be rejected.
    fn have_room(&self, size: Size, batch: &Batch) -> bool {
        size.entries < self.entries
            && size.transactions < self.transactions
            && (size.bytes + 1 + batch.encoded_len() <= self.bytes || size.entries == 0)
    }
}

impl Size {
    fn add(&mut self, bytes: usize, transactions: usize) {
        self.entries += 1;
        self.bytes += bytes;
        self.transactions += transactions;
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(executor: &'a Executor, past: &'a Past<'a>, time_ms: u64) -> Result<Self, StoreError> {
        let rules = Rules::at(past)?;
        let limits = Limits { entries: rules.max_entries, bytes: rules.max_bytes, ..Limits::NONE };
        Ok(Self {
            executor,
            past,
            rules,
            limits,
            time_ms,
            size: Size::default(),
            entries: Vec::new(),
            list: Cow::default(),
            effects: Effects::default(),
            receipts: Receipts::default(),
            batches: HashSet::new(),
            decided: HashSet::new(),
        })
    }

    /// No batch is taken once there are so many transactions.
    pub(super) fn with_at_most(mut self, transactions: usize) -> Self {
        self.limits.transactions = transactions;
        self
    }

    /// Its limits were kept when the block was decided.
    pub(super) fn without_limits(mut self) -> Self {
        self.limits = Limits::NONE;
        self
    }

    /// The entries that are pushed will be these, or there will be no block.
    pub(super) fn with_list(mut self, list: &'a EntryList) -> Self {
        self.list = Cow::Borrowed(list);
        self
    }

    /// Whether the next batch may be this one, as far as the block's limits go.
    pub(super) fn has_room(&self, batch: &Batch) -> bool {
        self.limits.have_room(self.size, batch)
    }

    /// Whether the batch is committed, or decided earlier in this block.
    pub(super) fn has_batch(&self, id: &BatchId) -> Result<bool, StoreError> {
        Ok(self.decided.contains(id) || self.past.has_batch(id)?)
    }

    /// Takes the items that come next as far as there is room for their batches if all are valid, and up to one that is
    /// the same as one before: whether that is looked at is known when those before are decided.
    pub(super) fn window<T, E>(
        &self,
        items: &mut Peekable<impl Iterator<Item = Result<T, E>>>,
        batch_of: impl Fn(&T) -> Option<&Batch>,
    ) -> Result<Vec<T>, E> {
        let (mut size, mut ids) = (self.size, HashSet::new());
        let mut window = Vec::new();
        let mut fits = |item: &T| match batch_of(item) {
            Some(batch) if self.limits.have_room(size, batch) && ids.insert(batch.id) => {
                size.add(1 + batch.encoded_len(), batch.transactions.len());
                true
            }
            Some(_) => false,
            None => true,
        };
        while let Some(item) = items.next_if(|item| item.as_ref().map_or(true, &mut fits)) {
            window.push(item?);
        }
        Ok(window)
    }

    /// Executes the batches that come next, if it is worth it before their turn.
    pub(super) fn ahead<'b>(
        &self,
        batches: impl Iterator<Item = &'b Batch>,
    ) -> Result<VecDeque<Outcome>, StoreError> {
        let ground = Ground { scope: self.scope(), parent: self.past.parent(), done: &self.effects };
        self.executor.ahead.execute(&ground, self.past, &batches.collect::<Vec<_>>())
    }

    /// The outcome of the batch whose turn it is: the first of those known ahead, if there are any.
    pub(super) fn outcome(
        &self,
        ahead: &mut VecDeque<Outcome>,
        batch: &Batch,
    ) -> Result<Outcome, StoreError> {
        let before = Before { past: self.past, block: &[&self.effects] };
        ahead.pop_front().map_or_else(|| self.scope().execute(&before, batch), Ok)
    }

    fn scope(&self) -> BlockScope<'_> {
        BlockScope { registry: &*self.executor.registry, rules: &self.rules, time_ms: self.time_ms }
    }

    pub(super) fn push(&mut self, batch: Arc<Batch>, outcome: Outcome) {
        match outcome {
            Err(rejection) => self.push_rejection(*rejection),
            Ok(effects) => {
                self.receipts.append(effects.receipts);
                self.effects.add(&batch, effects.changes);
                self.batches.insert(batch.id);
                let transactions = batch.transactions.len();
                self.push_entry(Entry::Batch(batch), transactions);
            }
        }
    }

    pub(super) fn push_rejection(&mut self, rejection: Rejection) {
        self.push_entry(Entry::Rejection(rejection), 0);
    }

    fn push_entry(&mut self, entry: Entry, transactions: usize) {
        self.decided.insert(entry.batch_id());
        self.size.add(entry.encoded_len(), transactions);
        if let Cow::Owned(list) = &mut self.list {
            list.push(&entry);
        }
        self.entries.push(entry);
    }

    /// Makes the block, with the parent and the roots that execution gives.
    pub(super) fn finish(self, slot: &Slot) -> Result<Executed, StoreError> {
        let parent = self.past.header()?;
        let height = parent.as_ref().map_or(0, |parent| parent.height + 1);
        let tree = update_tree(self.past, height, &self.effects.changes)?;
        let header = BlockHeader {
            network_id: slot.network_id,
            epoch: slot.epoch,
            view: slot.view,
            height,
            parent: parent.map_or(BlockId::ZERO, |parent| parent.id()),
            proposer: slot.proposer,
            time_ms: slot.time_ms,
            entry_count: count(self.entries.len()),
            receipt_count: count(self.receipts.leaves.len()),
            entries_root: self.list.root(),
            state_root: tree.root,
            receipts_root: roots::root(&self.receipts.leaves),
            cfg_hash: slot.cfg_hash,
            next_cfg_hash: None,
        };
        let block = Block { header, entries: self.entries };
        Ok(Executed {
            id: block.id(),
            body: Block::encode_parts(&block.header, self.list.as_bytes()).into(),
            block,
            effects: self.effects,
            tree,
            receipts: self.receipts.encoded,
            batches: self.batches,
            decided: self.decided,
            keep_versions: self.rules.keep_versions,
        })
    }

    /// Makes the block and compares it with a header: equal headers commit to equal blocks.
    pub(super) fn finish_as(self, header: &BlockHeader) -> Result<Executed, CheckError> {
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
