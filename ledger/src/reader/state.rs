//! Reads of the state at a height. A height whose state is no longer kept is an error that says so.

use bytes::Bytes;
use ledger_types::Address;

use super::{ReadError, Reader, StateQuery};
use crate::state::{StateError, StateProof, presence, tree};
use crate::state_file::{self, StateView};
use crate::store::StoreError;

impl Reader {
    /// The value at an address after the block of a height: the one whose hash is in the state tree.
    ///
    /// # Errors
    /// When the state of the height is not kept, the file cannot be read or a record is damaged.
    pub fn state(&self, address: &Address, height: u64) -> Result<Option<Bytes>, ReadError> {
        self.look_at_state(|view| view.value(address, height))
    }

    /// As [`Reader::state`], up to the state root in the header of the block, so that neither another value nor a missing
    /// one can pass. `None` above the head.
    ///
    /// # Errors
    /// As [`Reader::state`], or when the tree is not the one in the header.
    pub fn proven_state(&self, address: &Address, height: u64) -> Result<Option<Bytes>, ReadError> {
        let expected = match self.try_head() {
            Some(head) if head.height == height => Some(head.state_root),
            _ => self.header(height)?.map(|header| header.state_root),
        };
        let Some(expected) = expected else { return Ok(None) };
        let (root, value) =
            self.look_at_state(|view| Ok((tree::root(view, height)?, view.value(address, height)?)))?;
        match root == expected {
            true => Ok(value),
            false => {
                let record = format!("state node {height}/");
                Err(StoreError::damaged(self.0.merkle.name(), record, "not the root in the block's header"))
            }
        }
    }

    /// A range of state in address order, or the reverse.
    ///
    /// # Errors
    /// As [`Reader::state`].
    pub fn state_range(&self, query: &StateQuery) -> Result<Vec<(Address, Bytes)>, ReadError> {
        self.look_at_state(|view| {
            // Presence alone does not tell whether the height is kept.
            tree::root(view, query.height)?;
            let addresses = presence::range(view, query)?.into_iter();
            let value = |address| {
                let value = view.value(&address, query.height)?;
                let value = value.ok_or_else(|| StateError::DamagedRecord {
                    record: format!("presence of {address}"),
                    reason: format!("the state tree of height {} has no value for it", query.height),
                })?;
                Ok((address, value))
            };
            addresses.map(value).collect()
        })
    }

    /// The proof that an address has its value, or none, under the state root of a committed block. The value itself is
    /// that of [`Reader::state`] at the same height.
    ///
    /// # Errors
    /// As [`Reader::state`], or when the height is above the head.
    pub fn state_proof(&self, address: &Address, height: u64) -> Result<StateProof, ReadError> {
        self.look_at_state(|view| tree::prove(view, height, address))
    }

    /// The oldest height whose state is kept.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn oldest_state(&self) -> Result<u64, ReadError> {
        state_file::oldest(&self.0.merkle.read()?)
    }

    fn look_at_state<T>(
        &self,
        read: impl FnOnce(&StateView<'_>) -> Result<T, StateError>,
    ) -> Result<T, StoreError> {
        let view = self.0.merkle.read()?;
        let state = StateView::with_top(&view, &self.0.top);
        read(&state).map_err(|error| state.fault(error))
    }
}
