//! What a run comes to.

use super::record::{Acts, Counters};

/// Something that must never happen.
#[derive(Clone, Debug)]
pub struct Violation {
    /// When, virtual milliseconds.
    pub at_ms: u64,
    /// What.
    pub text: String,
}

/// What a run comes to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The scenario's seed.
    pub seed: u64,
    /// The first thing that must not have happened; the run ended there.
    pub violation: Option<Violation>,
    /// A hash over every event.
    pub trace: u64,
    /// Blocks that an honest node committed.
    pub blocks: u64,
    /// How long it took, virtual milliseconds.
    pub virtual_ms: u64,
    /// How many events there were.
    pub events: u64,
    /// Whether honest nodes committed two histories; only beyond the bounds this is no violation.
    pub has_forked: bool,
    /// How many honest nodes halted because they saw proof of that.
    pub halted: u64,
    /// Whether progress after healing was demanded.
    pub must_progress: bool,
    /// Views from healing to the block with the first batch submitted after it.
    pub views_to_progress: Option<u64>,
    /// Milliseconds from healing to its first commit.
    pub progress_ms: Option<u64>,
    /// How often what happened, by `"group: name"`.
    pub counters: Counters,
    /// How often which character did what.
    pub acts: Acts,
    /// One line an event, if it was asked for.
    pub story: Vec<String>,
}

/// Blocks that a run must finalise to count as run.
pub const LEAST_BLOCKS: u64 = 5;

impl Outcome {
    /// Whether enough happened for the run to count.
    pub fn was_run(&self) -> bool {
        self.blocks >= LEAST_BLOCKS
    }
}
