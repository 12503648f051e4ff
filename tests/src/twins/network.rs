//! Four validators in one cluster and their genesis block.

use std::sync::Arc;

use consensus::Committee;
use ledger_types::topology::{Cluster, NetKey, Validator};
use ledger_types::{BlockHeader, BlockId, ConfigHash, Hash, NetworkId, Topology, ValidatorId, VoteKey};

use super::scenario::{ROUNDS, VALIDATORS};

/// What all scenarios share.
pub(crate) struct Network {
    pub(crate) committee: Arc<Committee>,
    pub(crate) genesis: (BlockId, BlockHeader),
    /// The validators in the order in which they lead from view 1 on.
    pub(crate) leaders: Vec<ValidatorId>,
}

/// The network; it is always the same.
pub(crate) fn network() -> Network {
    let validators = (1u8..).take(VALIDATORS).map(|number| Validator {
        name: format!("n{number}"),
        vote_key: VoteKey([number; 32]),
        net_key: NetKey([number + 100; 32]),
        delegate: true,
    });
    let cluster = Cluster { name: "c".into(), validators: validators.collect() };
    let topology = Topology::new(vec![cluster]).expect("invariant: a good shape");
    let network_id = NetworkId([1; 32]);
    let header = BlockHeader {
        network_id,
        epoch: 0,
        view: 0,
        height: 0,
        parent: BlockId::ZERO,
        proposer: ValidatorId { cluster: 0, node: 0 },
        time_ms: 0,
        entry_count: 0,
        receipt_count: 0,
        entries_root: Hash::ZERO,
        state_root: Hash::ZERO,
        receipts_root: Hash::ZERO,
        cfg_hash: ConfigHash(topology.cfg_hash().0),
        next_cfg_hash: None,
    };
    let genesis = (header.id(), header);
    let committee = Arc::new(Committee::new(network_id, 0, topology, &genesis.0));
    let leaders = (1..=ROUNDS).map(|view| committee.leader(view)).collect();
    Network { committee, genesis, leaders }
}
