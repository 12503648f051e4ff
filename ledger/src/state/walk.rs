use std::collections::BTreeSet;

use ledger_types::Hash;

use super::branch::Child;
use super::error::StateError;
use super::hashing::NIBBLES;
use super::key::NodeKey;
use super::node::Node;
use super::source::{NodeSource, load_child, load_root};

/// How a version's tree differs from that of the version before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VersionChange {
    /// The version's state root.
    pub(crate) root: Hash,
    /// Nodes that the version wrote.
    pub(crate) written: u64,
    /// Stored keys of nodes that the version before reaches and this one does not.
    pub(crate) stale: BTreeSet<Vec<u8>>,
    /// Leaves that the version wrote.
    pub(crate) leaves_written: u64,
    /// Leaves among the stale nodes.
    pub(crate) leaves_stale: u64,
}

/// Walks a version's tree beside that of the version before and leaves out what both share. Every node that the
/// version wrote is checked against its key and the hash in the branch above it, and every older node
/// that it refers to must stand at the same place in the version before. When this holds for all versions from 0 on,
/// it holds for the whole tree of each, at a cost linear in the number of stored nodes.
///
/// # Errors
/// [`StateError::NoVersion`] when the source lacks either version; any other when a node is missing or damaged.
pub(crate) fn compare_with_previous(
    source: &dyn NodeSource,
    version: u64,
) -> Result<VersionChange, StateError> {
    let new = load_root(source, version)?;
    let old = version.checked_sub(1).map(|before| Ok((before, load_root(source, before)?))).transpose()?;
    let change = VersionChange {
        root: new.hash(),
        written: 0,
        stale: BTreeSet::new(),
        leaves_written: 0,
        leaves_stale: 0,
    };
    let mut walk = Walk { source, version, change };
    walk.nodes(
        &mut Vec::with_capacity(NIBBLES),
        old.as_ref().map(|(version, node)| (*version, node)),
        Some(&new),
    )?;
    Ok(walk.change)
}

struct Walk<'a> {
    source: &'a dyn NodeSource,
    version: u64,
    change: VersionChange,
}

impl Walk<'_> {
    /// Counts the two nodes of a place, of which the new one is of this version, and goes on below them.
    fn nodes(
        &mut self,
        path: &mut Vec<u8>,
        old: Option<(u64, &Node)>,
        new: Option<&Node>,
    ) -> Result<(), StateError> {
        if let Some((version, node)) = old {
            self.change.stale.insert(NodeKey { version, path: path.clone() }.encode());
            self.change.leaves_stale += u64::from(node.is_leaf());
        }
        if let Some(node) = new {
            self.change.written += 1;
            self.change.leaves_written += u64::from(node.is_leaf());
        }
        for nibble in 0..16 {
            let (old, new) =
                (old.and_then(|(_, node)| child(node, nibble)), new.and_then(|node| child(node, nibble)));
            if old != new {
                path.push(nibble);
                self.children(path, old, new)?;
                path.pop();
            }
        }
        Ok(())
    }

    /// Loads what two branches refer to at one place.
    fn children(
        &mut self,
        path: &mut Vec<u8>,
        old: Option<&Child>,
        new: Option<&Child>,
    ) -> Result<(), StateError> {
        if let Some(foreign) = new.filter(|child| child.version != self.version) {
            let key = NodeKey { version: foreign.version, path: path.clone() };
            let reason = "its parent is younger, but the version before the parent's has another node here";
            return Err(StateError::DamagedNode { key, reason });
        }
        let load = |child: &Child| {
            let key = NodeKey { version: child.version, path: path.clone() };
            Ok((child.version, load_child(self.source, &key, child)?))
        };
        let (old, new) = (old.map(load).transpose()?, new.map(load).transpose()?);
        self.nodes(
            path,
            old.as_ref().map(|(version, node)| (*version, node)),
            new.as_ref().map(|(_, node)| node),
        )
    }
}

fn child(node: &Node, nibble: u8) -> Option<&Child> {
    match node {
        Node::Branch(branch) => branch.child(nibble),
        Node::Leaf { .. } | Node::Empty => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use bytes::Bytes;
    use ledger_types::Address;
    use proptest::prelude::*;

    use super::compare_with_previous;
    use crate::state::{JmtTree, StateError, StateTree as _};

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
        let first = JmtTree.update(&BTreeMap::new(), 0, &all(0)).unwrap().nodes;
        let [mut changed, mut unchanged] = [0, 1].map(|_| first.iter().cloned().collect::<BTreeMap<_, _>>());
        changed.extend(JmtTree.update(&changed, 1, &all(1)).unwrap().nodes);
        unchanged.extend(JmtTree.update(&unchanged, 1, &BTreeMap::new()).unwrap().nodes);
        let third = JmtTree.update(&unchanged, 2, &one).unwrap();
        unchanged.extend(third.nodes.iter().cloned());
        changed.extend(third.nodes);
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
            let mut leaves = 0;
            for (version, changes) in (0u64..).zip(&history) {
                let update = JmtTree.update(&store, version, changes).unwrap();
                store.extend(update.nodes.iter().cloned());
                for (address, value) in changes {
                    match value {
                        Some(value) => state.insert(*address, value.clone()),
                        None => state.remove(address),
                    };
                }
                let found = compare_with_previous(&store, version).unwrap();
                leaves = leaves + found.leaves_written - found.leaves_stale;
                prop_assert_eq!(found.root, update.root);
                prop_assert_eq!(found.written, update.nodes.len() as u64);
                prop_assert_eq!(found.stale, update.stale.into_iter().collect::<BTreeSet<_>>());
                prop_assert_eq!(leaves, state.len() as u64);
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
                store.extend(JmtTree.update(&store, version, changes).unwrap().nodes);
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
