//! More connections than the node serves, and connections that do not end.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::victim::{Answers, Victim, kind};
use crate::wire::{post, request};

/// Connections at the same time.
const CROWD: usize = 10_000;
/// What else the tests of this process keep open.
const OTHER_FILES: u64 = 1_000;
/// How long a client of a crowd may have to wait: those that the kernel's queue has no room for try again in steps that
/// double.
const PATIENCE: Duration = Duration::from_secs(100);

static TURN: Mutex<()> = Mutex::new(());

/// Lets this process have so many files open.
fn allow_open_files(wanted: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let possible = limit.maximum.is_none_or(|maximum| maximum >= wanted);
    assert!(possible, "this test needs {wanted} open files; please raise the hard limit (ulimit -Hn)");
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })
        .expect("raising the limit of open files");
}

/// Reads a whole answer; its kind, or `closed` when there is none.
pub(crate) async fn answer(socket: &mut TcpStream) -> String {
    let mut received = Vec::new();
    // Reset instead of closed: what was received counts.
    let _ = socket.read_to_end(&mut received).await;
    let text = String::from_utf8_lossy(&received);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return "closed".to_owned() };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.map_or_else(|| panic!("no answer of HTTP: {head}"), |status| kind(status, body))
}

/// One client with one request. Where more knock than its queue holds, the kernel may reset a connection that the node
/// never saw; then the client comes again, as clients do.
async fn visit(address: SocketAddr, all_are_here: Arc<Barrier>) -> io::Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    all_are_here.wait().await;
    loop {
        let sent = socket.write_all(&request("GET /batches?limit=1", "", b"")).await;
        let kind = answer(&mut socket).await;
        if sent.is_ok() && kind != "closed" {
            return Ok(kind);
        }
        socket = TcpStream::connect(address).await?;
    }
}

/// A crowd of clients that all come at once, each with one request. Those in a group wait for one another before they
/// speak.
fn crowd(victim: &Victim, group: usize) -> Answers {
    // One crowd at a time: two would need more open files than many a machine allows.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    allow_open_files(CROWD as u64 + OTHER_FILES);
    let address = victim.address();
    Runtime::new().unwrap().block_on(async {
        let mut visitors = JoinSet::new();
        for _ in 0..CROWD / group {
            let all_are_here = Arc::new(Barrier::new(group));
            for _ in 0..group {
                visitors.spawn(timeout(PATIENCE, visit(address, Arc::clone(&all_are_here))));
            }
        }
        let mut answers = Answers::default();
        while let Some(visited) = visitors.join_next().await {
            answers.count(visited.unwrap().expect("an answer within the patience of a client").unwrap());
        }
        answers
    })
}

#[test]
fn ten_thousand_connections_at_the_same_time_are_all_served() {
    // Room for all, and nobody is sent away for waiting until the last one is there.
    let mut victim = Victim::start(&["api.limits.connections=12000", "api.limits.header_timeout_ms=120000"]);
    let answers = crowd(&victim, CROWD);
    assert_eq!(answers.of("200"), CROWD, "{answers:?}");
    victim.add(&answers);
    victim.survived("ten thousand connections");
    victim.stop();
}

#[test]
fn ten_thousand_clients_take_turns_on_the_connections_that_there_are() {
    let mut victim = Victim::start(&[]);
    let answers = crowd(&victim, 1);
    assert_eq!(answers.of("200"), CROWD, "{answers:?}");
    victim.add(&answers);
    victim.survived("ten thousand clients");
    victim.stop();
}

/// A client that keeps a slot as long as it can.
#[derive(Clone, Copy, Debug)]
enum Sloth {
    /// Sends nothing.
    Silent,
    /// Sends a byte of its headers now and then.
    SlowHeaders,
    /// Sends a byte of its body now and then.
    SlowBody,
    /// Sends a byte of a chunked body now and then.
    SlowChunks,
    /// Sends half of its headers and closes its direction.
    HalfHeaders,
    /// Sends half of its body and closes its direction.
    HalfBody,
}

impl Sloth {
    const ALL: [Self; 6] = [
        Self::Silent,
        Self::SlowHeaders,
        Self::SlowBody,
        Self::SlowChunks,
        Self::HalfHeaders,
        Self::HalfBody,
    ];
    /// Time between two bytes.
    const PACE: Duration = Duration::from_millis(50);

    /// What is sent at once, what drop by drop, and whether the client's direction is then closed.
    fn plan(self) -> (Vec<u8>, Vec<u8>, bool) {
        let octets = "Content-Type: application/octet-stream\r\n";
        let post = post("/batches", "application/octet-stream", &[b'x'; 10_000]);
        let (head, body) = post.split_at(post.len() - 10_000);
        let chunked = request("POST /batches", &format!("{octets}Transfer-Encoding: chunked\r\n"), b"");
        match self {
            Self::Silent => (Vec::new(), Vec::new(), false),
            Self::SlowHeaders => (b"GET /status HTTP/1.1\r\nX-Slow: ".to_vec(), vec![b'x'; 10_000], false),
            Self::SlowBody => (head.to_vec(), body.to_vec(), false),
            Self::SlowChunks => (chunked, b"1\r\nx\r\n".repeat(2_000), false),
            Self::HalfHeaders => (b"GET /status HTTP/1.1\r\nHost: no".to_vec(), Vec::new(), true),
            Self::HalfBody => (post[..post.len() - 5_000].to_vec(), Vec::new(), true),
        }
    }

    async fn linger(self, address: SocketAddr) -> (Self, String) {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let (at_once, drops, is_cut_off) = self.plan();
        let (mut reading, mut writing) = socket.split();
        let dribble = async {
            let mut pace = interval(Self::PACE);
            let mut is_open = writing.write_all(&at_once).await.is_ok();
            for drop in drops {
                pace.tick().await;
                is_open = is_open && writing.write_all(&[drop]).await.is_ok();
            }
            if is_cut_off && is_open {
                let _ = writing.shutdown().await;
            }
            // The node ends it.
            std::future::pending::<()>().await;
        };
        let mut first = [0];
        tokio::select! {
            () = dribble => {}
            _ = reading.peek(&mut first) => {}
        }
        (self, answer(&mut socket).await)
    }
}

#[test]
fn slow_clients_are_shown_the_door() {
    const OF_EACH: usize = 30;
    let slots = Sloth::ALL.len() * OF_EACH / 2;
    let mut victim = Victim::start(&[
        &format!("api.limits.connections={slots}"),
        "api.limits.header_timeout_ms=1000",
        "api.limits.body_timeout_ms=1500",
    ]);
    let address = victim.address();
    let mut answers = Answers::default();
    Runtime::new().unwrap().block_on(async {
        let mut sloths = JoinSet::new();
        for sloth in Sloth::ALL.into_iter().cycle().take(Sloth::ALL.len() * OF_EACH) {
            sloths.spawn(timeout(PATIENCE, sloth.linger(address)));
        }
        // Behind twice as many slow ones as there are slots, one client wants nothing but its turn.
        let turn = timeout(PATIENCE, visit(address, Arc::new(Barrier::new(1)))).await;
        assert_eq!(turn.expect("a turn").unwrap(), "200");
        while let Some(ended) = sloths.join_next().await {
            let (sloth, kind) = ended.unwrap().unwrap_or_else(|_| panic!("a slow client is there for ever"));
            let expected: &[&str] = match sloth {
                Sloth::Silent | Sloth::SlowHeaders | Sloth::HalfHeaders => &["closed", "408", "400"],
                // A body of unknown length has the memory of the largest one set aside, and others wait for it.
                Sloth::SlowBody | Sloth::SlowChunks => &["408/104", "503/105"],
                Sloth::HalfBody => &["closed", "408/104", "503/105"],
            };
            assert!(expected.contains(&kind.as_str()), "{sloth:?}: {kind}");
            answers.count(kind);
        }
    });
    victim.add(&answers);
    victim.survived("slow clients");
    victim.stop();
}
