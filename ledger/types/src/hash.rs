//! The hash functions in use, and a 32-byte digest.

use sha2::{Sha256, Sha512, Sha512_256};

crate::ids::fixed_bytes! {
    /// A 32-byte digest: a Merkle root or a SHA-256 / SHA-512/256 value.
    Hash, 32
}

/// SHA-256 of the parts, one after the other.
pub fn sha256(parts: &[&[u8]]) -> Hash {
    Hash(digest::<Sha256, 32>(parts))
}

/// SHA-512/256 of the parts, one after the other.
pub fn sha512_256(parts: &[&[u8]]) -> Hash {
    Hash(digest::<Sha512_256, 32>(parts))
}

/// SHA-512 of the parts, one after the other.
pub fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    digest::<Sha512, 64>(parts)
}

fn digest<D, const N: usize>(parts: &[&[u8]]) -> [u8; N]
where
    D: sha2::Digest,
    [u8; N]: From<sha2::digest::Output<D>>,
{
    let mut hasher = D::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}
