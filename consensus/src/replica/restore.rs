//! A start, the first one or after a crash: going on from the records (SPEC 3.9).

use std::collections::{BTreeMap, VecDeque};

use ledger_types::certificate::{Certified, VoteKind};

use super::guard::Guard;
use super::peers::Peers;
use super::propose::Building;
use super::release::Held;
use super::state::Replica;
use super::status::Tip;
use crate::blocks::{Block, Blocks, Head};
use crate::crypto::Signer;
use crate::effect::Effect;
use crate::input::Now;
use crate::journal::Journal;
use crate::message::Message;
use crate::params::Params;
use crate::record::Record;
use crate::safety::Safety;
use crate::timers::Timers;
use crate::views::Views;

impl Replica {
    /// A replica that goes on from what was stored: it knows its votes and sends them again, byte for byte, and
    /// builds no second block for a view it proposed in. Blocks above the tip come as `CheckStored`, and as `Commit`
    /// when they are final. `records` are all live ones (see [`crate::record::ARCHIVE_TAG`]) in any order; none at the
    /// first start. `tip` is the committed head, the genesis block at the first start.
    pub fn restore(
        params: Params,
        signer: Box<dyn Signer>,
        records: impl IntoIterator<Item = Record>,
        tip: Tip,
        now: Now,
    ) -> (Self, Vec<Effect>) {
        let tip_view = tip.header.view;
        let mut replica = Self::empty(params, signer, tip, now);
        let mut recorded_floor = 0;
        for record in records {
            if let Record::Floor { view, .. } = record {
                recorded_floor = view;
            }
            replica.take(record);
        }
        if tip_view > recorded_floor {
            // The batch that drops votes writes the floor, also when the block file is newer than the records.
            let epoch = replica.committee.epoch();
            replica.journal.put(Record::Floor { epoch, view: replica.safety.floor() });
            if replica.guard.restore_older_records() {
                replica.journal.put(Record::Guard { epoch, bound: None });
            }
        }
        replica.forget_below_floor();
        replica.start_guard();
        replica.view = replica.safety.floor() + 1;
        replica.entry = replica.highest_finalization().cloned();
        replica.timers.on_enter(now.monotonic_ms, replica.view, replica.safety.floor());
        let leader = replica.committee.leader(replica.view);
        replica.effects.push(Effect::EnterView { view: replica.view, leader });
        replica.resend();
        let effects = replica.finish_turn();
        (replica, effects)
    }

    fn empty(params: Params, signer: Box<dyn Signer>, tip: Tip, now: Now) -> Self {
        let Params { committee, own, timing, start } = params;
        let mut safety = Safety::new(committee.clone(), own, signer);
        // What is committed is final, even if the record that says so is lost.
        safety.restore_floor(tip.header.view);
        Self {
            safety,
            committee,
            own,
            timing,
            now,
            view: 1,
            entry: None,
            journal: Journal::default(),
            views: Views::default(),
            blocks: Blocks::new(Head { id: tip.block, header: tip.header }),
            finalizations: BTreeMap::new(),
            former: BTreeMap::new(),
            timers: Timers::new(timing, now.monotonic_ms),
            pending_since_ms: None,
            building: Building::Idle,
            is_refused: false,
            fetches: BTreeMap::new(),
            gathers: BTreeMap::new(),
            asked: None,
            guard: Guard::new(start),
            peers: Peers::new(now.monotonic_ms),
            evidence: BTreeMap::new(),
            questions: BTreeMap::new(),
            answered_ms: BTreeMap::new(),
            held: VecDeque::new(),
            effects: Vec::new(),
            is_halted: false,
        }
    }

    fn take(&mut self, record: Record) {
        let epoch = self.committee.epoch();
        match record {
            Record::Proposed { epoch: of, view, block } if of == epoch => {
                self.safety.restore_proposed(view, block);
                self.views.slot(view).proposal = Some(block);
            }
            Record::Voted { epoch: of, vote } if of == epoch => self.safety.restore_vote(vote),
            Record::Floor { epoch: of, view } if of == epoch => self.safety.restore_floor(view),
            Record::Certificate(certificate) if certificate.epoch() == epoch => {
                let slot = self.views.slot(certificate.view());
                match certificate.certified() {
                    Certified::Notarization(_) => slot.notarization = Some(certificate),
                    Certified::Nullification { .. } => slot.nullification = Some(certificate),
                    Certified::Finalization(candidate) => {
                        self.safety.restore_floor(candidate.view);
                        self.finalizations.insert(candidate.height, certificate);
                    }
                }
            }
            Record::Guard { epoch: of, bound } if of == epoch => self.guard.restore(bound),
            Record::Evidence { epoch: of, evidence } if of == epoch => {
                self.evidence.insert(evidence.offender(), evidence);
            }
            Record::Body { propose, body } => {
                let candidate = propose.candidate();
                self.views.slot(candidate.view).proposal.get_or_insert(candidate.block);
                let block = Block { is_stored: true, stored_body: Some(body), ..Block::proposed(*propose) };
                self.blocks.insert(block);
            }
            // Of another epoch, or of the archive.
            _ => {}
        }
    }

    /// A crash falls between batches, never into one, so below the floor only a tip newer than the records leaves
    /// anything: it is dropped like at any raise of the floor.
    fn forget_below_floor(&mut self) {
        let (floor, epoch) = (self.safety.floor(), self.committee.epoch());
        self.views.drop_to_floor(floor, epoch, &mut self.journal);
        self.safety.forget_below_floor(&mut self.journal);
    }

    /// Everything signed above the floor leaves again: it is durable, but may never have been sent.
    fn resend(&mut self) {
        let blocks = self.safety.restored_proposals();
        let proposals: Vec<Message> = blocks
            .filter_map(|block| self.blocks.proposal(&block).cloned())
            .map(|propose| Message::Propose(Box::new(propose)))
            .collect();
        let votes = self.safety.restored_votes(VoteKind::Notarize);
        let votes = votes.chain(self.safety.restored_votes(VoteKind::Nullify));
        let votes: Vec<Message> =
            votes.chain(self.safety.restored_votes(VoteKind::Finalize)).map(Message::Vote).collect();
        let may_repeat = |message: &Message| match message {
            Message::Propose(propose) => self.guard.may_repeat(propose.header.view),
            Message::Vote(vote) => self.guard.may_repeat(vote.statement.view()),
            _ => false,
        };
        let messages: Vec<Message> = proposals.into_iter().chain(votes).filter(may_repeat).collect();
        for message in messages {
            self.held.push_back(self.journal.hold(Held::Message(Box::new(message))));
        }
    }
}
