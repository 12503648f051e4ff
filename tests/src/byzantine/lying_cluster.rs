//! All liars together, as a cluster that is wholly corrupt would act. Attacks SPEC 3.3: the cluster rule, and the
//! overlap of quorums that Lemma 1 promises.
//!
//! When one of them leads it shows two blocks to two halves, chosen so that the liars complete a quorum with each half
//! if anything can, with the NOTARIZE of its cluster's liars for both (of a lying cluster: two cluster certificates in
//! one view), and lays an ambush with the votes of the other liars. When somebody else leads, they finalise the block
//! towards one half and nullify it towards the other.

use consensus::{Message, Recipients};
use ledger_types::ValidatorId;
use ledger_types::certificate::{Candidate, Statement, VoteKind};

use super::Stage;
use super::ambush::Ambush;
use super::face::{Face, Word};
use super::plot::Plot;
use super::proposals::Proposals;
use super::twist::{Twist, say};

/// See the module.
pub(super) struct LyingCluster {
    plot: Plot,
    proposals: Proposals,
    ambush: Option<Ambush>,
}

impl LyingCluster {
    pub(super) fn new(plot: Plot) -> Self {
        Self { plot, proposals: Proposals::default(), ambush: None }
    }

    /// FINALIZE to the first half, NULLIFY to the second.
    fn waver(&mut self, stage: &mut Stage<'_>, candidate: Candidate) {
        let (own, view) = (stage.own, candidate.view);
        let halves = self.plot.halves_of_view(stage, view);
        let sides = [Statement::Finalize(candidate), Statement::Nullify { from_view: view, view }];
        for (half, statement) in sides.into_iter().enumerate() {
            let vote = stage.vote(own, statement);
            stage.send(halves.half(half), &Message::Vote(vote));
        }
        stage.act("finalized and nullified");
    }
}

impl Twist for LyingCluster {
    fn name(&self) -> &'static str {
        "lying cluster"
    }

    fn on_word(&mut self, stage: &mut Stage<'_>, face: &Face, word: Word) {
        let accomplices = stage.accomplices();
        match &word {
            Word::Say(Recipients::Others, Message::Propose(propose))
                if propose.header.proposer == stage.own =>
            {
                let halves = self.plot.halves_of_view(stage, propose.header.view);
                if halves.can_both_decide(stage) {
                    stage.act("found two halves that can both decide");
                }
                self.ambush = Some(Ambush::lay(stage, halves, propose).0);
                stage.send(&accomplices, &Message::Propose(propose.clone()));
            }
            // The liar that leads speaks for all.
            Word::Say(_, Message::Vote(vote))
                if stage.is_liar(stage.committee.leader(vote.statement.view()))
                    && vote.statement.kind() != VoteKind::Nullify =>
            {
                stage.send(&accomplices, &Message::Vote(*vote));
            }
            // Their replicas know the first block only, and often before anybody else that it is notarized: the second
            // half must not hear that from them.
            Word::Say(_, Message::Certificate(certificate))
                if certificate.certified().candidate().is_some()
                    && stage.is_liar(stage.committee.leader(certificate.view())) =>
            {
                let halves = self.plot.halves_of_view(stage, certificate.view());
                let certificate = Message::Certificate(certificate.clone());
                stage.send(halves.half(0), &certificate);
                stage.send(&accomplices, &certificate);
            }
            // What they finalised goes to the first half only.
            Word::Say(_, Message::Vote(vote)) if vote.statement.kind() == VoteKind::Finalize => {
                stage.send(&accomplices, &Message::Vote(*vote));
            }
            _ => say(stage, face, &word),
        }
    }

    fn on_heard(&mut self, stage: &mut Stage<'_>, _: &Face, _: ValidatorId, message: &Message) {
        match message {
            Message::Vote(vote) if !stage.is_liar(vote.signer) => {
                self.ambush.take_if(|ambush| ambush.on_vote(stage, vote));
            }
            Message::Propose(propose)
                if !stage.is_liar(propose.header.proposer) && self.proposals.note(propose) =>
            {
                self.waver(stage, propose.candidate());
            }
            _ => {}
        }
    }

    fn on_time(&mut self, stage: &mut Stage<'_>, _face: &Face) {
        self.ambush.take_if(|ambush| ambush.on_time(stage));
    }
}
