//! A block that is executed, with all that committing it needs.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU64;

use bytes::Bytes;
use ledger_types::{Address, BatchId, Block, BlockHeader, BlockId, Hash, TransactionId};

use super::effects::Effects;
use crate::state::TreeUpdate;

/// A block and all it does, ready to commit.
pub struct Executed {
    pub(super) id: BlockId,
    pub(super) block: Block,
    pub(super) body: Bytes,
    pub(super) effects: Effects,
    pub(super) tree: TreeUpdate,
    pub(super) receipts: Vec<(TransactionId, Bytes)>,
    pub(super) batches: HashSet<BatchId>,
    pub(super) decided: HashSet<BatchId>,
    pub(super) keep_versions: Option<NonZeroU64>,
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
        &self.effects.changes
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
        self.effects.changes.get(address)
    }

    pub(crate) fn has_batch(&self, id: &BatchId) -> bool {
        self.batches.contains(id)
    }

    /// Whether an entry of the block decides the batch, in whatever way.
    pub(crate) fn decides(&self, id: &BatchId) -> bool {
        self.decided.contains(id)
    }

    pub(crate) fn has_transaction(&self, id: &TransactionId) -> bool {
        self.effects.transactions.contains(id)
    }

    pub(crate) fn has_content(&self, hash: &Hash) -> bool {
        self.effects.contents.contains(hash)
    }
}
