use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use ledger::roots;
use ledger::state::tree;
use ledger_types::certificate::{Candidate, Certified};
use ledger_types::receipt::Receipt;
use ledger_types::{Address, BlockHeader, BlockId, TransactionId};
use serde_json::{Value, json};

use super::super::claim::proven;
use super::network::{ANCHOR, QUORUM, certificate, header};

fn base64(bytes: &[u8]) -> Value {
    BASE64_STANDARD.encode(bytes).into()
}

/// A block as answers hold it, final by its validators' votes.
fn block(header: &BlockHeader) -> Value {
    let candidate = Candidate { view: header.view, height: header.height, block: header.id() };
    let certificate = certificate(Certified::Finalization(candidate), &QUORUM);
    json!({"certificate": base64(&certificate), "headers": [base64(&header.encode())]})
}

fn refusal(answer: &Value) -> String {
    format!("{:#}", proven(&ANCHOR, answer).unwrap_err())
}

/// The answer for an address of a state with one value.
fn state_answer(address: Address) -> Value {
    let value = Bytes::from_static(b"value");
    let changes = BTreeMap::from([(Address([1; 35]), Some(value.clone()))]);
    let update = tree::update(&BTreeMap::<Vec<u8>, Bytes>::new(), 0, &changes).unwrap();
    let nodes: BTreeMap<Vec<u8>, Bytes> = update.records().collect();
    let proof = tree::prove(&nodes, 0, &address).unwrap().encode();
    let header = BlockHeader { state_root: update.root, ..header(3, BlockId([2; 64])) };
    let value = if address.0[0] == 1 { base64(&value) } else { Value::Null };
    json!({"address": address.to_string(), "block": block(&header), "proof": base64(&proof), "value": value})
}

#[test]
fn a_value_and_its_absence_are_proven() {
    for address in [Address([1; 35]), Address([2; 35])] {
        let mut answer = state_answer(address);
        let claim = proven(&ANCHOR, &answer).unwrap();
        assert_eq!((claim["valid"].as_bool(), claim["block_num"].as_u64()), (Some(true), Some(3)));
        assert_eq!((&claim["value"], &claim["address"]), (&answer["value"], &answer["address"]));
        answer["value"] = if answer["value"].is_null() { base64(b"value") } else { Value::Null };
        assert!(refusal(&answer).contains("other kind"));
        answer["value"] = "no base64!".into();
        assert!(refusal(&answer).contains("base64"));
    }
    let mut answer = state_answer(Address([1; 35]));
    answer["block"]["certificate"] = Value::Null;
    assert!(refusal(&answer).contains("no certificate"));
    answer["block"] = Value::Null;
    assert!(refusal(&answer).contains("no header"));
    assert!(refusal(&json!({})).contains("no header"));
}

#[test]
fn a_receipt_is_proven_under_its_own_root() {
    let receipt = |n| Receipt {
        transaction: TransactionId([n; 64]),
        state_changes: vec![],
        events: vec![],
        data: vec![],
    };
    let contents: Vec<Vec<u8>> = (0..3).map(|n| receipt(n).encode()).collect();
    let leaves: Vec<_> = contents.iter().map(|content| roots::leaf(roots::RECEIPTS, content)).collect();
    let header =
        BlockHeader { receipts_root: roots::root(&leaves), receipt_count: 3, ..header(3, BlockId([2; 64])) };
    let path: Vec<String> = roots::path(&leaves, 1).unwrap().iter().map(ToString::to_string).collect();
    let answer = json!({
        "block": block(&header), "content": base64(&contents[1]), "id": TransactionId([1; 64]).to_string(),
        "leaf_index": 1, "path": path, "root": "receipts_root",
    });
    let claim = proven(&ANCHOR, &answer).unwrap();
    assert_eq!((&claim["kind"], &claim["transaction_id"]), (&"receipt".into(), &answer["id"]));
    for (key, value, words) in [
        ("id", Value::from(TransactionId([2; 64]).to_string()), "another transaction"),
        ("content", base64(&contents[2]), "another root"),
        ("leaf_index", 2.into(), "does not belong"),
        ("leaf_index", u64::MAX.into(), "does not belong"),
        ("leaf_index", Value::Null, "leaf_index"),
        ("path", json!(["zz"]), "no hash"),
        ("root", "entries_root".into(), "does not belong"),
        ("root", "state_root".into(), "no header has"),
    ] {
        let mut changed = answer.clone();
        changed[key] = value;
        assert!(refusal(&changed).contains(words), "{key}: {}", refusal(&changed));
    }
}
