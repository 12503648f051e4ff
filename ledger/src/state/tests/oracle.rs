//! The tree by the `jmt` crate, whose hashing rules ours are: slower, and by other people.

use std::collections::BTreeMap;

use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, SimpleHasher, Version};
use ledger_types::Hash;
use sha2::{Digest as _, Sha256};

use super::Changes;
use crate::state::hashing;

/// SHA-256 as `jmt` wants it.
pub(super) struct TreeHasher(Sha256);

impl SimpleHasher for TreeHasher {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finalize(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// A history of blocks as the library has it.
#[derive(Default)]
pub(super) struct Oracle {
    pub(super) roots: Vec<Hash>,
    nodes: BTreeMap<NodeKey, Node>,
    /// Values by version, newest last, and by key hash.
    values: BTreeMap<(KeyHash, Version), Option<OwnedValue>>,
}

impl Oracle {
    pub(super) fn of(history: &[Changes]) -> Self {
        let mut oracle = Self::default();
        for (version, changes) in (0..).zip(history) {
            let sets = changes.iter().map(|(address, value)| {
                (KeyHash(hashing::key_hash(address).0), value.as_ref().map(|value| value.to_vec()))
            });
            let (root, batch) = oracle.tree().put_value_set(sets.clone(), version).unwrap();
            oracle.values.extend(sets.map(|(key, value)| ((key, version), value)));
            oracle
                .nodes
                .extend(batch.node_batch.nodes().iter().map(|(key, node)| (key.clone(), node.clone())));
            oracle.roots.push(Hash(root.0));
        }
        oracle
    }

    pub(super) fn tree(&self) -> JellyfishMerkleTree<'_, Self, TreeHasher> {
        JellyfishMerkleTree::new(self)
    }
}

impl TreeReader for Oracle {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.nodes.get(key).cloned())
    }

    fn get_value_option(&self, version: Version, wanted: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        let newest = self.values.range((wanted, 0)..=(wanted, version)).next_back();
        Ok(newest.and_then(|(_, value)| value.clone()))
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}
