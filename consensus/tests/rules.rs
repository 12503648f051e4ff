//! The rules of SPEC 3.5 that look beyond the own votes: inputs in, effects compared. One node of a committee; the
//! others are keys in the hand of the test.

mod common;

use bytes::Bytes;
use common::{World, key};
use consensus::{Ed25519Verifier, Effect, Input, Message, Now, PersistId, Propose, Replica, Vote};
use ledger_types::certificate::{Candidate, Certificate, CertificateVote, Certified, Statement, VoteKind};
use ledger_types::hash::{sha256, sha512_256};
use ledger_types::{BlockHeader, BlockId, PrivateKey, ValidatorId};

/// A replica that is told what the test wants, and its votes.
struct Subject {
    world: World,
    replica: Replica,
    now: Now,
    persisted: u64,
}

impl Subject {
    /// The first node that neither leads view `view` nor belongs to its cluster, if `is_outside`.
    fn new(shape: &[usize], view: u64, is_outside: bool) -> Self {
        let mut world = World::new(shape, 1);
        let leader = world.committee.leader(view);
        let fits = |place: ValidatorId| place != leader && (place.cluster != leader.cluster) == is_outside;
        let index = world.nodes.iter().position(|node| fits(node.place)).expect("somebody else");
        let replica = world.nodes[index].replica.take().expect("started");
        let now = Now { monotonic_ms: 0, wall_ms: world.nodes[0].chain[0].header.time_ms + 1_000 };
        Self { world, replica, now, persisted: 0 }
    }

    /// Feeds an input, receives every write at once, and returns the votes that leave.
    fn feed(&mut self, input: Input) -> Vec<(VoteKind, u64)> {
        let mut votes = Vec::new();
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.replica.handle(self.now, input) {
                match effect {
                    Effect::Persist { id, .. } => {
                        self.persisted += 1;
                        assert_eq!(id, PersistId(self.persisted));
                        inputs.push(Input::Persisted(id));
                    }
                    Effect::Send { message: Message::Vote(vote), .. } => {
                        votes.push((vote.statement.kind(), vote.statement.view()));
                    }
                    _ => {}
                }
            }
        }
        votes
    }

    fn hear(&mut self, message: Message) -> Vec<(VoteKind, u64)> {
        let verified = message.verify(&self.world.committee, &Ed25519Verifier).expect("well signed");
        self.feed(Input::Message(verified))
    }

    fn signer(&self, place: ValidatorId) -> PrivateKey {
        key(self.world.nodes.iter().position(|node| node.place == place).expect("a member"))
    }

    fn vote(&self, signer: ValidatorId, statement: Statement) -> Vote {
        let signature = self.signer(signer).sign(&self.world.committee.statement_bytes(&statement));
        Vote { signer, statement, signature }
    }

    fn certificate(&self, certified: Certified, from_view: u64) -> Message {
        let statement = certified.statement(from_view).expect("a sound range");
        let part =
            |place| (place, CertificateVote { from_view, signature: self.vote(place, statement).signature });
        let votes = self.world.nodes.iter().map(|node| part(node.place));
        Message::Certificate(Certificate::new(0, certified, votes).expect("members only"))
    }

    fn child_of_genesis(&self, view: u64) -> BlockHeader {
        let genesis = &self.world.nodes[0].chain[0];
        BlockHeader {
            view,
            height: 1,
            parent: genesis.id,
            proposer: self.world.committee.leader(view),
            time_ms: self.now.wall_ms,
            entries_root: sha256(&[b"body"]),
            ..genesis.header.clone()
        }
    }

    /// Hears of a block, all its entries, and that it is valid.
    fn hear_block(&mut self, header: &BlockHeader) -> Vec<(VoteKind, u64)> {
        let mut votes = self.hear(self.propose(header));
        votes.extend(
            self.feed(Input::ProposalAssembled { block: header.id(), body: Bytes::from_static(b"body") }),
        );
        votes.extend(self.feed(Input::ProposalChecked { block: header.id(), valid: true }));
        votes
    }

    /// A PROPOSE, signed by the leader over the bytes that SPEC 3.4 writes down.
    fn propose(&self, header: &BlockHeader) -> Message {
        let committee = &self.world.committee;
        let (view, refs) = (header.view, Bytes::from_static(b"refs"));
        let signed = [
            &b"FBFT1\x04"[..],
            &committee.network_id().0,
            &committee.epoch().to_be_bytes(),
            &committee.cfg_hash().0,
            &view.to_be_bytes(),
            &header.id().0,
            &sha512_256(&[&refs]).0,
        ];
        let signature = self.signer(header.proposer).sign(&signed.concat());
        let (parent, nullifications) = (None, Vec::new());
        let header = header.clone();
        Message::Propose(Box::new(Propose { header, refs, parent, nullifications, signature }))
    }
}

fn candidate(header: &BlockHeader) -> Candidate {
    Candidate { view: header.view, height: header.height, block: header.id() }
}

#[test]
fn v2_every_view_between_parent_and_child_must_be_nullified() {
    let mut node = Subject::new(&[4], 4, false);
    assert_eq!(node.hear(node.certificate(Certified::Nullification { view: 3 }, 3)), []);
    let header = node.child_of_genesis(4);
    assert_eq!(node.hear_block(&header), [], "views 1 and 2 may hold something final");
    assert_eq!(node.hear(node.certificate(Certified::Nullification { view: 1 }, 1)), []);
    assert_eq!(
        node.hear(node.certificate(Certified::Nullification { view: 2 }, 2)),
        [(VoteKind::Notarize, 4)]
    );
}

#[test]
fn v2_a_range_covers_its_views() {
    let mut node = Subject::new(&[4], 4, false);
    node.hear(node.certificate(Certified::Nullification { view: 3 }, 1));
    let header = node.child_of_genesis(4);
    assert_eq!(node.hear_block(&header), [(VoteKind::Notarize, 4)]);
}

#[test]
fn v2_the_body_must_be_here_and_the_parent_known() {
    let mut node = Subject::new(&[4], 1, false);
    let header = node.child_of_genesis(1);
    assert_eq!(node.hear(node.propose(&header)), []);
    assert_eq!(node.feed(Input::ProposalChecked { block: header.id(), valid: true }), [], "not assembled");
    let assembled = Input::ProposalAssembled { block: header.id(), body: Bytes::new() };
    assert_eq!(node.feed(assembled), [(VoteKind::Notarize, 1)]);

    let mut node = Subject::new(&[4], 1, false);
    let orphan = BlockHeader { parent: BlockId([7; 64]), ..node.child_of_genesis(1) };
    assert_eq!(node.hear_block(&orphan), []);
}

#[test]
fn v2_another_cluster_waits_for_the_cluster_certificate() {
    let mut node = Subject::new(&[4, 4], 1, true);
    let header = node.child_of_genesis(1);
    assert_eq!(node.hear_block(&header), []);
    let statement = Statement::Notarize(candidate(&header));
    let members: Vec<ValidatorId> = node.world.nodes.iter().map(|it| it.place).collect();
    let mut proposing = members.iter().filter(|it| it.cluster == header.proposer.cluster);
    let mut others = members.iter().filter(|it| it.cluster != header.proposer.cluster).skip(1);
    let hear = |node: &mut Subject, place: Option<&ValidatorId>| {
        let vote = node.vote(*place.expect("enough members"), statement);
        node.hear(Message::Vote(vote))
    };
    assert_eq!(hear(&mut node, proposing.next()), []);
    assert_eq!(hear(&mut node, proposing.next()), []);
    assert_eq!(hear(&mut node, others.next()), [], "votes of another cluster do not open it");
    assert_eq!(hear(&mut node, proposing.next()), [(VoteKind::Notarize, 1)]);
}

#[test]
fn v2_time_must_grow_and_may_not_run_far_ahead() {
    let mut node = Subject::new(&[4], 1, false);
    let genesis_ms = node.world.nodes[0].chain[0].header.time_ms;
    let stale = BlockHeader { time_ms: genesis_ms, ..node.child_of_genesis(1) };
    assert_eq!(node.hear_block(&stale), [(VoteKind::Nullify, 1)], "invalid, so given up at once");

    let mut node = Subject::new(&[4], 1, false);
    let early = BlockHeader { time_ms: node.now.wall_ms + 700, ..node.child_of_genesis(1) };
    assert_eq!(node.hear_block(&early), []);
    assert_eq!(node.replica.next_deadline(), Some(200), "700 ms ahead, 500 ms are allowed");
    node.now = Now { monotonic_ms: 200, wall_ms: node.now.wall_ms + 200 };
    assert_eq!(node.feed(Input::Tick), [(VoteKind::Notarize, 1)]);
}

#[test]
fn v1_a_second_proposal_gets_nothing() {
    let mut node = Subject::new(&[4], 1, false);
    let first = node.child_of_genesis(1);
    let second = BlockHeader { entries_root: sha256(&[b"other"]), ..first.clone() };
    assert_eq!(node.hear_block(&first), [(VoteKind::Notarize, 1)]);
    assert_eq!(node.hear_block(&second), []);
}

#[test]
fn v3_finalize_waits_for_the_own_execution() {
    let mut node = Subject::new(&[4], 1, false);
    let header = node.child_of_genesis(1);
    node.hear(node.propose(&header));
    node.feed(Input::ProposalAssembled { block: header.id(), body: Bytes::new() });
    let notarization = node.certificate(Certified::Notarization(candidate(&header)), 1);
    assert_eq!(node.hear(notarization), []);
    assert_eq!(node.replica.status().view, 1, "not entered before it is executed");
    let checked = Input::ProposalChecked { block: header.id(), valid: true };
    assert_eq!(node.feed(checked), [(VoteKind::Finalize, 1)]);
    assert_eq!(node.replica.status().view, 2);
}

#[test]
fn a_block_that_executes_differently_is_given_up() {
    let mut node = Subject::new(&[4], 1, false);
    let header = node.child_of_genesis(1);
    node.hear(node.propose(&header));
    node.feed(Input::ProposalAssembled { block: header.id(), body: Bytes::new() });
    let checked = Input::ProposalChecked { block: header.id(), valid: false };
    assert_eq!(node.feed(checked), [(VoteKind::Nullify, 1)]);
}

#[test]
fn two_final_blocks_in_one_view_halt() {
    let mut node = Subject::new(&[4], 1, false);
    let first = node.child_of_genesis(1);
    let second = BlockHeader { entries_root: sha256(&[b"other"]), ..first.clone() };
    node.hear(node.certificate(Certified::Finalization(candidate(&first)), 1));
    let message = node.certificate(Certified::Finalization(candidate(&second)), 1);
    let verified = message.verify(&node.world.committee, &Ed25519Verifier).unwrap();
    let effects = node.replica.handle(node.now, Input::Message(verified));
    assert!(matches!(&effects[..], [Effect::Halt { certificates, .. }] if certificates.len() == 2));
    assert!(node.replica.handle(node.now, Input::Tick).is_empty());
}
