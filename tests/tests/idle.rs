//! A node without work makes no blocks and leaves its disk alone; one with work does not wait for more.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant, SystemTime};

use ledger_types::signature::Curve;
use tests::client::Outcome;
use tests::lmdb::FILES;
use tests::load::{inc, key, set};
use tests::node::Home;
use txfamilies::sign_batch;

/// How long nothing may happen.
const WINDOW: Duration = Duration::from_secs(3);
/// How long the last block's records may take to be synced and cleared away.
const SETTLING: Duration = Duration::from_secs(10);
/// Far more than a block of one node takes, far less than any timer.
const AT_ONCE: Duration = Duration::from_secs(2);

fn files(home: &Home) -> Vec<(SystemTime, u64)> {
    let state = |name| {
        let metadata = std::fs::metadata(home.file(name)).unwrap();
        (metadata.modified().unwrap(), metadata.len())
    };
    FILES.map(state).to_vec()
}

/// Whether nothing is written for the whole window. Watching for a while is the test here, not a wait for something.
fn is_quiet(home: &Home) -> bool {
    let before = files(home);
    std::thread::sleep(WINDOW);
    files(home) == before
}

#[test]
fn an_idle_node_makes_no_blocks_and_writes_nothing() {
    let home = Home::new();
    let node = home.start();
    let untouched = files(&home);
    node.client().commit(&sign_batch(&key(Curve::Ed25519, "alice"), &[set("a", 1)]));
    assert_ne!(files(&home), untouched, "a write shows");
    let head = node.client().head();
    let give_up = Instant::now() + SETTLING;
    while !is_quiet(&home) {
        assert!(Instant::now() < give_up, "the node goes on writing after its last block");
    }
    assert_eq!(node.client().head(), head);
    node.stop();

    let node = home.start();
    assert!(is_quiet(&home), "a node that has just started writes without a batch");
    assert_eq!(node.client().head(), head);
    node.stop();
}

#[test]
fn a_batch_is_decided_once_and_in_one_block() {
    let home = Home::new();
    let node = home.start();
    let (alice, bob) = (key(Curve::Ed25519, "alice"), key(Curve::Secp256k1, "bob"));
    // When the second is committed the first would be good, but it is decided by then.
    let batches = [sign_batch(&alice, &[inc("a", 1)]), sign_batch(&bob, &[set("a", 1)])];
    node.client().submit(&batches);
    let ids = batches.map(|batch| batch.header_signature);
    let outcomes = node.client().try_outcomes(&ids, 30).unwrap();
    assert!(matches!(&outcomes[0], Outcome::Invalid { message, .. } if message.contains("not in state")));
    assert_eq!(outcomes[1], Outcome::Committed);
    assert!(is_quiet(&home) || is_quiet(&home));
    assert_eq!(node.client().head().height, 1, "both are decided in one block, and no other one is made");
    assert_eq!(node.client().try_outcomes(&ids, 0).unwrap(), outcomes);
    node.stop();
}

#[test]
fn a_lone_batch_commits_at_once() {
    let home = Home::new();
    let node = home.start();
    for number in 1..=5 {
        let batch = sign_batch(&key(Curve::Ed25519, "alice"), &[set(&format!("name {number}"), 1)]);
        let start = Instant::now();
        node.client().commit(&batch);
        assert!(start.elapsed() < AT_ONCE, "batch {number} took {:?}", start.elapsed());
        assert_eq!(node.client().head().height, number);
    }
    node.stop();
}
