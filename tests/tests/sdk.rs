//! The unmodified Python SDK of Sawtooth as a client: the ancestor's bytes in, the ancestor's answers out.
//!
//! `DGT_SDK_NODES` says at how many nodes of a 2x4 network it is tried (default 2, the last ones); each time the network is new.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use tests::binary::{Ran, run};
use tests::node::Home;
use tests::testnet::Testnet;
use tests::{python, workspace};

/// Runs the client at a node whose ledger is new.
fn client(url: &str) -> Ran {
    let script = workspace::root().join("tests/tests/python/intkey_client.py");
    let mut client = Command::new(python::with_sdk());
    // Python leaves its compiled files nowhere, and proxies of the environment out of the way.
    run(client.args(["-B"]).arg(script).arg(url).env("no_proxy", "*"))
}

fn check(ran: &Ran, log: &str) {
    assert_eq!(ran.code, Some(0), "{}\n{}\nthe node said:\n{log}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("\nOK"), "{ran:?}");
}

#[test]
fn the_sawtooth_sdk_signs_submits_and_reads_back() {
    let home = Home::new();
    let node = home.start();
    let ran = client(node.client().url());
    check(&ran, &node.stop());
}

#[test]
fn the_sawtooth_sdk_does_so_at_any_node_of_two_clusters() {
    let nodes: usize = std::env::var("DGT_SDK_NODES").map_or(2, |text| text.parse().unwrap());
    for from_last in 1..=nodes {
        let mut network = Testnet::start(2, 4);
        let index = network.len() - from_last;
        let ran = client(network.client(index).url());
        check(&ran, &network.stop(index));
    }
}
