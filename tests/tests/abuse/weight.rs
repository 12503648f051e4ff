//! Requests and answers of the largest size, many at once.

use std::net::SocketAddr;
use std::time::Duration;

use ledger_types::hash::sha512;
use ledger_types::limits::{PAYLOAD_BYTES, REST_BODY_BYTES};
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use tests::client::Outcome;
use tests::load::key;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;
use txfamilies::sign_batch;

use crate::connections::answer;
use crate::forgery::raw;
use crate::streams::connect;
use crate::victim::{Answers, Victim};
use crate::wire::{post, request};

/// How long something may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(180);

/// A batch that commits almost as much as a block may hold: a payload may have keys that its family does not know.
fn large_batch(number: usize) -> proto::Batch {
    let filler = PAYLOAD_BYTES - 1_000;
    let transactions = (0..7).map(|index| {
        let name = format!("large {number} {index}");
        let mut payload = b"\xa4\x64Verb\x63set\x65Value\x01\x64Name".to_vec();
        payload.push(0x60 | u8::try_from(name.len()).unwrap());
        payload.extend(name.as_bytes());
        payload.extend(b"\x63xxx\x5a");
        payload.extend(u32::try_from(filler).unwrap().to_be_bytes());
        payload.extend((0..filler / 64).flat_map(|block| sha512(&[name.as_bytes(), &block.to_le_bytes()])));
        payload.resize(payload.len() + filler % 64, 0);
        raw("intkey", "1.0", payload)
    });
    sign_batch(&key(Curve::Ed25519, "bob"), &transactions.collect::<Vec<_>>())
}

/// A node whose pages of batches are as large as pages get.
fn victim_with_large_pages(settings: &[&str]) -> Victim {
    let mut victim = Victim::start(settings);
    for number in 0..2 {
        let batch = large_batch(number);
        assert_eq!(victim.client().decide(&batch), Outcome::Committed);
        victim.keep(&batch);
    }
    victim
}

/// Sends the same request from many clients at once, who all read the answer.
fn send_at_once(address: SocketAddr, clients: usize, bytes: &'static [u8]) -> Answers {
    Runtime::new().unwrap().block_on(async {
        let mut sending = JoinSet::new();
        for _ in 0..clients {
            sending.spawn(timeout(PATIENCE, async move {
                let mut socket = TcpStream::connect(address).await.unwrap();
                // A client that is refused may be cut off before it has said all.
                let _ = socket.write_all(bytes).await;
                answer(&mut socket).await
            }));
        }
        let mut answers = Answers::default();
        while let Some(ended) = sending.join_next().await {
            answers.count(ended.unwrap().expect("an answer"));
        }
        answers
    })
}

#[test]
fn the_largest_bodies_at_once_take_turns_for_the_memory() {
    const CLIENTS: usize = 100;
    let mut victim = Victim::start(&[]);
    let body = post("/batches", "application/octet-stream", &vec![0; REST_BODY_BYTES]).leak();
    let answers = send_at_once(victim.address(), CLIENTS, body);
    assert_eq!(answers.of("400/35"), CLIENTS, "{answers:?}");
    victim.add(&answers);
    victim.survived("the largest bodies at once");
    victim.stop();
}

#[test]
fn the_largest_bodies_that_never_end_are_given_up() {
    const CLIENTS: usize = 50;
    let mut victim = Victim::start(&["api.limits.body_timeout_ms=3000"]);
    let mut body = post("/batches", "application/octet-stream", &vec![0; REST_BODY_BYTES]);
    body.pop();
    let answers = send_at_once(victim.address(), CLIENTS, body.leak());
    // Twelve have all the memory for bodies; the others wait for it as long as a body may take, and get it too late or
    // not at all.
    assert_eq!(answers.of("408/104") + answers.of("503/105") + answers.of("closed"), CLIENTS, "{answers:?}");
    assert!(answers.of("408/104") >= 12, "{answers:?}");
    victim.add(&answers);
    victim.survived("the largest bodies without an end");
    victim.stop();
}

#[test]
fn the_largest_pages_at_once_are_served_or_put_off() {
    const CLIENTS: usize = 30;
    let mut victim = victim_with_large_pages(&[]);
    let answers = send_at_once(victim.address(), CLIENTS, request("GET /batches", "", b"").leak());
    assert_eq!(answers.of("200") + answers.of("503/105"), CLIENTS, "{answers:?}");
    assert!(answers.of("200") > 0, "{answers:?}");
    victim.add(&answers);
    victim.survived("the largest pages at once");
    victim.stop();
}

#[test]
fn answers_that_nobody_reads_are_not_piled_up() {
    const READERS: usize = 100;
    /// So many pages are more than the cap, even without what the kernel holds of each.
    const ANSWERED: usize = 70;
    /// Far more than two pages in the making and a fair amount of memory for answers.
    const CAP: u64 = 384 << 20;
    let mut victim =
        victim_with_large_pages(&["api.limits.concurrent_heavy=2", "api.limits.write_timeout_ms=120000"]);
    let (address, runtime) = (victim.address(), Runtime::new().unwrap());
    let mut unread = Vec::new();
    runtime.block_on(async {
        let mut readers = JoinSet::new();
        for _ in 0..READERS {
            readers.spawn(async move {
                let mut socket = connect(address).await;
                socket.write_all(&request("GET /batches", "", b"")).await.unwrap();
                // The beginning is there.
                socket.readable().await.unwrap();
                socket
            });
        }
        let answered = async {
            while unread.len() < ANSWERED {
                unread.push(readers.join_next().await.unwrap().unwrap());
            }
        };
        timeout(PATIENCE, answered).await.expect("answers");
    });
    let peak = victim.memory().peak;
    assert!(peak < CAP, "{} MiB", peak >> 20);
    // Some got a page, the others were told to come back.
    let mut answers = Answers::default();
    runtime.block_on(async {
        for mut socket in unread {
            let mut line = [0; 12];
            timeout(PATIENCE, socket.read_exact(&mut line)).await.expect("an answer").unwrap();
            answers.count(String::from_utf8_lossy(&line[9..]).into_owned());
        }
    });
    assert_eq!(answers.of("200") + answers.of("503"), ANSWERED, "{answers:?}");
    assert!(answers.of("200") > 0 && answers.of("503") > 0, "{answers:?}");
    victim.add(&answers);
    victim.survived("answers that nobody reads");
    victim.stop();
}
