use std::collections::{BTreeMap, BTreeSet};

use ledger_types::Hash;

use super::branch::{Branch, Child, Leaf};
use super::error::StateError;
use super::key::NodeKey;
use super::node::Node;
use super::source::{Known, NodeSource, load_branch, load_root};

/// How a version's tree differs from that of the version before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VersionChange {
    /// The version's state root.
    pub(crate) root: Hash,
    /// Nodes that the version wrote.
    pub(crate) written: u64,
    /// Keys of nodes that the version before reaches and this one does not.
    pub(crate) stale: BTreeSet<NodeKey>,
    /// Leaves that the version wrote, by key hash.
    pub(crate) added: BTreeMap<Hash, Leaf>,
    /// Leaves that the version before has and this one does not, by key hash.
    pub(crate) removed: BTreeMap<Hash, Leaf>,
}

/// Walks a version's tree beside that of the version before and leaves out what both share. Every node that the
/// version wrote is checked against its key and the hash in the branch above it, and every older node or leaf
/// that it refers to must be in the version before. When this holds for all versions from one whose [`whole`] tree was
/// walked on, it holds for the whole tree of each, at a cost linear in the number of stored nodes.
///
/// # Errors
/// [`StateError::NoVersion`] when the source lacks either version; any other when a node is missing or damaged.
pub(crate) fn compare_with_previous(
    source: &dyn NodeSource,
    version: u64,
) -> Result<VersionChange, StateError> {
    let new = load_root(source, version)?;
    let change = VersionChange {
        root: new.hash(),
        written: 1,
        stale: BTreeSet::new(),
        added: BTreeMap::new(),
        removed: BTreeMap::new(),
    };
    let mut walk = Walk { source, version, change };
    let old = match version.checked_sub(1) {
        None => Node::Empty,
        Some(before) => {
            walk.change.stale.insert(NodeKey::root(before));
            load_root(source, before)?
        }
    };
    let place = NodeKey::root(version);
    match (&old, &new) {
        (Node::Branch(old), Node::Branch(new)) => walk.branches(&place, Some(old), Some(new))?,
        (old, new) => {
            walk.root(&place, old, |walk, place, branch| walk.branches(place, Some(branch), None), removed)?;
            walk.root(&place, new, |walk, place, branch| walk.branches(place, None, Some(branch)), added)?;
        }
    }
    walk.finish()
}

fn removed(change: &mut VersionChange) -> &mut BTreeMap<Hash, Leaf> {
    &mut change.removed
}

fn added(change: &mut VersionChange) -> &mut BTreeMap<Hash, Leaf> {
    &mut change.added
}

struct Walk<'a> {
    source: &'a dyn NodeSource,
    version: u64,
    change: VersionChange,
}

impl Walk<'_> {
    /// Takes one of two roots that are not both branches.
    fn root(
        &mut self,
        place: &NodeKey,
        node: &Node<Known<'_>>,
        branches: impl FnOnce(&mut Self, &NodeKey, &Branch) -> Result<(), StateError>,
        leaves: fn(&mut VersionChange) -> &mut BTreeMap<Hash, Leaf>,
    ) -> Result<(), StateError> {
        match node {
            Node::Empty => Ok(()),
            Node::Leaf(leaf) => {
                leaves(&mut self.change).insert(leaf.key_hash, *leaf);
                Ok(())
            }
            Node::Branch(branch) => branches(self, place, branch),
        }
    }

    /// Goes on below the two branches of a place, of which the new one is of this version.
    fn branches(
        &mut self,
        place: &NodeKey,
        old: Option<&Branch>,
        new: Option<&Branch>,
    ) -> Result<(), StateError> {
        for nibble in 0..16 {
            let child = |branch: Option<&Branch>| branch.and_then(|branch| branch.child(nibble));
            let (old, new) = (child(old), child(new));
            if old != new {
                self.children(&place.child(self.version, nibble), old, new)?;
            }
        }
        Ok(())
    }

    /// Takes what two branches say of one place.
    fn children(
        &mut self,
        place: &NodeKey,
        old: Option<Child>,
        new: Option<Child>,
    ) -> Result<(), StateError> {
        let old = match old {
            None => None,
            Some(Child::Leaf(leaf, _)) => {
                self.change.removed.insert(leaf.key_hash, leaf);
                None
            }
            Some(Child::Branch(version, hash)) => {
                let key = place.of_version(version);
                self.change.stale.insert(key);
                Some(load_branch(self.source, &key, &hash)?)
            }
        };
        let new = match new {
            None => None,
            Some(Child::Leaf(leaf, _)) => {
                self.change.added.insert(leaf.key_hash, leaf);
                None
            }
            Some(Child::Branch(version, _)) if version != self.version => {
                return Err(foreign(place.of_version(version)));
            }
            Some(Child::Branch(_, hash)) => {
                self.change.written += 1;
                Some(load_branch(self.source, place, &hash)?)
            }
        };
        self.branches(place, old.as_deref(), new.as_deref())
    }

    /// Leaves that are in both trees only changed their places, when the tree around them grew or shrank.
    fn finish(mut self) -> Result<VersionChange, StateError> {
        let VersionChange { added, removed, .. } = &mut self.change;
        added.retain(|key_hash, leaf| {
            let has_moved = removed.get(key_hash) == Some(leaf);
            if has_moved {
                removed.remove(key_hash);
            }
            !has_moved
        });
        match added.values().find(|leaf| leaf.version != self.version) {
            Some(leaf) => {
                Err(foreign(NodeKey::on_way(leaf.version, &leaf.key_hash, super::hashing::NIBBLES)))
            }
            None => Ok(self.change),
        }
    }
}

fn foreign(key: NodeKey) -> StateError {
    let reason = "its parent is younger, but the version before the parent's has another node here";
    StateError::DamagedNode { key, reason }
}

/// A version's whole tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// The version's state root.
    pub(crate) root: Hash,
    /// Nodes that it reaches, whatever version wrote them.
    pub(crate) nodes: u64,
    /// Its leaves.
    pub(crate) leaves: u64,
}

/// Walks a version's whole tree and checks every node against its key and the hash in the branch above it.
///
/// # Errors
/// [`StateError::NoVersion`] when the source lacks the version; any other when a node is missing or damaged.
pub(crate) fn whole(source: &dyn NodeSource, version: u64) -> Result<Whole, StateError> {
    let root = load_root(source, version)?;
    let mut found = Whole { root: root.hash(), nodes: 1, leaves: u64::from(matches!(root, Node::Leaf(_))) };
    let mut open = Vec::new();
    if let Node::Branch(branch) = root {
        open.push((NodeKey::root(version), branch));
    }
    while let Some((place, branch)) = open.pop() {
        for (nibble, child) in branch.iter() {
            match child {
                Child::Leaf(..) => found.leaves += 1,
                Child::Branch(version, hash) => {
                    found.nodes += 1;
                    let key = place.child(version, nibble);
                    open.push((key, load_branch(source, &key, &hash)?));
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use bytes::Bytes;
    use ledger_types::Address;
    use proptest::prelude::*;

    use super::{compare_with_previous, whole};
    use crate::state::{StateError, tree};

    fn changes() -> impl Strategy<Value = BTreeMap<Address, Option<Bytes>>> {
        let address = (0..40u8).prop_map(|byte| Address([byte; Address::LEN]));
        let value = prop::option::weighted(0.6, (0..3u8).prop_map(|byte| Bytes::from(vec![byte])));
        prop::collection::btree_map(address, value, 0..12)
    }

    #[test]
    fn a_reference_past_the_version_before_is_damage() {
        let all = |byte: u8| {
            (0..40u8).map(move |it| (Address([it; Address::LEN]), Some(Bytes::from(vec![byte])))).collect()
        };
        let one = BTreeMap::from([(Address([0; Address::LEN]), Some(Bytes::from_static(b"new")))]);
        let first = tree::update(&BTreeMap::new(), 0, &all(0)).unwrap().records().collect::<Vec<_>>();
        let [mut changed, mut unchanged] = [0, 1].map(|_| first.iter().cloned().collect::<BTreeMap<_, _>>());
        let update = tree::update(&changed, 1, &all(1)).unwrap();
        changed.extend(update.records());
        let update = tree::update(&unchanged, 1, &BTreeMap::new()).unwrap();
        unchanged.extend(update.records());
        let third = tree::update(&unchanged, 2, &one).unwrap();
        unchanged.extend(third.records());
        changed.extend(third.records());
        assert!(compare_with_previous(&unchanged, 2).is_ok());
        let error = compare_with_previous(&changed, 2).unwrap_err();
        assert!(
            error.to_string().contains("the version before the parent's has another node here"),
            "{error}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_walk_finds_exactly_what_each_update_wrote(history in prop::collection::vec(changes(), 1..12)) {
            let (mut store, mut state) = (BTreeMap::new(), BTreeMap::new());
            for (version, changes) in (0u64..).zip(&history) {
                let update = tree::update(&store, version, changes).unwrap();
                store.extend(update.records());
                let mut presence = Vec::new();
                for (address, value) in changes {
                    let before = match value {
                        Some(value) => state.insert(*address, value.clone()),
                        None => state.remove(address),
                    };
                    if before.is_some() != value.is_some() {
                        presence.push((*address, value.is_some()));
                    }
                }
                let found = compare_with_previous(&store, version).unwrap();
                                prop_assert_eq!(found.root, update.root);
                prop_assert_eq!(found.written, update.nodes().count() as u64);
                prop_assert_eq!(found.stale, update.stale.iter().copied().collect::<BTreeSet<_>>());
                let sets = changes.values().filter(|value| value.is_some()).count();
                prop_assert_eq!(found.added.len(), sets);
                prop_assert_eq!(found.removed.len(), update.stale_values.len());
                prop_assert_eq!(&update.presence, &presence);
                let whole = whole(&store, version).unwrap();
                prop_assert_eq!((whole.root, whole.leaves), (update.root, state.len() as u64));
            }
        }

        #[test]
        fn a_damaged_or_missing_node_gives_an_error_or_another_root(
            history in prop::collection::vec(changes(), 1..8),
            at in any::<prop::sample::Index>(),
            byte in any::<prop::sample::Index>(),
            bit in 0..8u8,
            is_missing in any::<bool>(),
        ) {
            let mut store = BTreeMap::new();
            for (version, changes) in (0u64..).zip(&history) {
                let update = tree::update(&store, version, changes).unwrap();
                store.extend(update.records());
            }
            let roots = |store: &BTreeMap<Vec<u8>, Bytes>| {
                let changes = (0..history.len() as u64).map(|version| compare_with_previous(store, version));
                changes.map(|change| Ok(change?.root)).collect::<Result<Vec<_>, StateError>>()
            };
            let clean = roots(&store).unwrap();
            let key: Vec<u8> = store.keys().nth(at.index(store.len())).cloned().unwrap();
            if is_missing {
                store.remove(&key);
            } else {
                let mut record = store[&key].to_vec();
                record[byte.index(store[&key].len())] ^= 1 << bit;
                store.insert(key, record.into());
            }
            prop_assert_ne!(roots(&store).ok(), Some(clean));
        }
    }
}
