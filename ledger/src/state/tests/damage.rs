use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_types::Hash;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{ADDRESSES, Changes, History, any_changes, any_history, reachable};
use crate::state::branch::{Branch, Child};
use crate::state::key::NodeKey;
use crate::state::node::Node;
use crate::state::{JmtTree, StateError, StateTree};

/// Everything a version is read for; a panic fails the test, an error is an answer.
fn read_all(nodes: &BTreeMap<Vec<u8>, Bytes>, version: u64, changes: &Changes) -> Vec<StateError> {
    let mut errors = Vec::new();
    errors.extend(JmtTree.root(nodes, version).err());
    errors.extend(ADDRESSES.iter().filter_map(|address| JmtTree.prove(nodes, version, address).err()));
    errors.extend(JmtTree.update(nodes, version + 1, changes).err());
    let set_all = ADDRESSES.iter().map(|address| (*address, Some(Bytes::from("x")))).collect();
    errors.extend(JmtTree.update(nodes, version + 1, &set_all).err());
    let delete_all = ADDRESSES.iter().map(|address| (*address, None)).collect();
    errors.extend(JmtTree.update(nodes, version + 1, &delete_all).err());
    errors
}

fn some_node(history: &History, at: &Index) -> Vec<u8> {
    let keys: Vec<_> = reachable(&history.nodes, history.head()).into_iter().collect();
    at.get(&keys).clone()
}

fn any_child() -> impl Strategy<Value = Option<Child>> {
    let child = (0..12u64, any::<[u8; 32]>(), any::<bool>());
    prop::option::of(child.prop_map(|(version, hash, is_leaf)| Child { version, hash: Hash(hash), is_leaf }))
}

fn any_node() -> impl Strategy<Value = Node> {
    prop_oneof![
        Just(Node::Empty),
        any::<[[u8; 32]; 2]>()
            .prop_map(|[key, value]| Node::Leaf { key_hash: Hash(key), value_hash: Hash(value) }),
        prop::array::uniform16(any_child()).prop_map(|children| Node::Branch(Box::new(Branch { children }))),
    ]
}

/// What is changed about one child of a branch.
#[derive(Clone, Copy, Debug)]
enum Forgery {
    Kind,
    Version(u64),
    Hash,
    Removal,
}

fn any_forgery() -> impl Strategy<Value = Forgery> {
    prop_oneof![
        Just(Forgery::Kind),
        (0..12u64).prop_map(Forgery::Version),
        Just(Forgery::Hash),
        Just(Forgery::Removal)
    ]
}

/// A node of the same kind with one child, or the value of a leaf, changed.
fn forged(node: Node, at: &Index, forgery: Forgery) -> Node {
    match node {
        Node::Branch(mut branch) => {
            let mut present: Vec<_> = branch.children.iter_mut().filter(|place| place.is_some()).collect();
            let at = at.index(present.len());
            match (forgery, &mut *present[at]) {
                (Forgery::Kind, Some(child)) => child.is_leaf = !child.is_leaf,
                (Forgery::Version(version), Some(child)) => child.version = version,
                (Forgery::Hash, Some(child)) => child.hash.0[0] ^= 1,
                (_, place) => *place = None,
            }
            Node::Branch(branch)
        }
        Node::Leaf { key_hash, mut value_hash } => {
            value_hash.0[at.index(32)] ^= 1;
            Node::Leaf { key_hash, value_hash }
        }
        Node::Empty => Node::Empty,
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_gives_an_error_or_another_root(
        history in any_history(), changes in any_changes(), at: Index, bit: Index,
    ) {
        let root = JmtTree.root(&history.nodes, history.head());
        let key = some_node(&history, &at);
        let mut nodes = history.nodes.clone();
        let mut record = nodes[&key].to_vec();
        let bit = bit.index(8 * record.len());
        record[bit / 8] ^= 1 << (bit % 8);
        nodes.insert(key, record.into());
        let is_seen = !read_all(&nodes, history.head(), &changes).is_empty();
        prop_assert!(is_seen || JmtTree.root(&nodes, history.head()) != root);
    }

    #[test]
    fn a_missing_node_is_named(history in any_history(), changes in any_changes(), at: Index) {
        let key = some_node(&history, &at);
        let mut nodes = history.nodes.clone();
        nodes.remove(&key);
        let key = NodeKey::decode(&key).unwrap();
        let expected = match key.path.is_empty() {
            true => StateError::NoVersion { version: key.version },
            false => StateError::MissingNode { key },
        };
        let errors = read_all(&nodes, history.head(), &changes);
        prop_assert!(!errors.is_empty());
        prop_assert!(errors.iter().all(|error| *error == expected), "{:?}", errors);
    }

    #[test]
    fn a_node_of_another_place_gives_an_error_or_another_root(history in any_history(), from: Index, to: Index) {
        let (from, to) = (some_node(&history, &from), some_node(&history, &to));
        prop_assume!(history.nodes[&from] != history.nodes[&to]);
        let root = JmtTree.root(&history.nodes, history.head());
        let mut nodes = history.nodes.clone();
        nodes.insert(to, history.nodes[&from].clone());
        let is_seen = !read_all(&nodes, history.head(), &Changes::new()).is_empty();
        prop_assert!(is_seen || JmtTree.root(&nodes, history.head()) != root);
    }

    #[test]
    fn nodes_that_do_not_fit_their_parents_are_errors(
        history in any_history(), changes in any_changes(), at: Index, node in any_node(),
    ) {
        let key = some_node(&history, &at);
        let mut nodes = history.nodes.clone();
        nodes.insert(key.clone(), node.encode());
        let errors = read_all(&nodes, history.head(), &changes);
        let is_root = NodeKey::decode(&key).unwrap().path.is_empty();
        prop_assert!(is_root || !errors.is_empty());
    }

    #[test]
    fn no_forged_node_makes_the_tree_panic(
        history in any_history(),
        changes in any_changes(),
        forgeries in prop::collection::vec((any::<Index>(), any::<Index>(), any_forgery()), 1..4),
    ) {
        let mut nodes = history.nodes.clone();
        for (at, place, forgery) in forgeries {
            let key = some_node(&history, &at);
            let parsed = NodeKey::decode(&key).unwrap();
            if let Ok(node) = Node::decode(&parsed, &nodes[&key]) {
                nodes.insert(key.clone(), forged(node, &place, forgery).encode());
            }
        }
        read_all(&nodes, history.head(), &changes);
    }

    #[test]
    fn whatever_decodes_as_a_node_is_its_encoding(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            any_node().prop_map(|node| node.encode().to_vec()),
        ],
        path in prop::collection::vec(0..16u8, 0..=64),
    ) {
        let key = NodeKey { version: 9, path };
        let record = Bytes::from(body);
        if let Ok(node) = Node::decode(&key, &record) {
            prop_assert_eq!(node.encode(), record);
        }
    }
}

#[test]
fn a_child_of_another_kind_than_its_parent_says_is_named() {
    let mut history = History::default();
    history.commit(&ADDRESSES.iter().map(|address| (*address, Some(Bytes::from("a")))).collect());
    let root = NodeKey::root(0);
    let Ok(Node::Branch(honest)) = Node::decode(&root, &history.nodes[&root.encode()]) else {
        panic!("many addresses make a branch")
    };
    for (nibble, child) in honest.iter() {
        let mut branch = honest.clone();
        branch.children[usize::from(nibble)] = Some(Child { is_leaf: !child.is_leaf, ..*child });
        let mut nodes = history.nodes.clone();
        nodes.insert(root.encode(), Node::Branch(branch).encode());
        let named = StateError::DamagedNode {
            key: root.child(0, nibble),
            reason: "not the node its parent refers to",
        };
        assert!(read_all(&nodes, 0, &Changes::new()).contains(&named), "{nibble:x}");
    }
}

#[test]
fn a_node_must_fit_its_key() {
    let child = |version, is_leaf| Some(Child { version, hash: Hash::ZERO, is_leaf });
    let branch = |first, second| {
        let mut branch = Branch::default();
        (branch.children[0], branch.children[1]) = (first, second);
        Node::Branch(Box::new(branch))
    };
    let leaf = Node::Leaf { key_hash: Hash([0xab; 32]), value_hash: Hash::ZERO };
    let cases = [
        (vec![], Node::Empty, true),
        (vec![1], Node::Empty, false),
        (vec![0xa, 0xb, 0xa], leaf.clone(), true),
        (vec![0xa, 0xb, 0xb], leaf, false),
        (vec![], branch(None, None), false),
        (vec![], branch(child(5, true), None), false),
        (vec![], branch(child(5, false), None), true),
        (vec![], branch(child(5, true), child(5, true)), true),
        (vec![], branch(child(6, true), child(5, true)), false),
        (vec![0; 63], branch(child(5, true), child(5, true)), true),
        (vec![0; 64], branch(child(5, true), child(5, true)), false),
    ];
    for (path, node, fits) in cases {
        let key = NodeKey { version: 5, path };
        let record = node.encode();
        assert_eq!(Node::decode(&key, &record).is_ok(), fits, "{key:?} {node:?}");
    }
}
