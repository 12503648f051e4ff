//! The way of a transaction, measured where it happens: what the node's engine tells, and /metrics keeps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ledger_types::ValidatorId;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{ValidatorLabels, durations};

/// A part of the way from a client's request to a readable block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A submitted list waits for a thread, and its signatures are verified.
    Verify,
    /// A batch waits in the pool until a block with it is executed here; again for each block that has it.
    Pool,
    /// A block of this node is built and executed.
    Build,
    /// Another node's block is assembled and executed.
    Check,
    /// From the proposal's arrival here, or its building, to its notarization.
    Notarize,
    /// From the notarization to a finalization that is durable here.
    Finalize,
    /// From there until the block is written and readable.
    Commit,
}

/// Their names, in their order.
const STAGES: [&str; 7] = ["verify", "pool", "build", "check", "notarize", "finalize", "commit"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: &'static str,
}

/// How a view ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewEnd {
    /// With a notarized block.
    Notarized,
    /// Without one: its leader was away, slow or wrong.
    Nullified,
}

/// Their names, in their order.
const VIEW_ENDS: [&str; 2] = ["notarized", "nullified"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ViewLabels {
    outcome: &'static str,
}

/// What one commit wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Blocks.
    pub blocks: u64,
    /// Batches that took effect.
    pub batches: u64,
    /// Their transactions.
    pub transactions: u64,
    /// Batches that were rejected.
    pub rejected: u64,
}

/// Takes what the engine measures. Every call is a few instructions under a lock of its own metric.
#[derive(Debug)]
pub struct Pipeline {
    stages: [Histogram; STAGES.len()],
    finality: Histogram,
    decision: Histogram,
    blocks: Counter,
    batches: Counter,
    transactions: Counter,
    rejected: Counter,
    view_ends: [Counter; VIEW_ENDS.len()],
    missed_votes: BTreeMap<ValidatorId, Counter>,
}

impl Pipeline {
    /// Registers the metrics of the way; votes are counted of these validators.
    pub(super) fn register(
        registry: &mut Registry,
        validators: impl Iterator<Item = ValidatorId>,
    ) -> Arc<Self> {
        let by_stage = Family::<StageLabels, Histogram, _>::new_with_constructor(durations as fn() -> _);
        // All stages and outcomes are there from the start: a rate over them begins with 0, not with nothing.
        let stages = STAGES.map(|stage| by_stage.get_or_create_owned(&StageLabels { stage }));
        let views = Family::<ViewLabels, Counter>::default();
        let view_ends = VIEW_ENDS.map(|outcome| views.get_or_create_owned(&ViewLabels { outcome }));
        let missed = Family::<ValidatorLabels, Counter>::default();
        let of_validator = |id: ValidatorId| {
            (id, missed.get_or_create_owned(&ValidatorLabels { validator: id.to_string() }))
        };
        let pipeline = Self {
            stages,
            finality: durations(),
            decision: durations(),
            blocks: Counter::default(),
            batches: Counter::default(),
            transactions: Counter::default(),
            rejected: Counter::default(),
            view_ends,
            missed_votes: validators.map(of_validator).collect(),
        };
        let about = "Time that a part of the way from a request to a readable block takes";
        registry.register_with_unit("stage_duration", about, Unit::Seconds, by_stage);
        for (name, help, histogram) in [
            (
                "finality",
                "Time from a block's proposal to its finality, both as this node sees them",
                &pipeline.finality,
            ),
            (
                "batch_decision",
                "Time from a batch's admission here until its block is readable",
                &pipeline.decision,
            ),
        ] {
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        }
        for (name, help, counter) in [
            ("blocks_committed", "Blocks committed here", &pipeline.blocks),
            ("batches_committed", "Batches that took effect", &pipeline.batches),
            ("transactions_committed", "Transactions of these", &pipeline.transactions),
            ("batches_rejected", "Batches that blocks rejected", &pipeline.rejected),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register("views_ended", "Views, by how they ended", views);
        let about = "Views in which a quorum was heard voting and this validator was not";
        registry.register("votes_missed", about, missed);
        Arc::new(pipeline)
    }

    /// A stage is over.
    pub fn stage(&self, stage: Stage, took: Duration) {
        self.stages[stage as usize].observe(took.as_secs_f64());
    }

    /// A block became final, so long after its proposal.
    pub fn finality(&self, took: Duration) {
        self.finality.observe(took.as_secs_f64());
    }

    /// A batch was decided, so long after its admission.
    pub fn decision(&self, took: Duration) {
        self.decision.observe(took.as_secs_f64());
    }

    /// Blocks are readable.
    pub fn committed(&self, committed: Committed) {
        self.blocks.inc_by(committed.blocks);
        self.batches.inc_by(committed.batches);
        self.transactions.inc_by(committed.transactions);
        self.rejected.inc_by(committed.rejected);
    }

    /// A view is over.
    pub fn view_ended(&self, outcome: ViewEnd) {
        self.view_ends[outcome as usize].inc();
    }

    /// A validator did not vote in a view.
    pub fn vote_missed(&self, validator: ValidatorId) {
        if let Some(counter) = self.missed_votes.get(&validator) {
            counter.inc();
        }
    }
}
