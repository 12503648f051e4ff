//! Messages: what they add to what is known, and what they are answered with.

use std::collections::btree_map::Entry;

use ledger_types::ValidatorId;
use ledger_types::certificate::{Certificate, Certified, VoteKind};

use super::state::Replica;
use crate::arbitration;
use crate::blocks::Block;
use crate::effect::{Effect, Recipients};
use crate::evidence::Evidence;
use crate::ignored::Ignored;
use crate::message::{Message, Propose, Request, Vote, Wanted};
use crate::record::Record;
use crate::views::{PROPOSAL_WINDOW, VOTE_WINDOW};

/// Certificates in one answer at most.
const ANSWER_CERTIFICATES: usize = 16;
/// Questions of one peer that are answered within a delta at most.
const QUESTIONS_PER_DELTA: u32 = 16;
/// A question for entries or blocks counts as so many: its answer may have megabytes.
const LARGE_ANSWER: u32 = 4;

impl Replica {
    pub(super) fn on_message(&mut self, message: Message) -> Result<(), Ignored> {
        match message {
            Message::Propose(propose) => self.on_propose(*propose),
            Message::Vote(vote) => self.on_vote(vote),
            Message::Certificate(certificate) => self.on_certificate(certificate),
            Message::Request(request) => self.on_request(request),
            // Only a peer's, and handled there.
            Message::Entries(_)
            | Message::Run(_)
            | Message::Heartbeat(_)
            | Message::GuardRequest(_)
            | Message::GuardAnswer(_) => Err(Ignored::Unasked),
        }
    }

    /// A message that came over a link.
    pub(super) fn on_peer_message(&mut self, from: ValidatorId, message: Message) -> Result<(), Ignored> {
        self.note_heard(from);
        let asker = match &message {
            Message::Request(request) => Some(request.signer),
            Message::GuardRequest(request) => Some(request.signer),
            _ => None,
        };
        // An answer goes to who signed the question: one that somebody else hands over would be his weapon.
        if asker.is_some_and(|asker| asker != from) {
            return Err(Ignored::Unasked);
        }
        let cost = match &message {
            Message::Request(Request { wanted: Wanted::Entries { .. } | Wanted::Blocks { .. }, .. }) => {
                LARGE_ANSWER
            }
            _ => 1,
        };
        if asker.is_some() && !self.admits(from, cost) {
            return Err(Ignored::TooMany);
        }
        match message {
            Message::Entries(entries) => return self.on_entries(from, entries),
            Message::Run(run) => return self.on_run(from, *run),
            Message::Heartbeat(heartbeat) => return self.on_heartbeat(from, &heartbeat),
            Message::GuardAnswer(answer) => return self.on_guard_answer(&answer),
            Message::GuardRequest(request) => {
                // Not what a liar says again in another's name.
                if request.signer == from {
                    self.note_asking(from);
                }
                return self.on_guard_request(&request);
            }
            // Own signatures that come from others must all be known here.
            Message::Vote(vote) if vote.signer == self.own => self.check_own_vote(&vote),
            Message::Propose(ref propose) if propose.header.proposer == self.own => {
                self.check_own_proposal(propose.candidate());
            }
            Message::Propose(ref propose) if !self.is_welcome(from, propose.candidate()) => {
                return Err(Ignored::Unasked);
            }
            Message::Vote(vote) => self.guard.note_vote(&vote),
            _ => {}
        }
        self.on_message(message)
    }

    /// Whether a peer may ask once more now.
    fn admits(&mut self, peer: ValidatorId, cost: u32) -> bool {
        let now_ms = self.now.monotonic_ms;
        let window_ms = self.timers.delta_ms();
        let (since_ms, count) = self.questions.entry(peer).or_insert((now_ms, 0));
        if since_ms.saturating_add(window_ms) <= now_ms {
            (*since_ms, *count) = (now_ms, 0);
        }
        *count = count.saturating_add(cost);
        *count <= QUESTIONS_PER_DELTA
    }

    fn on_propose(&mut self, propose: Propose) -> Result<(), Ignored> {
        for certificate in propose.parent.iter().chain(&propose.nullifications) {
            // Whether they are news decides nothing about the proposal.
            let _ignored = self.on_certificate(certificate.clone());
        }
        let candidate = propose.candidate();
        if let Some(known) = self.blocks.get_mut(&candidate.block) {
            if known.is_released {
                // The same block with other refs is a second proposal.
                let evidence = Evidence::proposals(&known.propose, &propose);
                self.note_evidence(evidence);
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
        if let Some(first) = slot.proposal.filter(|first| *first != candidate.block) {
            let first = self.blocks.get(&first).filter(|first| first.is_released);
            let evidence = first.and_then(|first| Evidence::proposals(&first.propose, &propose));
            self.note_evidence(evidence);
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
        self.note_evidence(self.views.contradiction(&vote));
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
        let is_news = match certified {
            Certified::Notarization(_) => slot.notarization.is_none(),
            // A vote that reaches further back may make a wider one.
            Certified::Nullification { .. } => {
                let held = slot.nullification.as_ref().map(Certificate::from_view);
                held.is_none_or(|from_view| vote.statement.from_view() < from_view)
            }
            Certified::Finalization(_) => true,
        };
        let ballot = slot.ballot(vote.statement.kind());
        match arbitration::certify(certified, ballot, &self.committee).filter(|_| is_news) {
            Some(certificate) => self.on_certificate(certificate),
            None => Ok(()),
        }
    }

    pub(super) fn on_certificate(&mut self, certificate: Certificate) -> Result<(), Ignored> {
        self.check_own_part(&certificate);
        if certificate.view() > self.safety.floor() {
            self.note_contradictions(&certificate);
        }
        if let Certified::Finalization(candidate) = certificate.certified() {
            return self.on_finalization(candidate, certificate);
        }
        if certificate.view() <= self.safety.floor() {
            return Err(Ignored::Stale);
        }
        self.views.add_certificate(certificate, &mut self.journal)
    }

    /// Compares what a certificate's signers signed with the votes of theirs that are here.
    fn note_contradictions(&mut self, certificate: &Certificate) {
        for (signer, part) in certificate.votes() {
            let Some(statement) = certificate.certified().statement(part.from_view) else { continue };
            let vote = Vote { signer, statement, signature: part.signature };
            self.note_evidence(self.views.contradiction(&vote));
        }
    }

    fn on_request(&mut self, request: Request) -> Result<(), Ignored> {
        match request.wanted {
            Wanted::Proposal { block } => {
                let propose = self.blocks.proposal(&block).cloned().ok_or(Ignored::Stale)?;
                self.answer(request.signer, Message::Propose(Box::new(propose)));
            }
            Wanted::Range { from_view, to_view } => self.answer_range(request.signer, from_view, to_view),
            Wanted::Entries { block, indices } => {
                self.effects.push(Effect::SendEntries { to: request.signer, block, indices });
            }
            Wanted::Blocks { from_height } => {
                if from_height > self.blocks.head().header.height {
                    return Err(Ignored::TooFarAhead);
                }
                self.effects.push(Effect::SendRun { to: request.signer, from_height });
            }
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

    /// Keeps the first proof against a validator.
    fn note_evidence(&mut self, evidence: Option<Evidence>) {
        let Some(evidence) = evidence else { return };
        if let Entry::Vacant(free) = self.evidence.entry(evidence.offender()) {
            tracing::error!(own = %self.own, offender = %free.key(), view = evidence.view(), "proof of a lie");
            self.journal.put(Record::Evidence { epoch: self.committee.epoch(), evidence });
            free.insert(evidence);
        }
    }

    /// Shows a peer that seems to lag how this node came where it is, at most once per delta.
    pub(super) fn help(&mut self, peer: ValidatorId, view: u64) {
        let now_ms = self.now.monotonic_ms;
        let due_ms =
            self.answered_ms.get(&peer).map_or(0, |last| last.saturating_add(self.timers.delta_ms()));
        if peer == self.own || due_ms > now_ms || (view >= self.view && view > self.safety.floor()) {
            return;
        }
        self.answered_ms.insert(peer, now_ms);
        let notarization = self.views.get(view).and_then(|slot| slot.notarization.clone());
        let known = [self.highest_finalization().cloned(), notarization, self.entry.clone()];
        for certificate in known.into_iter().flatten() {
            self.answer(peer, Message::Certificate(certificate));
        }
    }

    pub(super) fn answer(&mut self, peer: ValidatorId, message: Message) {
        if peer != self.own {
            self.send(Recipients::One(peer), message);
        }
    }
}
