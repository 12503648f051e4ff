//! The load generator against a real node: what it reports is what the node's disk holds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use ledger::store::{Durability, File, FileOptions, StoreError};
use serde_json::Value;
use tests::binary::run;
use tests::lmdb::RECEIPTS;
use tests::node::Home;

/// The tag of receipts in their file (FORMAT.md).
const RECEIPT: &[u8] = &[0x03];

fn load(url: &str, words: &str) -> tests::binary::Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
    run(command.args(["--json", "--url", url]).args(words.split_whitespace()))
}

fn report(url: &str, words: &str) -> Value {
    serde_json::from_str(&load(url, words).ok()).unwrap()
}

fn number(report: &Value, path: &str) -> f64 {
    let value = report.pointer(path).unwrap_or_else(|| panic!("no {path} in {report}"));
    value.as_f64().unwrap_or_else(|| panic!("{path} is no number in {report}"))
}

/// What must hold of the report of a run in which nothing is refused, and how many transactions it committed.
fn check(report: &Value) -> u64 {
    let number = |path| number(report, path);
    assert_eq!(number("/whole_run/rejected"), 0.0, "{report}");
    assert_eq!(number("/whole_run/undecided"), 0.0, "{report}");
    assert_eq!(number("/whole_run/foreign"), 0.0, "{report}");
    assert_eq!(number("/whole_run/posted"), number("/whole_run/committed"), "{report}");
    assert!(number("/measured/committed") > 0.0, "{report}");
    assert!(number("/measured/committed") <= number("/whole_run/committed"), "{report}");
    let (p50, p90) = (number("/measured/latency/p50_ms"), number("/measured/latency/p90_ms"));
    let (p99, max) = (number("/measured/latency/p99_ms"), number("/measured/latency/max_ms"));
    assert!(0.0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= max, "{report}");
    assert!(number("/generator/cpu_seconds") > 0.0, "{report}");
    let rate = number("/measured/committed") / number("/measured/seconds");
    assert!((rate / number("/measured/committed_per_second") - 1.0).abs() < 1e-6, "{report}");
    number("/whole_run/committed") as u64
}

/// A line of `dgt verify`.
fn verified(printed: &str, what: &str) -> u64 {
    let line = printed.lines().find_map(|line| line.trim().strip_prefix(what));
    line.unwrap_or_else(|| panic!("no {what} in {printed}")).trim().parse().unwrap()
}

fn receipts(file: &Path) -> u64 {
    let options = FileOptions { durability: Durability::EveryCommit, map_bytes: 1 << 30, must_exist: true };
    let file = File::open(file, options).unwrap();
    let mut count = 0;
    let counted = file.read().unwrap().for_each(RECEIPT, |_, _| {
        count += 1;
        Ok::<_, StoreError>(())
    });
    counted.unwrap();
    count
}

#[test]
fn both_modes_report_what_a_re_execution_counts() {
    let home = Home::new();
    let node = home.start();
    let url = node.client().url().to_owned();
    let genesis = node.client().get("/transactions?limit=1000")["data"].as_array().unwrap().len() as u64;

    let closed = report(
        &url,
        "--window 4 --batch-size 10 --seconds 3 --warm-up 1 --accounts 150 --hot-share 5 --transactions 16000 --seed 1",
    );
    let open = report(
        &url,
        "--rate 40 --batch-size 1 --seconds 3 --warm-up 1 --accounts 50 --family bgt --curve secp256k1 --seed 2",
    );
    // The first run's accounts once more, by keys of another curve, with larger payloads.
    let again = report(
        &url,
        "--rate 40 --batch-size 4 --seconds 1 --warm-up 1 --accounts 150 --accounts-of 1 --seed 3 --curve secp256k1 \
         --payload-bytes 5000",
    );
    assert_eq!(number(&again, "/whole_run/posted"), 80.0, "no account was made: {again}");
    let posted = number(&again, "/measured/posted_bytes_per_transaction");
    assert!((5_000.0..6_500.0).contains(&posted), "{again}");
    let committed = check(&closed) + check(&open) + check(&again);
    assert_eq!(number(&open, "/measured/latency/batches"), 120.0, "a batch every 25 ms for 3 s: {open}");
    assert_eq!(number(&open, "/whole_run/posted"), 50.0 + 160.0, "{open}");
    assert!(closed["measured"]["ended_by"] == "time" || closed["whole_run"]["posted"] == 16_150, "{closed}");

    // Other batches of accounts that exist are rejected, and the same ones once more are not on this run's stretch.
    let words = "--seconds 1 --warm-up 0 --transactions 1 --seed 1";
    let rejected = load(&url, &format!("{words} --accounts 149")).failed(1);
    assert!(rejected.contains("a chain takes each seed once"), "{rejected}");
    let repeated = load(&url, &format!("{words} --accounts 150")).failed(1);
    assert!(
        repeated.contains("150 transactions were answered COMMITTED, the chain has 0 since"),
        "{repeated}"
    );

    node.stop();
    let home_path = home.path();
    let printed = home.dgt(["verify".as_ref(), "--home".as_ref(), home_path.as_os_str()]).ok();
    assert!(printed.contains("executed again yes"), "{printed}");
    assert_eq!(verified(&printed, "transactions"), genesis + committed, "{closed} {open}");
    assert_eq!(receipts(&home.file(RECEIPTS)), genesis + committed);
}

#[test]
fn a_node_that_is_not_there_is_named() {
    let error = load("http://127.0.0.1:9", "--seconds 1 --transactions 1 --accounts 1").failed(1);
    assert!(error.contains("http://127.0.0.1:9"), "{error}");
    let error = load("127.0.0.1:9", "--seconds 1").failed(1);
    assert!(error.contains("a URL begins with http://"), "{error}");
}
