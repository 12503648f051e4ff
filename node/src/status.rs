//! What the API may ask of the engine and of its records.

use std::sync::Arc;

use api::{Duty, FinalitySource, LogLevels, NodeStatus, Offender, Role, StatusSource};
use consensus::{Record, RecordKey};
use ledger::reader::{FileUse, ReadError};
use ledger::{Ledger, Pool};
use ledger_types::Topology;
use ledger_types::certificate::Certificate;

use crate::engine::EngineHandle;
use crate::log::LogLevel;

/// Answers from the engine and the pool.
pub(crate) struct EngineStatus {
    pub(crate) engine: EngineHandle,
    pub(crate) pool: Arc<Pool>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) quorum: u32,
}

impl EngineStatus {
    pub(crate) fn new(
        engine: EngineHandle,
        pool: Arc<Pool>,
        ledger: Arc<Ledger>,
        topology: &Topology,
    ) -> Self {
        let votes = consensus::Quorum::new(topology.shape()).flat_quorum();
        Self { engine, pool, ledger, quorum: u32::try_from(votes).unwrap_or(u32::MAX) }
    }
}

impl StatusSource for EngineStatus {
    fn status(&self) -> NodeStatus {
        let status = self.engine.status();
        let role = match (self.engine.refusal(), status.role) {
            (Some(_), _) => Role::Observer,
            (None, consensus::Role::Leader) => Role::Leader,
            (None, consensus::Role::Voter) => Role::Validator,
        };
        let offender = |evidence: &consensus::evidence::Evidence| Offender {
            validator: evidence.offender().to_string(),
            view: evidence.view().to_string(),
        };
        NodeStatus {
            peers: Vec::new(),
            view: status.view,
            role,
            quorum: self.quorum,
            pool_batches: self.pool.size().0,
            duty: match status.duty {
                consensus::Duty::Votes => Duty::Votes,
                consensus::Duty::Asks => Duty::Asks,
                consensus::Duty::Forgot => Duty::Forgot,
                consensus::Duty::SilentUpTo(_) => Duty::Silent,
                consensus::Duty::Observes => Duty::Observes,
            },
            heard: status.heard,
            offenders: self.engine.evidence().iter().map(offender).collect(),
        }
    }

    fn fault(&self) -> Option<String> {
        self.engine.refusal()
    }

    fn files(&self) -> Vec<FileUse> {
        let consensus = FileUse::of(self.ledger.consensus().file());
        self.ledger.reader().files().into_iter().chain([consensus]).collect()
    }
}

/// Answers from the archive of the consensus file.
pub(crate) struct Certificates(pub(crate) Arc<Ledger>);

impl FinalitySource for Certificates {
    fn finalization(&self, height: u64) -> Result<Option<Certificate>, ReadError> {
        let (file, key) = (self.0.consensus(), RecordKey::FinalizedAt { height }.encode());
        let Some(value) = file.get(&key)? else { return Ok(None) };
        let damaged = |reason: &dyn std::fmt::Display| {
            ReadError::damaged(file.file().name(), format!("finalization of height {height}"), reason)
        };
        match Record::decode(&key, value).map_err(|error| damaged(&error))? {
            Record::FinalizedAt { certificate, .. } => Ok(Some(certificate)),
            _ => Err(damaged(&"another record stands in its place")),
        }
    }
}

impl LogLevels for LogLevel {
    fn filter(&self) -> String {
        self.get()
    }

    fn set_filter(&self, filter: &str) -> Result<(), String> {
        self.set(filter)
    }
}
