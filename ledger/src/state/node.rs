//! A tree node and its record.
//!
//! Record: `tag (1) || body`, all integers big-endian.
//!
//! | tag | body |
//! |---|---|
//! | 0 empty tree, only at a root | - |
//! | 1 leaf | key hash (32), value hash (32) |
//! | 2 branch | bitmap of children (2), bitmap of those that are leaves (2), then per child in nibble order: version (8), hash (32). Bit `n` is nibble `n` |
//!
//! A node's hash does not cover the versions of its children; the seal of its record does (`store`).

use bytes::Bytes;
use ledger_types::Hash;
use ledger_types::codec::{CodecError, Reader, Writer};

use super::branch::{Branch, Child};
use super::error::StateError;
use super::hashing::{self, EMPTY_ROOT, NIBBLES};
use super::key::NodeKey;

/// A node of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Empty,
    Leaf { key_hash: Hash, value_hash: Hash },
    Branch(Box<Branch>),
}

impl Node {
    pub(super) fn hash(&self) -> Hash {
        match self {
            Self::Empty => EMPTY_ROOT,
            Self::Leaf { key_hash, value_hash } => hashing::leaf(key_hash, value_hash),
            Self::Branch(branch) => branch.hash(),
        }
    }

    pub(super) fn is_leaf(&self) -> bool {
        matches!(self, Self::Leaf { .. })
    }

    pub(super) fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match self {
            Self::Empty => _ = writer.u8(0),
            Self::Leaf { key_hash, value_hash } => _ = writer.u8(1).raw(&key_hash.0).raw(&value_hash.0),
            Self::Branch(branch) => {
                let bitmap = |wanted: fn(&Child) -> bool| {
                    branch.iter().filter(|(_, child)| wanted(child)).fold(0, |bits, (n, _)| bits | 1 << n)
                };
                writer.u8(2).u16(bitmap(|_| true)).u16(bitmap(|child| child.is_leaf));
                for (_, child) in branch.iter() {
                    writer.u64(child.version).raw(&child.hash.0);
                }
            }
        }
        writer.finish().into()
    }

    /// Reads a record and checks it against its key.
    ///
    /// # Errors
    /// [`StateError::DamagedNode`] when no update writes these bytes under this key.
    pub(super) fn decode(key: &NodeKey, bytes: &Bytes) -> Result<Self, StateError> {
        let damaged = |reason| StateError::DamagedNode { key: key.clone(), reason };
        let node = Self::parse(bytes.clone()).map_err(|_| damaged("not an encoding"))?;
        node.check_place(key).map_err(damaged)?;
        Ok(node)
    }

    fn parse(body: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(body);
        let node = match reader.u8("node tag")? {
            0 => Self::Empty,
            1 => Self::Leaf {
                key_hash: Hash(reader.array("key hash")?),
                value_hash: Hash(reader.array("value hash")?),
            },
            2 => {
                let (present, leaves) = (reader.u16("children")?, reader.u16("leaves")?);
                if leaves & !present != 0 {
                    return reader.bad("leaves");
                }
                let mut branch = Branch::default();
                for (nibble, place) in branch.children.iter_mut().enumerate() {
                    if present & 1 << nibble != 0 {
                        let version = reader.u64("child version")?;
                        let hash = Hash(reader.array("child hash")?);
                        *place = Some(Child { version, hash, is_leaf: leaves & 1 << nibble != 0 });
                    }
                }
                Self::Branch(Box::new(branch))
            }
            _ => return reader.bad("node tag"),
        };
        reader.finish()?;
        Ok(node)
    }

    /// What holds of every node an update writes, and what the tree's library takes for granted.
    fn check_place(&self, key: &NodeKey) -> Result<(), &'static str> {
        let depth = key.path.len();
        match self {
            Self::Empty if depth > 0 => Err("an empty tree below a root"),
            Self::Empty => Ok(()),
            Self::Leaf { key_hash, .. } => {
                let on_path =
                    (0..).zip(&key.path).all(|(at, nibble)| hashing::nibble(key_hash, at) == *nibble);
                if on_path { Ok(()) } else { Err("a leaf off its path") }
            }
            Self::Branch(_) if depth >= NIBBLES => Err("a branch below the last level"),
            Self::Branch(branch) if branch.iter().any(|(_, child)| child.version > key.version) => {
                Err("a child younger than its parent")
            }
            Self::Branch(branch) => {
                let mut children = branch.iter();
                match (children.next(), children.next()) {
                    (None, _) => Err("a branch without children"),
                    (Some((_, only)), None) if only.is_leaf => Err("a branch of a single leaf"),
                    _ => Ok(()),
                }
            }
        }
    }
}
