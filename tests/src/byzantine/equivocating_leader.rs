//! A leader with two blocks. Attacks SPEC 3.5 V1 and Lemma 2: one view notarizes at most one block.
//!
//! In each view that it leads it shows one block to some and another to the rest, and signs NOTARIZE and FINALIZE for
//! both at once. Elsewhere it is honest, so that others trust its views.

use consensus::{Message, Propose, Recipients};
use ledger_types::certificate::VoteKind;

use super::Stage;
use super::face::{Face, Word};
use super::gang::propose_twice;
use super::plot::Plot;
use super::twist::{Twist, say};

/// See the module.
pub(super) struct EquivocatingLeader {
    plot: Plot,
}

impl EquivocatingLeader {
    pub(super) fn new(plot: Plot) -> Self {
        Self { plot }
    }

    fn propose(&mut self, stage: &mut Stage<'_>, propose: &Propose) {
        let halves = self.plot.halves_of_view(stage, propose.header.view);
        let own = stage.own;
        propose_twice(stage, &halves, propose, &[own]);
        let accomplices = stage.accomplices();
        stage.send(&accomplices, &Message::Propose(Box::new(propose.clone())));
    }
}

impl Twist for EquivocatingLeader {
    fn name(&self) -> &'static str {
        "equivocating leader"
    }

    fn on_word(&mut self, stage: &mut Stage<'_>, face: &Face, word: Word) {
        let leads = |view: u64| stage.committee.leader(view) == stage.own;
        match &word {
            Word::Say(Recipients::Others, Message::Propose(propose))
                if propose.header.proposer == stage.own =>
            {
                self.propose(stage, propose);
            }
            // Both halves have its votes; a second one that fits only one half would give it away.
            Word::Say(_, Message::Vote(vote))
                if leads(vote.statement.view()) && vote.statement.kind() != VoteKind::Nullify =>
            {
                let accomplices = stage.accomplices();
                stage.send(&accomplices, &Message::Vote(*vote));
            }
            _ => say(stage, face, &word),
        }
    }
}
