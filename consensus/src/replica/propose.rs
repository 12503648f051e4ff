//! The leader's part: when to build, on what, and what becomes of the answer (SPEC 3.5, phase 1).

use bytes::Bytes;
use ledger_types::certificate::{Candidate, Certificate, VoteKind};
use ledger_types::{BlockHeader, Signature};

use super::release::Held;
use super::state::Replica;
use crate::blocks::{Block, Check};
use crate::certificates::{NULLIFICATIONS_PER_PROPOSAL, cover};
use crate::effect::{Effect, Recipients};
use crate::ignored::Ignored;
use crate::message::{Message, Propose, Wanted};
use crate::safety::Unsigned;

/// What a leader has asked of the shell in the current view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Building {
    /// Nothing yet, or nothing since the pool changed.
    Idle,
    /// A block.
    Asked { parent: Candidate, time_ms: u64, allow_empty: bool },
    /// It had nothing to propose.
    Nothing,
    /// The nullifications that the proposal needs are not here; peers were asked.
    Uncovered {
        /// The highest view that none covers.
        view: u64,
    },
}

impl Replica {
    /// Asks the shell for a block if this node leads and a block is wanted.
    pub(super) fn propose(&mut self) -> bool {
        let may_propose = self.committee.leader(self.view) == self.own
            && !self.safety.is_silent(self.view)
            && !self.safety.has_proposed(self.view)
            && !self.safety.has_voted(VoteKind::Nullify, self.view);
        if !may_propose {
            return false;
        }
        let has_batches = self.pending_since_ms.is_some() && self.building != Building::Nothing;
        let allow_empty = self.is_tip_overdue();
        let is_asked = match self.building {
            Building::Asked { allow_empty: asked, .. } => asked || !allow_empty,
            _ => false,
        };
        if is_asked || !(has_batches || allow_empty) {
            return false;
        }
        self.build(allow_empty)
    }

    fn build(&mut self, allow_empty: bool) -> bool {
        let parent = self.best_parent();
        let gap = cover(&self.views.nullifications(), parent.view, self.view).err();
        if let Some(view) = gap {
            return self.ask_for_cover(parent.view, view);
        }
        let Some(parent_time_ms) = self.blocks.header(&parent.block).map(|header| header.time_ms) else {
            return false;
        };
        // SPEC 3.5 V2: the proposer's clock, but later than the parent.
        let time_ms = self.now.wall_ms.max(parent_time_ms.saturating_add(1));
        self.building = Building::Asked { parent, time_ms, allow_empty };
        let (view, height) = (self.view, parent.height + 1);
        self.effects.push(Effect::BuildProposal { view, parent: parent.block, height, time_ms, allow_empty });
        true
    }

    /// The newest notarized and executed block, or the head.
    fn best_parent(&self) -> Candidate {
        let is_usable = |block: &Candidate| self.blocks.is_executed(&block.block);
        let head = self.blocks.head();
        let head = Candidate { view: head.header.view, height: head.header.height, block: head.id };
        let notarized = self.views.iter().rev().filter(|(view, _)| *view < self.view);
        let best = notarized.filter_map(|(_, slot)| slot.notarized()).find(is_usable);
        best.filter(|block| block.view > head.view).unwrap_or(head)
    }

    /// Asks everybody, once per gap, for what is missing between the parent and this view.
    fn ask_for_cover(&mut self, parent_view: u64, missing: u64) -> bool {
        let uncovered = Building::Uncovered { view: missing };
        if self.building != uncovered && missing > self.safety.floor() {
            self.building = uncovered;
            let from_view = parent_view.max(self.safety.floor()) + 1;
            let request = self.safety.request(Wanted::Range { from_view, to_view: missing });
            self.send(Recipients::Others, Message::Request(request));
        }
        false
    }

    pub(super) fn on_pending(&mut self, since_ms: Option<u64>) -> Result<(), Ignored> {
        self.pending_since_ms = since_ms;
        if since_ms.is_some() && self.building == Building::Nothing {
            self.building = Building::Idle;
        }
        Ok(())
    }

    pub(super) fn on_nothing(&mut self, view: u64) -> Result<(), Ignored> {
        match self.building {
            Building::Asked { allow_empty: false, .. } if view == self.view => {
                self.building = Building::Nothing;
                Ok(())
            }
            _ => Err(Ignored::Unasked),
        }
    }

    pub(super) fn on_built(
        &mut self,
        view: u64,
        header: BlockHeader,
        refs: Bytes,
        body: Bytes,
    ) -> Result<(), Ignored> {
        let Building::Asked { parent, time_ms, .. } = self.building else { return Err(Ignored::Unasked) };
        let is_as_asked = view == self.view
            && header.view == view
            && header.parent == parent.block
            && header.height == parent.height + 1
            && header.time_ms == time_ms
            && header.proposer == self.own
            && header.epoch == self.committee.epoch()
            && header.network_id == self.committee.network_id()
            && header.cfg_hash == self.committee.cfg_hash();
        if !is_as_asked {
            return Err(Ignored::Unasked);
        }
        let bridge = cover(&self.views.nullifications(), parent.view, view).map_err(|_| Ignored::Stale)?;
        let nullifications: Vec<Certificate> = bridge.into_iter().cloned().collect();
        if nullifications.len() > NULLIFICATIONS_PER_PROPOSAL {
            return Err(Ignored::TooFarAhead);
        }
        let parent = self.certificate_of(parent);
        let unsigned = Unsigned { header, refs, body, parent, nullifications };
        self.sign_proposal(unsigned).ok_or(Ignored::Duplicate)
    }

    fn sign_proposal(&mut self, unsigned: Unsigned) -> Option<()> {
        let view = self.view;
        let Unsigned { header, refs, parent, nullifications, .. } = &unsigned;
        let (parent, nullifications) = (parent.clone(), nullifications.clone());
        // Until the signed proposal is durable and comes back in, the block is known without its signature.
        let (header, refs, signature) = (header.clone(), refs.clone(), Signature::ZERO);
        let id = header.id();
        let known = Propose { header, refs, parent, nullifications, signature };
        let propose = self.safety.propose(&mut self.journal, view, unsigned)?;
        // Built and executed here, so it counts as assembled and checked.
        let stored =
            Block { is_released: false, is_stored: true, check: Check::Valid, ..Block::proposed(known) };
        self.blocks.insert(stored);
        self.views.slot(view).proposal.get_or_insert(id);
        self.held
            .push_back(propose.map(|propose| Held::Message(Box::new(Message::Propose(Box::new(propose))))));
        Some(())
    }

    /// The finalization or notarization of a block; `None` for the block that begins the epoch.
    fn certificate_of(&self, candidate: Candidate) -> Option<Certificate> {
        let finalization = self.finalizations.get(&candidate.height);
        let finalization = finalization.filter(|held| held.certified().candidate() == Some(candidate));
        finalization.or_else(|| self.views.notarization_of(candidate)).cloned()
    }
}
