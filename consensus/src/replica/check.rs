//! Peers' blocks: asking the shell to assemble and execute them, and peers for those that only a certificate named.

use bytes::Bytes;
use ledger_types::BlockId;
use ledger_types::certificate::{Candidate, Certificate};

use super::state::Replica;
use crate::blocks::{Block, Check, Path};
use crate::effect::{Effect, Recipients};
use crate::ignored::Ignored;
use crate::message::{Message, Wanted};
use crate::record::Record;

/// A proposal that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetch {
    /// How many signers of the certificate were asked.
    asked: usize,
    /// When the next one is.
    due_ms: u64,
}

impl Replica {
    /// Has every block checked whose parent is executed and whose view has come, or which is certified.
    pub(super) fn check_proposals(&mut self) -> bool {
        self.fetch_certified();
        let is_ready = |(id, block): &(&BlockId, &Block)| {
            let header = &block.propose.header;
            let has_come = header.view <= self.view || self.is_certified(block.propose.candidate());
            let parent = self.blocks.header(&header.parent);
            let fits = parent.is_some_and(|parent| parent.height.checked_add(1) == Some(header.height));
            block.check == Check::Waiting
                && has_come
                && fits
                && self.blocks.is_executed(&header.parent)
                && !self.is_conflicting(id)
        };
        let ready: Vec<BlockId> = self.blocks.iter().filter(is_ready).map(|(id, _)| *id).collect();
        for id in &ready {
            self.check(id);
        }
        !ready.is_empty()
    }

    fn check(&mut self, id: &BlockId) {
        let own = self.own;
        let Some(block) = self.blocks.get_mut(id) else { return };
        block.check = Check::Asked;
        let header = block.propose.header.clone();
        if let Some(body) = block.stored_body.take() {
            self.effects.push(Effect::CheckStored { header, body });
            return;
        }
        let refs = block.propose.refs.clone();
        let mut sources = vec![header.proposer];
        let supporters = self.views.supporters(block.propose.candidate());
        sources.extend(supporters.into_iter().filter(|signer| *signer != own && *signer != header.proposer));
        self.effects.push(Effect::CheckProposal { header, refs, sources });
    }

    pub(super) fn on_assembled(&mut self, id: BlockId, body: Bytes) -> Result<(), Ignored> {
        let block = self.blocks.get_mut(&id).ok_or(Ignored::Stale)?;
        if block.is_stored {
            return Err(Ignored::Duplicate);
        }
        if block.check == Check::Waiting {
            return Err(Ignored::Unasked);
        }
        block.is_stored = true;
        self.journal.put(Record::Body { propose: Box::new(block.propose.clone()), body });
        Ok(())
    }

    pub(super) fn on_missing(&mut self, id: BlockId) -> Result<(), Ignored> {
        let block = self.blocks.get(&id).ok_or(Ignored::Stale)?;
        if block.is_stored || block.check != Check::Asked {
            return Err(Ignored::Unasked);
        }
        // The leader's word on the entries was no good. If the block is certified it is asked for again, from others.
        self.blocks.forget(&id);
        Ok(())
    }

    pub(super) fn on_checked(&mut self, id: BlockId, valid: bool) -> Result<(), Ignored> {
        let view = self.view;
        let block = self.blocks.get_mut(&id).ok_or(Ignored::Stale)?;
        if block.check != Check::Asked || (valid && !block.is_stored) {
            return Err(Ignored::Unasked);
        }
        block.check = if valid { Check::Valid } else { Check::Invalid };
        if !valid && block.propose.header.view == view {
            self.is_refused = true;
        }
        Ok(())
    }

    /// Whether a quorum accepted the block, or it is on the way to the highest finalization.
    pub(super) fn is_certified(&self, candidate: Candidate) -> bool {
        self.views.notarization_of(candidate).is_some()
            || self.finalizations.values().any(|held| held.certified().candidate() == Some(candidate))
            || self.fetches.contains_key(&candidate.block)
    }

    /// Whether a block is decided against: a finalization of its view or a later one is held, and it is not on the
    /// way there.
    fn is_conflicting(&self, id: &BlockId) -> bool {
        let Some(block) = self.blocks.get(id) else { return false };
        block.propose.header.view <= self.safety.floor() && !self.decided_path().contains(id)
    }

    /// The known blocks above the head that the highest finalization decides, if all of them are known.
    pub(super) fn decided_path(&self) -> Vec<BlockId> {
        let target = self.highest_finalization().and_then(|held| held.certified().candidate());
        match target.map(|target| self.blocks.path(target)) {
            Some(Path::Complete(path)) => path,
            _ => Vec::new(),
        }
    }

    /// Asks signers of a certificate, one after the other, for the proposal that it names, or for a missing ancestor
    /// of what is final.
    fn fetch_certified(&mut self) {
        let now_ms = self.now.monotonic_ms;
        let wanted = self.missing_proposals();
        self.fetches.retain(|id, _| wanted.iter().any(|(block, _)| block == id));
        for (block, certificate) in wanted {
            let delta_ms = self.timers.delta_ms().max(1);
            // A proposal is often only overtaken by the votes for it, so the first question waits a little.
            let first = Fetch { asked: 0, due_ms: now_ms.saturating_add(delta_ms) };
            let fetch = self.fetches.entry(block).or_insert(first);
            if fetch.due_ms > now_ms {
                continue;
            }
            let signers: Vec<_> = certificate.signers().filter(|signer| *signer != self.own).collect();
            let source = signers.get(fetch.asked % signers.len().max(1)).copied();
            *fetch = Fetch { asked: fetch.asked + 1, due_ms: now_ms.saturating_add(2 * delta_ms) };
            if let Some(source) = source {
                let request = self.safety.request(Wanted::Proposal { block });
                self.send(Recipients::One(source), Message::Request(request));
            }
        }
    }

    fn missing_proposals(&self) -> Vec<(BlockId, Certificate)> {
        let target = self.highest_finalization();
        let path = target.and_then(|held| Some((held, self.blocks.path(held.certified().candidate()?))));
        let decided = path.and_then(|(held, path)| match path {
            Path::Missing(block) => Some((block, held.clone())),
            _ => None,
        });
        let notarized = self.views.iter().filter_map(|(_, slot)| {
            let candidate = slot.notarized()?;
            let is_known = self.blocks.header(&candidate.block).is_some();
            (!is_known)
                .then(|| (candidate.block, slot.notarization.clone()))
                .and_then(|(id, held)| Some((id, held?)))
        });
        decided.into_iter().chain(notarized).collect()
    }

    /// When a missing proposal is asked for.
    pub(super) fn fetch_deadline(&self) -> Option<u64> {
        self.fetches.values().map(|fetch| fetch.due_ms).min()
    }
}
