//! What the door for clients' batches does with many at once.

use std::sync::Arc;

use api::{BatchIntake as _, IntakeError, Metrics};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use ledger::Source;
use ledger_types::{Batch, Verified};

use super::super::driver::Event;
use super::inbox::occupy;
use super::{Bench, stops};
use crate::broadcast::Broadcast;
use crate::clock::Clock;
use crate::intake::{Admission, Intake, TAKEN_BYTES};
use crate::network::{Links, Way};
use crate::testing::{batch, forged, large_batch, validator};

fn admission(bench: &Bench, links: &Links) -> Admission {
    Admission {
        pool: bench.pool.clone(),
        reader: bench.ledger.reader(),
        engine: bench.handle(4, true),
        broadcast: Arc::new(Broadcast::new(links.clone(), bench.pool.clone())),
        clock: Clock::start(),
        pipeline: Metrics::default().pipeline(),
    }
}

fn intake(bench: &Bench, links: &Links) -> Intake {
    Intake::start(bench.verifiers.clone(), admission(bench, links)).unwrap()
}

fn unverified(batch: &Verified<Batch>) -> Batch {
    batch.clone().into_inner()
}

#[tokio::test]
async fn small_batches_that_wait_together_go_on_together() {
    let (bench, links) = (Bench::new(4), Links::to([validator(2)]));
    let intake = intake(&bench, &links);
    let release = occupy(&bench.verifiers, Source::Client);
    let mut submitted =
        Box::pin(join_all((0..40).map(|number| intake.submit(vec![unverified(&batch(number))]))));
    assert!(submitted.as_mut().now_or_never().is_none());
    assert_eq!((bench.pool.size().0, links.waiting(validator(2), Way::Batches)), (0, 0));
    drop(release);
    assert!(submitted.await.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(bench.pool.size().0, 40, "each once");
    let frames = links.waiting(validator(2), Way::Batches);
    assert!((1..=3).contains(&frames), "{frames} frames of 40 batches");
    let told = bench.events.try_iter().inspect(|event| assert!(matches!(event, Event::PoolChanged))).count();
    assert_eq!(told, frames);
}

#[tokio::test]
async fn of_one_submission_all_are_admitted_or_none_and_its_neighbours_are_not_touched() {
    let (bench, links) = (Bench::new(4), Links::to([validator(2)]));
    let intake = intake(&bench, &links);
    let release = occupy(&bench.verifiers, Source::Client);
    let submissions = [
        vec![unverified(&batch(1)), unverified(&large_batch(2, 20)), unverified(&batch(3))],
        vec![unverified(&batch(4)), forged(&batch(5)), unverified(&batch(6)), forged(&batch(7))],
        vec![unverified(&batch(8))],
    ];
    let mut submitted = Box::pin(join_all(submissions.map(|batches| intake.submit(batches))));
    assert!(submitted.as_mut().now_or_never().is_none());
    drop(release);
    let answers = submitted.await;
    let Err(IntakeError::Invalid { batch: named, reason }) = &answers[1] else { panic!("{answers:?}") };
    assert!([batch(5).id, batch(7).id].contains(named) && reason.contains("signature"), "{named}: {reason}");
    assert_eq!([&answers[0], &answers[2]], [&Ok(()), &Ok(())]);
    let here: Vec<u32> = (1..=8).filter(|number| bench.pool.contains(&batch(*number).id)).collect();
    assert_eq!((here, bench.pool.size().0), (vec![1, 3, 8], 4));
}

#[tokio::test]
async fn whoever_goes_away_while_it_waits_leaves_nothing_behind() {
    let (bench, links) = (Bench::new(4), Links::to([validator(2)]));
    let intake = intake(&bench, &links);
    let release = occupy(&bench.verifiers, Source::Client);
    let mut gone = intake.submit(vec![unverified(&batch(1))]);
    assert!(gone.as_mut().now_or_never().is_none());
    drop(gone);
    let mut stays = intake.submit(vec![unverified(&batch(2))]);
    assert!(stays.as_mut().now_or_never().is_none());
    drop(release);
    assert_eq!(stays.await, Ok(()));
    assert!(!bench.pool.contains(&batch(1).id) && bench.pool.contains(&batch(2).id));
}

#[test]
fn a_node_that_stops_does_not_wait_for_what_clients_gave() {
    let (bench, links) = (Bench::new(4), Links::none());
    let intake = intake(&bench, &links);
    let release = occupy(&bench.verifiers, Source::Client);
    let mut submitted = intake.submit(vec![unverified(&batch(1))]);
    assert!(submitted.as_mut().now_or_never().is_none());
    drop(submitted);
    stops(intake);
    assert_eq!(Arc::strong_count(&bench.pool), 1, "nobody holds the pool, nor the files");
    drop(release);
}

#[tokio::test]
async fn what_waits_to_be_verified_is_bounded_also_when_clients_hang_up() {
    let (bench, links) = (Bench::new(4), Links::none());
    let intake = intake(&bench, &links);
    let release = occupy(&bench.verifiers, Source::Client);
    let large = unverified(&large_batch(1, 600));
    let (each, mut taken) = (large.encoded_len(), 0);
    for number in 0..100 {
        let mut gone = intake.submit(vec![large.clone()]);
        assert!(gone.as_mut().now_or_never().is_none());
        drop(gone);
        taken = number * each;
    }
    assert!(taken > 4 * TAKEN_BYTES, "{each} bytes each");
    assert!(intake.waiting_bytes() <= TAKEN_BYTES, "{}", intake.waiting_bytes());
    drop(release);
    assert_eq!(intake.submit(vec![unverified(&batch(2))]).await, Ok(()), "there is room again");
}

#[tokio::test]
async fn a_node_below_its_quorum_takes_nothing() {
    let (bench, links) = (Bench::new(4), Links::none());
    let admission = Admission { engine: bench.handle(2, false), ..admission(&bench, &links) };
    let intake = Intake::start(bench.verifiers.clone(), admission).unwrap();
    let refused = intake.submit(vec![unverified(&batch(1))]).await;
    assert!(matches!(refused, Err(IntakeError::NotReady(reason)) if reason.contains("the quorum")));
}
