//! Server-sent events.

use std::time::Duration;

use api::ApiLimits;
use serde_json::{Value, json};

use crate::client::Stream;
use crate::node::Node;
use crate::signing::{address, batch};

/// The commit, the changes and the id in the events of one block.
fn block(events: &str) -> (Value, Value, String) {
    let (commit, changes) = events.split_once("\n\n").unwrap();
    let commit = commit.strip_prefix("event: block-commit\ndata: ").unwrap_or_else(|| panic!("{events:?}"));
    let (id, changes) = changes.split_once('\n').unwrap();
    let changes = changes.strip_prefix("event: state-delta\ndata: ").unwrap_or_else(|| panic!("{events:?}"));
    let changes = changes.strip_suffix("\n\n").unwrap();
    let json = |text: &str| serde_json::from_str(text).unwrap();
    (json(commit), json(changes), id.strip_prefix("id: ").unwrap().to_owned())
}

#[tokio::test]
async fn every_block_is_a_commit_and_a_delta() {
    let node = Node::start().await;
    let genesis = node.ledger.head().id;
    let path = format!("/events?address={},ff", &address(1)[..8]);
    let (answer, mut stream) = Stream::open(node.address, &path, "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/event-stream\r\n"), "{}", answer.head);
    assert!(answer.head.contains("cache-control: no-store\r\n"), "{}", answer.head);
    let (commit, changes, id) = block(&stream.next().await.unwrap());
    assert_eq!(
        (&commit["block_id"], &changes["state_changes"], id.as_str()),
        (&json!(genesis), &json!([]), "0")
    );

    node.commit_all(&[&batch(1, &[format!("{} x", address(1)), format!("{} y", address(2))])]).await;
    let head = node.ledger.head();
    let (commit, changes, id) = block(&stream.next().await.unwrap());
    let expected = json!({
        "block_id": head.id, "block_num": "1", "previous_block_id": genesis, "state_root_hash": head.state_root,
    });
    assert_eq!((commit, id.as_str()), (expected, "1"));
    assert_eq!(changes["state_changes"], json!([{"address": address(1), "type": "SET", "value": "eA=="}]));
}

#[tokio::test]
async fn a_client_that_comes_back_misses_nothing() {
    let node = Node::start().await;
    (0..4).for_each(|_| node.commit());
    let (_, mut stream) = Stream::open(node.address, "/events", "last-event-id: 1\r\n").await;
    for expected in ["2", "3", "4"] {
        assert_eq!(block(&stream.next().await.unwrap()).2, expected);
    }
    node.commit();
    assert_eq!(block(&stream.next().await.unwrap()).2, "5");
    let (_, mut stream) = Stream::open(node.address, "/events", "last-event-id: 5\r\n").await;
    node.commit();
    assert_eq!(block(&stream.next().await.unwrap()).2, "6", "the newest block was seen already");
    for bad in ["7", "-1", "x", ""] {
        let headers = format!("last-event-id: {bad}\r\n");
        let answer = crate::client::send(node.address, "GET", "/events", &headers, b"").await;
        assert_eq!(answer.error(), (400, 107), "{bad:?}");
    }
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive_and_ends_in_time() {
    let limits = ApiLimits {
        ping_every: Duration::from_millis(5),
        wait_max: Duration::from_millis(100),
        ..ApiLimits::default()
    };
    let node = Node::with_limits(limits).await;
    let (_, mut stream) = Stream::open(node.address, "/events", "").await;
    block(&stream.next().await.unwrap());
    assert_eq!(stream.next().await.as_deref(), Some(":\n\n"));
    let end = async { while stream.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(20), end).await.expect("the end");
}

#[tokio::test]
async fn streams_are_bounded_in_number_and_in_what_they_ask_for() {
    let node = Node::with_limits(ApiLimits { streams: 1, ids: 2, ..ApiLimits::default() }).await;
    for (path, expected) in [("/events?address=a", (400, 62)), ("/events?address=aa,bb,cc", (400, 102))] {
        assert_eq!(node.get(path).await.error(), expected, "{path}");
    }
    let (answer, stream) = Stream::open(node.address, "/events", "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(node.get("/events").await.error(), (503, 109));
    drop(stream);
    let freed = async {
        loop {
            let (answer, _) = Stream::open(node.address, "/events", "").await;
            if answer.status == 200 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), freed).await.expect("its place is free again");
}

#[tokio::test]
async fn messages_of_all_subscribers_together_are_bounded() {
    let node = Node::with_limits(ApiLimits { stream_bytes: 1, ..ApiLimits::default() }).await;
    let (_, stuck) = Stream::open(node.address, "/events", "").await;
    // More than the kernel and the connection buffer for a client that does not read.
    for n in 0..24 {
        let value = "x".repeat(1_000_000);
        node.commit_all(&[&batch(n, &[format!("{} {value}", address(n))])]).await;
    }
    let mut waiting = async {
        loop {
            let (_, mut stream) = Stream::open(node.address, "/events?address=ff", "").await;
            // It may be served while the other one is not stuck yet.
            if tokio::time::timeout(Duration::from_millis(300), stream.next()).await.is_err() {
                return stream;
            }
        }
    }
    .await;
    drop(stuck);
    assert_eq!(block(&waiting.next().await.unwrap()).2, "24", "served once there is memory");
    drop(waiting);
    let (_, mut stream) = Stream::open(node.address, "/events", "").await;
    assert!(stream.next().await.unwrap().len() > 1_000_000, "a message above the limit goes out alone");
}

#[tokio::test]
async fn streams_end_when_the_node_stops() {
    let mut node = Node::start().await;
    let (_, mut stream) = Stream::open(node.address, "/events", "").await;
    block(&stream.next().await.unwrap());
    drop(node.stop.take());
    assert_eq!(stream.next().await, None);
    let served = tokio::time::timeout(Duration::from_secs(4), node.served.take().unwrap());
    served.await.expect("no grace was needed").unwrap().unwrap();
}
