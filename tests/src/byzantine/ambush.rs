//! Two blocks for one view, and the moment to show their certificates.
//!
//! Honest nodes tell each other what is notarized, so a half that decides first spoils the other's block. The liars
//! therefore hold back the votes that would notarize, until the honest votes for both blocks are there, and then show
//! each half its notarization and their own FINALIZE at once.

use std::collections::BTreeMap;

use consensus::{Message, Propose, Vote};
use ledger_types::ValidatorId;
use ledger_types::certificate::{Candidate, CertificateVote, Certified, Statement};

use super::Stage;
use super::ballots::paste;
use super::gang::{rival, support};
use super::plot::Halves;

/// After so many deltas an ambush is given up: the votes that were held back are sent to both halves.
const PATIENCE_DELTAS: u64 = 6;
/// A notarization is sent so often: the wire is not always equally quick, and the first copy must overtake what the
/// other half says.
const COPIES: usize = 24;

/// See the module.
#[derive(Debug)]
pub(super) struct Ambush {
    halves: Halves,
    both: [Candidate; 2],
    heard: [BTreeMap<ValidatorId, CertificateVote>; 2],
    due_ms: u64,
}

impl Ambush {
    /// Shows each half its block, with as many votes as make others vote, and no more. The second block comes back: the
    /// half that is behind it must hear of it, too.
    pub(super) fn lay(stage: &mut Stage<'_>, halves: Halves, propose: &Propose) -> (Self, Propose) {
        let second = rival(stage, propose);
        let both = [propose.candidate(), second.candidate()];
        let is_alone = stage.committee.topology().clusters().len() == 1;
        let leader = stage.own;
        // Other clusters wait for the cluster certificate of this one.
        let openers: Vec<ValidatorId> =
            stage.liars.iter().copied().filter(|id| id.cluster == leader.cluster && !is_alone).collect();
        for (half, shown) in [propose, &second].into_iter().enumerate() {
            stage.send(halves.half(half), &Message::Propose(Box::new(shown.clone())));
            for opener in &openers {
                let vote = stage.vote(*opener, Statement::Notarize(both[half]));
                stage.send(halves.half(half), &Message::Vote(vote));
            }
        }
        stage.act("proposed twice");
        let due_ms = stage.now_ms.saturating_add(PATIENCE_DELTAS * stage.timing.delta_ms);
        (Self { halves, both, heard: [BTreeMap::new(), BTreeMap::new()], due_ms }, second)
    }

    /// Hears an honest vote; whether it is sprung now.
    pub(super) fn on_vote(&mut self, stage: &mut Stage<'_>, vote: &Vote) -> bool {
        let Statement::Notarize(candidate) = vote.statement else { return false };
        let Some(half) = self.both.iter().position(|block| *block == candidate) else { return false };
        let part = CertificateVote { from_view: candidate.view, signature: vote.signature };
        self.heard[half].insert(vote.signer, part);
        let quorum = stage.committee.quorum();
        let is_ready = self
            .heard
            .iter()
            .all(|votes| quorum.is_met_by(votes.keys().copied().chain(stage.liars.iter().copied())));
        if is_ready {
            self.spring(stage);
        }
        is_ready
    }

    /// Lets time pass; whether it is over.
    pub(super) fn on_time(&mut self, stage: &mut Stage<'_>) -> bool {
        let is_over = stage.now_ms >= self.due_ms;
        if is_over {
            for (half, candidate) in self.both.into_iter().enumerate() {
                let voters = stage.liars;
                support(stage, self.halves.half(half), candidate, voters);
            }
            stage.act("gave an ambush up");
        }
        is_over
    }

    fn spring(&mut self, stage: &mut Stage<'_>) {
        for (half, candidate) in self.both.into_iter().enumerate() {
            let audience = self.halves.half(half);
            let mut votes = std::mem::take(&mut self.heard[half]);
            for liar in stage.liars {
                let signature = stage.vote(*liar, Statement::Notarize(candidate)).signature;
                votes.insert(*liar, CertificateVote { from_view: candidate.view, signature });
            }
            if let Some(certificate) = paste(stage, Certified::Notarization(candidate), votes) {
                for _ in 0..COPIES {
                    stage.send(audience, &Message::Certificate(certificate.clone()));
                }
            }
            let voters = stage.liars;
            support(stage, audience, candidate, voters);
        }
        stage.act("showed two notarizations of one view");
        stage.act("finalized both");
    }
}
