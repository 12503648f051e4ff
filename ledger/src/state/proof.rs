use bytes::Bytes;
use ledger_types::codec::{CodecError, Reader, Writer};
use ledger_types::{Address, Hash};
use thiserror::Error;

use super::branch::{Child, Leaf};
use super::error::StateError;
use super::hashing::{self, BITS, EMPTY_ROOT};
use super::key::NodeKey;
use super::node::Node;
use super::source::{NodeSource, load_branch, load_root};

/// What stands at the end of an address's way through the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofEnd {
    /// The address's own leaf: it has a value.
    Present,
    /// Nothing: the address has no value.
    Vacant,
    /// Another address's leaf, alone in the subtree where this address would be: it has no value.
    Other {
        /// SHA-256 of the other address.
        key_hash: Hash,
        /// SHA-256 of the other address's value.
        value_hash: Hash,
    },
}

/// That an address has a value, or none, under a state root.
///
/// Encoding: `end (1: 0 present, 1 vacant, 2 other || key hash (32) || value hash (32)) || siblings (2) ||
/// bitmap || hashes`. The bitmap has a bit per sibling, lowest level first, highest bit first, set when the
/// sibling is not empty; padding bits are zero. The hashes of the siblings that are set follow. At most 8,291
/// bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateProof {
    end: ProofEnd,
    /// Hashes beside the way, lowest level first.
    siblings: Vec<Hash>,
}

/// Why a proof does not prove the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// It proves presence and the claim is absence, or the other way round.
    #[error("the proof is of the other kind: presence against absence")]
    OtherKind,
    /// The other leaf does not stand where the address would be.
    #[error("the proof's leaf does not stand in the address's place")]
    OffPath,
    /// The hashes lead to another root.
    #[error("the proof leads to root {found}")]
    OtherRoot {
        /// The root that the proof leads to.
        found: Hash,
    },
}

impl StateProof {
    /// What stands at the end of the address's way.
    pub fn end(&self) -> ProofEnd {
        self.end
    }

    /// Hashes beside the way, lowest level first, empty ones included; at most 256.
    pub fn siblings(&self) -> &[Hash] {
        &self.siblings
    }

    /// Checks that under `root` the address has this value, or has none.
    ///
    /// # Errors
    /// The reason why the proof does not show it.
    pub fn verify(&self, root: &Hash, address: &Address, value: Option<&[u8]>) -> Result<(), ProofError> {
        let key_hash = hashing::key_hash(address);
        let end = match (self.end, value) {
            (ProofEnd::Present, Some(value)) => hashing::leaf(&key_hash, &hashing::value_hash(value)),
            (ProofEnd::Vacant, None) => EMPTY_ROOT,
            (ProofEnd::Other { key_hash: other, value_hash }, None) => {
                if other == key_hash || hashing::common_bits(&other, &key_hash) < self.siblings.len() {
                    return Err(ProofError::OffPath);
                }
                hashing::leaf(&other, &value_hash)
            }
            _ => return Err(ProofError::OtherKind),
        };
        let levels = (0..self.siblings.len()).rev();
        let found = levels.zip(&self.siblings).fold(end, |below, (depth, sibling)| {
            if hashing::bit(&key_hash, depth) {
                hashing::inner(sibling, &below)
            } else {
                hashing::inner(&below, sibling)
            }
        });
        if found == *root { Ok(()) } else { Err(ProofError::OtherRoot { found }) }
    }

    /// The one encoding of this proof.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match self.end {
            ProofEnd::Present => _ = writer.u8(0),
            ProofEnd::Vacant => _ = writer.u8(1),
            ProofEnd::Other { key_hash, value_hash } => {
                _ = writer.u8(2).raw(&key_hash.0).raw(&value_hash.0);
            }
        }
        writer.u16(u16::try_from(self.siblings.len()).expect("invariant: at most 256 siblings"));
        for eight in self.siblings.chunks(8) {
            let bits = eight.iter().zip(0..).filter(|(sibling, _)| **sibling != EMPTY_ROOT);
            writer.u8(bits.fold(0, |byte, (_, at)| byte | 0x80 >> at));
        }
        for sibling in self.siblings.iter().filter(|sibling| **sibling != EMPTY_ROOT) {
            writer.raw(&sibling.0);
        }
        writer.finish()
    }

    /// Reads a proof.
    ///
    /// # Errors
    /// When the bytes are not the one encoding of a proof.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let end = match reader.u8("proof end")? {
            0 => ProofEnd::Present,
            1 => ProofEnd::Vacant,
            2 => ProofEnd::Other {
                key_hash: Hash(reader.array("other key hash")?),
                value_hash: Hash(reader.array("other value hash")?),
            },
            _ => return reader.bad("proof end"),
        };
        let count = usize::from(reader.u16("sibling count")?);
        if count > BITS {
            return reader.bad("sibling count");
        }
        let bitmap =
            (0..count.div_ceil(8)).map(|_| reader.u8("sibling bitmap")).collect::<Result<Vec<_>, _>>()?;
        let is_set = |at: usize| bitmap[at / 8] & (0x80 >> (at % 8)) != 0;
        if (count..8 * bitmap.len()).any(is_set) {
            return reader.bad("sibling bitmap");
        }
        let mut siblings = vec![EMPTY_ROOT; count];
        for (at, sibling) in siblings.iter_mut().enumerate() {
            if is_set(at) {
                *sibling = Hash(reader.array("sibling")?);
                if *sibling == EMPTY_ROOT {
                    return reader.bad("sibling");
                }
            }
        }
        reader.finish()?;
        Ok(Self { end, siblings })
    }
}

/// The proof that an address has its value, or none, at a version. The value itself is not part of it.
///
/// # Errors
/// As [`super::tree::root`], for every node on the way to the address.
pub fn prove(source: &dyn NodeSource, version: u64, address: &Address) -> Result<StateProof, StateError> {
    let target = hashing::key_hash(address);
    let end_at = |leaf: &Leaf| match leaf.key_hash == target {
        true => ProofEnd::Present,
        false => ProofEnd::Other { key_hash: leaf.key_hash, value_hash: leaf.value_hash },
    };
    let mut branch = match load_root(source, version)? {
        Node::Empty => return Ok(StateProof { end: ProofEnd::Vacant, siblings: Vec::new() }),
        Node::Leaf(leaf) => return Ok(StateProof { end: end_at(&leaf), siblings: Vec::new() }),
        Node::Branch(root) => root,
    };
    let (mut siblings, mut depth) = (Vec::new(), 0);
    // A branch below the last level is a damaged node, so the walk ends.
    let end = loop {
        match branch.descend(hashing::nibble(&target, depth), &mut siblings) {
            None => break ProofEnd::Vacant,
            Some(Child::Leaf(leaf, _)) => break end_at(&leaf),
            Some(Child::Branch(version, hash)) => {
                depth += 1;
                branch = load_branch(source, &NodeKey::on_way(version, &target, depth), &hash)?;
            }
        }
    };
    siblings.reverse();
    Ok(StateProof { end, siblings })
}
