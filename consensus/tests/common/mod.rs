//! An in-memory world: real replicas, real messages as bytes, real signatures; a shell whose disk, pool and executor
//! are maps. One seed, one run.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use consensus::record::ARCHIVE_TAG;
use consensus::{
    Change, Committee, Ed25519Signer, Ed25519Verifier, Effect, Input, Message, Now, Params, PersistId,
    Recipients, Record, RecordKey, Replica, Timing, Tip, Vote,
};
use ledger_types::certificate::Certificate;
use ledger_types::hash::sha256;
use ledger_types::signature::Curve;
use ledger_types::topology::{Cluster, NetKey, Validator};
use ledger_types::{
    BlockHeader, BlockId, ConfigHash, Hash, NetworkId, PrivateKey, PublicKey, Topology, ValidatorId, VoteKey,
};

/// The wall clock when the monotonic clock is zero.
const WALL_START_MS: u64 = 1_700_000_000_000;

/// A committed block as a node's block file holds it.
#[derive(Clone, Debug)]
pub struct Committed {
    pub id: BlockId,
    pub header: BlockHeader,
    pub certificate: Option<Certificate>,
}

/// One node: a replica and its shell.
pub struct Node {
    pub place: ValidatorId,
    /// `None` while it is down.
    pub replica: Option<Replica>,
    /// The consensus file, as synced.
    pub store: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The block file.
    pub chain: Vec<Committed>,
    /// Written, not synced.
    pub unsynced: VecDeque<(PersistId, Vec<Change>)>,
    /// Answers of the shell, in order.
    answers: VecDeque<Input>,
    /// Messages on their way here, in no order.
    inbox: Vec<Bytes>,
    /// Blocks executed here: header and batches.
    executed: BTreeMap<BlockId, (BlockHeader, Vec<u64>)>,
    pool: BTreeSet<u64>,
    pub syncs: u64,
}

/// All nodes, the wire between them, and what has been said.
pub struct World {
    pub nodes: Vec<Node>,
    pub committee: Arc<Committee>,
    pub now_ms: u64,
    /// Everything any node sent, in order.
    pub sent: Vec<(ValidatorId, Message)>,
    /// One message in so many is lost; 0: none.
    pub loses_one_in: u64,
    random: u64,
    genesis: Committed,
}

impl World {
    /// A world of clusters of these sizes; everything that has an order takes it from the seed.
    pub fn new(shape: &[usize], seed: u64) -> Self {
        let topology = topology(shape);
        let genesis = genesis(&topology);
        let places: Vec<ValidatorId> = topology.validators().map(|(place, _)| place).collect();
        let committee = Arc::new(Committee::new(NetworkId([1; 32]), 0, topology, &genesis.id));
        let node = |place: &ValidatorId| Node {
            place: *place,
            replica: None,
            store: BTreeMap::new(),
            chain: vec![genesis.clone()],
            unsynced: VecDeque::new(),
            answers: VecDeque::new(),
            inbox: Vec::new(),
            executed: BTreeMap::new(),
            pool: BTreeSet::new(),
            syncs: 0,
        };
        let nodes = places.iter().map(node).collect();
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let (now_ms, sent) = (0, Vec::new());
        let mut world = Self { nodes, committee, now_ms, sent, loses_one_in: 0, random, genesis };
        for node in 0..world.nodes.len() {
            world.start(node);
        }
        world
    }

    /// Starts a node from its files.
    pub fn start(&mut self, node: usize) {
        let shell = &mut self.nodes[node];
        let params = Params { committee: self.committee.clone(), own: shell.place, timing: Timing::LAN };
        let live = shell.store.iter().filter(|(key, _)| key[0] < ARCHIVE_TAG);
        let records: Vec<Record> = live
            .map(|(key, value)| {
                Record::decode(key, value.clone().into()).expect("a stored record reads back")
            })
            .collect();
        let head = shell.chain.last().expect("genesis at least").clone();
        shell.executed = BTreeMap::from([(head.id, (head.header.clone(), Vec::new()))]);
        let tip = Tip { height: head.header.height, block: head.id, header: head.header };
        let signer = Ed25519Signer::new(key(node)).expect("an ed25519 key");
        let (replica, effects) = Replica::restore(params, Box::new(signer), records, tip, now(self.now_ms));
        shell.replica = Some(replica);
        self.tell_pending(node);
        self.perform(node, effects);
    }

    /// Kills a node: what is not synced is gone, and so is the rest of its memory but the pool, which peers refill.
    pub fn kill(&mut self, node: usize) {
        let shell = &mut self.nodes[node];
        shell.replica = None;
        shell.unsynced.clear();
        shell.answers.clear();
        shell.inbox.clear();
    }

    /// Gives a batch to every node.
    pub fn submit(&mut self, batch: u64) {
        for node in 0..self.nodes.len() {
            self.nodes[node].pool.insert(batch);
            self.tell_pending(node);
        }
    }

    /// Does one thing that can be done now, drawn at random; `false` if there is none.
    pub fn step(&mut self) -> bool {
        let mut choices: Vec<(usize, u8)> = Vec::new();
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.replica.is_some()) {
            let kinds = [!node.unsynced.is_empty(), !node.answers.is_empty(), !node.inbox.is_empty()];
            choices.extend(
                (0u8..).zip(kinds).filter(|(_, is_possible)| *is_possible).map(|(kind, _)| (index, kind)),
            );
        }
        if choices.is_empty() {
            return false;
        }
        let (node, kind) = choices[self.draw(choices.len())];
        match kind {
            0 => self.sync(node),
            1 => {
                let input = self.nodes[node].answers.pop_front().expect("chosen because there is one");
                self.feed(node, input);
            }
            _ => {
                let index = self.draw(self.nodes[node].inbox.len());
                let bytes = self.nodes[node].inbox.swap_remove(index);
                self.receive(node, bytes);
            }
        }
        true
    }

    /// Does what can be done; then lets time pass to the next deadline. `false` if nothing will ever happen.
    pub fn step_or_wait(&mut self) -> bool {
        if self.step() {
            return true;
        }
        let deadline = |node: &Node| node.replica.as_ref().and_then(Replica::next_deadline);
        let Some(next) = self.nodes.iter().filter_map(deadline).min() else { return false };
        assert!(next > self.now_ms, "a deadline lies ahead");
        self.now_ms = next;
        for node in 0..self.nodes.len() {
            if self.nodes[node]
                .replica
                .as_ref()
                .and_then(Replica::next_deadline)
                .is_some_and(|due| due <= next)
            {
                self.feed(node, Input::Tick);
            }
        }
        true
    }

    /// Runs until every live node has committed a height; at most `limit` steps.
    pub fn run_to_height(&mut self, height: u64, limit: usize) {
        for _ in 0..limit {
            let mut live = self.nodes.iter().filter(|node| node.replica.is_some());
            if live.all(|node| node.height() >= height) {
                return;
            }
            assert!(
                self.step_or_wait(),
                "everything stands still: {:?} {:?}",
                self.heights(),
                self.statuses()
            );
        }
        assert_eq!(limit, 0, "too slow: {:?} {:?}", self.heights(), self.statuses());
    }

    /// Runs until nothing is left to do without new input; time may pass.
    pub fn run_to_rest(&mut self, limit: usize) {
        for _ in 0..limit {
            if !self.step_or_wait() {
                return;
            }
        }
        assert!(!self.step_or_wait(), "never at rest: {:?}", self.statuses());
    }

    /// Every node's committed height.
    pub fn heights(&self) -> Vec<u64> {
        self.nodes.iter().map(Node::height).collect()
    }

    fn statuses(&self) -> Vec<Option<consensus::Status>> {
        self.nodes.iter().map(|node| node.replica.as_ref().map(Replica::status)).collect()
    }

    /// Asserts that all chains agree, and that no node said two things that exclude each other.
    pub fn assert_safe(&self) {
        for one in &self.nodes {
            for other in &self.nodes {
                let both = one.chain.iter().zip(&other.chain);
                assert!(both.into_iter().all(|(one, other)| one.id == other.id), "two histories");
            }
        }
        let mut proposals: BTreeMap<(ValidatorId, u64), BlockId> = BTreeMap::new();
        let mut votes: BTreeMap<ValidatorId, Vec<Vote>> = BTreeMap::new();
        for (sender, message) in &self.sent {
            match message {
                Message::Propose(propose) if propose.header.proposer == *sender => {
                    let header = &propose.header;
                    let first = *proposals.entry((*sender, header.view)).or_insert(header.id());
                    assert_eq!(first, header.id(), "{sender} proposed twice in view {}", header.view);
                }
                Message::Vote(vote) if !votes.entry(*sender).or_default().contains(vote) => {
                    let earlier = votes.entry(*sender).or_default();
                    for first in earlier.iter() {
                        let evidence = consensus::evidence::Evidence::new(*first, *vote);
                        assert_eq!(evidence, None, "{sender} contradicts itself");
                    }
                    earlier.push(*vote);
                }
                _ => {}
            }
        }
    }

    /// Makes the oldest unsynced write of a node durable and says so.
    pub fn sync(&mut self, node: usize) {
        let id = self.write(node);
        self.feed(node, Input::Persisted(id));
    }

    /// Makes the oldest unsynced write of a node durable, silently.
    pub fn write(&mut self, node: usize) -> PersistId {
        let shell = &mut self.nodes[node];
        let (id, changes) = shell.unsynced.pop_front().expect("something is unsynced");
        shell.syncs += 1;
        for change in changes {
            match change.value() {
                Some(value) => shell.store.insert(change.key(), value),
                None => shell.store.remove(&change.key()),
            };
        }
        id
    }

    fn receive(&mut self, node: usize, bytes: Bytes) {
        let message = Message::decode(bytes).expect("peers send what reads back");
        let verified = message.verify(&self.committee, &Ed25519Verifier).expect("peers are honest");
        self.feed(node, Input::Message(verified));
    }

    fn feed(&mut self, node: usize, input: Input) {
        let now = now(self.now_ms);
        let Some(replica) = self.nodes[node].replica.as_mut() else { return };
        let effects = replica.handle(now, input);
        self.perform(node, effects);
    }

    fn tell_pending(&mut self, node: usize) {
        let since_ms = self.nodes[node].pool.first().map(|_| self.now_ms);
        self.feed(node, Input::Pending { since_ms });
    }

    fn perform(&mut self, node: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::BuildProposal { view, parent, height, time_ms, allow_empty } => {
                    let answer = self.build(node, view, (parent, height), time_ms, allow_empty);
                    self.nodes[node].answers.push_back(answer);
                }
                Effect::CheckProposal { header, refs, .. } => {
                    let block = header.id();
                    self.nodes[node]
                        .answers
                        .push_back(Input::ProposalAssembled { block, body: refs.clone() });
                    self.execute(node, header, &refs);
                }
                Effect::CheckStored { header, body } => self.execute(node, header, &body),
                Effect::Persist { id, changes } => self.nodes[node].unsynced.push_back((id, changes)),
                Effect::Send { to, message } => self.send(node, to, message),
                Effect::Commit { block, header, certificate } => {
                    self.commit(node, block, header, certificate);
                }
                Effect::Abandon { block } => {
                    self.nodes[node].executed.remove(&block);
                }
                Effect::EnterView { .. } => {}
                Effect::Halt { reason, .. } => assert!(reason.is_empty(), "halted: {reason}"),
            }
        }
    }

    fn build(
        &mut self,
        node: usize,
        view: u64,
        on: (BlockId, u64),
        time_ms: u64,
        allow_empty: bool,
    ) -> Input {
        let (parent, height) = on;
        let shell = &self.nodes[node];
        let mut batches = shell.pool.clone();
        let mut ancestor = parent;
        while let Some((header, taken)) = shell.executed.get(&ancestor) {
            batches.retain(|batch| !taken.contains(batch));
            ancestor = header.parent;
        }
        let batches: Vec<u64> = batches.into_iter().take(2).collect();
        if batches.is_empty() && !allow_empty {
            return Input::NothingToPropose { view };
        }
        let body: Vec<u8> = batches.iter().flat_map(|batch| batch.to_be_bytes()).collect();
        let parent_root = shell.executed[&parent].0.state_root;
        let header = BlockHeader {
            view,
            height,
            parent,
            proposer: shell.place,
            time_ms,
            entry_count: u32::try_from(batches.len()).expect("few"),
            entries_root: sha256(&[&body]),
            state_root: sha256(&[&parent_root.0, &body]),
            ..self.genesis.header.clone()
        };
        self.nodes[node].executed.insert(header.id(), (header.clone(), batches));
        Input::ProposalBuilt { view, header, refs: body.clone().into(), body: body.into() }
    }

    fn execute(&mut self, node: usize, header: BlockHeader, body: &Bytes) {
        let shell = &mut self.nodes[node];
        let block = header.id();
        let parent_root =
            shell.executed.get(&header.parent).expect("parents are executed first").0.state_root;
        let valid = header.state_root == sha256(&[&parent_root.0, body]);
        let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
        shell.executed.insert(block, (header, body.chunks(8).map(number).collect()));
        shell.answers.push_back(Input::ProposalChecked { block, valid });
    }

    fn send(&mut self, node: usize, to: Recipients, message: Message) {
        let from = self.nodes[node].place;
        self.assert_durable(node, &message);
        let bytes = Bytes::from(message.encode());
        self.sent.push((from, message));
        for index in 0..self.nodes.len() {
            let place = self.nodes[index].place;
            let is_meant = to == Recipients::Others && place != from || to == Recipients::One(place);
            let is_lost =
                self.loses_one_in > 0 && self.draw(usize::try_from(self.loses_one_in).expect("small")) == 0;
            if is_meant && !is_lost && self.nodes[index].replica.is_some() {
                self.nodes[index].inbox.push(bytes.clone());
            }
        }
    }

    /// SPEC 3.5 V5: what binds this node is in its store when it leaves, or the floor in the store is above it.
    fn assert_durable(&self, node: usize, message: &Message) {
        let shell = &self.nodes[node];
        let (key, view) = match message {
            Message::Vote(vote) if vote.signer == shell.place => {
                let (kind, view) = (vote.statement.kind(), vote.statement.view());
                (RecordKey::Voted { kind, epoch: 0, view }, view)
            }
            Message::Propose(propose) if propose.header.proposer == shell.place => {
                (RecordKey::Proposed { epoch: 0, view: propose.header.view }, propose.header.view)
            }
            _ => return,
        };
        let floor = match shell.store.get(&RecordKey::Floor.encode()) {
            Some(value) => match Record::decode(&RecordKey::Floor.encode(), value.clone().into()) {
                Ok(Record::Floor { view, .. }) => view,
                _ => 0,
            },
            None => 0,
        };
        assert!(
            shell.store.contains_key(&key.encode()) || view <= floor,
            "{message:?} left before it was durable"
        );
    }

    fn commit(&mut self, node: usize, id: BlockId, header: BlockHeader, certificate: Certificate) {
        let verdict = consensus::certificates::check(&certificate, &self.committee, &Ed25519Verifier);
        assert_eq!(verdict, Ok(()), "a commit carries a true certificate");
        let shell = &mut self.nodes[node];
        let head = shell.chain.last().expect("genesis at least");
        assert_eq!((header.height, header.parent), (head.header.height + 1, head.id), "commits have no gaps");
        let finalized_at = RecordKey::FinalizedAt { height: header.height };
        assert!(shell.store.contains_key(&finalized_at.encode()), "a commit is durable");
        for batch in &shell.executed[&id].1 {
            shell.pool.remove(batch);
        }
        shell.chain.push(Committed { id, header, certificate: Some(certificate) });
        let since_ms = shell.pool.first().map(|_| self.now_ms);
        shell.answers.push_back(Input::Pending { since_ms });
        self.age();
    }

    /// Lets every node's block file be synced up to where all nodes are. Further than that a node that lags would
    /// need the synchronisation of blocks, which is not consensus.
    fn age(&mut self) {
        let height = self.heights().into_iter().min().unwrap_or(0);
        if height.is_multiple_of(4) {
            for node in self.nodes.iter_mut().filter(|node| node.replica.is_some()) {
                node.answers.push_back(Input::BlockDurable { height });
            }
        }
    }

    fn draw(&mut self, below: usize) -> usize {
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % below as u64).expect("below a usize")
    }
}

impl Node {
    pub fn height(&self) -> u64 {
        self.chain.last().map_or(0, |block| block.header.height)
    }

    /// The batches left in the pool.
    pub fn pending(&self) -> usize {
        self.pool.len()
    }
}

/// The vote key of a node.
pub fn key(node: usize) -> PrivateKey {
    PrivateKey::from_bytes(Curve::Ed25519, [u8::try_from(node).expect("few nodes") + 1; 32])
        .expect("any bytes do")
}

/// Clusters of these sizes.
pub fn topology(shape: &[usize]) -> Topology {
    let mut index = 0;
    let mut validator = || {
        let PublicKey::Ed25519(vote_key) = key(index).public_key() else { unreachable!("an ed25519 key") };
        index += 1;
        let number = u8::try_from(index).expect("few nodes");
        let name = format!("n{index}");
        Validator { name, vote_key: VoteKey(vote_key), net_key: NetKey([number; 32]), delegate: true }
    };
    let clusters = shape.iter().enumerate().map(|(cluster, size)| Cluster {
        name: format!("c{cluster}"),
        validators: (0..*size).map(|_| validator()).collect(),
    });
    Topology::new(clusters.collect()).expect("a good shape")
}

fn genesis(topology: &Topology) -> Committed {
    let header = BlockHeader {
        network_id: NetworkId([1; 32]),
        epoch: 0,
        view: 0,
        height: 0,
        parent: BlockId::ZERO,
        proposer: ValidatorId { cluster: 0, node: 0 },
        time_ms: WALL_START_MS,
        entry_count: 0,
        receipt_count: 0,
        entries_root: Hash::ZERO,
        state_root: Hash::ZERO,
        receipts_root: Hash::ZERO,
        cfg_hash: ConfigHash(topology.cfg_hash().0),
        next_cfg_hash: None,
    };
    Committed { id: header.id(), header, certificate: None }
}

fn now(monotonic_ms: u64) -> Now {
    Now { monotonic_ms, wall_ms: WALL_START_MS + monotonic_ms }
}
