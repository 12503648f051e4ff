//! Certificates, and proofs checked with what they carry and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ledger::roots;
use ledger::state::StateProof;
use ledger_types::certificate::{Candidate, Certificate, Certified};
use ledger_types::hash::sha256;
use ledger_types::{BlockHeader, Entry, Hash, VoteKey, receipt::Receipt};
use serde_json::{Value, json};

use crate::node::Node;
use crate::signing::{address, batch};

fn bytes(value: &Value) -> Bytes {
    STANDARD.decode(value.as_str().unwrap()).unwrap().into()
}

/// The headers in an answer: each is the parent of the next, and the last is the one that the certificate names.
fn headers(block: &Value) -> Vec<BlockHeader> {
    let headers: Vec<_> = block["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| BlockHeader::decode(bytes(one)).unwrap())
        .collect();
    assert!(headers.windows(2).all(|pair| pair[1].parent == pair[0].id()), "{headers:?}");
    if !block["certificate"].is_null() {
        let certificate = Certificate::from_bytes(bytes(&block["certificate"])).unwrap();
        assert_eq!(certificate.certified().candidate().unwrap().block, headers.last().unwrap().id());
    }
    headers
}

/// The root that a path leads to, by RFC 9162 section 2.1.3.2.
fn root_of(leaf: Hash, mut index: usize, count: usize, path: &[Hash]) -> Hash {
    let (mut last, mut hash) = (count - 1, leaf);
    for beside in path {
        if index % 2 == 1 || index == last {
            hash = sha256(&[&[1], &beside.0, &hash.0]);
            while index.is_multiple_of(2) && index != 0 {
                (index, last) = (index / 2, last / 2);
            }
        } else {
            hash = sha256(&[&[1], &hash.0, &beside.0]);
        }
        (index, last) = (index / 2, last / 2);
    }
    assert_eq!(last, 0, "the path is too short");
    hash
}

/// Checks an inclusion against the header that it carries and returns that and the content.
fn included(proof: &Value, domain: &[u8]) -> (BlockHeader, Hash, Bytes) {
    let content = bytes(&proof["content"]);
    let number = |name: &str| usize::try_from(proof[name].as_u64().unwrap()).unwrap();
    let path: Vec<Hash> = serde_json::from_value(proof["path"].clone()).unwrap();
    let leaf = roots::leaf(domain, &content);
    let root = root_of(leaf, number("leaf_index"), number("leaf_count"), &path);
    let header = headers(&proof["block"]).swap_remove(0);
    assert_eq!(json!(header.id()), proof["block"]["id"]);
    assert_eq!(proof["block"]["block_num"], header.height.to_string());
    (header, root, content)
}

#[tokio::test]
async fn a_certificate_is_shown_for_people_and_in_its_bytes() {
    let node = Node::start().await;
    node.commit();
    let head = node.ledger.head().id;
    let answer = node.get(&format!("/blocks/{head}/certificate")).await.json();
    assert_eq!(answer["link"], format!("http://node:8108/blocks/{head}/certificate"));
    let vote = json!({
        "from_view": "258", "kind": "FINALIZE", "name": "n1", "signature": "5e".repeat(64), "validator": "c1-1",
        "vote_key": "ab".repeat(32),
    });
    let data = &answer["data"];
    assert_eq!(data["sections"], json!([{"cluster": 0, "name": "c1", "signers": [vote]}]));
    let statement = json!({"block_id": head, "block_num": "1", "kind": "FINALIZE", "view": "258"});
    assert_eq!((&data["statement"], &data["epoch"]), (&statement, &json!("0")));
    assert_eq!(headers(data)[0].id(), head);
}

#[tokio::test]
async fn the_votes_of_a_block_come_in_the_order_of_the_topology() {
    let node = Node::in_clusters(&[2, 1]).await;
    node.commit();
    let head = node.ledger.head().id;
    let vote = |cluster: &str, name: &str, validator: &str, key: u8| {
        json!({
            "block_id": head, "block_num": "1", "cluster": cluster, "from_view": "258", "kind": "FINALIZE", "name": name,
            "signature": "5e".repeat(64), "validator": validator, "view": "258", "vote_key": VoteKey([key; 32]),
        })
    };
    let votes =
        [vote("c1", "n1", "c1-1", 0xab), vote("c1", "n2", "c1-2", 0xac), vote("c2", "n3", "c2-1", 0xad)];
    for path in ["/votes", "/votes?height=1"] {
        let answer = node.get(path).await.json();
        assert_eq!(answer["data"], json!(votes), "{path}");
        assert_eq!(answer["link"], format!("http://node:8108{path}"));
    }
}

#[tokio::test]
async fn the_votes_of_a_block_may_be_those_of_its_descendant() {
    let node = Node::start().await;
    (0..3).for_each(|_| node.commit());
    node.engine.certificates.lock().retain(|height, _| *height == 3);
    let votes = node.get("/votes?height=1").await.json()["data"].clone();
    assert_eq!((&votes[0]["block_num"], &votes[0]["block_id"]), (&json!("3"), &json!(node.ledger.head().id)));
}

#[tokio::test]
async fn a_block_may_be_final_by_its_descendant() {
    let node = Node::start().await;
    (0..3).for_each(|_| node.commit());
    node.engine.certificates.lock().retain(|height, _| *height == 3);
    let first = node.ledger.reader().block_id(1).unwrap().unwrap();
    let data = node.get(&format!("/blocks/{first}/certificate")).await.json()["data"].clone();
    let headers = headers(&data);
    assert_eq!((headers.len(), headers[0].id()), (3, first));
    assert_eq!(data["statement"]["block_num"], "3");
}

#[tokio::test]
async fn a_descendant_that_is_not_committed_yet_or_far_away_does_not_count() {
    let node = Node::start().await;
    (0..258).for_each(|_| node.commit());
    node.engine.certificates.lock().retain(|height, _| *height == 258);
    for (height, expected) in [(2, 404), (3, 200), (258, 200)] {
        assert_eq!(node.get(&format!("/votes?height={height}")).await.status, expected, "{height}");
    }
    let ahead = node.engine.certificates.lock().remove(&258).unwrap();
    let Certified::Finalization(candidate) = ahead.certified() else { panic!("{ahead:?}") };
    let candidate = Candidate { height: 259, ..candidate };
    let ahead = Certificate::new(0, Certified::Finalization(candidate), ahead.votes()).unwrap();
    node.engine.certificates.lock().insert(258, ahead);
    assert_eq!(node.get("/votes?height=258").await.error(), (404, 106));
}

#[tokio::test]
async fn what_has_no_certificate_is_404() {
    let node = Node::start().await;
    node.commit();
    node.engine.certificates.lock().clear();
    let (head, genesis) = (node.ledger.head().id, node.ledger.reader().block_id(0).unwrap().unwrap());
    let none = "0".repeat(128);
    for (path, expected) in [
        (format!("/blocks/{genesis}/certificate"), (404, 106)),
        (format!("/blocks/{head}/certificate"), (404, 106)),
        (format!("/blocks/{none}/certificate"), (404, 70)),
        ("/blocks/1/certificate".into(), (400, 60)),
        ("/votes".into(), (404, 106)),
        ("/votes?height=0".into(), (404, 106)),
        ("/votes?height=2".into(), (400, 107)),
        ("/votes?height=".into(), (400, 107)),
        ("/votes?height=+1".into(), (400, 107)),
        ("/votes?height=0x1".into(), (400, 107)),
        (format!("/transactions/{none}/proof"), (404, 72)),
        (format!("/receipts/{none}/proof"), (404, 80)),
        ("/receipts/1/proof".into(), (400, 60)),
        (format!("/state/{}?proof=true", address(1)), (404, 106)),
        ("/state/1cf126?proof=true".into(), (404, 75)),
    ] {
        assert_eq!(node.get(&path).await.error(), expected, "{path}");
    }
}

#[tokio::test]
async fn every_transaction_and_receipt_of_a_block_has_a_proof() {
    let node = Node::start().await;
    let batches: Vec<_> =
        (1..6).map(|n| batch(n, &[format!("{} x", address(n)), format!("{} y", address(n + 50))])).collect();
    let refused = batch(9, &["refused".into()]);
    let all: Vec<_> = batches[..2].iter().chain([&refused]).chain(&batches[2..]).collect();
    node.commit_all(&all).await;
    for batch in &batches {
        for (at, transaction) in batch.transactions.iter().enumerate() {
            let proof =
                node.get(&format!("/transactions/{}/proof", transaction.id)).await.json()["data"].clone();
            let (header, root, content) = included(&proof, roots::ENTRIES);
            assert_eq!(root, header.entries_root);
            let Entry::Batch(proven) = Entry::decode(content).unwrap() else { panic!("a rejection") };
            assert_eq!(
                (proven.transactions[at].id, &proof["transaction_index"]),
                (transaction.id, &json!(at))
            );

            let proof = node.get(&format!("/receipts/{}/proof", transaction.id)).await.json()["data"].clone();
            let (header, root, content) = included(&proof, roots::RECEIPTS);
            assert_eq!((root, proof["root"].as_str()), (header.receipts_root, Some("receipts_root")));
            assert_eq!(Receipt::decode(content).unwrap().transaction, transaction.id);
        }
    }
    let rejected = node.get(&format!("/transactions/{}/proof", refused.transactions[0].id)).await;
    assert_eq!(rejected.error(), (404, 72));
}

#[tokio::test]
async fn a_value_and_its_absence_have_proofs_at_every_head() {
    let node = Node::start().await;
    let genesis = node.ledger.head().id;
    node.commit_all(&[&batch(1, &[format!("{} old", address(1)), format!("{} z", address(2))])]).await;
    let first = node.ledger.head().id;
    node.commit_all(&[&batch(2, &[address(1)])]).await;
    let last = node.ledger.head().id;
    for (address, head, value) in [
        (address(1), genesis, None),
        (address(1), first, Some("old")),
        (address(1), last, None),
        (address(2), last, Some("z")),
        (address(3), last, None),
    ] {
        let path = format!("/state/{address}?head={head}&proof=true");
        let answer = node.get(&path).await.json();
        assert_eq!(
            (&answer["head"], &answer["link"]),
            (&json!(head), &json!(format!("http://node:8108{path}")))
        );
        let data = &answer["data"];
        assert_eq!(data["value"], json!(value.map(|value| STANDARD.encode(value))), "{path}");
        let header = headers(&data["block"]).swap_remove(0);
        assert_eq!(header.id(), head);
        let proof = StateProof::decode(bytes(&data["proof"])).unwrap();
        let address = address.parse().unwrap();
        assert_eq!(proof.verify(&header.state_root, &address, value.map(str::as_bytes)), Ok(()), "{path}");
        assert!(proof.verify(&header.state_root, &address, Some(b"another")).is_err());
    }
    assert_eq!(node.get(&format!("/state/{}?proof=false", address(3))).await.error(), (404, 75));
}
