//! The hash functions in use, and a 32-byte digest.

use ring::digest::{Algorithm, Context, SHA256, SHA512, SHA512_256};
use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};

crate::ids::fixed_bytes! {
    /// A 32-byte digest: a Merkle root or a SHA-256 / SHA-512/256 value.
    Hash, 32
}

/// SHA-256 of the parts, one after the other.
pub fn sha256(parts: &[&[u8]]) -> Hash {
    if has_instructions() { Hash(sha2(parts)) } else { Hash(ring(&SHA256, parts)) }
}

/// Whether the processor has instructions for SHA-256. With them, `sha2` takes half of ring's time for what is as short as a
/// node of a Merkle tree; without them ring, whose assembly does without, takes half of sha2's.
fn has_instructions() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("sha");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("sha2");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

fn sha2(parts: &[&[u8]]) -> [u8; 32] {
    if let Some(hash) = short(parts) {
        return hash;
    }
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// SHA-256's state before the first block (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Bytes of two blocks without what ends a message: a one bit and its length in bits.
const SHORT: usize = 2 * 64 - 9;

/// The hash of a message of at most two blocks, which is every node of a tree, padded here and compressed at once; `None`
/// when it is longer.
fn short(parts: &[&[u8]]) -> Option<[u8; 32]> {
    let mut blocks = [[0; 64]; 2];
    let bytes = blocks.as_flattened_mut();
    let mut len = 0;
    for part in parts {
        let end = len + part.len();
        if end > SHORT {
            return None;
        }
        bytes[len..end].copy_from_slice(part);
        len = end;
    }
    bytes[len] = 0x80;
    let used = (len + 9).div_ceil(64);
    bytes[64 * used - 8..64 * used].copy_from_slice(&(8 * len as u64).to_be_bytes());
    let mut state = INITIAL;
    compress256(&mut state, &blocks[..used]);
    let mut hash = [0; 32];
    hash.chunks_exact_mut(4).zip(state).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_be_bytes()));
    Some(hash)
}

/// SHA-512/256 of the parts, one after the other.
pub fn sha512_256(parts: &[&[u8]]) -> Hash {
    Hash(ring(&SHA512_256, parts))
}

/// SHA-512 of the parts, one after the other.
pub fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    ring(&SHA512, parts)
}

/// By `ring`, which nearly halves what `sha2` takes without instructions of the processor; few have any for SHA-512.
fn ring<const N: usize>(algorithm: &'static Algorithm, parts: &[&[u8]]) -> [u8; N] {
    let mut context = Context::new(algorithm);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().try_into().expect("invariant: N is the length of the algorithm's hashes")
}

#[cfg(test)]
mod tests {
    use ring::digest::SHA256;
    use sha2::{Digest as _, Sha256, Sha512, Sha512_256};

    use super::{ring, sha2, sha256, sha512, sha512_256, short};

    #[test]
    fn hashes_are_those_of_another_implementation() {
        let bytes: Vec<u8> = (0..700u32).map(|n| (n * n % 251) as u8).collect();
        for len in 0..bytes.len() {
            let whole = &bytes[..len];
            let (a, b) = whole.split_at(len / 3);
            let expected: [u8; 32] = Sha256::digest(whole).into();
            assert_eq!(short(&[whole]).is_some(), len <= 119);
            assert_eq!([sha256(&[a, b]).0, sha2(&[a, b]), ring(&SHA256, &[a, b])], [expected; 3]);
            assert_eq!(sha512_256(&[a, b]).0[..], Sha512_256::digest(whole)[..]);
            assert_eq!(sha512(&[a, b])[..], Sha512::digest(whole)[..]);
        }
    }
}
