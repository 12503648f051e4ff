//! A tree node and its record.
//!
//! Record: `tag (1) || body`, all integers big-endian.
//!
//! | tag | body |
//! |---|---|
//! | 0 empty tree, only at a root | - |
//! | 1 the tree's only leaf, only at a root | leaf |
//! | 2 branch | bitmap of children (2), bitmap of those that are leaves (2), then per child in nibble order: age, hash (32); or a leaf. Bit `n` is nibble `n` |
//!
//! leaf = age, key hash (32), value hash (32). An age is how many versions ago the child was written, counted from the
//! node's own version, in LEB128: mostly a byte or two.
//!
//! A node's hash does not cover the versions of its children; the seal of its record does (`store`).

use std::ops::Deref;
use std::sync::Arc;

use ledger_types::Hash;

use super::branch::{Branch, Child, Leaf};
use super::error::StateError;
use super::hashing::{EMPTY_ROOT, NIBBLES};
use super::key::NodeKey;

/// A node of the tree, and where its branch is if it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node<B = Arc<Branch>> {
    Empty,
    Leaf(Leaf),
    Branch(B),
}

impl<B> Node<B> {
    /// The same node with its branch elsewhere.
    pub(super) fn map<C>(self, place: impl FnOnce(B) -> C) -> Node<C> {
        match self {
            Self::Empty => Node::Empty,
            Self::Leaf(leaf) => Node::Leaf(leaf),
            Self::Branch(branch) => Node::Branch(place(branch)),
        }
    }
}

impl<B: Deref<Target = Branch>> Node<B> {
    pub(super) fn hash(&self) -> Hash {
        match self {
            Self::Empty => EMPTY_ROOT,
            Self::Leaf(leaf) => leaf.hash(),
            Self::Branch(branch) => branch.hash(),
        }
    }

    /// Appends the record under a key, whose version is not below those of the children.
    pub(super) fn encode(&self, key: &NodeKey, record: &mut Vec<u8>) {
        match self {
            Self::Empty => record.push(0),
            Self::Leaf(leaf) => {
                record.push(1);
                put_leaf(key, leaf, record);
            }
            Self::Branch(branch) => {
                record.push(2);
                record.extend_from_slice(&branch.present().to_be_bytes());
                record.extend_from_slice(&branch.leaves().to_be_bytes());
                for (_, child) in branch.iter() {
                    match child {
                        Child::Leaf(leaf, _) => put_leaf(key, &leaf, record),
                        Child::Branch(version, hash) => {
                            put_age(key, version, record);
                            record.extend_from_slice(&hash.0);
                        }
                    }
                }
            }
        }
    }
}

impl Node {
    /// Reads a record and checks it against its key.
    ///
    /// # Errors
    /// [`StateError::DamagedNode`] when no update writes these bytes under this key.
    pub(super) fn decode(key: &NodeKey, record: &[u8]) -> Result<Self, StateError> {
        let damaged = |reason| StateError::DamagedNode { key: *key, reason };
        let node = Record { key, rest: record }.parse().ok_or_else(|| damaged("not an encoding"))?;
        node.check_place(key).map_err(damaged)?;
        Ok(node)
    }

    /// What holds of every node an update writes.
    fn check_place(&self, key: &NodeKey) -> Result<(), &'static str> {
        let depth = key.depth();
        match self {
            Self::Branch(_) if depth >= NIBBLES => Err("a branch below the last level"),
            Self::Branch(branch) => {
                let is_off = |(nibble, child)| match child {
                    Child::Leaf(leaf, _) => !key.child(key.version(), nibble).leads_to(&leaf.key_hash),
                    Child::Branch(..) => false,
                };
                if branch.iter().any(is_off) {
                    return Err("a leaf off its path");
                }
                match branch.only() {
                    None if branch.present() == 0 => Err("a branch without children"),
                    Some(Child::Leaf(..)) => Err("a branch of a single leaf"),
                    _ => Ok(()),
                }
            }
            Self::Empty | Self::Leaf(_) if depth > 0 => Err("neither a root nor a branch"),
            Self::Empty | Self::Leaf(_) => Ok(()),
        }
    }
}

fn put_leaf(key: &NodeKey, leaf: &Leaf, record: &mut Vec<u8>) {
    put_age(key, leaf.version, record);
    record.extend_from_slice(&leaf.key_hash.0);
    record.extend_from_slice(&leaf.value_hash.0);
}

fn put_age(key: &NodeKey, version: u64, record: &mut Vec<u8>) {
    let mut age = key.version().wrapping_sub(version);
    while age > 0x7f {
        record.push(0x80 | (age & 0x7f) as u8);
        age >>= 7;
    }
    record.push(age as u8);
}

/// A record being read. Everything gives `None` for what no encoder writes.
struct Record<'a> {
    key: &'a NodeKey,
    rest: &'a [u8],
}

impl Record<'_> {
    fn parse(mut self) -> Option<Node> {
        let [tag] = self.array()?;
        let node = match tag {
            0 => Node::Empty,
            1 => Node::Leaf(self.leaf()?),
            2 => Node::Branch(self.branch()?),
            _ => return None,
        };
        self.rest.is_empty().then_some(node)
    }

    fn branch(&mut self) -> Option<Arc<Branch>> {
        let [present, leaves] = [u16::from_be_bytes(self.array()?), u16::from_be_bytes(self.array()?)];
        if leaves & !present != 0 {
            return None;
        }
        let (branch, is_whole) = Branch::build(leaves.count_ones() as usize, |branch| {
            for nibble in 0..16 {
                let bit = 1 << nibble;
                if leaves & bit != 0 {
                    branch.set(nibble, Some(Child::leaf(self.leaf()?)));
                } else if present & bit != 0 {
                    branch.set(nibble, Some(Child::Branch(self.version()?, Hash(self.array()?))));
                }
            }
            Some(())
        });
        is_whole.map(|()| branch)
    }

    fn leaf(&mut self) -> Option<Leaf> {
        let version = self.version()?;
        Some(Leaf { version, key_hash: Hash(self.array()?), value_hash: Hash(self.array()?) })
    }

    /// The version that an age stands for; ages have one encoding and do not reach beyond version 0.
    fn version(&mut self) -> Option<u64> {
        let mut age = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            age |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
            if byte < 0x80 {
                return if byte == 0 && shift > 0 { None } else { self.key.version().checked_sub(age) };
            }
        }
        None
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*array)
    }
}
