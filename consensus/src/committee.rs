//! The committee of an epoch: whose keys count, who leads, what exactly is signed.

use ledger_types::certificate::Statement;
use ledger_types::codec::Writer;
use ledger_types::{BlockId, ConfigHash, Lineage, NetworkId, Rollback, Topology, ValidatorId, VoteKey};

use crate::leader::Schedule;
use crate::quorum::Quorum;

/// The first bytes of everything that a vote key signs.
const SIGNING_DOMAIN: &[u8] = b"FBFT1";

/// The validators of one epoch of one network.
#[derive(Clone, Debug)]
pub struct Committee {
    lineage: Lineage,
    epoch: u64,
    cfg_hash: ConfigHash,
    topology: Topology,
    quorum: Quorum,
    schedule: Schedule,
}

impl Committee {
    /// The committee of an epoch, under the current id of a lineage. `first_block` is the block that begins the epoch:
    /// genesis for epoch 0.
    pub fn new(lineage: impl Into<Lineage>, epoch: u64, topology: Topology, first_block: &BlockId) -> Self {
        let shape = topology.shape();
        Self {
            lineage: lineage.into(),
            epoch,
            cfg_hash: topology.cfg_hash(),
            schedule: Schedule::new(&shape, epoch, first_block),
            quorum: Quorum::new(shape),
            topology,
        }
    }

    /// The network, by the id that is signed under now.
    pub fn network_id(&self) -> NetworkId {
        self.lineage.current()
    }

    /// All ids that the network had.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The block that the network went back to last. It stands by agreement; what is signed now is about blocks above.
    pub fn origin(&self) -> Option<Rollback> {
        self.lineage.origin()
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
        self.statement_bytes_of(self.network_id(), statement)
    }

    /// The same under one of the network's earlier ids.
    pub(crate) fn statement_bytes_of(&self, network_id: NetworkId, statement: &Statement) -> Vec<u8> {
        let mut writer = self.begin(network_id, statement.kind() as u8);
        statement.encode_fields(&mut writer);
        writer.finish()
    }

    /// Begins signed bytes: what binds them to a purpose, a network, an epoch and a committee (SPEC 3.4).
    pub(crate) fn signed_bytes(&self, kind: u8) -> Writer {
        self.begin(self.network_id(), kind)
    }

    fn begin(&self, network_id: NetworkId, kind: u8) -> Writer {
        let mut writer = Writer::new();
        writer.raw(SIGNING_DOMAIN).u8(kind).raw(&network_id.0).u64(self.epoch).raw(&self.cfg_hash.0);
        writer
    }
}
