//! Finality: what a finalization decides, and what is forgotten then (SPEC 3.6 and V6).

use ledger_types::BlockId;
use ledger_types::certificate::{Candidate, Certificate, VoteKind};

use super::release::Held;
use super::state::Replica;
use crate::blocks::{Check, Path};
use crate::effect::Effect;
use crate::ignored::Ignored;
use crate::record::{Record, RecordKey};

impl Replica {
    /// Keeps a finalization and raises the floor to its view.
    pub(super) fn on_finalization(
        &mut self,
        candidate: Candidate,
        certificate: Certificate,
    ) -> Result<(), Ignored> {
        if candidate.view < self.safety.floor() {
            return Err(Ignored::Stale);
        }
        if candidate.view == self.safety.floor() {
            let held = self.highest_finalization().filter(|held| held.view() == candidate.view).cloned();
            let Some(held) = held else { return Err(Ignored::Stale) };
            if held.certified() != certificate.certified() {
                self.halt("two blocks are final in one view", vec![held, certificate]);
            }
            return Err(Ignored::Duplicate);
        }
        let held = self.finalizations.keys().next_back().copied();
        if candidate.height <= held.unwrap_or(0).max(self.blocks.head().header.height) {
            // What is final in a later view is a descendant, so higher.
            let certificates = self.finalizations.values().cloned().chain([certificate]).collect();
            self.halt("a finalization of a later view is not higher", certificates);
            return Err(Ignored::Conflicting);
        }
        self.journal.put(Record::Certificate(certificate.clone()));
        self.safety.raise_floor(&mut self.journal, candidate.view);
        self.views.drop_to_floor(candidate.view, self.committee.epoch(), &mut self.journal);
        self.finalizations.insert(candidate.height, certificate);
        self.timers.on_final();
        Ok(())
    }

    /// Decides blocks in height order up to the highest finalization, as far as they are executed here.
    pub(super) fn decide(&mut self) -> bool {
        if let Some(block) = self.blocks.next_final() {
            return self.decide_block(block);
        }
        match self.decided_path() {
            None | Some(Path::Missing(_)) => false,
            Some(Path::Conflict) => {
                let certificates = self.finalizations.values().cloned().collect();
                self.halt("a finalization contradicts the committed chain", certificates);
                false
            }
            Some(Path::Complete(path)) => {
                path.into_iter().filter(|block| self.decide_block(*block)).count() > 0
            }
        }
    }

    /// The way from the head to the highest finalized block that known blocks lead to. Higher ones may not be known yet:
    /// a node that restarts has only its own files until what they decide is committed, so it must not wait for those.
    pub(super) fn decided_path(&self) -> Option<Path> {
        let head = self.blocks.head().header.height;
        let above = self.finalizations.range(head..).rev();
        let mut paths = above.filter_map(|(_, held)| Some(self.blocks.path(held.certified().candidate()?)));
        paths.find(|path| !matches!(path, Path::Missing(_)))
    }

    fn decide_block(&mut self, id: BlockId) -> bool {
        let Some(block) = self.blocks.get(&id) else { return false };
        let header = block.propose.header.clone();
        if header.parent != self.blocks.head().id {
            return false;
        }
        // Its own finalization, or the nearest descendant's: of those the former ones are about lower blocks.
        let held = self.former.range(header.height..).chain(self.finalizations.range(header.height..)).next();
        let certificate = held.map(|(_, held)| held.clone());
        let is_agreed = self.committee.origin().is_some_and(|origin| header.height <= origin.height);
        if certificate.is_none() && !is_agreed {
            return false;
        }
        match block.check {
            Check::Valid => {}
            Check::Invalid => {
                self.halt(
                    "a final block came out different when executed here",
                    certificate.into_iter().collect(),
                );
                return false;
            }
            Check::Waiting | Check::Asked => return false,
        }
        if let Some(certificate) = certificate.clone() {
            self.journal.put(Record::FinalizedAt { height: header.height, certificate });
        }
        for (abandoned, is_stored) in self.blocks.advance(id) {
            self.abandon(abandoned, is_stored);
        }
        if is_agreed {
            self.rise_to_origin(&header);
        }
        let certificate = certificate.map(Box::new);
        let commit = Held::Commit { block: id, header: Box::new(header), certificate };
        self.held.push_back(self.journal.hold(commit));
        true
    }

    pub(super) fn abandon(&mut self, block: BlockId, is_stored: bool) {
        if is_stored {
            self.journal.delete(RecordKey::Body { block });
        }
        self.effects.push(Effect::Abandon { block });
    }

    /// Drops bodies that the block file holds, and finalizations that are needed no more.
    pub(super) fn on_durable(&mut self, height: u64) -> Result<(), Ignored> {
        let height = height.min(self.blocks.head().header.height);
        for block in self.blocks.take_decided(height) {
            self.journal.delete(RecordKey::Body { block });
        }
        let highest = self.finalizations.keys().next_back().copied();
        let needless: Vec<u64> = self
            .finalizations
            .range(..=height)
            .map(|(height, _)| *height)
            .filter(|it| Some(*it) != highest)
            .collect();
        let epoch = self.committee.epoch();
        for height in needless {
            if let Some(certificate) = self.finalizations.remove(&height) {
                let view = certificate.view();
                self.journal.delete(RecordKey::Certificate { kind: VoteKind::Finalize, epoch, view });
            }
        }
        Ok(())
    }
}
