//! What is known of each view above the floor.

use std::collections::BTreeMap;

use ledger_types::certificate::{Candidate, Certificate, Certified, Statement, VoteKind};
use ledger_types::{BlockId, ValidatorId};

use crate::cluster::Ballot;
use crate::evidence::Evidence;
use crate::ignored::Ignored;
use crate::journal::Journal;
use crate::message::Vote;
use crate::record::{Record, RecordKey};

/// Votes are kept for so many views ahead of the current one.
pub(crate) const VOTE_WINDOW: u64 = 64;
/// Proposals, which are larger, for so many.
pub(crate) const PROPOSAL_WINDOW: u64 = 8;

/// One view.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// The first proposal seen.
    pub(crate) proposal: Option<BlockId>,
    pub(crate) notarization: Option<Certificate>,
    pub(crate) nullification: Option<Certificate>,
    notarize: Ballot,
    finalize: Ballot,
    nullify: Ballot,
}

impl View {
    /// The votes of a kind.
    pub(crate) fn ballot(&self, kind: VoteKind) -> &Ballot {
        match kind {
            VoteKind::Notarize => &self.notarize,
            VoteKind::Finalize => &self.finalize,
            VoteKind::Nullify => &self.nullify,
        }
    }

    /// The notarized block.
    pub(crate) fn notarized(&self) -> Option<Candidate> {
        self.notarization.as_ref().and_then(|certificate| certificate.certified().candidate())
    }
}

/// All views from the floor on that anything is known of. Votes reach [`VOTE_WINDOW`] ahead; certificates any
/// distance, since only a quorum makes them.
#[derive(Debug, Default)]
pub(crate) struct Views {
    slots: BTreeMap<u64, View>,
}

impl Views {
    /// A view, made empty if nothing is known of it.
    pub(crate) fn slot(&mut self, view: u64) -> &mut View {
        self.slots.entry(view).or_default()
    }

    /// A view.
    pub(crate) fn get(&self, view: u64) -> Option<&View> {
        self.slots.get(&view)
    }

    /// The views in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &View)> {
        self.slots.iter().map(|(view, slot)| (*view, slot))
    }

    /// Counts a vote. The caller has checked the window.
    pub(crate) fn add_vote(&mut self, vote: Vote) -> Result<(), Ignored> {
        let slot = self.slot(vote.statement.view());
        match vote.statement.kind() {
            VoteKind::Notarize => slot.notarize.add(vote),
            VoteKind::Finalize => slot.finalize.add(vote),
            VoteKind::Nullify => slot.nullify.add(vote),
        }
    }

    /// Proof that the signer of a vote said before what excludes it, if that is here.
    pub(crate) fn contradiction(&self, vote: &Vote) -> Option<Evidence> {
        let earlier = |slot: &View, kind| slot.ballot(kind).get(vote.signer);
        let (view, kind) = (vote.statement.view(), vote.statement.kind());
        let same = self.slots.get(&view).and_then(|slot| earlier(slot, kind));
        // A NULLIFY reaches back over its range; a FINALIZE is reached by those of later views.
        let (other, range) = match vote.statement {
            Statement::Notarize(_) => return same.and_then(|same| Evidence::votes(same, *vote)),
            Statement::Finalize(_) => (VoteKind::Nullify, view..=u64::MAX),
            Statement::Nullify { from_view, view } => (VoteKind::Finalize, from_view..=view),
        };
        let others = self.slots.range(range).filter_map(|(_, slot)| earlier(slot, other));
        same.into_iter().chain(others).find_map(|held| Evidence::votes(held, *vote))
    }

    /// Keeps a notarization, or a nullification that covers more than the one held, and records it.
    pub(crate) fn add_certificate(
        &mut self,
        certificate: Certificate,
        journal: &mut Journal,
    ) -> Result<(), Ignored> {
        let slot = self.slot(certificate.view());
        let place = match certificate.certified() {
            Certified::Notarization(_) => {
                if let Some(held) = &slot.notarization {
                    let is_same = held.certified() == certificate.certified();
                    return Err(if is_same { Ignored::Duplicate } else { Ignored::Conflicting });
                }
                &mut slot.notarization
            }
            Certified::Nullification { .. } => {
                let covers_less = |held: &Certificate| held.from_view() <= certificate.from_view();
                if slot.nullification.as_ref().is_some_and(covers_less) {
                    return Err(Ignored::Duplicate);
                }
                &mut slot.nullification
            }
            Certified::Finalization(_) => return Err(Ignored::Unasked),
        };
        journal.put(Record::Certificate(certificate.clone()));
        *place = Some(certificate);
        Ok(())
    }

    /// The nullifications, by view.
    pub(crate) fn nullifications(&self) -> impl Iterator<Item = &Certificate> + Clone {
        self.slots.values().filter_map(|slot| slot.nullification.as_ref())
    }

    /// The notarization of a block.
    pub(crate) fn notarization_of(&self, candidate: Candidate) -> Option<&Certificate> {
        let slot = self.slots.get(&candidate.view)?;
        slot.notarization.as_ref().filter(|held| held.certified() == Certified::Notarization(candidate))
    }

    /// The newest notarized block above a view.
    pub(crate) fn newest_notarized(&self, above: u64) -> Option<Candidate> {
        self.slots.range(above.saturating_add(1)..).rev().find_map(|(_, slot)| slot.notarized())
    }

    /// The signers of NOTARIZE votes for a block that are here.
    pub(crate) fn supporters(&self, candidate: Candidate) -> Vec<ValidatorId> {
        let Some(slot) = self.slots.get(&candidate.view) else { return Vec::new() };
        slot.notarize.votes_for(Certified::Notarization(candidate)).map(|vote| vote.signer).collect()
    }

    /// Forgets the views below the floor, and of the floor itself all that its finalization makes needless: votes
    /// stay, so that a repeated one can be told from a late one.
    pub(crate) fn drop_to_floor(&mut self, floor: u64, epoch: u64, journal: &mut Journal) {
        let kept = self.slots.split_off(&floor);
        let mut dropped = std::mem::replace(&mut self.slots, kept);
        if let Some(slot) = self.slots.get_mut(&floor) {
            let (notarization, nullification) = (slot.notarization.take(), slot.nullification.take());
            dropped.insert(floor, View { notarization, nullification, ..View::default() });
        }
        for (view, slot) in dropped {
            let held = [(VoteKind::Notarize, slot.notarization), (VoteKind::Nullify, slot.nullification)];
            for (kind, _) in held.iter().filter(|(_, certificate)| certificate.is_some()) {
                journal.delete(RecordKey::Certificate { kind: *kind, epoch, view });
            }
        }
    }
}
