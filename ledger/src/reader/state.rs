//! Reads of the state at a height.

use bytes::Bytes;
use ledger_types::Address;

use super::{ReadError, Reader, StateQuery};
use crate::state::{JmtTree, StateError, StateProof, StateTree as _, flat};
use crate::state_file::{FlatView, NodeView, store_error};
use crate::store::StoreError;

impl Reader {
    /// The value at an address after the block of a height.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn state(&self, address: &Address, height: u64) -> Result<Option<Bytes>, ReadError> {
        let view = self.0.merkle.read()?;
        let value = flat::value_at(&FlatView(&view), address, height);
        value.map_err(|error| self.state_error(&error))
    }

    /// As [`Reader::state`], shown to be true: the tree is walked up to the state root of the block, so that neither another
    /// value nor a missing one can pass. `None` above the head.
    ///
    /// # Errors
    /// When a file cannot be read, a record is damaged, or the value is not the one in the tree.
    pub fn proven_state(&self, address: &Address, height: u64) -> Result<Option<Bytes>, ReadError> {
        let root = match self.try_head() {
            Some(head) if head.height == height => Some(head.state_root),
            _ => self.header(height)?.map(|header| header.state_root),
        };
        let Some(root) = root else { return Ok(None) };
        let value = self.state(address, height)?;
        let proof = self.state_proof(address, height)?;
        proof.verify(&root, address, value.as_deref()).map_err(|_| {
            let reason = format!("not in the state tree of height {height}");
            StoreError::damaged(self.0.merkle.name(), format!("value at {address}"), reason)
        })?;
        Ok(value)
    }

    /// A range of state in address order, or the reverse.
    ///
    /// # Errors
    /// When the file cannot be read or a record is damaged.
    pub fn state_range(&self, query: &StateQuery) -> Result<Vec<(Address, Bytes)>, ReadError> {
        let view = self.0.merkle.read()?;
        let range = flat::range(&FlatView(&view), query);
        range.map_err(|error| self.state_error(&error))
    }

    /// The proof that an address has its value, or none, under the state root of a committed block. The value itself is
    /// that of [`Reader::state`] at the same height.
    ///
    /// # Errors
    /// When the file cannot be read, a node is damaged, or the height is above the head.
    pub fn state_proof(&self, address: &Address, height: u64) -> Result<StateProof, ReadError> {
        let view = self.0.merkle.read()?;
        let proof = JmtTree.prove(&NodeView(&view), height, address);
        proof.map_err(|error| self.state_error(&error))
    }

    fn state_error(&self, error: &StateError) -> StoreError {
        store_error(self.0.merkle.name(), error)
    }
}
