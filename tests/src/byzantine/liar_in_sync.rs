//! Somebody who answers questions falsely. Attacks catching up (SPEC 3.9): nothing is executed without a finalization
//! above it, and a bad answer costs its reader no more than asking the next peer.
//!
//! It answers for blocks with other bodies, other heights, headers that do not follow each other and certificates that
//! prove nothing, for proposals with other ones, for entries with garbage, for views with what does not cover them.
//! Some questions it does not answer.

use bytes::Bytes;
use consensus::{Message, Wanted};
use ledger_types::certificate::{CertificateVote, Statement};
use ledger_types::{BlockId, Signature, ValidatorId};

use super::Stage;
use super::ballots::paste;
use super::face::{Face, Word};
use super::gang::rival;
use super::proposals::Proposals;
use super::twist::{Twist, say};
use super::wrong_root::answer_with_garbage;

/// So seldom, in ticks, it answers what nobody asked.
const VOLUNTEERS_ONCE_IN: u64 = 24;

/// See the module.
pub(super) struct LiarInSync {
    proposals: Proposals,
}

impl LiarInSync {
    pub(super) fn new() -> Self {
        Self { proposals: Proposals::default() }
    }

    fn answer_proposal(&self, stage: &mut Stage<'_>, to: ValidatorId, block: &BlockId) {
        let newest = self.proposals.all().next_back();
        let answer = match (self.proposals.find(block), stage.random.below(0..3)) {
            (Some(right), 0) => {
                let mut wrong = right.clone();
                wrong.refs = Bytes::from_static(b"no refs of this block");
                stage.act("answered with other refs");
                Some(stage.propose(wrong))
            }
            (Some(right), 1) => {
                stage.act("answered with a rival proposal");
                Some(rival(stage, right))
            }
            _ => {
                stage.act("answered with another proposal");
                newest.cloned()
            }
        };
        if let Some(answer) = answer {
            stage.send(&[to], &Message::Propose(Box::new(answer)));
        }
    }

    fn answer_range(stage: &mut Stage<'_>, to: ValidatorId, from_view: u64, to_view: u64) {
        let statement = match stage.random.below(0..3) {
            0 => Statement::Nullify { from_view: to_view, view: to_view },
            1 => Statement::Nullify { from_view, view: to_view },
            _ => Statement::Nullify { from_view: 0, view: to_view.saturating_add(40) },
        };
        let vote = stage.vote(stage.own, statement);
        stage.send(&[to], &Message::Vote(vote));
        stage.act("answered with a NULLIFY of its own choice");
    }
}

impl Twist for LiarInSync {
    fn name(&self) -> &'static str {
        "liar in sync"
    }

    fn on_word(&mut self, stage: &mut Stage<'_>, face: &Face, word: Word) {
        match word {
            Word::Entries(to, block, _) => answer_with_garbage(stage, to, block),
            Word::Run(to, from_height) => answer_run(stage, face, to, from_height),
            // Questions are answered below.
            Word::Say(consensus::Recipients::One(_), Message::Propose(_)) => {}
            Word::Say(..) => say(stage, face, &word),
        }
    }

    fn on_heard(&mut self, stage: &mut Stage<'_>, _: &Face, from: ValidatorId, message: &Message) {
        match message {
            Message::Propose(propose) => {
                self.proposals.note(propose);
            }
            Message::Request(_) if stage.random.once_in(4) => stage.act("left a question unanswered"),
            Message::Request(request) => match &request.wanted {
                Wanted::Proposal { block } => self.answer_proposal(stage, from, block),
                Wanted::Range { from_view, to_view } => {
                    Self::answer_range(stage, from, *from_view, *to_view);
                }
                // The replica makes words of these.
                Wanted::Entries { .. } | Wanted::Blocks { .. } => {}
            },
            _ => {}
        }
    }

    fn on_time(&mut self, stage: &mut Stage<'_>, face: &Face) {
        // An answer may come before its question, or without one.
        let honest = stage.honest();
        if stage.random.once_in(VOLUNTEERS_ONCE_IN)
            && let Some(to) = stage.pick(&honest)
        {
            let from_height = face.head().height.saturating_sub(stage.random.below(0..4));
            answer_run(stage, face, to, from_height);
        }
    }
}

fn answer_run(stage: &mut Stage<'_>, face: &Face, to: ValidatorId, from_height: u64) {
    let Some(mut run) = face.run(from_height) else { return };
    let act = match stage.random.below(0..7) {
        0 => {
            run.bodies.fill(Bytes::from_static(b"no body of this block"));
            "answered with a run of wrong bodies"
        }
        1 => {
            run.bodies.fill(Bytes::new());
            "answered with a run of empty bodies"
        }
        2 => {
            run.bodies.truncate(1);
            "answered with a run of few bodies"
        }
        3 => {
            if let Some(header) = run.headers.first_mut() {
                header.time_ms = header.time_ms.wrapping_add(1);
            }
            "answered with a run of other headers"
        }
        4 => {
            run.certificate = run.certificate.and_then(|certificate| {
                let nothing = CertificateVote { from_view: certificate.view(), signature: Signature::ZERO };
                let signers: Vec<_> = certificate.signers().map(|signer| (signer, nothing)).collect();
                paste(stage, certificate.certified(), signers)
            });
            "answered with a run under a forged certificate"
        }
        5 => match face.run(from_height.saturating_sub(1)) {
            Some(earlier) => {
                run = earlier;
                "answered with a run from another height"
            }
            None => return,
        },
        _ => match face.decided().next_back() {
            Some((newest, certificate)) => {
                // True, final, and not asked for: what is between is left out.
                (run.headers, run.certificate) = (vec![newest.clone()], Some(certificate.clone()));
                run.bodies.truncate(1);
                "answered with the newest block only"
            }
            None => return,
        },
    };
    stage.send(&[to], &Message::Run(Box::new(run)));
    stage.act(act);
}
