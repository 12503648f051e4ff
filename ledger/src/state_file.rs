//! The merkle file as the state module sees it: tree nodes and flat values under their tags.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_types::Address;

use crate::execute::ParentView;
use crate::state::flat::{FlatCursor, Found};
use crate::state::{JmtTree, LayeredSource, NodeSource, StateError, StateTree as _, TreeUpdate};
use crate::store::{StoreError, View, schema};

/// Tree nodes of the merkle file.
pub(crate) struct NodeView<'a>(pub(crate) &'a View<'a>);

impl NodeSource for NodeView<'_> {
    fn node(&self, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        self.0.get_copy(&schema::state_node(key)).map_err(unreadable)
    }
}

/// Flat values of the merkle file.
pub(crate) struct FlatView<'a>(pub(crate) &'a View<'a>);

impl FlatCursor for FlatView<'_> {
    fn at_or_after(&self, key: &[u8]) -> Result<Found<'_>, StateError> {
        self.0.at_or_after(&schema::state_value(key)).map(untagged).map_err(unreadable)
    }

    fn before(&self, key: &[u8]) -> Result<Found<'_>, StateError> {
        self.0.before(&schema::state_value(key)).map(untagged).map_err(unreadable)
    }
}

/// The record without its tag; `None` when it belongs to another table.
fn untagged<'a>(found: Option<(&'a [u8], &'a [u8])>) -> Found<'a> {
    let (key, value) = found?;
    Some((key.strip_prefix(&[schema::STATE_VALUE])?, value))
}

fn unreadable(error: StoreError) -> StateError {
    match error {
        StoreError::Damaged { record, reason, .. } => StateError::DamagedRecord { record, reason },
        other => StateError::Store(other.to_string()),
    }
}

/// The tree after a block's changes on top of its parent.
pub(crate) fn update_tree(
    parent: &ParentView,
    height: u64,
    changes: &BTreeMap<Address, Option<Bytes>>,
) -> Result<TreeUpdate, StoreError> {
    let merkle = &parent.reader().committed().merkle;
    let view = merkle.read()?;
    let stored = NodeView(&view);
    let source = LayeredSource::new(parent.layers().iter().map(|layer| layer.tree()), &stored);
    JmtTree.update(&source, height, changes).map_err(|error| store_error(merkle.name(), &error))
}

/// A state error as a fault of its file.
pub(crate) fn store_error(file: &str, error: &StateError) -> StoreError {
    match error {
        StateError::DamagedRecord { record, reason } => StoreError::damaged(file, record, reason),
        other => StoreError::damaged(file, "state", other),
    }
}
