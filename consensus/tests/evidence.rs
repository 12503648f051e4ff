//! Proof of lies: found in what is heard, kept, and never against who did not lie (SPEC 3.12).

mod common;

use bytes::Bytes;
use common::{Subject, World, candidate, records};
use consensus::evidence::Evidence;
use consensus::guard::Standing;
use consensus::{Committee, Ed25519Verifier, Record, Vote};
use ledger_types::certificate::{Certified, Statement};
use ledger_types::hash::sha256;
use ledger_types::{BlockHeader, BlockId, NetworkId, Signature, ValidatorId};

fn node() -> Subject {
    Subject::new(&[4], |committee, place| committee.leader(1) != place)
}

/// The liar: the last of the others, so that certificates can do without it.
fn liar(node: &Subject) -> ValidatorId {
    node.others()[2]
}

/// Two blocks of view 1.
fn blocks(node: &Subject) -> [BlockHeader; 2] {
    let first = node.child_of_genesis(1);
    let second = BlockHeader { entries_root: sha256(&[b"other"]), ..first.clone() };
    [first, second]
}

/// What no honest node says twice, in both orders.
fn lies(node: &Subject) -> Vec<[Statement; 2]> {
    let [first, second] = blocks(node).map(|header| candidate(&header));
    let pairs = [
        [Statement::Notarize(first), Statement::Notarize(second)],
        [Statement::Finalize(first), Statement::Finalize(second)],
        [Statement::Finalize(first), Statement::Nullify { from_view: 1, view: 1 }],
        [Statement::Finalize(first), Statement::Nullify { from_view: 1, view: 4 }],
        [Statement::Finalize(first), Statement::Nullify { from_view: 0, view: 4 }],
    ];
    pairs.into_iter().flat_map(|[one, other]| [[one, other], [other, one]]).collect()
}

fn found(node: &Subject) -> Vec<Evidence> {
    node.replica.evidence().copied().collect()
}

/// That there is one proof, that it is true and durable, and that a restart finds it.
fn assert_proven(node: &mut Subject, offender: ValidatorId) {
    let found = found(node);
    assert_eq!(found.len(), 1, "one proof: {found:?}");
    let evidence = found[0];
    assert_eq!(evidence.offender(), offender);
    assert!(evidence.is_true(&node.committee, &Ed25519Verifier));
    assert_eq!(node.replica.status().offenders, 1);
    let record = Record::Evidence { epoch: 0, evidence };
    assert!(records(&node.store).contains(&record));
    let read = Record::decode(&record.key().encode(), record.value().into());
    assert_eq!(read, Ok(record));
    node.restart(Standing::Trusted);
    assert_eq!(self::found(node), [evidence]);
}

#[test]
fn two_votes_that_exclude_each_other_are_proof() {
    for [first, second] in lies(&node()) {
        let mut node = node();
        let liar = liar(&node);
        let votes = [first, second].map(|statement| node.vote(liar, statement));
        node.hear(votes[0]);
        assert_eq!(found(&node), []);
        node.hear(votes[1]);
        assert_proven(&mut node, liar);
    }
}

#[test]
fn a_vote_and_a_part_of_a_certificate_are_proof() {
    for [vote, part] in lies(&node()) {
        let mut node = node();
        let liar = liar(&node);
        let vote = node.vote(liar, vote);
        node.hear(vote);
        let certificate = node.certificate_from(part.certified(), part.from_view());
        node.hear(certificate);
        assert_proven(&mut node, liar);
    }
}

#[test]
fn two_proposals_in_one_view_are_proof() {
    let mut node = node();
    let leader = node.committee.leader(1);
    for header in blocks(&node) {
        assert_eq!(found(&node), []);
        node.hear(node.propose(&header));
    }
    assert_proven(&mut node, leader);
}

#[test]
fn one_block_proposed_with_two_lists_of_entries_is_proof() {
    let mut node = node();
    let (leader, header) = (node.committee.leader(1), node.child_of_genesis(1));
    for refs in ["these", "these", "those"] {
        assert_eq!(found(&node), []);
        node.hear(node.propose_with(&header, Bytes::from_static(refs.as_bytes()), None));
    }
    assert_proven(&mut node, leader);
}

#[test]
fn one_proof_of_each_liar_is_kept() {
    let mut node = node();
    let lies = lies(&node);
    let liars = node.others();
    for [first, second] in &lies {
        for liar in &liars {
            let votes = [first, second].map(|statement| node.vote(*liar, *statement));
            votes.into_iter().for_each(|vote| _ = node.hear(vote));
        }
    }
    let offenders: Vec<ValidatorId> = found(&node).iter().map(Evidence::offender).collect();
    assert_eq!(offenders, liars);
    assert!(found(&node).iter().all(|evidence| evidence.view() == 1), "the first counts");
    let kept = records(&node.store).into_iter().filter(|it| matches!(it, Record::Evidence { .. })).count();
    assert_eq!(kept, liars.len());
}

#[test]
fn a_forged_proof_is_not_true() {
    let node = node();
    let liar = liar(&node);
    let elsewhere = Committee::new(NetworkId([9; 32]), 0, node.committee.topology().clone(), &BlockId::ZERO);
    for [first, second] in lies(&node) {
        let votes = [first, second].map(|statement| node.vote(liar, statement));
        let evidence = Evidence::votes(votes[0], votes[1]).expect("they exclude each other");
        assert!(evidence.is_true(&node.committee, &Ed25519Verifier));
        assert!(!evidence.is_true(&elsewhere, &Ed25519Verifier), "nothing is proven elsewhere");
        for index in 0..2 {
            let mut forged = votes;
            forged[index] =
                Vote { signature: node.vote(node.own, votes[index].statement).signature, ..votes[index] };
            let forged = Evidence::votes(forged[0], forged[1]).expect("well-formed");
            assert!(!forged.is_true(&node.committee, &Ed25519Verifier), "signed by another");
        }
        let framed = votes.map(|vote| Vote { signer: node.own, ..vote });
        let framed = Evidence::votes(framed[0], framed[1]).expect("well-formed");
        assert!(!framed.is_true(&node.committee, &Ed25519Verifier));
        let stranger = votes.map(|vote| Vote { signer: ValidatorId { cluster: 7, node: 7 }, ..vote });
        let strange = Evidence::votes(stranger[0], stranger[1]).expect("well-formed");
        assert!(!strange.is_true(&node.committee, &Ed25519Verifier));
    }
    let [first, second] = blocks(&node).map(|header| match node.propose(&header) {
        consensus::Message::Propose(propose) => *propose,
        other => unreachable!("{other:?}"),
    });
    let evidence = Evidence::proposals(&first, &second).expect("two blocks");
    assert!(evidence.is_true(&node.committee, &Ed25519Verifier));
    let unsigned = consensus::Propose { signature: Signature::ZERO, ..second };
    let evidence = Evidence::proposals(&first, &unsigned).expect("two blocks");
    assert!(!evidence.is_true(&node.committee, &Ed25519Verifier));
}

#[test]
fn what_an_honest_node_may_say_is_no_proof() {
    let mut node = node();
    let [first, _] = blocks(&node).map(|header| candidate(&header));
    let later = candidate(&node.child_of_genesis(5));
    let said = [
        Statement::Notarize(first),
        Statement::Finalize(first),
        Statement::Nullify { from_view: 2, view: 3 },
        Statement::Nullify { from_view: 2, view: 4 },
        Statement::Notarize(later),
        Statement::Nullify { from_view: 2, view: 5 },
        Statement::Nullify { from_view: 5, view: 5 },
    ];
    let liar = liar(&node);
    let votes = said.map(|statement| node.vote(liar, statement));
    for first in votes {
        for second in votes {
            assert_eq!(Evidence::votes(first, second), None);
        }
    }
    let other = node.vote(node.others()[0], Statement::Nullify { from_view: 1, view: 1 });
    assert_eq!(Evidence::votes(votes[1], other), None, "two signers");
    votes.into_iter().for_each(|vote| _ = node.hear(vote));
    node.hear(node.certificate(Certified::Notarization(first)));
    assert_eq!(found(&node), []);
}

#[test]
fn honest_nodes_prove_nothing_against_each_other() {
    for seed in 0..20 {
        let mut world = World::asleep(&[4], seed);
        world.is_guarded = true;
        world.start_all();
        world.loses_one_in = 6;
        for batch in 0..40 {
            world.submit(batch);
        }
        for round in 0..12 {
            let steps = 30 + world.draw(200);
            (0..steps).for_each(|_| _ = world.step_or_wait());
            let nodes = if round % 4 == 3 { 0..4 } else { round % 4..round % 4 + 1 };
            nodes.clone().for_each(|node| world.kill(node));
            nodes.for_each(|node| world.start(node));
        }
        world.run_to_height(10, 400_000);
        assert!(world.statuses().iter().flatten().all(|status| status.offenders == 0), "seed {seed}");
        world.assert_safe();
    }
}
