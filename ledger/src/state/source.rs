use std::collections::BTreeMap;

use bytes::Bytes;

use super::branch::Child;
use super::error::StateError;
use super::key::NodeKey;
use super::node::Node;
use super::tree::TreeUpdate;

/// Where stored tree nodes are read.
pub trait NodeSource {
    /// The record under a stored [`NodeKey`]; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn node(&self, key: &[u8]) -> Result<Option<Bytes>, StateError>;
}

impl NodeSource for BTreeMap<Vec<u8>, Bytes> {
    fn node(&self, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        Ok(self.get(key).cloned())
    }
}

/// Updates that are not stored yet, on top of what is: the state of a block whose ancestors are notarized but
/// not committed.
#[derive(Clone)]
pub struct LayeredSource<'a> {
    pending: Vec<&'a TreeUpdate>,
    base: &'a dyn NodeSource,
}

impl<'a> LayeredSource<'a> {
    /// The pending updates of **one** chain of blocks, newest first, above a store.
    ///
    /// A version that is pending is never looked for in the store, so a store that meanwhile holds that
    /// height already does no harm.
    pub fn new(pending: impl IntoIterator<Item = &'a TreeUpdate>, base: &'a dyn NodeSource) -> Self {
        Self { pending: pending.into_iter().collect(), base }
    }
}

impl NodeSource for LayeredSource<'_> {
    fn node(&self, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        let version = NodeKey::version_of(key);
        match self.pending.iter().find(|update| Some(update.version) == version) {
            Some(update) => Ok(update.node(key).cloned()),
            None => self.base.node(key),
        }
    }
}

/// Reads the root node of a version.
pub(super) fn load_root(source: &dyn NodeSource, version: u64) -> Result<Node, StateError> {
    let key = NodeKey::root(version);
    let bytes = source.node(&key.encode())?.ok_or(StateError::NoVersion { version })?;
    Node::decode(&key, &bytes)
}

/// Reads a node below a root and checks that it is the one its parent means.
pub(super) fn load_child(
    source: &dyn NodeSource,
    key: &NodeKey,
    expected: &Child,
) -> Result<Node, StateError> {
    let bytes = source.node(&key.encode())?.ok_or_else(|| StateError::MissingNode { key: key.clone() })?;
    let node = Node::decode(key, &bytes)?;
    if node.is_leaf() != expected.is_leaf || node.hash() != expected.hash {
        return Err(StateError::DamagedNode {
            key: key.clone(),
            reason: "not the node its parent refers to",
        });
    }
    Ok(node)
}
