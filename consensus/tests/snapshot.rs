//! A process that was brought back while it ran never starts: it learns of what it forgot from its own signatures
//! (SPEC 3.10, D14).

mod common;

use common::{Answer, Store, Subject, candidate};
use consensus::guard::{Incarnation, Standing};
use consensus::message::GuardRequest;
use consensus::{Duty, Input, Message, Record, RecordKey};
use ledger_types::certificate::{Certified, Statement, VoteKind};
use ledger_types::hash::sha256;
use ledger_types::{BlockHeader, ValidatorId};

/// One of four that leads view 1 and has begun to vote.
fn leader() -> Subject {
    let mut node = node(Standing::Current);
    answer(&mut node, &Answer::NEW);
    assert_eq!(node.replica.status().duty, Duty::Votes);
    node
}

fn node(standing: Standing) -> Subject {
    Subject::starting(&[4], |committee, place| committee.leader(1) == place, standing, Store::new())
}

fn answer(node: &mut Subject, answer: &Answer) {
    for peer in node.others() {
        if node.question.is_some() {
            node.hear(node.guard_answer(peer, answer.clone()));
        }
    }
}

/// A life of this node that it knows nothing of.
fn foreign_life(node: &Subject, counter: u64) -> GuardRequest {
    node.guard_request(node.own, None, Incarnation { counter, nonce: [77; 16] })
}

fn has_forgotten(node: &Subject) -> bool {
    let recorded = node.stored(&RecordKey::Guard { epoch: 0 });
    let is_recorded = recorded == Some(Record::Guard { epoch: 0, bound: None });
    let is_forgotten = node.replica.status().duty == Duty::Forgot;
    assert!(is_recorded || !is_forgotten, "durable at once");
    is_forgotten
}

#[test]
fn an_own_vote_that_the_store_lacks_makes_it_forget() {
    let block = |node: &Subject| candidate(&node.child_of_genesis(3));
    for kind in [VoteKind::Notarize, VoteKind::Finalize, VoteKind::Nullify] {
        let mut node = leader();
        let statement = match kind {
            VoteKind::Notarize => Statement::Notarize(block(&node)),
            VoteKind::Finalize => Statement::Finalize(block(&node)),
            VoteKind::Nullify => Statement::Nullify { from_view: 2, view: 3 },
        };
        let vote = node.vote(node.own, statement);
        node.hear(vote);
        assert!(has_forgotten(&node), "{kind:?}");
    }
}

#[test]
fn another_vote_of_the_same_view_makes_it_forget() {
    let mut node = Subject::starting(
        &[4],
        |committee, place| committee.leader(1) != place,
        Standing::Current,
        Store::new(),
    );
    answer(&mut node, &Answer::NEW);
    let header = node.child_of_genesis(1);
    assert_eq!(node.hear_block(&header), [(VoteKind::Notarize, 1)]);
    let own = node.vote(node.own, Statement::Notarize(candidate(&header)));
    node.hear(own);
    assert!(!has_forgotten(&node), "its own vote, echoed");
    let other = with_body(&header, b"other");
    let vote = node.vote(node.own, Statement::Notarize(candidate(&other)));
    node.hear(vote);
    assert!(has_forgotten(&node));
}

fn with_body(header: &BlockHeader, body: &[u8]) -> BlockHeader {
    BlockHeader { entries_root: sha256(&[body]), ..header.clone() }
}

#[test]
fn its_part_of_a_certificate_makes_it_forget() {
    let certified = |node: &Subject| {
        let block = candidate(&node.child_of_genesis(2));
        [Certified::Notarization(block), Certified::Finalization(block), Certified::Nullification { view: 2 }]
    };
    for kind in 0..3 {
        let mut node = leader();
        let signers: Vec<ValidatorId> = node.members.clone();
        let certificate = node.certificate_by(certified(&node)[kind], 2, &signers);
        node.hear(certificate);
        assert!(has_forgotten(&node), "kind {kind}");
        let mut node = leader();
        let certificate = node.certificate(certified(&node)[kind]);
        node.hear(certificate);
        assert!(!has_forgotten(&node), "others signed it");
    }
}

#[test]
fn its_own_proposal_makes_it_forget() {
    let mut node = leader();
    let header = node.child_of_genesis(1);
    assert_eq!(header.proposer, node.own);
    node.hear(node.propose(&header));
    assert!(has_forgotten(&node));
}

#[test]
fn another_life_of_it_makes_it_forget() {
    let mut node = leader();
    let own = node.start.current;
    let request = foreign_life(&node, own.counter + 1);
    node.hear_from(node.own, Message::GuardRequest(request));
    assert!(has_forgotten(&node));

    let mut node = leader();
    let echoed = node.guard_request(node.own, None, own);
    node.hear_from(node.own, Message::GuardRequest(echoed));
    assert!(!has_forgotten(&node), "its own question, echoed");
    node.restart(Standing::Current);
    answer(&mut node, &Answer::NEW);
    node.hear_from(node.own, Message::GuardRequest(echoed));
    assert!(!has_forgotten(&node), "that of its last life");
    node.restart(Standing::Current);
    answer(&mut node, &Answer::NEW);
    node.hear_from(node.own, Message::GuardRequest(echoed));
    assert!(!has_forgotten(&node), "that of an earlier one");
}

#[test]
fn what_peers_saw_of_it_makes_a_current_start_forget() {
    for is_vote in [true, false] {
        let mut node = node(Standing::Current);
        let seen_vote = is_vote.then(|| node.vote(node.own, Statement::Nullify { from_view: 1, view: 1 }));
        let seen_request = (!is_vote).then(|| foreign_life(&node, 4));
        let peer = node.others()[0];
        let shown = Answer { seen_vote, seen_request, ..Answer::NEW };
        node.hear(node.guard_answer(peer, shown));
        assert!(has_forgotten(&node), "a vote: {is_vote}");
    }
}

#[test]
fn an_unproven_node_that_is_shown_a_forgotten_vote_forgets() {
    let mut node = node(Standing::Unproven);
    answer(&mut node, &Answer::NEW);
    assert_eq!(node.replica.status().duty, Duty::SilentUpTo(1));
    let block = candidate(&node.child_of_genesis(1));
    let vote = node.vote(node.own, Statement::Notarize(block));
    node.hear(vote);
    assert!(has_forgotten(&node));
    node.feed(Input::Pending { since_ms: Some(0) });
    assert_eq!(node.wait(5_000), [], "patience is over, silence is not");
}

#[test]
fn a_trusted_node_is_answered_for() {
    let mut node = node(Standing::Trusted);
    let vote = node.vote(node.own, Statement::Nullify { from_view: 1, view: 1 });
    node.hear(vote);
    assert_eq!(node.replica.status().duty, Duty::Votes);
}

#[test]
fn a_foreign_life_shown_again_after_healing_changes_nothing() {
    let mut node = node(Standing::Current);
    let request = foreign_life(&node, 9);
    let shown = Answer { seen_request: Some(request), ..Answer::NEW };
    let first = node.question.expect("asked");
    let peer = node.others()[0];
    node.hear(node.guard_answer(peer, shown.clone()));
    assert!(has_forgotten(&node));
    let second = node.question.expect("asked");
    answer(&mut node, &shown);
    assert!(!has_forgotten(&node), "enough have answered");
    for question in [first, second] {
        node.hear(node.guard_answer_to(&question, peer, shown.clone()));
        assert!(!has_forgotten(&node), "a late answer tells nothing new");
    }
    for from in [peer, node.own] {
        node.hear_from(from, Message::GuardRequest(request));
        assert!(!has_forgotten(&node), "neither does a replayed question");
    }
    let later = Answer { seen_request: Some(foreign_life(&node, 10)), ..Answer::NEW };
    node.hear(node.guard_answer_to(&second, peer, later));
    assert!(has_forgotten(&node), "a later life does");
}

#[test]
fn what_was_signed_but_not_sent_stays_here() {
    let mut node = Subject::starting(
        &[4],
        |committee, place| committee.leader(1) != place,
        Standing::Current,
        Store::new(),
    );
    answer(&mut node, &Answer::NEW);
    node.holds_receipts = true;
    let header = node.child_of_genesis(1);
    assert_eq!(node.hear_block(&header), [], "signed, not reported as durable");
    let other = with_body(&header, b"other");
    let vote = node.vote(node.own, Statement::Notarize(candidate(&other)));
    node.hear(vote);
    assert!(has_forgotten(&node));
    assert_eq!(node.give_receipts(), [], "it would contradict what it now knows");
}

/// Tells each of two processes what the other one voted; whether both have forgotten then.
fn meet(one: &mut Subject, other: &mut Subject) -> bool {
    let said = |node: &mut Subject| -> Vec<Message> {
        let messages = node.take_messages().into_iter().map(|(_, message)| message);
        messages.filter(|it| matches!(it, Message::Vote(_))).collect()
    };
    let (first, second) = (said(one), said(other));
    second.into_iter().for_each(|message| _ = one.hear(message));
    first.into_iter().for_each(|message| _ = other.hear(message));
    has_forgotten(one) && has_forgotten(other)
}

#[test]
fn of_two_processes_with_one_key_neither_votes_for_long() {
    let (mut one, mut other) = (leader(), leader());
    other.restart(Standing::Current);
    answer(&mut other, &Answer::NEW);
    for round in 0..5 {
        let view = 2 + round * 10;
        for (node, body) in [(&mut one, b"this"), (&mut other, b"that")] {
            node.take_effects();
            node.skip_to(view);
            let header = with_body(&node.child_of_genesis(view), body);
            let votes = node.hear_block(&header);
            assert_eq!(votes.iter().filter(|(kind, _)| *kind == VoteKind::Notarize).count(), 1);
        }
        assert!(meet(&mut one, &mut other), "round {round}");
        for node in [&mut one, &mut other] {
            node.wait(10_000);
            assert!(has_forgotten(node));
            let proof = Some(node.certificate_from(Certified::Nullification { view: view - 1 }, 1));
            answer(node, &Answer { mark: view, proof, ..Answer::NEW });
            assert_eq!(node.replica.status().duty, Duty::SilentUpTo(view + 1));
        }
    }
}
