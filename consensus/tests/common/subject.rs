//! One replica that is told what the test wants; the other members are keys in the hand of the test.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use consensus::guard::{Incarnation, Standing, Start};
use consensus::message::{GuardRequest, Run};
use consensus::record::ARCHIVE_TAG;
use consensus::{
    Committee, Ed25519Verifier, Effect, Input, Message, Now, Params, PersistId, Record, RecordKey, Replica,
    Timing, Tip, Vote,
};
use ledger_types::certificate::{Candidate, Certificate, Certified, Statement, VoteKind};
use ledger_types::hash::sha256;
use ledger_types::{BlockHeader, ValidatorId};

use super::members::{committee, genesis, signer};
use super::{Store, records, write};

/// The body of every block that a test makes; its header is the only thing that is checked.
pub const BODY: &[u8] = b"body";

/// The votes that left, by kind and view.
pub type Votes = Vec<(VoteKind, u64)>;

/// A replica, its store, and what it did.
pub struct Subject {
    pub committee: Arc<Committee>,
    pub members: Vec<ValidatorId>,
    pub own: ValidatorId,
    /// The block that it begins from.
    pub tip: BlockHeader,
    pub now: Now,
    pub replica: Replica,
    pub start: Start,
    /// The consensus file: every write is durable at once.
    pub store: Store,
    /// Whether writes are reported only by `give_receipts`.
    pub holds_receipts: bool,
    /// All effects since they were last taken, but writes.
    pub effects: Vec<Effect>,
    /// The last question that its guard asked.
    pub question: Option<GuardRequest>,
    /// How often it wanted to be woken.
    pub ticks: u64,
    receipts: VecDeque<PersistId>,
}

impl Subject {
    /// A node that trusts its empty store; the first place that fits.
    pub fn new(shape: &[usize], fits: impl Fn(&Committee, ValidatorId) -> bool) -> Self {
        Self::starting(shape, fits, Standing::Trusted, Store::new())
    }

    /// The same with any standing and store.
    pub fn starting(
        shape: &[usize],
        fits: impl Fn(&Committee, ValidatorId) -> bool,
        standing: Standing,
        store: Store,
    ) -> Self {
        let (committee, members) = committee(shape);
        let own = *members.iter().find(|place| fits(&committee, **place)).expect("one fits");
        let tip = genesis(committee.topology()).header;
        let now = Now { monotonic_ms: 0, wall_ms: tip.time_ms + 1_000 };
        let start = Start { previous: None, current: Incarnation { counter: 1, nonce: [1; 16] }, standing };
        let (replica, effects) = restore(&committee, own, &members, start, &store, &tip, now);
        let mut subject = Self {
            committee,
            members,
            own,
            tip,
            now,
            replica,
            start,
            store,
            holds_receipts: false,
            effects: Vec::new(),
            question: None,
            ticks: 0,
            receipts: VecDeque::new(),
        };
        subject.take_in(effects);
        subject
    }

    /// Ends this life and begins another from the store; the votes that leave.
    pub fn restart(&mut self, standing: Standing) -> Votes {
        let counter = self.start.current.counter + 1;
        let current = Incarnation { counter, nonce: [u8::try_from(counter).expect("few lives"); 16] };
        self.start = Start { previous: Some(self.start.current), current, standing };
        self.receipts.clear();
        self.effects.clear();
        self.question = None;
        let (replica, effects) =
            restore(&self.committee, self.own, &self.members, self.start, &self.store, &self.tip, self.now);
        self.replica = replica;
        self.take_in(effects)
    }

    /// Feeds an input; the votes that leave.
    pub fn feed(&mut self, input: Input) -> Votes {
        let effects = self.replica.handle(self.now, input);
        self.take_in(effects)
    }

    /// Performs effects.
    fn take_in(&mut self, effects: Vec<Effect>) -> Votes {
        let mut votes = Vec::new();
        for effect in effects {
            match &effect {
                Effect::Persist { id, changes } => {
                    write(&mut self.store, changes);
                    self.receipts.push_back(*id);
                    continue;
                }
                Effect::Send { message: Message::Vote(vote), .. } => {
                    votes.push((vote.statement.kind(), vote.statement.view()));
                }
                Effect::Send { message: Message::GuardRequest(request), .. } => {
                    self.question = Some(*request);
                }
                _ => {}
            }
            self.effects.push(effect);
        }
        if !self.holds_receipts {
            votes.extend(self.give_receipts());
        }
        votes
    }

    /// Reports the writes; the votes that leave.
    pub fn give_receipts(&mut self) -> Votes {
        let mut votes = Vec::new();
        while let Some(id) = self.receipts.pop_front() {
            let effects = self.replica.handle(self.now, Input::Persisted(id));
            votes.extend(self.take_in(effects));
        }
        votes
    }

    /// Hears a message from whoever signed it, or from the first of the others.
    pub fn hear(&mut self, message: impl Said) -> Votes {
        let message = message.said();
        let first = self.others()[0];
        let from = signer_of(&message).filter(|signer| *signer != self.own).unwrap_or(first);
        self.hear_from(from, message)
    }

    /// Hears a message from somebody.
    pub fn hear_from(&mut self, from: ValidatorId, message: impl Said) -> Votes {
        let bytes = message.said().encode();
        let message = Message::decode(bytes.into()).expect("reads back");
        let message = message.verify(&self.committee, &Ed25519Verifier).expect("well signed");
        self.feed(Input::Message { from, message })
    }

    /// Lets time pass, with a tick whenever one is wanted and one at the end; the votes that leave.
    pub fn wait(&mut self, ms: u64) -> Votes {
        let end_ms = self.now.monotonic_ms + ms;
        let mut votes = Vec::new();
        while self.now.monotonic_ms < end_ms {
            let next = self.replica.next_deadline().unwrap_or(u64::MAX).min(end_ms);
            assert!(next > self.now.monotonic_ms, "a deadline lies ahead");
            let passed = next - self.now.monotonic_ms;
            self.now = Now { monotonic_ms: next, wall_ms: self.now.wall_ms + passed };
            self.ticks += 1;
            votes.extend(self.feed(Input::Tick));
        }
        votes
    }

    /// The effects since they were last taken.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The messages among them.
    pub fn take_messages(&mut self) -> Vec<(consensus::Recipients, Message)> {
        let sent = |effect| match effect {
            Effect::Send { to, message } => Some((to, message)),
            _ => None,
        };
        self.take_effects().into_iter().filter_map(sent).collect()
    }

    /// The questions among them: to whom, and for what.
    pub fn take_questions(&mut self) -> Vec<(consensus::Recipients, consensus::Wanted)> {
        let asked = |(to, message)| match message {
            Message::Request(request) => Some((to, request.wanted)),
            _ => None,
        };
        self.take_messages().into_iter().filter_map(asked).collect()
    }

    /// Waits until the node asks for a run; whom, and from which height.
    pub fn asked_for_run(&mut self) -> (ValidatorId, u64) {
        for _ in 0..100 {
            for (to, wanted) in self.take_questions() {
                if let (consensus::Recipients::One(peer), consensus::Wanted::Blocks { from_height }) =
                    (to, wanted)
                {
                    return (peer, from_height);
                }
            }
            self.wait(50);
        }
        unreachable!("it never asks")
    }

    /// The other members, in order.
    pub fn others(&self) -> Vec<ValidatorId> {
        self.members.iter().copied().filter(|place| *place != self.own).collect()
    }

    /// A record of the store.
    pub fn stored(&self, key: &RecordKey) -> Option<Record> {
        let key = key.encode();
        let value = self.store.get(&key)?;
        Some(Record::decode(&key, value.clone().into()).expect("a stored record reads back"))
    }

    /// A child of a block, proposed by the leader of a view now.
    pub fn child(&self, parent: &BlockHeader, view: u64) -> BlockHeader {
        BlockHeader {
            view,
            height: parent.height + 1,
            parent: parent.id(),
            proposer: self.committee.leader(view),
            time_ms: self.now.wall_ms.max(parent.time_ms + 1),
            entry_count: 3,
            entries_root: sha256(&[BODY]),
            ..parent.clone()
        }
    }

    /// A child of the block that all begin from.
    pub fn child_of_genesis(&self, view: u64) -> BlockHeader {
        self.child(&self.tip, view)
    }

    /// Hears of a block, all its entries, and that it is valid.
    pub fn hear_block(&mut self, header: &BlockHeader) -> Votes {
        let mut votes = self.hear(self.propose(header));
        votes.extend(self.assemble(header));
        votes
    }

    /// The shell has all entries of a block, and it is valid.
    pub fn assemble(&mut self, header: &BlockHeader) -> Votes {
        let block = header.id();
        let mut votes = self.feed(Input::ProposalAssembled { block, body: Bytes::from_static(BODY) });
        votes.extend(self.feed(Input::ProposalChecked { block, valid: true }));
        votes
    }

    /// Blocks in consecutive views on top of another, each final.
    pub fn chain(&self, on: &BlockHeader, first_view: u64, count: u64) -> Vec<BlockHeader> {
        let mut chain: Vec<BlockHeader> = Vec::new();
        for view in first_view..first_view + count {
            chain.push(self.child(chain.last().unwrap_or(on), view));
        }
        chain
    }

    /// The run of these blocks, final by the last.
    pub fn run(&self, chain: &[BlockHeader]) -> Message {
        let certificate = Some(self.certificate(Certified::Finalization(candidate(&chain[chain.len() - 1]))));
        let bodies = vec![Bytes::from_static(BODY); chain.len().min(consensus::message::RUN_BODIES)];
        Message::Run(Box::new(Run { headers: chain.to_vec(), bodies, certificate }))
    }

    /// A certificate by all others, over its own view alone.
    pub fn certificate(&self, certified: Certified) -> Certificate {
        self.certificate_from(certified, certified.view())
    }

    /// A certificate by all others, from a view on.
    pub fn certificate_from(&self, certified: Certified, from_view: u64) -> Certificate {
        self.certificate_by(certified, from_view, &self.others())
    }

    /// Enters a view by a nullification of all views before it; the votes that leave.
    pub fn skip_to(&mut self, view: u64) -> Votes {
        let nullification = self.certificate_from(Certified::Nullification { view: view - 1 }, 1);
        self.hear(nullification)
    }

    /// A vote of a member.
    pub fn vote(&self, signer: ValidatorId, statement: Statement) -> Vote {
        let signature = self.key_of(signer).sign(&self.committee.statement_bytes(&statement));
        Vote { signer, statement, signature }
    }
}

/// What a node can be told.
pub trait Said {
    /// As a message.
    fn said(self) -> Message;
}

impl Said for Message {
    fn said(self) -> Message {
        self
    }
}

impl Said for Certificate {
    fn said(self) -> Message {
        Message::Certificate(self)
    }
}

impl Said for Vote {
    fn said(self) -> Message {
        Message::Vote(self)
    }
}

/// A block in its view.
pub fn candidate(header: &BlockHeader) -> Candidate {
    Candidate { view: header.view, height: header.height, block: header.id() }
}

/// Who signed a message, if one did.
pub fn signer_of(message: &Message) -> Option<ValidatorId> {
    match message {
        Message::Propose(propose) => Some(propose.header.proposer),
        Message::Vote(vote) => Some(vote.signer),
        Message::Request(request) => Some(request.signer),
        Message::Heartbeat(heartbeat) => Some(heartbeat.signer),
        Message::GuardRequest(request) => Some(request.signer),
        Message::GuardAnswer(answer) => Some(answer.signer),
        Message::Certificate(_) | Message::Entries(_) | Message::Run(_) => None,
    }
}

fn restore(
    committee: &Arc<Committee>,
    own: ValidatorId,
    members: &[ValidatorId],
    start: Start,
    store: &BTreeMap<Vec<u8>, Vec<u8>>,
    tip: &BlockHeader,
    now: Now,
) -> (Replica, Vec<Effect>) {
    let params = Params { committee: Arc::clone(committee), own, timing: Timing::LAN, start };
    let index = members.iter().position(|place| *place == own).expect("a member");
    let tip = Tip { height: tip.height, block: tip.id(), header: tip.clone() };
    let live = records(store).into_iter().filter(|record| record.key().encode()[0] < ARCHIVE_TAG);
    Replica::restore(params, signer(index), live, tip, now)
}
