//! Merkle roots of a block's lists: RFC 6962 trees over SHA-256, each list with a domain of its own.

use ledger_types::codec::Writer;
use ledger_types::hash::sha256;
use ledger_types::{Entry, Hash};
use rs_merkle::{Hasher, MerkleTree};

/// The domain of entries.
pub const ENTRIES: &[u8] = b"dgt-entries";
/// The domain of receipts.
pub const RECEIPTS: &[u8] = b"dgt-receipts";

/// RFC 6962: a leaf's hash begins with byte 0, an inner node's with byte 1, so that neither passes for the other.
#[derive(Clone)]
struct Rfc6962;

impl Hasher for Rfc6962 {
    type Hash = [u8; 32];

    fn hash(leaf: &[u8]) -> [u8; 32] {
        sha256(&[&[0], leaf]).0
    }

    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        // A node without a sibling is promoted unchanged.
        right.map_or(*left, |right| sha256(&[&[1], left, right]).0)
    }
}

/// The hash of one leaf: SHA-256 of byte 0, the domain, the value's length (`u32`) and the value.
pub fn leaf(domain: &[u8], value: &[u8]) -> Hash {
    let len = u32::try_from(value.len()).expect("invariant: a leaf is at most a block long");
    sha256(&[&[0], domain, &len.to_be_bytes(), value])
}

/// The root over leaf hashes in order. The empty root is SHA-256 of nothing.
pub fn root(leaves: &[Hash]) -> Hash {
    let leaves: Vec<[u8; 32]> = leaves.iter().map(|leaf| leaf.0).collect();
    MerkleTree::<Rfc6962>::from_leaves(&leaves).root().map_or_else(|| sha256(&[]), Hash)
}

/// The root that a header must have for a block of these entries.
pub fn of_entries(entries: &[Entry]) -> Hash {
    let mut list = EntryList::default();
    entries.iter().for_each(|entry| list.push(entry));
    list.root()
}

/// Entries as they stand in a block's body, each encoded and hashed once.
#[derive(Clone, Default)]
pub(crate) struct EntryList {
    encoded: Writer,
    leaves: Vec<Hash>,
}

impl EntryList {
    pub(crate) fn push(&mut self, entry: &Entry) {
        let from = self.encoded.as_bytes().len() + 4;
        self.encoded.framed(|writer| entry.write(writer));
        self.leaves.push(leaf(ENTRIES, &self.encoded.as_bytes()[from..]));
    }

    /// The root that a header must have for a block of these entries.
    pub(crate) fn root(&self) -> Hash {
        root(&self.leaves)
    }

    /// The encoded entries, each length-prefixed.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.encoded.as_bytes()
    }
}

/// RFC 6962's audit path of the leaf at an index: the hashes beside its way to the root, lowest level first. `None` when
/// there is no such leaf.
pub fn path(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let leaves: Vec<[u8; 32]> = leaves.iter().map(|leaf| leaf.0).collect();
    let proof = MerkleTree::<Rfc6962>::from_leaves(&leaves).proof(&[index]);
    Some(proof.proof_hashes().iter().copied().map(Hash).collect())
}

#[cfg(test)]
mod tests {
    use ledger_types::Hash;
    use ledger_types::hash::sha256;

    use super::{leaf, path, root};

    /// RFC 6962 section 2.1, by its words.
    fn naive(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => sha256(&[]),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                let (left, right) = leaves.split_at(split);
                sha256(&[&[1], &naive(left).0, &naive(right).0])
            }
        }
    }

    #[test]
    fn the_root_is_that_of_rfc_6962_for_every_count() {
        let leaves: Vec<Hash> = (0u32..300).map(|n| leaf(b"test", &n.to_be_bytes())).collect();
        for count in 0..leaves.len() {
            assert_eq!(root(&leaves[..count]), naive(&leaves[..count]), "{count} leaves");
        }
    }

    /// RFC 6962 section 2.1.1, by its words.
    fn naive_path(leaves: &[Hash], index: usize) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let split = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(split);
        let (mut path, beside) = match index.checked_sub(split) {
            None => (naive_path(left, index), naive(right)),
            Some(index) => (naive_path(right, index), naive(left)),
        };
        path.push(beside);
        path
    }

    #[test]
    fn the_path_is_that_of_rfc_6962_for_every_leaf() {
        let leaves: Vec<Hash> = (0u32..70).map(|n| leaf(b"test", &n.to_be_bytes())).collect();
        for count in 1..leaves.len() {
            for index in 0..count {
                let expected = naive_path(&leaves[..count], index);
                assert_eq!(path(&leaves[..count], index), Some(expected), "{index} of {count}");
            }
            assert_eq!(path(&leaves[..count], count), None);
        }
        assert_eq!(path(&[], 0), None);
    }
}
