//! Submitting batches from a file, and what became of them.

use std::path::PathBuf;
use std::process::Stdio;

use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use prost::Message as _;
use serde_json::json;
use tests::load::{dec, key, set};
use txfamilies::sign_batch;

use crate::site::Site;

fn encode(batches: &[proto::Batch]) -> Vec<u8> {
    proto::BatchList { batches: batches.to_vec(), ..proto::BatchList::default() }.encode_to_vec()
}

fn file(site: &Site, bytes: &[u8]) -> PathBuf {
    let path = site.home.scratch("batches.batch");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn batch(name: &str) -> proto::Batch {
    sign_batch(&key(Curve::Secp256k1, "cli"), &[set(name, 1)])
}

#[test]
fn a_file_of_batches_is_submitted_and_waited_for() {
    let site = Site::new();
    // More than one request takes.
    let batches: Vec<_> = (0..1_050).map(|n| batch(&format!("n{n}"))).collect();
    let path = file(&site, &encode(&batches));
    let printed = site.ok(&["batch", "submit", path.to_str().unwrap(), "--wait", "60"]);
    let expected: String =
        batches.iter().map(|batch| format!("COMMITTED {}\n", batch.header_signature)).collect();
    assert_eq!(printed, expected);
    // The same again is no error: they are committed.
    assert_eq!(site.ok(&["batch", "submit", path.to_str().unwrap(), "--wait", "60"]), expected);

    let ids: Vec<&str> = batches[..3].iter().map(|batch| batch.header_signature.as_str()).collect();
    let statuses = site.json(&["batch", "status", &ids.join(",")]);
    assert_eq!(statuses, site.client().get(&format!("/batch_statuses?id={}", ids.join(",")))["data"]);
    assert_eq!(statuses[2], json!({"id": ids[2], "invalid_transactions": [], "status": "COMMITTED"}));
    let yaml = site.ok(&["batch", "status", ids[0], ids[1], "--wait", "5"]);
    assert_eq!(yaml.matches("status: COMMITTED\n").count(), 2);
}

#[test]
fn a_refused_batch_fails_the_command() {
    let site = Site::new();
    let (good, bad) = (batch("good"), sign_batch(&key(Curve::Ed25519, "cli"), &[dec("never", 1)]));
    let path = file(&site, &encode(&[good.clone(), bad.clone()]));
    let ran = site.dgt(&["batch", "submit", path.to_str().unwrap(), "--wait", "60"]);
    let lines = format!("COMMITTED {}\nINVALID {}\n", good.header_signature, bad.header_signature);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), lines.as_str()), "{ran:?}");
    assert!(ran.stderr.contains(&bad.header_signature), "{ran:?}");
    let unknown = site.json(&["batch", "status", &"0".repeat(128), "--wait", "0"]);
    assert_eq!(unknown[0]["status"], "UNKNOWN");

    let mut forged = batch("forged");
    forged.header_signature = "0".repeat(128);
    let path = file(&site, &encode(&[forged]));
    let refusal = site.dgt(&["batch", "submit", path.to_str().unwrap()]).failed(1);
    assert!(refusal.contains("0 of 1") && refusal.contains("Invalid"), "{refusal}");
    for (bytes, words) in [(&b"nonsense"[..], "BatchList"), (b"", "no batch")] {
        let path = file(&site, bytes);
        assert!(site.dgt(&["batch", "submit", path.to_str().unwrap()]).failed(1).contains(words));
    }
    assert!(site.dgt(&["batch", "submit", "/no/such/file"]).failed(1).contains("/no/such/file"));
    assert!(site.dgt(&["batch", "status", "xyz"]).failed(1).contains("Id"));
}

#[test]
fn batches_come_from_standard_input_as_well() {
    let site = Site::new();
    let batch = batch("piped");
    let input = std::fs::File::open(file(&site, &encode(std::slice::from_ref(&batch)))).unwrap();
    let mut command = site.home.command();
    command.args(["batch", "submit", "-", "--url", site.client().url()]).stdin(Stdio::from(input));
    assert_eq!(tests::binary::run(&mut command).ok(), format!("PENDING {}\n", batch.header_signature));
    assert_eq!(site.client().outcome(&batch.header_signature), tests::client::Outcome::Committed);
}
