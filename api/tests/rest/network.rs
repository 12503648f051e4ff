//! The network, the graph of blocks, and the node's health.

use api::{Heartbeat, Link};
use ledger_types::ValidatorId;
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

/// A node of two clusters of two: the links to c1-2 and c2-2 are up, c2-1 leads and is away.
async fn linked_node() -> Node {
    let node = Node::in_clusters(&[2, 2]).await;
    let link = |cluster, at, is_up| Link {
        validator: ValidatorId { cluster, node: at },
        endpoint: format!("tcp://10.0.{cluster}.{at}:8101"),
        is_up,
        trouble: (!is_up).then(|| "it hangs up".to_owned()),
        heartbeat: is_up.then_some(Heartbeat { final_height: 4, clock_offset_ms: -1_500 }),
    };
    {
        let mut status = node.engine.status.lock();
        status.links = vec![link(0, 1, true), link(1, 0, false), link(1, 1, true)];
        status.leader = ValidatorId { cluster: 1, node: 0 };
        status.final_height = 5;
    }
    node
}

#[tokio::test]
async fn the_status_tells_the_links_the_leader_and_the_lag() {
    let node = linked_node().await;
    node.commit();
    let data = node.get("/status").await.json()["data"].clone();
    let link = |validator: &str, endpoint: &str, is_up: bool| {
        let (trouble, offset) = ((!is_up).then_some("it hangs up"), is_up.then_some(-1_500));
        json!({"clock_offset_ms": offset, "endpoint": endpoint, "is_up": is_up, "trouble": trouble, "validator": validator})
    };
    let links = [
        link("c1-2", "tcp://10.0.0.1:8101", true),
        link("c2-1", "tcp://10.0.1.0:8101", false),
        link("c2-2", "tcp://10.0.1.1:8101", true),
    ];
    assert_eq!(data["node"]["links"], json!(links));
    for (name, expected) in [
        ("final_height", json!("5")),
        ("height", json!("1")),
        ("is_quorum_heard", json!(true)),
        ("lag", json!("4")),
        ("leader", json!("c2-1")),
        ("time_ms", json!("1500")),
        ("validators", json!(4)),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(data["node"][name], expected, "{name}");
    }
    let up = ["tcp://10.0.0.1:8101", "tcp://10.0.1.1:8101"];
    assert_eq!(data["peers"], json!(up.map(|endpoint| json!({"endpoint": endpoint}))));
    assert_eq!(node.get("/peers").await.json(), json!({"data": up, "link": "http://node:8108/peers"}));

    let metrics = node.get("/metrics").await.body;
    for line in [
        "dgt_links 3",
        "dgt_links_up 2",
        "dgt_lag_blocks 4",
        "dgt_validators 4",
        "dgt_link_up{validator=\"c1-2\"} 1",
        "dgt_link_up{validator=\"c2-1\"} 0",
        "dgt_peer_final_height{validator=\"c2-2\"} 4",
        "dgt_peer_clock_offset_seconds{validator=\"c1-2\"} -1.5",
        "dgt_votes_missed_total{validator=\"c2-1\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains("dgt_peer_clock_offset_seconds{validator=\"c2-1\"}"), "its link is down");
    node.engine.status.lock().links[0].heartbeat = None;
    let metrics = node.get("/metrics").await.body;
    assert!(!metrics.contains("dgt_peer_final_height{validator=\"c1-2\"}"), "no more");
}

#[tokio::test]
async fn a_head_above_what_consensus_told_is_no_lag() {
    let node = Node::start().await;
    node.commit();
    let data = node.get("/status").await.json()["data"]["node"].clone();
    assert_eq!((&data["final_height"], &data["lag"]), (&json!("1"), &json!("0")));
}

#[tokio::test]
async fn validators_with_a_link_are_active_and_the_leader_is_named() {
    let node = linked_node().await;
    let children = node.get("/topology").await.json()["data"]["children"].clone();
    for (cluster, name, state, role) in [
        ("c1", "n1", "active", "plink"),
        ("c1", "n2", "active", "plink"),
        ("c2", "n3", "inactive", "leader"),
        ("c2", "n4", "active", "plink"),
    ] {
        let validator = &children[cluster]["children"][name];
        assert_eq!((&validator["node_state"], &validator["role"]), (&json!(state), &json!(role)), "{name}");
    }
    let gates = node.get("/gates").await.json()["data"].clone();
    let states: Vec<_> = gates.as_array().unwrap().iter().map(|gate| &gate["gate"]["node_state"]).collect();
    assert_eq!(states, ["active", "inactive"]);
}

#[tokio::test]
async fn below_quorum_a_node_reads_and_says_why_it_writes_nothing() {
    let node = linked_node().await;
    let arithmetic = "1 of 4 validators is heard and 3 must vote";
    assert_eq!(node.get("/readyz").await.status, 200);
    node.lose_quorum(arithmetic);
    assert_eq!(node.get("/healthz").await.status, 200);
    let unready = node.get("/readyz").await;
    assert_eq!(unready.error(), (503, 108));
    let message = format!("The node takes no batches now: {arithmetic}");
    assert_eq!(unready.json()["error"]["message"], message);

    let refused = node.submit(&[&batch(1, &["x".into()])]).await;
    let message = format!(
        "The validator has no genesis block, and is not yet ready to be queried. Try your request again later. Reason: \
         {arithmetic}"
    );
    let error = json!({"code": 15, "message": message, "title": "Validator Not Ready"});
    assert_eq!((refused.status, refused.json()), (503, json!({"error": error})));

    assert_eq!(node.get("/blocks").await.status, 200, "reads go on");
    assert_eq!(node.get("/status").await.json()["data"]["node"]["is_quorum_heard"], json!(false));
    let own = node.get("/topology").await.json()["data"]["children"]["c1"]["children"]["n1"].clone();
    assert_eq!(own["node_state"], "active", "it takes part");
    let metrics = node.get("/metrics").await.body;
    for line in ["dgt_quorum_heard 0", "dgt_ready 0"] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
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
    assert_eq!(message, "The node takes no batches now: the map is full");
    assert_eq!(node.get("/blocks").await.status, 200, "reads go on");
}
