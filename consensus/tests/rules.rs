//! The rules of SPEC 3.5 that look beyond the own votes: inputs in, effects compared. One node of a committee; the
//! others are keys in the hand of the test.

mod common;

use bytes::Bytes;
use common::{BODY, Subject, candidate};
use consensus::{Ed25519Verifier, Effect, Input, Message, Now};
use ledger_types::certificate::{Certified, Statement, VoteKind};
use ledger_types::hash::sha256;
use ledger_types::{BlockHeader, BlockId, ValidatorId};

/// The first node that neither leads view `view` nor belongs to its cluster, if `is_outside`.
fn voter(shape: &[usize], view: u64, is_outside: bool) -> Subject {
    Subject::new(shape, |committee, place| {
        let leader = committee.leader(view);
        place != leader && (place.cluster != leader.cluster) == is_outside
    })
}

#[test]
fn v2_every_view_between_parent_and_child_must_be_nullified() {
    let mut node = voter(&[4], 4, false);
    assert_eq!(node.hear(node.certificate_from(Certified::Nullification { view: 3 }, 3)), []);
    let header = node.child_of_genesis(4);
    assert_eq!(node.hear_block(&header), [], "views 1 and 2 may hold something final");
    assert_eq!(node.hear(node.certificate_from(Certified::Nullification { view: 1 }, 1)), []);
    assert_eq!(
        node.hear(node.certificate_from(Certified::Nullification { view: 2 }, 2)),
        [(VoteKind::Notarize, 4)]
    );
}

#[test]
fn v2_a_range_covers_its_views() {
    let mut node = voter(&[4], 4, false);
    node.hear(node.certificate_from(Certified::Nullification { view: 3 }, 1));
    let header = node.child_of_genesis(4);
    assert_eq!(node.hear_block(&header), [(VoteKind::Notarize, 4)]);
}

#[test]
fn v2_the_body_must_be_here_and_the_parent_known() {
    let mut node = voter(&[4], 1, false);
    let header = node.child_of_genesis(1);
    assert_eq!(node.hear(node.propose(&header)), []);
    assert_eq!(node.feed(Input::ProposalChecked { block: header.id(), valid: true }), [], "not assembled");
    let assembled = Input::ProposalAssembled { block: header.id(), body: Bytes::new() };
    assert_eq!(node.feed(assembled), [(VoteKind::Notarize, 1)]);

    let mut node = voter(&[4], 1, false);
    let orphan = BlockHeader { parent: BlockId([7; 64]), ..node.child_of_genesis(1) };
    assert_eq!(node.hear_block(&orphan), []);
}

#[test]
fn v2_another_cluster_waits_for_the_cluster_certificate() {
    let mut node = voter(&[4, 4], 1, true);
    let header = node.child_of_genesis(1);
    assert_eq!(node.hear_block(&header), []);
    let statement = Statement::Notarize(candidate(&header));
    let members = node.members.clone();
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
    let mut node = voter(&[4], 1, false);
    let genesis_ms = node.tip.time_ms;
    let stale = BlockHeader { time_ms: genesis_ms, ..node.child_of_genesis(1) };
    assert_eq!(node.hear_block(&stale), [(VoteKind::Nullify, 1)], "invalid, so given up at once");

    let mut node = voter(&[4], 1, false);
    let early = BlockHeader { time_ms: node.now.wall_ms + 700, ..node.child_of_genesis(1) };
    assert_eq!(node.hear_block(&early), []);
    assert_eq!(node.replica.next_deadline(), Some(200), "700 ms ahead, 500 ms are allowed");
    node.now = Now { monotonic_ms: 200, wall_ms: node.now.wall_ms + 200 };
    assert_eq!(node.feed(Input::Tick), [(VoteKind::Notarize, 1)]);
}

#[test]
fn v1_a_second_proposal_gets_nothing() {
    let mut node = voter(&[4], 1, false);
    let first = node.child_of_genesis(1);
    let second = BlockHeader { entries_root: sha256(&[b"other"]), ..first.clone() };
    assert_eq!(node.hear_block(&first), [(VoteKind::Notarize, 1)]);
    assert_eq!(node.hear_block(&second), []);
}

#[test]
fn v3_finalize_waits_for_the_own_execution() {
    let mut node = voter(&[4], 1, false);
    let header = node.child_of_genesis(1);
    node.hear(node.propose(&header));
    node.feed(Input::ProposalAssembled { block: header.id(), body: Bytes::new() });
    let notarization = node.certificate(Certified::Notarization(candidate(&header)));
    assert_eq!(node.hear(notarization), []);
    assert_eq!(node.replica.status().view, 1, "not entered before it is executed");
    let checked = Input::ProposalChecked { block: header.id(), valid: true };
    assert_eq!(node.feed(checked), [(VoteKind::Finalize, 1)]);
    assert_eq!(node.replica.status().view, 2);
}

#[test]
fn a_block_that_executes_differently_is_given_up() {
    let mut node = voter(&[4], 1, false);
    let header = node.child_of_genesis(1);
    node.hear(node.propose(&header));
    node.feed(Input::ProposalAssembled { block: header.id(), body: Bytes::new() });
    let checked = Input::ProposalChecked { block: header.id(), valid: false };
    assert_eq!(node.feed(checked), [(VoteKind::Nullify, 1)]);
}

#[test]
fn two_final_blocks_in_one_view_halt() {
    let mut node = voter(&[4], 1, false);
    let first = node.child_of_genesis(1);
    let second = BlockHeader { entries_root: sha256(&[b"other"]), ..first.clone() };
    node.hear(node.certificate(Certified::Finalization(candidate(&first))));
    let message = node.certificate(Certified::Finalization(candidate(&second)));
    let verified = Message::Certificate(message).verify(&node.committee, &Ed25519Verifier).unwrap();
    let from = node.others()[0];
    let effects = node.replica.handle(node.now, Input::Message { from, message: verified });
    assert!(matches!(&effects[..], [Effect::Halt { certificates, .. }] if certificates.len() == 2));
    assert!(node.replica.handle(node.now, Input::Tick).is_empty());
}

#[test]
fn a_liar_that_shortens_every_range_does_not_stop_the_leaders() {
    let mut node = Subject::new(&[4], |committee, place| committee.leader(12) == place);
    let others = node.others();
    for view in 1..12 {
        for (index, signer) in others.iter().enumerate() {
            // The first lies, before anybody else has said a word: it shortens the range to one view.
            let from_view = if index == 0 { view } else { 1 };
            let vote = node.vote(*signer, Statement::Nullify { from_view, view });
            node.hear(vote);
        }
        // The third honest NULLIFY is this node's own.
        node.feed(Input::Pending { since_ms: Some(0) });
        node.wait(10_000);
    }
    assert_eq!(node.replica.status().view, 12);
    let asked = node.take_effects().into_iter().rev().find_map(|effect| match effect {
        Effect::BuildProposal { view: 12, parent, time_ms, .. } => Some((parent, time_ms)),
        _ => None,
    });
    let (parent, time_ms) = asked.expect("it leads view 12");
    assert_eq!(parent, node.tip.id());
    let header = BlockHeader { time_ms, ..node.child_of_genesis(12) };
    let (refs, body) = (Bytes::from_static(b"refs"), Bytes::from_static(BODY));
    node.feed(Input::ProposalBuilt { view: 12, header, refs, body });
    let proposed = node.take_messages().into_iter().find_map(|(_, message)| match message {
        Message::Propose(propose) => Some(propose.nullifications.len()),
        _ => None,
    });
    assert_eq!(proposed, Some(1), "one nullification covers all views");
}
