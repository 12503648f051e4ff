//! What a network commits: `cargo bench -p tests --bench consortium [-- 1x4 2x4]`.
//!
//! Method. The release binary runs as so many processes on this machine, durable as always, on new folders, with links over
//! loopback. The load generator posts over REST at all nodes in turn; a batch counts when the **last** node has answered
//! COMMITTED, transactions are counted from the chain. First a closed window gives the peak, then an open loop at half of it
//! the latency. CPU is that of all nodes together, over the whole run, accounts and warm-up included, for each transaction
//! that was committed in it. The generator shares the cores; its CPU stands beside. Read everything beside the calibration of
//! the same run.
#![allow(clippy::print_stdout, clippy::panic, reason = "a benchmark prints and fails by panicking")]

use std::collections::BTreeMap;

use clap::Parser as _;
use tests::load_generator::{Options, Report, run};
use tests::measure::{CpuTimes, calibrate};
use tests::testnet::Testnet;

/// How long each part is measured, seconds, unless `DGT_BENCH_SECONDS` says otherwise.
const SECONDS: u32 = 15;

fn main() {
    let only: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    println!("calibration, this run");
    calibrate();
    for (clusters, nodes) in [(1, 4), (2, 4)] {
        let shape = format!("{clusters}x{nodes}");
        if only.is_empty() || only.contains(&shape) {
            println!("{shape}, ed25519");
            for batch_size in [100, 1] {
                measure(clusters, nodes, batch_size);
            }
        }
    }
}

/// The peak of a new network, and how long batches take at half of it.
fn measure(clusters: u16, nodes: u16, batch_size: u32) {
    let network = Testnet::start(clusters, nodes);
    let window = if batch_size == 1 { 256 } else { 32 };
    println!("  batches of {batch_size}, window of {window}");
    let peak = load(&network, "peak", &format!("--batch-size {batch_size} --window {window}"));
    let half = (peak.measured.committed_per_second / 2.0) as u32;
    println!("  batches of {batch_size}, open loop at {half} tx/s");
    load(&network, "half", &format!("--batch-size {batch_size} --rate {}", half.max(1)));
}

fn load(network: &Testnet, name: &str, words: &str) -> Report {
    let seconds = std::env::var("DGT_BENCH_SECONDS").ok().map(|text| text.parse().expect("a number"));
    let fixed = ["load", "--accounts", "10000", "--warm-up", "3", "--seconds"].map(str::to_owned);
    let arguments = fixed.into_iter().chain([seconds.unwrap_or(SECONDS).to_string()]);
    let urls = network.running().into_iter().flat_map(|index| {
        let url = network.client(index).url().to_owned();
        ["--url".to_owned(), url]
    });
    let words = words.split_whitespace().map(str::to_owned);
    let options = Options::parse_from(arguments.chain(urls).chain(words));

    let (cpu, sent) = (CpuTimes::of_all(&network.pids()), Sent::by(network));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let report = runtime.block_on(run(options)).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    let cpu = CpuTimes::of_all(&network.pids()).since(&cpu);
    let (frames, bytes) = Sent::by(network).since(&sent);

    let (measured, whole) = (&report.measured, &report.whole_run);
    let latency = measured.latency.as_ref().expect("batches were committed");
    println!(
        "    {:>6.0} tx/s  {:>5.1} blocks/s  p50 {:>5.0} ms  p90 {:>5.0} ms  p99 {:>5.0} ms on the last node",
        measured.committed_per_second,
        measured.blocks_per_second,
        latency.p50_ms,
        latency.p90_ms,
        latency.p99_ms
    );
    println!(
        "    {:>6.0} us CPU/tx, all nodes ({:.0} us CPU/tx generator)  {:.0} frames and {:.0} B sent per block, {:.0} B per tx",
        cpu.total() * 1e6 / whole.committed as f64,
        report.generator.cpu_us_per_transaction,
        frames / whole.blocks as f64,
        bytes / whole.blocks as f64,
        bytes / whole.committed as f64,
    );
    println!("    CPU by thread, us/tx: {}", cpu.table(whole.committed));
    report
}

/// What all nodes sent to each other since they started.
struct Sent(BTreeMap<&'static str, f64>);

impl Sent {
    const FRAMES: &str = "dgt_network_sent_frames_total";
    const BYTES: &str = "dgt_network_sent_bytes_total";

    fn by(network: &Testnet) -> Self {
        let mut sums = BTreeMap::new();
        for index in network.running() {
            let scraped = network.client(index).try_get("/metrics").expect("metrics").text;
            for name in [Self::FRAMES, Self::BYTES] {
                let values =
                    scraped.lines().filter_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
                *sums.entry(name).or_default() += values.sum::<f64>();
            }
        }
        Self(sums)
    }

    /// Frames and bytes since an earlier look.
    fn since(&self, before: &Self) -> (f64, f64) {
        let grown = |name| self.0[name] - before.0[name];
        (grown(Self::FRAMES), grown(Self::BYTES))
    }
}
