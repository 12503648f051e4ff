//! What a replica is told once, at its start.

use std::sync::Arc;

use ledger_types::ValidatorId;

use crate::committee::Committee;
use crate::guard::Start;

/// Network parameters and this node's place. All nodes must agree on committee and timing.
#[derive(Clone, Debug)]
pub struct Params {
    /// Who votes.
    pub committee: Arc<Committee>,
    /// This node's place in the committee.
    pub own: ValidatorId,
    /// Delays.
    pub timing: Timing,
    /// What this start knows of its past.
    pub start: Start,
}

/// Delays, in milliseconds. They decide how fast views pass, never what is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The first guess of how long a message takes between connected nodes.
    pub delta_ms: u64,
    /// What the guess grows to at most.
    pub delta_max_ms: u64,
    /// The execution budget of a block.
    pub execution_ms: u64,
    /// How far a proposal's time may lie ahead of this node's clock.
    pub drift_ms: u64,
}

impl Timing {
    /// Defaults between nodes in one place.
    pub const LAN: Self = Self { delta_ms: 50, delta_max_ms: 1_000, execution_ms: 150, drift_ms: 500 };
    /// Defaults between distant nodes.
    pub const WAN: Self = Self { delta_ms: 250, delta_max_ms: 2_000, execution_ms: 150, drift_ms: 500 };
}
