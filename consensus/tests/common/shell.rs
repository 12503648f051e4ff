//! The shell of each node: its pool, its executor, its block file and its links.

use bytes::Bytes;
use consensus::message::{Entries, RUN_BODIES, RUN_HEADERS, Run};
use consensus::{Ed25519Verifier, Effect, Input, Message, Recipients, Record, RecordKey};
use ledger_types::certificate::Certificate;
use ledger_types::hash::sha256;
use ledger_types::{BlockHeader, BlockId, ValidatorId};

use super::{Committed, World};

impl World {
    pub(super) fn receive(&mut self, node: usize, from: ValidatorId, bytes: Bytes) {
        let message = Message::decode(bytes).expect("peers send what reads back");
        let message = message.verify(&self.committee, &Ed25519Verifier).expect("peers are honest");
        self.feed(node, Input::Message { from, message });
    }

    pub(super) fn tell_pending(&mut self, node: usize) {
        let since_ms = self.nodes[node].pool.first().map(|_| self.now_ms);
        self.feed(node, Input::Pending { since_ms });
    }

    pub(super) fn perform(&mut self, node: usize, effects: Vec<Effect>) {
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
                    self.commit(
                        node,
                        block,
                        header,
                        certificate.expect("no rollback here, so each block has a finalization"),
                    );
                }
                Effect::Abandon { block } => {
                    self.nodes[node].executed.remove(&block);
                }
                Effect::SendEntries { to, block, .. } => self.send_entries(node, to, block),
                Effect::SendRun { to, from_height } => self.send_run(node, to, from_height),
                Effect::EnterView { .. } => {}
                Effect::Halt { reason, .. } => assert!(reason.is_empty(), "halted: {reason}"),
            }
        }
    }

    pub(super) fn build(
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

    /// All entries of a block: here nobody sends single ones.
    pub(super) fn send_entries(&mut self, node: usize, to: ValidatorId, block: BlockId) {
        if let Some((_, batches)) = self.nodes[node].executed.get(&block) {
            let entries = batches.iter().flat_map(|batch| batch.to_be_bytes()).collect::<Vec<u8>>().into();
            self.send(node, Recipients::One(to), Message::Entries(Entries { block, entries }));
        }
    }

    pub(super) fn send_run(&mut self, node: usize, to: ValidatorId, from_height: u64) {
        let chain = &self.nodes[node].chain;
        let run = chain.iter().skip_while(|block| block.header.height < from_height.max(1));
        let mut headers = Vec::new();
        let mut bodies = Vec::new();
        for block in run {
            headers.push(block.header.clone());
            if bodies.len() < RUN_BODIES {
                bodies.push(block.body.clone());
            }
            if headers.len() > RUN_HEADERS {
                return;
            }
            let Some(certificate) = &block.certificate else { continue };
            if certificate.certified().candidate().is_some_and(|it| it.block == block.id) {
                let run = Run { headers, bodies, certificate: Some(certificate.clone()) };
                self.send(node, Recipients::One(to), Message::Run(Box::new(run)));
                return;
            }
        }
    }

    pub(super) fn execute(&mut self, node: usize, header: BlockHeader, body: &Bytes) {
        let shell = &mut self.nodes[node];
        let block = header.id();
        let parent_root =
            shell.executed.get(&header.parent).expect("parents are executed first").0.state_root;
        if header.entries_root != sha256(&[body]) {
            shell.answers.push_back(Input::ProposalMissing { block, missing: Vec::new() });
            return;
        }
        let valid = header.state_root == sha256(&[&parent_root.0, body]);
        let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
        shell.executed.insert(block, (header, body.chunks(8).map(number).collect()));
        shell.answers.push_back(Input::ProposalChecked { block, valid });
    }

    pub(super) fn send(&mut self, node: usize, to: Recipients, message: Message) {
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
                self.nodes[index].inbox.push((from, bytes.clone()));
            }
        }
    }

    /// SPEC 3.5 V5: what binds this node is in its store when it leaves, or the floor in the store is above it.
    pub(super) fn assert_durable(&self, node: usize, message: &Message) {
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

    pub(super) fn commit(&mut self, node: usize, id: BlockId, header: BlockHeader, certificate: Certificate) {
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
        let body =
            shell.executed[&id].1.iter().flat_map(|batch| batch.to_be_bytes()).collect::<Vec<u8>>().into();
        shell.chain.push(Committed { id, header, body, certificate: Some(certificate) });
        let since_ms = shell.pool.first().map(|_| self.now_ms);
        shell.answers.push_back(Input::Pending { since_ms });
        if self.is_durable_at_once {
            let height = self.nodes[node].height();
            self.nodes[node].answers.push_back(Input::BlockDurable { height });
        } else {
            self.age();
        }
    }

    /// Lets every node's block file be synced up to where all nodes are: then no node needs a run.
    pub(super) fn age(&mut self) {
        let height = self.heights().into_iter().min().unwrap_or(0);
        if height.is_multiple_of(4) {
            for node in self.nodes.iter_mut().filter(|node| node.replica.is_some()) {
                node.answers.push_back(Input::BlockDurable { height });
            }
        }
    }
}
