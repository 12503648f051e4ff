//! Batches and executed blocks of one node: what it can propose, assemble and serve.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use ledger_types::{BlockHeader, BlockId};

use super::disk::Committed;
use super::execution::{self, BLOCK_BATCHES, ENTRY_BYTES, Order};

/// How assembling a block ended.
pub(super) enum Assembled {
    /// With its body.
    Whole(Bytes),
    /// Entries at these places are not here; none: what was given makes no such block.
    Missing(Vec<u32>),
}

/// What a node holds in memory beside its replica.
#[derive(Default)]
pub(super) struct Pool {
    /// Pending batches, with the monotonic time of their arrival.
    pending: BTreeMap<u64, u64>,
    /// Batches that can be assembled into blocks.
    known: BTreeSet<u64>,
    /// Batches in committed blocks.
    committed: BTreeSet<u64>,
    /// Blocks executed here from the committed head on.
    executed: BTreeMap<BlockId, Arc<Committed>>,
}

impl Pool {
    /// What a restart knows: the block file.
    pub(super) fn new(chain: &[Arc<Committed>]) -> Self {
        let batches = chain.iter().flat_map(|block| execution::batches(&block.body).unwrap_or_default());
        let committed: BTreeSet<u64> = batches.collect();
        let head = chain.last().expect("genesis at least");
        let executed = BTreeMap::from([(head.id, Arc::clone(head))]);
        Self { pending: BTreeMap::new(), known: committed.clone(), committed, executed }
    }

    /// Takes a batch; whether it is new and pending.
    pub(super) fn add(&mut self, batch: u64, monotonic_ms: u64) -> bool {
        self.known.insert(batch);
        let is_new = !self.committed.contains(&batch) && !self.pending.contains_key(&batch);
        if is_new {
            self.pending.insert(batch, monotonic_ms);
        }
        is_new
    }

    /// Since when the oldest pending batch waits.
    pub(super) fn since_ms(&self) -> Option<u64> {
        self.pending.values().min().copied()
    }

    /// The lowest batch below `end` that is not committed here.
    pub(super) fn first_missing(&self, end: u64) -> Option<u64> {
        (1..end).find(|batch| !self.committed.contains(batch))
    }

    /// An executed block, or the committed head.
    pub(super) fn executed(&self, id: &BlockId) -> Option<&Arc<Committed>> {
        self.executed.get(id)
    }

    /// The batches of a block and of its ancestors above the committed head.
    fn taken(&self, mut id: BlockId) -> BTreeSet<u64> {
        let mut taken = BTreeSet::new();
        while let Some(block) = self.executed.get(&id) {
            taken.extend(execution::batches(&block.body).unwrap_or_default());
            id = block.header.parent;
        }
        taken
    }

    /// Builds a block; `None` if there is nothing to put into it and it may not be empty, or no such parent.
    pub(super) fn build(&mut self, order: Order, allow_empty: bool) -> Option<Arc<Committed>> {
        let taken = self.taken(order.parent);
        let free = self.pending.keys().filter(|batch| !taken.contains(batch));
        let batches: Vec<u64> = free.copied().take(BLOCK_BATCHES).collect();
        if batches.is_empty() && !allow_empty {
            return None;
        }
        let parent = self.executed.get(&order.parent)?;
        let (header, body) = execution::build(order, &parent.header, &batches);
        let block = Arc::new(Committed { id: header.id(), header, body });
        self.executed.insert(block.id, Arc::clone(&block));
        Some(block)
    }

    /// Puts a block together from refs, the pool, and entries that a peer sent.
    pub(super) fn assemble(&mut self, header: &BlockHeader, refs: &[u8], entries: &[u8]) -> Assembled {
        // What is no entry, or none of this block, is as good as not sent.
        let sent = execution::batches(entries).unwrap_or_default();
        let Some(batches) = execution::read_refs(refs) else { return Assembled::Missing(Vec::new()) };
        let missing: Vec<u32> = (0u32..)
            .zip(&batches)
            .filter(|(_, batch)| !self.known.contains(batch) && !sent.contains(batch))
            .map(|(index, _)| index)
            .collect();
        if !missing.is_empty() {
            return Assembled::Missing(missing);
        }
        let body = execution::body(&batches);
        if !execution::is_body_of(header, &body) {
            return Assembled::Missing(Vec::new());
        }
        self.known.extend(batches);
        Assembled::Whole(body)
    }

    /// Executes a block on its parent; whether all comes out as its header says. `None` if the parent is not here.
    pub(super) fn execute(&mut self, id: BlockId, header: &BlockHeader, body: &Bytes) -> Option<bool> {
        let parent = self.executed.get(&header.parent)?;
        let taken = self.taken(header.parent);
        let batches = execution::batches(body).unwrap_or_default();
        let distinct: BTreeSet<u64> = batches.iter().copied().collect();
        let is_valid = execution::is_executed_right(header, &parent.header, body)
            && distinct.len() == batches.len()
            && batches.iter().all(|batch| !taken.contains(batch) && !self.committed.contains(batch));
        if is_valid {
            let block = Committed { id, header: header.clone(), body: body.clone() };
            self.executed.insert(id, Arc::new(block));
        }
        Some(is_valid)
    }

    /// Makes an executed block the committed head.
    pub(super) fn commit(&mut self, id: &BlockId) -> Option<Arc<Committed>> {
        let block = self.executed.get(id).cloned()?;
        for batch in execution::batches(&block.body).unwrap_or_default() {
            self.pending.remove(&batch);
            self.committed.insert(batch);
            self.known.insert(batch);
        }
        let height = block.header.height;
        self.executed.retain(|other, it| other == id || it.header.height > height);
        Some(block)
    }

    /// Forgets an executed block.
    pub(super) fn abandon(&mut self, id: &BlockId) {
        self.executed.remove(id);
    }

    /// The entries of a body at some places.
    pub(super) fn entries(body: &Bytes, indices: &[u32]) -> Bytes {
        let place = |index: &u32| {
            let begin = usize::try_from(*index).ok()?.checked_mul(ENTRY_BYTES)?;
            body.get(begin..begin.checked_add(ENTRY_BYTES)?)
        };
        indices.iter().filter_map(place).flatten().copied().collect::<Vec<u8>>().into()
    }
}
