//! Measures the way of blocks and votes through consensus. It only looks on: nothing is decided from what it finds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::{Pipeline, Stage, ViewEnd};
use consensus::{Change, Committee, Effect, Input, Message, Record};
use ledger_types::certificate::{Candidate, Certified};
use ledger_types::{BlockId, ValidatorId};

use super::attendance::Attendance;

/// Undecided blocks that are timed at most; beyond, the oldest are not.
const BLOCKS: usize = 64;

/// Looks at what goes into the replica and what comes out.
pub(super) struct Meter {
    pipeline: Arc<Pipeline>,
    /// Proposals that are here, the newest last.
    blocks: VecDeque<Timed>,
    attendance: Attendance,
}

struct Timed {
    block: BlockId,
    proposed: Instant,
    notarized: Option<Instant>,
}

impl Meter {
    pub(super) fn new(pipeline: Arc<Pipeline>, committee: Arc<Committee>, own: ValidatorId) -> Self {
        Self { pipeline, blocks: VecDeque::new(), attendance: Attendance::new(committee, own) }
    }

    /// Before the replica takes an input.
    pub(super) fn input(&mut self, input: &Input) {
        match input {
            Input::ProposalBuilt { header, .. } => self.proposed(header.id()),
            Input::Message { message, .. } => {
                if let Message::Vote(vote) = message.message() {
                    self.attendance.voted(vote);
                }
            }
            _ => {}
        }
    }

    /// Before an effect is performed.
    pub(super) fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::CheckProposal { header, .. } => self.proposed(header.id()),
            Effect::Persist { changes, .. } => changes.iter().for_each(|change| self.change(change)),
            Effect::Commit { block, .. } => self.decided(block),
            Effect::Abandon { block } => self.blocks.retain(|timed| timed.block != *block),
            Effect::EnterView { view, .. } => {
                let missed = self.attendance.entered(*view);
                missed.into_iter().for_each(|validator| self.pipeline.vote_missed(validator));
            }
            _ => {}
        }
    }

    /// A proposal is here; it may come again with entries that were missing.
    fn proposed(&mut self, block: BlockId) {
        if self.find(&block).is_none() {
            let timed = Timed { block, proposed: Instant::now(), notarized: None };
            self.blocks.push_back(timed);
        }
        if self.blocks.len() > BLOCKS {
            self.blocks.pop_front();
        }
    }

    fn find(&mut self, block: &BlockId) -> Option<&mut Timed> {
        self.blocks.iter_mut().rev().find(|timed| timed.block == *block)
    }

    fn change(&mut self, change: &Change) {
        let Change::Put(Record::Certificate(certificate)) = change else { return };
        match certificate.certified() {
            Certified::Notarization(candidate) => self.notarized(&candidate),
            Certified::Nullification { .. } => self.pipeline.view_ended(ViewEnd::Nullified),
            Certified::Finalization(_) => {}
        }
    }

    fn notarized(&mut self, candidate: &Candidate) {
        self.pipeline.view_ended(ViewEnd::Notarized);
        let took = self.find(&candidate.block).map(|timed| {
            let now = Instant::now();
            timed.notarized = Some(now);
            now - timed.proposed
        });
        self.observe(Stage::Notarize, took);
    }

    fn decided(&mut self, block: &BlockId) {
        let Some(at) = self.blocks.iter().rposition(|timed| timed.block == *block) else { return };
        let Some(timed) = self.blocks.remove(at) else { return };
        self.pipeline.finality(timed.proposed.elapsed());
        self.observe(Stage::Finalize, timed.notarized.map(|notarized| notarized.elapsed()));
    }

    fn observe(&self, stage: Stage, took: Option<Duration>) {
        took.into_iter().for_each(|took| self.pipeline.stage(stage, took));
    }
}
