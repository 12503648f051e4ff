//! Who is there: keys, committees and the block that all begin from.

use std::sync::Arc;

use bytes::Bytes;
use consensus::{Committee, Ed25519Signer};
use ledger_types::signature::Curve;
use ledger_types::topology::{Cluster, NetKey, Validator};
use ledger_types::{
    BlockHeader, BlockId, ConfigHash, Hash, NetworkId, PrivateKey, PublicKey, Topology, ValidatorId, VoteKey,
};

use super::{Committed, WALL_START_MS};

/// The vote key of a node.
pub fn key(node: usize) -> PrivateKey {
    PrivateKey::from_bytes(Curve::Ed25519, [u8::try_from(node).expect("few nodes") + 1; 32])
        .expect("any bytes do")
}

/// What a node signs with.
pub fn signer(node: usize) -> Box<Ed25519Signer> {
    Box::new(Ed25519Signer::new(key(node)).expect("an ed25519 key"))
}

/// Clusters of these sizes.
pub fn topology(shape: &[usize]) -> Topology {
    let mut index = 0;
    let mut validator = || {
        let PublicKey::Ed25519(vote_key) = key(index).public_key() else { unreachable!("an ed25519 key") };
        index += 1;
        let number = u8::try_from(index).expect("few nodes");
        let name = format!("n{index}");
        Validator { name, vote_key: VoteKey(vote_key), net_key: NetKey([number; 32]), delegate: true }
    };
    let clusters = shape.iter().enumerate().map(|(cluster, size)| Cluster {
        name: format!("c{cluster}"),
        validators: (0..*size).map(|_| validator()).collect(),
    });
    Topology::new(clusters.collect()).expect("a good shape")
}

/// The committee of these clusters, and its places in order.
pub fn committee(shape: &[usize]) -> (Arc<Committee>, Vec<ValidatorId>) {
    let topology = topology(shape);
    let first = genesis(&topology);
    let places = topology.validators().map(|(place, _)| place).collect();
    (Arc::new(Committee::new(NetworkId([1; 32]), 0, topology, &first.id)), places)
}

/// The block that all begin from.
pub fn genesis(topology: &Topology) -> Committed {
    let header = BlockHeader {
        network_id: NetworkId([1; 32]),
        epoch: 0,
        view: 0,
        height: 0,
        parent: BlockId::ZERO,
        proposer: ValidatorId { cluster: 0, node: 0 },
        time_ms: WALL_START_MS,
        entry_count: 0,
        receipt_count: 0,
        entries_root: Hash::ZERO,
        state_root: Hash::ZERO,
        receipts_root: Hash::ZERO,
        cfg_hash: ConfigHash(topology.cfg_hash().0),
        next_cfg_hash: None,
    };
    Committed { id: header.id(), header, body: Bytes::new(), certificate: None }
}
