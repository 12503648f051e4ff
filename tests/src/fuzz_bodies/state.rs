//! Records of the authenticated state, and proofs.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::state::{EMPTY_ROOT, NodeKey, NodeSource, StateError, StateProof, presence, tree};
use ledger_types::{Address, Hash};

use super::has_one_encoding;

/// The version that holds the node.
const VERSION: u64 = 7;

/// A proof of a value's presence or absence; against a root that it cannot lead to.
pub fn state_proof(input: &[u8]) -> bool {
    let proof = StateProof::decode(Bytes::copy_from_slice(input)).ok();
    has_one_encoding(input, proof, |proof| {
        for value in [None, Some(&b"value"[..])] {
            assert!(proof.verify(&Hash([0xee; 32]), &Address::ZERO, value).is_err());
        }
        proof.encode()
    })
}

/// The key of a tree node.
pub fn state_node_key(input: &[u8]) -> bool {
    has_one_encoding(input, NodeKey::decode(input), |key| key.encode().to_vec())
}

/// A tree node: it stands at the root, and wherever else it is looked for.
pub fn state_node(input: &[u8]) -> bool {
    let source = Everywhere(input);
    let changes =
        BTreeMap::from([(Address([1; 35]), Some(Bytes::from_static(b"value"))), (Address::ZERO, None)]);
    // A hash that its parent does not hold is refused by name, so neither the walk nor the update goes far.
    let _ = tree::prove(&source, VERSION, &Address::ZERO);
    let _ = tree::update(&source, VERSION + 1, &changes);
    match tree::root(&source, VERSION) {
        Ok(root) => {
            assert_eq!(root == EMPTY_ROOT, input == [0], "only the empty tree has its root");
            true
        }
        Err(error) => {
            assert!(matches!(error, StateError::DamagedNode { .. }), "{error}");
            false
        }
    }
}

/// The same node under every key.
struct Everywhere<'a>(&'a [u8]);

impl NodeSource for Everywhere<'_> {
    fn record(&self, _: &NodeKey) -> Result<Option<&[u8]>, StateError> {
        Ok(Some(self.0))
    }
}

/// A record of an address's presence: a stored key of 43 bytes, then the record.
pub fn presence_record(input: &[u8]) -> bool {
    let (key, record) = input.split_at(input.len().min(presence::KEY_BYTES));
    let parsed = presence::parse_key(key).ok().zip(presence::decode(key, record).ok());
    has_one_encoding(input, parsed, |((address, version), is_present)| {
        [&presence::key(address, *version)[..], &presence::encode(*is_present)].concat()
    })
}
