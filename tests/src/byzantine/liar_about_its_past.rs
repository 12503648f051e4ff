//! Somebody whose word on the past is false. Attacks the rollback guard (SPEC 3.10): a node that forgot votes must not
//! be talked into voting too early, and one that forgot none must not be silenced for ever.
//!
//! It answers starting nodes with marks too high and too low, standings made up, certificates and votes that are old;
//! it shows the same asker different things, and its heartbeats name views, heights and times that never were.

use std::collections::BTreeMap;

use consensus::message::{AnswerStanding, GuardAnswer, GuardRequest, Heartbeat};
use consensus::{Message, Recipients, Vote};
use ledger_types::certificate::Certificate;
use ledger_types::{Signature, ValidatorId};

use super::Stage;
use super::face::{Face, Word};
use super::twist::{Twist, say};

/// What was seen of a validator: the oldest things are the most misleading.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    first_vote: Option<Vote>,
    last_vote: Option<Vote>,
    first_request: Option<GuardRequest>,
    last_request: Option<GuardRequest>,
}

/// See the module.
pub(super) struct LiarAboutItsPast {
    seen: BTreeMap<ValidatorId, Seen>,
    /// The first certificate it ever heard, and the newest.
    certificates: Option<(Certificate, Certificate)>,
}

impl LiarAboutItsPast {
    pub(super) fn new() -> Self {
        Self { seen: BTreeMap::new(), certificates: None }
    }

    fn answer(&self, stage: &mut Stage<'_>, face: &Face, request: &GuardRequest) {
        let (oldest, newest) = self.certificates.clone().unzip();
        let view = face.view();
        let (mark, proof, act) = match stage.random.below(0..6) {
            0 => (u64::MAX, None, "answered with an endless mark, unproven"),
            1 => (view.saturating_add(100), newest, "answered with a mark too high"),
            2 => {
                let proven = newest.as_ref().map_or(0, Certificate::view);
                (proven.saturating_add(2), newest, "answered with the highest mark that counts")
            }
            3 => (0, None, "answered that it never voted"),
            4 => (view, oldest, "answered with an old certificate"),
            _ => {
                let low = oldest.as_ref().map_or(0, Certificate::view);
                (low, oldest, "answered with a mark too low")
            }
        };
        let standings = [AnswerStanding::Voting, AnswerStanding::Guarded, AnswerStanding::Asking];
        let standing = stage.pick(&standings).unwrap_or(AnswerStanding::Voting);
        let seen = self.seen.get(&request.signer).copied().unwrap_or_default();
        let (seen_request, seen_vote) = match stage.random.below(0..4) {
            0 => (None, None),
            1 => (seen.first_request, seen.first_vote),
            2 => (seen.last_request, seen.first_vote),
            _ => (seen.last_request, seen.last_vote),
        };
        let question = stage.question(request);
        let answer = GuardAnswer {
            signer: stage.own,
            asker: request.signer,
            question,
            standing,
            mark,
            proof,
            seen_request,
            seen_vote,
            signature: Signature::ZERO,
        };
        let message = stage.guard_answer(answer);
        stage.send(&[request.signer], &message);
        stage.act(act);
    }

    fn heartbeat(stage: &mut Stage<'_>, true_one: Heartbeat) {
        let far = stage.random.below(1..2_000);
        let mut heartbeat = true_one;
        match stage.random.below(0..5) {
            0 => heartbeat.view = 0,
            1 => heartbeat.view = heartbeat.view.saturating_add(far),
            2 => (heartbeat.final_view, heartbeat.final_height) = (u64::MAX, u64::MAX),
            3 => heartbeat.final_height = heartbeat.final_height.saturating_add(far),
            _ => heartbeat.wall_ms = if stage.random.once_in(2) { u64::MAX } else { 0 },
        }
        let message = stage.heartbeat(heartbeat);
        for to in stage.audience(Recipients::Others) {
            if stage.random.once_in(2) {
                stage.send(&[to], &message);
            }
        }
        stage.act("made a heartbeat up");
    }

    fn note_certificate(&mut self, certificate: &Certificate) {
        match &mut self.certificates {
            None => self.certificates = Some((certificate.clone(), certificate.clone())),
            Some((_, newest)) if newest.view() < certificate.view() => *newest = certificate.clone(),
            Some(_) => {}
        }
    }
}

impl Twist for LiarAboutItsPast {
    fn name(&self) -> &'static str {
        "liar about its past"
    }

    fn on_word(&mut self, stage: &mut Stage<'_>, face: &Face, word: Word) {
        match &word {
            // Said below, otherwise.
            Word::Say(_, Message::GuardAnswer(_)) => {}
            Word::Say(_, Message::Heartbeat(heartbeat)) => Self::heartbeat(stage, *heartbeat),
            _ => say(stage, face, &word),
        }
    }

    fn on_heard(&mut self, stage: &mut Stage<'_>, face: &Face, _: ValidatorId, message: &Message) {
        match message {
            Message::Vote(vote) => {
                let seen = self.seen.entry(vote.signer).or_default();
                seen.first_vote.get_or_insert(*vote);
                seen.last_vote = Some(*vote);
            }
            Message::Certificate(certificate) => self.note_certificate(certificate),
            Message::GuardRequest(request) => {
                // The same question gets different answers.
                self.answer(stage, face, request);
                let seen = self.seen.entry(request.signer).or_default();
                seen.first_request.get_or_insert(*request);
                seen.last_request = Some(*request);
            }
            _ => {}
        }
    }
}
