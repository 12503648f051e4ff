//! The authenticated tree: a block's changes at once, roots, proofs and leaves.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use bytes::Bytes;
use ledger_types::{Address, Hash};

use super::branch::{Child, Leaf};
use super::error::StateError;
use super::hashing;
use super::key::NodeKey;
use super::node::Node;
use super::source::{NodeSource, load_branch, load_root};
use super::update::Update;

pub use super::proof::prove;
pub use super::update::TreeUpdate;

/// Applies a block's changes (`None` deletes) to version `version - 1`, or to the empty tree if `version`
/// is 0. A set writes a leaf, also when the value is equal; a delete of an absent address has no effect; there may be no
/// changes at all. The result always has a root node of `version`.
///
/// # Errors
/// [`StateError::NoVersion`] when the source lacks the parent version; any other when a node that is
/// needed cannot be read or is damaged.
pub fn update(
    source: &dyn NodeSource,
    version: u64,
    changes: &BTreeMap<Address, Option<Bytes>>,
) -> Result<TreeUpdate, StateError> {
    Update::run(source, version, changes)
}

/// The state root of a version.
///
/// # Errors
/// [`StateError::NoVersion`] when the source lacks the version; any other when its root node is damaged.
pub fn root(source: &dyn NodeSource, version: u64) -> Result<Hash, StateError> {
    Ok(load_root(source, version)?.hash())
}

/// The leaf of an address at a version: the version that set its value, and the value's hash. `None` when it has no value.
///
/// # Errors
/// As [`root`], for every node on the way to the address.
pub(crate) fn leaf(
    source: &dyn NodeSource,
    version: u64,
    address: &Address,
) -> Result<Option<Leaf>, StateError> {
    let target = hashing::key_hash(address);
    let own = |leaf: &Leaf| (leaf.key_hash == target).then_some(*leaf);
    let mut branch = match load_root(source, version)? {
        Node::Empty => return Ok(None),
        Node::Leaf(leaf) => return Ok(own(&leaf)),
        Node::Branch(root) => root,
    };
    for depth in 0..hashing::NIBBLES {
        match branch.child(hashing::nibble(&target, depth)) {
            None => return Ok(None),
            Some(Child::Leaf(leaf, _)) => return Ok(own(&leaf)),
            Some(Child::Branch(version, hash)) => {
                branch = load_branch(source, &NodeKey::on_way(version, &target, depth + 1), &hash)?;
            }
        }
    }
    Ok(None)
}

/// The oldest version to keep when the newest is `head` and `keep` versions are wanted; without `keep`, all.
pub fn oldest_kept(head: u64, keep: Option<NonZeroU64>) -> u64 {
    keep.map_or(0, |keep| head.saturating_sub(keep.get() - 1))
}
