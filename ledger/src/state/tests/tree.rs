use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use bytes::Bytes;
use ledger_types::Address;
use proptest::prelude::*;

use super::{ADDRESSES, Changes, History, any_history, naive_root, reachable};
use crate::state::{EMPTY_ROOT, LayeredSource, NodeKey, StateError, TreeUpdate, oldest_kept, tree};

fn set(at: usize, value: &'static str) -> (Address, Option<Bytes>) {
    (ADDRESSES[at], Some(Bytes::from_static(value.as_bytes())))
}

fn delete(at: usize) -> (Address, Option<Bytes>) {
    (ADDRESSES[at], None)
}

fn history(blocks: &[&[(Address, Option<Bytes>)]]) -> History {
    let mut history = History::default();
    blocks.iter().for_each(|changes| history.commit(&changes.iter().cloned().collect()));
    history
}

#[test]
fn an_empty_state_has_the_empty_root_at_genesis_and_after_the_last_delete() {
    let blocks =
        history(&[&[], &[], &[delete(0)], &[set(0, "a"), set(14, "b")], &[delete(0), delete(14)], &[]]);
    let roots: Vec<_> = (0..6).map(|version| tree::root(&blocks.nodes, version).unwrap()).collect();
    assert_eq!(roots[..3], [EMPTY_ROOT; 3]);
    assert_ne!(roots[3], EMPTY_ROOT);
    assert_eq!(roots[4..], [EMPTY_ROOT; 2]);
    assert_eq!(history(&[&[delete(0), delete(1)]]).updates[0].root, EMPTY_ROOT);
}

#[test]
fn changes_without_an_effect_keep_the_root_and_write_a_root_node() {
    let blocks = history(&[&[set(0, "a"), set(1, "b")], &[], &[delete(2)], &[set(0, "a")]]);
    for version in 1..4 {
        let update = &blocks.updates[version];
        assert_eq!(update.root, blocks.updates[0].root, "version {version}");
        assert_eq!(update.nodes().next().unwrap().0, &NodeKey::root(update.version));
        assert!(update.stale.contains(&NodeKey::root(update.version - 1)));
    }
    assert_eq!(blocks.updates[1].nodes().count(), 1);
    assert_eq!(blocks.updates[2].nodes().count(), 1);
}

#[test]
fn the_root_of_a_fixed_content_never_changes() {
    let changes: Changes = (0..3).map(|n: u8| (Address([n; 35]), Some(vec![n; 2].into()))).collect();
    let update = tree::update(&BTreeMap::new(), 0, &changes).unwrap();
    // Computed from the hashing rules by another program.
    let expected = "2d0ebc2cb56e63e5cc0537315070714bba4d2b89766ae9ca78f5e13e554bfca3";
    assert_eq!(update.root.to_string(), expected);
}

#[test]
fn a_version_without_its_parent_is_refused() {
    let blocks = history(&[&[set(0, "a")]]);
    for changes in [Changes::new(), Changes::from([set(1, "b")]), Changes::from([delete(0)])] {
        let refused = tree::update(&blocks.nodes, 2, &changes);
        assert_eq!(refused, Err(StateError::NoVersion { version: 1 }));
        let refused = tree::update(&blocks.nodes, u64::MAX, &changes);
        assert_eq!(refused, Err(StateError::NoVersion { version: u64::MAX - 1 }));
    }
    assert_eq!(tree::root(&blocks.nodes, 1), Err(StateError::NoVersion { version: 1 }));
}

#[test]
fn the_oldest_kept_version_counts_the_head() {
    let keep = NonZeroU64::new;
    assert_eq!(oldest_kept(9, None), 0);
    assert_eq!(oldest_kept(9, keep(1)), 9);
    assert_eq!(oldest_kept(9, keep(10)), 0);
    assert_eq!(oldest_kept(9, keep(u64::MAX)), 0);
}

proptest! {
    #[test]
    fn every_versions_root_is_that_of_its_content(history in any_history()) {
        for (version, content) in history.versions() {
            let root = tree::root(&history.nodes, version).unwrap();
            prop_assert_eq!(root, naive_root(content));
            prop_assert_eq!(root, history.updates[version as usize].root);
        }
    }

    #[test]
    fn an_update_writes_new_nodes_of_its_own_version_in_order(history in any_history()) {
        for update in &history.updates {
            prop_assert!(update.records().map(|(key, _)| key).is_sorted_by(|a, b| a < b));
            prop_assert!(update.stale.iter().map(|key| key.encode().to_vec()).is_sorted_by(|a, b| a < b));
            prop_assert!(update.nodes().all(|(key, _)| key.version() == update.version));
            prop_assert!(update.stale.iter().all(|old| old.version() < update.version));
            for (key, record) in update.nodes() {
                prop_assert_eq!(update.record(key), Some(record));
            }
        }
    }

    #[test]
    fn the_same_content_has_the_same_root_by_any_history(history in any_history()) {
        let content = history.contents.last().unwrap();
        let changes = content.iter().map(|(address, value)| (*address, Some(value.clone()))).collect();
        let at_once = tree::update(&BTreeMap::new(), 0, &changes).unwrap();
        prop_assert_eq!(at_once.root, history.updates.last().unwrap().root);
    }

    #[test]
    fn pruning_leaves_exactly_what_the_kept_versions_reach(history in any_history(), oldest in 0..9u64) {
        let oldest = oldest.min(history.head());
        let mut nodes = history.nodes.clone();
        for key in history.updates.iter().take(oldest as usize + 1).flat_map(|update| &update.stale) {
            prop_assert!(nodes.remove(&*key.encode()).is_some(), "a node goes once");
        }
        let kept: BTreeSet<_> =
            (oldest..=history.head()).flat_map(|version| reachable(&history.nodes, version)).collect();
        prop_assert_eq!(nodes.into_keys().collect::<BTreeSet<_>>(), kept);
    }

    #[test]
    fn values_that_no_kept_version_has_are_told(history in any_history(), oldest in 0..9u64) {
        let oldest = oldest.min(history.head());
        let mut values = history.values.clone();
        for key in history.updates.iter().take(oldest as usize + 1).flat_map(|update| &update.stale_values) {
            prop_assert!(values.remove(key).is_some(), "a value goes once");
        }
        let mut kept = BTreeMap::new();
        for (version, content) in history.versions().filter(|(version, _)| *version >= oldest) {
            for (address, value) in content {
                let leaf = tree::leaf(&history.nodes, version, address).unwrap().unwrap();
                kept.insert((leaf.version, *address), value.clone());
            }
            let absent = ADDRESSES.iter().filter(|address| !content.contains_key(*address));
            for address in absent {
                prop_assert_eq!(tree::leaf(&history.nodes, version, address).unwrap(), None);
            }
        }
        prop_assert_eq!(values, kept);
    }

    #[test]
    fn pending_updates_above_a_store_are_like_stored_ones(history in any_history(), stored in 0..9usize) {
        let (below, pending) = history.updates.split_at(stored.min(history.updates.len()));
        let base: BTreeMap<_, _> = below.iter().flat_map(TreeUpdate::records).collect();
        for (at, update) in pending.iter().enumerate() {
            let layered = LayeredSource::new(pending[..at].iter().rev(), &base);
            let changes = &history.changes[stored + at];
            let again = tree::update(&layered, update.version, changes).unwrap();
            prop_assert_eq!(&again, update);
        }
    }

    #[test]
    fn a_pending_version_hides_a_stored_one(history in any_history()) {
        let fork = tree::update(&BTreeMap::new(), 0, &Changes::from([set(0, "fork")])).unwrap();
        let layered = LayeredSource::new([&fork], &history.nodes);
        prop_assert_eq!(tree::root(&layered, 0).unwrap(), fork.root);
        let next = tree::update(&layered, 1, &Changes::from([set(14, "a")])).unwrap();
        let content = [(ADDRESSES[0], Bytes::from("fork")), (ADDRESSES[14], Bytes::from("a"))].into();
        prop_assert_eq!(next.root, naive_root(&content));
    }

    #[test]
    fn a_node_key_has_one_encoding_and_sorts_as_it_stands(a in any_key(), b in any_key()) {
        prop_assert_eq!(NodeKey::decode(&a.encode()), Some(a));
        prop_assert_eq!(a.encode().cmp(&*b.encode()), a.cmp(&b));
    }

    #[test]
    fn whatever_decodes_as_a_node_key_is_its_encoding(bytes in prop::collection::vec(0..5u8, 0..14)) {
        if let Some(key) = NodeKey::decode(&bytes) {
            prop_assert_eq!(&*key.encode(), bytes);
        }
    }
}

fn any_key() -> impl Strategy<Value = NodeKey> {
    let path = prop::collection::vec(0..16u8, 0..=64);
    (0..3u64, path).prop_map(|(version, path)| {
        path.into_iter().fold(NodeKey::root(version), |key, nibble| key.child(version, nibble))
    })
}
