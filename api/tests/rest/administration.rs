//! What operators see and set: metrics, caching, compression, other sites, the log.

use std::sync::Arc;
use std::time::Duration;

use api::{ApiLimits, Committed, Cors, LogLevels, Offender, Stage, ViewEnd};
use ledger_types::ValidatorId;
use parking_lot::Mutex;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client;
use crate::node::Node;
use crate::signing::{address, batch};

#[tokio::test]
async fn metrics_count_requests_by_route_never_by_path() {
    let node = Node::start().await;
    node.commit();
    let pipeline = node.api_state.metrics.pipeline();
    pipeline.stage(Stage::Pool, Duration::from_millis(3));
    pipeline.finality(Duration::from_millis(9));
    pipeline.decision(Duration::from_millis(9));
    pipeline.committed(Committed { blocks: 1, batches: 2, transactions: 3, rejected: 4 });
    pipeline.view_ended(ViewEnd::Nullified);
    let (own, stranger) = (ValidatorId { cluster: 0, node: 0 }, ValidatorId { cluster: 9, node: 9 });
    pipeline.vote_missed(own);
    pipeline.vote_missed(stranger);
    {
        let mut status = node.engine.status.lock();
        (status.pool_bytes, status.pool_oldest_ms) = (700, Some(2_500));
    }
    for path in ["/blocks/1", "/blocks/2", "/nowhere", "/elsewhere", "/status"] {
        node.get(path).await;
    }
    let answer = node.get("/metrics").await;
    let expected = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(answer.head.contains(expected), "{}", answer.head);
    for line in [
        "dgt_http_requests_total{route=\"/blocks/{id}\",code=\"400\"} 2",
        "dgt_http_requests_total{route=\"none\",code=\"404\"} 2",
        "dgt_http_requests_total{route=\"/status\",code=\"200\"} 1",
        "dgt_http_request_duration_seconds_count{route=\"/blocks/{id}\"} 2",
        "dgt_head_height 1",
        "dgt_lag_blocks 0",
        "dgt_view 7",
        "dgt_ready 1",
        "dgt_pool_batches 0",
        "dgt_links 0",
        "dgt_links_up 0",
        "dgt_validators_heard 1",
        "dgt_quorum_heard 1",
        "dgt_offenders 0",
        "dgt_network_sent_frames_total 1",
        "dgt_network_sent_bytes_total 200",
        "dgt_network_received_frames_total 3",
        "dgt_network_received_bytes_total 400",
        "dgt_network_dropped_frames_total 5",
        "dgt_store_bytes{file=\"consensus-01.lmdb\"} 4096",
        "dgt_final_height 1",
        "dgt_fault 0",
        "dgt_votes 1",
        "dgt_validators 1",
        "dgt_quorum 1",
        "dgt_pool_bytes 700",
        "dgt_pool_oldest_seconds 2.5",
        "dgt_disk_free_bytes 1073741824",
        "dgt_stage_duration_seconds_count{stage=\"pool\"} 1",
        "dgt_stage_duration_seconds_bucket{le=\"0.004\",stage=\"pool\"} 1",
        "dgt_stage_duration_seconds_bucket{le=\"0.002\",stage=\"pool\"} 0",
        "dgt_stage_duration_seconds_count{stage=\"commit\"} 0",
        "dgt_finality_seconds_count 1",
        "dgt_batch_decision_seconds_count 1",
        "dgt_blocks_committed_total 1",
        "dgt_batches_committed_total 2",
        "dgt_transactions_committed_total 3",
        "dgt_batches_rejected_total 4",
        "dgt_views_ended_total{outcome=\"notarized\"} 0",
        "dgt_views_ended_total{outcome=\"nullified\"} 1",
        "dgt_votes_missed_total{validator=\"c1-1\"} 1",
        "dgt_store_map_bytes{file=\"consensus-01.lmdb\"} 8192",
        "# EOF",
    ] {
        assert!(answer.body.lines().any(|found| found == line), "{line} is not in\n{}", answer.body);
    }
    assert!(!answer.body.contains("c10-10"), "no label that is not of the network");
    let memory = answer.body.lines().find_map(|line| line.strip_prefix("dgt_memory_bytes "));
    assert!(memory.unwrap().parse::<u64>().unwrap() > 1 << 20, "{memory:?}");
    node.engine.status.lock().offenders.push(Offender { validator: "c1-3".into(), view: "12".into() });
    assert!(node.get("/metrics").await.body.contains("\ndgt_offenders 1\n"));
    assert_eq!(
        node.get("/status").await.json()["data"]["node"]["offenders"],
        json!([{"validator": "c1-3", "view": "12"}])
    );
    *node.engine.fault.lock() = Some("no room".into());
    assert!(node.get("/metrics").await.body.contains("\ndgt_ready 0\n"));
}

#[tokio::test]
async fn what_never_changes_may_be_cached_for_ever() {
    let node = Node::start().await;
    let batch = batch(1, &[format!("{} x", address(1))]);
    node.commit_all(&[&batch]).await;
    let head = node.ledger.head().id;
    let immutable = "cache-control: public, max-age=31536000, immutable\r\n";
    let transaction = batch.transactions[0].id;
    for path in
        [format!("/blocks/{head}"), format!("/batches/{}", batch.id), format!("/transactions/{transaction}")]
    {
        assert!(node.get(&path).await.head.contains(immutable), "{path}");
    }
    let none = "0".repeat(128);
    for path in
        [format!("/blocks/{none}"), "/blocks".into(), "/status".into(), format!("/state/{}", address(1))]
    {
        assert!(!node.get(&path).await.head.contains("cache-control"), "{path}");
    }
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_ask() {
    let node = Node::start().await;
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    let request = "GET /blocks HTTP/1.1\r\nhost: n\r\nconnection: close\r\naccept-encoding: gzip\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    assert!(head.contains("content-encoding: gzip"), "{head}");
    assert!(bytes[end..].windows(2).any(|part| part == [0x1f, 0x8b]), "the body is gzip");
    assert!(!node.get("/blocks").await.head.contains("content-encoding"));
}

#[tokio::test]
async fn other_sites_pages_are_let_in_only_by_setting() {
    let ask = async |cors: Cors, origin: &str| {
        let node = Node::with_limits(ApiLimits { cors, ..ApiLimits::default() }).await;
        let headers = format!("origin: {origin}\r\naccess-control-request-method: POST\r\n");
        let get = client::send(node.address, "GET", "/status", &headers, b"").await.head;
        let preflight = client::send(node.address, "OPTIONS", "/batches", &headers, b"").await;
        (get, preflight)
    };
    let (get, preflight) = ask(Cors::Off, "https://a.example").await;
    assert!(!get.contains("access-control-"), "{get}");
    assert_eq!(preflight.status, 405);
    let (get, preflight) = ask(Cors::Any, "https://a.example").await;
    assert!(get.contains("access-control-allow-origin: *"), "{get}");
    assert_eq!(preflight.status, 200);
    let some = Cors::Origins(vec!["https://a.example".into()]);
    let (get, preflight) = ask(some.clone(), "https://a.example").await;
    assert!(get.contains("access-control-allow-origin: https://a.example"), "{get}");
    assert!(preflight.head.contains("access-control-allow-methods: get,post"), "{}", preflight.head);
    let (get, _) = ask(some, "https://b.example").await;
    assert!(!get.contains("access-control-allow-origin"), "{get}");
}

#[tokio::test]
async fn a_request_whose_head_does_not_arrive_is_given_up() {
    let limits =
        ApiLimits { connections: 1, header_timeout: Duration::from_millis(50), ..ApiLimits::default() };
    let node = Node::with_limits(limits).await;
    let mut slow = TcpStream::connect(node.address).await.unwrap();
    slow.write_all(b"GET /status HTTP/1.1\r\n").await.unwrap();
    let dripping = tokio::spawn(async move {
        // A byte now and then is no progress: only the whole head is.
        let mut now_and_then = tokio::time::interval(Duration::from_millis(5));
        while slow.write_all(b"x").await.is_ok() {
            now_and_then.tick().await;
        }
    });
    let answer = tokio::time::timeout(Duration::from_secs(20), node.get("/status"));
    assert_eq!(answer.await.expect("the only slot is free again").status, 200);
    tokio::time::timeout(Duration::from_secs(20), dripping).await.expect("the connection is closed").unwrap();
}

/// Takes any filter but an empty one.
struct Levels(Mutex<String>);

impl LogLevels for Levels {
    fn filter(&self) -> String {
        self.0.lock().clone()
    }

    fn set_filter(&self, filter: &str) -> Result<(), String> {
        if filter.is_empty() {
            return Err("it is empty".into());
        }
        filter.clone_into(&mut self.0.lock());
        Ok(())
    }
}

#[tokio::test]
async fn the_admin_port_shows_metrics_and_changes_the_log() {
    let node = Node::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = api::admin_router(node.api_state.clone(), Arc::new(Levels(Mutex::new("info".into()))));
    tokio::spawn(async move {
        api::serve(listener, router, &ApiLimits::default(), None, std::future::pending()).await
    });
    let send =
        async |method: &str, path: &str, body: &[u8]| client::send(address, method, path, "", body).await;

    node.get("/blocks").await;
    let metrics = send("GET", "/metrics", b"").await.body;
    assert!(metrics.contains("dgt_http_requests_total{route=\"/blocks\",code=\"200\"} 1"), "{metrics}");
    assert_eq!(send("GET", "/readyz", b"").await.status, 200);
    assert_eq!(send("GET", "/log", b"").await.json(), json!({"data": {"filter": "info"}}));
    let changed = send("PUT", "/log", b"info,ledger=debug\n").await;
    assert_eq!((changed.status, changed.json()), (200, json!({"data": {"filter": "info,ledger=debug"}})));
    assert_eq!(send("PUT", "/log", b" ").await.error(), (400, 112));
    assert_eq!(send("PUT", "/log", b"\xff").await.error(), (400, 112));
    assert_eq!(send("PUT", "/log", &[b'x'; 4097]).await.error(), (413, 100));
    assert_eq!(send("GET", "/log", b"").await.json()["data"]["filter"], "info,ledger=debug");
    assert_eq!(send("GET", "/blocks", b"").await.status, 404);
    assert_eq!(node.get("/log").await.status, 404, "clients do not reach it");
}
