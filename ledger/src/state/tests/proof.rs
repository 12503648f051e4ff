use bytes::Bytes;
use jmt::{KeyHash, RootHash};
use ledger_types::{Address, Hash};
use proptest::prelude::*;
use proptest::sample::Index;

use super::oracle::Oracle;
use super::{ADDRESSES, History, any_address, any_history};
use crate::state::hashing;
use crate::state::{EMPTY_ROOT, ProofEnd, ProofError, StateProof, tree};

fn prove(history: &History, version: u64, address: &Address) -> StateProof {
    tree::prove(&history.nodes, version, address).unwrap()
}

/// The library's proof as hashes: an optional leaf of 64 bytes, then typed siblings.
fn sibling_hashes(borsh: &[u8]) -> Vec<Hash> {
    let mut rest = if borsh[0] == 0 { &borsh[1..] } else { &borsh[65..] };
    rest = &rest[4..];
    let mut hashes = Vec::new();
    while let Some((tag, after)) = rest.split_first() {
        let pair = |at: usize| Hash(after[at..at + 32].try_into().unwrap());
        hashes.push(match tag {
            0 => EMPTY_ROOT,
            1 => hashing::inner(&pair(0), &pair(32)),
            _ => hashing::leaf(&pair(0), &pair(32)),
        });
        rest = if *tag == 0 { after } else { &after[64..] };
    }
    hashes
}

proptest! {
    #[test]
    fn proofs_hold_for_all_addresses_at_all_versions(history in any_history()) {
        for (version, content) in history.versions() {
            let root = history.updates[version as usize].root;
            for address in ADDRESSES.iter() {
                let proof = prove(&history, version, address);
                let value = content.get(address).map(Bytes::as_ref);
                prop_assert_eq!(proof.verify(&root, address, value), Ok(()));
                prop_assert_eq!(proof.end() == ProofEnd::Present, value.is_some());
                prop_assert!(proof.verify(&root, address, Some(b"other")).is_err());
                if value.is_some() {
                    prop_assert_eq!(proof.verify(&root, address, None), Err(ProofError::OtherKind));
                }
                prop_assert_eq!(StateProof::decode(proof.encode().into()), Ok(proof));
            }
        }
    }

    #[test]
    fn proofs_are_those_of_the_library(history in any_history(), address in any_address()) {
        let oracle = Oracle::of(&history.changes);
        for (version, content) in history.versions() {
            let tree = oracle.tree();
            let key = KeyHash(hashing::key_hash(&address).0);
            let (value, proof) = tree.get_with_proof(key, version).unwrap();
            prop_assert_eq!(value.as_deref(), content.get(&address).map(Bytes::as_ref));
            prop_assert_eq!(oracle.roots[version as usize], history.updates[version as usize].root);
            let root = RootHash(history.updates[version as usize].root.0);
            proof.verify(root, key, value).unwrap();
            let hashes = sibling_hashes(&borsh::to_vec(&proof).unwrap());
            let ours = prove(&history, version, &address);
            prop_assert_eq!(ours.siblings(), hashes);
        }
    }

    #[test]
    fn a_proof_holds_for_no_other_address(history in any_history(), a in any_address(), b in any_address()) {
        let (root, content) = (history.updates.last().unwrap().root, history.contents.last().unwrap());
        let proof = prove(&history, history.head(), &a);
        let values = [None, content.get(&a), content.get(&b)];
        for value in values.map(|value| value.map(Bytes::as_ref)) {
            if proof.verify(&root, &b, value).is_ok() {
                prop_assert_eq!(value, content.get(&b).map(Bytes::as_ref));
            }
        }
    }

    #[test]
    fn whatever_decodes_is_the_encoding_of_it(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..400),
            prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(2), any::<u8>()], 0..100),
        ],
    ) {
        if let Ok(proof) = StateProof::decode(bytes.clone().into()) {
            prop_assert_eq!(proof.encode(), bytes);
            prop_assert!(proof.verify(&Hash::ZERO, &ADDRESSES[0], None).is_err());
        }
    }

    #[test]
    fn a_cut_or_lengthened_proof_is_no_proof(history in any_history(), address in any_address(), at: Index) {
        let bytes = prove(&history, history.head(), &address).encode();
        prop_assert!(StateProof::decode(bytes[..at.index(bytes.len())].to_vec().into()).is_err());
        prop_assert!(StateProof::decode([bytes.as_slice(), &[0]].concat().into()).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_proof_breaks_with_any_changed_bit(history in any_history(), address in any_address()) {
        let root = history.updates.last().unwrap().root;
        let value = history.contents.last().unwrap().get(&address).map(|value| value.to_vec());
        let proof = prove(&history, history.head(), &address);
        for bit in 0..8 * Hash::LEN {
            let mut root = root;
            root.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(proof.verify(&root, &address, value.as_deref()).is_err());
        }
        for bit in 0..value.as_ref().map_or(0, |value| 8 * value.len()) {
            let mut value = value.clone().unwrap();
            value[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(proof.verify(&root, &address, Some(&value)).is_err());
        }
        let bytes = proof.encode();
        for bit in 0..8 * bytes.len() {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(changed) = StateProof::decode(bytes.into()) {
                prop_assert!(changed.verify(&root, &address, value.as_deref()).is_err(), "bit {}", bit);
            }
        }
    }
}

#[test]
fn every_end_of_a_proof_occurs() {
    let mut history = History::default();
    history.commit(&ADDRESSES[..3].iter().map(|address| (*address, Some(Bytes::from("a")))).collect());
    let ends = ADDRESSES.iter().map(|address| prove(&history, 0, address).end());
    let (mut present, mut vacant, mut other) = (0, 0, 0);
    ends.for_each(|end| match end {
        ProofEnd::Present => present += 1,
        ProofEnd::Vacant => vacant += 1,
        ProofEnd::Other { .. } => other += 1,
    });
    assert!(present == 3 && vacant > 0 && other > 0, "{present} {vacant} {other}");
}

#[test]
fn a_sibling_that_is_empty_has_no_second_encoding() {
    let explicit = [&[1, 0, 1, 0x80][..], &EMPTY_ROOT.0].concat();
    assert!(StateProof::decode(explicit.into()).is_err());
    assert!(StateProof::decode(vec![1, 0, 1, 0x40].into()).is_err(), "padding");
    assert!(StateProof::decode(vec![1, 1, 1].into()).is_err(), "257 siblings");
    assert!(StateProof::decode(vec![1, 0, 1, 0].into()).is_ok());
}

/// An absence proof with another's leaf below so many empty siblings.
fn encoded(key_hash: Hash, value_hash: Hash, siblings: usize) -> StateProof {
    let count = u16::try_from(siblings).unwrap().to_be_bytes();
    let bitmap = vec![0; siblings.div_ceil(8)];
    StateProof::decode([&[2][..], &key_hash.0, &value_hash.0, &count, &bitmap].concat().into()).unwrap()
}

#[test]
fn an_absence_proof_cannot_use_the_address_itself_or_a_leaf_of_another_place() {
    let (address, other) = (&ADDRESSES[0], &ADDRESSES[1]);
    let value_hash = hashing::value_hash(b"a");
    let own = hashing::key_hash(address);
    let root = hashing::leaf(&own, &value_hash);
    let itself = encoded(own, value_hash, 0);
    assert_eq!(itself.verify(&root, address, None), Err(ProofError::OffPath));

    // A tree in which a leaf stands off its own path, so that only the check of the path is left.
    let strange = hashing::key_hash(other);
    let shared = hashing::common_bits(&own, &strange);
    let leaf = hashing::leaf(&strange, &value_hash);
    let root_with = |siblings: usize| {
        (0..siblings).rev().fold(leaf, |below, depth| match hashing::bit(&own, depth) {
            true => hashing::inner(&EMPTY_ROOT, &below),
            false => hashing::inner(&below, &EMPTY_ROOT),
        })
    };
    for (siblings, verdict) in [(shared, Ok(())), (shared + 1, Err(ProofError::OffPath))] {
        let proof = encoded(strange, value_hash, siblings);
        assert_eq!(proof.verify(&root_with(siblings), address, None), verdict);
    }
}
