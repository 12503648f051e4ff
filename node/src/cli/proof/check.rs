//! The checker of proofs, by the rules on paper: hashes and bytes, nothing of the ledger's.
//!
//! **State.** A binary tree over SHA-256. A value's place is the path of its key hash, SHA-256 of the address, highest bit
//! first. A leaf is SHA-256(`"JMT::LeafNode"` || key hash || SHA-256 of the value), an inner node
//! SHA-256(`"JMT::IntrnalNode"` || left || right), an empty subtree a constant; a subtree with one leaf is that leaf. The
//! proof: what stands at the end of the way (0: the address's leaf, 1: nothing, 2: another leaf's key hash and value
//! hash), the count of siblings (2 bytes), a bitmap of those that are not empty, and their hashes, lowest level first.
//!
//! **Lists.** RFC 6962 over SHA-256, a leaf being SHA-256(byte 0 || domain || length (4 bytes) || content) and an inner
//! node SHA-256(byte 1 || left || right).

use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A SHA-256 hash.
pub(super) type Digest = [u8; 32];

/// The hash of an empty subtree of the state.
const EMPTY: Digest = *b"SPARSE_MERKLE_PLACEHOLDER_HASH__";

/// Why a proof does not prove the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Refusal {
    /// The bytes are not laid out as a proof, or not in its one way.
    #[error("the bytes are not a proof: {0}")]
    Layout(&'static str),
    /// The proof is of presence and the claim is absence, or the other way round.
    #[error("the proof is of the other kind: presence against absence")]
    OtherKind,
    /// The other leaf does not stand where the address would be.
    #[error("the proof's leaf does not stand in the address's place")]
    OffPath,
    /// There is no item of this index, or the path is not as long as the way to the root.
    #[error("the path does not belong to an item of this index in a list of this length")]
    OtherShape,
    /// The hashes lead elsewhere.
    #[error("the proof leads to another root")]
    OtherRoot,
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// Checks that under a state root an address has this value, or none.
pub(super) fn check_state(
    proof: &[u8],
    root: &Digest,
    address: &[u8],
    value: Option<&[u8]>,
) -> Result<(), Refusal> {
    let (end, siblings) = read_state_proof(proof)?;
    let key = hash(&[address]);
    let leaf = |key: &Digest, value: &Digest| hash(&[b"JMT::LeafNode", key, value]);
    let mut node = match (end, value) {
        (End::Present, Some(value)) => leaf(&key, &hash(&[value])),
        (End::Vacant, None) => EMPTY,
        (End::Other(other_key, other_value), None) => {
            let shares_way = (0..siblings.len()).all(|depth| bit(&other_key, depth) == bit(&key, depth));
            if other_key == key || !shares_way {
                return Err(Refusal::OffPath);
            }
            leaf(&other_key, &other_value)
        }
        _ => return Err(Refusal::OtherKind),
    };
    for (above, sibling) in siblings.iter().enumerate() {
        let depth = siblings.len() - 1 - above;
        let (left, right) = if bit(&key, depth) { (sibling, &node) } else { (&node, sibling) };
        node = hash(&[b"JMT::IntrnalNode", left, right]);
    }
    if node == *root { Ok(()) } else { Err(Refusal::OtherRoot) }
}

enum End {
    Present,
    Vacant,
    Other(Digest, Digest),
}

/// The bit that decides at a depth: left or right.
fn bit(key: &Digest, depth: usize) -> bool {
    key[depth / 8] >> (7 - depth % 8) & 1 == 1
}

fn read_state_proof(mut bytes: &[u8]) -> Result<(End, Vec<Digest>), Refusal> {
    let end = match take::<1>(&mut bytes)? {
        [0] => End::Present,
        [1] => End::Vacant,
        [2] => End::Other(take(&mut bytes)?, take(&mut bytes)?),
        _ => return Err(Refusal::Layout("its end is of no known kind")),
    };
    let count = usize::from(u16::from_be_bytes(take(&mut bytes)?));
    if count > 256 {
        return Err(Refusal::Layout("it has more siblings than a key has bits"));
    }
    let bitmap: Vec<u8> =
        (0..count.div_ceil(8)).map(|_| take::<1>(&mut bytes).map(|[byte]| byte)).collect::<Result<_, _>>()?;
    let is_set = |at: usize| bitmap[at / 8] >> (7 - at % 8) & 1 == 1;
    if (count..8 * bitmap.len()).any(is_set) {
        return Err(Refusal::Layout("its bitmap names siblings beyond its count"));
    }
    let mut siblings = vec![EMPTY; count];
    for (_, sibling) in siblings.iter_mut().enumerate().filter(|(at, _)| is_set(*at)) {
        *sibling = take(&mut bytes)?;
        if *sibling == EMPTY {
            return Err(Refusal::Layout("an empty sibling is written out"));
        }
    }
    match bytes.is_empty() {
        true => Ok((end, siblings)),
        false => Err(Refusal::Layout("bytes are left over")),
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Refusal> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(Refusal::Layout("it is cut short"))?;
    *bytes = rest;
    Ok(*taken)
}

/// An item's place in a list of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// What keeps lists apart.
    pub(super) domain: &'a [u8],
    /// The item's index.
    pub(super) index: u64,
    /// The length of the list, as the block's header has it.
    pub(super) count: u64,
}

/// Checks that an item stands at its place in the list with this root.
pub(super) fn check_inclusion(
    content: &[u8],
    place: Place<'_>,
    path: &[Digest],
    root: &Digest,
) -> Result<(), Refusal> {
    let len = u32::try_from(content.len()).map_err(|_| Refusal::OtherShape)?;
    let mut node = hash(&[&[0], place.domain, &len.to_be_bytes(), content]);
    // RFC 9162, 2.1.3.2: `last` is the index of the level's last node.
    let (mut index, mut last) = (place.index, place.count.checked_sub(1).ok_or(Refusal::OtherShape)?);
    if index > last {
        return Err(Refusal::OtherShape);
    }
    for sibling in path {
        if last == 0 {
            return Err(Refusal::OtherShape);
        }
        // A last node without a sibling is also that of the level above.
        while index == last && index % 2 == 0 {
            (index, last) = (index / 2, last / 2);
        }
        let (left, right) = if index % 2 == 1 { (sibling, &node) } else { (&node, sibling) };
        node = hash(&[&[1], left, right]);
        (index, last) = (index / 2, last / 2);
    }
    match (last, node == *root) {
        (0, true) => Ok(()),
        (0, false) => Err(Refusal::OtherRoot),
        _ => Err(Refusal::OtherShape),
    }
}
