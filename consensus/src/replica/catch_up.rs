//! Catching up: final blocks that this node missed, in runs that a finalization proves (SPEC 3.11). What a peer says about
//! heights is never believed: the goal is the highest finalization that was verified here.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use ledger_types::certificate::{Candidate, Certificate};
use ledger_types::{BlockId, ValidatorId};

use super::state::Replica;
use crate::blocks::{Block, Check, Path};
use crate::effect::Recipients;
use crate::ignored::Ignored;
use crate::message::{Message, Run, Wanted};
use crate::record::Record;

/// How long a peer may take for a run at least, milliseconds.
const RUN_MS: u64 = 400;

/// Proposals of decided views that wait for their parents at most: beyond, this node lags, and runs bring them.
const WAITING_PROPOSALS: usize = 64;

/// The questions that are out.
#[derive(Debug)]
pub(super) struct Asked {
    /// Who was asked and has not answered: from nobody else a run is taken.
    peers: BTreeSet<ValidatorId>,
    /// How many were asked since the goal was set, plus where to begin.
    count: usize,
    /// Whether anybody was asked since then.
    is_sent: bool,
    /// When the next one is asked.
    due_ms: u64,
}

impl Replica {
    /// Asks for final blocks above the head if some of them are not known here.
    pub(super) fn catch_up(&mut self) -> bool {
        self.forget_overtaken();
        let Some(sources) = self.who_has_more() else {
            self.asked = None;
            return false;
        };
        let now_ms = self.now.monotonic_ms;
        let delta_ms = self.timers.delta_ms().max(1);
        // A block is often only overtaken by its finalization, so the first question waits a little.
        let due_ms = now_ms.saturating_add(delta_ms);
        // Nodes that lag together do not all ask the same peer.
        let count = usize::from(self.own.cluster) + usize::from(self.own.node);
        let asked = self.asked.get_or_insert(Asked { peers: BTreeSet::new(), count, is_sent: false, due_ms });
        if asked.due_ms > now_ms || self.blocks.has_run() {
            return false;
        }
        let peer = sources.get(asked.count % sources.len().max(1)).copied();
        (asked.count, asked.is_sent) = (asked.count + 1, true);
        asked.due_ms = now_ms.saturating_add((4 * delta_ms).max(RUN_MS));
        asked.peers.extend(peer);
        if let Some(peer) = peer {
            let from_height = self.blocks.head().header.height + 1;
            let request = self.safety.request(Wanted::Blocks { from_height });
            self.send(Recipients::One(peer), Message::Request(request));
        }
        false
    }

    /// Whether a run was asked for: then what it decides comes that way only.
    pub(super) fn is_run_asked(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.is_sent)
    }

    /// Who has blocks that this node lacks up to the highest finalization, or up to the block that the network went back to;
    /// `None` when it lacks none.
    fn who_has_more(&self) -> Option<Vec<ValidatorId>> {
        if let Some(goal) = self.missed_goal() {
            return Some(goal.signers().filter(|signer| *signer != self.own).collect());
        }
        self.is_below_origin().then(|| self.holders_of_origin())
    }

    /// The highest finalization, if not all blocks below it are known.
    fn missed_goal(&self) -> Option<Certificate> {
        let goal = self.highest_finalization()?;
        let candidate = goal.certified().candidate()?;
        let is_above = candidate.height > self.blocks.head().header.height;
        let is_missing = || match self.blocks.path(candidate) {
            Path::Missing(_) => true,
            // Entries that nobody gives although the block is final come with a run.
            Path::Complete(path) => path.first().is_some_and(|next| self.gathers.contains_key(next)),
            Path::Conflict => false,
        };
        (is_above && is_missing()).then(|| goal.clone())
    }

    /// Forgets proposals of decided views if this node lags: runs bring the blocks again, with their bodies, and what
    /// is kept must not grow with the lag.
    fn forget_overtaken(&mut self) {
        let overtaken: Vec<BlockId> = self.blocks.untouched_up_to(self.safety.floor()).collect();
        if overtaken.len() > WAITING_PROPOSALS || (self.is_run_asked() && !self.blocks.has_run()) {
            for block in overtaken {
                self.blocks.forget(&block);
            }
        }
    }

    pub(super) fn on_run(&mut self, from: ValidatorId, run: Run) -> Result<(), Ignored> {
        let is_asked = self.asked.as_mut().is_some_and(|asked| asked.peers.remove(&from));
        if !is_asked || self.blocks.has_run() {
            return Err(Ignored::Unasked);
        }
        let Run { headers, bodies, certificate } = run;
        let head = self.blocks.head();
        let Some(first) = headers.first().filter(|first| first.height == head.header.height + 1) else {
            return Err(Ignored::Stale);
        };
        if first.parent != head.id {
            let held = self.finalizations.values().cloned();
            let certificates = held.chain(certificate).collect();
            self.halt("a final chain does not go through the committed block", certificates);
            return Err(Ignored::Conflicting);
        }
        if let Some(certificate) = certificate {
            self.take_proof(certificate);
        }
        for (header, body) in headers.into_iter().zip(bodies) {
            // The run brings what entries were asked for.
            let is_gathered = self.gathers.remove(&header.id()).is_some();
            if is_gathered && let Some(block) = self.blocks.get_mut(&header.id()) {
                block.check = Check::Waiting;
            }
            self.blocks.insert_final(Block::synced(header, body));
        }
        // The next run is asked for as soon as this one is decided.
        self.ask_again_at_once();
        Ok(())
    }

    /// Keeps a finalization of a run: the highest one, or one that proves blocks below that.
    pub(super) fn keep_finalization(&mut self, certificate: Certificate) {
        let Some(Candidate { view, height, .. }) = certificate.certified().candidate() else { return };
        if view > self.safety.floor() {
            let _ignored = self.on_certificate(certificate);
        } else if let Entry::Vacant(free) = self.finalizations.entry(height) {
            self.journal.put(Record::Certificate(certificate.clone()));
            free.insert(certificate);
        }
    }

    /// The peer's bodies were no good: the next one is asked.
    pub(super) fn on_bad_run(&mut self) {
        for (block, is_stored) in self.blocks.drop_run() {
            self.abandon(block, is_stored);
        }
        self.ask_again_at_once();
    }

    fn ask_again_at_once(&mut self) {
        if let Some(asked) = &mut self.asked {
            asked.due_ms = self.now.monotonic_ms;
        }
    }

    /// When the next peer is asked.
    pub(super) fn catch_up_deadline(&self) -> Option<u64> {
        self.asked.as_ref().filter(|_| !self.blocks.has_run()).map(|asked| asked.due_ms)
    }
}
