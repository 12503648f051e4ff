//! One update of the tree: every node on the way to a change is read once, changed once and hashed once, however many
//! changes meet in it.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use ledger_types::{Address, Hash};

use super::branch::{Branch, Child, Leaf};
use super::error::StateError;
use super::hashing;
use super::key::NodeKey;
use super::node::Node;
use super::source::{NodeSource, load_branch, load_root};
use super::top;

/// What a block adds to the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeUpdate {
    /// The version written: the block's height.
    pub version: u64,
    /// The state root after the block.
    pub root: Hash,
    /// Keys of the nodes written, all of this version, ascending, and where their records stand. Never empty: the root
    /// node is there.
    nodes: Vec<(NodeKey, Range<usize>)>,
    /// The records, one after the other.
    records: Vec<u8>,
    /// The written branches near the root, as they are, since the next update needs them all: keys, ascending, and where
    /// they are in `branches`.
    top: Vec<(NodeKey, usize)>,
    /// In one piece: an update takes thousands, of more than a kilobyte each, and gives them back together.
    branches: Vec<Branch>,
    /// Keys of nodes that version `version - 1` reaches and `version` does not, ascending.
    ///
    /// When `k` is the oldest version kept, the stale nodes of all versions `1..=k` may be deleted, and then
    /// exactly the nodes that versions `k` and above reach are left ([`super::tree::oldest_kept`]).
    pub stale: Vec<NodeKey>,
    /// Values that version `version - 1` has and `version` does not: the version that set each, and its address;
    /// ascending.
    pub stale_values: Vec<(u64, Address)>,
    /// Addresses that got a value and had none (`true`), and that lost theirs.
    pub presence: Vec<(Address, bool)>,
}

impl TreeUpdate {
    /// Keys and records of the nodes written, ascending by key.
    pub fn nodes(&self) -> impl Iterator<Item = (&NodeKey, &[u8])> {
        self.nodes.iter().map(|(key, place)| (key, &self.records[place.clone()]))
    }

    /// The same, owned and with the keys as they are stored: a map of them is a [`NodeSource`].
    pub fn records(&self) -> impl Iterator<Item = (Vec<u8>, Bytes)> {
        self.nodes().map(|(key, record)| (key.encode().to_vec(), Bytes::copy_from_slice(record)))
    }

    /// The record of a node, if this update writes it.
    pub fn record(&self, key: &NodeKey) -> Option<&[u8]> {
        let at = self.nodes.binary_search_by_key(key, |(key, _)| *key).ok()?;
        Some(&self.records[self.nodes[at].1.clone()])
    }

    /// The written branches near the root.
    pub(crate) fn top(&self) -> impl Iterator<Item = (&NodeKey, &Branch)> {
        self.top.iter().map(|(key, at)| (key, &self.branches[*at]))
    }

    pub(super) fn top_node(&self, key: &NodeKey) -> Option<&Branch> {
        let at = self.top.binary_search_by_key(key, |(key, _)| *key).ok()?;
        Some(&self.branches[self.top[at].1])
    }
}

/// A change with its place in the tree.
struct Change<'a> {
    key_hash: Hash,
    address: &'a Address,
    value_hash: Option<Hash>,
}

/// An update in the making. Of its branches those that no later update needs are the last ones, and go as soon as they
/// are written.
pub(super) struct Update<'a> {
    source: &'a dyn NodeSource,
    made: TreeUpdate,
}

/// A node in the making: its branch is among those of the update.
type Made = Node<usize>;

impl Update<'_> {
    pub(super) fn run(
        source: &dyn NodeSource,
        version: u64,
        changes: &BTreeMap<Address, Option<Bytes>>,
    ) -> Result<TreeUpdate, StateError> {
        let mut changes: Vec<_> = changes
            .iter()
            .map(|(address, value)| Change {
                key_hash: hashing::key_hash(address),
                address,
                value_hash: value.as_ref().map(|value| hashing::value_hash(value)),
            })
            .collect();
        changes.sort_unstable_by_key(|change| change.key_hash);
        let made = TreeUpdate {
            version,
            root: Hash::ZERO,
            nodes: Vec::with_capacity(3 * changes.len() + 1),
            records: Vec::with_capacity(1_400 * changes.len()),
            top: Vec::with_capacity(2 * changes.len()),
            branches: Vec::with_capacity(2 * changes.len()),
            stale: Vec::with_capacity(3 * changes.len() + 1),
            stale_values: Vec::new(),
            presence: Vec::new(),
        };
        let mut update = Update { source, made };
        update.root(&changes)?;
        let mut made = update.made;
        made.nodes.sort_unstable_by_key(|(key, _)| *key);
        made.top.sort_unstable_by_key(|(key, _)| *key);
        made.stale.sort_unstable();
        made.stale_values.sort_unstable();
        made.presence.sort_unstable();
        Ok(made)
    }

    fn root(&mut self, changes: &[Change<'_>]) -> Result<(), StateError> {
        let version = self.made.version;
        let old = match version.checked_sub(1) {
            None => Node::Empty,
            Some(parent) => {
                self.made.stale.push(NodeKey::root(parent));
                load_root(self.source, parent)?
            }
        };
        let node = match old {
            Node::Empty => self.leaves(0, None, changes),
            Node::Leaf(leaf) => self.leaves(0, Some(leaf), changes),
            Node::Branch(branch) => match self.below(0, &branch, changes)? {
                Some(at) => self.settled(at),
                None => Made::Branch(self.take(&branch)),
            },
        };
        self.made.root = node.map(|at| &self.made.branches[at]).hash();
        self.write(NodeKey::root(version), node);
        Ok(())
    }

    /// What stands at a place after its changes, of which there are some.
    fn place(
        &mut self,
        depth: usize,
        old: Option<Child>,
        changes: &[Change<'_>],
    ) -> Result<Option<Child>, StateError> {
        let way = &changes[0].key_hash;
        let node = match old {
            None => self.leaves(depth, None, changes),
            Some(Child::Leaf(leaf, _)) => self.leaves(depth, Some(leaf), changes),
            Some(Child::Branch(version, hash)) => {
                let key = NodeKey::on_way(version, way, depth);
                let branch = load_branch(self.source, &key, &hash)?;
                let Some(at) = self.below(depth, &branch, changes)? else { return Ok(old) };
                self.made.stale.push(key);
                self.settled(at)
            }
        };
        Ok(self.attach(depth, way, node))
    }

    /// A branch after the changes below it, if it is another one.
    fn below(
        &mut self,
        depth: usize,
        branch: &Branch,
        changes: &[Change<'_>],
    ) -> Result<Option<usize>, StateError> {
        let (mut copy, mut changed) = (None, 0);
        let nibble = |change: &Change<'_>| hashing::nibble(&change.key_hash, depth);
        for group in changes.chunk_by(|a, b| nibble(a) == nibble(b)) {
            let nibble = nibble(&group[0]);
            let old = branch.child(nibble);
            let new = self.place(depth + 1, old, group)?;
            if new != old {
                let at = copy.unwrap_or_else(|| self.take(branch));
                self.made.branches[at].set(nibble, new);
                (copy, changed) = (Some(at), changed | 1 << nibble);
            }
        }
        if let Some(at) = copy {
            self.made.branches[at].hash_ranges(changed);
        }
        Ok(copy)
    }

    /// Takes a copy of a branch, made where it stays.
    fn take(&mut self, branch: &Branch) -> usize {
        self.made.branches.extend_from_slice(std::slice::from_ref(branch));
        self.made.branches.len() - 1
    }

    /// Gives a branch back, if nothing came after it.
    fn give_back(&mut self, at: usize) {
        if at + 1 == self.made.branches.len() {
            self.made.branches.pop();
        }
    }

    /// A changed branch, or the single leaf that is left of it, or nothing.
    fn settled(&mut self, at: usize) -> Made {
        let branch = &self.made.branches[at];
        let made = match branch.only() {
            None if branch.present() == 0 => Made::Empty,
            Some(Child::Leaf(leaf, _)) => Made::Leaf(leaf),
            _ => return Made::Branch(at),
        };
        self.give_back(at);
        made
    }

    /// The subtree at a place where a leaf or nothing was.
    fn leaves(&mut self, depth: usize, old: Option<Leaf>, changes: &[Change<'_>]) -> Made {
        let mut leaves = Vec::with_capacity(changes.len() + 1);
        let mut untouched = old;
        for change in changes {
            let replaced = old.filter(|old| old.key_hash == change.key_hash);
            if let Some(replaced) = replaced {
                self.made.stale_values.push((replaced.version, *change.address));
                untouched = None;
            }
            if replaced.is_some() != change.value_hash.is_some() {
                self.made.presence.push((*change.address, change.value_hash.is_some()));
            }
            leaves.extend(change.value_hash.map(|value_hash| Leaf {
                version: self.made.version,
                key_hash: change.key_hash,
                value_hash,
            }));
        }
        if let Some(untouched) = untouched {
            let at = leaves.partition_point(|leaf| leaf.key_hash < untouched.key_hash);
            leaves.insert(at, untouched);
        }
        self.grow(depth, &leaves)
    }

    /// A new subtree of leaves, which ascend.
    fn grow(&mut self, depth: usize, leaves: &[Leaf]) -> Made {
        match leaves {
            [] => Made::Empty,
            [leaf] => Made::Leaf(*leaf),
            _ => {
                let nibble = |leaf: &Leaf| hashing::nibble(&leaf.key_hash, depth);
                let at = self.made.branches.len();
                self.made.branches.push(Branch::empty(leaves.len().min(16)));
                for group in leaves.chunk_by(|a, b| nibble(a) == nibble(b)) {
                    let node = self.grow(depth + 1, group);
                    let child = self.attach(depth + 1, &group[0].key_hash, node);
                    self.made.branches[at].set(nibble(&group[0]), child);
                }
                self.made.branches[at].hash_ranges(u16::MAX);
                Made::Branch(at)
            }
        }
    }

    /// Writes a node below the root, unless it is a leaf, and gives what its parent says of it.
    fn attach(&mut self, depth: usize, way: &Hash, node: Made) -> Option<Child> {
        match node {
            Made::Empty => None,
            Made::Leaf(leaf) => Some(Child::leaf(leaf)),
            Made::Branch(at) => {
                let (version, hash) = (self.made.version, self.made.branches[at].hash());
                self.write(NodeKey::on_way(version, way, depth), node);
                Some(Child::Branch(version, hash))
            }
        }
    }

    fn write(&mut self, key: NodeKey, node: Made) {
        let from = self.made.records.len();
        node.map(|at| &self.made.branches[at]).encode(&key, &mut self.made.records);
        self.made.nodes.push((key, from..self.made.records.len()));
        match node {
            Made::Branch(at) if top::holds(&key) => self.made.top.push((key, at)),
            Made::Branch(at) => self.give_back(at),
            Made::Empty | Made::Leaf(_) => {}
        }
    }
}
