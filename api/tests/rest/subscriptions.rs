//! State deltas over a WebSocket.

use std::net::SocketAddr;
use std::time::Duration;

use api::{ApiLimits, Cors};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::client;
use crate::node::Node;
use crate::signing::{address, batch};

/// A client.
struct Subscriber(WebSocketStream<TcpStream>);

impl Subscriber {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (socket, _) =
            tokio_tungstenite::client_async("ws://node:8108/subscriptions", stream).await.unwrap();
        Self(socket)
    }

    async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    async fn subscribe(&mut self, prefixes: &[&str]) {
        self.say(&json!({"action": "subscribe", "address_prefixes": prefixes}).to_string()).await;
    }

    async fn next(&mut self) -> Option<Message> {
        let next = timeout(Duration::from_secs(20), self.0.next()).await.expect("a message or the end");
        next.and_then(Result::ok)
    }

    async fn hear(&mut self) -> Value {
        loop {
            match self.next().await {
                Some(Message::Text(text)) => return serde_json::from_str(&text).unwrap(),
                Some(Message::Ping(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_subscriber_gets_the_newest_block_and_then_every_block() {
    let node = Node::start().await;
    let genesis = node.ledger.head().id;
    let mut subscriber = Subscriber::connect(node.address).await;
    subscriber.subscribe(&["aabbcc01", &address(2)]).await;
    let first = json!({
        "block_id": genesis, "block_num": "0", "previous_block_id": "0000000000000000", "state_changes": [],
    });
    assert_eq!(subscriber.hear().await, first);

    node.commit_all(&[
        &batch(1, &[format!("{} old", address(1)), format!("{} a", address(2)), format!("{} b", address(3))]),
        &batch(2, &[address(1), format!("{} new", address(2))]),
    ])
    .await;
    let middle = node.ledger.head().id;
    let changes = json!([
        {"address": address(2), "type": "SET", "value": STANDARD.encode("new")},
        {"address": address(1), "type": "DELETE", "value": ""},
    ]);
    let second =
        json!({"block_id": middle, "block_num": "1", "previous_block_id": genesis, "state_changes": changes});
    assert_eq!(subscriber.hear().await, second);

    node.commit_all(&[&batch(3, &[format!("{} c", address(3))])]).await;
    let third = subscriber.hear().await;
    assert_eq!(
        (&third["block_num"], &third["state_changes"]),
        (&json!("2"), &json!([])),
        "no change of its own"
    );

    subscriber.say(&json!({"action": "get_block_deltas", "block_id": middle}).to_string()).await;
    assert_eq!(
        subscriber.hear().await["state_changes"].as_array().unwrap().len(),
        3,
        "no prefix: everything"
    );
    subscriber
        .say(
            &json!({"action": "get_block_deltas", "block_id": middle, "address_prefixes": ["aabbcc03"]})
                .to_string(),
        )
        .await;
    assert_eq!(subscriber.hear().await["state_changes"][0]["address"], address(3));
}

#[tokio::test]
async fn an_unsubscribed_client_hears_only_what_it_asks_for() {
    let node = Node::start().await;
    let mut subscriber = Subscriber::connect(node.address).await;
    subscriber.subscribe(&[]).await;
    assert_eq!(subscriber.hear().await["block_num"], "0");
    subscriber.say(r#"{"action": "unsubscribe"}"#).await;
    subscriber.say(r#"{"action": "get_block_deltas"}"#).await;
    assert_eq!(subscriber.hear().await, json!({"error": "Must specify a block id"}));
    (0..3).for_each(|_| node.commit());
    let head = node.ledger.head().id;
    subscriber.say(&json!({"action": "get_block_deltas", "block_id": head}).to_string()).await;
    assert_eq!(subscriber.hear().await["block_num"], "3", "blocks 1 to 3 were not sent");
}

#[tokio::test]
async fn wrong_messages_are_answered_as_upstream_does() {
    let limits = ApiLimits { ids: 2, ..ApiLimits::default() };
    let node = Node::with_limits(limits).await;
    let mut subscriber = Subscriber::connect(node.address).await;
    for (text, error) in [
        ("nonsense", "Invalid input: \"nonsense\""),
        ("[]", "Invalid input: \"[]\""),
        (r#"{"action": 1}"#, "Invalid input: \"{\"action\": 1}\""),
        (r#"{"action": "x"}"#, "Unknown action \"x\""),
        ("{}", "Unknown action \"None\""),
        (
            r#"{"action": "subscribe", "address_prefixes": ["", "", ""]}"#,
            "Invalid input: \"{\"action\": \"subscribe\", \"address_prefixes\": [\"\", \"\", \"\"]}\"",
        ),
        (
            r#"{"action": "get_block_deltas", "block_id": "00"}"#,
            "There is no block with the id specified in the blockchain.",
        ),
    ] {
        subscriber.say(text).await;
        assert_eq!(subscriber.hear().await, json!({"error": error}), "{text}");
    }
    *node.engine.fault.lock() = Some("no room".into());
    subscriber.subscribe(&[]).await;
    assert_eq!(subscriber.hear().await, json!({"warning": "Validator unavailable"}));
    assert_eq!(subscriber.hear().await["block_num"], "0");
}

#[tokio::test]
async fn a_message_beyond_the_limit_ends_the_subscription() {
    let node = Node::with_limits(ApiLimits { message_bytes: 100, ..ApiLimits::default() }).await;
    let mut subscriber = Subscriber::connect(node.address).await;
    subscriber.say(&"x".repeat(100)).await;
    assert_eq!(subscriber.hear().await, json!({"error": format!("Invalid input: \"{}\"", "x".repeat(100))}));
    subscriber.say(&"x".repeat(101)).await;
    assert!(matches!(subscriber.next().await, None | Some(Message::Close(_))));
}

#[tokio::test]
async fn a_quiet_subscriber_is_pinged() {
    let node =
        Node::with_limits(ApiLimits { ping_every: Duration::from_millis(5), ..ApiLimits::default() }).await;
    let mut subscriber = Subscriber::connect(node.address).await;
    assert!(matches!(subscriber.next().await, Some(Message::Ping(_))));
}

#[tokio::test]
async fn subscriptions_are_closed_with_1001_when_the_node_stops() {
    let mut node = Node::start().await;
    let mut subscriber = Subscriber::connect(node.address).await;
    subscriber.subscribe(&[]).await;
    assert_eq!(subscriber.hear().await["block_num"], "0");
    drop(node.stop.take());
    match subscriber.next().await {
        Some(Message::Close(Some(close))) => assert_eq!(u16::from(close.code), 1001),
        other => panic!("{other:?}"),
    }
    drop(subscriber);
    timeout(Duration::from_secs(4), node.served.take().unwrap())
        .await
        .expect("no grace was needed")
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_subscriber_that_never_reads_is_dropped() {
    let limits = ApiLimits { streams: 1, write_timeout: Duration::from_millis(100), ..ApiLimits::default() };
    let node = Node::with_limits(limits).await;
    let mut subscriber = Subscriber::connect(node.address).await;
    subscriber.subscribe(&[]).await;
    assert_eq!(subscriber.hear().await["block_num"], "0");
    let refused = upgrade(&node, "").await;
    assert_eq!(refused.error(), (503, 109), "the only place is taken");
    // More than the kernel buffers for the two of them.
    for n in 0..24 {
        let value = "x".repeat(1_000_000);
        node.commit_all(&[&batch(n, &[format!("{} {value}", address(n))])]).await;
    }
    let freed = async {
        while upgrade_status(&node).await == 503 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), freed).await.expect("its place is free again");
    drop(subscriber);
}

#[tokio::test]
async fn pages_of_other_sites_may_not_subscribe_unless_permitted() {
    let node = Node::start().await;
    assert_eq!(node.get("/subscriptions").await.error(), (400, 110));
    assert_eq!(upgrade(&node, "origin: https://evil.example\r\n").await.error(), (403, 111));
    let limits = ApiLimits { cors: Cors::Origins(vec!["https://a.example".into()]), ..ApiLimits::default() };
    let node = Node::with_limits(limits).await;
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    let request = request("origin: https://a.example\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
}

fn request(headers: &str) -> String {
    format!(
        "GET /subscriptions HTTP/1.1\r\nhost: node:8108\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{headers}\r\n"
    )
}

/// Asks for a subscription that is refused.
async fn upgrade(node: &Node, headers: &str) -> client::Answer {
    client::exchange(node.address, request(headers).as_bytes()).await
}

/// The status of the answer to the request for a subscription, which ends at once if it was given.
async fn upgrade_status(node: &Node) -> u16 {
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, request("").as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut answer).await.unwrap();
    std::str::from_utf8(&answer[9..]).unwrap().parse().unwrap()
}
