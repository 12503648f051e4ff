//! The hash functions in use, and a 32-byte digest.

use ring::digest::{Algorithm, Context, SHA256, SHA512, SHA512_256};

crate::ids::fixed_bytes! {
    /// A 32-byte digest: a Merkle root or a SHA-256 / SHA-512/256 value.
    Hash, 32
}

/// SHA-256 of the parts, one after the other.
pub fn sha256(parts: &[&[u8]]) -> Hash {
    Hash(digest(&SHA256, parts))
}

/// SHA-512/256 of the parts, one after the other.
pub fn sha512_256(parts: &[&[u8]]) -> Hash {
    Hash(digest(&SHA512_256, parts))
}

/// SHA-512 of the parts, one after the other.
pub fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    digest(&SHA512, parts)
}

/// By `ring`, whose hashes are in assembly for processors without instructions for them, too: they cost nearly half of
/// what `sha2` takes there.
fn digest<const N: usize>(algorithm: &'static Algorithm, parts: &[&[u8]]) -> [u8; N] {
    let mut context = Context::new(algorithm);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().try_into().expect("invariant: N is the length of the algorithm's hashes")
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256, Sha512, Sha512_256};

    use super::{sha256, sha512, sha512_256};

    #[test]
    fn hashes_are_those_of_another_implementation() {
        let bytes: Vec<u8> = (0..700u32).map(|n| (n * n % 251) as u8).collect();
        for len in 0..bytes.len() {
            let whole = &bytes[..len];
            let (a, b) = whole.split_at(len / 3);
            assert_eq!(sha256(&[a, b]).0[..], Sha256::digest(whole)[..]);
            assert_eq!(sha512_256(&[a, b]).0[..], Sha512_256::digest(whole)[..]);
            assert_eq!(sha512(&[a, b])[..], Sha512::digest(whole)[..]);
        }
    }
}
