//! Entries on their way from the node that has them to the one that lacks them.

use std::sync::Arc;

use bytes::Bytes;
use consensus::{Input, Message};
use ledger_types::{Batch, BlockHeader, Verified};

use super::super::answers::{Answerer, Question};
use super::super::driver::Event;
use super::super::executor::Task;
use super::super::inbox::Permit;
use super::Bench;
use crate::batch_list;
use crate::network::Links;
use crate::testing::{batch, forged, rejected_batch, validator};

/// What came of checking a proposal.
#[derive(Debug, PartialEq, Eq)]
enum Checked {
    Valid,
    Missing(Vec<u32>),
}

/// A block of these batches, proposed and not decided.
fn propose(bench: &Bench, batches: &[Verified<Batch>]) -> (BlockHeader, Bytes) {
    bench.admit(batches);
    let head = bench.ledger.head();
    let task =
        Task::Build { view: 1, parent: head.id, time_ms: bench.network.time_ms + 1, allow_empty: false };
    let [Event::Input(built)] = &bench.execute(task)[..] else { panic!("one answer") };
    let Input::ProposalBuilt { header, refs, .. } = &**built else { panic!("{built:?}") };
    (header.clone(), refs.clone())
}

fn entries(bench: &Bench, header: &BlockHeader, indices: &[u32]) -> Option<Bytes> {
    let (_, answerer) = Answerer::new(bench.ledger.clone(), bench.pool.clone(), Links::none(), None);
    let question = Question::Entries { block: header.id(), indices: indices.to_vec() };
    match answerer.answer(question).unwrap() {
        None => None,
        Some(Message::Entries(entries)) => Some(entries.entries),
        Some(other) => panic!("{other:?}"),
    }
}

fn check(bench: &Bench, (header, refs): &(BlockHeader, Bytes), entries: Bytes) -> Checked {
    let events = bench.execute(Task::Check { header: header.clone(), refs: refs.clone(), entries });
    let inputs = events.into_iter().filter_map(|event| match event {
        Event::Input(input) => Some(*input),
        _ => None,
    });
    match &inputs.collect::<Vec<_>>()[..] {
        [Input::ProposalMissing { missing, .. }] => Checked::Missing(missing.clone()),
        [Input::ProposalAssembled { .. }, Input::ProposalChecked { valid: true, .. }] => Checked::Valid,
        other => panic!("{other:?}"),
    }
}

#[test]
fn entries_come_from_a_peer_and_the_block_is_whole() {
    let (leader, voter) = (Bench::new(4), Bench::new(4));
    // The batch of a rejection is not in the block, and is needed to check it.
    let batches = [batch(1), batch(2), rejected_batch(1), batch(3)];
    let proposal = propose(&leader, &batches);
    voter.admit(&batches[..1]);
    assert_eq!(check(&voter, &proposal, Bytes::new()), Checked::Missing(vec![1, 2, 3]));
    let part = entries(&leader, &proposal.0, &[1, 3, 4_000_000_000]).unwrap();
    assert_eq!(check(&voter, &proposal, part), Checked::Missing(vec![2]), "the rest is kept");
    let rest = entries(&leader, &proposal.0, &[2]).unwrap();
    assert_eq!(check(&voter, &proposal, rest), Checked::Valid);
    assert!(batches.iter().all(|batch| voter.pool.contains(&batch.id)));
    assert_eq!(entries(&voter, &proposal.0, &[0, 1, 2, 3]), entries(&leader, &proposal.0, &[0, 1, 2, 3]));
}

#[test]
fn what_arrives_is_verified_when_a_proposal_names_it() {
    let (leader, voter) = (Bench::new(4), Bench::new(4));
    let (one, other) = (batch(1), batch(2));
    let proposal = propose(&leader, &[one.clone(), other.clone()]);
    let hold = |from, batch: Batch| {
        let held = voter.arriving.hold(validator(from), vec![batch], &Arc::new(Permit::unlimited()));
        assert_eq!(held.len(), 1);
    };
    // A liar sends what nobody signed under the same id.
    hold(2, forged(&one));
    assert_eq!(check(&voter, &proposal, Bytes::new()), Checked::Missing(vec![0, 1]));
    assert!(voter.arriving.offence(validator(2)).unwrap().contains("signature"));
    hold(2, forged(&one));
    hold(3, one.into_inner());
    hold(3, other.into_inner());
    assert_eq!(check(&voter, &proposal, Bytes::new()), Checked::Valid);
    assert_eq!(voter.pool.size().0, 2);
    voter.arriving.settle();
}

#[test]
fn what_does_not_fit_the_refs_or_was_never_signed_is_as_good_as_not_sent() {
    let (leader, voter) = (Bench::new(4), Bench::new(4));
    let (wanted, stranger) = (batch(1), batch(2));
    let proposal = propose(&leader, std::slice::from_ref(&wanted));
    for junk in [
        batch_list::encode([&forged(&wanted)]),
        batch_list::encode([&*stranger]),
        Bytes::from_static(b"junk"),
        batch_list::encode([&*wanted]).slice(..100),
    ] {
        assert_eq!(check(&voter, &proposal, junk), Checked::Missing(vec![0]));
        assert_eq!(voter.pool.size(), (0, 0));
    }
    let both = batch_list::encode([&*stranger, &*wanted]);
    assert_eq!(check(&voter, &proposal, both), Checked::Valid);
    assert!(!voter.pool.contains(&stranger.id));
}

#[test]
fn refs_of_another_block_name_no_place() {
    let (leader, other, voter) = (Bench::new(4), Bench::new(4), Bench::new(4));
    let (header, _) = propose(&leader, &[batch(1)]);
    let (_, refs) = propose(&other, &[batch(2)]);
    voter.admit(&[batch(1), batch(2)]);
    assert_eq!(check(&voter, &(header.clone(), refs), Bytes::new()), Checked::Missing(Vec::new()));
    let no_list = Bytes::from_static(b"no list");
    assert_eq!(check(&voter, &(header, no_list), Bytes::new()), Checked::Missing(Vec::new()));
}

#[test]
fn entries_of_committed_blocks_are_served_and_those_of_unknown_ones_not() {
    let leader = Bench::new(4);
    let batches = [batch(1), rejected_batch(1), batch(2)];
    let (header, _) = propose(&leader, &batches);
    let undecided = entries(&leader, &header, &[0, 2]).unwrap();
    let executed = leader.ledger.executed(&header.id()).unwrap();
    leader.ledger.commit(std::slice::from_ref(&executed)).unwrap();
    leader.pool.remove_decided(executed.block());
    assert!(leader.ledger.executed(&header.id()).is_none());
    assert_eq!(entries(&leader, &header, &[0, 1, 2]), Some(undecided), "the rejected batch is gone");
    assert_eq!(entries(&leader, &header, &[1]), None);
    assert_eq!(entries(&Bench::new(4), &header, &[0]), None);
}
