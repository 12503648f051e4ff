//! The interface against its own description: schemathesis reads `/openapi.json`, makes requests that fit it and requests
//! that do not, and fails on any 5xx, and on any status, content type or shape that the description does not have.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "the figures are part of the result")]

use std::path::PathBuf;
use std::process::Command;

use ledger_types::signature::Curve;
use tests::binary::run;
use tests::load::{key, set};
use tests::node::Home;
use tests::{packages, workspace};
use txfamilies::sign_batch;

const VERSION: &str = "4.32.5";
/// The same requests at every run.
const SEED: &str = "1";
/// Requests to each operation, beside those that go through its parameters one by one.
const EXAMPLES: &str = "20";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";
/// They end when the client leaves, so a client that waits for an end is not for them.
const ENDLESS: [&str; 2] = ["/events", "/subscriptions"];

/// The program, in a Python environment of its own that is made once and then kept.
fn schemathesis() -> PathBuf {
    let _lock = workspace::lock("schemathesis");
    let environment = workspace::cache_dir().join(format!("schemathesis-{VERSION}"));
    let stamp = environment.join("complete");
    if !stamp.exists() {
        // Without the stamp it is what an interrupted run left.
        let _ = std::fs::remove_dir_all(&environment);
        let venv = || run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        if venv().code != Some(0) {
            packages::install(&["python3", "python3-venv"]);
            venv().ok();
        }
        let mut pip = Command::new(environment.join("bin/python"));
        run(pip.args(["-m", "pip", "install", "--quiet", &format!("schemathesis=={VERSION}")])).ok();
        std::fs::write(&stamp, VERSION).expect("writing the stamp");
    }
    environment.join("bin/schemathesis")
}

#[test]
fn every_answer_is_as_described() {
    let program = schemathesis();
    let home = Home::new();
    let node = home.start();
    // Something to list.
    for number in 0..3 {
        let name = format!("described {number}");
        node.client().commit(&sign_batch(&key(Curve::Ed25519, "alice"), &[set(&name, 1)]));
    }
    // What it writes beside its report goes with the folder; proxies of the environment stay out of the way.
    let folder = home.scratch("schemathesis");
    std::fs::create_dir(&folder).unwrap();
    let mut client = Command::new(program);
    client.current_dir(folder).env("no_proxy", "*");
    client.arg("run").arg(format!("{}/openapi.json", node.client().url()));
    client.args(["--seed", SEED, "--max-examples", EXAMPLES, "--phases", "coverage,fuzzing"]);
    client.args(["--checks", CHECKS, "--request-timeout", "30", "--warnings", "off", "--no-color"]);
    for path in ENDLESS {
        client.args(["--exclude-path", path]);
    }
    let ran = run(&mut client);
    let log = node.stop();
    assert_eq!(ran.code, Some(0), "{}\n{}\nthe node said:\n{log}", ran.stdout, ran.stderr);
    let summary = ran.stdout.lines().find(|line| line.contains(" generated, "));
    eprintln!("schemathesis:{}", summary.expect("the number of requests"));
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}
