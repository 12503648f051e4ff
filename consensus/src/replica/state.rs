//! The replica and its dispatcher.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ledger_types::certificate::Certificate;
use ledger_types::{BlockId, ValidatorId};

use super::catch_up::Asked;
use super::check::{Fetch, Gather};
use super::guard::Guard;
use super::peers::Peers;
use super::propose::Building;
use super::release::Held;
use crate::blocks::Blocks;
use crate::committee::Committee;
use crate::effect::{Effect, Recipients};
use crate::evidence::Evidence;
use crate::ignored::Ignored;
use crate::input::{Input, Now};
use crate::journal::{Journal, Unsynced};
use crate::message::Message;
use crate::params::Timing;
use crate::safety::Safety;
use crate::timers::Timers;
use crate::views::Views;

/// One validator's state machine. See the crate's front page for the way of a view.
pub struct Replica {
    pub(super) committee: Arc<Committee>,
    pub(super) own: ValidatorId,
    pub(super) timing: Timing,
    pub(super) now: Now,
    /// The current view.
    pub(super) view: u64,
    /// The certificate by which it was entered, if one is held.
    pub(super) entry: Option<Certificate>,
    pub(super) safety: Safety,
    pub(super) journal: Journal,
    pub(super) views: Views,
    pub(super) blocks: Blocks,
    /// Finalizations by height: the highest, and those whose blocks are not known to be durable.
    pub(super) finalizations: BTreeMap<u64, Certificate>,
    /// Finalizations by height under ids that the network had before a rollback: they only prove blocks of a run.
    pub(super) former: BTreeMap<u64, Certificate>,
    pub(super) timers: Timers,
    /// Since when the oldest pending batch waits.
    pub(super) pending_since_ms: Option<u64>,
    pub(super) building: Building,
    /// The current view's proposal must not be voted for.
    pub(super) is_refused: bool,
    /// Certified blocks whose proposal is asked for.
    pub(super) fetches: BTreeMap<BlockId, Fetch>,
    /// Entries that are asked for.
    pub(super) gathers: BTreeMap<BlockId, Gather>,
    /// Runs of final blocks that are asked for.
    pub(super) asked: Option<Asked>,
    pub(super) guard: Guard,
    pub(super) peers: Peers,
    /// The first proof against each validator that lied.
    pub(super) evidence: BTreeMap<ValidatorId, Evidence>,
    /// Since when each peer's questions are counted, and how many came: one entry per validator at most.
    pub(super) questions: BTreeMap<ValidatorId, (u64, u32)>,
    /// When each peer that lags was last answered: one entry per validator at most.
    pub(super) answered_ms: BTreeMap<ValidatorId, u64>,
    /// What waits for its records, oldest first.
    pub(super) held: VecDeque<Unsynced<Held>>,
    pub(super) effects: Vec<Effect>,
    pub(super) is_halted: bool,
}

impl Replica {
    /// Takes one input and answers with all that it makes possible. `now` must not go back.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        self.now = now;
        let outcome = if self.is_halted { Err(Ignored::Halted) } else { self.dispatch(input) };
        if let Err(reason) = outcome {
            tracing::trace!(own = %self.own, view = self.view, ?reason, "input ignored");
        }
        self.finish_turn()
    }

    /// When to feed `Tick` if nothing else comes before, in monotonic milliseconds; `None`: not needed. Later than
    /// the last `now`.
    pub fn next_deadline(&self) -> Option<u64> {
        if self.is_halted {
            return None;
        }
        let next = [
            self.view_deadline(),
            self.tip_deadline(),
            self.timers.repeat_deadline(),
            self.fetch_deadline(),
            self.proposal_hold_deadline(),
            self.gather_deadline(),
            self.catch_up_deadline(),
            self.guard_deadline_above_origin(),
            self.heartbeat_deadline(),
        ];
        next.into_iter().flatten().min().map(|due| due.max(self.now.monotonic_ms.saturating_add(1)))
    }

    /// Applies the rules, then ends the turn with its `Persist`.
    pub(super) fn finish_turn(&mut self) -> Vec<Effect> {
        while !self.is_halted && self.apply_rules() {}
        if let Some(persist) = self.journal.close_turn() {
            self.effects.push(persist);
        }
        std::mem::take(&mut self.effects)
    }

    fn dispatch(&mut self, input: Input) -> Result<(), Ignored> {
        match input {
            Input::Pending { since_ms } => self.on_pending(since_ms),
            Input::ProposalBuilt { view, header, refs, body } => self.on_built(view, header, refs, body),
            Input::NothingToPropose { view } => self.on_nothing(view),
            Input::ProposalAssembled { block, body } => self.on_assembled(block, body),
            Input::ProposalMissing { block, missing } => self.on_missing(block, missing),
            Input::ProposalChecked { block, valid } => self.on_checked(block, valid),
            Input::Message { from, message } => self.on_peer_message(from, message.into_message()),
            Input::Persisted(id) => {
                self.journal.on_persisted(id);
                Ok(())
            }
            Input::BlockDurable { height } => self.on_durable(height),
            Input::Tick => Ok(()),
        }
    }

    /// One round over all rules; whether any applied. The order only decides what is said first.
    fn apply_rules(&mut self) -> bool {
        let rules: [fn(&mut Self) -> bool; 13] = [
            Self::release,
            Self::guard_above_origin,
            Self::live,
            Self::decide,
            Self::catch_up,
            Self::gather,
            Self::enter_views,
            Self::check_proposals,
            Self::notarize,
            Self::finalize,
            Self::propose,
            Self::give_up,
            Self::repeat,
        ];
        rules.into_iter().fold(false, |applied, rule| (!self.is_halted && rule(self)) | applied)
    }

    pub(super) fn send(&mut self, to: Recipients, message: Message) {
        self.effects.push(Effect::Send { to, message });
    }

    pub(super) fn halt(&mut self, reason: &str, certificates: Vec<Certificate>) {
        self.is_halted = true;
        self.effects.push(Effect::Halt { reason: reason.to_owned(), certificates });
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica")
            .field("own", &self.own)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
