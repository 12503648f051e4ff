//! What a block sees of its past: committed data up to a height, and above it the effects of blocks that are executed
//! but not committed yet.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use ledger_types::{Address, BatchId, BlockHeader, Hash, TransactionId};

use super::Executed;
use crate::reader::{Reader, stored_place};
use crate::recent::{self, Id, Place as _, Places};
use crate::state::{Branch, Known, NodeKey, NodeSource, StateError, tree};
use crate::state_file::StateView;
use crate::store::{StoreError, View};

/// The past of a block to execute: its parent and everything below.
#[derive(Clone)]
pub(crate) struct ParentView {
    reader: Reader,
    /// Committed data above this height is not looked at: it belongs to the layers. `None` before genesis.
    base_height: Option<u64>,
    /// Executed ancestors above the base, newest first.
    layers: Vec<Arc<Executed>>,
}

impl ParentView {
    pub(crate) fn new(reader: Reader, base_height: Option<u64>, layers: Vec<Arc<Executed>>) -> Self {
        Self { reader, base_height, layers }
    }

    /// The height of the committed state below the layers; `None` before genesis.
    pub(crate) fn base_height(&self) -> Option<u64> {
        self.base_height
    }

    pub(crate) fn layers(&self) -> &[Arc<Executed>] {
        &self.layers
    }

    /// Begins reading. Many small reads of one thread share a transaction of each file.
    pub(crate) fn open(&self) -> Result<Past<'_>, StoreError> {
        let committed = self.reader.committed();
        // Before the view, which then has this block at least.
        let head = self.reader.try_head().map(|head| head.height);
        let (block, merkle) = (committed.block.read()?, committed.merkle.read()?);
        Ok(Past { parent: self, head, block, merkle, branches: RefCell::default() })
    }
}

/// A past that one thread reads. Keep it no longer than it takes to execute a block: it holds old pages alive.
pub(crate) struct Past<'a> {
    parent: &'a ParentView,
    /// A block that the view of the block file has.
    head: Option<u64>,
    block: View<'a>,
    merkle: View<'a>,
    branches: RefCell<Branches>,
}

/// Branches of the state tree below its top that were read and found right. What a block reads it mostly changes, and
/// checking a branch costs more than reading it.
pub(crate) type Branches = HashMap<NodeKey, Arc<Branch>>;

/// The committed state, each branch of it read once.
pub(crate) struct StateOnce<'a> {
    pub(crate) stored: StateView<'a>,
    branches: &'a RefCell<Branches>,
}

impl NodeSource for StateOnce<'_> {
    fn record(&self, key: &NodeKey) -> Result<Option<&[u8]>, StateError> {
        self.stored.record(key)
    }

    fn known(&self, key: &NodeKey) -> Option<Known<'_>> {
        self.stored.known(key).or_else(|| self.branches.borrow().get(key).cloned().map(Known::Shared))
    }

    fn learn(&self, key: &NodeKey, branch: &Arc<Branch>) {
        self.stored.learn(key, branch);
        self.branches.borrow_mut().insert(*key, branch.clone());
    }
}

impl<'a> Past<'a> {
    pub(crate) fn parent(&self) -> &'a ParentView {
        self.parent
    }

    pub(crate) fn state(&self, address: &Address) -> Result<Option<Bytes>, StoreError> {
        if let Some(changed) = self.parent.layers.iter().find_map(|layer| layer.state_change(address)) {
            return Ok(changed.clone());
        }
        let Some(height) = self.parent.base_height else { return Ok(None) };
        let state = self.committed_state();
        let leaf = tree::leaf(&state, height, address);
        let value = leaf.and_then(|leaf| leaf.map(|leaf| state.stored.value_of(address, &leaf)).transpose());
        value.map_err(|error| state.stored.fault(error))
    }

    /// The parent's header; `None` for genesis. Read in the view that is open: who holds one and waits for another could
    /// wait for all others that do the same.
    pub(super) fn header(&self) -> Result<Option<BlockHeader>, StoreError> {
        match (self.parent.layers.first(), self.parent.base_height) {
            (Some(parent), _) => Ok(Some(parent.header().clone())),
            (None, Some(height)) => self.parent.reader.header_in(&self.block, height),
            (None, None) => Ok(None),
        }
    }

    /// The state at the base, and below.
    pub(crate) fn committed_state(&self) -> StateOnce<'_> {
        let stored = StateView::with_top(&self.merkle, &self.parent.reader.committed().top);
        StateOnce { stored, branches: &self.branches }
    }

    /// The view of the state file.
    pub(crate) fn state_file(&self) -> &View<'a> {
        &self.merkle
    }

    /// Ends reading and gives the branches that were read.
    pub(super) fn into_branches(self) -> Branches {
        self.branches.into_inner()
    }

    /// Takes branches that another reader of the same past has found right.
    pub(super) fn adopt(&self, branches: Branches) {
        self.branches.borrow_mut().extend(branches);
    }

    pub(crate) fn has_batch(&self, id: &BatchId) -> Result<bool, StoreError> {
        if self.parent.layers.iter().any(|layer| layer.has_batch(id)) {
            return Ok(true);
        }
        self.is_committed(id, Places::batch)
    }

    /// Whether the batch was rejected above a height. What a leader passes over; no rule for voters, since it asks how far
    /// this node has committed.
    pub(super) fn has_rejection_above(&self, id: &BatchId, height: u64) -> Result<bool, StoreError> {
        if self.parent.layers.iter().any(|layer| layer.decides(id)) {
            return Ok(true);
        }
        Ok(self.parent.reader.rejection_height(id)?.is_some_and(|rejected| rejected > height))
    }

    pub(crate) fn has_transaction(&self, id: &TransactionId) -> Result<bool, StoreError> {
        if self.parent.layers.iter().any(|layer| layer.has_transaction(id)) {
            return Ok(true);
        }
        self.is_committed(id, Places::transaction)
    }

    pub(crate) fn has_content(&self, hash: &Hash) -> Result<bool, StoreError> {
        if self.parent.layers.iter().any(|layer| layer.has_content(hash)) {
            return Ok(true);
        }
        self.is_committed(hash, Places::content)
    }

    /// Whether what has this id is in a block up to the base.
    fn is_committed<I: Id + ToString>(
        &self,
        id: &I,
        look_up: impl Fn(&Places, &I) -> recent::Known<I::Place>,
    ) -> Result<bool, StoreError> {
        let Some(base) = self.parent.base_height else { return Ok(false) };
        let (known, is_complete) = {
            let places = self.parent.reader.committed().recent.read();
            (look_up(&places, id), places.completes(self.head))
        };
        let place = match known {
            recent::Known::At(place) => Some(place),
            // What is in a block up to the base was known before the base was the head.
            recent::Known::Nowhere => return Ok(false),
            recent::Known::Unknown => stored_place(&self.block, &id.key(), id)?,
        };
        if place.is_none() && !is_complete {
            // It may have been written meanwhile, behind this view. As with states so old, `Ledger::on_parent` begins again.
            let file = self.block.file_name().to_owned();
            return Err(StoreError::NoState { file, height: base, oldest: base.saturating_add(1) });
        }
        Ok(place.is_some_and(|place| place.height() <= base))
    }
}
