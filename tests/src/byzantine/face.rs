//! An honest replica inside a liar: it follows the chain, votes and proposes blocks without entries, and believes
//! everything. What it says goes to its character first.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use consensus::guard::{Incarnation, Standing, Start};
use consensus::message::{Entries, Run};
use consensus::{Effect, Input, Message, Now, Params, Recipients, Replica, Signer, Timing, Tip, Verifier};
use ledger_types::certificate::Certificate;
use ledger_types::{BlockHeader, BlockId, Signature, ValidatorId, VoteKey};

use super::Stage;
use crate::sim::execution::{self, Order};

/// Executed headers this far below the head are forgotten.
const KEPT_HEIGHTS: u64 = 16;
/// So many final blocks are kept to be shown.
const KEPT_DECIDED: usize = 32;

/// What a face wants said.
#[derive(Clone, Debug)]
pub(super) enum Word {
    /// A message.
    Say(Recipients, Message),
    /// A peer asked for entries of a block.
    Entries(ValidatorId, BlockId, Vec<u32>),
    /// A peer asked for final blocks from a height on.
    Run(ValidatorId, u64),
}

/// How a face dates the blocks that it proposes: faces of one liar must differ to propose different blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// As early as can be.
    Behind,
    /// By the time that the others seem to have.
    Right,
}

/// The replica and the little of a shell that it needs.
pub(super) struct Face {
    replica: Replica,
    /// What the replica wanted when it was born.
    opening: Vec<Effect>,
    clock: Clock,
    headers: BTreeMap<BlockId, BlockHeader>,
    bodies: BTreeMap<BlockId, Bytes>,
    head: BlockHeader,
    decided: VecDeque<(BlockHeader, Certificate)>,
    genesis_ms: u64,
    newest_ms: u64,
}

impl Face {
    /// A face that has just begun at the genesis block. Words are said from the first tick on.
    pub(super) fn new(stage: &Stage<'_>, clock: Clock) -> Self {
        let head = stage.genesis.clone();
        let (replica, opening) = born(stage, &head);
        Self {
            replica,
            opening,
            decided: VecDeque::new(),
            clock,
            headers: BTreeMap::from([(head.id(), head.clone())]),
            bodies: BTreeMap::new(),
            genesis_ms: head.time_ms,
            newest_ms: head.time_ms,
            head,
        }
    }

    /// Hears a message of anybody. What makes no sense is ignored.
    pub(super) fn hear(&mut self, stage: &Stage<'_>, from: ValidatorId, message: Message) -> Vec<Word> {
        match message.verify(stage.committee, &Gullible) {
            Ok(message) => self.feed(stage, Input::Message { from, message }),
            Err(_) => Vec::new(),
        }
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self, stage: &Stage<'_>) -> Vec<Word> {
        let mut words = self.feed(stage, Input::Pending { since_ms: Some(0) });
        words.extend(self.feed(stage, Input::Tick));
        words
    }

    /// The view that it is in.
    pub(super) fn view(&self) -> u64 {
        self.replica.status().view
    }

    /// Its newest final block.
    pub(super) fn head(&self) -> &BlockHeader {
        &self.head
    }

    /// The header of a block that it knows.
    pub(super) fn header(&self, block: &BlockId) -> Option<&BlockHeader> {
        self.headers.get(block)
    }

    /// Its newest final blocks with their finalizations, oldest first.
    pub(super) fn decided(&self) -> impl DoubleEndedIterator<Item = &(BlockHeader, Certificate)> {
        self.decided.iter()
    }

    /// Final blocks from a height on, if it has them still.
    pub(super) fn run(&self, from_height: u64) -> Option<Run> {
        let begin = self.decided.iter().position(|(header, _)| header.height == from_height)?;
        let blocks = || self.decided.iter().skip(begin);
        let is_its_own = |(header, certificate): &&(BlockHeader, Certificate)| {
            certificate.certified().candidate().is_some_and(|it| it.height == header.height)
        };
        let (_, certificate) = blocks().find(is_its_own)?;
        let end = certificate.certified().candidate()?.height;
        let headers: Vec<BlockHeader> =
            blocks().map(|(header, _)| header.clone()).take_while(|header| header.height <= end).collect();
        let bodies = headers.iter().map_while(|header| self.bodies.get(&header.id()).cloned()).collect();
        Some(Run { headers, bodies, certificate: Some(certificate.clone()) })
    }

    /// Entries of a block, if it has them still.
    pub(super) fn entries(&self, block: BlockId, indices: &[u32]) -> Option<Entries> {
        let batches = execution::batches(self.bodies.get(&block)?)?;
        let wanted = |index: &u32| batches.get(usize::try_from(*index).ok()?).copied();
        let wanted: Vec<u64> = indices.iter().filter_map(wanted).collect();
        Some(Entries { block, entries: execution::body(&wanted) })
    }

    fn feed(&mut self, stage: &Stage<'_>, input: Input) -> Vec<Word> {
        let mut words = Vec::new();
        let mut inputs = VecDeque::from([input]);
        for effect in std::mem::take(&mut self.opening) {
            self.perform(stage, effect, &mut inputs, &mut words);
        }
        while let Some(input) = inputs.pop_front() {
            let now = Now { monotonic_ms: stage.now_ms, wall_ms: self.wall_ms(stage.now_ms) };
            for effect in self.replica.handle(now, input) {
                self.perform(stage, effect, &mut inputs, &mut words);
            }
        }
        words
    }

    fn perform(
        &mut self,
        stage: &Stage<'_>,
        effect: Effect,
        inputs: &mut VecDeque<Input>,
        words: &mut Vec<Word>,
    ) {
        match effect {
            Effect::BuildProposal { view, parent, time_ms, .. } => {
                let Some(on) = self.headers.get(&parent) else { return };
                let order = Order { view, proposer: stage.own, parent, time_ms };
                let (header, body) = execution::build(order, on, &[]);
                let refs = execution::refs(&[]);
                self.learn(&header, &body);
                inputs.push_back(Input::ProposalBuilt { view, header, refs, body });
            }
            Effect::CheckProposal { header, refs, .. } => {
                let block = header.id();
                // In this world batches are made of their numbers, so nobody has to be asked for entries.
                let body = execution::body(&execution::read_refs(&refs).unwrap_or_default());
                self.learn(&header, &body);
                inputs.push_back(Input::ProposalAssembled { block, body });
                inputs.push_back(Input::ProposalChecked { block, valid: true });
            }
            Effect::CheckStored { header, body } => {
                let block = header.id();
                self.learn(&header, &body);
                inputs.push_back(Input::ProposalChecked { block, valid: true });
            }
            Effect::Persist { id, .. } => inputs.push_back(Input::Persisted(id)),
            Effect::Send { to, message } => words.push(Word::Say(to, message)),
            Effect::SendEntries { to, block, indices } => words.push(Word::Entries(to, block, indices)),
            Effect::SendRun { to, from_height } => words.push(Word::Run(to, from_height)),
            Effect::Commit { header, certificate, .. } => {
                let height = header.height;
                self.headers.retain(|_, known| known.height.saturating_add(KEPT_HEIGHTS) > height);
                if self.decided.len() >= KEPT_DECIDED
                    && let Some((oldest, _)) = self.decided.pop_front()
                {
                    self.bodies.remove(&oldest.id());
                }
                self.decided.extend(certificate.map(|certificate| (header.clone(), certificate)));
                self.head = header;
                inputs.push_back(Input::BlockDurable { height });
            }
            Effect::Abandon { block } => {
                self.headers.remove(&block);
                self.bodies.remove(&block);
            }
            Effect::EnterView { .. } | Effect::Halt { .. } => {}
        }
    }

    fn learn(&mut self, header: &BlockHeader, body: &Bytes) {
        self.newest_ms = self.newest_ms.max(header.time_ms);
        self.headers.insert(header.id(), header.clone());
        self.bodies.insert(header.id(), body.clone());
    }

    fn wall_ms(&self, now_ms: u64) -> u64 {
        match self.clock {
            // A proposal's time is its parent's plus one then, which nobody can refuse.
            Clock::Behind => now_ms,
            Clock::Right => self.newest_ms.saturating_add(2).max(self.genesis_ms.saturating_add(now_ms)),
        }
    }
}

fn born(stage: &Stage<'_>, head: &BlockHeader) -> (Replica, Vec<Effect>) {
    let current = Incarnation { counter: 1, nonce: [0; 16] };
    let params = Params {
        committee: stage.committee.clone(),
        own: stage.own,
        // No proposal comes from too far ahead for it.
        timing: Timing { drift_ms: u64::MAX / 2, ..stage.timing },
        // Its owner says much that it does not know of; it must not mind.
        start: Start { previous: None, current, standing: Standing::Trusted },
    };
    let signer = (stage.signer)(stage.own).unwrap_or_else(|| Box::new(Keyless));
    let tip = Tip { height: head.height, block: head.id(), header: head.clone() };
    let now = Now { monotonic_ms: stage.now_ms, wall_ms: head.time_ms };
    Replica::restore(params, signer, [], tip, now)
}

/// Believes every signature.
struct Gullible;

impl Verifier for Gullible {
    fn verify(&self, _: &VoteKey, _: &[u8], _: &Signature) -> bool {
        true
    }
}

/// Signs nothing that anybody believes.
struct Keyless;

impl Signer for Keyless {
    fn sign(&self, _: &[u8]) -> Signature {
        Signature::ZERO
    }
}
