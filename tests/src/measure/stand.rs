//! A network on which loads are measured, each time from the same beginning.
//!
//! It gets its accounts once; then it is stopped and laid aside as a whole, keys and data. Every run is on a copy of that, so
//! no run is behind another one's chain, and all have the same bytes to begin with.
#![allow(clippy::print_stdout, reason = "benchmarks print")]

use std::fmt::{self, Display, Formatter};
use std::fs::{copy, create_dir, read_dir, read_to_string, remove_dir_all, write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use clap::Parser as _;
use rustix::fs::sync;
use tokio::runtime::Runtime;

use super::{Figures, Gauge, Usage, number_from_env};
use crate::load_generator::{Ended, Options, Report, make_accounts, run_watched};
use crate::testnet::Testnet;

/// How long a load is measured, seconds, unless `DGT_BENCH_SECONDS` says otherwise.
const SECONDS: u32 = 30;
/// How long it runs before that, seconds, unless `DGT_BENCH_WARM_UP` says otherwise.
const WARM_UP: u32 = 5;
/// The seed of the accounts; those of the runs count from 1.
const ACCOUNTS: u64 = 1_000_000;
/// The most that is signed ahead, bytes.
const SIGNED_BYTES: f64 = 3e9;
/// About what a transaction with a small payload takes when it lies signed, with its batch.
const SIGNED_TRANSACTION: u32 = 1_300;

/// So many clusters of so many nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Clusters.
    pub clusters: u16,
    /// Nodes of each.
    pub nodes: u16,
}

impl Shape {
    /// All nodes.
    pub fn all_nodes(self) -> usize {
        usize::from(self.clusters) * usize::from(self.nodes)
    }
}

impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.clusters, self.nodes)
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('x').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        numbers
            .map(|(clusters, nodes)| Self { clusters, nodes })
            .filter(|shape| shape.all_nodes() > 0)
            .ok_or_else(|| format!("{text}: a shape is CLUSTERSxNODES, such as 2x4"))
    }
}

/// A network with accounts.
pub struct Stand {
    network: Testnet,
    accounts: u32,
    runs: u64,
    /// On its chain.
    transactions: u64,
}

impl Stand {
    /// A new network that runs, without accounts; it keeps so many versions of its state, or all.
    pub fn new(shape: Shape, keep_versions: Option<u64>) -> Self {
        let mut network = Testnet::create(shape.clusters, shape.nodes);
        if let Some(versions) = keep_versions {
            keep(&network, versions);
        }
        network.start_all();
        network.wait_ready();
        Self { network, accounts: 0, runs: 0, transactions: 0 }
    }

    /// The network.
    pub fn network(&mut self) -> &mut Testnet {
        &mut self.network
    }

    /// Transactions on its chain, but for those of block 0: accounts, and what the runs since the beginning committed.
    pub fn transactions(&self) -> u64 {
        self.transactions
    }

    /// Makes accounts until there are so many; prints how long it took.
    pub fn fill(&mut self, accounts: u32) {
        let (start, new) = (Instant::now(), self.accounts..accounts);
        let options = self.options(&format!("--accounts {accounts}"));
        let made = runtime().block_on(make_accounts(&options, ACCOUNTS, new));
        made.unwrap_or_else(|error| panic!("making accounts: {error:#}"));
        let seconds = start.elapsed().as_secs_f64();
        let rate = f64::from(accounts - self.accounts) / seconds;
        self.transactions += u64::from(accounts - self.accounts);
        self.accounts = accounts;
        println!("  {accounts} accounts, the new ones made in {seconds:.1} s, {rate:.0} /s");
    }

    /// Stops the network and lays it aside; every [`Self::begin`] goes on from here.
    pub fn lay_aside(&mut self) {
        self.network.stop_all();
        let aside = self.aside();
        if aside.exists() {
            remove_dir_all(&aside).expect("removing a copy");
        }
        copy_folder(&self.network.path(), &aside);
    }

    /// Starts the network as it was laid aside.
    pub fn begin(&mut self) {
        // What it wrote since is thrown away, so there is nothing to stop in order.
        self.network.kill_all();
        remove_dir_all(self.network.path()).expect("removing a run's data");
        copy_folder(&self.aside(), &self.network.path());
        // What the copying left to be written would slow down the run.
        sync();
        self.network.start_all();
        self.network.wait_ready();
        self.transactions = self.accounts.into();
    }

    fn aside(&self) -> PathBuf {
        self.network.home(0).scratch("aside")
    }

    fn options(&self, words: &str) -> Options {
        let urls = self.network.running().into_iter().map(|index| self.network.client(index).url());
        let urls = urls.flat_map(|url| ["--url", url]);
        Options::parse_from(["load"].into_iter().chain(urls).chain(words.split_whitespace()))
    }

    /// Puts a load on the running network, as the words of `load` describe it, for the time that the environment says.
    /// For a closed window so many transactions are signed ahead for each second.
    ///
    /// # Panics
    /// When anything is rejected or stays undecided, or a node fails.
    pub fn measure(&mut self, words: &str, per_second: f64) -> Figures {
        self.runs += 1;
        let (warm_up, seconds) =
            (number_from_env("DGT_BENCH_WARM_UP", WARM_UP), number_from_env("DGT_BENCH_SECONDS", SECONDS));
        let fixed = format!(
            "--accounts {} --accounts-of {ACCOUNTS} --seed {} --warm-up {warm_up} --seconds {seconds}",
            self.accounts, self.runs
        );
        let mut options = self.options(&format!("{fixed} {words}"));
        if options.rate.is_none() {
            options.transactions = Some(supply(&options, per_second));
        }
        let gauge = Gauge::on(&self.network);
        let look = {
            let gauge = gauge.clone();
            move || gauge.look()
        };
        let ran = runtime().block_on(run_watched(options, look));
        let (report, [before, after]) = ran.unwrap_or_else(|error| panic!("{words}: {error:#}"));
        self.transactions += report.whole_run.committed;
        let unclear = (report.whole_run.rejected, report.whole_run.undecided, report.whole_run.foreign);
        assert_eq!(unclear, (0, 0, 0), "{report}");
        if report.measured.ended_by == Ended::Supply {
            println!(
                "  cut short after {:.1} s: all signed transactions were posted",
                report.measured.seconds
            );
        }
        let nodes = self.network.running().len();
        let chain = after.on_disk / nodes as f64 / self.transactions as f64;
        let mut figures = figures(&report, &after.since(&before), nodes);
        figures.add("files_bytes_per_tx_of_chain", chain);
        figures.add("files_to_posted", chain / report.measured.posted_bytes_per_transaction);
        figures.add("peak_memory_mib", gauge.peak_memory() / f64::from(1 << 20));
        figures
    }
}

/// Transactions to sign for a closed window: what is committed in its time and what is in flight then, but not more than
/// memory holds.
fn supply(options: &Options, per_second: f64) -> u64 {
    let in_flight = f64::from(options.window.unwrap_or(1)) * f64::from(options.batch_size);
    let needed = per_second * f64::from(options.warm_up + options.seconds) + in_flight;
    let each = f64::from(SIGNED_TRANSACTION + options.payload_bytes.unwrap_or_default());
    needed.min(SIGNED_BYTES / each) as u64
}

/// What a run measured. Bytes are those of one node, the mean of all; CPU is that of all nodes together.
fn figures(report: &Report, used: &Usage, nodes: usize) -> Figures {
    let measured = &report.measured;
    let transactions = measured.committed.max(1) as f64;
    let of_a_node = |bytes: f64| bytes / transactions / nodes as f64;
    let posted = measured.posted_bytes_per_transaction;
    let cpu_us = |seconds: f64| seconds * 1e6 / transactions;
    let mut figures = Figures::from([
        ("committed_per_second", measured.committed_per_second),
        ("blocks_per_second", measured.blocks_per_second),
        ("cpu_us_per_tx", cpu_us(used.cpu.total())),
        ("generator_cpu_us_per_tx", report.generator.cpu_us_per_transaction),
    ]);
    if let Some(latency) = &measured.latency {
        figures.add("latency_p50_ms", latency.p50_ms);
        figures.add("latency_p90_ms", latency.p90_ms);
        figures.add("latency_p99_ms", latency.p99_ms);
        figures.add("latency_max_ms", latency.max_ms);
    }
    for (name, value) in [
        ("generator_lag_ms_max", report.generator.lag_ms_max),
        ("refusals", measured.refusals as f64),
        ("sent_frames_per_block", used.frames / measured.blocks.max(1) as f64),
        ("sent_bytes_per_tx", used.frame_bytes / transactions),
        ("posted_bytes_per_tx", posted),
        ("written_bytes_per_tx", of_a_node(used.written)),
        ("written_to_posted", of_a_node(used.written) / posted),
        ("dirtied_bytes_per_tx", of_a_node(used.dirtied)),
        ("disk_bytes_per_tx", of_a_node(used.on_disk)),
        ("disk_to_posted", of_a_node(used.on_disk) / posted),
    ] {
        figures.add(name, value);
    }
    for (thread, seconds) in used.cpu.threads() {
        figures.add(format!("cpu_us_per_tx/{thread}"), cpu_us(*seconds));
    }
    figures
}

/// Makes a network that was never started keep so many versions of its state.
fn keep(network: &Testnet, versions: u64) {
    let homes = (0..network.len()).map(|index| network.home(index).path().join("etc/network.toml"));
    for path in homes.chain([network.path().join("network.toml")]) {
        let text = read_to_string(&path).expect("a network file");
        let text = text.replacen("[settings]\n", &format!("[settings]\nkeep_versions = {versions}\n"), 1);
        write(&path, text).expect("a network file");
    }
}

fn runtime() -> Runtime {
    Runtime::new().expect("a runtime")
}

fn copy_folder(from: &Path, to: &Path) {
    create_dir(to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
    for entry in read_dir(from).expect("a folder").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            copy(&from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{Options, Shape, supply};

    #[test]
    fn a_shape_is_read_as_it_is_written() {
        let shape: Shape = "2x4".parse().unwrap();
        assert_eq!((shape.clusters, shape.nodes, shape.all_nodes()), (2, 4, 8));
        assert_eq!(shape.to_string(), "2x4");
        for wrong in ["", "4", "0x4", "2x", "2x4x1", "ax4"] {
            assert!(wrong.parse::<Shape>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_supply_lasts_but_memory_bounds_it() {
        let options = |words: &str| Options::parse_from(["load"].into_iter().chain(words.split_whitespace()));
        let small = options("--warm-up 5 --seconds 30 --window 64 --batch-size 100");
        assert_eq!(supply(&small, 1_000.0), 35_000 + 6_400);
        let large = options("--warm-up 5 --seconds 30 --payload-bytes 100000");
        assert!(supply(&large, 1_000.0) < 30_000);
    }
}
