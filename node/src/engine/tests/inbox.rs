//! What the inbox takes from peers, and how much of it waits.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use bytes::Bytes;
use consensus::Message;
use consensus::message::{Entries, Heartbeat};
use futures_util::FutureExt as _;
use ledger::Source;
use ledger_types::certificate::{Certificate, CertificateVote, Certified};
use ledger_types::limits::{BLOCK_BYTES, POOL_BATCHES, POOL_BYTES};
use ledger_types::{BlockId, Signature};
use parking_lot::Mutex;

use super::super::driver::Event;
use super::super::inbox::{
    ARRIVING_FRAMES, LATE_MS, PeerInbox, SMALL_FRAME_BYTES, WAITING_BYTES, WAITING_MESSAGES, has_room,
    unknown,
};
use super::answers::{commit, commit_at};
use super::{Bench, EngineHandle, stops};
use crate::batch_list;
use crate::clock::Clock;
use crate::network::{Inbox as _, Way};
use crate::testing::{batch, forged, large_batch, rejected_batch, validator};
use crate::verifiers::Verifiers;

fn inbox(bench: &Bench) -> PeerInbox {
    inbox_of(bench, bench.handle(4, true))
}

fn inbox_of(bench: &Bench, handle: EngineHandle) -> PeerInbox {
    let (pool, reader) = (bench.pool.clone(), bench.ledger.reader());
    PeerInbox::new(handle, bench.verifiers.clone(), pool, reader, Clock::start()).unwrap()
}

fn entries(bytes: usize) -> Bytes {
    let entries = Entries { block: BlockId::ZERO, entries: vec![0; bytes].into() };
    Message::Entries(entries).encode().into()
}

#[tokio::test]
async fn what_no_honest_peer_sends_is_an_error() {
    let bench = Bench::new(4);
    let inbox = inbox(&bench);
    let heartbeat = Heartbeat {
        signer: validator(2),
        view: 1,
        final_view: 0,
        final_height: 0,
        wall_ms: 1,
        signature: Signature::ZERO,
    };
    let good = batch(1);
    let forgery = batch_list::encode([&*good, &forged(&batch(2))]);
    inbox.take(validator(3), Way::Batches, forgery).await.unwrap();
    bench.arriving.settle();
    for (way, frame, reason) in [
        (Way::Consensus, Bytes::from_static(b"junk"), "no message"),
        (Way::Blocks, Bytes::new(), "no message"),
        (Way::Consensus, entries(1), "does not go the way"),
        (Way::Blocks, Message::Heartbeat(heartbeat).encode().into(), "does not go the way"),
        (Way::Consensus, Message::Heartbeat(heartbeat).encode().into(), "does not verify"),
        (Way::Batches, Bytes::from_static(b"junk"), "no batches"),
        (Way::Batches, batch_list::encode(std::iter::repeat_n(&*good, 1_001)), "1001 batches"),
    ] {
        let refused = inbox.take(validator(2), way, frame).await.unwrap_err();
        assert!(refused.contains(reason), "{refused}");
    }
    assert!(inbox.take(validator(5), Way::Blocks, entries(1)).await.is_err(), "no member");
    // What was forged is found out later, costs its sender the next frame, and spoils nothing beside it.
    let refused = inbox.take(validator(3), Way::Batches, Bytes::new()).await.unwrap_err();
    assert!(refused.contains("signature") && refused.contains(&batch(2).id.to_string()), "{refused}");
    inbox.take(validator(3), Way::Batches, Bytes::new()).await.expect("told once");
    assert!(bench.pool.contains(&good.id) && bench.pool.size().0 == 1);
    assert!(bench.events.try_iter().all(|event| matches!(event, Event::PoolChanged)));
}

/// A nullification that nobody signed.
fn unsigned(view: u64) -> Bytes {
    let vote = CertificateVote { from_view: view, signature: Signature::ZERO };
    let votes = [1, 2, 3].map(|number| (validator(number), vote));
    Message::Certificate(Certificate::new(0, Certified::Nullification { view }, votes).unwrap())
        .encode()
        .into()
}

#[tokio::test]
async fn certificates_of_views_long_decided_cost_no_signature_check() {
    let bench = Bench::new(4);
    let handle = bench.handle(4, true);
    handle.shown.lock().status.final_view = 10;
    let inbox = inbox_of(&bench, handle);
    inbox.take(validator(2), Way::Consensus, unsigned(9)).await.expect("nobody looks at what signed it");
    let refused = inbox.take(validator(2), Way::Consensus, unsigned(10)).await.unwrap_err();
    assert!(refused.contains("does not verify"), "{refused}");
    assert_eq!(bench.events.try_iter().count(), 0, "the core hears nothing of either");
}

#[tokio::test]
async fn a_peers_batches_come_into_the_pool_once() {
    let bench = Bench::new(4);
    let inbox = inbox(&bench);
    let frame = batch_list::encode([&*batch(1), &*batch(2)]);
    inbox.take(validator(2), Way::Batches, frame.clone()).await.unwrap();
    bench.arriving.settle();
    let told = bench.events.try_iter().inspect(|event| assert!(matches!(event, Event::PoolChanged))).count();
    assert!((1..=2).contains(&told), "{told}");
    assert_eq!(bench.pool.size().0, 2);
    inbox.take(validator(3), Way::Batches, frame).await.unwrap();
    // What is known is not verified again: these ids are enough.
    inbox.take(validator(3), Way::Batches, batch_list::encode([&forged(&batch(1))])).await.unwrap();
    bench.arriving.settle();
    assert_eq!((bench.events.try_iter().count(), bench.pool.size().0), (0, 2));
    assert_eq!(bench.arriving.offence(validator(3)), None);
    let held = bench.pool.get(&batch(1).id).unwrap();
    assert_eq!(held.transactions[0].header_bytes, batch(1).transactions[0].header_bytes);
}

/// Keeps all verifying threads busy until the sender is dropped.
pub(super) fn occupy(verifiers: &Verifiers, source: Source) -> Sender<()> {
    let (release, released) = channel::<()>();
    let released = Arc::new(Mutex::new(released));
    for _ in 0..std::thread::available_parallelism().unwrap().get() {
        let released = released.clone();
        verifiers.spawn(source, move || _ = released.lock().recv());
    }
    release
}

#[test]
fn what_arrives_of_one_peer_is_bounded() {
    let bench = Bench::new(4);
    let inbox = inbox(&bench);
    let release = occupy(&bench.verifiers, Source::Peer);
    let frame = |number| batch_list::encode([&*batch(number)]);
    let most = u32::try_from(ARRIVING_FRAMES).unwrap();
    for number in 0..most {
        let taken = inbox.take(validator(2), Way::Batches, frame(number)).now_or_never();
        assert_eq!(taken, Some(Ok(())), "{number}: nobody waits for a signature");
    }
    let mut waiting = Box::pin(inbox.take(validator(2), Way::Batches, frame(most)));
    assert!(waiting.as_mut().now_or_never().is_none());
    let other = inbox.take(validator(3), Way::Batches, frame(most + 1)).now_or_never();
    assert_eq!(other, Some(Ok(())), "another peer is not held up");
    assert_eq!(bench.pool.size().0, 0);
    drop(release);
    bench.arriving.settle();
    assert_eq!(waiting.now_or_never(), Some(Ok(())));
    bench.arriving.settle();
    assert_eq!(bench.pool.size().0, ARRIVING_FRAMES + 2, "what waited for room is not lost");
}

#[test]
fn a_link_that_goes_away_takes_nothing_with_it() {
    let bench = Bench::new(4);
    let inbox = inbox(&bench);
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let _runtime = runtime.enter();
    let (go_on, wait) = channel::<()>();
    drop(tokio::task::spawn_blocking(move || wait.recv()));
    let large = large_batch(1, 20);
    let frame = batch_list::encode([&*large]);
    assert!(frame.len() > SMALL_FRAME_BYTES, "{} bytes", frame.len());
    let taken = inbox.take(validator(2), Way::Batches, frame).now_or_never();
    assert_eq!(taken, None, "it is decoded on another thread, and nobody waits for that any more");
    drop(go_on);
    assert!(matches!(bench.events.recv(), Ok(Event::PoolChanged)));
    assert!(bench.pool.contains(&large.id));
    bench.arriving.settle();
}

#[test]
fn what_is_decided_while_it_waits_is_not_tried_again() {
    let bench = Bench::new(4);
    let inbox = inbox(&bench);
    let release = occupy(&bench.verifiers, Source::Peer);
    let frame = batch_list::encode([&*rejected_batch(1), &*rejected_batch(2)]);
    assert_eq!(inbox.take(validator(2), Way::Batches, frame).now_or_never(), Some(Ok(())));
    commit_at(&bench, rejected_batch(1), Clock::start().now().wall_ms);
    drop(release);
    bench.arriving.settle();
    assert!(!bench.pool.contains(&rejected_batch(1).id));
    assert!(bench.pool.contains(&rejected_batch(2).id));
}

#[test]
fn a_node_that_stops_does_not_wait_for_what_arrives() {
    let bench = Bench::new(4);
    let inbox = inbox(&bench);
    let release = occupy(&bench.verifiers, Source::Peer);
    let frame = batch_list::encode([&*batch(1)]);
    assert_eq!(inbox.take(validator(2), Way::Batches, frame).now_or_never(), Some(Ok(())));
    stops(inbox);
    assert_eq!(Arc::strong_count(&bench.pool), 1, "nobody holds the pool, nor the files");
    drop(release);
}

#[test]
fn a_peers_copy_of_a_batch_just_decided_is_not_tried_again() {
    let bench = Bench::new(4);
    let rejected_ms = commit(&bench, rejected_batch(1)).header().time_ms;
    commit(&bench, batch(1));
    let frame = batch_list::encode([&*rejected_batch(1), &*batch(1), &*rejected_batch(2)]);
    let tried = |wall_ms| {
        let batches = unknown(frame.clone(), &bench.pool, &bench.ledger.reader(), wall_ms).unwrap();
        batches.iter().map(|batch| batch.id).collect::<Vec<_>>()
    };
    assert_eq!(tried(rejected_ms + LATE_MS - 1), [rejected_batch(2).id]);
    assert_eq!(tried(rejected_ms + LATE_MS), [rejected_batch(1).id, rejected_batch(2).id], "a new try");
}

#[test]
fn the_last_quarter_of_the_pool_is_for_this_nodes_clients() {
    let one = [batch(1).into_inner()];
    let len = one[0].encoded_len();
    let (batches, bytes) = (POOL_BATCHES / 4 * 3, POOL_BYTES / 4 * 3);
    assert!(has_room((0, 0), &one));
    assert!(has_room((batches - 1, bytes - len), &one));
    assert!(!has_room((batches, 0), &one));
    assert!(!has_room((0, bytes - len + 1), &one));
}

/// Takes one message; whether there was room for it.
fn take(inbox: &PeerInbox, from: u16, frame: &Bytes) -> bool {
    // Entries are verified at once, so nothing but the permit can make it wait.
    inbox
        .take(validator(from), Way::Blocks, frame.clone())
        .now_or_never()
        .inspect(|it| it.clone().unwrap())
        .is_some()
}

#[test]
fn a_peer_waits_when_too_much_of_it_is_not_handled() {
    let bench = Bench::new(4);
    let inbox = inbox(&bench);
    for (frame, most) in
        [(entries(1), WAITING_MESSAGES), (entries(BLOCK_BYTES), WAITING_BYTES / (BLOCK_BYTES + 1))]
    {
        assert_eq!((0..most + 3).filter(|_| take(&inbox, 2, &frame)).count(), most);
        assert!(take(&inbox, 3, &frame), "another peer is not held up");
        drop(bench.events.try_recv().unwrap());
        assert!(take(&inbox, 2, &frame), "handling one makes room for one");
        assert!(!take(&inbox, 2, &frame));
        assert_eq!(bench.events.try_iter().count(), most + 1);
    }
    // A message that waits for room is not lost.
    let frame = entries(1);
    (0..WAITING_MESSAGES).for_each(|_| assert!(take(&inbox, 2, &frame)));
    let mut waiting = Box::pin(inbox.take(validator(2), Way::Blocks, frame));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(bench.events.try_recv().unwrap());
    assert_eq!(waiting.now_or_never(), Some(Ok(())));
}

#[test]
fn a_displaced_node_stops() {
    let bench = Bench::new(4);
    let handle = bench.handle(4, true);
    let inbox = inbox_of(&bench, handle.clone());
    inbox.displaced(&[validator(2), validator(4)]);
    assert!(handle.fault().unwrap().contains("c1-2, c1-4"));
    assert!(matches!(bench.events.try_recv(), Ok(Event::PoolChanged)), "the driver wakes");
}
