//! The hashing rules of the tree. Whoever checks a proof needs these and nothing else.
//!
//! - key hash = SHA-256(address), value hash = SHA-256(value);
//! - leaf = SHA-256(`"JMT::LeafNode"` || key hash || value hash);
//! - inner = SHA-256(`"JMT::IntrnalNode"` || left || right), binary, by the bits of the key hash, highest first;
//! - an empty subtree is the constant [`EMPTY_ROOT`], and a subtree with a single leaf is that leaf.

use ledger_types::hash::sha256;
use ledger_types::{Address, Hash};

/// The root of a state without values, and of every empty subtree.
pub const EMPTY_ROOT: Hash = Hash(*b"SPARSE_MERKLE_PLACEHOLDER_HASH__");

/// Nibbles, and thereby levels of nodes, in a key hash.
pub(super) const NIBBLES: usize = 2 * Hash::LEN;

/// Bits, and thereby levels of siblings, in a key hash.
pub(super) const BITS: usize = 8 * Hash::LEN;

pub(crate) fn key_hash(address: &Address) -> Hash {
    sha256(&[&address.0])
}

pub(crate) fn value_hash(value: &[u8]) -> Hash {
    sha256(&[value])
}

pub(super) fn leaf(key_hash: &Hash, value_hash: &Hash) -> Hash {
    node(*b"JMT::LeafNode", key_hash, value_hash)
}

pub(super) fn inner(left: &Hash, right: &Hash) -> Hash {
    node(*b"JMT::IntrnalNode", left, right)
}

/// In one piece: most of an update is this, and a hash takes a piece for less than three.
fn node<const N: usize>(domain: [u8; N], left: &Hash, right: &Hash) -> Hash {
    let mut node = [0; 80];
    let node = &mut node[..N + 2 * Hash::LEN];
    node[..N].copy_from_slice(&domain);
    node[N..][..Hash::LEN].copy_from_slice(&left.0);
    node[N + Hash::LEN..].copy_from_slice(&right.0);
    sha256(&[node])
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
