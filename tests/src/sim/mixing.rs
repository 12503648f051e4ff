//! A fast hash for everything that only has to be different: toy roots, simulated signatures, the trace. Nobody in
//! the simulated world looks for collisions.

/// Mixes two numbers into one (the folded multiplication of wyhash).
pub fn mix(one: u64, other: u64) -> u64 {
    let product = u128::from(one ^ 0xa076_1d64_78bd_642f) * u128::from(other ^ 0xe703_7ed1_a0b4_28db);
    #[allow(clippy::cast_possible_truncation, reason = "both halves are wanted")]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

/// A number for a byte string.
pub fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = mix(seed, bytes.len() as u64);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        state = mix(state, word);
    }
    let mut last = [0; 8];
    let rest = chunks.remainder();
    last[..rest.len()].copy_from_slice(rest);
    mix(state ^ 0x8ebc_6af0_9c88_c6e3, u64::from_le_bytes(last))
}

/// `N` bytes for a byte string; `N` is a multiple of eight.
pub fn digest<const N: usize>(seed: u64, bytes: &[u8]) -> [u8; N] {
    let mut state = hash(seed, bytes);
    let mut out = [0; N];
    for chunk in out.chunks_exact_mut(8) {
        state = mix(state, 0x5896_5cd7_2171_3b4d);
        chunk.copy_from_slice(&state.to_be_bytes());
    }
    out
}
