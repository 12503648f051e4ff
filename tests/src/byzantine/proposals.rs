//! What a liar remembers of the blocks that were proposed lately.

use std::collections::BTreeMap;

use consensus::Propose;
use ledger_types::BlockId;
use ledger_types::certificate::Candidate;

/// Views remembered.
const KEPT_VIEWS: usize = 32;
/// Different proposals remembered of one view.
const KEPT_PER_VIEW: usize = 4;

/// Proposals by view.
#[derive(Debug, Default)]
pub(super) struct Proposals(BTreeMap<u64, Vec<Propose>>);

impl Proposals {
    /// Remembers a proposal; whether it is new.
    pub(super) fn note(&mut self, propose: &Propose) -> bool {
        let seen = self.0.entry(propose.header.view).or_default();
        let is_new = seen.len() < KEPT_PER_VIEW && !seen.iter().any(|known| known.header == propose.header);
        if is_new {
            seen.push(propose.clone());
        }
        // Some are of views far ahead: the middle is worth most, so old and far ones leave in turn.
        if self.0.len() > KEPT_VIEWS {
            self.0.pop_first();
        }
        is_new
    }

    /// A block proposed in a view.
    pub(super) fn of(&self, view: u64) -> Option<Candidate> {
        self.0.get(&view).and_then(|seen| seen.first()).map(Propose::candidate)
    }

    /// A proposal by its block.
    pub(super) fn find(&self, block: &BlockId) -> Option<&Propose> {
        self.0.values().flatten().find(|propose| propose.header.id() == *block)
    }

    /// All of them, oldest first.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Propose> {
        self.0.values().flatten()
    }

    /// Another block of the view of this one: one that was proposed, or one that never was.
    pub(super) fn other_than(&self, candidate: Candidate) -> Candidate {
        let seen = self.0.get(&candidate.view).into_iter().flatten().map(Propose::candidate);
        let made_up = || {
            let block = candidate.block.0.map(|byte| !byte);
            Candidate { block: BlockId(block), ..candidate }
        };
        seen.into_iter().find(|known| known.block != candidate.block).unwrap_or_else(made_up)
    }
}
