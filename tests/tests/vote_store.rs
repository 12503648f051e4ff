//! A vote store that forgot something: the node says so, reads go on, nothing is signed until its operator decides.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use serde_json::Value;
use tests::client::HeadBlock;
use tests::lmdb::{self, CONSENSUS};
use tests::load::{key, set};
use tests::node::{Home, Node, Start, copy_files};
use txfamilies::sign_batch;

/// The key of the record of the floor, in a dump.
const FLOOR: &str = "06";

fn batch(name: &str) -> proto::Batch {
    sign_batch(&key(Curve::Ed25519, "alice"), &[set(name, 1)])
}

fn duty(node: &Node) -> Value {
    node.client().get("/status")["data"]["node"]["duty"].clone()
}

/// Reads are answered, writes are refused with these words, and nothing is signed.
fn check_silent(node: &Node, head: &HeadBlock, told: &str, words: &[&str]) {
    assert_eq!((node.client().head(), duty(node)), (head.clone(), told.into()));
    assert_eq!(node.client().try_submit(&[batch("refused")]).unwrap().status, 503);
    let answer = node.client().try_get("/readyz").unwrap();
    assert_eq!(answer.status, 503);
    assert!(words.iter().all(|word| answer.text.contains(word)), "{words:?} not in {}", answer.text);
}

fn check_votes(node: Node, name: &str) {
    assert_eq!(duty(&node), "votes");
    node.client().commit(&batch(name));
    node.stop();
}

#[test]
fn an_older_vote_store_is_known_as_one_and_signs_nothing() {
    let home = Home::new();
    let node = home.start();
    node.client().commit(&batch("old"));
    let head = node.client().head();
    node.stop();
    let backup = home.scratch("backup");
    copy_files(&home.data(), &backup);
    check_votes(home.start(), "new");

    copy_files(&backup, &home.data());
    let words = ["older than this node's last votes", "--trust-vote-store"];
    for _ in 0..2 {
        let node = home.start();
        check_silent(&node, &head, "forgot", &words);
        node.stop();
    }
    check_votes(Start::new(&home).arg("--trust-vote-store").serve(), "operator decided");
    check_votes(home.start(), "by itself again");
}

#[test]
fn a_vote_store_in_a_new_folder_votes() {
    let home = Home::new();
    check_votes(home.start(), "here");
    std::fs::remove_file(home.path().join("keys/vote-generation")).unwrap();
    check_votes(home.start(), "moved");
}

#[test]
fn a_damaged_vote_store_observes_until_the_operator_acts() {
    lmdb::require_tools();
    let home = Home::new();
    let node = home.start();
    node.client().commit(&batch("sound"));
    let head = node.client().head();
    node.stop();
    let file = home.file(CONSENSUS);
    // Any bit of a value: its seal does not match then.
    let flip = |value: &str| format!("{}{}", if value.starts_with('0') { "1" } else { "0" }, &value[1..]);
    lmdb::load(&lmdb::with_value(&lmdb::dump(&file), FLOOR, flip), &file);

    let node = home.start();
    check_silent(&node, &head, "observes", &["record 06", "--restored", "--trust-vote-store"]);
    node.stop();
    let node = Start::new(&home).arg("--restored").serve();
    check_silent(&node, &head, "forgot", &["--trust-vote-store"]);
    node.stop();
    check_votes(Start::new(&home).arg("--trust-vote-store").serve(), "operator decided");
    check_votes(home.start(), "by itself again");
}
