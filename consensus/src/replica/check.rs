//! Peers' blocks: asking the shell to assemble and execute them, and peers for what is missing: entries of a block, or
//! the proposal of one that only a certificate named.

use std::collections::BTreeSet;

use bytes::Bytes;
use ledger_types::certificate::{Candidate, Certificate};
use ledger_types::{BlockId, ValidatorId};

use super::state::Replica;
use crate::blocks::{Block, Check};
use crate::effect::{Effect, Recipients};
use crate::ignored::Ignored;
use crate::message::{Entries, Message, Wanted};
use crate::record::Record;

/// A proposal that is asked for.
#[derive(Debug)]
pub(super) struct Fetch {
    /// How many signers of the certificate were asked.
    asked: usize,
    /// Who was asked and has not answered.
    peers: BTreeSet<ValidatorId>,
    /// Whether refs of its proposer were no good: from then on only an answer is taken.
    is_strict: bool,
    /// When the next one is.
    due_ms: u64,
}

/// Entries that are asked for. At most one for each undecided block.
#[derive(Debug)]
pub(super) struct Gather {
    /// Their places in the block.
    missing: Vec<u32>,
    /// Who was asked and has not answered: from nobody else entries are taken.
    peers: BTreeSet<ValidatorId>,
    /// How many were asked.
    count: usize,
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
        let Some(block) = self.blocks.get_mut(id) else { return };
        block.check = Check::Asked;
        let header = block.propose.header.clone();
        block.is_body_given = block.stored_body.is_some();
        if let Some(body) = block.stored_body.take() {
            self.effects.push(Effect::CheckStored { header, body });
            return;
        }
        let refs = block.propose.refs.clone();
        self.effects.push(Effect::CheckProposal { header, refs, entries: Bytes::new() });
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

    pub(super) fn on_missing(&mut self, id: BlockId, missing: Vec<u32>) -> Result<(), Ignored> {
        let block = self.blocks.get(&id).ok_or(Ignored::Stale)?;
        // Entries of two peers may be under way: the second cannot undo what the first made of it.
        if block.check != Check::Asked || (block.is_stored && !block.is_body_given) {
            return Err(Ignored::Unasked);
        }
        let count = block.propose.header.entry_count;
        if block.is_final {
            self.on_bad_run();
        } else if block.is_stored {
            // What was recorded is not the block: it is asked for again.
            self.blocks.forget(&id);
            self.abandon(id, true);
        } else if missing.is_empty() || missing.iter().any(|index| *index >= count) {
            // The leader's word on the entries was no good. A certified block is asked for again, from others.
            self.is_refused |= block.propose.header.view == self.view;
            self.fetch_anew(id);
        } else {
            let (peers, due_ms) = (BTreeSet::new(), self.now.monotonic_ms);
            let gather =
                self.gathers.entry(id).or_insert(Gather { missing: Vec::new(), peers, count: 0, due_ms });
            gather.missing = missing;
        }
        Ok(())
    }

    /// Asks for entries that are missing: the proposer first, then those who voted for the block or certified it.
    pub(super) fn gather(&mut self) -> bool {
        let is_open = |id: &BlockId| {
            self.blocks.get(id).is_some_and(|block| !block.is_stored && block.check == Check::Asked)
        };
        self.gathers.retain(|id, _| is_open(id));
        let now_ms = self.now.monotonic_ms;
        let due_ms = now_ms.saturating_add(2 * self.timers.delta_ms().max(1));
        let due: Vec<BlockId> =
            self.gathers.iter().filter(|(_, gather)| gather.due_ms <= now_ms).map(|(id, _)| *id).collect();
        for block in due {
            let sources = self.sources(&block);
            let is_certified =
                self.blocks.get(&block).is_some_and(|known| self.is_certified(known.propose.candidate()));
            let Some(gather) = self.gathers.get_mut(&block) else { continue };
            if is_certified && gather.count >= sources.len() {
                // Nobody has what these refs name, and yet a quorum accepted the block: its proposer signed other refs
                // for them. The next signer is asked for those.
                self.fetch_anew(block);
                continue;
            }
            let peer = sources.get(gather.count % sources.len().max(1)).copied();
            (gather.count, gather.due_ms) = (gather.count + 1, due_ms);
            if let Some(peer) = peer {
                gather.peers.insert(peer);
                let indices = gather.missing.clone();
                let request = self.safety.request(Wanted::Entries { block, indices });
                self.send(Recipients::One(peer), Message::Request(request));
            }
        }
        false
    }

    /// Forgets a proposal whose refs are no good. If the block is notarized the signers are asked for theirs, and nobody
    /// else is heard: its proposer can sign as many wrong ones as it likes.
    fn fetch_anew(&mut self, id: BlockId) {
        self.gathers.remove(&id);
        self.blocks.forget(&id);
        let due_ms = self.now.monotonic_ms;
        let fetch = Fetch { asked: 0, peers: BTreeSet::new(), is_strict: true, due_ms };
        let fetch = self.fetches.entry(id).or_insert(fetch);
        (fetch.is_strict, fetch.due_ms) = (true, due_ms);
    }

    /// Whether a peer's proposal may be looked at: not where only answers count, unless it is one.
    pub(super) fn is_welcome(&mut self, from: ValidatorId, candidate: Candidate) -> bool {
        if candidate.view <= self.safety.floor() && self.is_run_asked() {
            return false;
        }
        let fetch = self.fetches.get_mut(&candidate.block);
        fetch.is_none_or(|fetch| !fetch.is_strict || fetch.peers.remove(&from))
    }

    /// Who claims to have all entries of a block.
    fn sources(&self, id: &BlockId) -> Vec<ValidatorId> {
        let Some(block) = self.blocks.get(id) else { return Vec::new() };
        let candidate = block.propose.candidate();
        let mut sources = vec![block.propose.header.proposer];
        // When the view is decided its ballots are gone, but whoever signed the finalization has the block.
        let decided = self.finalizations.range(candidate.height..).next().map(|(_, held)| held);
        let certificates = self.views.notarization_of(candidate).into_iter().chain(decided);
        let certified = certificates.flat_map(Certificate::signers);
        for signer in self.views.supporters(candidate).into_iter().chain(certified) {
            if !sources.contains(&signer) {
                sources.push(signer);
            }
        }
        sources.retain(|signer| *signer != self.own);
        sources
    }

    pub(super) fn on_entries(&mut self, from: ValidatorId, entries: Entries) -> Result<(), Ignored> {
        let Entries { block: id, entries } = entries;
        let gather = self.gathers.get_mut(&id).ok_or(Ignored::Unasked)?;
        if !gather.peers.remove(&from) {
            return Err(Ignored::Unasked);
        }
        let block = self.blocks.get(&id).ok_or(Ignored::Stale)?;
        let (header, refs) = (block.propose.header.clone(), block.propose.refs.clone());
        self.effects.push(Effect::CheckProposal { header, refs, entries });
        Ok(())
    }

    /// When missing entries are asked for.
    pub(super) fn gather_deadline(&self) -> Option<u64> {
        self.gathers.values().map(|gather| gather.due_ms).min()
    }

    pub(super) fn on_checked(&mut self, id: BlockId, valid: bool) -> Result<(), Ignored> {
        let view = self.view;
        let block = self.blocks.get_mut(&id).ok_or(Ignored::Stale)?;
        // What is final already needs no record here: the block file will hold it.
        let is_here = block.is_stored || block.is_final;
        if block.check != Check::Asked || (valid && !is_here) {
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
            || self.blocks.get(&candidate.block).is_some_and(|block| block.is_final)
    }

    /// Whether a block is decided against: a finalization of its view or a later one is held, and it is not on the
    /// way there.
    fn is_conflicting(&self, id: &BlockId) -> bool {
        let Some(block) = self.blocks.get(id) else { return false };
        let is_below = block.propose.header.view <= self.safety.floor();
        is_below && !block.is_final && !self.decided_path().is_some_and(|path| path.leads_over(id))
    }

    /// Asks signers of a notarization, one after the other, for the proposal that it names.
    fn fetch_certified(&mut self) {
        let now_ms = self.now.monotonic_ms;
        let wanted = self.missing_proposals();
        // Who was asked is remembered until the block is good: its proposer may have signed refs that are not.
        let is_open = |id: &BlockId| {
            let block = self.blocks.get(id);
            block.is_some_and(|block| matches!(block.check, Check::Waiting | Check::Asked))
        };
        self.fetches.retain(|id, _| is_open(id) || wanted.iter().any(|(block, _)| block == id));
        for (block, certificate) in wanted {
            let delta_ms = self.timers.delta_ms().max(1);
            // A proposal is often only overtaken by the votes for it, so the first question waits a little.
            let due_ms = now_ms.saturating_add(delta_ms);
            let first = Fetch { asked: 0, peers: BTreeSet::new(), is_strict: false, due_ms };
            let fetch = self.fetches.entry(block).or_insert(first);
            if fetch.due_ms > now_ms {
                continue;
            }
            let signers: Vec<_> = certificate.signers().filter(|signer| *signer != self.own).collect();
            let source = signers.get(fetch.asked % signers.len().max(1)).copied();
            (fetch.asked, fetch.due_ms) = (fetch.asked + 1, now_ms.saturating_add(2 * delta_ms));
            fetch.peers.extend(source);
            if let Some(source) = source {
                let request = self.safety.request(Wanted::Proposal { block });
                self.send(Recipients::One(source), Message::Request(request));
            }
        }
    }

    fn missing_proposals(&self) -> Vec<(BlockId, Certificate)> {
        let notarized = self.views.iter().filter_map(|(_, slot)| {
            let candidate = slot.notarized()?;
            let is_known = self.blocks.header(&candidate.block).is_some();
            (!is_known)
                .then(|| (candidate.block, slot.notarization.clone()))
                .and_then(|(id, held)| Some((id, held?)))
        });
        notarized.collect()
    }

    /// When a missing proposal is asked for.
    pub(super) fn fetch_deadline(&self) -> Option<u64> {
        let is_missing = |id: &BlockId| self.blocks.get(id).is_none();
        let fetches = self.fetches.iter().filter(|(id, _)| is_missing(id));
        fetches.map(|(_, fetch)| fetch.due_ms).min()
    }
}
