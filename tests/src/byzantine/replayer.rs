//! Somebody who repeats what was said: later, to others, in another order, and on another network. Attacks SPEC 3.4
//! (what signed bytes begin with binds them to one network, epoch and committee) and everything that takes a message
//! for new.

use bytes::Bytes;
use consensus::{Committee, Message, Vote};
use ledger_types::certificate::{Candidate, CertificateVote, Statement};
use ledger_types::{BlockId, NetworkId, Topology, ValidatorId};

use super::Stage;
use super::ballots::paste;
use super::face::{Face, Word};
use super::proposals::Proposals;
use super::twist::{Twist, say};

/// Messages remembered.
const KEPT: usize = 512;
/// Messages repeated in one tick at most.
const REPEATS: u64 = 6;

/// See the module.
pub(super) struct Replayer {
    heard: Vec<Bytes>,
    proposals: Proposals,
    /// Committees of the same validators: of another network, of another epoch, and with another name.
    elsewhere: Vec<(Committee, &'static str)>,
}

impl Replayer {
    pub(super) fn new() -> Self {
        Self { heard: Vec::new(), proposals: Proposals::default(), elsewhere: Vec::new() }
    }

    fn remember(&mut self, stage: &mut Stage<'_>, message: &Message) {
        let bytes = Bytes::from(message.encode());
        if self.heard.len() < KEPT {
            self.heard.push(bytes);
        } else if let Ok(index) = usize::try_from(stage.random.below(0..2 * KEPT as u64))
            && let Some(place) = self.heard.get_mut(index)
        {
            // Half of what comes is dropped, so that old messages stay for long.
            *place = bytes;
        }
    }

    /// What all validators said of a block on another network, as votes and as certificates of this one.
    fn show_elsewhere(&mut self, stage: &mut Stage<'_>, candidate: Candidate) {
        if self.elsewhere.is_empty() {
            self.elsewhere = committees(stage);
        }
        let count = self.elsewhere.len() as u64;
        let index = usize::try_from(stage.random.below(0..count.max(1))).unwrap_or(0);
        let Some((committee, act)) = self.elsewhere.get(index) else { return };
        let view = candidate.view;
        let kinds = [
            Statement::Notarize(candidate),
            Statement::Finalize(candidate),
            Statement::Nullify { from_view: view, view },
        ];
        let Some(statement) = stage.pick(&kinds) else { return };
        let everybody: Vec<ValidatorId> =
            stage.committee.topology().validators().map(|(signer, _)| signer).collect();
        let votes: Vec<Vote> = everybody
            .iter()
            .map(|signer| Vote {
                signer: *signer,
                statement,
                signature: (stage.elsewhere)(*signer, committee, &statement),
            })
            .collect();
        let part =
            |vote: &Vote| (vote.signer, CertificateVote { from_view: view, signature: vote.signature });
        let certificate = paste(stage, statement.certified(), votes.iter().map(part));
        let honest = stage.honest();
        if stage.random.once_in(2) {
            for vote in votes {
                stage.send(&honest, &Message::Vote(vote));
            }
        } else if let Some(certificate) = certificate {
            stage.send(&honest, &Message::Certificate(certificate));
        }
        stage.act(act);
    }
}

impl Twist for Replayer {
    fn name(&self) -> &'static str {
        "replayer"
    }

    fn on_word(&mut self, stage: &mut Stage<'_>, face: &Face, word: Word) {
        say(stage, face, &word);
    }

    fn on_heard(&mut self, stage: &mut Stage<'_>, _: &Face, _: ValidatorId, message: &Message) {
        self.remember(stage, message);
        if let Message::Propose(propose) = message
            && self.proposals.note(propose)
        {
            self.show_elsewhere(stage, propose.candidate());
        }
    }

    fn on_time(&mut self, stage: &mut Stage<'_>, _face: &Face) {
        let honest = stage.honest();
        for _ in 0..stage.random.below(0..REPEATS) {
            let count = self.heard.len() as u64;
            let index = usize::try_from(stage.random.below(0..count.max(1))).unwrap_or(0);
            let (Some(bytes), Some(to)) = (self.heard.get(index), stage.pick(&honest)) else { return };
            stage.send_bytes(&[to], bytes);
            stage.act("repeated an old message");
        }
    }
}

/// The committees that the same keys could belong to, as different from this one as the least that must not be
/// confused.
fn committees(stage: &Stage<'_>) -> Vec<(Committee, &'static str)> {
    let here = stage.committee;
    let (network, epoch) = (here.network_id(), here.epoch());
    let topology = here.topology().clone();
    let first = BlockId::ZERO;
    let other_network = NetworkId(network.0.map(|byte| byte ^ 1));
    let mut clusters = topology.clusters().to_vec();
    for cluster in &mut clusters {
        cluster.name.push('x');
    }
    let renamed = Topology::new(clusters).unwrap_or_else(|_| topology.clone());
    let mut committees = vec![
        (Committee::new(other_network, epoch, topology.clone(), &first), "votes of another network"),
        (Committee::new(network, epoch.wrapping_add(1), topology, &first), "votes of another epoch"),
    ];
    if renamed.cfg_hash() != here.cfg_hash() {
        committees.push((Committee::new(network, epoch, renamed, &first), "votes of another committee"));
    }
    committees
}
