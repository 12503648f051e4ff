//! A relay between clusters that forges, holds back and shows around. Attacks SPEC 3.3 and 3.4: a certificate is worth
//! what its signatures are, and who brings it is worth nothing.
//!
//! It pastes certificates from votes that it has: with one signer too few, with votes for another statement, with
//! signers that do not exist, with one signer twice, with signatures made up. True ones it shows to some only, and
//! early: with the votes of all liars added.

use bytes::Bytes;
use consensus::Message;
use ledger_types::certificate::{Candidate, Certificate, CertificateVote, Certified, VoteKind};
use ledger_types::{Signature, ValidatorId};

use super::Stage;
use super::ballots::{Ballots, is_one_short, paste, relabelled};
use super::face::{Face, Word};
use super::plot::Plot;
use super::twist::{Twist, say};

/// Where the number of sections stands in an encoded CERT: after the message's version and tag and the certificate's
/// version, epoch, kind, view, height and block.
const SECTION_COUNT_AT: usize = 2 + 1 + 8 + 1 + 8 + 8 + 64;

/// See the module.
pub(super) struct LyingArbitrator {
    plot: Plot,
    ballots: Ballots,
    /// Certificates that were held back from one half, to be shown later.
    kept: Vec<Certificate>,
}

impl LyingArbitrator {
    pub(super) fn new(plot: Plot) -> Self {
        Self { plot, ballots: Ballots::default(), kept: Vec::new() }
    }

    fn show(stage: &mut Stage<'_>, certificate: Option<Certificate>, act: &'static str) {
        let Some(certificate) = certificate else { return };
        let honest = stage.honest();
        stage.send(&honest, &Message::Certificate(certificate));
        stage.act(act);
    }

    /// Pastes what can be pasted now that one more vote is known.
    fn on_votes(&mut self, stage: &mut Stage<'_>, certified: Certified) {
        let votes = self.ballots.with_liars(stage, certified);
        let signers: Vec<ValidatorId> = votes.keys().copied().collect();
        if is_one_short(stage, &signers) {
            let certificate = paste(stage, certified, votes);
            Self::show(stage, certificate, "certified with one signer too few");
        } else if stage.committee.quorum().is_met_by(signers) {
            let Some(certificate) = paste(stage, certified, votes) else { return };
            let halves = self.plot.halves_of_view(stage, certified.view());
            stage.send(halves.half(0), &Message::Certificate(certificate.clone()));
            stage.act("showed a true certificate to one half");
            self.kept.push(certificate);
        }
    }

    /// Makes up a certificate about a block that was just proposed.
    fn forge(&mut self, stage: &mut Stage<'_>, candidate: Candidate) {
        let kinds = [Certified::Notarization(candidate), Certified::Finalization(candidate)];
        let Some(certified) = stage.pick(&kinds) else { return };
        let (view, everybody) = (candidate.view, stage.committee.topology().validators());
        let nothing = CertificateVote { from_view: view, signature: Signature::ZERO };
        let everybody: Vec<_> = everybody.map(|(id, _)| (id, nothing)).collect();
        let own = self.ballots.with_liars(stage, certified);
        match stage.random.below(0..3) {
            0 => {
                let mut votes = own;
                for (id, vote) in everybody {
                    votes.entry(id).or_insert(vote);
                }
                let certificate = paste(stage, certified, votes);
                Self::show(stage, certificate, "certified with signatures made up");
            }
            1 => {
                let foreign = everybody.into_iter().map(|(id, vote)| {
                    let id = ValidatorId { cluster: 63 - id.cluster, node: 63 - id.node };
                    (id, vote)
                });
                let certificate = paste(stage, certified, own.into_iter().chain(foreign));
                Self::show(stage, certificate, "certified with signers that do not exist");
            }
            _ => {
                let Some(certificate) = paste(stage, certified, own) else { return };
                let bytes = doubled(Message::Certificate(certificate).encode());
                let honest = stage.honest();
                stage.send_bytes(&honest, &bytes);
                stage.act("certified with every signer twice");
            }
        }
    }

    /// Passes the votes of one statement off as votes for another.
    fn relabel(&mut self, stage: &mut Stage<'_>) {
        let Some(heard) = self.ballots.outcomes().next_back() else { return };
        let Some(other) = relabelled(heard) else { return };
        let votes = self.ballots.with_liars(stage, heard);
        let certificate = paste(stage, other, votes);
        Self::show(stage, certificate, "certified with votes for another statement");
    }
}

impl Twist for LyingArbitrator {
    fn name(&self) -> &'static str {
        "lying arbitrator"
    }

    fn on_word(&mut self, stage: &mut Stage<'_>, face: &Face, word: Word) {
        let Word::Say(_, Message::Certificate(certificate)) = &word else { return say(stage, face, &word) };
        let halves = self.plot.halves_of_view(stage, certificate.view());
        stage.send(halves.half(0), &Message::Certificate(certificate.clone()));
        stage.act("held a certificate back from one half");
        self.kept.push(certificate.clone());
    }

    fn on_heard(&mut self, stage: &mut Stage<'_>, _: &Face, _: ValidatorId, message: &Message) {
        match message {
            Message::Vote(vote) if !stage.is_liar(vote.signer) && self.ballots.note(vote) => {
                let certified = vote.statement.certified();
                self.on_votes(stage, certified);
                if certified.kind() == VoteKind::Notarize && stage.random.once_in(4) {
                    self.relabel(stage);
                }
            }
            Message::Propose(propose) => self.forge(stage, propose.candidate()),
            _ => {}
        }
    }

    fn on_time(&mut self, stage: &mut Stage<'_>, _face: &Face) {
        if !self.kept.is_empty() && stage.random.once_in(16) {
            let count = self.kept.len() as u64;
            let index = usize::try_from(stage.random.below(0..count)).unwrap_or(0);
            let certificate = self.kept.swap_remove(index);
            Self::show(stage, Some(certificate), "showed a certificate late");
            self.kept.truncate(64);
        }
    }
}

/// The bytes of a CERT with all its sections standing there twice.
fn doubled(mut bytes: Vec<u8>) -> Bytes {
    let sections: Vec<u8> = bytes.get(SECTION_COUNT_AT + 2..).unwrap_or_default().to_vec();
    bytes.extend(sections);
    if let Some(low) = bytes.get_mut(SECTION_COUNT_AT + 1) {
        *low = low.saturating_mul(2);
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_types::BlockId;

    #[test]
    fn a_doubled_certificate_differs_only_in_its_sections() {
        let vote = CertificateVote { from_view: 3, signature: Signature([7; 64]) };
        let signers = [0, 1].map(|cluster| (ValidatorId { cluster, node: 1 }, vote));
        let candidate = Candidate { view: 3, height: 2, block: BlockId([5; 64]) };
        let certificate = Certificate::new(0, Certified::Finalization(candidate), signers).unwrap();
        let once = Message::Certificate(certificate).encode();
        let twice = doubled(once.clone());
        let section = 2 + 8 + 64;
        assert_eq!(twice.len(), once.len() + 2 * section);
        assert_eq!(once[SECTION_COUNT_AT..SECTION_COUNT_AT + 2], [0, 2]);
        assert_eq!(twice[SECTION_COUNT_AT..SECTION_COUNT_AT + 2], [0, 4]);
        assert!(Message::decode(twice).is_err(), "no honest decoder takes it");
    }
}
