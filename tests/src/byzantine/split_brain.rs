//! Two faces: the classical attack on a quorum that is one too small, or on a guarantee beyond its bound. Attacks
//! everything at once: SPEC 3.3 and Lemma 1.
//!
//! Each liar runs two honest replicas. One speaks with one half of the honest nodes and with the same faces of the
//! other liars, the other with the other half; each half sees a network of honest nodes in which the rest is silent,
//! and each face believes only its half's certificates. A face that leads shows its block to its half and a rival to
//! the other face and half, as an ambush, because the halves hear each other.

use bytes::Bytes;
use consensus::{Message, Propose, Recipients};
use ledger_types::ValidatorId;
use ledger_types::certificate::VoteKind;

use super::ambush::Ambush;
use super::face::{Clock, Face, Word};
use super::gang::support;
use super::plot::{Halves, Plot};
use super::twist::say;
use super::{Character, Stage};

/// What a message between two faces of one half begins with: one of these bytes, which begin no message, and then the
/// message.
const MARKS: [u8; 2] = [0xa0, 0xb0];

/// The halves change after this time, milliseconds: another chance for a split that the others outlived.
const TURN_MS: u64 = 8_000;

/// See the module.
pub(super) struct SplitBrain {
    plot: Plot,
    faces: Option<[Face; 2]>,
    ambush: Option<Ambush>,
    /// The highest view that both faces have a proposal for, made together.
    proposed: u64,
}

impl SplitBrain {
    pub(super) fn new(plot: Plot) -> Self {
        Self { plot, faces: None, ambush: None, proposed: 0 }
    }

    fn faces(&mut self, stage: &Stage<'_>) -> [Face; 2] {
        self.faces.take().unwrap_or_else(|| [Face::new(stage, Clock::Behind), Face::new(stage, Clock::Right)])
    }

    fn halves(&mut self, stage: &Stage<'_>) -> Halves {
        self.plot.halves_of_turn(stage, stage.now_ms / TURN_MS)
    }

    /// Says a face's words.
    fn speak(&mut self, stage: &mut Stage<'_>, faces: &mut [Face; 2], face: usize, words: Vec<Word>) {
        let halves = self.halves(stage);
        for word in words {
            let Word::Say(to, message) = word else {
                say(stage, &faces[face], &word);
                continue;
            };
            let leader_lies = |view| stage.is_liar(stage.committee.leader(view));
            match &message {
                Message::Propose(propose)
                    if propose.header.proposer == stage.own && to == Recipients::Others =>
                {
                    self.propose(stage, faces, face, propose);
                }
                // The liar that leads speaks for all.
                Message::Vote(vote)
                    if leader_lies(vote.statement.view()) && vote.statement.kind() != VoteKind::Nullify =>
                {
                    tell_accomplices(stage, face, to, &message);
                }
                _ => {
                    tell_accomplices(stage, face, to, &message);
                    let mut audience = stage.audience(to);
                    // Questions may go to anybody, and nobody else may hear of the rest.
                    let is_question = matches!(message, Message::Request(_));
                    audience
                        .retain(|id| !stage.is_liar(*id) && (is_question || halves.of(*id) == Some(face)));
                    stage.send(&audience, &message);
                    stage.act(match message {
                        Message::Vote(_) => "voted to one half",
                        Message::Certificate(_) => "showed a certificate to one half",
                        _ => "spoke to one half",
                    });
                }
            }
        }
    }

    /// Both faces propose if they stand on one block; after a fork each does for itself.
    fn propose(&mut self, stage: &mut Stage<'_>, faces: &mut [Face; 2], face: usize, propose: &Propose) {
        let (view, other) = (propose.header.view, 1 - face);
        if view <= self.proposed {
            return;
        }
        let mut halves = self.halves(stage);
        let message = Message::Propose(Box::new(propose.clone()));
        tell_accomplices(stage, face, Recipients::Others, &message);
        if faces[other].header(&propose.header.parent).is_none() {
            let voters = stage.liars;
            stage.send(halves.half(face), &message);
            support(stage, halves.half(face), propose.candidate(), voters);
            // If the other half takes it, its faces must not need to ask what it is.
            tell_accomplices(stage, other, Recipients::Others, &message);
            faces[other].hear(stage, stage.own, message);
            stage.act("proposed to one half");
            return;
        }
        self.proposed = view;
        if face == 1 {
            halves = halves.swapped();
        }
        let (ambush, second) = Ambush::lay(stage, halves, propose);
        self.ambush = Some(ambush);
        let second = Message::Propose(Box::new(second));
        tell_accomplices(stage, other, Recipients::Others, &second);
        // What it says to that is about a view that a liar leads.
        faces[other].hear(stage, stage.own, second);
    }
}

/// Tells the other liars' faces of one half.
fn tell_accomplices(stage: &mut Stage<'_>, face: usize, to: Recipients, message: &Message) {
    let mut marked = vec![MARKS[face & 1]];
    marked.extend(message.encode());
    let mut audience = stage.audience(to);
    audience.retain(|id| stage.is_liar(*id));
    stage.send_bytes(&audience, &Bytes::from(marked));
}

impl Character for SplitBrain {
    fn name(&self) -> &'static str {
        "split brain"
    }

    fn on_message(&mut self, stage: &mut Stage<'_>, from: ValidatorId, bytes: &Bytes) {
        let mark = bytes.first().and_then(|first| MARKS.iter().position(|mark| mark == first));
        let mark = mark.filter(|_| stage.is_liar(from));
        let Ok(message) = Message::decode(if mark.is_some() { bytes.slice(1..) } else { bytes.clone() })
        else {
            return;
        };
        if let Message::Vote(vote) = &message
            && !stage.is_liar(from)
        {
            self.ambush.take_if(|ambush| ambush.on_vote(stage, vote));
        }
        let halves = self.halves(stage);
        // What honest leaders propose and who is alive both faces know; what is decided, each from its half.
        let is_for_both = !matches!(message, Message::Certificate(_));
        let only = mark.or(halves.of(from)).filter(|_| mark.is_some() || !is_for_both);
        let mut faces = self.faces(stage);
        for hearer in (0..faces.len()).filter(|index| only.is_none_or(|only| only == *index)) {
            let words = faces[hearer].hear(stage, from, message.clone());
            self.speak(stage, &mut faces, hearer, words);
        }
        self.faces = Some(faces);
    }

    fn on_tick(&mut self, stage: &mut Stage<'_>) {
        self.ambush.take_if(|ambush| ambush.on_time(stage));
        let mut faces = self.faces(stage);
        for index in 0..faces.len() {
            let words = faces[index].tick(stage);
            self.speak(stage, &mut faces, index, words);
        }
        self.faces = Some(faces);
    }
}
