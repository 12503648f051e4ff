//! The tree by the `jmt` crate.
//!
//! `jmt` trusts its store and panics on nodes that do not fit together, so it gets nodes only through
//! [`CheckedReader`]. It knows its own types for nodes and no public way to build a branch but borsh, hence the
//! translation at the end.

use std::cell::RefCell;
use std::collections::BTreeMap;

use bytes::Bytes;
use jmt::storage::{LeafNode, Node as JmtNode, NodeKey as JmtKey, TreeReader};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, SimpleHasher, ValueHash, Version};
use ledger_types::{Address, Hash};
use sha2::{Digest, Sha256};

use super::branch::{Branch, Child};
use super::error::StateError;
use super::hashing;
use super::key::NodeKey;
use super::node::Node;
use super::source::{NodeSource, load_child, load_root};
use super::tree::{StateTree, TreeUpdate};

/// The tree by the `jmt` crate: correct and versioned, one change at a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct JmtTree;

impl StateTree for JmtTree {
    fn update(
        &self,
        source: &dyn NodeSource,
        version: u64,
        changes: &BTreeMap<Address, Option<Bytes>>,
    ) -> Result<TreeUpdate, StateError> {
        let reader = CheckedReader { source, writing: version, branches: RefCell::default() };
        let sets = changes.iter().map(|(address, value)| {
            (KeyHash(hashing::key_hash(address).0), value.as_ref().map(|value| value.to_vec()))
        });
        let tree = JellyfishMerkleTree::<_, TreeHasher>::new(&reader);
        let (root, batch) = tree.put_value_set(sets, version).map_err(state_error)?;
        let mut nodes = Vec::with_capacity(batch.node_batch.nodes().len());
        for (key, node) in batch.node_batch.nodes() {
            let key = from_jmt_key(key).encode();
            let record = from_jmt(node)?.encode();
            nodes.push((key, record));
        }
        nodes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let indexed = batch.stale_node_index_batch.iter().map(|index| from_jmt_key(&index.node_key).encode());
        // A new root replaces the old one; jmt leaves out an old root that it copied or that was empty.
        let old_root = version.checked_sub(1).map(|parent| NodeKey::root(parent).encode());
        let mut stale: Vec<_> = indexed.chain(old_root).collect();
        stale.sort_unstable();
        stale.dedup();
        Ok(TreeUpdate { version, root: Hash(root.0), nodes, stale })
    }
}

/// SHA-256 as `jmt` wants it.
pub(super) struct TreeHasher(Sha256);

impl SimpleHasher for TreeHasher {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn update(&mut self, bytes: &[u8]) {
        Digest::update(&mut self.0, bytes);
    }

    fn finalize(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// Gives `jmt` only nodes that were checked against the branch that refers to them.
struct CheckedReader<'a> {
    source: &'a dyn NodeSource,
    /// The version being written: of it and above, nothing is stored yet.
    writing: u64,
    /// Branches handed out, by path. In one version's tree a path belongs to one node.
    branches: RefCell<BTreeMap<Vec<u8>, Branch>>,
}

impl CheckedReader<'_> {
    fn load(&self, key: &NodeKey) -> Result<Node, StateError> {
        let Some((nibble, parent)) = key.path.split_last() else {
            return load_root(self.source, key.version);
        };
        let branches = self.branches.borrow();
        let expected = branches.get(parent).and_then(|branch| branch.child(*nibble));
        let expected = expected
            .filter(|child| child.version == key.version)
            .ok_or_else(|| StateError::DamagedNode { key: key.clone(), reason: "no parent refers to it" })?;
        load_child(self.source, key, expected)
    }
}

impl TreeReader for CheckedReader<'_> {
    fn get_node_option(&self, key: &JmtKey) -> anyhow::Result<Option<JmtNode>> {
        if key.version() >= self.writing {
            return Ok(None);
        }
        let key = from_jmt_key(key);
        let node = self.load(&key)?;
        let given = to_jmt(&node)?;
        if let Node::Branch(branch) = node {
            self.branches.borrow_mut().insert(key.path, *branch);
        }
        Ok(Some(given))
    }

    fn get_value_option(&self, _: Version, _: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Err(StateError::Tree("an update reads no values".to_owned()).into())
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(JmtKey, LeafNode)>> {
        Err(StateError::Tree("an update does not restore".to_owned()).into())
    }
}

fn state_error(error: anyhow::Error) -> StateError {
    error.downcast().unwrap_or_else(|error| StateError::Tree(format!("{error:#}")))
}

pub(super) fn from_jmt_key(key: &JmtKey) -> NodeKey {
    NodeKey { version: key.version(), path: key.nibble_path().nibbles().map(u8::from).collect() }
}

fn from_jmt(node: &JmtNode) -> Result<Node, StateError> {
    Ok(match node {
        JmtNode::Null => Node::Empty,
        JmtNode::Leaf(leaf) => {
            // Two arrays of 32 bytes; the value hash has no public getter.
            let bytes = borsh::to_vec(leaf).map_err(|error| StateError::Tree(error.to_string()))?;
            let value_hash = bytes.last_chunk().ok_or_else(|| StateError::Tree("short leaf".to_owned()))?;
            Node::Leaf { key_hash: Hash(leaf.key_hash().0), value_hash: Hash(*value_hash) }
        }
        JmtNode::Internal(internal) => {
            let mut branch = Branch::default();
            for (nibble, child) in internal.children_sorted() {
                branch.children[nibble.as_usize()] =
                    Some(Child { version: child.version, hash: Hash(child.hash), is_leaf: child.is_leaf() });
            }
            Node::Branch(Box::new(branch))
        }
    })
}

pub(super) fn to_jmt(node: &Node) -> Result<JmtNode, StateError> {
    match node {
        Node::Empty => Ok(JmtNode::Null),
        Node::Leaf { key_hash, value_hash } => {
            Ok(LeafNode::new(KeyHash(key_hash.0), ValueHash(value_hash.0)).into())
        }
        Node::Branch(branch) => borsh::from_slice(&branch_borsh(branch))
            .map_err(|error| StateError::Tree(format!("translation of a branch: {error}"))),
    }
}

/// `jmt`'s own bytes for a branch. Its counts of leaves serve statistics that nobody here reads: they are 0.
fn branch_borsh(branch: &Branch) -> Vec<u8> {
    const INTERNAL_NODE: u8 = 1;
    const NO_COUNT: [u8; 8] = [0; 8];
    let mut bytes = vec![INTERNAL_NODE];
    for place in &branch.children {
        let Some(child) = place else {
            bytes.push(0);
            continue;
        };
        bytes.push(1);
        bytes.extend_from_slice(&child.hash.0);
        bytes.extend_from_slice(&child.version.to_le_bytes());
        if child.is_leaf {
            bytes.push(0);
        } else {
            bytes.push(1);
            bytes.extend_from_slice(&NO_COUNT);
        }
    }
    bytes.extend_from_slice(&(branch.iter().count() as u64).to_le_bytes());
    bytes.extend_from_slice(&NO_COUNT);
    bytes
}
