//! The REST interface over TLS, with a certificate as an operator would make one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::Command;

use tests::binary::{Ran, run};
use tests::node::{Home, Start};
use tests::packages;

/// A self-signed certificate for 127.0.0.1 and its key.
fn certificate(home: &Home, name: &str) -> (PathBuf, PathBuf) {
    packages::require("openssl", "openssl");
    let (chain, key) = (home.scratch(&format!("{name}.pem")), home.scratch(&format!("{name}.key")));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    openssl.args(["-subj", "/CN=dgt-test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]);
    run(openssl.arg("-keyout").arg(&key).arg("-out").arg(&chain)).ok();
    (chain, key)
}

fn start(home: &Home, chain: &std::path::Path, key: &std::path::Path) -> Start {
    let set = |name: &str, path: &std::path::Path| format!("{name}={}", path.display());
    Start::new(home)
        .arg("--set")
        .arg(set("api.tls_certificate", chain))
        .arg("--set")
        .arg(set("api.tls_key", key))
}

fn curl(arguments: &[&std::ffi::OsStr], url: &str) -> Ran {
    packages::require("curl", "curl");
    run(Command::new("curl").args(["-sS", "--noproxy", "*"]).args(arguments).arg(url))
}

#[test]
fn a_client_that_knows_the_certificate_reads_over_tls_and_others_do_not() {
    let home = Home::new();
    let (chain, key) = certificate(&home, "node");
    let node = start(&home, &chain, &key).serve();
    let url = node.client().url().to_owned();
    assert!(url.starts_with("https://"), "{url}");
    let known = [std::ffi::OsStr::new("--cacert"), chain.as_os_str()];
    for version in ["--tlsv1.2", "--tlsv1.3"] {
        let arguments = [&known[..], &[std::ffi::OsStr::new(version)]].concat();
        let status = curl(&arguments, &format!("{url}/status")).ok();
        assert!(status.contains(&format!("\"link\": \"{url}/status\"")), "{status}");
    }
    assert_eq!(curl(&[], &format!("{url}/status")).code, Some(60), "an unknown certificate");
    let plain = curl(&[], &format!("{}/status", url.replace("https", "http")));
    assert_ne!(plain.code, Some(0), "plain text on a TLS port: {plain:?}");
    node.stop();
}

#[test]
fn a_wrong_certificate_is_named_before_anything_starts() {
    let home = Home::new();
    let (chain, key) = certificate(&home, "node");
    let (_, other_key) = certificate(&home, "other");
    for (chain, key, words) in [
        (&chain, &other_key, "certificate and key"),
        (&key, &key, "no certificate chain"),
        (&chain, &chain, "no private key"),
        (&home.scratch("absent.pem"), &key, "absent.pem"),
    ] {
        let refused = start(&home, chain, key).refusal();
        assert!(refused.contains(words), "{words}: {refused}");
    }
    let half = Start::new(&home).arg("--set").arg("api.tls_key=x").refusal();
    assert!(half.contains("belong together"), "{half}");
}
