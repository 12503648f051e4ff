//! After an agreed rollback: a node that has not the block yet from which its network goes on (SPEC 3.15).

use ledger_types::certificate::{Candidate, Certificate};
use ledger_types::{BlockHeader, ValidatorId};

use super::propose::Building;
use super::state::Replica;
use crate::effect::Effect;

impl Replica {
    /// Whether this node lacks the block that its network went back to. What may be voted on lies above it, so until then
    /// nothing is signed and nobody is told that this node votes.
    pub(super) fn is_below_origin(&self) -> bool {
        let head = self.blocks.head().header.height;
        self.committee.origin().is_some_and(|origin| head < origin.height)
    }

    /// The rollback guard has nothing to ask below the origin; there the silence that it ends begins to be its own.
    pub(super) fn guard_above_origin(&mut self) -> bool {
        if self.is_below_origin() {
            return false;
        }
        self.obey_guard();
        self.keep_guard()
    }

    /// When it wants to be woken.
    pub(super) fn guard_deadline_above_origin(&self) -> Option<u64> {
        if self.is_below_origin() { None } else { self.guard_deadline() }
    }

    /// Takes what a run proves by: the finalization of its last block.
    pub(super) fn take_proof(&mut self, certificate: Certificate) {
        let Some(Candidate { height, .. }) = certificate.certified().candidate() else { return };
        if self.committee.origin().is_some_and(|origin| height <= origin.height) {
            // Signed under an earlier id: no vote of this network, so nothing but the proof of these blocks.
            self.former.insert(height, certificate);
            return;
        }
        self.check_own_part(&certificate);
        self.keep_finalization(certificate);
    }

    /// Counts a block up to the origin as decided: its view is over, and the origin's is the last before this network's
    /// first, which no certificate opens.
    pub(super) fn rise_to_origin(&mut self, header: &BlockHeader) {
        let (view, epoch) = (header.view, self.committee.epoch());
        self.former.retain(|height, _| *height > header.height);
        if view <= self.safety.floor() {
            return;
        }
        self.safety.raise_floor(&mut self.journal, view);
        self.views.drop_to_floor(view, epoch, &mut self.journal);
        if self.view <= view {
            (self.view, self.entry) = (view + 1, None);
            (self.building, self.is_refused) = (Building::Idle, false);
            self.timers.on_enter(self.now.monotonic_ms, self.view, view);
            let leader = self.committee.leader(self.view);
            self.effects.push(Effect::EnterView { view: self.view, leader });
        }
    }

    /// Who may have the blocks up to the origin: everybody.
    pub(super) fn holders_of_origin(&self) -> Vec<ValidatorId> {
        self.committee.topology().validators().map(|(id, _)| id).filter(|id| *id != self.own).collect()
    }
}
