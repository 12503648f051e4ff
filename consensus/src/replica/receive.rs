//! Messages: what they add to what is known, and what they are answered with.

use ledger_types::ValidatorId;
use ledger_types::certificate::{Certificate, Certified, VoteKind};

use super::state::Replica;
use crate::arbitration;
use crate::blocks::Block;
use crate::effect::Recipients;
use crate::ignored::Ignored;
use crate::message::{Message, Propose, Request, Vote, Wanted};
use crate::views::{PROPOSAL_WINDOW, VOTE_WINDOW};

/// Certificates in one answer at most.
const ANSWER_CERTIFICATES: usize = 16;

impl Replica {
    pub(super) fn on_message(&mut self, message: Message) -> Result<(), Ignored> {
        match message {
            Message::Propose(propose) => self.on_propose(*propose),
            Message::Vote(vote) => self.on_vote(vote),
            Message::Certificate(certificate) => self.on_certificate(certificate),
            Message::Request(request) => self.on_request(request),
        }
    }

    fn on_propose(&mut self, propose: Propose) -> Result<(), Ignored> {
        for certificate in propose.parent.iter().chain(&propose.nullifications) {
            // Whether they are news decides nothing about the proposal.
            let _ignored = self.on_certificate(certificate.clone());
        }
        let candidate = propose.candidate();
        if let Some(known) = self.blocks.get_mut(&candidate.block) {
            if known.is_released {
                return Err(Ignored::Duplicate);
            }
            // The own proposal, durable now.
            (known.propose, known.is_released) = (propose, true);
            return Ok(());
        }
        if candidate.height <= self.blocks.head().header.height {
            return Err(Ignored::Stale);
        }
        if self.is_certified(candidate) {
            self.blocks.insert(Block::proposed(propose));
            return Ok(());
        }
        if candidate.view < self.view {
            return Err(Ignored::Stale);
        }
        if candidate.view > self.view.saturating_add(PROPOSAL_WINDOW) {
            return Err(Ignored::TooFarAhead);
        }
        let slot = self.views.slot(candidate.view);
        if slot.proposal.is_some_and(|first| first != candidate.block) {
            return Err(Ignored::Conflicting);
        }
        slot.proposal = Some(candidate.block);
        self.blocks.insert(Block::proposed(propose));
        Ok(())
    }

    fn on_vote(&mut self, vote: Vote) -> Result<(), Ignored> {
        let view = vote.statement.view();
        let floor = self.safety.floor();
        if view > self.view.saturating_add(VOTE_WINDOW) {
            return Err(Ignored::TooFarAhead);
        }
        if view < floor {
            self.help(vote.signer, view);
            return Err(Ignored::Stale);
        }
        let outcome = self.views.add_vote(vote);
        // A late vote is normal; a repeated one, or one to leave a view that is left, comes from a node that lags.
        if outcome.is_err() || (view < self.view && vote.statement.kind() == VoteKind::Nullify) {
            self.help(vote.signer, view);
        }
        outcome?;
        if view <= floor {
            return Err(Ignored::Stale);
        }
        let certified = vote.statement.certified();
        let Some(slot) = self.views.get(view) else { return Ok(()) };
        let is_known = match certified {
            Certified::Notarization(_) => slot.notarization.is_some(),
            Certified::Nullification { .. } => slot.nullification.is_some(),
            Certified::Finalization(_) => false,
        };
        let ballot = slot.ballot(vote.statement.kind());
        match arbitration::certify(certified, ballot, &self.committee).filter(|_| !is_known) {
            Some(certificate) => self.on_certificate(certificate),
            None => Ok(()),
        }
    }

    pub(super) fn on_certificate(&mut self, certificate: Certificate) -> Result<(), Ignored> {
        if let Certified::Finalization(candidate) = certificate.certified() {
            return self.on_finalization(candidate, certificate);
        }
        if certificate.view() <= self.safety.floor() {
            return Err(Ignored::Stale);
        }
        self.views.add_certificate(certificate, &mut self.journal)
    }

    fn on_request(&mut self, request: Request) -> Result<(), Ignored> {
        match request.wanted {
            Wanted::Proposal { block } => {
                let propose = self.blocks.proposal(&block).cloned().ok_or(Ignored::Stale)?;
                self.answer(request.signer, Message::Propose(Box::new(propose)));
            }
            Wanted::Range { from_view, to_view } => self.answer_range(request.signer, from_view, to_view),
        }
        Ok(())
    }

    /// Answers with what is certified between two views; for the newest view that is not, with a NULLIFY if V4 lets.
    fn answer_range(&mut self, asker: ValidatorId, from_view: u64, to_view: u64) {
        let floor = self.safety.floor();
        if from_view <= floor
            && let Some(finalization) = self.highest_finalization().cloned()
        {
            self.answer(asker, Message::Certificate(finalization));
        }
        let (from_view, to_view) = (from_view.max(floor + 1), to_view.min(self.view.saturating_sub(1)));
        let in_range = |view: u64| (from_view..=to_view).contains(&view);
        let slots = self.views.iter().rev().filter(|(view, _)| in_range(*view));
        let held = slots.flat_map(|(_, slot)| slot.nullification.iter().chain(&slot.notarization));
        let held: Vec<Certificate> = held.take(ANSWER_CERTIFICATES).cloned().collect();
        let is_covered = held.iter().any(|certificate| certificate.nullifies(to_view));
        for certificate in held {
            self.answer(asker, Message::Certificate(certificate));
        }
        if in_range(to_view) && !is_covered {
            self.nullify(to_view);
        }
    }

    /// Shows a peer that seems to lag how this node came where it is, at most once per delta.
    fn help(&mut self, peer: ValidatorId, view: u64) {
        let now_ms = self.now.monotonic_ms;
        let due_ms =
            self.answered_ms.get(&peer).map_or(0, |last| last.saturating_add(self.timers.delta_ms()));
        if peer == self.own || due_ms > now_ms || view >= self.view {
            return;
        }
        self.answered_ms.insert(peer, now_ms);
        let notarization = self.views.get(view).and_then(|slot| slot.notarization.clone());
        let known = [self.highest_finalization().cloned(), notarization, self.entry.clone()];
        for certificate in known.into_iter().flatten() {
            self.answer(peer, Message::Certificate(certificate));
        }
    }

    fn answer(&mut self, peer: ValidatorId, message: Message) {
        if peer != self.own {
            self.send(Recipients::One(peer), message);
        }
    }
}
