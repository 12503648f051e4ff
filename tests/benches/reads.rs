//! Reads of single values: `cargo bench -p tests --bench reads [-- CONNECTIONS..]`. How it measures and how to read it:
//! `docs/benchmark.md`.
#![allow(clippy::print_stdout, clippy::panic, reason = "a benchmark prints and fails by panicking")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use tests::client::Client;
use tests::measure::{Calibration, CpuTimes, Figures, Output, Shape, Stand, number_from_env, words};
use tests::random::Random;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use txfamilies::intkey::NAMESPACE;

/// Accounts, unless `DGT_BENCH_ACCOUNTS` says otherwise.
const ACCOUNTS: u32 = 200_000;
/// What the head of an answer has room in, with the value behind it.
const ANSWER_BYTES: usize = 16 * 1_024;

#[derive(Debug, Parser)]
#[command(name = "reads")]
struct Arguments {
    /// How many connections read at the same time.
    #[arg(default_values_t = [64, 1])]
    connections: Vec<usize>,
    /// Append every set of figures to this file, as a line of JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() {
    let arguments = Arguments::parse_from(words());
    let mut output = Output::new("reads", arguments.json.as_deref());
    output.show("calibration", &[], &[Calibration::measure().figures()]);
    let mut stand = Stand::new(Shape { clusters: 1, nodes: 1 }, None);
    let accounts = number_from_env("DGT_BENCH_ACCOUNTS", ACCOUNTS);
    stand.fill(accounts);
    let (pid, client) = (stand.network().pids()[0], stand.network().client(0).clone());
    let target = Arc::new(Target::new(&client));
    assert_eq!(target.addresses.len(), accounts as usize, "every account has an address");
    let seconds = Duration::from_secs(number_from_env("DGT_BENCH_SECONDS", 10));
    for connections in arguments.connections {
        let runs: Vec<Figures> = (0..number_from_env("DGT_BENCH_RUNS", 3))
            .map(|_| measure(pid, &target, connections, seconds))
            .collect();
        let title =
            format!("GET /state/{{address}}, {connections} connection(s) kept alive, {} run(s)", runs.len());
        let setting =
            [("connections", connections.to_string()), ("accounts", target.addresses.len().to_string())];
        output.show(&title, &setting, &runs);
    }
}

/// One node, and what is read from it.
struct Target {
    /// `HOST:PORT`.
    host: String,
    addresses: Vec<String>,
}

impl Target {
    /// All addresses of the accounts, as the node lists them.
    fn new(client: &Client) -> Self {
        let host = client.url().trim_start_matches("http://").to_owned();
        let (mut addresses, mut start) = (Vec::new(), String::new());
        loop {
            let page = client.get(&format!("/state?address={NAMESPACE}&limit=1000{start}"));
            let entries = page["data"].as_array().expect("a list of entries");
            let address =
                |entry: &serde_json::Value| entry["address"].as_str().expect("an address").to_owned();
            addresses.extend(entries.iter().map(address));
            match page["paging"]["next_position"].as_str() {
                Some(next) => start = format!("&start={next}"),
                None => return Self { host, addresses },
            }
        }
    }

    /// Reads values at random, one after the other on one connection, until it shall stop; the time that each took.
    async fn read(&self, seed: u64, stop: &AtomicBool) -> Vec<Duration> {
        let mut random = Random::new(seed);
        let mut stream = TcpStream::connect(&self.host).await.expect("a connection");
        stream.set_nodelay(true).expect("an open connection");
        let (mut times, mut answer) = (Vec::new(), vec![0; ANSWER_BYTES]);
        while !stop.load(Ordering::Relaxed) {
            let address = &self.addresses[random.index(self.addresses.len())];
            let request = format!("GET /state/{address} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
            let start = Instant::now();
            stream.write_all(request.as_bytes()).await.expect("a node that reads");
            let bytes = receive(&mut stream, &mut answer).await;
            times.push(start.elapsed());
            // The link of the answer names what was read.
            let text = String::from_utf8_lossy(bytes);
            assert!(text.starts_with("HTTP/1.1 200 ") && text.contains(address), "{text}");
        }
        times
    }
}

/// The bytes of one answer: its head says how long it is.
async fn receive<'a>(stream: &mut TcpStream, answer: &'a mut [u8]) -> &'a [u8] {
    let mut received = 0;
    loop {
        let more = stream.read(&mut answer[received..]).await.expect("a node that answers");
        assert!(more > 0, "the node hung up, or an answer has more than {ANSWER_BYTES} bytes");
        received += more;
        if length(&answer[..received]).is_some_and(|length| received >= length) {
            return &answer[..received];
        }
    }
}

/// Bytes of a whole answer, once its head is there.
fn length(received: &[u8]) -> Option<usize> {
    let head = received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&received[..head]).expect("a head in ASCII").to_ascii_lowercase();
    let body =
        text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    Some(head + body.unwrap_or_else(|| panic!("no length in {text}")))
}

fn measure(pid: i32, target: &Arc<Target>, connections: usize, seconds: Duration) -> Figures {
    let own = std::process::id().cast_signed();
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let look = || (CpuTimes::of(pid), CpuTimes::of(own));
    let ((node, generator), start) = (look(), Instant::now());
    let readers: Vec<_> = (0..connections)
        .map(|number| {
            let (target, stop) = (Arc::clone(target), Arc::clone(&stop));
            runtime.spawn(async move { target.read(number as u64, &stop).await })
        })
        .collect();
    std::thread::sleep(seconds);
    stop.store(true, Ordering::Relaxed);
    let mut times: Vec<Duration> = readers
        .into_iter()
        .flat_map(|reader| runtime.block_on(reader).expect("reading does not panic"))
        .collect();
    let (elapsed, (node_after, generator_after)) = (start.elapsed().as_secs_f64(), look());
    times.sort_unstable();
    let requests = times.len() as f64;
    let cpu_us = |after: CpuTimes, before: &CpuTimes| after.since(before).total() * 1e6 / requests;
    let of_node = cpu_us(node_after, &node);
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1e6;
    Figures::from([
        ("requests_per_second", requests / elapsed),
        ("cpu_us_per_request", of_node),
        ("requests_per_second_of_a_core", 1e6 / of_node),
        ("generator_cpu_us_per_request", cpu_us(generator_after, &generator)),
        ("latency_p50_us", at(50)),
        ("latency_p99_us", at(99)),
    ])
}
