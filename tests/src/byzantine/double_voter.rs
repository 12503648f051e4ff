//! Somebody who votes both ways. Attacks SPEC 3.5 V1, V3 and V4, and what rests on them: Lemma 2 (one notarized block a
//! view) and Lemma 3 (no final view is nullified).
//!
//! To one half of the honest nodes it says what an honest voter would; to the other the opposite: NOTARIZE for another
//! block, NULLIFY of what it FINALIZEs, FINALIZE of what it NULLIFYs. Sometimes it shows somebody both.
//! Ranges of views that it should give up it shortens to one, so that nullifications cover little.

use consensus::Message;
use ledger_types::ValidatorId;
use ledger_types::certificate::Statement;

use super::Stage;
use super::face::{Face, Word};
use super::plot::Plot;
use super::proposals::Proposals;
use super::twist::{Twist, say};

/// See the module.
pub(super) struct DoubleVoter {
    plot: Plot,
    proposals: Proposals,
}

impl DoubleVoter {
    pub(super) fn new(plot: Plot) -> Self {
        Self { plot, proposals: Proposals::default() }
    }

    /// What excludes a statement, with the name of saying both.
    fn opposite(&self, statement: Statement) -> Option<(Statement, &'static str)> {
        match statement {
            Statement::Notarize(candidate) => {
                Some((Statement::Notarize(self.proposals.other_than(candidate)), "notarized two blocks"))
            }
            Statement::Finalize(candidate) => {
                let view = candidate.view;
                Some((Statement::Nullify { from_view: view, view }, "nullified what it finalized"))
            }
            Statement::Nullify { view, .. } => {
                let proposed = self.proposals.of(view)?;
                Some((Statement::Finalize(proposed), "finalized what it nullified"))
            }
        }
    }
}

impl Twist for DoubleVoter {
    fn name(&self) -> &'static str {
        "double voter"
    }

    fn on_word(&mut self, stage: &mut Stage<'_>, face: &Face, word: Word) {
        if let Word::Say(to, Message::Vote(vote)) = &word
            && let Statement::Nullify { from_view, view } = vote.statement
            && from_view < view
        {
            let short = stage.vote(stage.own, Statement::Nullify { from_view: view, view });
            stage.act("shortened a range");
            return say(stage, face, &Word::Say(*to, Message::Vote(short)));
        }
        let Word::Say(_, Message::Vote(vote)) = &word else { return say(stage, face, &word) };
        let Some((opposite, act)) = self.opposite(vote.statement) else { return say(stage, face, &word) };
        let halves = self.plot.halves_of_view(stage, vote.statement.view());
        let mut straight: Vec<ValidatorId> = halves.half(0).to_vec();
        straight.extend(stage.accomplices());
        stage.send(&straight, &Message::Vote(*vote));
        let opposite = Message::Vote(stage.vote(stage.own, opposite));
        stage.send(halves.half(1), &opposite);
        stage.act(act);
        if stage.random.once_in(8)
            && let Some(witness) = stage.pick(halves.half(0))
        {
            stage.send(&[witness], &opposite);
            stage.act("showed somebody both votes");
        }
    }

    fn on_heard(&mut self, _: &mut Stage<'_>, _: &Face, _: ValidatorId, message: &Message) {
        if let Message::Propose(propose) = message {
            self.proposals.note(propose);
        }
    }
}
