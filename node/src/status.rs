//! What the API may ask of the engine and of its records.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{
    CatchingUp, Duty, FinalitySource, Heartbeat, Link, LogLevels, NodeStatus, Offender, Role, StatusSource,
    Traffic,
};
use ledger::reader::{FileUse, ReadError};
use ledger::{Ledger, Pool};
use ledger_types::Topology;
use ledger_types::certificate::Certificate;

use crate::clock::Clock;
use crate::engine::{self, EngineHandle, Progress};
use crate::log::LogLevel;
use crate::network::{LinkState, Links};

/// Answers from the engine, the pool and the links.
pub(crate) struct EngineStatus {
    pub(crate) engine: EngineHandle,
    pub(crate) pool: Arc<Pool>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) quorum: u32,
    pub(crate) links: Links,
    pub(crate) clock: Clock,
}

impl EngineStatus {
    pub(crate) fn new(
        engine: EngineHandle,
        pool: Arc<Pool>,
        ledger: Arc<Ledger>,
        topology: &Topology,
        links: Links,
        clock: Clock,
    ) -> Self {
        let votes = consensus::Quorum::new(topology.shape()).flat_quorum();
        Self { engine, pool, ledger, quorum: u32::try_from(votes).unwrap_or(u32::MAX), links, clock }
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
        let peers: BTreeMap<_, _> = self.engine.peers().into_iter().collect();
        // Views count from 1: who told of none was only heard voting.
        let told = |link: &LinkState| peers.get(&link.peer).filter(|peer| link.is_up && peer.view > 0);
        let link = |link: LinkState| Link {
            heartbeat: told(&link).map(|peer| Heartbeat {
                final_height: peer.final_height,
                clock_offset_ms: peer.clock_offset_ms,
            }),
            validator: link.peer,
            endpoint: link.endpoint,
            is_up: link.is_up,
            trouble: link.trouble.map(|trouble| trouble.to_string()),
        };
        let (pool_batches, pool_bytes) = self.pool.size();
        let now = self.clock.now();
        NodeStatus {
            links: self.links.states().into_iter().map(link).collect(),
            time_ms: now.wall_ms,
            view: status.view,
            leader: status.leader,
            role,
            catching_up: self.engine.progress().map(catching_up),
            final_height: status.final_height,
            quorum: self.quorum,
            pool_batches,
            pool_bytes,
            pool_oldest_ms: self
                .pool
                .pending_since_ms()
                .map(|since_ms| now.monotonic_ms.saturating_sub(since_ms)),
            duty: match status.duty {
                consensus::Duty::Votes => Duty::Votes,
                consensus::Duty::Asks => Duty::Asks,
                consensus::Duty::Forgot => Duty::Forgot,
                consensus::Duty::SilentUpTo(_) => Duty::Silent,
                consensus::Duty::Follows => Duty::Follows,
                consensus::Duty::Observes => Duty::Observes,
            },
            heard: status.heard,
            is_quorum_heard: status.is_quorum_heard,
            offenders: self.engine.evidence().iter().map(offender).collect(),
        }
    }

    fn fault(&self) -> Option<String> {
        self.engine.refusal().or_else(|| self.engine.too_many_forgot())
    }

    fn not_ready(&self) -> Option<String> {
        self.engine.not_ready()
    }

    fn traffic(&self) -> Traffic {
        let totals = self.links.totals();
        Traffic {
            sent_frames: totals.sent_frames,
            sent_bytes: totals.sent_bytes,
            received_frames: totals.received_frames,
            received_bytes: totals.received_bytes,
            dropped_frames: totals.dropped_frames,
        }
    }

    fn files(&self) -> Vec<FileUse> {
        let consensus = FileUse::of(self.ledger.consensus().file());
        self.ledger.reader().files().into_iter().chain([consensus]).collect()
    }

    fn disk_free_bytes(&self) -> Option<u64> {
        let file = self.ledger.consensus().file();
        file.path().parent().and_then(|folder| ledger::store::free_bytes(folder).ok())
    }
}

fn catching_up(progress: Progress) -> CatchingUp {
    // Saturates, and a fraction of a block or second says nothing.
    let whole = |value: f64| value.round() as u64;
    CatchingUp {
        blocks_per_second: whole(progress.blocks_per_s),
        remaining_seconds: progress.remaining_s.map(whole),
    }
}

/// Answers from the archive of the consensus file.
pub(crate) struct Certificates(pub(crate) Arc<Ledger>);

impl FinalitySource for Certificates {
    fn finalization(&self, height: u64) -> Result<Option<Certificate>, ReadError> {
        engine::finalization(self.0.consensus(), height)
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
