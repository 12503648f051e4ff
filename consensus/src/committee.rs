//! The committee of an epoch: whose keys count, who leads, what exactly is signed.

use ledger_types::certificate::Statement;
use ledger_types::codec::Writer;
use ledger_types::{BlockId, ConfigHash, NetworkId, Topology, ValidatorId, VoteKey};

use crate::leader::Schedule;
use crate::quorum::Quorum;

/// The first bytes of everything that a vote key signs.
const SIGNING_DOMAIN: &[u8] = b"FBFT1";

/// The validators of one epoch of one network.
#[derive(Clone, Debug)]
pub struct Committee {
    network_id: NetworkId,
    epoch: u64,
    cfg_hash: ConfigHash,
    topology: Topology,
    quorum: Quorum,
    schedule: Schedule,
}

impl Committee {
    /// The committee of an epoch. `first_block` is the block that begins it: genesis for epoch 0.
    pub fn new(network_id: NetworkId, epoch: u64, topology: Topology, first_block: &BlockId) -> Self {
        let shape = topology.shape();
        Self {
            network_id,
            epoch,
            cfg_hash: topology.cfg_hash(),
            schedule: Schedule::new(&shape, epoch, first_block),
            quorum: Quorum::new(shape),
            topology,
        }
    }

    /// The network.
    pub fn network_id(&self) -> NetworkId {
        self.network_id
    }

    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The id of the topology.
    pub fn cfg_hash(&self) -> ConfigHash {
        self.cfg_hash
    }

    /// The clusters and their validators.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The thresholds.
    pub fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// The leader of a view.
    pub fn leader(&self, view: u64) -> ValidatorId {
        self.schedule.leader(view)
    }

    /// The key that a validator votes with; `None` if there is no such validator.
    pub fn vote_key(&self, id: ValidatorId) -> Option<&VoteKey> {
        self.topology.validator(id).map(|validator| &validator.vote_key)
    }

    /// The bytes that a vote's signature is over.
    pub fn statement_bytes(&self, statement: &Statement) -> Vec<u8> {
        let mut writer = self.signed_bytes(statement.kind() as u8);
        statement.encode_fields(&mut writer);
        writer.finish()
    }

    /// Begins signed bytes: what binds them to a purpose, a network, an epoch and a committee (SPEC 3.4).
    pub(crate) fn signed_bytes(&self, kind: u8) -> Writer {
        let mut writer = Writer::new();
        writer.raw(SIGNING_DOMAIN).u8(kind).raw(&self.network_id.0).u64(self.epoch).raw(&self.cfg_hash.0);
        writer
    }
}
