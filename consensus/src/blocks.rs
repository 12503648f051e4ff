//! The tree of undecided blocks on top of the decided head.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ledger_types::certificate::Candidate;
use ledger_types::{BlockHeader, BlockId, Signature};

use crate::message::Propose;

/// How far the check of a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Its parent must be checked first, or its view has not come.
    Waiting,
    /// The shell works on it.
    Asked,
    /// Executed, all roots equal.
    Valid,
    /// Executed, or read, and wrong.
    Invalid,
}

/// An undecided block.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) propose: Propose,
    /// Whether its proposal may be shown to others: an own one only once it is durable.
    pub(crate) is_released: bool,
    /// Whether its body is recorded here.
    pub(crate) is_stored: bool,
    pub(crate) check: Check,
    /// The body, from before a restart or from a run, until it is checked.
    pub(crate) stored_body: Option<Bytes>,
    /// Whether that body is what is being checked.
    pub(crate) is_body_given: bool,
    /// Whether it came in a run, which proved it final.
    pub(crate) is_final: bool,
}

impl Block {
    /// A block of which only the proposal is known.
    pub(crate) fn proposed(propose: Propose) -> Self {
        Self {
            propose,
            is_released: true,
            is_stored: false,
            check: Check::Waiting,
            stored_body: None,
            is_body_given: false,
            is_final: false,
        }
    }

    /// A final block with its body, known without its proposal.
    pub(crate) fn synced(header: BlockHeader, body: Bytes) -> Self {
        let (refs, parent, nullifications, signature) = (Bytes::new(), None, Vec::new(), Signature::ZERO);
        let propose = Propose { header, refs, parent, nullifications, signature };
        Self { is_released: false, stored_body: Some(body), is_final: true, ..Self::proposed(propose) }
    }
}

impl Path {
    /// Whether the block is on the way.
    pub(crate) fn leads_over(&self, id: &BlockId) -> bool {
        matches!(self, Self::Complete(path) if path.contains(id))
    }
}

/// The newest decided block.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: BlockId,
    pub(crate) header: BlockHeader,
}

/// Where the path from a block down to the head ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// At the head: the blocks above it up to the one asked for, in height order.
    Complete(Vec<BlockId>),
    /// At a block that is not known.
    Missing(BlockId),
    /// Beside the head.
    Conflict,
}

/// The decided head, the undecided blocks above it, and decided ones whose bodies are still recorded here.
#[derive(Debug)]
pub(crate) struct Blocks {
    head: Head,
    by_id: BTreeMap<BlockId, Block>,
    decided: BTreeMap<(u64, BlockId), Propose>,
}

impl Blocks {
    /// Nothing but a head.
    pub(crate) fn new(head: Head) -> Self {
        Self { head, by_id: BTreeMap::new(), decided: BTreeMap::new() }
    }

    /// The newest decided block.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// An undecided block.
    pub(crate) fn get(&self, id: &BlockId) -> Option<&Block> {
        self.by_id.get(id)
    }

    /// An undecided block, to change.
    pub(crate) fn get_mut(&mut self, id: &BlockId) -> Option<&mut Block> {
        self.by_id.get_mut(id)
    }

    /// The undecided blocks, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&BlockId, &Block)> {
        self.by_id.iter()
    }

    /// Adds an undecided block, or one whose body outlived its decision.
    pub(crate) fn insert(&mut self, block: Block) {
        let (id, height) = (block.propose.header.id(), block.propose.header.height);
        if height > self.head.header.height {
            self.by_id.insert(id, block);
        } else {
            self.decided.insert((height, id), block.propose);
        }
    }

    /// Adds a block of a run. One that is executed here already is only marked; one that is not is known better now.
    pub(crate) fn insert_final(&mut self, block: Block) {
        let id = block.propose.header.id();
        match self.by_id.get_mut(&id) {
            Some(known) if known.check == Check::Waiting && !known.is_stored => {
                (known.stored_body, known.is_final) = (block.stored_body, true);
            }
            Some(known) => known.is_final = true,
            None => _ = self.by_id.insert(id, block),
        }
    }

    /// Whether blocks of a run are not decided yet.
    pub(crate) fn has_run(&self) -> bool {
        self.by_id.values().any(|block| block.is_final)
    }

    /// The block of a run that comes next, if there is one.
    pub(crate) fn next_final(&self) -> Option<BlockId> {
        let follows = |block: &Block| block.is_final && block.propose.header.parent == self.head.id;
        self.by_id.iter().find(|(_, block)| follows(block)).map(|(id, _)| *id)
    }

    /// Forgets the blocks of a run that are not executed; they can be had again. Recorded ones stay, since they were
    /// voted for, unless what is recorded is no good itself. Returns them like [`Blocks::advance`].
    pub(crate) fn drop_run(&mut self) -> Vec<(BlockId, bool)> {
        let mut dropped = Vec::new();
        for (id, block) in self.by_id.iter_mut().filter(|(_, block)| block.is_final) {
            let is_bad = block.check == Check::Asked && block.is_body_given;
            match block.check {
                Check::Valid => {}
                _ if block.is_stored && !is_bad => block.is_final = false,
                _ => dropped.push(*id),
            }
        }
        let take = |id: BlockId| (id, self.by_id.remove(&id).is_some_and(|block| block.is_stored));
        dropped.into_iter().map(take).collect()
    }

    /// The proposals up to a view that nobody looked at yet and that no run brought.
    pub(crate) fn untouched_up_to(&self, view: u64) -> impl Iterator<Item = BlockId> {
        let is_untouched = move |block: &Block| {
            block.propose.header.view <= view
                && block.check == Check::Waiting
                && !block.is_stored
                && !block.is_final
        };
        self.by_id.iter().filter(move |(_, block)| is_untouched(block)).map(|(id, _)| *id)
    }

    /// Forgets an undecided block, so that it can be proposed here again.
    pub(crate) fn forget(&mut self, id: &BlockId) {
        self.by_id.remove(id);
    }

    /// The proposal of a block, decided or not, if it may be shown.
    pub(crate) fn proposal(&self, id: &BlockId) -> Option<&Propose> {
        let decided = || self.decided.iter().find(|((_, held), _)| held == id);
        match self.by_id.get(id) {
            Some(block) => block.is_released.then_some(&block.propose),
            None => decided().map(|(_, propose)| propose),
        }
    }

    /// Whether the state after a block is here.
    pub(crate) fn is_executed(&self, id: &BlockId) -> bool {
        *id == self.head.id || self.by_id.get(id).is_some_and(|block| block.check == Check::Valid)
    }

    /// The header of the head or of an undecided block.
    pub(crate) fn header(&self, id: &BlockId) -> Option<&BlockHeader> {
        if *id == self.head.id {
            return Some(&self.head.header);
        }
        self.by_id.get(id).map(|block| &block.propose.header)
    }

    /// The way from a block down to the head.
    pub(crate) fn path(&self, to: Candidate) -> Path {
        let (mut path, mut id) = (Vec::new(), to.block);
        while id != self.head.id {
            let Some(block) = self.by_id.get(&id) else {
                // Only what could still be above the head can be missing.
                let is_above = to.height > self.head.header.height + path.len() as u64;
                return if is_above { Path::Missing(id) } else { Path::Conflict };
            };
            path.push(id);
            id = block.propose.header.parent;
        }
        path.reverse();
        Path::Complete(path)
    }

    /// Makes a child of the head the head. Returns what can never be decided any more: blocks beside it and their
    /// descendants, with whether a body is recorded.
    pub(crate) fn advance(&mut self, id: BlockId) -> Vec<(BlockId, bool)> {
        let Some(block) = self.by_id.remove(&id) else { return Vec::new() };
        let header = block.propose.header.clone();
        if block.is_released {
            self.decided.insert((header.height, id), block.propose);
        }
        self.head = Head { id, header };
        self.prune()
    }

    /// Keys of the bodies decided up to a height, which leave with this call.
    pub(crate) fn take_decided(&mut self, height: u64) -> Vec<BlockId> {
        let kept = self.decided.split_off(&(height.saturating_add(1), BlockId::ZERO));
        std::mem::replace(&mut self.decided, kept).into_keys().map(|(_, id)| id).collect()
    }

    fn prune(&mut self) -> Vec<(BlockId, bool)> {
        let mut order: Vec<(u64, BlockId)> =
            self.by_id.iter().map(|(id, block)| (block.propose.header.height, *id)).collect();
        order.sort_unstable();
        let mut removed = BTreeSet::new();
        for (height, id) in order {
            let Some(block) = self.by_id.get(&id) else { continue };
            let parent = block.propose.header.parent;
            let next = self.head.header.height + 1;
            // A descendant of the head is higher, and proposed in a later view.
            let is_late = block.propose.header.view <= self.head.header.view;
            let is_beside = height < next || is_late || (height == next && parent != self.head.id);
            if is_beside || removed.contains(&parent) {
                removed.insert(id);
            }
        }
        let take = |id: BlockId| (id, self.by_id.remove(&id).is_some_and(|block| block.is_stored));
        removed.into_iter().map(take).collect()
    }
}
