//! Clients that stay: waits without end, and subscriptions that nobody reads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger_types::signature::Curve;
use serde_json::json;
use tests::load::{key, set};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;
use txfamilies::sign_batch;

use crate::connections::answer;
use crate::victim::{Answers, Victim};
use crate::wire::request;

/// How long something may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connects with a buffer so small that next to nothing is taken off the node's hands.
pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(address).await.unwrap()
}

#[test]
fn those_who_wait_without_end_hold_nobody_up() {
    const WAITING: usize = 400;
    let mut victim = Victim::start(&[]);
    let never = set("never", 1).after("ab".repeat(64));
    let pending = sign_batch(&key(Curve::Ed25519, "bob"), &[never]);
    assert_eq!(victim.submit(std::slice::from_ref(&pending)).status, 202);
    let address = victim.address();
    let runtime = Runtime::new().unwrap();
    let mut waiting = JoinSet::new();
    for _ in 0..WAITING {
        let path = format!("GET /batch_statuses?id={}&wait=300", pending.header_signature);
        let task = async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(&request(&path, "", b"")).await.unwrap();
            answer(&mut socket).await
        };
        waiting.spawn_on(task, runtime.handle());
    }
    // Served beside them: every block wakes all of them up.
    for number in 0..20 {
        let batch = sign_batch(&key(Curve::Ed25519, "bob"), &[set(&format!("beside {number}"), 1)]);
        victim.client().commit(&batch);
        victim.keep(&batch);
    }
    assert!(waiting.try_join_next().is_none(), "a wait ended although nothing was decided");
    victim.survived("waits without end");
    // All waits end with the node.
    let mut answers = Answers::default();
    victim.stop();
    runtime.block_on(async {
        while let Some(ended) = timeout(PATIENCE, waiting.join_next()).await.expect("waits that end") {
            answers.count(ended.unwrap());
        }
    });
    assert_eq!(answers.of("closed") + answers.of("200"), WAITING, "{answers:?}");
    eprintln!("waits that ended with the node: {answers:?}");
}

/// A text frame of a client, masked with zeros.
fn frame(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[0x81, 0x80 | 126, length[0], length[1], 0, 0, 0, 0], text.as_bytes()].concat()
}

/// Asks for the upgrade and says something; the connection, and the status of the answer.
async fn open_stream(mut socket: TcpStream, frames: &[u8]) -> (TcpStream, u16) {
    let upgrade = "GET /subscriptions HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).await.unwrap();
    let mut line = [0; 12];
    socket.read_exact(&mut line).await.unwrap();
    let status = String::from_utf8_lossy(&line[9..]).parse().unwrap();
    // One that is refused is cut off, perhaps before it has said all.
    let _ = socket.write_all(frames).await;
    (socket, status)
}

/// Lets clients subscribe that read, until there is no room; those that got a place.
async fn subscribe_readers(address: SocketAddr, answers: &mut Answers) -> Vec<TcpStream> {
    let mut readers = Vec::new();
    loop {
        let socket = TcpStream::connect(address).await.unwrap();
        let subscribe = frame(r#"{"action": "subscribe", "address_prefixes": [""]}"#);
        let (socket, status) = open_stream(socket, &subscribe).await;
        answers.count(status.to_string());
        if status != 101 {
            assert_eq!(status, 503);
            return readers;
        }
        readers.push(socket);
    }
}

async fn read_to_the_end(mut socket: TcpStream) -> usize {
    let mut sink = Vec::new();
    let _ = socket.read_to_end(&mut sink).await;
    sink.len()
}

#[test]
fn subscribers_that_never_read_make_room_for_those_that_do() {
    const SUBSCRIBERS: usize = 30;
    /// Together more than the kernel holds for a connection: 4 MiB at most.
    const TIMES: usize = 100;
    let mut victim =
        Victim::start(&[&format!("api.limits.streams={SUBSCRIBERS}"), "api.limits.write_timeout_ms=1000"]);
    let wide: Vec<_> = (0..500).map(|index| set(&format!("wide {index}"), 1)).collect();
    let wide = sign_batch(&key(Curve::Ed25519, "bob"), &wide);
    victim.client().commit(&wide);
    victim.keep(&wide);
    // The changes of a wide block, again and again.
    let deltas = json!({"action": "get_block_deltas", "block_id": victim.client().head().id, "address_prefixes": [""]});
    let deltas = Arc::new(frame(&deltas.to_string()).repeat(TIMES));
    let (address, runtime) = (victim.address(), Runtime::new().unwrap());
    let mut answers = Answers::default();
    let never_read: Vec<TcpStream> = runtime.block_on(async {
        let mut subscribers = JoinSet::new();
        for _ in 0..SUBSCRIBERS {
            let deltas = Arc::clone(&deltas);
            subscribers.spawn(async move { open_stream(connect(address).await, &deltas).await });
        }
        let subscribers = timeout(PATIENCE, subscribers.join_all()).await.expect("answers to all upgrades");
        assert!(subscribers.iter().all(|(_, status)| *status == 101));
        subscribers.into_iter().map(|(socket, _)| socket).collect()
    });
    let mut readers = JoinSet::new();
    let give_up = Instant::now() + PATIENCE;
    while readers.len() < SUBSCRIBERS {
        assert!(Instant::now() < give_up, "{} never read and are still there", SUBSCRIBERS - readers.len());
        victim.commit_one();
        for reader in runtime.block_on(subscribe_readers(address, &mut answers)) {
            readers.spawn_on(read_to_the_end(reader), runtime.handle());
        }
    }
    assert!(answers.of("503") > 0, "there was no limit: {answers:?}");
    victim.add(&answers);
    victim.survived("subscribers that never read");
    victim.stop();
    let received = runtime.block_on(async { timeout(PATIENCE, readers.join_all()).await });
    let received = received.expect("the node closes what it served");
    assert!(received.iter().all(|bytes| *bytes > 0), "{received:?}");
    drop(never_read);
}
