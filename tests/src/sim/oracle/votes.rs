//! What every honest node ever said, and the rules that no two of its words may break (SPEC 3.5 V0 to V6).

use std::collections::BTreeMap;

use consensus::{Change, Record};
use ledger_types::BlockId;

use super::Oracle;
use super::wire::{self, Header, Said, Wire};
use crate::sim::disk::Disk;
use crate::sim::mixing;

const NOTARIZE: u8 = 1;
const FINALIZE: u8 = 2;
const NULLIFY: u8 = 3;

/// What one honest node said, over all its lives.
#[derive(Default)]
pub(super) struct Past {
    proposed: BTreeMap<u64, (BlockId, u64)>,
    votes: BTreeMap<(u8, u64), (Said, [u8; 64])>,
    /// Whether its files were ever replaced by older or damaged ones.
    pub(super) has_forgotten: bool,
}

impl Past {
    /// The signature that went out under a statement.
    pub(super) fn signature(&self, said: &Said) -> Option<[u8; 64]> {
        let (sent, signature) = self.votes.get(&(said.kind, said.view))?;
        (sent == said).then_some(*signature)
    }

    /// The highest view that it voted in.
    fn highest(&self) -> u64 {
        self.votes.keys().map(|(_, view)| *view).max().unwrap_or(0)
    }

    fn finalized_in(&self, from_view: u64, view: u64) -> Option<u64> {
        let sent = self.votes.range((FINALIZE, from_view)..=(FINALIZE, view)).next()?;
        Some(sent.0.1)
    }

    fn is_nullified(&self, view: u64) -> bool {
        let ranges = self.votes.range((NULLIFY, view)..=(NULLIFY, u64::MAX));
        ranges.into_iter().any(|(_, (said, _))| said.from_view <= view)
    }
}

impl Oracle {
    /// A node's key signed something in the life that runs, where `entered` is the highest view it entered.
    /// `writes` are the changes of its vote store that are not synced yet, oldest first.
    pub(in crate::sim) fn on_signed(
        &mut self,
        node: usize,
        bytes: &[u8],
        entered: u64,
        disk: &Disk,
        writes: &[&Change],
    ) {
        let Some((kind, from_view, view)) = wire::signed_views(bytes) else { return };
        let name = self.name(node);
        if kind != FINALIZE && view > entered {
            self.violate(format!("V0: {name} signed kind {kind} in view {view}, it is in view {entered}"));
        }
        let floor = stored_floor(disk);
        if from_view <= floor {
            self.violate(format!(
                "V6: {name} signed kind {kind} of {from_view}..{view}, its floor is {floor}"
            ));
        }
        let written = writes.iter().rev().find(|change| change.key() == guard_key());
        let guard = match written {
            Some(change) => change.value(),
            None => disk.store.get(&guard_key()).map(|value| value.to_vec()),
        };
        match guard {
            None => {}
            Some(value) if stored_bound(&value).is_some() => {
                let bound = stored_bound(&value).unwrap_or(0);
                if from_view <= bound {
                    self.violate(format!(
                        "guard: {name} signed kind {kind} of {from_view}..{view}, bound {bound}"
                    ));
                }
            }
            Some(_) => {
                self.violate(format!("guard: {name} signed kind {kind} in view {view} while it forgot"));
            }
        }
    }

    /// A node hands a message to the wire.
    pub(in crate::sim) fn on_send(&mut self, node: usize, bytes: &[u8], disk: &Disk) {
        match wire::read(bytes) {
            Some(Wire::Vote { place, said, signature, body }) if place == self.places[node] => {
                self.on_vote(node, said, signature, body, disk);
            }
            Some(Wire::Propose { block, header, refs }) => {
                self.headers.entry(block).or_insert(header);
                if header.proposer == self.places[node] {
                    self.on_proposal(node, block, header, refs, disk);
                }
            }
            Some(Wire::GuardAnswer { place, mark }) if place == self.places[node] => {
                self.check_mark(node, mark, disk);
            }
            Some(_) => {}
            None => self.violate(format!("{} sent what the specification cannot read", self.name(node))),
        }
    }

    /// A node enters a view.
    pub(in crate::sim) fn on_enter(&mut self, view: u64) {
        self.entered = self.entered.max(view);
    }

    /// A node writes records. A guard's bound must come from views that were reached: liars may show a certificate of the
    /// newest view before anybody enters the next one, it proves marks up to two above, and the bound is one more.
    pub(in crate::sim) fn on_write(&mut self, node: usize, changes: &[Change]) {
        let bound = changes.iter().find_map(|change| match change {
            Change::Put(Record::Guard { bound, .. }) => *bound,
            _ => None,
        });
        if let Some(bound) = bound.filter(|bound| *bound > self.entered + 3 && !self.is_beyond) {
            let (name, entered) = (self.name(node), self.entered);
            self.violate(format!("guard: {name} is silent up to view {bound}, nobody is beyond {entered}"));
        }
    }

    /// What a node answers to one that starts must cover all that it said, and what it must not say.
    fn check_mark(&mut self, node: usize, mark: u64, disk: &Disk) {
        let bound = disk.store.get(&guard_key()).and_then(|value| stored_bound(value)).unwrap_or(0);
        let past = &self.pasts[node];
        let said = if past.has_forgotten { 0 } else { past.highest() };
        if mark < bound.max(said) {
            let name = self.name(node);
            self.violate(format!(
                "guard: {name} answers mark {mark}, it voted in {said}, its bound is {bound}"
            ));
        }
    }

    /// A liar hands a message to the wire; anything goes.
    pub(in crate::sim) fn on_lie(&mut self, bytes: &[u8]) {
        if let Some(Wire::Propose { block, header, .. }) = wire::read(bytes) {
            self.headers.entry(block).or_insert(header);
        }
    }

    fn on_proposal(&mut self, node: usize, block: BlockId, header: Header, refs: &[u8], disk: &Disk) {
        let (view, refs) = (header.view, mixing::hash(0, refs));
        match self.pasts[node].proposed.insert(view, (block, refs)) {
            Some(first) if first == (block, refs) => return,
            Some(_) => self.violate(format!("{} proposed twice in view {view}", self.name(node))),
            None => {}
        }
        let is_durable = disk.store.get(&key(0x01, view)).is_some_and(|value| value[..] == block.0);
        if !is_durable && view > stored_floor(disk) {
            self.violate(format!("V5: {} proposed in view {view} before it was durable", self.name(node)));
        }
    }

    fn on_vote(&mut self, node: usize, said: Said, signature: [u8; 64], body: &[u8], disk: &Disk) {
        let Said { kind, view, from_view, block, .. } = said;
        let past = &mut self.pasts[node];
        match past.votes.insert((kind, view), (said, signature)) {
            Some(first) if first == (said, signature) => return,
            Some((first, _)) if first.block != block => {
                self.violate(format!("V1: {} voted twice in view {view}, kind {kind}", self.name(node)));
            }
            Some((first, _)) if kind == NULLIFY && first.from_view < from_view => {
                // The wider range binds as well; keep it.
                past.votes.insert((kind, view), (first, signature));
            }
            _ => {}
        }
        self.count_vote(node, &said);
        let past = &self.pasts[node];
        let contradiction = match kind {
            FINALIZE => past.is_nullified(view).then(|| format!("V3: finalized {view} after nullifying it")),
            NULLIFY => past
                .finalized_in(from_view, view)
                .map(|locked| format!("V4: nullified {from_view}..{view}, had finalized {locked}")),
            _ => None,
        };
        let name = self.name(node);
        if let Some(contradiction) = contradiction {
            self.violate(format!("{name}: {contradiction}"));
        }
        if view <= stored_floor(disk) {
            return;
        }
        if disk.store.get(&key(0x01 + kind, view)).is_none_or(|value| value[..] != *body) {
            self.violate(format!("V5: {name} sent kind {kind} of view {view} before it was durable"));
        }
        // Beyond the bounds a finalization of another branch can abandon a block, and drop its body, while the vote for
        // it is under way.
        if !self.is_beyond && kind != NULLIFY && !has_body(disk, &block) {
            self.violate(format!("V3: {name} sent kind {kind} of view {view}, the body is not durable"));
        }
        match kind {
            NOTARIZE => {
                self.check_parent(&name, &said);
                self.check_proposer(node, &name, &said);
            }
            FINALIZE if !self.may_be_notarized(view, &block) => {
                self.violate(format!("V3: {name} finalized in view {view} what cannot be notarized"));
            }
            _ => {}
        }
    }

    /// Remembers who voted for what, to know which certificates there can be.
    fn count_vote(&mut self, node: usize, said: &Said) {
        let bit = 1u64 << node;
        match said.kind {
            NOTARIZE => *self.notarized.entry((said.view, said.block)).or_default() |= bit,
            FINALIZE => *self.finalized.entry((said.view, said.block)).or_default() |= bit,
            _ => self.nullified.entry(said.view).or_default().push((said.from_view, bit)),
        }
    }

    /// Whether the honest votes sent so far and all liars together could have notarized a block.
    fn may_be_notarized(&self, view: u64, block: &BlockId) -> bool {
        let honest = self.notarized.get(&(view, *block)).copied().unwrap_or(0);
        self.arithmetic.is_quorum(honest | self.liars)
    }

    /// Whether they could have nullified a view, or a range that covers it, before another view.
    fn may_be_nullified(&self, view: u64, before: u64) -> bool {
        let by_liars = self.arithmetic.is_quorum(self.liars);
        by_liars
            || self.nullified.range(view..before).any(|(_, votes)| {
                let covering = votes.iter().filter(|(from_view, _)| *from_view <= view);
                self.arithmetic.is_quorum(covering.fold(self.liars, |set, (_, bit)| set | bit))
            })
    }

    /// One leader a view, and no vote outside its cluster before there can be a cluster certificate.
    fn check_proposer(&mut self, node: usize, name: &str, said: &Said) {
        let Some(header) = self.headers.get(&said.block).copied() else { return };
        let view = said.view;
        if *self.leaders.entry(view).or_insert(header.proposer) != header.proposer {
            return self.violate(format!("V1: {name} notarized a block of another leader in view {view}"));
        }
        let voters = self.notarized.get(&(view, said.block)).copied().unwrap_or(0) | self.liars;
        let (cluster, proposing) = (self.places[node].0, header.proposer.0);
        if cluster != proposing && !self.arithmetic.has_section(proposing, voters) {
            self.violate(format!("V2: {name} notarized in view {view} before the proposing cluster"));
        }
    }

    /// V2, as far as it can be seen from outside: the parent can be notarized, and every view between be nullified.
    fn check_parent(&mut self, name: &str, said: &Said) {
        let view = said.view;
        let Some(header) = self.headers.get(&said.block).copied() else {
            return self.violate(format!("V2: {name} notarized in view {view} what nobody proposed"));
        };
        let parent_view = match self.headers.get(&header.parent) {
            Some(parent) if parent.height + 1 == header.height && header.height == said.height => parent.view,
            _ => return self.violate(format!("V2: {name} notarized in view {view} at a wrong height")),
        };
        let is_certified = parent_view == 0 || self.may_be_notarized(parent_view, &header.parent);
        let bare = (parent_view + 1..view).find(|between| !self.may_be_nullified(*between, view));
        if header.view != view || parent_view >= view || !is_certified {
            self.violate(format!("V2: {name} notarized in view {view} on a parent without a notarization"));
        } else if let Some(bare) = bare {
            self.violate(format!("V2: {name} notarized in view {view}, view {bare} cannot be nullified"));
        }
    }
}

fn key(tag: u8, view: u64) -> Vec<u8> {
    let epoch = 0u64.to_be_bytes();
    [&[tag][..], &epoch, &view.to_be_bytes()].concat()
}

/// The bound in a guard's record: a flag and a view.
fn stored_bound(value: &[u8]) -> Option<u64> {
    let bound = value.get(1..9)?.try_into().ok().map(u64::from_be_bytes);
    bound.filter(|_| value.first() == Some(&1))
}

fn guard_key() -> Vec<u8> {
    [&[0x08][..], &0u64.to_be_bytes()].concat()
}

/// The highest view below which nothing may be signed, as the store holds it: epoch, then view.
fn stored_floor(disk: &Disk) -> u64 {
    let value = disk.store.get(&[0x06]).and_then(|value| value.get(8..16)?.try_into().ok());
    value.map_or(0, u64::from_be_bytes)
}

fn has_body(disk: &Disk, block: &BlockId) -> bool {
    let stored = [&[0x05][..], &block.0].concat();
    disk.store.get(&stored).is_some() || disk.chain.iter().rev().any(|committed| committed.id == *block)
}
