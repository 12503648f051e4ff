//! What a node answers, checked without any node.

use std::path::Path;

use data_encoding::BASE64;
use serde_json::{Value, json};
use tests::binary::Ran;
use tests::node::Home;

use crate::site::{Site, text};

/// Checks an answer by the network file of another place, where no node ever was.
fn verify(home: &Home, command: &str, answer: &Path, network: &Path) -> Ran {
    let (answer, network) = (answer.to_str().unwrap(), network.to_str().unwrap());
    home.dgt([command, answer, "--network", network, "-F", "json"])
}

fn parsed(ran: Ran) -> Value {
    serde_json::from_str(&ran.ok()).unwrap()
}

#[test]
fn certificates_and_proofs_hold_by_the_network_file_alone() {
    let site = Site::with_blocks(3);
    let address = text(&site.client().get("/state?address=1cf126"), "/data/0/address").to_owned();
    let absent = format!("1cf126{}", "0".repeat(64));
    let transaction =
        text(&site.client().get("/transactions?limit=1"), "/data/0/header_signature").to_owned();
    let blocks = site.client().get("/blocks");
    let (newest, block_0) =
        (text(&blocks, "/data/0/header_signature"), text(&blocks, "/data/3/header_signature"));
    let certificate = site.save(&format!("/blocks/{newest}/certificate"), "certificate.json");
    let value = site.save(&format!("/state/{address}?proof=true"), "value.json");
    let absence = site.save(&format!("/state/{absent}?proof=true"), "absence.json");
    let of_block_0 = site.save(&format!("/state/{absent}?proof=true&head={block_0}"), "block_0.json");
    let entry = site.save(&format!("/transactions/{transaction}/proof"), "entry.json");
    let receipt = site.save(&format!("/receipts/{transaction}/proof"), "receipt.json");
    let network = site.home.path().join("etc/network.toml");
    let elsewhere = Home::new();
    let Site { home, node } = site;
    node.stop();

    let found = parsed(verify(&elsewhere, "verify-certificate", &certificate, &network));
    assert_eq!(found["block_id"], newest);
    assert_eq!((&found["block_num"], &found["signers"]), (&json!(3), &json!(["c1-1"])));
    assert_eq!(found["state_root"], blocks["data"][0]["header"]["state_root_hash"]);
    let found = parsed(verify(&elsewhere, "verify-proof", &value, &network));
    assert_eq!(
        (&found["kind"], &found["address"], &found["block_id"]),
        (&json!("state"), &json!(address), &json!(newest))
    );
    assert!(found["value"].is_string());
    for (answer, height) in [(&absence, 3), (&of_block_0, 0)] {
        let found = parsed(verify(&elsewhere, "verify-proof", answer, &network));
        assert_eq!((&found["value"], &found["block_num"]), (&Value::Null, &json!(height)));
    }
    for (answer, kind) in [(&entry, "transaction"), (&receipt, "receipt")] {
        let found = parsed(verify(&elsewhere, "verify-proof", answer, &network));
        assert_eq!((&found["kind"], &found["transaction_id"]), (&json!(kind), &json!(transaction)));
    }

    let stranger = home.scratch("stranger.toml");
    elsewhere.dgt(["genesis", "new", "--home", "stranger", "--out", stranger.to_str().unwrap()]).ok();
    for (command, answer) in
        [("verify-certificate", &certificate), ("verify-proof", &value), ("verify-proof", &entry)]
    {
        let refusal = verify(&elsewhere, command, answer, &stranger).failed(1);
        assert!(refusal.contains("another network"), "{refusal}");
    }
}

#[test]
fn a_changed_answer_is_refused() {
    let site = Site::with_blocks(1);
    let network = site.home.path().join("etc/network.toml");
    let address = text(&site.client().get("/state?address=1cf126"), "/data/0/address").to_owned();
    let proof = site.client().get(&format!("/state/{address}?proof=true"));
    let id = site.client().head().id;
    let certificate = site.client().get(&format!("/blocks/{id}/certificate"));
    let file = site.home.scratch("changed.json");
    let code = |command: &str, answer: &Value| {
        std::fs::write(&file, answer.to_string()).unwrap();
        let ran = verify(&site.home, command, &file, &network);
        assert_eq!(ran.stdout.is_empty(), ran.code != Some(0), "{ran:?}");
        ran.code
    };
    assert_eq!(code("verify-proof", &proof), Some(0));
    assert_eq!(code("verify-certificate", &certificate), Some(0));
    let bytes = ["/data/value", "/data/proof", "/data/block/certificate", "/data/block/headers/0"];
    for pointer in bytes {
        let mut changed = proof.clone();
        let mut bytes = BASE64.decode(text(&proof, pointer).as_bytes()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        *changed.pointer_mut(pointer).unwrap() = BASE64.encode(&bytes).into();
        assert_eq!(code("verify-proof", &changed), Some(1), "{pointer}");
    }
    for pointer in ["/data/certificate", "/data/headers/0"] {
        let mut changed = certificate.clone();
        let mut bytes = BASE64.decode(text(&certificate, pointer).as_bytes()).unwrap();
        bytes[20] ^= 1;
        *changed.pointer_mut(pointer).unwrap() = BASE64.encode(&bytes).into();
        assert_eq!(code("verify-certificate", &changed), Some(1), "{pointer}");
    }
    for nothing in
        [json!({}), json!([]), json!({"data": {}}), json!({"data": {"block": {"headers": [1]}}}), json!(null)]
    {
        assert_eq!(code("verify-proof", &nothing), Some(1), "{nothing}");
        assert_eq!(code("verify-certificate", &nothing), Some(1), "{nothing}");
    }
    std::fs::write(&file, "no JSON").unwrap();
    assert!(verify(&site.home, "verify-proof", &file, &network).failed(1).contains("no JSON"));
}
