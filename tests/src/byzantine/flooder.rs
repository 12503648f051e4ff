//! Somebody who sends too much. Attacks SPEC 3.9: windows, one slot for each signer, kind and view, and limits on
//! answered questions keep memory and work bounded, and those who follow the rules are still heard.
//!
//! It works in bursts, at most [`BURST`] messages a tick, so that a run stays cheap.

use bytes::Bytes;
use consensus::message::GuardRequest;
use consensus::{Message, Propose, Wanted};
use ledger_types::certificate::{Candidate, Statement};
use ledger_types::{BlockHeader, BlockId, Signature, ValidatorId};

use super::Stage;
use super::face::{Face, Word};
use super::twist::{Twist, say};
use super::wrong_root::garbage;

/// Messages in one tick at most, each to one validator.
const BURST: u64 = 12;
/// The largest refs, bytes; one message in a few dozen has them.
const HUGE_REFS: usize = 32 * 1024;

/// See the module.
pub(super) struct Flooder {
    is_flooding: bool,
    until_ms: u64,
}

impl Flooder {
    pub(super) fn new() -> Self {
        Self { is_flooding: false, until_ms: 0 }
    }

    fn send_one(stage: &mut Stage<'_>, face: &Face, to: ValidatorId) {
        let view = face.view();
        let (message, act) = match stage.random.below(0..8) {
            0 | 1 => (Self::far_vote(stage, view), "voted for far views"),
            2 => match Self::far_proposal(stage, face.head(), view) {
                Some(propose) => (propose, "proposed ahead"),
                None => (Self::far_vote(stage, view), "voted for far views"),
            },
            3..6 => (Self::question(stage, face), "asked at a high rate"),
            6 => (Self::guard_question(stage), "asked as a starting node at a high rate"),
            _ => {
                let mut bytes = garbage(stage, 400).to_vec();
                // Half of them begin like a message.
                if stage.random.once_in(2) && bytes.len() >= 2 {
                    (bytes[0], bytes[1]) = (1, bytes[1] % 10);
                }
                stage.send_bytes(&[to], &bytes.into());
                stage.act("sent garbage bytes");
                return;
            }
        };
        stage.send(&[to], &message);
        stage.act(act);
    }

    fn far_vote(stage: &mut Stage<'_>, view: u64) -> Message {
        let far = match stage.random.below(0..4) {
            0 => stage.random.draw(),
            1 => u64::MAX,
            _ => view.saturating_add(stage.random.below(1..80)),
        };
        let block = BlockId([stage.random.draw().to_be_bytes()[0]; 64]);
        let candidate = Candidate { view: far, height: far, block };
        let statement = match stage.random.below(0..3) {
            0 => Statement::Notarize(candidate),
            1 => Statement::Finalize(candidate),
            _ => Statement::Nullify { from_view: stage.random.draw() % far.max(1), view: far },
        };
        Message::Vote(stage.vote(stage.own, statement))
    }

    /// A proposal for a later view that this validator leads, on the head.
    fn far_proposal(stage: &mut Stage<'_>, head: &BlockHeader, view: u64) -> Option<Message> {
        let ahead = view.saturating_add(stage.random.below(1..40));
        let led =
            (ahead..ahead.saturating_add(256)).find(|view| stage.committee.leader(*view) == stage.own)?;
        let header = BlockHeader {
            view: led,
            height: head.height.saturating_add(stage.random.below(1..4)),
            parent: if stage.random.once_in(2) { head.id() } else { BlockId([led.to_be_bytes()[7]; 64]) },
            proposer: stage.own,
            time_ms: head.time_ms.saturating_add(stage.random.below(1..1_000)),
            ..head.clone()
        };
        let size = if stage.random.once_in(6) { HUGE_REFS } else { 64 };
        let refs = Bytes::from(vec![0xa5; size]);
        let unsigned =
            Propose { header, refs, parent: None, nullifications: Vec::new(), signature: Signature::ZERO };
        Some(Message::Propose(Box::new(stage.propose(unsigned))))
    }

    fn question(stage: &mut Stage<'_>, face: &Face) -> Message {
        let (view, head) = (face.view(), face.head());
        let block = if stage.random.once_in(2) { head.id() } else { BlockId([1; 64]) };
        let wanted = match stage.random.below(0..5) {
            0 => Wanted::Proposal { block },
            1 => Wanted::Range { from_view: 0, to_view: u64::MAX },
            2 => Wanted::Range { from_view: view.saturating_sub(stage.random.below(0..9)), to_view: view },
            3 => Wanted::Entries { block, indices: (0..256).chain([u32::MAX]).collect() },
            _ => Wanted::Blocks { from_height: stage.random.below(0..head.height + 2) },
        };
        stage.request(wanted)
    }

    fn guard_question(stage: &mut Stage<'_>) -> Message {
        let nonce = [stage.random.draw().to_be_bytes()[0]; 16];
        let current = consensus::guard::Incarnation { counter: stage.random.draw(), nonce };
        let (signer, asked_ms) = (stage.own, stage.random.draw());
        let request = GuardRequest { signer, previous: None, current, asked_ms, signature: Signature::ZERO };
        Message::GuardRequest(stage.guard_request(request))
    }
}

impl Twist for Flooder {
    fn name(&self) -> &'static str {
        "flooder"
    }

    fn on_word(&mut self, stage: &mut Stage<'_>, face: &Face, word: Word) {
        say(stage, face, &word);
    }

    fn on_time(&mut self, stage: &mut Stage<'_>, face: &Face) {
        if stage.now_ms >= self.until_ms {
            self.is_flooding = stage.random.once_in(3);
            self.until_ms = stage.now_ms.saturating_add(stage.random.below(200..2_000));
        }
        if self.is_flooding {
            let honest = stage.honest();
            for _ in 0..stage.random.below(1..BURST + 1) {
                let Some(to) = stage.pick(&honest) else { return };
                Self::send_one(stage, face, to);
            }
        }
    }
}
