//! A chain that is there already: how fast a node without data fetches and executes it, and how soon a node starts on it.

use std::time::{Duration, Instant};

use tests::lmdb::FILES;
use tests::measure::{Figures, Shape, Stand};
use tests::testnet::Testnet;

use crate::{Growth, LOAD, filled};

/// A few clients that wait for each answer: many small blocks.
const SMALL_BLOCKS: &str = "--batch-size 1 --window 4";
/// How often the node that catches up is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long it may stay at one height.
const PATIENCE: Duration = Duration::from_secs(120);

/// Makes a chain at the peak and one of small blocks, and measures both.
pub(crate) fn measure(growth: &mut Growth) {
    let shape = Shape { clusters: 1, nodes: 4 };
    for (what, load) in [("a chain of full blocks", LOAD), ("a chain of small blocks", SMALL_BLOCKS)] {
        let mut stand = filled(shape);
        let made = growth.run(shape, &mut stand, load);
        let figures = fetch_and_start(&mut stand, &made);
        growth.show("sync", what, &[figures]);
    }
}

/// Wipes the last node and starts it anew, then stops and kills it and starts it on what it has.
fn fetch_and_start(stand: &mut Stand, made: &Figures) -> Figures {
    let transactions = stand.transactions() as f64;
    let network = stand.network();
    let last = network.len() - 1;
    network.wait("nothing is pending", || {
        let status = network.status(0);
        if status["pool_batches"] == 0 { Ok(()) } else { Err(status.to_string()) }
    });
    let height = height(network, 0);
    network.wipe(last);
    let fetched = timed(network, last, |network| await_height(network, last, height));
    let rate = transactions / fetched.as_secs_f64();
    let made_at = made.get("committed_per_second").expect("invariant: every run has it");
    let size = |name| std::fs::metadata(network.home(last).file(name)).expect("a node's file").len();
    let mut figures = Figures::from([
        ("chain_blocks", height as f64),
        ("chain_transactions", transactions),
        ("chain_made_at_tx_per_second", made_at),
        ("files_mib", FILES.map(size).iter().sum::<u64>() as f64 / f64::from(1 << 20)),
        ("sync_seconds", fetched.as_secs_f64()),
        ("sync_tx_per_second", rate),
        ("sync_to_made", rate / made_at),
    ]);
    network.wait_node_ready(last);
    drop(network.stop(last));
    add_start(&mut figures, network, last, "start");
    drop(network.kill(last));
    add_start(&mut figures, network, last, "start_after_kill");
    figures
}

/// Adds how long a node takes until it serves, and until it takes part.
fn add_start(figures: &mut Figures, network: &mut Testnet, index: usize, name: &str) {
    let start = Instant::now();
    network.start_node(index);
    figures.add(format!("{name}_serves_seconds"), start.elapsed().as_secs_f64());
    network.wait_node_ready(index);
    figures.add(format!("{name}_ready_seconds"), start.elapsed().as_secs_f64());
}

/// How long it takes from the start of a node's process to what is waited for.
fn timed(network: &mut Testnet, index: usize, until: impl FnOnce(&Testnet)) -> Duration {
    let start = Instant::now();
    network.start_node(index);
    until(network);
    start.elapsed()
}

fn await_height(network: &Testnet, index: usize, target: u64) {
    let (mut reached, mut since) = (0, Instant::now());
    loop {
        let now = height(network, index);
        if now >= target {
            return;
        }
        if now > reached {
            (reached, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "stays at {now} of {target}: {}", network.status(index));
        std::thread::sleep(LOOK_EVERY);
    }
}

fn height(network: &Testnet, index: usize) -> u64 {
    let status = network.status(index);
    let height = status["height"].as_str().and_then(|text| text.parse().ok());
    height.unwrap_or_else(|| panic!("no height in {status}"))
}
