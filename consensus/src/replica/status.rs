//! What a replica tells about itself.

use ledger_types::{BlockHeader, BlockId, ValidatorId};

use super::state::Replica;
use crate::evidence::Evidence;

/// The committed head that a restart begins from: genesis at the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: u64,
    /// Its id.
    pub block: BlockId,
    /// Its header.
    pub header: BlockHeader,
}

/// What this node is in the current view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It proposes.
    Leader,
    /// It votes.
    Voter,
}

/// Whether a node may vote, as its rollback guard sees it (SPEC 3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// It votes.
    Votes,
    /// It has just started and asks its peers what they know of it.
    Asks,
    /// It may have forgotten votes, and too few voting peers have told how far; it signs nothing. If this lasts, too
    /// many nodes forgot at once.
    Forgot,
    /// It signs nothing in this view or below.
    SilentUpTo(u64),
    /// It has not the block yet that the network went back to (SPEC 3.15): it catches up, and signs nothing.
    Follows,
    /// Its vote store is damaged: it follows, and signs nothing until the operator acts.
    Observes,
}

/// Where a replica stands, for people and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The current view.
    pub view: u64,
    /// Its leader.
    pub leader: ValidatorId,
    /// This node's role in it.
    pub role: Role,
    /// The highest view whose finalization is held; what it decides may still wait for its block.
    pub final_view: u64,
    /// The height of the newest decided block; its `Commit` waits at most for a `Persisted`.
    pub decided_height: u64,
    /// The height of the highest finalization that is held: above `decided_height`, this node lags.
    pub final_height: u64,
    /// How many blocks above the decided one are kept.
    pub undecided: usize,
    /// The current guess of a message's delay, milliseconds.
    pub delta_ms: u64,
    /// Whether this node may vote.
    pub duty: Duty,
    /// How many validators were heard lately, this one included.
    pub heard: usize,
    /// Whether these are a quorum: if not, nothing can be decided now.
    pub is_quorum_heard: bool,
    /// Whether those of them that know how far they voted are a quorum: if not and it lasts, too many lost votes at once.
    pub is_quorum_voting: bool,
    /// Validators against whom there is proof that they lied.
    pub offenders: usize,
}

impl Replica {
    /// Where this replica stands.
    pub fn status(&self) -> Status {
        let leader = self.committee.leader(self.view);
        let decided_height = self.blocks.head().header.height;
        Status {
            view: self.view,
            leader,
            role: if leader == self.own { Role::Leader } else { Role::Voter },
            final_view: self.safety.floor(),
            decided_height,
            final_height: self.finalizations.keys().next_back().copied().unwrap_or(0).max(decided_height),
            undecided: self.blocks.iter().count(),
            delta_ms: self.timers.delta_ms(),
            duty: self.duty(),
            heard: self.heard_count(),
            is_quorum_heard: self.is_quorum_heard(),
            is_quorum_voting: self.is_quorum_voting(),
            offenders: self.evidence.len(),
        }
    }

    /// The first proof against each validator that lied, in the order of the validators.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.evidence.values()
    }
}
