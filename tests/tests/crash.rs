//! Crashes of a node under load: what was answered COMMITTED stays, and what is on the disk is sound.
//!
//! `DGT_KILLS` says how often the node is killed (default 10), `DGT_SEED` repeats a run's choices.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a long run did must be seen")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use ledger_types::signature::Curve;
use tests::client::{Client, Outcome};
use tests::lmdb::{self, BLOCK, CONSENSUS, MERKLE, RECEIPTS};
use tests::load::{Load, key, set};
use tests::node::{Home, Start, copy_files};
use tests::random::Random;
use txfamilies::sign_batch;

/// Clients that submit at the same time.
const CLIENTS: usize = 4;
/// A kill comes within this time, microseconds.
const LONGEST_LIFE_US: u64 = 400_000;
/// Ids in one question for statuses.
const IDS_PER_QUESTION: usize = 500;

fn kills() -> u64 {
    std::env::var("DGT_KILLS").map_or(10, |text| text.parse().expect("DGT_KILLS is a number"))
}

/// One client's load until its node is gone. Decisions are told the moment they are answered.
fn submit_until_gone(
    client: &Client,
    load: &mut Load,
    killed: &AtomicBool,
    decided: &Sender<(String, Outcome)>,
) {
    loop {
        let batches: Vec<_> = (0..3).map(|_| load.next_batch()).collect();
        let ids: Vec<String> = batches.iter().map(|batch| batch.header_signature.clone()).collect();
        let answered = client.try_submit(&batches).and_then(|answer| {
            assert_eq!(answer.status, 202, "{answer:?}");
            client.try_outcomes(&ids, 30)
        });
        match answered {
            Ok(outcomes) => {
                assert!(
                    !outcomes.contains(&Outcome::Unknown),
                    "a batch that was accepted is unknown: {outcomes:?}"
                );
                ids.into_iter().zip(outcomes).for_each(|decision| decided.send(decision).unwrap());
            }
            Err(error) => {
                assert!(
                    killed.load(Ordering::SeqCst),
                    "the node does not answer, and was not killed: {error}"
                );
                return;
            }
        }
    }
}

/// Runs the load until a random moment, and kills the node then. Adds what was answered until then.
fn kill_under_load(
    home: &Home,
    loads: &mut [Load],
    random: &mut Random,
    answered: &mut BTreeMap<String, Outcome>,
) {
    let node = home.start();
    check_answered(node.client(), answered);
    let (killed, client) = (AtomicBool::new(false), node.client().clone());
    let (sender, decided): (_, Receiver<(String, Outcome)>) = channel();
    std::thread::scope(|scope| {
        for load in loads {
            load.renew();
            let (client, killed, sender) = (client.clone(), &killed, sender.clone());
            scope.spawn(move || submit_until_gone(&client, load, killed, &sender));
        }
        // The moment is what is random here; nothing is waited for.
        std::thread::sleep(Duration::from_micros(random.below(0..LONGEST_LIFE_US)));
        killed.store(true, Ordering::SeqCst);
        node.kill();
    });
    drop(sender);
    answered.extend(decided.into_iter().filter(|(_, outcome)| *outcome != Outcome::Pending));
}

/// Everything that was ever answered is answered so again.
fn check_answered(client: &Client, answered: &BTreeMap<String, Outcome>) {
    let ids: Vec<String> = answered.keys().cloned().collect();
    for ids in ids.chunks(IDS_PER_QUESTION) {
        let outcomes = client.try_outcomes(ids, 0).unwrap();
        for (id, outcome) in ids.iter().zip(outcomes) {
            assert_eq!(outcome, answered[id], "batch {id}");
        }
    }
}

#[test]
fn nothing_answered_is_lost_by_kills_under_load() {
    let mut random = Random::from_env();
    let home = Home::new();
    let mut loads: Vec<Load> = (0..CLIENTS)
        .map(|number| {
            let curve = if number % 2 == 0 { Curve::Ed25519 } else { Curve::Secp256k1 };
            Load::new(curve, &format!("client{number}"), random.fork())
        })
        .collect();
    let mut answered = BTreeMap::new();
    for _ in 0..kills() {
        kill_under_load(&home, &mut loads, &mut random, &mut answered);
        if random.once_in(3) {
            // Recovery must bear a crash too.
            let starting = Start::new(&home).spawn();
            std::thread::sleep(Duration::from_micros(random.below(0..LONGEST_LIFE_US)));
            starting.kill();
        }
    }
    let committed = answered.values().filter(|outcome| **outcome == Outcome::Committed).count();
    eprintln!(
        "{} kills, {committed} batches answered COMMITTED, {} INVALID",
        kills(),
        answered.len() - committed
    );
    assert!(committed > 0, "the load committed nothing");

    let node = home.start();
    check_answered(node.client(), &answered);
    let head = node.client().head();
    node.stop();
    home.dgt([OsStr::new("verify"), home.data().as_os_str()]).ok();
    check_rebuild(&home, &answered);
    let node = home.start();
    assert_eq!(node.client().head(), head, "re-execution from block 0 gives the same root");
    node.client().commit(&sign_batch(&key(Curve::Ed25519, "after"), &[set("after", 1)]));
    node.stop();
}

/// State and receipts made again from block 0 are the same records.
fn check_rebuild(home: &Home, answered: &BTreeMap<String, Outcome>) {
    let before = home.digests();
    lmdb::remove(&home.file(MERKLE));
    lmdb::remove(&home.file(RECEIPTS));
    let node = Start::new(home).arg("--rebuild").serve();
    check_answered(node.client(), answered);
    node.stop();
    // The consensus file counts this start.
    assert_eq!(home.digests()[..3], before[..3]);
}

/// The page cache of block file, receipts and state is lost with everything since their last sync; the consensus file,
/// synced at every commit, is there.
#[test]
fn nothing_committed_is_lost_with_what_was_not_synced() {
    lmdb::require_tools();
    let home = Home::new();
    home.start().stop();
    let synced = home.scratch("synced");
    copy_files(&home.data(), &synced);
    let alice = key(Curve::Ed25519, "alice");
    let give_up = Instant::now() + Duration::from_secs(60);
    let committed = loop {
        let node = home.start();
        let number = node.client().head().height;
        let batches = [1, 2].map(|index| sign_batch(&alice, &[set(&format!("{number}-{index}"), 1)]));
        batches.iter().for_each(|batch| node.client().commit(batch));
        let head = node.client().head();
        node.kill();
        // A sync that came before the kill took the bodies out of the consensus file: then there is nothing to lose.
        let dump = lmdb::dump(&home.file(CONSENSUS));
        if batches.iter().all(|batch| dump.contains(&batch.header_signature)) {
            break (head, batches);
        }
        assert!(Instant::now() < give_up, "every kill came after a sync");
        home.start().stop();
        copy_files(&home.data(), &synced);
    };
    for name in [BLOCK, MERKLE, RECEIPTS] {
        std::fs::copy(synced.join(name), home.file(name)).unwrap();
    }
    let node = home.start();
    let (head, batches) = committed;
    assert_eq!(node.client().head(), head);
    for batch in &batches {
        assert_eq!(node.client().outcome(&batch.header_signature), Outcome::Committed);
    }
    node.stop();
}
