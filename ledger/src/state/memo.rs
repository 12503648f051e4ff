//! Nodes that one execution has read: what a transaction looked up, the update of the tree needs again, and so does the
//! next transaction. A block is often executed above a state that is no longer the newest one, which [`Top`] forgets.
//!
//! [`Top`]: super::Top

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::branch::Branch;
use super::key::NodeKey;

/// Nodes that are kept at most: some 20 MB. A block of 2,000 transactions that each change one of 10 million addresses
/// reads half of it.
const NODES: usize = 16_384;

/// Nodes of committed state by their keys, checked when they were read. What a key names never changes.
#[derive(Default)]
pub struct Memo(RwLock<HashMap<NodeKey, Arc<Branch>>>);

impl Memo {
    /// A node that was read before.
    pub(crate) fn get(&self, key: &NodeKey) -> Option<Arc<Branch>> {
        self.0.read().get(key).cloned()
    }

    /// Takes a node, while there is room.
    pub(crate) fn put(&self, key: &NodeKey, branch: &Arc<Branch>) {
        let mut nodes = self.0.write();
        if nodes.len() < NODES {
            nodes.insert(*key, branch.clone());
        }
    }
}
