//! What the API may ask of the engine.

use std::sync::Arc;

use api::{NodeStatus, Role, StatusSource};
use ledger::Pool;
use ledger_types::Topology;

use crate::engine::EngineHandle;

/// Answers from the engine and the pool.
pub(crate) struct EngineStatus {
    pub(crate) engine: EngineHandle,
    pub(crate) pool: Arc<Pool>,
    pub(crate) quorum: u32,
}

impl EngineStatus {
    pub(crate) fn new(engine: EngineHandle, pool: Arc<Pool>, topology: &Topology) -> Self {
        let votes = consensus::Quorum::new(topology.shape()).flat_quorum();
        Self { engine, pool, quorum: u32::try_from(votes).unwrap_or(u32::MAX) }
    }
}

impl StatusSource for EngineStatus {
    fn status(&self) -> NodeStatus {
        let status = self.engine.status();
        let role = match (self.engine.fault(), status.role) {
            (Some(_), _) => Role::Observer,
            (None, consensus::Role::Leader) => Role::Leader,
            (None, consensus::Role::Voter) => Role::Validator,
        };
        let pool_batches = self.pool.size().0;
        NodeStatus { peers: Vec::new(), view: status.view, role, quorum: self.quorum, pool_batches }
    }
}
