//! What clients get wrong, and what they are told.

use std::time::Duration;

use api::ApiLimits;
use ledger_types::proto::client::BatchList;
use prost::Message as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client;
use crate::node::Node;
use crate::signing::{address, batch, list};

const PROTOBUF: &str = "application/octet-stream";

#[tokio::test]
async fn wrong_reads_have_the_codes_that_clients_know() {
    let node = Node::start().await;
    let none = "0".repeat(128);
    let upper = "A".repeat(128);
    for (path, expected) in [
        ("/blocks?limit=0", (400, 53)),
        ("/transactions?limit=many", (400, 53)),
        ("/blocks?head=foo", (400, 60)),
        ("/blocks?head=", (400, 60)),
        ("/state?head=foo", (400, 60)),
        (&format!("/blocks?head={none}"), (404, 50)),
        (&format!("/batches?head={none}"), (404, 50)),
        (&format!("/transactions?head={none}"), (404, 50)),
        (&format!("/state?head={none}"), (404, 70)),
        (&format!("/state/{}?head={none}", address(1)), (404, 70)),
        ("/blocks?start=0x0000000000000001", (400, 54)),
        ("/blocks?start=1", (400, 54)),
        ("/blocks?reverse&start=0xffffffffffffffff", (400, 54)),
        (&format!("/batches?start={none}"), (400, 54)),
        ("/transactions?start=foo", (400, 54)),
        ("/blocks?reverse=default", (400, 57)),
        ("/batches?reverse=block_num", (400, 57)),
        ("/state?reverse=true", (400, 57)),
        (&format!("/blocks/{none}"), (404, 70)),
        (&format!("/batches/{none}"), (404, 71)),
        (&format!("/transactions/{none}"), (404, 72)),
        ("/blocks/1", (400, 60)),
        (&format!("/batches/{upper}"), (400, 60)),
        ("/transactions/%00", (400, 60)),
        ("/state?address=1", (400, 62)),
        ("/state?address=AB", (400, 62)),
        ("/state/zz", (400, 62)),
        ("/state/1cf12", (400, 62)),
        ("/state/1cf126", (404, 75)),
        (&format!("/state/{}", address(1)), (404, 75)),
        (&format!("/state/{}00", address(1)), (400, 62)),
        ("/batch_statuses", (400, 66)),
        ("/batch_statuses?id=abc", (400, 60)),
        ("/receipts", (400, 83)),
        (&format!("/receipts?id={none}"), (404, 80)),
    ] {
        assert_eq!(node.get(path).await.error(), expected, "{path}");
    }
    let message = node.get("/blocks/1").await.json()["error"]["message"].clone();
    assert!(message.as_str().unwrap().ends_with(" id was invalid: 1"), "{message}");
}

#[tokio::test]
async fn wrong_bodies_have_the_codes_that_clients_know() {
    let node = Node::with_limits(ApiLimits { ids: 2, batches_per_list: 2, ..ApiLimits::default() }).await;
    let json_type = "application/json";
    let id = "0".repeat(128);
    let empty_batches =
        BatchList { batches: vec![Default::default(); 3], ..Default::default() }.encode_to_vec();
    let no_batches = BatchList { block_num: 7, ..Default::default() }.encode_to_vec();
    for (path, content_type, body, expected) in [
        ("/batches", "application/protobuf", vec![1], (400, 42)),
        ("/batches", "application/octet-stream; charset=utf-8", vec![1], (400, 42)),
        ("/batches", PROTOBUF, vec![], (400, 34)),
        ("/batches", PROTOBUF, no_batches, (400, 34)),
        ("/batches", PROTOBUF, b"no protobuf".to_vec(), (400, 35)),
        ("/batches", PROTOBUF, vec![0x0a, 3, 0x12, 1, 0xff], (400, 35)),
        ("/batches", PROTOBUF, empty_batches, (400, 101)),
        ("/batch_statuses", "text/plain", b"[]".to_vec(), (400, 43)),
        ("/batch_statuses", json_type, b"[]".to_vec(), (400, 46)),
        ("/batch_statuses", json_type, b"not json".to_vec(), (400, 46)),
        ("/batch_statuses", json_type, br#"{"id": "x"}"#.to_vec(), (400, 46)),
        ("/batch_statuses", json_type, br#"["x", 1]"#.to_vec(), (400, 46)),
        ("/batch_statuses", json_type, br#"["x"]"#.to_vec(), (400, 60)),
        ("/batch_statuses", json_type, json!([id, id, id]).to_string().into_bytes(), (400, 102)),
        ("/receipts", "text/plain", b"[]".to_vec(), (400, 81)),
        ("/receipts", json_type, b"".to_vec(), (400, 82)),
        ("/receipts", json_type, br#"["abc"]"#.to_vec(), (400, 60)),
        ("/receipts", json_type, json!([id]).to_string().into_bytes(), (404, 80)),
    ] {
        assert_eq!(node.post(path, content_type, &body).await.error(), expected, "{path} {body:?}");
    }
    for (path, code) in [("/batches", 42), ("/batch_statuses", 43), ("/receipts", 81)] {
        let untyped = client::send(node.address, "POST", path, "", b"[]").await;
        assert_eq!(untyped.error(), (400, code), "{path} without a content type");
    }
}

#[tokio::test]
async fn a_refused_list_admits_nothing_and_says_why() {
    let node = Node::start().await;
    let good = batch(1, &[format!("{} x", address(1))]);
    let mut forged = batch(2, &[format!("{} x", address(1))]).to_proto();
    forged.header_signature = "0".repeat(128);
    let mut unordered = batch(3, &["a".into(), "b".into()]).to_proto();
    unordered.transactions.swap(0, 1);
    for (bad, reason) in [
        (forged, "batch 1: batch header_signature: the ed25519 signature does not verify"),
        (unordered, "batch 1: transaction_ids are not the ids of the transactions in order"),
    ] {
        let list = BatchList { batches: vec![good.to_proto(), bad], ..Default::default() };
        let answer = node.post("/batches", PROTOBUF, &list.encode_to_vec()).await;
        let message = "The submitted BatchList was rejected by the validator. It was poorly formed, or has an \
                       invalid signature. Reason: ";
        let error = json!({"code": 30, "message": format!("{message}{reason}"), "title": "Submitted Batches Invalid"});
        assert_eq!((answer.status, answer.json()), (400, json!({"error": error})));
    }
    let status = node.get(&format!("/batch_statuses?id={}", good.id)).await.json();
    assert_eq!(status["data"][0]["status"], "UNKNOWN");
}

#[tokio::test]
async fn a_full_pool_is_429() {
    let node = Node::start().await;
    node.fill_pool();
    assert_eq!(node.submit(&[&batch(1, &["x".into()])]).await.error(), (429, 31));
}

#[tokio::test]
async fn bodies_are_bounded_in_size_and_time() {
    let batch = batch(1, &["x".into()]);
    let body = list(&[&batch]);
    let limits = ApiLimits {
        body_bytes: body.len(),
        bodies_bytes: 0,
        body_timeout: Duration::from_millis(50),
        ..ApiLimits::default()
    };
    let node = Node::with_limits(limits).await;
    assert_eq!(node.post("/batches", PROTOBUF, &body).await.status, 202, "exactly the limit");
    let head = "POST /batches HTTP/1.1\r\nhost: n\r\nconnection: close\r\ncontent-type: application/octet-stream\r\n";
    let declared = format!("{head}content-length: {}\r\n\r\n", body.len() + 1);
    assert_eq!(client::exchange(node.address, declared.as_bytes()).await.error(), (413, 100));
    let chunk = [&b"\x0a"[..], &vec![0; body.len()]].concat();
    let chunked =
        [format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n", chunk.len()).as_bytes(), &chunk]
            .concat();
    assert_eq!(client::exchange(node.address, &chunked).await.error(), (413, 100));

    let slow = format!("{head}content-length: {}\r\n\r\nx", body.len());
    assert_eq!(client::exchange(node.address, slow.as_bytes()).await.error(), (408, 104));
}

#[tokio::test]
async fn bodies_of_all_clients_together_are_bounded() {
    let limits = ApiLimits { body_bytes: 1_000, bodies_bytes: 1_000, ..ApiLimits::default() };
    let node = Node::with_limits(limits).await;
    let mut first = TcpStream::connect(node.address).await.unwrap();
    let head = "POST /batches HTTP/1.1\r\nhost: n\r\nexpect: 100-continue\r\ncontent-length: 1000\r\n";
    first.write_all(format!("{head}content-type: {PROTOBUF}\r\n\r\n").as_bytes()).await.unwrap();
    // The server asks for the body once it has set memory aside for it.
    let mut asked = [0; 25];
    first.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    let second = node.post("/batches", PROTOBUF, &[1; 1_000]);
    tokio::pin!(second);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut second).await;
    assert!(early.is_err(), "read while another body had all the memory");
    drop(first);
    assert_eq!(second.await.error(), (400, 35), "memory is given back when a client leaves");
}

#[tokio::test]
async fn unknown_routes_and_methods_are_plain_text() {
    let node = Node::start().await;
    for path in ["/", "/nowhere", "/blocks/", "/blocks/1/2", "/batch_status"] {
        let answer = node.get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, "404: Not Found"), "{path}");
        assert!(answer.head.contains("content-type: text/plain; charset=utf-8"));
    }
    for (method, path) in
        [("POST", "/blocks"), ("DELETE", "/batches"), ("PUT", "/status"), ("POST", "/state/00")]
    {
        let answer = client::send(node.address, method, path, "", b"").await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (405, "405: Method Not Allowed"),
            "{method} {path}"
        );
        assert!(answer.head.contains("allow: "), "{}", answer.head);
    }
}
