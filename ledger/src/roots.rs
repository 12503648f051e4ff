//! Merkle roots of a block's lists: RFC 6962 trees over SHA-256, each list with a domain of its own.

use ledger_types::Hash;
use ledger_types::hash::sha256;
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

#[cfg(test)]
mod tests {
    use ledger_types::Hash;
    use ledger_types::hash::sha256;

    use super::{leaf, root};

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
}
