//! One process: a replica and its shell, whose disk and execution are instant.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use consensus::guard::{Incarnation, Standing, Start};
use consensus::message::{Entries, Run};
use consensus::{
    Committee, Effect, Input, Message, Now, Params, Recipients, Replica, Signer, Timing, Tip, Verifier,
};
use ledger_types::certificate::Certificate;
use ledger_types::{BlockHeader, BlockId, Hash, Signature, ValidatorId, VoteKey};

use super::checks::Spoken;

/// The wall clock when virtual time is zero.
const WALL_START_MS: u64 = 1_700_000_000_000;
/// Messages take no time, so delays need not grow.
const TIMING: Timing = Timing { delta_ms: 50, delta_max_ms: 50, execution_ms: 150, drift_ms: 500 };

/// Building a block takes so long, so that whoever lags can catch up meanwhile.
const BUILD_MS: u64 = TIMING.execution_ms;

/// A signature here says who signs and nothing else: twins lie by being two, never by forging.
pub(crate) struct NameSigner(pub(crate) VoteKey);

impl Signer for NameSigner {
    fn sign(&self, _: &[u8]) -> Signature {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.0.0);
        Signature(bytes)
    }
}

/// Believes what [`NameSigner`] says.
pub(crate) struct NameVerifier;

impl Verifier for NameVerifier {
    fn verify(&self, key: &VoteKey, _: &[u8], signature: &Signature) -> bool {
        signature.0[..32] == key.0
    }
}

/// What a process does that others can see.
pub(crate) enum Act {
    /// It sends.
    Send(Recipients, Message),
    /// It commits a block.
    Commit(u64, BlockId),
    /// It enters a view.
    Enter,
    /// It stops.
    Halt(String),
}

/// One process.
pub(crate) struct Process {
    number: usize,
    pub(crate) place: ValidatorId,
    replica: Replica,
    pub(crate) view: u64,
    /// What it has said.
    pub(crate) spoken: Spoken,
    /// Committed blocks above genesis: header, body, the certificate committed with it.
    pub(crate) chain: Vec<(BlockHeader, Bytes, Certificate)>,
    genesis: BlockHeader,
    executed: BTreeMap<BlockId, (BlockHeader, Bytes)>,
    answers: VecDeque<Input>,
    /// A block that is built, and from when on.
    built: Option<(u64, Input)>,
}

impl Process {
    /// A process that has just started with an empty store on a genesis block, with a batch pending for ever; and
    /// what it does first.
    pub(crate) fn start(
        number: usize,
        place: ValidatorId,
        committee: Arc<Committee>,
        genesis: &(BlockId, BlockHeader),
    ) -> (Self, Vec<Act>) {
        let key = *committee.vote_key(place).expect("invariant: a member");
        let nonce = [u8::try_from(number).expect("invariant: few processes"); 16];
        // It votes at once, and goes on when it meets a signature of its twin: a liar heeds no rollback guard.
        let start =
            Start { previous: None, current: Incarnation { counter: 1, nonce }, standing: Standing::Trusted };
        let params = Params { committee, own: place, timing: TIMING, start };
        let (block, header) = genesis.clone();
        let tip = Tip { height: 0, block, header: header.clone() };
        let (replica, effects) = Replica::restore(params, Box::new(NameSigner(key)), [], tip, now(0));
        let executed = BTreeMap::from([(block, (header.clone(), Bytes::new()))]);
        let mut process = Self {
            number,
            place,
            replica,
            view: 1,
            spoken: Spoken::default(),
            chain: Vec::new(),
            genesis: header,
            executed,
            answers: VecDeque::from([Input::Pending { since_ms: Some(0) }]),
            built: None,
        };
        let mut acts = Vec::new();
        process.perform(0, effects, &mut acts);
        process.answer_all(0, &mut acts);
        (process, acts)
    }

    /// Takes one input, and all that the shell answers to what follows from it.
    pub(crate) fn feed(&mut self, now_ms: u64, input: Input) -> Vec<Act> {
        self.answers.push_back(input);
        let mut acts = Vec::new();
        self.answer_all(now_ms, &mut acts);
        acts
    }

    /// When it has something to do if no message arrives.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let built = self.built.as_ref().map(|(due, _)| *due);
        built.into_iter().chain(self.replica.next_deadline()).min()
    }

    /// Takes note that its deadline has come.
    pub(crate) fn wake(&mut self, now_ms: u64) -> Vec<Act> {
        let built = self.built.take_if(|(due, _)| *due <= now_ms).map(|(_, built)| built);
        self.feed(now_ms, built.unwrap_or(Input::Tick))
    }

    fn answer_all(&mut self, now_ms: u64, acts: &mut Vec<Act>) {
        while let Some(input) = self.answers.pop_front() {
            let effects = self.replica.handle(now(now_ms), input);
            self.perform(now_ms, effects, acts);
        }
    }

    fn perform(&mut self, now_ms: u64, effects: Vec<Effect>, acts: &mut Vec<Act>) {
        for effect in effects {
            match effect {
                Effect::BuildProposal { view, parent, height, time_ms, allow_empty: _ } => {
                    self.built =
                        self.build(view, parent, height, time_ms).map(|built| (now_ms + BUILD_MS, built));
                }
                Effect::CheckProposal { header, refs, entries: _ } => {
                    let block = header.id();
                    self.answers.push_back(Input::ProposalAssembled { block, body: refs.clone() });
                    self.execute(block, header, refs);
                }
                Effect::CheckStored { header, body } => self.execute(header.id(), header, body),
                Effect::SendEntries { to, block, indices: _ } => {
                    if let Some((_, body)) = self.executed.get(&block) {
                        let entries = Entries { block, entries: body.clone() };
                        acts.push(Act::Send(Recipients::One(to), Message::Entries(entries)));
                    }
                }
                Effect::SendRun { to, from_height } => {
                    let run = self.run_from(from_height).map(|run| Message::Run(Box::new(run)));
                    acts.extend(run.map(|run| Act::Send(Recipients::One(to), run)));
                }
                Effect::Persist { id, changes: _ } => self.answers.push_back(Input::Persisted(id)),
                Effect::Send { to, message } => acts.push(Act::Send(to, message)),
                Effect::Commit { block, header, certificate } => {
                    acts.push(Act::Commit(header.height, block));
                    let body = self.executed.get(&block).map(|(_, body)| body.clone());
                    let proven =
                        certificate.map(|certificate| (header, body.unwrap_or_default(), certificate));
                    self.chain.extend(proven);
                }
                Effect::Abandon { block } => {
                    self.executed.remove(&block);
                }
                Effect::EnterView { view, leader: _ } => {
                    self.view = view;
                    acts.push(Act::Enter);
                }
                Effect::Halt { reason, certificates: _ } => acts.push(Act::Halt(reason)),
            }
        }
    }

    /// A block that no other process would build, so that twins propose two in their view.
    fn build(&mut self, view: u64, parent: BlockId, height: u64, time_ms: u64) -> Option<Input> {
        let mut batch = vec![u8::try_from(self.number).expect("invariant: few processes")];
        batch.extend(view.to_be_bytes());
        let body = Bytes::from(batch);
        let parent_root = self.executed.get(&parent)?.0.state_root;
        let header = BlockHeader {
            view,
            height,
            parent,
            proposer: self.place,
            time_ms,
            entry_count: 1,
            state_root: state_root(&parent_root, &body),
            ..self.genesis.clone()
        };
        self.executed.insert(header.id(), (header.clone(), body.clone()));
        Some(Input::ProposalBuilt { view, header, refs: body.clone(), body })
    }

    fn execute(&mut self, block: BlockId, header: BlockHeader, body: Bytes) {
        let parent = self.executed.get(&header.parent);
        let valid = parent.is_some_and(|(it, _)| state_root(&it.state_root, &body) == header.state_root);
        self.executed.insert(block, (header, body));
        self.answers.push_back(Input::ProposalChecked { block, valid });
    }

    /// The committed blocks from a height to the one whose finalization proves the first.
    fn run_from(&self, from_height: u64) -> Option<Run> {
        let first = usize::try_from(from_height.checked_sub(1)?).ok()?;
        let certificate = self.chain.get(first)?.2.clone();
        let last = usize::try_from(certificate.certified().candidate()?.height).ok()?;
        let blocks = self.chain.get(first..last)?;
        let headers = blocks.iter().map(|(header, ..)| header.clone()).collect();
        let bodies = blocks.iter().map(|(_, body, _)| body.clone()).collect();
        Some(Run { headers, bodies, certificate: Some(certificate) })
    }
}

/// The clocks of every process.
fn now(monotonic_ms: u64) -> Now {
    Now { monotonic_ms, wall_ms: WALL_START_MS + monotonic_ms }
}

/// Execution: a mixture of the parent's root and the body. Nobody here looks for collisions.
fn state_root(parent: &Hash, body: &[u8]) -> Hash {
    let mut mixed = 0x9e37_79b9_7f4a_7c15_u64;
    for byte in parent.0.iter().chain(body) {
        mixed = (mixed ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17);
    }
    let mut root = [0; 32];
    root[..8].copy_from_slice(&mixed.to_be_bytes());
    Hash(root)
}
