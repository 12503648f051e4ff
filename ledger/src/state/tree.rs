use std::collections::BTreeMap;
use std::num::NonZeroU64;

use bytes::Bytes;
use ledger_types::{Address, Hash};

use super::error::StateError;
use super::proof::{self, StateProof};
use super::source::{NodeSource, load_root};

/// What a block adds to the tree: write `nodes`, and index `stale` by `version` when versions are pruned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeUpdate {
    /// The version written: the block's height.
    pub version: u64,
    /// The state root after the block.
    pub root: Hash,
    /// Stored keys and records, ascending by key, all of this version. Never empty: the root node is there.
    pub nodes: Vec<(Vec<u8>, Bytes)>,
    /// Stored keys of nodes that version `version - 1` reaches and `version` does not, ascending.
    ///
    /// When `k` is the oldest version kept, the stale nodes of all versions `1..=k` may be deleted, and then
    /// exactly the nodes that versions `k` and above reach are left ([`oldest_kept`]).
    pub stale: Vec<Vec<u8>>,
}

impl TreeUpdate {
    /// The record of a stored key, if this update writes it.
    pub fn node(&self, key: &[u8]) -> Option<&Bytes> {
        let at = self.nodes.binary_search_by(|(candidate, _)| candidate.as_slice().cmp(key)).ok()?;
        Some(&self.nodes[at].1)
    }
}

/// The authenticated tree. Implementations differ in speed only: same hashing rules, same records.
pub trait StateTree {
    /// Applies a block's changes (`None` deletes) to version `version - 1`, or to the empty tree if `version`
    /// is 0. Changes without an effect are allowed: deletes of absent addresses, sets of equal values, none at
    /// all. The result always has a root node of `version`.
    ///
    /// # Errors
    /// [`StateError::NoVersion`] when the source lacks the parent version; any other when a node that is
    /// needed cannot be read or is damaged.
    fn update(
        &self,
        source: &dyn NodeSource,
        version: u64,
        changes: &BTreeMap<Address, Option<Bytes>>,
    ) -> Result<TreeUpdate, StateError>;

    /// The state root of a version.
    ///
    /// # Errors
    /// [`StateError::NoVersion`] when the source lacks the version; any other when its root node is damaged.
    fn root(&self, source: &dyn NodeSource, version: u64) -> Result<Hash, StateError> {
        Ok(load_root(source, version)?.hash())
    }

    /// The proof that an address has its value, or none, at a version. The value itself is not part of it:
    /// the caller reads it from the flat values.
    ///
    /// # Errors
    /// As [`StateTree::root`], for every node on the way to the address.
    fn prove(
        &self,
        source: &dyn NodeSource,
        version: u64,
        address: &Address,
    ) -> Result<StateProof, StateError> {
        proof::prove(source, version, address)
    }
}

/// The oldest version to keep when the newest is `head` and `keep` versions are wanted; without `keep`, all.
pub fn oldest_kept(head: u64, keep: Option<NonZeroU64>) -> u64 {
    keep.map_or(0, |keep| head.saturating_sub(keep.get() - 1))
}
