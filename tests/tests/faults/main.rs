//! Faults of the disk and of the files under a real node: each ends in a clear word, or in recovery.
//!
//! | fault | where |
//! |---|---|
//! | disk full, quota used up | [`room`]: by the shim in each file, and on a small tmpfs |
//! | map full | `ledger::store::room`, a unit test: through the binary it would take a file of 1 GiB; the node handles it as a full disk |
//! | a sync or a write that fails | [`broken`] |
//! | a file that cannot be read | [`broken`] |
//! | a flipped byte, a truncated file | `damage.rs` |
//! | a missing file, a foreign one, another of the four, a newer format version | `custody.rs` |
//! | an older file of the four | block file: `custody.rs`; consensus file: `vote_store.rs`; state, receipts: [`files`]; all at once: `crash.rs` |
//! | wrong permissions, a stale lock, a first start cut short | [`files`] |
//! | a file held by a stock tool, by another process | `custody.rs` |
//! | `kill -9` under load | `crash.rs` |
//! | power loss | `power_loss.rs` |
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod broken;
mod files;
mod room;

use std::time::{Duration, Instant};

use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use tests::client::{Client, Outcome};
use tests::faults::{Faults, Rule};
use tests::load::{key, set};
use tests::node::{Home, Node, Start};
use txfamilies::sign_batch;

/// How long a node may take to notice a fault.
const PATIENCE: Duration = Duration::from_secs(60);

fn batch(name: &str) -> proto::Batch {
    sign_batch(&key(Curve::Ed25519, "alice"), &[set(name, 1)])
}

/// A node under the shim, and what it was told before its disk went bad.
struct Rig {
    home: Home,
    faults: Faults,
    told: Vec<String>,
}

impl Rig {
    fn new() -> Self {
        let home = Home::new();
        let faults = Faults::of(&home);
        Self { home, faults, told: Vec::new() }
    }

    fn start(&self) -> Node {
        self.faults.set(&[]);
        Start::under(&self.home, &self.faults.wrapper()).serve()
    }

    /// Commits a batch of this name.
    fn commit(&mut self, node: &Node, name: &str) {
        let batch = batch(name);
        node.client().commit(&batch);
        self.told.push(batch.header_signature);
    }

    /// The faults come, and then a batch. Nobody is told that it is committed.
    fn break_under_batch(&self, node: &Node, rules: &[Rule], name: &str) -> proto::Batch {
        self.faults.set(rules);
        let batch = batch(name);
        // A node that just stopped refuses it, or is gone.
        let _ = node.client().try_submit(std::slice::from_ref(&batch));
        batch
    }

    /// Without faults a node is as before, has everything that was told, goes on, and what it leaves verifies.
    fn check_recovered(&mut self, undecided: &proto::Batch, name: &str) {
        let node = self.home.start();
        check_told(node.client(), &self.told);
        // It was not told as committed: it may have been decided, or is submitted again.
        node.client().commit(undecided);
        self.told.push(undecided.header_signature.clone());
        self.commit(&node, name);
        node.stop();
        self.home.dgt(["verify".as_ref(), self.home.data().as_os_str()]).ok();
    }
}

fn check_told(client: &Client, told: &[String]) {
    let outcomes = client.try_outcomes(told, 0).unwrap();
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Committed), "{outcomes:?}");
}

/// Waits until a node says that it takes no batches; its words.
fn await_refusal(client: &Client) -> String {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let answer = client.try_get("/readyz").unwrap();
        if answer.status == 503 {
            return answer.text;
        }
        assert!(Instant::now() < give_up, "the node does not notice: {answer:?}");
        // There is no event to wait for: nothing is pushed to whoever asks for readiness.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A node that had to stop voting says why, refuses writes and answers reads; then it stops, and says it again.
fn check_only_reads(node: Node, told: &[String], words: &[&str]) {
    let has = |text: &str| words.iter().all(|word| text.contains(word));
    let refusal = await_refusal(node.client());
    assert!(has(&refusal), "{words:?} not in {refusal}");
    let status = node.client().get("/status")["data"]["node"].clone();
    assert!(has(status["fault"].as_str().unwrap_or_default()), "{status}");
    assert_eq!(status["role"], "observer");
    let answer = node.client().try_submit(&[batch("refused")]).unwrap();
    assert!(answer.status == 503 && has(&answer.text), "{answer:?}");
    check_told(node.client(), told);
    assert_eq!(node.client().try_get("/healthz").unwrap().status, 200);
    let words_at_end = node.terminate().failed(1);
    assert!(has(&words_at_end), "{words_at_end}");
}
