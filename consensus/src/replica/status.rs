//! What a replica tells about itself.

use ledger_types::{BlockHeader, BlockId, ValidatorId};

use super::state::Replica;

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
    /// The current guess of a message's delay, milliseconds.
    pub delta_ms: u64,
}

impl Replica {
    /// Where this replica stands.
    pub fn status(&self) -> Status {
        let leader = self.committee.leader(self.view);
        Status {
            view: self.view,
            leader,
            role: if leader == self.own { Role::Leader } else { Role::Voter },
            final_view: self.safety.floor(),
            decided_height: self.blocks.head().header.height,
            delta_ms: self.timers.delta_ms(),
        }
    }
}
