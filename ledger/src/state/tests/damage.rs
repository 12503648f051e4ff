use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_types::Hash;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{ADDRESSES, Changes, History, any_changes, any_history, reachable};
use crate::state::branch::{Branch, Child, Children, Leaf};
use crate::state::hashing;
use crate::state::key::NodeKey;
use crate::state::node::Node;
use crate::state::{StateError, tree};

/// Everything a version is read for; a panic fails the test, an error is an answer.
fn read_all(nodes: &BTreeMap<Vec<u8>, Bytes>, version: u64, changes: &Changes) -> Vec<StateError> {
    let mut errors = Vec::new();
    errors.extend(tree::root(nodes, version).err());
    errors.extend(ADDRESSES.iter().filter_map(|address| tree::prove(nodes, version, address).err()));
    errors.extend(tree::update(nodes, version + 1, changes).err());
    let set_all = ADDRESSES.iter().map(|address| (*address, Some(Bytes::from("x")))).collect();
    errors.extend(tree::update(nodes, version + 1, &set_all).err());
    let delete_all = ADDRESSES.iter().map(|address| (*address, None)).collect();
    errors.extend(tree::update(nodes, version + 1, &delete_all).err());
    errors
}

fn some_node(history: &History, at: &Index) -> Vec<u8> {
    let keys: Vec<_> = reachable(&history.nodes, history.head()).into_iter().collect();
    at.get(&keys).clone()
}

fn record(key: &NodeKey, node: &Node) -> Bytes {
    let mut record = Vec::new();
    node.encode(key, &mut record);
    record.into()
}

fn any_leaf() -> impl Strategy<Value = Leaf> {
    let leaf = (0..12u64, any::<[[u8; 32]; 2]>());
    leaf.prop_map(|(version, [key, value])| Leaf { version, key_hash: Hash(key), value_hash: Hash(value) })
}

fn any_child() -> impl Strategy<Value = Option<Child>> {
    let branch = (0..12u64, any::<[u8; 32]>()).prop_map(|(version, hash)| Child::Branch(version, Hash(hash)));
    prop::option::of(prop_oneof![any_leaf().prop_map(Child::leaf), branch])
}

fn any_node() -> impl Strategy<Value = Node> {
    let children = prop::array::uniform16(any_child());
    prop_oneof![
        Just(Node::Empty),
        any_leaf().prop_map(Node::Leaf),
        children.prop_map(|children| Node::Branch(Branch::of(children))),
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
        Node::Branch(branch) => {
            let mut children = branch.children();
            let mut present: Vec<_> = children.iter_mut().filter(|place| place.is_some()).collect();
            let at = at.index(present.len());
            let place = &mut *present[at];
            *place = match (forgery, place.expect("one that is there")) {
                (Forgery::Kind, Child::Leaf(leaf, hash)) => Some(Child::Branch(leaf.version, hash)),
                (Forgery::Kind, Child::Branch(version, hash)) => {
                    Some(Child::leaf(Leaf { version, key_hash: hash, value_hash: hash }))
                }
                (Forgery::Version(version), Child::Leaf(leaf, _)) => {
                    Some(Child::leaf(Leaf { version, ..leaf }))
                }
                (Forgery::Version(version), Child::Branch(_, hash)) => Some(Child::Branch(version, hash)),
                (Forgery::Hash, Child::Leaf(mut leaf, _)) => {
                    leaf.value_hash.0[0] ^= 1;
                    Some(Child::leaf(leaf))
                }
                (Forgery::Hash, Child::Branch(version, mut hash)) => {
                    hash.0[0] ^= 1;
                    Some(Child::Branch(version, hash))
                }
                (Forgery::Removal, _) => None,
            };
            Node::Branch(Branch::of(children))
        }
        Node::Leaf(mut leaf) => {
            leaf.value_hash.0[at.index(32)] ^= 1;
            Node::Leaf(leaf)
        }
        Node::Empty => Node::Empty,
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_gives_an_error_or_another_root_and_never_another_value(
        history in any_history(), changes in any_changes(), at: Index, bit: Index,
    ) {
        let root = tree::root(&history.nodes, history.head());
        let key = some_node(&history, &at);
        let mut nodes = history.nodes.clone();
        let mut record = nodes[&key].to_vec();
        let bit = bit.index(8 * record.len());
        record[bit / 8] ^= 1 << (bit % 8);
        nodes.insert(key, record.into());
        let is_seen = !read_all(&nodes, history.head(), &changes).is_empty();
        if !is_seen && tree::root(&nodes, history.head()) == root {
            // The height of a leaf is in no hash: another one leads to no value, or to an equal one.
            for address in ADDRESSES.iter() {
                let leaf = tree::leaf(&nodes, history.head(), address).unwrap();
                let value = leaf.and_then(|leaf| history.values.get(&(leaf.version, *address)));
                let expected = history.contents[history.head() as usize].get(address);
                let is_right = |value| leaf.is_some_and(|leaf| leaf.value_hash == hashing::value_hash(value));
                prop_assert!(value.is_none_or(|value| !is_right(value) || Some(value) == expected));
            }
        }
    }

    #[test]
    fn a_missing_node_is_named(history in any_history(), changes in any_changes(), at: Index) {
        let key = some_node(&history, &at);
        let mut nodes = history.nodes.clone();
        nodes.remove(&key);
        let key = NodeKey::decode(&key).unwrap();
        let expected = match key.depth() == 0 {
            true => StateError::NoVersion { version: key.version() },
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
        let root = tree::root(&history.nodes, history.head());
        let mut nodes = history.nodes.clone();
        nodes.insert(to, history.nodes[&from].clone());
        let is_seen = !read_all(&nodes, history.head(), &Changes::new()).is_empty();
        prop_assert!(is_seen || tree::root(&nodes, history.head()) != root);
    }

    #[test]
    fn nodes_that_do_not_fit_their_parents_are_errors(
        history in any_history(), changes in any_changes(), at: Index, node in any_node(),
    ) {
        let key = some_node(&history, &at);
        let mut nodes = history.nodes.clone();
        let place = NodeKey::decode(&key).unwrap();
        nodes.insert(key, record(&place, &node));
        let errors = read_all(&nodes, history.head(), &changes);
        let is_root = place.depth() == 0;
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
                nodes.insert(key.clone(), record(&parsed, &forged(node, &place, forgery)));
            }
        }
        read_all(&nodes, history.head(), &changes);
    }

    #[test]
    fn whatever_decodes_as_a_node_is_its_encoding(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            any_node().prop_map(|node| record(&NodeKey::root(11), &node).to_vec()),
        ],
        depth in 0..=64usize,
    ) {
        let key = NodeKey::on_way(9, &Hash::ZERO, depth);
        if let Ok(node) = Node::decode(&key, &body) {
            prop_assert_eq!(record(&key, &node), body);
        }
    }
}

#[test]
fn a_child_of_another_hash_than_its_parent_says_is_named() {
    let mut history = History::default();
    history.commit(&ADDRESSES.iter().map(|address| (*address, Some(Bytes::from("a")))).collect());
    let root = NodeKey::root(0);
    let Ok(Node::Branch(honest)) = Node::decode(&root, &history.nodes[&*root.encode()]) else {
        panic!("many addresses make a branch")
    };
    let mut seen = 0;
    for (nibble, child) in honest.iter() {
        let Child::Branch(version, _) = child else { continue };
        let key = root.child(version, nibble);
        let mut children = honest.children();
        children[usize::from(nibble)] = Some(Child::Branch(version, Hash::ZERO));
        let mut nodes = history.nodes.clone();
        nodes.insert(root.encode().to_vec(), record(&root, &Node::Branch(Branch::of(children))));
        let named = StateError::DamagedNode { key, reason: "not the node its parent refers to" };
        assert!(read_all(&nodes, 0, &Changes::new()).contains(&named), "{nibble:x}");
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn a_node_must_fit_its_key() {
    let leaf =
        |version, key_hash: [u8; 32]| Leaf { version, key_hash: Hash(key_hash), value_hash: Hash::ZERO };
    let branch = |children: &[(usize, Child)]| {
        let mut all = Children::default();
        children.iter().for_each(|(place, child)| all[*place] = Some(*child));
        Node::Branch(Branch::of(all))
    };
    let below = |version| Child::Branch(version, Hash::ZERO);
    let on_way = |version, nibble: u8| {
        let mut key_hash = [0; 32];
        key_hash[31] = nibble;
        Child::leaf(leaf(version, key_hash))
    };
    let deep = |first: u8| Child::leaf(leaf(5, [first << 4; 32]));
    let cases = [
        (0, Node::Empty, true),
        (1, Node::Empty, false),
        (0, Node::Leaf(leaf(5, [0xab; 32])), true),
        (1, Node::Leaf(leaf(5, [0; 32])), false),
        (0, branch(&[]), false),
        (0, branch(&[(0, deep(0))]), false),
        (0, branch(&[(0, below(5))]), true),
        (0, branch(&[(0, deep(0)), (7, deep(7))]), true),
        (0, branch(&[(0, deep(0)), (6, deep(7))]), false),
        (0, branch(&[(0, deep(0)), (7, below(6))]), false),
        (63, branch(&[(0, on_way(5, 0)), (1, on_way(5, 1))]), true),
        (62, branch(&[(0, on_way(5, 0)), (1, on_way(5, 1))]), false),
        (64, branch(&[(0, below(5)), (1, below(5))]), false),
    ];
    for (depth, node, fits) in cases {
        let key = NodeKey::on_way(5, &Hash::ZERO, depth);
        assert_eq!(Node::decode(&key, &record(&key, &node)).is_ok(), fits, "{key:?} {node:?}");
    }
}

#[test]
fn an_age_has_one_encoding_and_reaches_no_version_below_0() {
    let key = NodeKey::root(300);
    let leaf = |age: &[u8]| [&[1], age, &[7; 64]].concat();
    for (age, version) in [(&[0][..], Some(300)), (&[0x7f], Some(173)), (&[0xac, 2], Some(0))] {
        let node = Node::decode(&key, &leaf(age)).unwrap();
        assert!(matches!(node, Node::Leaf(leaf) if Some(leaf.version) == version));
        assert_eq!(record(&key, &node), leaf(age));
    }
    let long = [&[0xff; 9][..], &[2]].concat();
    for bad in [&[0xad, 2][..], &[0x80, 0], &[0x81, 0], &[0xff; 10], &long] {
        assert!(Node::decode(&key, &leaf(bad)).is_err(), "{bad:02x?}");
    }
    assert!(Node::decode(&NodeKey::root(u64::MAX), &leaf(&[&[0xff; 9][..], &[1]].concat())).is_ok());
}
