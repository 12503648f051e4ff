//! Histories of blocks beside a plain map, for all tests of the state.

mod damage;
mod oracle;
mod presence;
mod proof;
mod top;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use bytes::Bytes;
use ledger_types::{Address, Hash};
use proptest::prelude::*;
use proptest::sample::select;

use super::branch::Child;
use super::hashing::{self, EMPTY_ROOT};
use super::key::NodeKey;
use super::node::Node;
use super::{TreeUpdate, presence as presences, tree as trees};

type Changes = BTreeMap<Address, Option<Bytes>>;
type Content = BTreeMap<Address, Bytes>;

/// Addresses in two namespaces. The key hashes of the last six share 16 bits, so that branches stand above
/// single branches and collapse over several levels.
static ADDRESSES: LazyLock<Vec<Address>> = LazyLock::new(|| {
    let numbered = |n: u32| {
        let mut address = Address([if n.is_multiple_of(2) { 0x1c } else { 0x5b }; Address::LEN]);
        address.0[30..34].copy_from_slice(&n.to_be_bytes());
        address
    };
    let near =
        |n: &u32| hashing::common_bits(&hashing::key_hash(&numbered(*n)), &hashing::key_hash(&numbered(0)));
    let deep = (1000..).filter(|n| near(n) >= 16).take(5);
    (0..14).chain(deep).map(numbered).collect()
});

fn any_address() -> impl Strategy<Value = Address> {
    select(ADDRESSES.as_slice())
}

fn any_changes() -> impl Strategy<Value = Changes> {
    let value = prop::option::weighted(0.6, select(vec!["", "a", "b"]).prop_map(Bytes::from));
    prop_oneof![
        1 => Just(Changes::new()),
        6 => prop::collection::btree_map(any_address(), value, 1..8),
        1 => Just(ADDRESSES.iter().map(|address| (*address, None)).collect()),
    ]
}

fn any_history() -> impl Strategy<Value = History> {
    prop::collection::vec(any_changes(), 1..9).prop_map(|blocks| {
        let mut history = History::default();
        blocks.iter().for_each(|changes| history.commit(changes));
        history
    })
}

/// A chain of blocks: what was stored, and a plain map per height.
#[derive(Clone, Debug, Default)]
struct History {
    nodes: BTreeMap<Vec<u8>, Bytes>,
    presence: BTreeMap<Vec<u8>, Bytes>,
    values: BTreeMap<(u64, Address), Bytes>,
    changes: Vec<Changes>,
    contents: Vec<Content>,
    updates: Vec<TreeUpdate>,
}

impl History {
    fn commit(&mut self, changes: &Changes) {
        let version = self.contents.len() as u64;
        let update = trees::update(&self.nodes, version, changes).unwrap();
        self.nodes.extend(update.records());
        for (address, is_present) in &update.presence {
            let key = presences::key(address, version).to_vec();
            self.presence.insert(key, Bytes::copy_from_slice(&presences::encode(*is_present)));
        }
        let mut content = self.contents.last().cloned().unwrap_or_default();
        for (address, value) in changes {
            match value {
                Some(value) => {
                    self.values.insert((version, *address), value.clone());
                    content.insert(*address, value.clone());
                }
                None => _ = content.remove(address),
            }
        }
        self.changes.push(changes.clone());
        self.contents.push(content);
        self.updates.push(update);
    }

    fn versions(&self) -> impl Iterator<Item = (u64, &Content)> {
        (0..).zip(&self.contents)
    }

    fn head(&self) -> u64 {
        self.contents.len() as u64 - 1
    }
}

/// The root by its definition: a binary tree over the sorted key hashes.
fn naive_root(content: &Content) -> Hash {
    fn subtree(leaves: &[(Hash, Hash)], depth: usize) -> Hash {
        match leaves {
            [] => EMPTY_ROOT,
            [(key, value)] => hashing::leaf(key, value),
            _ => {
                let split = leaves.partition_point(|(key, _)| !hashing::bit(key, depth));
                hashing::inner(&subtree(&leaves[..split], depth + 1), &subtree(&leaves[split..], depth + 1))
            }
        }
    }
    let leaf =
        |(address, value): (&Address, &Bytes)| (hashing::key_hash(address), hashing::value_hash(value));
    let mut leaves: Vec<_> = content.iter().map(leaf).collect();
    leaves.sort();
    subtree(&leaves, 0)
}

/// Stored keys of all nodes that a version reaches.
fn reachable(nodes: &BTreeMap<Vec<u8>, Bytes>, version: u64) -> BTreeSet<Vec<u8>> {
    let mut keys = BTreeSet::new();
    let mut open = vec![NodeKey::root(version)];
    while let Some(key) = open.pop() {
        if let Node::Branch(branch) = Node::decode(&key, &nodes[&*key.encode()]).unwrap() {
            open.extend(branch.iter().filter_map(|(nibble, child)| match child {
                Child::Branch(version, _) => Some(key.child(version, nibble)),
                Child::Leaf(..) => None,
            }));
        }
        keys.insert(key.encode().to_vec());
    }
    keys
}
