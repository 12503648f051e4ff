//! The hashing rules of the tree. Whoever checks a proof needs these and nothing else.
//!
//! - key hash = SHA-256(address), value hash = SHA-256(value);
//! - leaf = SHA-256(`"JMT::LeafNode"` || key hash || value hash);
//! - inner = SHA-256(`"JMT::IntrnalNode"` || left || right), binary, by the bits of the key hash, highest first;
//! - an empty subtree is the constant [`EMPTY_ROOT`], and a subtree with a single leaf is that leaf.

use ledger_types::hash::sha256;
use ledger_types::{Address, Hash};
use sha2::block_api::compress256;

/// The root of a state without values, and of every empty subtree.
pub const EMPTY_ROOT: Hash = Hash(*b"SPARSE_MERKLE_PLACEHOLDER_HASH__");

/// Nibbles, and thereby levels of nodes, in a key hash.
pub(super) const NIBBLES: usize = 2 * Hash::LEN;

/// Bits, and thereby levels of siblings, in a key hash.
pub(super) const BITS: usize = 8 * Hash::LEN;

pub(crate) fn key_hash(address: &Address) -> Hash {
    short_sha256::<1>(&[&address.0])
}

pub(crate) fn value_hash(value: &[u8]) -> Hash {
    sha256(&[value])
}

pub(super) fn leaf(key_hash: &Hash, value_hash: &Hash) -> Hash {
    short_sha256::<2>(&[b"JMT::LeafNode", &key_hash.0, &value_hash.0])
}

pub(super) fn inner(left: &Hash, right: &Hash) -> Hash {
    short_sha256::<2>(&[b"JMT::IntrnalNode", &left.0, &right.0])
}

/// SHA-256 of a message that fills so many blocks of 64 bytes, 9 bytes of padding included. A quarter faster than what
/// takes any length, and a put costs a dozen of these.
fn short_sha256<const BLOCKS: usize>(parts: &[&[u8]]) -> Hash {
    const START: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let mut blocks = [[0; 64]; BLOCKS];
    let message = blocks.as_flattened_mut();
    let mut len = 0;
    for part in parts {
        message[len..len + part.len()].copy_from_slice(part);
        len += part.len();
    }
    message[len] = 0x80;
    let bits = message.last_chunk_mut::<8>().expect("invariant: a block has more than 8 bytes");
    *bits = (8 * len as u64).to_be_bytes();
    let mut state = START;
    compress256(&mut state, &blocks);
    let mut hash = Hash::ZERO;
    for (bytes, word) in hash.0.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

/// The nibble of a key hash at a depth below 64.
pub(super) fn nibble(key_hash: &Hash, depth: usize) -> u8 {
    let byte = key_hash.0[depth / 2];
    if depth.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f }
}

/// The bit of a key hash at a depth below 256.
pub(super) fn bit(key_hash: &Hash, depth: usize) -> bool {
    key_hash.0[depth / 8] & (0x80 >> (depth % 8)) != 0
}

/// How many leading bits two key hashes share.
pub(super) fn common_bits(a: &Hash, b: &Hash) -> usize {
    let bytes = a.0.iter().zip(&b.0).take_while(|(a, b)| a == b).count();
    let rest = match a.0.get(bytes).zip(b.0.get(bytes)) {
        Some((a, b)) => (a ^ b).leading_zeros() as usize,
        None => 0,
    };
    8 * bytes + rest
}

#[cfg(test)]
mod tests {
    use ledger_types::hash::sha256;
    use ledger_types::{Address, Hash};

    use super::{inner, key_hash, leaf};

    #[test]
    fn the_short_way_is_sha_256() {
        for n in 0..=255u8 {
            let (a, b) = (sha256(&[&[n]]), sha256(&[&[n, n]]));
            assert_eq!(inner(&a, &b), sha256(&[b"JMT::IntrnalNode", &a.0, &b.0]));
            assert_eq!(leaf(&a, &b), sha256(&[b"JMT::LeafNode", &a.0, &b.0]));
            let address = Address([n; 35]);
            assert_eq!(key_hash(&address), sha256(&[&address.0]));
        }
        assert_eq!(leaf(&Hash::ZERO, &Hash::ZERO), sha256(&[b"JMT::LeafNode", &[0; 64]]));
    }
}
