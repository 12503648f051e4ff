//! A leader that builds beside what is notarized. Attacks SPEC 3.5 V2, on which the theorem's induction rests: a parent
//! must be notarized, and every view between it and its child covered by a nullification.
//!
//! It proposes on the block that its newest notarized one stands on, or on an older one, without the certificates that
//! this would take, or with wrong ones; all liars vote for it and finalise it at once, and they NULLIFY what they help
//! to finalise, in ranges that are as long as can be. Two of them who lead one after the other play into each other's
//! hands: the first shows a block that all can execute and nobody may vote for, because it is of tomorrow; the second
//! builds on it.

use consensus::{Message, Propose, Recipients};
use ledger_types::certificate::Statement;
use ledger_types::{BlockHeader, ValidatorId};

use super::Stage;
use super::face::{Face, Word};
use super::gang::support;
use super::plot::Plot;
use super::proposals::Proposals;
use super::twist::{Twist, say};
use crate::sim::execution::{self, Order};

/// How far ahead of its parent a block is that nobody may vote for, milliseconds.
const TOMORROW_MS: u64 = 86_400_000;
/// Steps back from the parent at most.
const STEPS: u64 = 3;

/// See the module.
pub(super) struct ForkingLeader {
    plot: Plot,
    proposals: Proposals,
}

impl ForkingLeader {
    pub(super) fn new(plot: Plot) -> Self {
        Self { plot, proposals: Proposals::default() }
    }

    fn propose(&mut self, stage: &mut Stage<'_>, face: &Face, right: &Propose) {
        let view = right.header.view;
        let of_tomorrow = self.proposals.of(view.saturating_sub(1)).and_then(|candidate| {
            let before = self.proposals.find(&candidate.block)?;
            let is_bait = stage.is_liar(before.header.proposer) && right.header.parent != candidate.block;
            is_bait.then(|| before.header.clone())
        });
        let is_next_a_liar = stage.is_liar(stage.committee.leader(view.saturating_add(1)));
        let steps = stage.random.below(1..STEPS + 1);
        let (lie, act) = if let Some(parent) = of_tomorrow {
            (on_parent(stage, face, right, &parent), "built on a block that was never notarized")
        } else if is_next_a_liar && stage.random.once_in(2) {
            let time_ms = right.header.time_ms.saturating_add(TOMORROW_MS);
            let header = BlockHeader { time_ms, ..right.header.clone() };
            let bait = stage.propose(Propose { header, ..right.clone() });
            (bait, "proposed what nobody may vote for yet")
        } else if let Some(parent) = older(face, right, steps) {
            (on_parent(stage, face, right, &parent), "built beside a notarized block")
        } else {
            let word = Word::Say(Recipients::Others, Message::Propose(Box::new(right.clone())));
            return say(stage, face, &word);
        };
        let halves = self.plot.halves_of_view(stage, view);
        let (honest, accomplices, voters) = (stage.honest(), stage.accomplices(), stage.liars);
        let audience = if stage.random.once_in(2) { honest } else { halves.half(0).to_vec() };
        let candidate = lie.candidate();
        stage.send(&audience, &Message::Propose(Box::new(lie.clone())));
        stage.send(&accomplices, &Message::Propose(Box::new(lie)));
        support(stage, &audience, candidate, voters);
        stage.act(act);
    }

    /// Gives up everything since the head, whatever was finalised there.
    fn nullify(&mut self, stage: &mut Stage<'_>, face: &Face, view: u64) {
        let from_view = face.head().view.saturating_add(1).min(view);
        let vote = stage.vote(stage.own, Statement::Nullify { from_view, view });
        let halves = self.plot.halves_of_view(stage, view);
        stage.send(halves.half(1), &Message::Vote(vote));
        stage.act("nullified a long range");
    }
}

impl Twist for ForkingLeader {
    fn name(&self) -> &'static str {
        "forking leader"
    }

    fn on_word(&mut self, stage: &mut Stage<'_>, face: &Face, word: Word) {
        match &word {
            Word::Say(Recipients::Others, Message::Propose(propose))
                if propose.header.proposer == stage.own =>
            {
                self.propose(stage, face, propose);
            }
            Word::Say(_, Message::Vote(vote)) => {
                say(stage, face, &word);
                if let Statement::Notarize(candidate) = vote.statement {
                    self.nullify(stage, face, candidate.view);
                }
            }
            _ => say(stage, face, &word),
        }
    }

    fn on_heard(&mut self, _: &mut Stage<'_>, _: &Face, _: ValidatorId, message: &Message) {
        if let Message::Propose(propose) = message {
            self.proposals.note(propose);
        }
    }
}

/// A block some steps before the parent of a proposal.
fn older(face: &Face, right: &Propose, steps: u64) -> Option<BlockHeader> {
    let mut parent = face.header(&right.header.parent)?;
    for _ in 0..steps {
        parent = face.header(&parent.parent).unwrap_or(parent);
    }
    (parent.id() != right.header.parent).then(|| parent.clone())
}

/// A proposal in the same view, on another block.
fn on_parent(stage: &Stage<'_>, face: &Face, right: &Propose, parent: &BlockHeader) -> Propose {
    let id = parent.id();
    let time_ms = right.header.time_ms.max(parent.time_ms.saturating_add(1));
    let order = Order { view: right.header.view, proposer: stage.own, parent: id, time_ms };
    let (header, _) = execution::build(order, parent, &[]);
    let held = face.decided().rev().find(|(decided, _)| decided == parent);
    let certificate = held
        .map(|(_, certificate)| certificate.clone())
        .filter(|certificate| certificate.certified().candidate().is_some_and(|it| it.block == id));
    // The nullifications of the better proposal are true, but do not cover what this one skips.
    stage.propose(Propose { header, parent: certificate, ..right.clone() })
}
