//! Views: which one is current, and when to leave it (SPEC 3.5, view rules).

use ledger_types::certificate::{Candidate, Certificate, VoteKind};

use super::propose::Building;
use super::state::Replica;
use crate::effect::{Effect, Recipients};
use crate::message::{Message, Vote};
use crate::views::View;

impl Replica {
    /// Enters the highest view that a certificate opens.
    pub(super) fn enter_views(&mut self) -> bool {
        let Some(certificate) = self.opening_certificate() else { return false };
        self.view = certificate.view() + 1;
        self.timers.on_enter(self.now.monotonic_ms, self.view, self.safety.floor());
        self.building = Building::Idle;
        self.is_refused = false;
        self.entry = Some(certificate.clone());
        self.effects.push(Effect::EnterView { view: self.view, leader: self.committee.leader(self.view) });
        self.send(Recipients::Others, Message::Certificate(certificate));
        true
    }

    /// The certificate of the highest view from the current one on: a finalization, a nullification, or a
    /// notarization whose block is executed here.
    fn opening_certificate(&self) -> Option<Certificate> {
        let opens = |(view, slot): (u64, &View)| {
            let is_usable = |block: Candidate| self.blocks.is_executed(&block.block);
            let notarization = slot.notarization.as_ref().filter(|_| slot.notarized().is_some_and(is_usable));
            (view >= self.view).then_some(())?;
            notarization.or(slot.nullification.as_ref()).cloned()
        };
        let passed = self.views.iter().rev().find_map(opens);
        let decided = self.highest_finalization().filter(|held| held.view() >= self.view).cloned();
        passed.into_iter().chain(decided).max_by_key(Certificate::view)
    }

    /// The finalization of the highest height.
    pub(super) fn highest_finalization(&self) -> Option<&Certificate> {
        self.finalizations.values().next_back()
    }

    /// The newest notarized block that is not final, if there is one.
    pub(super) fn open_tip(&self) -> Option<Candidate> {
        self.views.newest_notarized(self.safety.floor())
    }

    /// When the open tip has waited long enough to be made final by a child, or its view's failure by a NULLIFY.
    pub(super) fn tip_deadline(&self) -> Option<u64> {
        let due = self.timers.tip_deadline();
        (self.open_tip().is_some() && due > self.now.monotonic_ms).then_some(due)
    }

    /// Whether the open tip has waited that long.
    pub(super) fn is_tip_overdue(&self) -> bool {
        self.open_tip().is_some() && self.timers.tip_deadline() <= self.now.monotonic_ms
    }

    /// When the current view is given up, unless it is already.
    pub(super) fn view_deadline(&self) -> Option<u64> {
        let is_given_up = self.safety.has_voted(VoteKind::Nullify, self.view);
        if is_given_up || self.safety.locked_up_to(self.view) >= self.view {
            return None;
        }
        let is_proposed = self.views.get(self.view).is_some_and(|slot| slot.proposal.is_some());
        if is_proposed { self.timers.view_deadline() } else { self.timers.proposal_deadline() }
    }

    /// This node's vote as the ballots hold it: there it arrives only once it is durable (SPEC 3.5 V5), or from a peer
    /// who shows what was forgotten, and that is not said again.
    fn own_durable_vote(&self, kind: VoteKind, view: u64) -> Option<Vote> {
        let vote = self.views.get(view)?.ballot(kind).get(self.own)?;
        (!self.safety.has_forgotten(&vote.statement) && !self.safety.is_silent(view)).then_some(vote)
    }

    /// Says again what may be lost: the NULLIFY of a view that does not end, the FINALIZE of a tip that does not
    /// become final, and the certificates that help those who lag.
    pub(super) fn repeat(&mut self) -> bool {
        let tip = self.open_tip();
        let nullify = self.own_durable_vote(VoteKind::Nullify, self.view);
        let finalize = tip.and_then(|tip| self.own_durable_vote(VoteKind::Finalize, tip.view));
        let is_needed = nullify.is_some() || finalize.is_some();
        if !self.timers.is_time_to_repeat(self.now.monotonic_ms, is_needed) {
            return false;
        }
        for vote in nullify.into_iter().chain(finalize) {
            self.send(Recipients::Others, Message::Vote(vote));
        }
        let notarization = tip.and_then(|tip| self.views.notarization_of(tip)).cloned();
        for certificate in self.entry.clone().into_iter().chain(notarization) {
            self.send(Recipients::Others, Message::Certificate(certificate));
        }
        false
    }
}
