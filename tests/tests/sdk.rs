//! The unmodified Python SDK of Sawtooth as a client: the ancestor's bytes in, the ancestor's answers out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use tests::binary::run;
use tests::node::Home;
use tests::{python, workspace};

#[test]
fn the_sawtooth_sdk_signs_submits_and_reads_back() {
    let python = python::with_sdk();
    let home = Home::new();
    let node = home.start();
    let script = workspace::root().join("tests/tests/python/intkey_client.py");
    let mut client = Command::new(python);
    // Python leaves its compiled files nowhere, and proxies of the environment out of the way.
    client.args(["-B"]).arg(script).arg(node.client().url()).env("no_proxy", "*");
    let ran = run(&mut client);
    let log = node.stop();
    assert_eq!(ran.code, Some(0), "{}\n{}\nthe node said:\n{log}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("\nOK"), "{ran:?}");
}
