//! The votes that a liar has heard, and what can be pasted together from them.

use std::collections::BTreeMap;

use consensus::Vote;
use ledger_types::ValidatorId;
use ledger_types::certificate::{Certificate, CertificateVote, Certified};

use super::Stage;

/// Outcomes remembered.
const KEPT: usize = 48;

/// Votes by what they would certify.
#[derive(Debug, Default)]
pub(super) struct Ballots(BTreeMap<(u64, Certified), BTreeMap<ValidatorId, CertificateVote>>);

impl Ballots {
    /// Remembers a vote; whether it is new.
    pub(super) fn note(&mut self, vote: &Vote) -> bool {
        let certified = vote.statement.certified();
        let votes = self.0.entry((certified.view(), certified)).or_default();
        let part = CertificateVote { from_view: vote.statement.from_view(), signature: vote.signature };
        let is_new = votes.insert(vote.signer, part).is_none();
        if self.0.len() > KEPT {
            self.0.pop_first();
        }
        is_new
    }

    /// The votes for an outcome, with those that the liars can add.
    pub(super) fn with_liars(
        &self,
        stage: &Stage<'_>,
        certified: Certified,
    ) -> BTreeMap<ValidatorId, CertificateVote> {
        let mut votes = self.0.get(&(certified.view(), certified)).cloned().unwrap_or_default();
        for liar in stage.liars {
            let from_view = certified.view();
            let Some(statement) = certified.statement(from_view) else { continue };
            let signature = stage.vote(*liar, statement).signature;
            votes.entry(*liar).or_insert(CertificateVote { from_view, signature });
        }
        votes
    }

    /// The statements heard, oldest first.
    pub(super) fn outcomes(&self) -> impl DoubleEndedIterator<Item = Certified> + '_ {
        self.0.keys().map(|(_, certified)| *certified)
    }
}

/// A certificate of this epoch, whatever its votes are worth.
pub(super) fn paste(
    stage: &Stage<'_>,
    certified: Certified,
    votes: impl IntoIterator<Item = (ValidatorId, CertificateVote)>,
) -> Option<Certificate> {
    Certificate::new(stage.committee.epoch(), certified, votes)
}

/// The same statement about another kind: what NOTARIZE votes would be, were they FINALIZE votes, and so on.
pub(super) fn relabelled(certified: Certified) -> Option<Certified> {
    let candidate = certified.candidate()?;
    Some(match certified {
        Certified::Notarization(_) => Certified::Finalization(candidate),
        _ => Certified::Notarization(candidate),
    })
}

/// Whether these signers are no quorum, but would be with any one of some others.
pub(super) fn is_one_short(stage: &Stage<'_>, signers: &[ValidatorId]) -> bool {
    let quorum = stage.committee.quorum();
    let all = stage.committee.topology().validators().map(|(id, _)| id);
    let mut others = all.filter(|id| !signers.contains(id));
    !quorum.is_met_by(signers.iter().copied())
        && others.any(|other| quorum.is_met_by(signers.iter().copied().chain([other])))
}
