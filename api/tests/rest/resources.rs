//! Single resources, to the byte.

use serde_json::json;

use crate::client;
use crate::node::Node;
use crate::signing::{address, batch};

#[tokio::test]
async fn a_block_is_shown_in_full_with_sorted_keys() {
    let node = Node::start().await;
    let batch = batch(1, &[format!("{} x", address(1))]);
    node.commit_all(&[&batch]).await;
    let (head, parent) = (node.ledger.head(), node.ledger.reader().block_id(0).unwrap().unwrap());
    let (transaction, signer) = (&batch.transactions[0], batch.signer);
    let hash = &transaction.header.payload_sha512;
    let answer = node.get(&format!("/blocks/{}", head.id)).await;
    let expected = format!(
        r#"{{
  "data": {{
    "batches": [
      {{
        "header": {{
          "signer_public_key": "{signer}",
          "transaction_ids": [
            "{txn}"
          ]
        }},
        "header_signature": "{id}",
        "trace": false,
        "transactions": [
          {{
            "header": {{
              "batcher_public_key": "{signer}",
              "dependencies": [],
              "family_name": "put",
              "family_version": "1.0",
              "inputs": [
                "aabbcc"
              ],
              "nonce": "\u00e90",
              "outputs": [
                "aabbcc"
              ],
              "payload_sha512": "{hash}",
              "signer_public_key": "{signer}"
            }},
            "header_signature": "{txn}",
            "payload": "YWFiYmNjMDEwMTAxMDEwMTAxMDEwMTAxMDEwMTAxMDEwMTAxMDEwMTAxMDEwMTAxMDEwMTAxMDEwMTAxMDEwMTAxMDEwMSB4"
          }}
        ]
      }}
    ],
    "header": {{
      "batch_ids": [
        "{id}"
      ],
      "block_num": "1",
      "consensus": "RkJGVDEAAAAAAAAAAAAAAAAAAAEC",
      "previous_block_id": "{parent}",
      "signer_public_key": "{vote_key}",
      "state_root_hash": "{root}"
    }},
    "header_signature": "{head}"
  }},
  "link": "http://node:8108/blocks/{head}"
}}"#,
        id = batch.id,
        txn = transaction.id,
        head = head.id,
        root = head.state_root,
        vote_key = "ab".repeat(32),
    );
    assert_eq!(answer.body, expected);
    assert!(answer.head.contains("content-type: application/json; charset=utf-8"), "{}", answer.head);

    let block = answer.json();
    let of_batch = node.get(&format!("/batches/{}", batch.id)).await.json();
    assert_eq!(of_batch["data"], block["data"]["batches"][0]);
    assert_eq!(of_batch["link"], format!("http://node:8108/batches/{}", batch.id));
    let of_transaction = node.get(&format!("/transactions/{}?a=1", transaction.id)).await.json();
    assert_eq!(of_transaction["data"], block["data"]["batches"][0]["transactions"][0]);
    assert_eq!(of_transaction["link"], format!("http://node:8108/transactions/{}?a=1", transaction.id));
}

#[tokio::test]
async fn the_first_block_has_sixteen_zeros_for_a_parent() {
    let node = Node::start().await;
    let block = node.get("/blocks").await.json()["data"][0].clone();
    assert_eq!(block["header"]["previous_block_id"], "0000000000000000");
    assert_eq!((&block["header"]["block_num"], &block["batches"]), (&json!("0"), &json!([])));
}

#[tokio::test]
async fn a_value_is_served_at_the_head_asked_for() {
    let node = Node::start().await;
    node.commit_all(&[&batch(1, &[format!("{} old", address(1))])]).await;
    let first = node.ledger.head().id;
    node.commit_all(&[&batch(2, &[address(1)])]).await;
    let path = format!("/state/{}", address(1));
    let answer = node.get(&format!("{path}?head={first}")).await.json();
    assert_eq!(
        answer,
        json!({"data": "b2xk", "head": first, "link": format!("http://node:8108{path}?head={first}")})
    );
    assert_eq!(node.get(&path).await.error(), (404, 75));
}

#[tokio::test]
async fn receipts_leave_out_what_is_empty() {
    let node = Node::start().await;
    let batch = batch(1, &[format!("{} x", address(1)), address(1)]);
    node.commit_all(&[&batch]).await;
    let (set, delete) = (batch.transactions[0].id, batch.transactions[1].id);
    let path = format!("/receipts?id={delete},{set}");
    let answer = node.get(&path).await.json();
    let expected = json!([
        {"data": [], "events": [], "id": delete, "state_changes": [{"address": address(1), "type": "DELETE"}]},
        {
            "data": ["//4=", ""],
            "events": [{"attributes": [{"key": "value", "value": "x"}, {"key": "empty"}], "event_type": "put/set"}],
            "id": set,
            "state_changes": [{"address": address(1), "type": "SET", "value": "eA=="}],
        },
    ]);
    assert_eq!(answer, json!({"data": expected, "link": format!("http://node:8108{path}")}));
    let body = json!([delete, set]).to_string();
    let by_body = node.post("/receipts", "application/json", body.as_bytes()).await.json();
    assert_eq!(by_body, json!({"data": expected}));
}

#[tokio::test]
async fn a_lone_node_has_a_status_and_no_peers() {
    let node = Node::start().await;
    let head = node.ledger.head().id;
    let expected = json!({
        "endpoint": "tcp://127.0.0.1:8101",
        "node": {
            "catching_up": null, "duty": "votes", "fault": null, "final_height": "0", "head": head, "heard": 1, "height": "0", "is_quorum_heard": true, "lag": "0",
            "leader": "c1-1", "links": [], "name": "c1-1", "network_id": "09".repeat(32), "offenders": [], "pool_batches": 0,
            "quorum": 1, "role": "leader", "time_ms": "1500", "validators": 1, "version": env!("CARGO_PKG_VERSION"), "view": "7",
        },
        "peers": [],
    });
    assert_eq!(
        node.get("/status").await.json(),
        json!({"data": expected, "link": "http://node:8108/status"})
    );
    let peers = node.get("/peers").await;
    assert_eq!(peers.body, "{\n  \"data\": [],\n  \"link\": \"http://node:8108/peers\"\n}");
}

#[tokio::test]
async fn head_is_answered_wherever_get_is_without_a_body() {
    let node = Node::start().await;
    for path in ["/blocks", "/status", "/state", "/batches?limit=0", "/batch_statuses", "/nowhere"] {
        let (get, head) = (node.get(path).await, client::send(node.address, "HEAD", path, "", b"").await);
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
        let length = format!("content-length: {}", get.body.len());
        assert!(head.head.contains(&length), "{path}: {}", head.head);
    }
}
