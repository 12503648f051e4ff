//! Votes and proposals by which several liars show two histories at once.

use consensus::{Message, Propose};
use ledger_types::certificate::{Candidate, Statement};
use ledger_types::{BlockHeader, ValidatorId};

use super::Stage;
use super::plot::Halves;

/// The same block a millisecond later: as good as the first, and another.
pub(super) fn rival(stage: &Stage<'_>, propose: &Propose) -> Propose {
    let time_ms = propose.header.time_ms.saturating_add(1);
    let header = BlockHeader { time_ms, ..propose.header.clone() };
    stage.propose(Propose { header, ..propose.clone() })
}

/// Shows each half a block of its own, with every vote for it that the voters can give: NOTARIZE and, before anything
/// is notarized, FINALIZE.
pub(super) fn propose_twice(
    stage: &mut Stage<'_>,
    halves: &Halves,
    propose: &Propose,
    voters: &[ValidatorId],
) {
    let both = [propose.clone(), rival(stage, propose)];
    for (half, propose) in both.into_iter().enumerate() {
        let candidate = propose.candidate();
        stage.send(halves.half(half), &Message::Propose(Box::new(propose)));
        support(stage, halves.half(half), candidate, voters);
    }
    stage.act("proposed twice");
    stage.act("notarized both");
    stage.act("finalized both");
}

/// Sends NOTARIZE and FINALIZE for a block, signed by all these liars.
pub(super) fn support(
    stage: &mut Stage<'_>,
    to: &[ValidatorId],
    candidate: Candidate,
    voters: &[ValidatorId],
) {
    for voter in voters {
        for statement in [Statement::Notarize(candidate), Statement::Finalize(candidate)] {
            let vote = stage.vote(*voter, statement);
            stage.send(to, &Message::Vote(vote));
        }
    }
}
