//! Runs of committed blocks, as a peer that lags gets them.

use std::sync::Arc;

use bytes::Bytes;
use consensus::message::{RUN_BODIES, Run};
use consensus::record::Change;
use consensus::{Committee, Ed25519Signer, Ed25519Verifier, Message, Record, Signer as _};
use ledger::execute::{Candidate as PoolCandidate, Executed, Slot};
use ledger_types::certificate::{Candidate, Certificate, CertificateVote, Certified, Statement};
use ledger_types::limits::BLOCK_BYTES;
use ledger_types::{Batch, Block, BlockHeader, Verified};

use super::super::answers::{Answerer, Bodies, Question};
use super::Bench;
use crate::network::Links;
use crate::testing::{batch, committee, key, large_batch, validator};

fn run_from(bench: &Bench, from_height: u64) -> Option<Run> {
    let (_, answerer) = Answerer::new(bench.ledger.clone(), bench.pool.clone(), Links::none(), None);
    match answerer.answer(Question::Run { from_height }).unwrap() {
        None => None,
        Some(Message::Run(run)) => Some(*run),
        Some(other) => panic!("{other:?}"),
    }
}

/// Commits a block of this batch, proposed in the view of its height.
pub(super) fn commit(bench: &Bench, batch: Verified<Batch>) -> Arc<Executed> {
    commit_at(bench, batch, bench.network.time_ms + bench.ledger.head().height + 1)
}

/// As [`commit`], in a block of this time.
pub(super) fn commit_at(bench: &Bench, batch: Verified<Batch>, time_ms: u64) -> Arc<Executed> {
    let (ledger, head) = (&bench.ledger, bench.ledger.head());
    let slot = Slot {
        network_id: bench.network.lineage.current(),
        cfg_hash: bench.network.topology.cfg_hash(),
        epoch: 0,
        view: head.height + 1,
        proposer: validator(1),
        time_ms,
    };
    let candidate = PoolCandidate { batch: Arc::new(batch), waited_enough: true, since_height: head.height };
    let (executed, _) = ledger.build(&head.id, &slot, &[candidate], usize::MAX).unwrap();
    ledger.commit(std::slice::from_ref(&executed)).unwrap();
    executed
}

/// The lone validator's finalization of a block.
fn finalize(committee: &Committee, header: &BlockHeader) -> Certificate {
    let candidate = Candidate { view: header.view, height: header.height, block: header.id() };
    let signer = Ed25519Signer::new(key(1)).unwrap();
    let signature = signer.sign(&committee.statement_bytes(&Statement::Finalize(candidate)));
    let vote = (validator(1), CertificateVote { from_view: header.view, signature });
    Certificate::new(0, Certified::Finalization(candidate), [vote]).unwrap()
}

/// A chain of a lone validator in which blocks of these heights have finalizations of their own.
fn chain(batches: impl IntoIterator<Item = Verified<Batch>>, finalized: &[u64]) -> (Bench, Arc<Committee>) {
    let bench = Bench::new(1);
    let committee = committee(&bench.ledger, &bench.network);
    let headers: Vec<BlockHeader> =
        batches.into_iter().map(|batch| commit(&bench, batch).header().clone()).collect();
    let mut records = Vec::new();
    for header in &headers {
        let Some(by) = finalized.iter().find(|height| **height >= header.height) else { continue };
        let certificate = finalize(&committee, headers.iter().find(|it| it.height == *by).unwrap());
        let record = Change::Put(Record::FinalizedAt { height: header.height, certificate });
        records.push((record.key(), record.value()));
    }
    bench.ledger.consensus().write(&records).unwrap();
    (bench, committee)
}

fn heights(run: &Run) -> Vec<u64> {
    run.headers.iter().map(|header| header.height).collect()
}

#[test]
fn a_run_ends_at_the_last_block_that_is_proven_final_and_proves_all_of_it() {
    let (bench, committee) = chain((1..=6).map(batch), &[1, 3, 5]);
    for (from, end) in [(1, 5), (2, 5), (4, 5), (5, 5)] {
        let run = run_from(&bench, from).unwrap();
        assert_eq!(heights(&run), (from..=end).collect::<Vec<_>>());
        for (header, body) in run.headers.iter().zip(&run.bodies) {
            assert_eq!(Block::decode(body.clone()).unwrap().header, *header);
        }
        assert_eq!(run.bodies.len(), run.headers.len());
        let message = Message::Run(Box::new(run));
        let read = Message::decode(message.encode().into()).unwrap();
        assert_eq!(read, message);
        read.verify(&committee, &Ed25519Verifier).unwrap();
    }
    assert_eq!(heights(&run_from(&bench, 0).unwrap())[0], 1, "nothing proves block 0");
    assert_eq!(run_from(&bench, 6), None, "decided by a block that is not committed yet");
    assert_eq!(run_from(&bench, 7), None, "above the head");
    assert_eq!(run_from(&bench, u64::MAX), None);
}

#[test]
fn a_run_is_as_long_as_its_bodies_have_room_and_longer_only_for_its_proof() {
    let four = || (1..=4).map(|number| large_batch(number, 100));
    let size = {
        let (bench, _) = chain(four(), &[1, 2, 3, 4]);
        assert_eq!(heights(&run_from(&bench, 1).unwrap()), [1, 2, 3, 4]);
        bench.ledger.reader().block_record(1).unwrap().unwrap().1.len()
    };
    assert!(4 * size < BLOCK_BYTES, "the test's blocks are small enough for one message");
    let count = |lens: &[usize]| {
        let mut bodies = Bodies::default();
        for len in lens {
            bodies.push(Bytes::from(vec![0; *len]));
            if bodies.is_full {
                break;
            }
        }
        (bodies.list.len(), bodies.is_full)
    };
    assert_eq!(count(&[BLOCK_BYTES + 9]), (1, false), "the first one always");
    assert_eq!(count(&[BLOCK_BYTES / 2, BLOCK_BYTES / 2, 1]), (2, true));
    assert_eq!(count(&[BLOCK_BYTES, 1]), (1, true));
    assert_eq!(count(&[1; RUN_BODIES + 1]), (RUN_BODIES, true));
}

#[test]
fn a_proof_beyond_the_last_body_is_found() {
    let last = RUN_BODIES as u64 + 3;
    let blocks = || (1..=u32::try_from(last).unwrap()).map(batch);
    let (bench, committee) = chain(blocks(), &[last]);
    let run = run_from(&bench, 1).unwrap();
    assert_eq!((heights(&run).last(), run.bodies.len()), (Some(&last), RUN_BODIES));
    Message::Run(Box::new(run)).verify(&committee, &Ed25519Verifier).unwrap();
    // With a proof in reach of the bodies, it ends there.
    let (bench, _) = chain(blocks(), &[10, last]);
    assert_eq!(heights(&run_from(&bench, 1).unwrap()).last(), Some(&10));
}

#[test]
fn one_peer_cannot_take_the_turns_of_the_others() {
    let bench = Bench::new(4);
    let (questions, answerer) = Answerer::new(bench.ledger.clone(), bench.pool.clone(), Links::none(), None);
    for _ in 0..100 {
        questions.ask(validator(2), Question::Run { from_height: 1 });
    }
    questions.ask(validator(3), Question::Run { from_height: 1 });
    let waiting = questions.waiting.clone();
    assert_eq!(waiting.lock().values().copied().collect::<Vec<_>>(), [8, 1]);
    drop(questions);
    answerer.run();
    assert_eq!(waiting.lock().values().sum::<usize>(), 0);
}
