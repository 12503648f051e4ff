//! The network, the graph of blocks, and the node's health.

use serde_json::json;

use crate::node::Node;
use crate::signing::{address, batch};

#[tokio::test]
async fn the_topology_is_a_tree_of_clusters() {
    let node = Node::start().await;
    let mut validator = json!({
        "delegate": true, "mnemonic": "AA.aa1", "name": "n1", "net_key": "cd".repeat(32), "node_state": "active",
        "role": "leader", "type": "peer", "validator": "c1-1", "vote_key": "ab".repeat(32),
    });
    let answer = node.get("/topology").await.json();
    assert_eq!(answer["link"], "http://node:8108/topology");
    let cluster = &answer["data"]["children"]["c1"];
    assert_eq!(cluster["children"]["n1"], validator);
    assert_eq!(
        (&cluster["name"], &cluster["segment"], &cluster["type"]),
        (&json!("c1"), &json!("A"), &json!("cluster"))
    );
    let gates = node.get("/gates").await.json();
    assert_eq!(gates["data"], json!([{"cluster": "c1", "gate": validator}]));

    *node.engine.fault.lock() = Some("no room".into());
    validator["node_state"] = json!("inactive");
    assert_eq!(node.get("/topology").await.json()["data"]["children"]["c1"]["children"]["n1"], validator);
}

#[tokio::test]
async fn the_families_are_those_that_the_node_executes() {
    let node = Node::start().await;
    let put =
        json!({"commands": [], "name": "put", "names": ["put"], "namespaces": ["aabbcc"], "version": "1.0"});
    assert_eq!(
        node.get("/tx_families").await.json(),
        json!({"data": [put], "link": "http://node:8108/tx_families"})
    );
}

#[tokio::test]
async fn the_dag_is_one_branch_as_of_the_head_asked_for() {
    let node = Node::start().await;
    let genesis = node.ledger.head();
    node.commit_all(&[&batch(1, &[format!("{} x", address(1)), address(1)])]).await;
    let middle = node.ledger.head();
    node.commit();
    let head = node.ledger.head();
    let answer = node.get("/dag").await.json();
    let ids: Vec<_> = answer["data"].as_array().unwrap().iter().map(|vertex| &vertex["id"]).collect();
    assert_eq!(json!(ids), json!([head.id, middle.id, genesis.id]));
    let expected = json!({
        "block_num": "1", "children": [head.id], "entries": 1, "id": middle.id, "parents": [genesis.id],
        "proposer": "c1-1", "state_root_hash": middle.state_root, "time_ms": "1000", "transactions": 2, "view": "258",
    });
    assert_eq!(answer["data"][1], expected);
    assert_eq!(answer["data"][2]["parents"], json!([]));
    assert_eq!(node.get(&format!("/dag/{}", middle.id)).await.json()["data"], expected);
    let pinned = node.get(&format!("/dag/{}?head={}", middle.id, middle.id)).await.json();
    assert_eq!((&pinned["data"]["children"], &pinned["head"]), (&json!([]), &json!(middle.id)));

    let page = node.get("/dag?limit=1&reverse").await.json();
    assert_eq!(
        (&page["data"][0]["id"], &page["paging"]["next_position"]),
        (&json!(genesis.id), &json!("0x0000000000000001"))
    );
    let none = "0".repeat(128);
    for (path, expected) in [
        (format!("/dag/{none}"), (404, 70)),
        (format!("/dag/{}?head={}", head.id, middle.id), (404, 70)),
        (format!("/dag?head={none}"), (404, 50)),
        ("/dag/1".into(), (400, 60)),
        ("/dag?start=0x9".into(), (400, 54)),
        ("/graph?limit=0".into(), (400, 53)),
    ] {
        assert_eq!(node.get(&path).await.error(), expected, "{path}");
    }
}

#[tokio::test]
async fn the_graph_is_graphviz_text() {
    let node = Node::start().await;
    let genesis = node.ledger.head().id.to_string();
    node.commit();
    let head = node.ledger.head().id.to_string();
    let answer = node.get("/graph").await;
    let expected = format!(
        "digraph chain {{\n  rankdir=RL;\n  node [shape=box, fontname=monospace];\n  \"{head}\" [label=\"1\\n{}\"];\n  \
         \"{head}\" -> \"{genesis}\";\n  \"{genesis}\" [label=\"0\\n{}\"];\n}}\n",
        &head[..8],
        &genesis[..8]
    );
    assert_eq!((answer.status, answer.body), (200, expected));
    assert!(answer.head.contains("content-type: text/vnd.graphviz; charset=utf-8"), "{}", answer.head);
}

#[tokio::test]
async fn a_node_with_a_fault_is_alive_and_not_ready() {
    let node = Node::start().await;
    assert_eq!(node.get("/healthz").await.json(), json!({"status": "ok"}));
    let ready = node.get("/readyz").await;
    assert_eq!((ready.status, ready.json()), (200, json!({"status": "ready"})));
    *node.engine.fault.lock() = Some("the map is full".into());
    assert_eq!(node.get("/healthz").await.status, 200);
    let faulty = node.get("/readyz").await;
    assert_eq!(faulty.error(), (503, 108));
    let message = faulty.json()["error"]["message"].clone();
    assert_eq!(message, "The node does not take part in its network: the map is full");
    assert_eq!(node.get("/blocks").await.status, 200, "reads go on");
}
