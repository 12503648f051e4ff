use std::fmt;
use std::ops::Deref;

use ledger_types::Hash;

use super::hashing::{self, NIBBLES};

/// The key of a tree node: the version that wrote it, and its place as nibbles from the root.
///
/// Stored as `version (8, big-endian) || nibbles (1) || path`, two nibbles a byte, high one first, an odd path
/// with a zero at its end: 9 to 41 bytes. A block's nodes therefore go behind all earlier ones, and keys sort
/// as [`NodeKey`]s do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeKey {
    version: u64,
    depth: u8,
    /// The path, two nibbles a byte, high one first; zeros behind it.
    path: Hash,
}

/// The stored form of a [`NodeKey`].
#[derive(Clone, Copy)]
pub struct StoredKey {
    bytes: [u8; 9 + Hash::LEN],
    len: usize,
}

impl Deref for StoredKey {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl NodeKey {
    /// The key of a version's root node.
    pub fn root(version: u64) -> Self {
        Self { version, depth: 0, path: Hash::ZERO }
    }

    /// The key of a version's node on the way to a key hash, so many nibbles from the root; at most 64.
    pub(super) fn on_way(version: u64, key_hash: &Hash, depth: usize) -> Self {
        let mut path = Hash::ZERO;
        let bytes = depth.div_ceil(2);
        path.0[..bytes].copy_from_slice(&key_hash.0[..bytes]);
        if !depth.is_multiple_of(2) {
            path.0[bytes - 1] &= 0xf0;
        }
        Self { version, depth: u8::try_from(depth).expect("invariant: at most 64 nibbles"), path }
    }

    /// The key of the node one nibble below.
    pub(super) fn child(&self, version: u64, nibble: u8) -> Self {
        let mut path = self.path;
        path.0[self.depth() / 2] |= if self.depth.is_multiple_of(2) { nibble << 4 } else { nibble };
        Self { version, depth: self.depth + 1, path }
    }

    /// The key of the same place in another version.
    pub(super) fn of_version(&self, version: u64) -> Self {
        Self { version, ..*self }
    }

    /// The height whose block wrote the node.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Nibbles from the root; at most 64.
    pub(super) fn depth(&self) -> usize {
        usize::from(self.depth)
    }

    /// Whether the node stands on the way to a key hash.
    pub(super) fn leads_to(&self, key_hash: &Hash) -> bool {
        *self == Self::on_way(self.version, key_hash, self.depth())
    }

    /// Nibbles from the root, each below 16.
    pub(super) fn nibbles(&self) -> impl Iterator<Item = u8> {
        (0..self.depth()).map(|at| hashing::nibble(&self.path, at))
    }

    /// The stored form.
    pub fn encode(&self) -> StoredKey {
        let mut bytes = [0; 9 + Hash::LEN];
        bytes[..8].copy_from_slice(&self.version.to_be_bytes());
        bytes[8] = self.depth;
        bytes[9..].copy_from_slice(&self.path.0);
        StoredKey { bytes, len: 9 + self.depth().div_ceil(2) }
    }

    /// Reads the stored form; `None` when no encoder wrote these bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first_chunk::<8>()?;
        let (depth, packed) = rest.split_first()?;
        let nibbles = usize::from(*depth);
        if nibbles > NIBBLES || packed.len() != nibbles.div_ceil(2) {
            return None;
        }
        let mut path = Hash::ZERO;
        path.0[..packed.len()].copy_from_slice(packed);
        let key = Self { version: u64::from_be_bytes(*version), depth: *depth, path };
        key.leads_to(&path).then_some(key)
    }
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.version)?;
        self.nibbles().try_for_each(|nibble| write!(f, "{nibble:x}"))
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({self})")
    }
}
