//! An in-memory world: real replicas, real messages as bytes, real signatures; a shell whose disk, pool and executor
//! are maps. One seed, one run.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses its part")]

mod members;
mod shell;
mod signing;
mod subject;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use consensus::guard::Incarnation;
use consensus::record::ARCHIVE_TAG;
use consensus::store::{Loaded, Operator, VoteStore, begin};
use consensus::{
    Change, Committee, Effect, Input, Message, Now, Params, PersistId, Record, Replica, Status, Timing, Tip,
    Vote,
};
use ledger_types::certificate::Certificate;
use ledger_types::{BlockHeader, BlockId, ValidatorId};

pub use members::{committee, genesis, key, signer, topology};
pub use signing::Answer;
pub use subject::{BODY, Subject, Votes, candidate, signer_of};

/// A consensus file: keys and values.
pub type Store = BTreeMap<Vec<u8>, Vec<u8>>;

/// The wall clock when the monotonic clock is zero.
const WALL_START_MS: u64 = 1_700_000_000_000;

/// A committed block as a node's block file holds it.
#[derive(Clone, Debug)]
pub struct Committed {
    pub id: BlockId,
    pub header: BlockHeader,
    pub body: Bytes,
    pub certificate: Option<Certificate>,
}

/// One node: a replica and its shell.
pub struct Node {
    pub place: ValidatorId,
    /// `None` while it is down.
    pub replica: Option<Replica>,
    /// The consensus file, as synced.
    pub store: Store,
    /// The file beside the keys.
    pub file: Option<Incarnation>,
    /// The block file.
    pub chain: Vec<Committed>,
    /// Written, not synced.
    pub unsynced: VecDeque<(PersistId, Vec<Change>)>,
    /// Answers of the shell, in order.
    answers: VecDeque<Input>,
    /// Messages on their way here, in no order.
    inbox: Vec<(ValidatorId, Bytes)>,
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
    /// Whether starts are judged by store and file; if not, every store is trusted.
    pub is_guarded: bool,
    /// Whether the block file is synced at every commit; if not, only up to where all nodes are.
    pub is_durable_at_once: bool,
    random: u64,
    genesis: Committed,
}

impl World {
    /// A world of clusters of these sizes; everything that has an order takes it from the seed.
    pub fn new(shape: &[usize], seed: u64) -> Self {
        let mut world = Self::asleep(shape, seed);
        world.start_all();
        world
    }

    /// The same before any node has started.
    pub fn asleep(shape: &[usize], seed: u64) -> Self {
        let genesis = genesis(&topology(shape));
        let (committee, places) = committee(shape);
        let node = |place: &ValidatorId| Node {
            place: *place,
            replica: None,
            store: Store::new(),
            file: None,
            chain: vec![genesis.clone()],
            unsynced: VecDeque::new(),
            answers: VecDeque::new(),
            inbox: Vec::new(),
            executed: BTreeMap::new(),
            pool: BTreeSet::new(),
            syncs: 0,
        };
        Self {
            nodes: places.iter().map(node).collect(),
            committee,
            now_ms: 0,
            sent: Vec::new(),
            loses_one_in: 0,
            is_guarded: false,
            is_durable_at_once: false,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            genesis,
        }
    }

    /// Starts every node from its files.
    pub fn start_all(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.start(node));
    }

    /// Starts a node from its files.
    pub fn start(&mut self, node: usize) {
        self.start_as(node, Operator::Silent);
    }

    /// Starts a node from its files, of which the operator says something.
    pub fn start_as(&mut self, node: usize, operator: Operator) {
        let operator = if self.is_guarded { operator } else { Operator::Trusts };
        let mut nonce = [0; 16];
        nonce[8..].copy_from_slice(&self.draw_number().to_be_bytes());
        let shell = &mut self.nodes[node];
        let Ok((start, loaded)) = begin(&mut MapStore(&mut shell.store), shell.file, nonce, operator);
        shell.file = Some(start.current);
        let params =
            Params { committee: self.committee.clone(), own: shell.place, timing: Timing::LAN, start };
        let head = shell.chain.last().expect("genesis at least").clone();
        shell.executed = BTreeMap::from([(head.id, (head.header.clone(), Vec::new()))]);
        let tip = Tip { height: head.header.height, block: head.id, header: head.header };
        let (replica, effects) =
            Replica::restore(params, signer(node), loaded.records, tip, now(self.now_ms));
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
                let (from, bytes) = self.nodes[node].inbox.swap_remove(index);
                self.receive(node, from, bytes);
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

    /// Lets so much time pass.
    pub fn run_for(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms;
        while self.now_ms < end_ms && self.step_or_wait() {}
    }

    /// Every node's committed height.
    pub fn heights(&self) -> Vec<u64> {
        self.nodes.iter().map(Node::height).collect()
    }

    /// Where every node stands; `None` if it is down.
    pub fn statuses(&self) -> Vec<Option<Status>> {
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
                        let evidence = consensus::evidence::Evidence::votes(*first, *vote);
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
        write(&mut shell.store, &changes);
        id
    }

    fn feed(&mut self, node: usize, input: Input) {
        let now = now(self.now_ms);
        let Some(replica) = self.nodes[node].replica.as_mut() else { return };
        let effects = replica.handle(now, input);
        self.perform(node, effects);
    }

    /// A number below another one.
    pub fn draw(&mut self, below: usize) -> usize {
        usize::try_from(self.draw_number() % below as u64).expect("below a usize")
    }

    fn draw_number(&mut self) -> u64 {
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
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

fn now(monotonic_ms: u64) -> Now {
    Now { monotonic_ms, wall_ms: WALL_START_MS + monotonic_ms }
}

/// Writes changes as a shell does.
pub fn write(store: &mut Store, changes: &[Change]) {
    for change in changes {
        match change.value() {
            Some(value) => store.insert(change.key(), value),
            None => store.remove(&change.key()),
        };
    }
}

/// All records of a store.
pub fn records(store: &Store) -> Vec<Record> {
    let read = |(key, value): (&Vec<u8>, &Vec<u8>)| {
        Record::decode(key, value.clone().into()).expect("a stored record reads back")
    };
    store.iter().map(read).collect()
}

/// A vote store on a map: a write is durable at once.
pub struct MapStore<'a>(pub &'a mut Store);

impl VoteStore for MapStore<'_> {
    type Error = Infallible;

    fn load(&self) -> Result<Loaded, Infallible> {
        let live = records(self.0).into_iter().filter(|record| record.key().encode()[0] < ARCHIVE_TAG);
        Ok(Loaded { records: live.collect(), damaged: Vec::new() })
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), Infallible> {
        write(self.0, changes);
        Ok(())
    }
}
