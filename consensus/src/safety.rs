//! The one door to a signature. Every rule that keeps two histories apart is checked here, whatever the caller
//! believes, and nothing comes out but what waits for its record (SPEC 3.5 V0, V1, V3 to V6).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ledger_types::certificate::{Candidate, Certificate, Certified, Statement, VoteKind};
use ledger_types::{BlockHeader, BlockId, Signature, ValidatorId};

use crate::committee::Committee;
use crate::crypto::Signer;
use crate::journal::{Journal, Unsynced};
use crate::message::{
    GuardAnswer, GuardRequest, Heartbeat, Propose, Request, Vote, Wanted, answer_bytes, heartbeat_bytes,
    propose_bytes, question_bytes, request_bytes,
};
use crate::record::{Record, RecordKey};

/// Where the rollback guard forbids signatures (SPEC 3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Everywhere.
    All,
    /// In this view and below.
    UpTo(u64),
}

/// What this node signed above the floor, and the key it signs with.
pub(crate) struct Safety {
    committee: Arc<Committee>,
    own: ValidatorId,
    signer: Box<dyn Signer>,
    floor: u64,
    silence: Silence,
    /// What this node signed up to this view it may have forgotten, and it is known: silence holds there for good.
    forgiven: u64,
    proposed: BTreeMap<u64, BlockId>,
    notarized: BTreeMap<u64, Vote>,
    finalized: BTreeMap<u64, Vote>,
    nullified: BTreeMap<u64, Vote>,
}

impl Safety {
    /// A door that has signed nothing, and signs nothing until the guard lets it.
    pub(crate) fn new(committee: Arc<Committee>, own: ValidatorId, signer: Box<dyn Signer>) -> Self {
        let (proposed, notarized) = (BTreeMap::new(), BTreeMap::new());
        let (finalized, nullified) = (BTreeMap::new(), BTreeMap::new());
        Self {
            committee,
            own,
            signer,
            floor: 0,
            silence: Silence::All,
            forgiven: 0,
            proposed,
            notarized,
            finalized,
            nullified,
        }
    }

    /// Remembers a proposal of an earlier run.
    pub(crate) fn restore_proposed(&mut self, view: u64, block: BlockId) {
        self.proposed.insert(view, block);
    }

    /// Remembers a vote of an earlier run.
    pub(crate) fn restore_vote(&mut self, vote: Vote) {
        self.votes_mut(vote.statement.kind()).insert(vote.statement.view(), vote);
    }

    /// Nothing is signed in this view or below.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    /// Sets what the rollback guard demands: silence, and up to which view it is known that votes are forgotten.
    pub(crate) fn set_silence(&mut self, silence: Silence, forgiven: u64) {
        (self.silence, self.forgiven) = (silence, forgiven);
    }

    /// Whether the rollback guard forbids to sign in a view.
    pub(crate) fn is_silent(&self, view: u64) -> bool {
        match self.silence {
            Silence::All => true,
            Silence::UpTo(bound) => view <= bound,
        }
    }

    /// The highest view signed in, or up to which nothing may be signed: what this node's past may reach to.
    pub(crate) fn mark(&self) -> u64 {
        let signed =
            [&self.notarized, &self.finalized, &self.nullified].map(|votes| votes.keys().next_back());
        let signed = signed.into_iter().chain([self.proposed.keys().next_back()]).flatten().max();
        let bound = match self.silence {
            Silence::All => 0,
            Silence::UpTo(bound) => bound,
        };
        signed.copied().unwrap_or(0).max(bound).max(self.floor)
    }

    /// Whether this node has no record of a vote that carries its signature: it was cast above everything that could
    /// have been dropped, so it was forgotten.
    pub(crate) fn has_forgotten(&self, statement: &Statement) -> bool {
        let view = statement.view();
        let held = self.votes(statement.kind()).get(&view);
        self.is_remembered(view) && held.is_none_or(|vote| vote.statement != *statement)
    }

    /// The same for a proposal.
    pub(crate) fn has_forgotten_proposal(&self, view: u64, block: BlockId) -> bool {
        self.is_remembered(view) && self.proposed.get(&view) != Some(&block)
    }

    /// Whether everything signed in a view is known here, unless it was forgotten without anybody's knowing.
    fn is_remembered(&self, view: u64) -> bool {
        view > self.floor && view > self.forgiven
    }

    /// Whether this node proposed a block in a view.
    pub(crate) fn has_proposed(&self, view: u64) -> bool {
        self.proposed.contains_key(&view)
    }

    /// The blocks proposed above the floor.
    pub(crate) fn restored_proposals(&self) -> impl Iterator<Item = BlockId> + '_ {
        self.proposed.values().copied()
    }

    /// Whether this node signed a vote of a kind in a view. The vote itself is not given out: it may not be durable.
    pub(crate) fn has_voted(&self, kind: VoteKind, view: u64) -> bool {
        self.votes(kind).contains_key(&view)
    }

    /// The votes of a kind above the floor. To be called before anything new is signed: all of them are durable then.
    pub(crate) fn restored_votes(&self, kind: VoteKind) -> impl Iterator<Item = Vote> + '_ {
        self.votes(kind).values().copied()
    }

    /// The highest view up to `view` in which this node signed FINALIZE or may have and forgot, or the floor: the
    /// views after it may be given up.
    pub(crate) fn locked_up_to(&self, view: u64) -> u64 {
        let locked = self.finalized.range(..=view).next_back().map_or(0, |(view, _)| *view);
        let bound = match self.silence {
            Silence::All => u64::MAX,
            Silence::UpTo(bound) => bound,
        };
        locked.max(bound).max(self.floor)
    }

    /// Whether FINALIZE may still be signed in a view: none was, and no NULLIFY covers it.
    pub(crate) fn may_finalize(&self, view: u64) -> bool {
        let is_given_up = self
            .nullified
            .values()
            .any(|vote| vote.statement.from_view() <= view && view <= vote.statement.view());
        view > self.floor && !self.is_silent(view) && !self.finalized.contains_key(&view) && !is_given_up
    }

    /// Signs a PROPOSE in the current view: one block per view, recorded with its body.
    pub(crate) fn propose(
        &mut self,
        journal: &mut Journal,
        current: u64,
        unsigned: Unsigned,
    ) -> Option<Unsynced<Propose>> {
        let Unsigned { header, refs, body, parent, nullifications } = unsigned;
        let view = header.view;
        // SPEC 3.5 V0 and V6.
        if view != current || view <= self.floor || self.is_silent(view) || self.proposed.contains_key(&view)
        {
            return None;
        }
        let block = header.id();
        let signature = self.signer.sign(&propose_bytes(&self.committee, &header, &refs));
        let propose = Propose { header, refs, parent, nullifications, signature };
        self.proposed.insert(view, block);
        journal.put(Record::Proposed { epoch: self.committee.epoch(), view, block });
        journal.put(Record::Body { propose: Box::new(propose.clone()), body });
        Some(journal.hold(propose))
    }

    /// Signs NOTARIZE in the current view. The caller answers for V2.
    pub(crate) fn notarize(
        &mut self,
        journal: &mut Journal,
        current: u64,
        candidate: Candidate,
    ) -> Option<Unsynced<Vote>> {
        let view = candidate.view;
        // SPEC 3.5 V0, V1 and V6.
        let is_allowed = view == current
            && view > self.floor
            && !self.is_silent(view)
            && !self.notarized.contains_key(&view);
        is_allowed.then(|| self.sign_vote(journal, Statement::Notarize(candidate)))
    }

    /// Signs FINALIZE for what a notarization names. The caller answers for its execution.
    pub(crate) fn finalize(
        &mut self,
        journal: &mut Journal,
        notarization: &Certificate,
    ) -> Option<Unsynced<Vote>> {
        let Certified::Notarization(candidate) = notarization.certified() else { return None };
        // SPEC 3.5 V3 and V6.
        self.may_finalize(candidate.view).then(|| self.sign_vote(journal, Statement::Finalize(candidate)))
    }

    /// Signs NULLIFY of `from_view` to `view`, the current view or one already left; one per view.
    pub(crate) fn nullify(
        &mut self,
        journal: &mut Journal,
        current: u64,
        from_view: u64,
        view: u64,
    ) -> Option<Unsynced<Vote>> {
        // SPEC 3.5 V0 (never a view not entered), V4 over the whole range, V6.
        let is_allowed = from_view <= view
            && view <= current
            && from_view > self.locked_up_to(view)
            && !self.nullified.contains_key(&view);
        is_allowed.then(|| self.sign_vote(journal, Statement::Nullify { from_view, view }))
    }

    /// Signs a question. It binds to nothing, so it needs no record.
    pub(crate) fn request(&self, wanted: Wanted) -> Request {
        let signature = self.signer.sign(&request_bytes(&self.committee, &wanted));
        Request { signer: self.own, wanted, signature }
    }

    /// Signs a heartbeat, which binds to nothing.
    pub(crate) fn heartbeat(&self, unsigned: Heartbeat) -> Heartbeat {
        let signature = self.signer.sign(&heartbeat_bytes(&self.committee, &unsigned));
        Heartbeat { signature, ..unsigned }
    }

    /// Signs a guard's question; its incarnation is durable since before this run.
    pub(crate) fn guard_request(&self, unsigned: GuardRequest) -> GuardRequest {
        let signature = self.signer.sign(&question_bytes(&self.committee, &unsigned));
        GuardRequest { signature, ..unsigned }
    }

    /// Signs the answer to a guard's question, which binds to nothing: what it tells of is durable or not yet sent.
    pub(crate) fn guard_answer(&self, unsigned: GuardAnswer) -> GuardAnswer {
        let signature = self.signer.sign(&answer_bytes(&self.committee, &unsigned));
        GuardAnswer { signature, ..unsigned }
    }

    /// Raises the floor to a view whose finalization is held, and drops what was signed up to there, in one batch
    /// (SPEC 3.5 V6).
    pub(crate) fn raise_floor(&mut self, journal: &mut Journal, view: u64) {
        if view <= self.floor {
            return;
        }
        self.floor = view;
        journal.put(Record::Floor { epoch: self.committee.epoch(), view });
        self.forget_below_floor(journal);
    }

    /// Drops what was signed up to the floor.
    pub(crate) fn forget_below_floor(&mut self, journal: &mut Journal) {
        let (epoch, floor) = (self.committee.epoch(), self.floor);
        for view in drop_up_to(&mut self.proposed, floor) {
            journal.delete(RecordKey::Proposed { epoch, view });
        }
        for kind in [VoteKind::Notarize, VoteKind::Finalize, VoteKind::Nullify] {
            for view in drop_up_to(self.votes_mut(kind), floor) {
                journal.delete(RecordKey::Voted { kind, epoch, view });
            }
        }
    }

    /// Takes the floor of an earlier run.
    pub(crate) fn restore_floor(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
    }

    fn sign_vote(&mut self, journal: &mut Journal, statement: Statement) -> Unsynced<Vote> {
        let signature: Signature = self.signer.sign(&self.committee.statement_bytes(&statement));
        let vote = Vote { signer: self.own, statement, signature };
        self.votes_mut(statement.kind()).insert(statement.view(), vote);
        journal.put(Record::Voted { epoch: self.committee.epoch(), vote });
        journal.hold(vote)
    }

    fn votes(&self, kind: VoteKind) -> &BTreeMap<u64, Vote> {
        match kind {
            VoteKind::Notarize => &self.notarized,
            VoteKind::Finalize => &self.finalized,
            VoteKind::Nullify => &self.nullified,
        }
    }

    fn votes_mut(&mut self, kind: VoteKind) -> &mut BTreeMap<u64, Vote> {
        match kind {
            VoteKind::Notarize => &mut self.notarized,
            VoteKind::Finalize => &mut self.finalized,
            VoteKind::Nullify => &mut self.nullified,
        }
    }
}

/// A proposal before its signature.
pub(crate) struct Unsigned {
    pub(crate) header: BlockHeader,
    pub(crate) refs: Bytes,
    pub(crate) body: Bytes,
    pub(crate) parent: Option<Certificate>,
    pub(crate) nullifications: Vec<Certificate>,
}

fn drop_up_to<T>(signed: &mut BTreeMap<u64, T>, view: u64) -> Vec<u64> {
    let kept = signed.split_off(&view.saturating_add(1));
    std::mem::replace(signed, kept).into_keys().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_types::certificate::CertificateVote;
    use ledger_types::topology::{Cluster, NetKey, Validator};
    use ledger_types::{NetworkId, Topology, VoteKey};

    struct Unkeyed;

    impl Signer for Unkeyed {
        fn sign(&self, _: &[u8]) -> Signature {
            Signature::ZERO
        }
    }

    const OWN: ValidatorId = ValidatorId { cluster: 0, node: 0 };

    fn door() -> (Safety, Journal) {
        let (vote_key, net_key) = (VoteKey([1; 32]), NetKey([2; 32]));
        let validators = vec![Validator { name: "n".into(), vote_key, net_key, delegate: true }];
        let topology = Topology::new(vec![Cluster { name: "c".into(), validators }]).unwrap();
        let committee = Committee::new(NetworkId::ZERO, 0, topology, &BlockId::ZERO);
        let mut safety = Safety::new(Arc::new(committee), OWN, Box::new(Unkeyed));
        safety.set_silence(Silence::UpTo(0), 0);
        (safety, Journal::default())
    }

    fn candidate(view: u64, byte: u8) -> Candidate {
        Candidate { view, height: view, block: BlockId([byte; 64]) }
    }

    fn notarization(view: u64) -> Certificate {
        let vote = CertificateVote { from_view: view, signature: Signature::ZERO };
        Certificate::new(0, Certified::Notarization(candidate(view, 1)), [(OWN, vote)]).unwrap()
    }

    #[test]
    fn v0_only_the_current_view_is_notarized_and_none_ahead_nullified() {
        let (mut door, mut journal) = door();
        assert!(door.notarize(&mut journal, 5, candidate(4, 1)).is_none());
        assert!(door.notarize(&mut journal, 5, candidate(6, 1)).is_none());
        assert!(door.nullify(&mut journal, 5, 6, 6).is_none());
        assert!(door.nullify(&mut journal, 5, 4, 4).is_some(), "a view already left");
        assert!(door.notarize(&mut journal, 5, candidate(5, 1)).is_some());
    }

    #[test]
    fn v1_one_notarize_per_view() {
        let (mut door, mut journal) = door();
        assert!(door.notarize(&mut journal, 5, candidate(5, 1)).is_some());
        assert!(door.notarize(&mut journal, 5, candidate(5, 1)).is_none());
        assert!(door.notarize(&mut journal, 5, candidate(5, 2)).is_none());
    }

    #[test]
    fn v3_a_view_given_up_is_never_finalized() {
        let (mut door, mut journal) = door();
        assert!(door.nullify(&mut journal, 5, 3, 5).is_some());
        let finalized: Vec<u64> =
            (1..=6).filter(|view| door.finalize(&mut journal, &notarization(*view)).is_some()).collect();
        assert_eq!(finalized, [1, 2, 6]);
    }

    #[test]
    fn v4_no_range_of_a_nullify_reaches_a_finalized_view() {
        let (mut door, mut journal) = door();
        assert!(door.finalize(&mut journal, &notarization(3)).is_some());
        for (from_view, view) in [(3, 3), (2, 3), (1, 5), (3, 4)] {
            assert!(door.nullify(&mut journal, 9, from_view, view).is_none(), "[{from_view}, {view}]");
        }
        assert!(door.nullify(&mut journal, 9, 4, 5).is_some());
        assert!(door.nullify(&mut journal, 9, 1, 2).is_some());
    }

    #[test]
    fn v5_a_vote_opens_only_with_the_receipt_of_its_record() {
        let (mut door, mut journal) = door();
        let vote = door.notarize(&mut journal, 5, candidate(5, 1)).unwrap();
        let vote = vote.open(&journal.synced()).unwrap_err();
        let Some(crate::Effect::Persist { id, .. }) = journal.close_turn() else {
            unreachable!("a vote is recorded")
        };
        let vote = vote.open(&journal.synced()).unwrap_err();
        journal.on_persisted(id);
        assert!(vote.open(&journal.synced()).is_ok());
    }

    #[test]
    fn v6_nothing_is_signed_up_to_the_floor() {
        let (mut door, mut journal) = door();
        door.raise_floor(&mut journal, 5);
        assert!(door.notarize(&mut journal, 5, candidate(5, 1)).is_none());
        assert!(door.finalize(&mut journal, &notarization(5)).is_none());
        assert!(door.nullify(&mut journal, 6, 5, 6).is_none());
        assert!(door.nullify(&mut journal, 6, 6, 6).is_some());
    }
}
