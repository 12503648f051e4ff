//! Networks of real nodes: what one is told all commit, once; nodes that die, stand still, forget or lose their files come
//! back; and nobody votes twice.
//!
//! `DGT_NETWORK_KILLS` says how many rounds of trouble there are under load (default 20), `DGT_SEED` repeats its choices;
//! `DGT_SYNC_BLOCKS` how many blocks an emptied node fetches (default 300).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a long run did must be seen")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use consensus::{Change, Record, Vote};
use ledger_types::certificate::{Candidate, Certificate, Certified, Statement};
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use ledger_types::{BlockId, Signature, ValidatorId};
use tests::client::Outcome;
use tests::crowd::Crowd;
use tests::lmdb;
use tests::load::{dec, inc, key, set};
use tests::node::copy_files;
use tests::random::Random;
use tests::testnet::Testnet;
use txfamilies::sign_batch;

/// Between two troubles lies at most this time, milliseconds.
const LONGEST_PEACE_MS: u64 = 700;
/// A node stands still for at most this time, milliseconds: long enough to be given up by the others.
const LONGEST_PAUSE_MS: u64 = 3_000;

fn batch(name: &str) -> proto::Batch {
    sign_batch(&key(Curve::Ed25519, "alice"), &[set(name, 1)])
}

/// Stops a network and looks at what lies on its disks.
fn check_stopped(mut network: Testnet) {
    network.wait_same_head();
    network.stop_all();
    network.check_same_files();
    network.check_votes();
    network.check_chain(0);
}

fn check_committed_once(clusters: u16, nodes: u16) {
    let network = Testnet::start(clusters, nodes);
    let alice = key(Curve::Ed25519, "alice");
    network.commit(0, &batch("counter"));
    let batches: Vec<_> = (0..network.len())
        .map(|index| sign_batch(&alice, &[inc("counter", 1).with_nonce(network.name(index))]))
        .collect();
    let ids: Vec<String> = batches.iter().map(|batch| batch.header_signature.clone()).collect();
    for (index, batch) in batches.iter().enumerate() {
        network.client(index).submit(std::slice::from_ref(batch));
    }
    network.wait_committed(&ids);
    let refused = sign_batch(&alice, &[dec("never", 1)]);
    network.client(0).submit(std::slice::from_ref(&refused));
    for index in 0..network.len() {
        let client = network.client(index);
        assert!(matches!(client.outcome(&refused.header_signature), Outcome::Invalid { .. }), "{index}");
        // Every node hears of every batch again, and of all in one list.
        client.submit(&batches);
    }
    network.commit(network.len() - 1, &batch("afterwards"));

    let head = network.wait_same_head();
    for index in 0..network.len() {
        let found = network.client(index).get("/transactions?limit=1000");
        let found = found["data"].as_array().unwrap();
        let distinct: BTreeSet<String> = found.iter().map(|it| it["header_signature"].to_string()).collect();
        assert_eq!(distinct.len(), found.len(), "{}", network.name(index));
        let nonces = |name: &String| found.iter().filter(|it| it["header"]["nonce"] == **name).count();
        for other in 0..network.len() {
            assert_eq!(nonces(&network.name(other)), 1, "{} at {head:?}", network.name(other));
        }
    }
    check_stopped(network);
}

#[test]
fn what_any_node_is_told_all_four_commit_once() {
    check_committed_once(1, 4);
}

#[test]
fn what_any_node_is_told_two_clusters_commit_once() {
    check_committed_once(2, 4);
}

#[test]
fn what_any_node_is_told_four_clusters_commit_once() {
    check_committed_once(4, 4);
}

/// One round of trouble: a node is killed, or the leader stands still.
fn trouble(network: &mut Testnet, random: &mut Random) {
    let moment = |random: &mut Random, longest| Duration::from_millis(random.below(0..longest));
    // The moments are what is random here; nothing is waited for.
    std::thread::sleep(moment(random, LONGEST_PEACE_MS));
    let index = usize::try_from(random.below(0..network.len() as u64)).unwrap();
    match random.below(0..3) {
        0 => {
            let leader = network.leader(index);
            network.pause(leader);
            std::thread::sleep(moment(random, LONGEST_PAUSE_MS));
            network.resume(leader);
        }
        1 => {
            network.kill(index);
            network.start_node(index);
        }
        _ => {
            network.kill(index);
            std::thread::sleep(moment(random, LONGEST_PAUSE_MS));
            network.start_node(index);
        }
    }
}

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn nothing_answered_is_lost_or_decided_twice_by_kills_and_pauses_under_load() {
    let mut random = Random::from_env();
    let mut network = Testnet::start(2, 4);
    let (crowd, mut choices) = (Crowd::of(&network), random.fork());
    let rounds = number("DGT_NETWORK_KILLS", 20);
    crowd.submit_during(&mut random, || (0..rounds).for_each(|_| trouble(&mut network, &mut choices)));
    network.wait_ready();
    let head = network.wait_same_head();
    eprintln!("{rounds} rounds, {:?}, height {}", crowd.check(), head.height);
    network.commit_until_all_vote("after");
    check_stopped(network);
}

/// Whoever comes back votes: with as many others standing still as may be missing, its vote is needed.
fn check_needed(network: &Testnet, still: &[usize], name: &str) {
    still.iter().for_each(|index| network.pause(*index));
    let batch = batch(name);
    let client = network.client((0..network.len()).find(|index| !still.contains(index)).unwrap());
    client.commit(&batch);
    still.iter().for_each(|index| network.resume(*index));
    network.wait_committed(&[batch.header_signature]);
}

#[test]
fn nodes_that_were_killed_are_back_among_the_voters() {
    let mut network = Testnet::start(2, 4);
    network.commit(0, &batch("before"));
    // One node, one of each cluster, a whole cluster, all: which stand still afterwards is of no interest to them.
    let all: Vec<usize> = (0..network.len()).collect();
    for (name, killed, still) in [
        ("one", vec![1], vec![2, 5]),
        ("pair", vec![3, 6], vec![0, 7]),
        ("cluster", network.cluster(1), vec![1]),
        ("all", all, vec![2, 5]),
    ] {
        killed.iter().for_each(|index| drop(network.kill(*index)));
        if killed.len() <= 2 {
            let running = network.running();
            network.commit(running[0], &batch(&format!("without {}", killed.len())));
        }
        network.start_all();
        network.wait_ready();
        network.commit_until_all_vote(name);
        check_needed(&network, &still, &format!("needs {name}"));
    }
    check_stopped(network);
}

#[test]
fn an_emptied_data_folder_is_filled_again() {
    let blocks = number("DGT_SYNC_BLOCKS", 300);
    let mut network = Testnet::start(1, 4);
    let made = Instant::now();
    while network.client(0).head().height < blocks {
        // One after the other, so that each has a block of its own.
        for number in 0..50 {
            let name = format!("{number} after {}", network.client(0).head().height);
            network.client(number % 4).commit(&batch(&name));
        }
    }
    let made = made.elapsed();
    network.wipe(2);
    let late = batch("while it was away");
    network.commit(0, &late);
    let fetched = Instant::now();
    network.start_node(2);
    network.wait_committed(&[late.header_signature]);
    eprintln!("{blocks} blocks and more: made in {made:.1?}, fetched in {:.1?}", fetched.elapsed());
    network.commit_until_all_vote("with all");
    check_needed(&network, &[0], "needs the empty one");
    check_stopped(network);
}

#[test]
fn a_node_with_an_older_copy_of_its_files_follows_and_votes_again() {
    let mut network = Testnet::start(1, 4);
    network.commit(0, &batch("before the copy"));
    network.stop(1);
    let copy = network.home(1).scratch("older");
    copy_files(&network.home(1).data(), &copy);
    network.start_node(1);
    for number in 0..10 {
        network.commit(number % 4, &batch(&format!("forgotten {number}")));
    }
    network.stop(1);
    for name in lmdb::FILES {
        lmdb::remove(&network.home(1).file(name));
    }
    copy_files(&copy, &network.home(1).data());
    network.start_node(1);
    let height = network.client(0).head().height;
    network.wait_height(1, height);
    network.commit_until_all_vote("with all");
    check_needed(&network, &[3], "needs the forgetful");
    check_stopped(network);
}

#[test]
fn below_the_quorum_writes_are_refused_and_reads_go_on() {
    let mut network = Testnet::start(1, 4);
    network.commit(0, &batch("before"));
    network.stop(3);
    network.commit(0, &batch("with three"));
    network.stop(2);
    let (height, never) = (network.client(0).head().height, batch("refused"));
    for index in [0, 1] {
        let client = network.client(index);
        network.wait(&format!("{} notices", network.name(index)), || {
            let answer = client.try_get("/readyz").unwrap();
            if answer.status == 503 { Ok(()) } else { Err(answer.text) }
        });
        let ready = client.try_get("/readyz").unwrap();
        let refused = client.try_submit(std::slice::from_ref(&never)).unwrap();
        assert_eq!(refused.status, 503, "{refused:?}");
        for answer in [&ready, &refused] {
            assert!(answer.text.contains("2 of 4") && answer.text.contains('3'), "{answer:?}");
        }
        assert_eq!(client.head().height, height);
        assert_eq!(client.try_get("/healthz").unwrap().status, 200);
    }
    network.start_node(2);
    network.wait_ready();
    network.commit(1, &batch("with three again"));
    let outcomes = network.client(0).try_outcomes(&[never.header_signature], 0).unwrap();
    assert_eq!(outcomes, [Outcome::Unknown]);
    network.start_node(3);
    network.wait_ready();
    check_stopped(network);
}

/// Writes records into a stopped node's consensus file, runs a check, and takes them out again. Whether the check failed.
fn fails_with(network: &Testnet, records: &[Record], check: impl FnOnce()) -> bool {
    let write = |changes: Vec<Change>| {
        let changes: Vec<_> = changes.iter().map(|change| (change.key(), change.value())).collect();
        network.consensus_file(0).write(&changes).unwrap();
    };
    write(records.iter().cloned().map(Change::Put).collect());
    let failed = catch_unwind(AssertUnwindSafe(check)).is_err();
    write(records.iter().map(|record| Change::Delete(record.key())).collect());
    failed
}

#[test]
fn the_checks_of_stopped_networks_can_fail() {
    let mut network = Testnet::start(1, 4);
    network.commit(0, &batch("before"));
    network.wait_same_head();
    network.stop_all();
    let older = network.home(0).scratch("older");
    copy_files(&network.home(0).data(), &older);
    network.check_votes();

    let candidate = Candidate { view: 900, height: 900, block: BlockId([9; 64]) };
    let signer = ValidatorId { cluster: 0, node: 0 };
    let vote = |statement| Record::Voted {
        epoch: 0,
        vote: Vote { signer, statement, signature: Signature([0; 64]) },
    };
    let both = [vote(Statement::Finalize(candidate)), vote(Statement::Nullify { from_view: 900, view: 900 })];
    assert!(fails_with(&network, &both, || network.check_votes()), "two votes in a view");
    let finalized = |height, block| {
        let certified = Certified::Finalization(Candidate { block: BlockId([block; 64]), ..candidate });
        Record::FinalizedAt { height, certificate: Certificate::new(0, certified, []).unwrap() }
    };
    let one = [finalized(899, 9)];
    assert!(!fails_with(&network, &one, || network.check_votes()), "one block at height 900");
    let two = [finalized(899, 9), finalized(900, 8)];
    assert!(fails_with(&network, &two, || network.check_votes()), "two blocks at height 900");
    network.check_votes();

    network.start_all();
    network.wait_ready();
    network.commit(0, &batch("after"));
    network.wait_same_head();
    network.stop_all();
    network.check_same_files();
    copy_files(&older, &network.home(0).data());
    let differ = catch_unwind(AssertUnwindSafe(|| network.check_same_files())).is_err();
    assert!(differ, "one node has older files");
}
