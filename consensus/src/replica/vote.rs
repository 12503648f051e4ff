//! Voting: which rule allows what (SPEC 3.5, V2 to V4). The rest is checked behind `safety`'s door.

use ledger_types::BlockId;
use ledger_types::certificate::{Candidate, Certificate, VoteKind};

use super::release::Held;
use super::state::Replica;
use crate::arbitration;
use crate::blocks::{Block, Check};
use crate::certificates::cover;
use crate::journal::Unsynced;
use crate::message::{Message, Vote};
use crate::views::View;

/// What V2 says of the current view's proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Vote for it.
    Accept,
    /// Something is not here yet.
    Wait,
    /// Its time lies too far ahead; acceptable at this time of the monotonic clock.
    WaitUntil(u64),
    /// It can never be voted for.
    Refuse,
}

impl Replica {
    /// Votes NOTARIZE for the current view's proposal if it may.
    pub(super) fn notarize(&mut self) -> bool {
        let Some(block) = self.current_proposal() else { return false };
        match self.judge(block) {
            Verdict::Accept => {
                let candidate = block.propose.candidate();
                let vote = self.safety.notarize(&mut self.journal, self.view, candidate);
                self.hold_vote(vote)
            }
            Verdict::Refuse => !std::mem::replace(&mut self.is_refused, true),
            Verdict::Wait | Verdict::WaitUntil(_) => false,
        }
    }

    /// The proposal that could get this node's one NOTARIZE of the current view.
    fn current_proposal(&self) -> Option<&Block> {
        let id = self.views.get(self.view)?.proposal?;
        let is_open = !self.is_refused && !self.safety.has_voted(VoteKind::Notarize, self.view);
        self.blocks.get(&id).filter(|_| is_open)
    }

    fn judge(&self, block: &Block) -> Verdict {
        let header = &block.propose.header;
        let Some(parent) = self.blocks.header(&header.parent) else { return Verdict::Wait };
        let is_wrong = parent.height.checked_add(1) != Some(header.height)
            || header.view <= parent.view
            || header.time_ms <= parent.time_ms
            || header.next_cfg_hash.is_some()
            || block.check == Check::Invalid;
        if is_wrong {
            return Verdict::Refuse;
        }
        // SPEC 3.5 V2: the upper bound keeps one fast clock from freezing the chain.
        let latest =
            self.now.wall_ms.saturating_add(self.timing.drift_ms).max(parent.time_ms.saturating_add(1));
        if header.time_ms > latest {
            let wait_ms =
                header.time_ms.saturating_sub(self.timing.drift_ms).saturating_sub(self.now.wall_ms);
            return Verdict::WaitUntil(self.now.monotonic_ms.saturating_add(wait_ms));
        }
        let candidate = block.propose.candidate();
        let above = Candidate { view: parent.view, height: parent.height, block: header.parent };
        let is_parent_certified =
            header.parent == self.blocks.head().id || self.views.notarization_of(above).is_some();
        let is_ready = block.is_stored
            && is_parent_certified
            && self.blocks.is_executed(&header.parent)
            && cover(&self.views.nullifications(), parent.view, header.view).is_ok()
            && self.is_arbitration_open(candidate);
        if is_ready { Verdict::Accept } else { Verdict::Wait }
    }

    fn is_arbitration_open(&self, candidate: Candidate) -> bool {
        let slot = self.views.get(candidate.view);
        slot.is_some_and(|slot| {
            let ballot = slot.ballot(VoteKind::Notarize);
            slot.notarized() == Some(candidate)
                || arbitration::is_open(self.own.cluster, candidate, ballot, &self.committee)
        })
    }

    /// When a proposal from the future may be voted for.
    pub(super) fn proposal_hold_deadline(&self) -> Option<u64> {
        match self.judge(self.current_proposal()?) {
            Verdict::WaitUntil(due) => Some(due),
            _ => None,
        }
    }

    /// Votes FINALIZE for every notarized block that is executed, with all its ancestors, and durable.
    pub(super) fn finalize(&mut self) -> bool {
        let is_done = |block: &BlockId| {
            self.blocks.get(block).is_some_and(|it| it.check == Check::Valid && it.is_stored)
        };
        let ready = |(view, slot): (u64, &View)| {
            let candidate = slot.notarized()?;
            // SPEC 3.5 V3. Bodies of ancestors were recorded before this one could be executed.
            let may_vote = self.safety.may_finalize(view) && is_done(&candidate.block);
            may_vote.then(|| slot.notarization.clone())?
        };
        let certificates: Vec<Certificate> = self.views.iter().filter_map(ready).collect();
        certificates.iter().fold(false, |voted, certificate| {
            let vote = self.safety.finalize(&mut self.journal, certificate);
            self.hold_vote(vote) | voted
        })
    }

    /// Arms the view's timers and gives the view up when they or the proposal say so.
    pub(super) fn give_up(&mut self) -> bool {
        let is_proposed = self.views.get(self.view).is_some_and(|slot| slot.proposal.is_some());
        let is_needed = self.pending_since_ms.is_some() || is_proposed || self.is_tip_overdue();
        self.timers.arm(self.now.monotonic_ms, is_needed);
        let is_late = self.view_deadline().is_some_and(|due| due <= self.now.monotonic_ms);
        let is_lost = self.is_refused || (is_needed && self.is_view_hopeless(is_proposed));
        (is_late || is_lost) && self.nullify(self.view)
    }

    /// Votes NULLIFY for a view, and for those before it back to the last that may be built on.
    pub(super) fn nullify(&mut self, view: u64) -> bool {
        let usable = self.views.iter().rev().find(|(notarized, slot)| {
            let is_usable = |block: Candidate| self.blocks.is_executed(&block.block);
            *notarized <= view && slot.notarized().is_some_and(is_usable)
        });
        let last = usable.map_or(0, |(view, _)| view).max(self.safety.locked_up_to(view));
        let vote = self.safety.nullify(&mut self.journal, self.view, last.saturating_add(1), view);
        self.hold_vote(vote)
    }

    fn hold_vote(&mut self, vote: Option<Unsynced<Vote>>) -> bool {
        let Some(vote) = vote else { return false };
        self.held.push_back(vote.map(|vote| Held::Message(Box::new(Message::Vote(vote)))));
        true
    }
}
