//! The checker against the trees that it shares nothing with.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::roots;
use ledger::state::{StateProof, tree};
use ledger_types::hash::sha256;
use ledger_types::{Address, Hash};
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::check::{Digest, Place, Refusal, check_inclusion, check_state};

/// Addresses whose key hashes share their first bits now and then.
fn address(n: u8) -> Address {
    Address([n; Address::LEN])
}

type Content = BTreeMap<Address, Bytes>;

fn any_content() -> impl Strategy<Value = Content> {
    let value = prop::collection::vec(any::<u8>(), 0..3).prop_map(Bytes::from);
    prop::collection::btree_map((0..60u8).prop_map(address), value, 0..40)
}

/// The tree's root, and its proof for an address.
fn prove(content: &Content, address: &Address) -> (Hash, Vec<u8>) {
    let changes = content.iter().map(|(address, value)| (*address, Some(value.clone()))).collect();
    let update = tree::update(&BTreeMap::<Vec<u8>, Bytes>::new(), 0, &changes).unwrap();
    let nodes: BTreeMap<Vec<u8>, Bytes> = update.records().collect();
    (update.root, tree::prove(&nodes, 0, address).unwrap().encode())
}

proptest! {
    #[test]
    fn what_the_tree_proves_is_proven(content in any_content(), n in 0..60u8, other in any::<u8>()) {
        let address = address(n);
        let (root, proof) = prove(&content, &address);
        let value = content.get(&address).map(|value| &value[..]);
        prop_assert_eq!(check_state(&proof, &root.0, &address.0, value), Ok(()));
        // Nothing else is.
        let kind = if value.is_some() { None } else { Some(&[other][..]) };
        prop_assert_eq!(check_state(&proof, &root.0, &address.0, kind), Err(Refusal::OtherKind));
        if let Some(value) = value {
            let changed = [value, &[other]].concat();
            prop_assert_eq!(check_state(&proof, &root.0, &address.0, Some(&changed)), Err(Refusal::OtherRoot));
        }
        prop_assert!(check_state(&proof, &sha256(&[&root.0]).0, &address.0, value).is_err());
    }

    #[test]
    fn a_proof_is_of_one_address(content in any_content(), n in 0..60u8, m in 0..60u8) {
        let (root, proof) = prove(&content, &address(n));
        let own = content.get(&address(n)).map(|value| &value[..]);
        let claimed = check_state(&proof, &root.0, &address(m).0, own);
        match content.get(&address(m)).map(|value| &value[..]) {
            // One vacant place, or one lonely leaf, shows for many addresses that they have no value.
            None if own.is_none() => {}
            truth if n == m => prop_assert_eq!(truth, own),
            _ => prop_assert!(claimed.is_err()),
        }
    }

    #[test]
    fn a_changed_bit_is_refused(content in any_content(), n in 0..60u8, at in any::<Index>(), bit in 0..8u8) {
        let address = address(n);
        let (root, mut proof) = prove(&content, &address);
        let value = content.get(&address).map(|value| &value[..]);
        let len = proof.len();
        prop_assert!(check_state(&proof[..at.index(len)], &root.0, &address.0, value).is_err());
        prop_assert!(check_state(&[&proof[..], &[0]].concat(), &root.0, &address.0, value).is_err());
        proof[at.index(len)] ^= 1 << bit;
        prop_assert!(check_state(&proof, &root.0, &address.0, value).is_err());
    }

    /// Any bytes: both checkers say the same, also of what no tree made.
    #[test]
    fn both_checkers_agree(
        content in any_content(),
        n in 0..60u8,
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..3),
        random in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
        claims_value in any::<bool>(),
    ) {
        let address = address(n);
        let (root, mut proof) = prove(&content, &address);
        let len = proof.len();
        changes.iter().for_each(|(at, byte)| proof[at.index(len)] = *byte);
        let proof = random.unwrap_or(proof);
        let value = content.get(&address).map(|value| &value[..]).filter(|_| claims_value);
        let theirs = StateProof::decode(proof.clone().into());
        let theirs = theirs.is_ok_and(|theirs| theirs.verify(&root, &address, value).is_ok());
        prop_assert_eq!(check_state(&proof, &root.0, &address.0, value).is_ok(), theirs);
    }

    #[test]
    fn every_leaf_of_a_list_is_proven_at_its_place_only(
        count in 1..70usize, index in any::<Index>(), other in any::<Index>(),
        at in any::<Index>(), bit in 0..8u8,
    ) {
        let contents: Vec<[u8; 4]> = (0..count as u32).map(u32::to_be_bytes).collect();
        let leaves: Vec<Hash> = contents.iter().map(|content| roots::leaf(b"list", content)).collect();
        let (index, other) = (index.index(count), other.index(count + 3));
        let root = roots::root(&leaves).0;
        let path: Vec<Digest> = roots::path(&leaves, index).unwrap().iter().map(|hash| hash.0).collect();
        let check = |content: &[u8], domain: &[u8], index: usize, path: &[Digest]| {
            let place = Place { domain, index: index as u64, count: count as u64 };
            check_inclusion(content, place, path, &root)
        };
        prop_assert_eq!(check(&contents[index], b"list", index, &path), Ok(()));
        prop_assert!(other == index || check(&contents[index], b"list", other, &path).is_err());
        prop_assert!(check(&contents[index], b"other", index, &path).is_err());
        let mut content = contents[index];
        content[at.index(4)] ^= 1 << bit;
        prop_assert!(check(&content, b"list", index, &path).is_err());
        let longer = [&path[..], &[root]].concat();
        prop_assert!(check(&contents[index], b"list", index, &longer).is_err());
        if !path.is_empty() {
            prop_assert!(check(&contents[index], b"list", index, &path[1..]).is_err());
            prop_assert!(check(&contents[index], b"list", index, &path[..path.len() - 1]).is_err());
            let mut changed = path.clone();
            changed[at.index(path.len())][at.index(32)] ^= 1 << bit;
            prop_assert!(check(&contents[index], b"list", index, &changed).is_err());
        }
    }
}

#[test]
fn an_empty_list_has_nothing_in_it() {
    let place = Place { domain: b"list", index: 0, count: 0 };
    assert_eq!(check_inclusion(b"", place, &[], &roots::root(&[]).0), Err(Refusal::OtherShape));
}

#[test]
fn a_lonely_leaf_elsewhere_proves_nothing() {
    let (here, there) = (address(1), address(2));
    let content = Content::from([(here, Bytes::from_static(b"x")), (there, Bytes::from_static(b"y"))]);
    let (root, proof) = prove(&content, &here);
    // The other leaf, true as it is, under the way of the address that has a value.
    let mut forged = vec![2];
    forged.extend_from_slice(&sha256(&[&there.0]).0);
    forged.extend_from_slice(&sha256(&[b"y"]).0);
    forged.extend_from_slice(&proof[1..]);
    assert_eq!(check_state(&forged, &root.0, &here.0, None), Err(Refusal::OffPath));
}
