//! How costs grow: `cargo bench -p tests --bench growth [-- accounts nodes payloads sync] [--large]`. What each part measures
//! and how to read it: `docs/benchmark.md`.
#![allow(clippy::print_stdout, clippy::panic, reason = "a benchmark prints and fails by panicking")]

mod sync;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use ledger_types::signature::Curve;
use tests::measure::{Calibration, Figures, Output, Shape, Stand, at_most, ceiling, number_from_env, words};

/// Accounts of the parts that do not vary them, unless `DGT_BENCH_ACCOUNTS` says otherwise.
const ACCOUNTS: u32 = 20_000;
/// Accounts of the part that does.
const SIZES: [u32; 2] = [100_000, 1_000_000];
/// One more of them, when asked for: it takes hours and some 50 GB.
const LARGE: u32 = 10_000_000;
/// Networks; the last two have as many nodes.
const SHAPES: [(u16, u16); 5] = [(1, 1), (1, 2), (1, 4), (1, 8), (2, 4)];
/// Bytes of a payload.
const PAYLOADS: [u32; 3] = [100, 1_000, 10_000];
/// The load of all parts: it saturates every one of these networks.
const LOAD: &str = "--batch-size 100 --window 64";
/// The same with fewer bytes in flight than a pool holds.
const LOAD_OF_LARGE: &str = "--batch-size 100 --window 32";

#[derive(Debug, Parser)]
#[command(name = "growth")]
struct Arguments {
    /// What to measure.
    #[arg(value_enum, default_values = ["accounts", "nodes", "payloads", "sync"])]
    parts: Vec<Part>,
    /// The network of the part `accounts`, CLUSTERSxNODES.
    #[arg(long, default_value = "1x4")]
    shape: Shape,
    /// Ten million accounts as well.
    #[arg(long)]
    large: bool,
    /// Append every set of figures to this file, as a line of JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A transaction's cost among more and more accounts.
    Accounts,
    /// The same with more and more nodes.
    Nodes,
    /// The same with larger payloads.
    Payloads,
    /// A wiped node that catches up, and starts on a long chain.
    Sync,
}

fn main() {
    let arguments = Arguments::parse_from(words());
    let mut output = Output::new("growth", arguments.json.as_deref());
    let calibration = Calibration::measure();
    output.show("calibration", &[], &[calibration.figures()]);
    let mut growth = Growth { output, verifications: calibration.verifications(Curve::Ed25519) };
    for part in &arguments.parts {
        match part {
            Part::Accounts => growth.accounts(arguments.shape, arguments.large),
            Part::Nodes => growth.nodes(),
            Part::Payloads => growth.payloads(),
            Part::Sync => sync::measure(&mut growth),
        }
    }
}

/// What all parts need.
struct Growth {
    output: Output,
    /// Of ed25519, in a second, on all cores.
    verifications: f64,
}

impl Growth {
    /// One network, whose accounts become more: the runs are on one chain, since copies of millions of accounts take long.
    fn accounts(&mut self, shape: Shape, is_large: bool) {
        let sizes: Vec<u32> = match std::env::var("DGT_BENCH_ACCOUNTS") {
            Ok(_) => vec![accounts(), 2 * accounts()],
            Err(_) => SIZES.into_iter().chain(is_large.then_some(LARGE)).collect(),
        };
        let mut stand = Stand::new(shape, None);
        for size in sizes {
            stand.fill(size);
            let runs: Vec<Figures> = (0..runs()).map(|_| self.run(shape, &mut stand, LOAD)).collect();
            self.show("accounts", &format!("{shape}, {size} accounts"), &runs);
        }
    }

    fn nodes(&mut self) {
        for (clusters, nodes) in SHAPES {
            let shape = Shape { clusters, nodes };
            let mut stand = filled(shape);
            let runs: Vec<Figures> = (0..runs()).map(|_| self.run(shape, &mut stand, LOAD)).collect();
            self.show("nodes", &shape.to_string(), &runs);
        }
    }

    fn payloads(&mut self) {
        let shape = Shape { clusters: 1, nodes: 4 };
        let mut stand = filled(shape);
        for bytes in PAYLOADS {
            let load = format!("{LOAD_OF_LARGE} --payload-bytes {bytes}");
            let runs: Vec<Figures> = (0..runs()).map(|_| self.run(shape, &mut stand, &load)).collect();
            self.show("payloads", &format!("{shape}, payloads of {bytes} B"), &runs);
        }
    }

    /// One run of a load on the network as it is.
    fn run(&self, shape: Shape, stand: &mut Stand, load: &str) -> Figures {
        let ceiling = ceiling(self.verifications, shape.all_nodes(), 100);
        let mut figures = stand.measure(load, at_most(ceiling, shape.all_nodes(), 100));
        let get = |name| figures.get(name).expect("invariant: every run has it");
        let (committed, cpu) = (get("committed_per_second"), get("cpu_us_per_tx"));
        figures.add("share_of_ceiling", committed / ceiling);
        figures.add("cpu_us_per_tx_and_node", cpu / shape.all_nodes() as f64);
        figures
    }

    fn show(&mut self, part: &str, what: &str, runs: &[Figures]) {
        let setting = [("part", part.to_owned()), ("what", what.to_owned())];
        self.output.show(&format!("{part}: {what}, {} run(s)", runs.len()), &setting, runs);
    }
}

fn filled(shape: Shape) -> Stand {
    let mut stand = Stand::new(shape, None);
    stand.fill(accounts());
    stand
}

fn accounts() -> u32 {
    number_from_env("DGT_BENCH_ACCOUNTS", ACCOUNTS)
}

fn runs() -> u32 {
    number_from_env("DGT_BENCH_RUNS", 3)
}
