//! What a node has on the disk before it acts: read from a recorded trace of its system calls, because a `kill -9` keeps
//! the page cache and so cannot show it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use ledger_types::signature::Curve;
use tests::load::{inc, key, set};
use tests::node::{Home, Start};
use tests::{packages, trace};
use txfamilies::sign_batch;

#[test]
fn votes_are_on_the_disk_before_anything_comes_of_them() {
    packages::require("strace", "strace");
    let home = Home::new();
    let recorded = home.scratch("trace");
    let node = Start::under(&home, &trace::strace(&recorded)).serve();
    let (alice, bob) = (key(Curve::Ed25519, "alice"), key(Curve::Secp256k1, "bob"));
    let batches = [
        sign_batch(&alice, &[set("a", 1)]),
        sign_batch(&bob, &[inc("a", 2)]),
        sign_batch(&alice, &[inc("a", 3), set("b", 1)]),
        sign_batch(&bob, &[inc("b", 4)]),
    ];
    // One after the other, so that each is alone in its block.
    batches.iter().for_each(|batch| node.client().commit(batch));
    assert_eq!(node.client().head().height, 4);
    node.stop();

    let recorded = std::fs::read_to_string(recorded).unwrap();
    let calls = trace::parse(&recorded);
    for batch in &batches {
        assert_eq!(trace::check_batch(&calls, &batch.header_signature), Ok(()));
    }
    // The same trace without the syncs must not pass: the check sees them, not something else.
    let unsynced: Vec<&str> = recorded.lines().filter(|line| !line.contains("fdatasync")).collect();
    let unsynced = trace::parse(&unsynced.join("\n"));
    let found = trace::check_batch(&unsynced, &batches[0].header_signature).unwrap_err();
    assert!(found.contains("before its pages are synced"), "{found}");
}
