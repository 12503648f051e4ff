use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use ledger_types::Hash;

use super::branch::Branch;
use super::error::StateError;
use super::key::NodeKey;
use super::node::Node;
use super::tree::TreeUpdate;

/// A branch that was found.
pub enum Known<'a> {
    /// In memory that is shared.
    Shared(Arc<Branch>),
    /// In an update that is not stored yet.
    Pending(&'a Branch),
}

impl Deref for Known<'_> {
    type Target = Branch;

    fn deref(&self) -> &Branch {
        match self {
            Self::Shared(branch) => branch,
            Self::Pending(branch) => branch,
        }
    }
}

impl Known<'_> {
    /// The branch, copied if it is an update's.
    pub(super) fn share(self) -> Arc<Branch> {
        match self {
            Self::Shared(branch) => branch,
            Self::Pending(branch) => Arc::new(branch.clone()),
        }
    }
}

/// Where stored tree nodes are read.
pub trait NodeSource {
    /// The record of a node; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn record(&self, key: &NodeKey) -> Result<Option<&[u8]>, StateError>;

    /// The node, if this process wrote it or has read and checked it before.
    fn known(&self, _: &NodeKey) -> Option<Known<'_>> {
        None
    }

    /// Tells of a node that was read and found right.
    fn learn(&self, _: &NodeKey, _: &Arc<Branch>) {}
}

impl NodeSource for BTreeMap<Vec<u8>, Bytes> {
    fn record(&self, key: &NodeKey) -> Result<Option<&[u8]>, StateError> {
        Ok(self.get(&*key.encode()).map(Bytes::as_ref))
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

    fn layer(&self, key: &NodeKey) -> Option<&'a TreeUpdate> {
        self.pending.iter().copied().find(|update| update.version == key.version())
    }
}

impl NodeSource for LayeredSource<'_> {
    fn record(&self, key: &NodeKey) -> Result<Option<&[u8]>, StateError> {
        match self.layer(key) {
            Some(update) => Ok(update.record(key)),
            None => self.base.record(key),
        }
    }

    fn known(&self, key: &NodeKey) -> Option<Known<'_>> {
        match self.layer(key) {
            Some(update) => update.top_node(key).map(Known::Pending),
            None => self.base.known(key),
        }
    }

    fn learn(&self, key: &NodeKey, branch: &Arc<Branch>) {
        if self.layer(key).is_none() {
            self.base.learn(key, branch);
        }
    }
}

/// Reads the root node of a version.
pub(super) fn load_root(source: &dyn NodeSource, version: u64) -> Result<Node<Known<'_>>, StateError> {
    let key = NodeKey::root(version);
    if let Some(known) = source.known(&key) {
        return Ok(Node::Branch(known));
    }
    let record = source.record(&key)?.ok_or(StateError::NoVersion { version })?;
    let node = Node::decode(&key, record)?;
    if let Node::Branch(branch) = &node {
        source.learn(&key, branch);
    }
    Ok(node.map(Known::Shared))
}

/// Reads a node below a root and checks that it is the one its parent means.
pub(super) fn load_branch<'a>(
    source: &'a dyn NodeSource,
    key: &NodeKey,
    expected: &Hash,
) -> Result<Known<'a>, StateError> {
    if let Some(known) = source.known(key) {
        return if known.hash() == *expected { Ok(known) } else { Err(not_meant(key)) };
    }
    let record = source.record(key)?.ok_or(StateError::MissingNode { key: *key })?;
    match Node::decode(key, record)? {
        Node::Branch(branch) if branch.hash() == *expected => {
            source.learn(key, &branch);
            Ok(Known::Shared(branch))
        }
        _ => Err(not_meant(key)),
    }
}

fn not_meant(key: &NodeKey) -> StateError {
    StateError::DamagedNode { key: *key, reason: "not the node its parent refers to" }
}
