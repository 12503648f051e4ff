//! The examples of docs/, run as a reader would run them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use tests::binary::{Ran, run};
use tests::node::Home;
use tests::{packages, python, workspace};

/// Runs an example against a node of its own.
fn example(program: &mut Command, name: &str) -> Ran {
    let home = Home::new();
    let node = home.start();
    let script = workspace::root().join("docs/examples").join(name);
    let ran = run(program.arg(script).arg(node.client().url()).env("no_proxy", "*"));
    node.stop();
    ran
}

#[test]
fn the_python_example_commits_and_reads_back() {
    let ran = example(Command::new(python::with_sdk()).arg("-B"), "first_transaction.py");
    assert!(ran.ok().trim().ends_with(" is 42"));
}

#[test]
fn the_curl_example_reads_a_chain_and_an_error() {
    packages::require("curl", "curl");
    let printed = example(&mut Command::new("sh"), "read.sh").ok();
    for part in ["\"batches\"", "\"address\": \"000000", "\"endpoint\"", "\"error\""] {
        assert!(printed.contains(part), "{part} is not in {printed}");
    }
}
