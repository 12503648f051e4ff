//! The merkle file as the state module sees it: tree nodes, values and presence under their tags.

mod prune;
mod stale;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ledger_types::Address;

use crate::execute::Past;
use crate::state::presence::{self, Found, PresenceCursor};
use crate::state::{
    Branch, Known, LayeredSource, Leaf, NodeKey, NodeSource, StateError, Top, TreeUpdate, tree, value_hash,
};
use crate::store::{StoreError, View, Writer, schema};

pub(crate) use prune::oldest;
pub use prune::prune;
pub(crate) use stale::Stale;

/// What is read from one view of the merkle file.
pub struct StateView<'a> {
    view: &'a View<'a>,
    top: Option<&'a Top>,
}

impl<'a> StateView<'a> {
    /// Reads and checks every node.
    pub fn new(view: &'a View<'a>) -> Self {
        Self { view, top: None }
    }

    /// Takes the top of the newest tree from memory.
    pub fn with_top(view: &'a View<'a>, top: &'a Top) -> Self {
        Self { view, top: Some(top) }
    }

    /// A state error as a fault of the file, or as a height whose state is no longer kept.
    pub(crate) fn fault(&self, error: StateError) -> StoreError {
        let file = self.view.file_name();
        match (error, oldest(self.view)) {
            (StateError::NoVersion { version: height }, Ok(oldest)) if height < oldest => {
                StoreError::NoState { file: file.to_owned(), height, oldest }
            }
            (error, _) => store_error(file, &error),
        }
    }

    /// The value of an address at a height: found by the tree, so neither another value nor a missing one can pass.
    ///
    /// # Errors
    /// When the state of the height is not there, the file cannot be read or a record is damaged.
    pub fn value(&self, address: &Address, height: u64) -> Result<Option<Bytes>, StateError> {
        let Some(leaf) = tree::leaf(self, height, address)? else { return Ok(None) };
        self.value_of(address, &leaf).map(Some)
    }

    /// The value that an address's leaf stands for.
    pub(crate) fn value_of(&self, address: &Address, leaf: &Leaf) -> Result<Bytes, StateError> {
        let value = self.view.get(&schema::state_value(leaf.version, address)).map_err(unreadable)?;
        let damaged = |reason: &str| StateError::DamagedRecord {
            record: format!("value at {address} of height {}", leaf.version),
            reason: reason.to_owned(),
        };
        let value = value.ok_or_else(|| damaged("missing"))?;
        match value_hash(value) == leaf.value_hash {
            true => Ok(Bytes::copy_from_slice(value)),
            false => Err(damaged("not the value in the state tree")),
        }
    }
}

impl NodeSource for StateView<'_> {
    fn record(&self, key: &NodeKey) -> Result<Option<&[u8]>, StateError> {
        self.view.get(&schema::state_node(key)).map_err(unreadable)
    }

    fn known(&self, key: &NodeKey) -> Option<Known<'_>> {
        self.top?.get(key).map(Known::Shared)
    }

    fn learn(&self, key: &NodeKey, branch: &Arc<Branch>) {
        if let Some(top) = self.top {
            top.put(key, branch);
        }
    }
}

impl PresenceCursor for StateView<'_> {
    fn at_or_after(&self, key: &[u8]) -> Result<Found<'_>, StateError> {
        self.view.at_or_after(&tagged(key)).map(untagged).map_err(unreadable)
    }

    fn before(&self, key: &[u8]) -> Result<Found<'_>, StateError> {
        self.view.before(&tagged(key)).map(untagged).map_err(unreadable)
    }
}

/// A cursor's key may be longer than a stored one.
fn tagged(key: &[u8]) -> Vec<u8> {
    [&[schema::STATE_PRESENCE], key].concat()
}

/// The record without its tag; `None` when it belongs to another table.
fn untagged<'a>(found: Option<(&'a [u8], &'a [u8])>) -> Found<'a> {
    let (key, value) = found?;
    Some((key.strip_prefix(&[schema::STATE_PRESENCE])?, value))
}

fn unreadable(error: StoreError) -> StateError {
    match error {
        StoreError::Damaged { record, reason, .. } => StateError::DamagedRecord { record, reason },
        other => StateError::Store(other.to_string()),
    }
}

/// Refuses a height whose state is no longer kept, before a part of it is looked for in vain.
fn require_kept(view: &View<'_>, height: u64) -> Result<(), StoreError> {
    match oldest(view)? {
        oldest if height < oldest => {
            Err(StoreError::NoState { file: view.file_name().to_owned(), height, oldest })
        }
        _ => Ok(()),
    }
}

/// The tree after a block's changes on top of its parent.
pub(crate) fn update_tree(
    past: &Past<'_>,
    height: u64,
    changes: &BTreeMap<Address, Option<Bytes>>,
) -> Result<TreeUpdate, StoreError> {
    let parent = past.parent();
    if let Some(base) = parent.base_height() {
        require_kept(past.state_file(), base)?;
    }
    let committed = past.committed_state();
    let source = LayeredSource::new(parent.layers().iter().map(|layer| layer.tree()), &committed);
    tree::update(&source, height, changes).map_err(|error| committed.stored.fault(error))
}

/// Gives what a block's changes, with the tree after them, add to the state file, record by record, ascending by key.
///
/// # Errors
/// Those of `put`.
pub(crate) fn for_each_record<E>(
    changes: &BTreeMap<Address, Option<Bytes>>,
    tree: &TreeUpdate,
    mut put: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let height = tree.version;
    for (address, is_present) in &tree.presence {
        let key = schema::state_presence(&presence::key(address, height));
        put(&key, &presence::encode(*is_present))?;
    }
    put(&schema::state_root(height), &tree.root.0)?;
    for (address, value) in changes {
        if let Some(value) = value {
            put(&schema::state_value(height, address), value)?;
        }
    }
    for (part, list) in (0..).zip(Stale::of(tree).encode()) {
        put(&schema::state_stale(height, part), &list)?;
    }
    tree.nodes().try_for_each(|(key, record)| put(&schema::state_node(key), record))
}

/// Writes what a block's changes, with the tree after them, add to the state file.
///
/// # Errors
/// When the file cannot be written.
pub fn put(
    writer: &mut Writer<'_>,
    changes: &BTreeMap<Address, Option<Bytes>>,
    tree: &TreeUpdate,
) -> Result<(), StoreError> {
    for_each_record(changes, tree, |key, value| match key[0] {
        schema::STATE_VERSION => writer.append(key, value),
        _ => writer.put(key, value),
    })
}

/// A state error as a fault of its file.
pub(crate) fn store_error(file: &str, error: &StateError) -> StoreError {
    match error {
        StateError::DamagedRecord { record, reason } => StoreError::damaged(file, record, reason),
        other => StoreError::damaged(file, "state", other),
    }
}
