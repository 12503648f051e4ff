use std::fmt;

use super::hashing::NIBBLES;

/// The key of a tree node: the version that wrote it, and its place as nibbles from the root.
///
/// Stored as `version (8, big-endian) || nibbles (1) || path`, two nibbles a byte, high one first, an odd path
/// with a zero at its end: 9 to 41 bytes. A block's nodes therefore go behind all earlier ones, and keys sort
/// as [`NodeKey`]s do.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeKey {
    /// The height whose block wrote the node.
    pub version: u64,
    /// Nibbles from the root, each below 16; at most 64. The root's path is empty.
    pub path: Vec<u8>,
}

impl NodeKey {
    /// The key of a version's root node.
    pub fn root(version: u64) -> Self {
        Self { version, path: Vec::new() }
    }

    /// The key of the node one nibble below.
    pub(super) fn child(&self, version: u64, nibble: u8) -> Self {
        let mut path = self.path.clone();
        path.push(nibble);
        Self { version, path }
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let count = u8::try_from(self.path.len()).expect("invariant: a path has at most 64 nibbles");
        let mut bytes = Vec::with_capacity(9 + self.path.len().div_ceil(2));
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.push(count);
        bytes.extend(self.path.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)));
        bytes
    }

    /// Reads the stored form; `None` when no encoder wrote these bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first_chunk::<8>()?;
        let (count, packed) = rest.split_first()?;
        let count = usize::from(*count);
        if count > NIBBLES || packed.len() != count.div_ceil(2) {
            return None;
        }
        let mut path: Vec<u8> = packed.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).collect();
        let padding = path.split_off(count);
        padding
            .iter()
            .all(|nibble| *nibble == 0)
            .then_some(Self { version: u64::from_be_bytes(*version), path })
    }

    /// The version in a stored key, without a check of the rest.
    pub(super) fn version_of(bytes: &[u8]) -> Option<u64> {
        bytes.first_chunk().copied().map(u64::from_be_bytes)
    }
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.version)?;
        self.path.iter().try_for_each(|nibble| write!(f, "{nibble:x}"))
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({self})")
    }
}
