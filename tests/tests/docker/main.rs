//! Networks in containers: what befalls them, what the image promises, and what operators do. Skipped, loudly, where Docker
//! does not answer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a long run did must be seen")]

mod limits;
mod members;
mod trouble;
mod upgrade;

use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use tests::containers;
use tests::load::{key, set};
use txfamilies::sign_batch;

/// Whether there is no Docker here; said past the test runner, which swallows what a passing test prints.
fn is_skipped() -> bool {
    let obstacle = containers::obstacle();
    if let Some(obstacle) = &obstacle {
        let words = format!("\nSKIPPED, no containers are run: {obstacle}\n\n");
        std::io::stderr().write_all(words.as_bytes()).unwrap();
    }
    obstacle.is_some()
}

/// A batch that nobody has seen.
fn new_batch() -> proto::Batch {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("observed{}", COUNT.fetch_add(1, Ordering::Relaxed));
    sign_batch(&key(Curve::Ed25519, "observer"), &[set(&name, 1)])
}
