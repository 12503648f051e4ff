//! What a block sees of its past: committed data up to a height, and above it the effects of blocks that are executed
//! but not committed yet.

use std::sync::Arc;

use bytes::Bytes;
use ledger_types::{Address, BatchId, BlockHeader, Hash, TransactionId};

use super::Executed;
use crate::reader::Reader;
use crate::state::Memo;
use crate::store::StoreError;

/// The past of a block to execute: its parent and everything below.
#[derive(Clone)]
pub(crate) struct ParentView {
    reader: Reader,
    /// Committed data above this height is not looked at: it belongs to the layers. `None` before genesis.
    base_height: Option<u64>,
    /// Executed ancestors above the base, newest first.
    layers: Vec<Arc<Executed>>,
    /// Nodes of the committed state that were read.
    nodes: Arc<Memo>,
}

impl ParentView {
    pub(crate) fn new(reader: Reader, base_height: Option<u64>, layers: Vec<Arc<Executed>>) -> Self {
        Self { reader, base_height, layers, nodes: Arc::default() }
    }

    /// The parent's header; `None` for genesis.
    pub(crate) fn header(&self) -> Result<Option<BlockHeader>, StoreError> {
        match (self.layers.first(), self.base_height) {
            (Some(parent), _) => Ok(Some(parent.header().clone())),
            (None, Some(height)) => self.reader.header(height),
            (None, None) => Ok(None),
        }
    }

    /// The height of the committed state below the layers; `None` before genesis.
    pub(crate) fn base_height(&self) -> Option<u64> {
        self.base_height
    }

    pub(crate) fn layers(&self) -> &[Arc<Executed>] {
        &self.layers
    }

    /// Nodes of the state at [`Self::base_height`] and below that were read.
    pub(crate) fn nodes(&self) -> &Memo {
        &self.nodes
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(crate) fn state(&self, address: &Address) -> Result<Option<Bytes>, StoreError> {
        match self.layers.iter().find_map(|layer| layer.state_change(address)) {
            Some(changed) => Ok(changed.clone()),
            None => {
                self.base_height.map_or(Ok(None), |height| self.reader.state_by(address, height, &self.nodes))
            }
        }
    }

    pub(crate) fn has_batch(&self, id: &BatchId) -> Result<bool, StoreError> {
        if self.layers.iter().any(|layer| layer.has_batch(id)) {
            return Ok(true);
        }
        Ok(self.reader.batch_place(id)?.is_some_and(|place| self.is_below(place.height)))
    }

    /// Whether the batch was rejected above a height. What a leader passes over; no rule for voters, since it asks how far
    /// this node has committed.
    pub(crate) fn has_rejection_above(&self, id: &BatchId, height: u64) -> Result<bool, StoreError> {
        if self.layers.iter().any(|layer| layer.decides(id)) {
            return Ok(true);
        }
        Ok(self.reader.rejection_height(id)?.is_some_and(|rejected| rejected > height))
    }

    pub(crate) fn has_transaction(&self, id: &TransactionId) -> Result<bool, StoreError> {
        if self.layers.iter().any(|layer| layer.has_transaction(id)) {
            return Ok(true);
        }
        Ok(self.reader.transaction_place(id)?.is_some_and(|place| self.is_below(place.batch.height)))
    }

    pub(crate) fn has_content(&self, hash: &Hash) -> Result<bool, StoreError> {
        if self.layers.iter().any(|layer| layer.has_content(hash)) {
            return Ok(true);
        }
        Ok(self.reader.content_place(hash)?.is_some_and(|place| self.is_below(place.batch.height)))
    }

    fn is_below(&self, height: u64) -> bool {
        self.base_height.is_some_and(|base| height <= base)
    }
}
