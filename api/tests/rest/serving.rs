//! Connections: how many, and how they end.

use std::time::Duration;

use api::ApiLimits;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::client;
use crate::node::Node;
use crate::signing::batch;

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_for_a_slot() {
    let node = Node::with_limits(ApiLimits { connections: 1, ..ApiLimits::default() }).await;
    let held = TcpStream::connect(node.address).await.unwrap();
    let address = node.address;
    let mut waiting = tokio::spawn(async move { client::send(address, "GET", "/status", "", b"").await });
    let early = tokio::time::timeout(Duration::from_millis(100), &mut waiting).await;
    assert!(early.is_err(), "answered while another connection had the only slot");
    drop(held);
    assert_eq!(waiting.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_silent_connection_is_dropped() {
    let limits = ApiLimits {
        connections: 1,
        wait_max: Duration::from_millis(20),
        body_timeout: Duration::from_millis(20),
        ..ApiLimits::default()
    };
    let node = Node::with_limits(limits).await;
    let _silent = TcpStream::connect(node.address).await.unwrap();
    assert_eq!(node.get("/status").await.status, 200);
}

#[tokio::test]
async fn a_shutdown_cuts_off_waits_after_the_grace() {
    let limits = ApiLimits { shutdown_grace: Duration::from_millis(50), ..ApiLimits::default() };
    let mut node = Node::with_limits(limits).await;
    let batch = batch(1, &["no".into()]);
    node.submit(&[&batch]).await;
    let (address, path) = (node.address, format!("/batch_statuses?id={}&wait=200", batch.id));
    let waiting = tokio::spawn(async move { client::send(address, "GET", &path, "", b"").await });
    node.until_waiting(1).await;
    drop(node.stop.take());
    node.served.take().unwrap().await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "still accepts connections");
    waiting.abort();
}

#[tokio::test]
async fn answers_that_nobody_reads_are_bounded_over_all_clients() {
    let node = Node::with_limits(ApiLimits { answers_bytes: 16 << 20, ..ApiLimits::default() }).await;
    // More than the sockets' buffers take: what the client does not read stays in the node.
    for number in 0..8 {
        let payload = format!("aabbcc{} {}", "0".repeat(64), "x".repeat(900_000));
        node.commit_all(&[&batch(number, &[payload])]).await;
    }
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut idle = socket.connect(node.address).await.unwrap();
    idle.write_all(b"GET /batches HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    idle.readable().await.unwrap();
    assert_eq!(node.get("/batches").await.error(), (503, 105), "there is memory for one such answer");
    assert_eq!(node.get("/status").await.status, 200, "small answers go on");
    drop(idle);
    let mut answer = node.get("/batches").await;
    while answer.status == 503 {
        tokio::task::yield_now().await;
        answer = node.get("/batches").await;
    }
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), 8);
}
