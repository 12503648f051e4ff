//! What a network commits: `cargo bench -p tests --bench consortium [-- 1x4 2x4]`; two builds beside each other:
//! `cargo bench -p tests --bench consortium -- compare --base DGT --with DGT`. How it measures, what each figure is and how
//! to read it: `docs/benchmark.md`.
#![allow(clippy::print_stdout, clippy::panic, reason = "a benchmark prints and fails by panicking")]

mod compare;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use compare::Compare;
use ledger_types::signature::Curve;
use tests::load_generator::CurveName;
use tests::measure::{
    Calibration, Figures, Output, Shape, Stand, Summary, at_most, ceiling, number_from_env, words,
};

/// Runs of each kind, unless `DGT_BENCH_RUNS` says otherwise.
const RUNS: u32 = 3;
/// Accounts, unless `DGT_BENCH_ACCOUNTS` says otherwise.
const ACCOUNTS: u32 = 200_000;
/// Percent of the load on one of them.
const HOT_SHARE: u32 = 5;
/// Transactions in flight at the peak. Twice as many are tried beside it, to show that more do not help.
const IN_FLIGHT: [(u32, u32); 2] = [(100, 6_400), (1, 1_024)];
/// Lone transactions in a second: each is decided long before the next one comes.
const LONE: u32 = 5;
/// More transactions than one after the other can be committed, in a second.
const ONE_BY_ONE: f64 = 400.0;
/// The versions of the state that a pruned network keeps.
const KEPT: u64 = 100;

#[derive(Debug, Parser)]
#[command(name = "consortium", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    compare: Option<Compare>,
    #[command(flatten)]
    full: Full,
}

#[derive(Debug, Parser)]
struct Full {
    /// CLUSTERSxNODES.
    #[arg(default_values = ["1x4", "2x4"])]
    shapes: Vec<Shape>,
    /// Whose signatures.
    #[arg(long = "curve", value_enum, default_values = ["ed25519", "secp256k1"])]
    curves: Vec<CurveName>,
    /// Transactions in a batch.
    #[arg(long = "batch-size", default_values_t = [100, 1])]
    batch_sizes: Vec<u32>,
    /// Measure only this.
    #[arg(long = "only", value_enum,
          default_values = ["peak", "window", "open", "lone", "pruned"])]
    parts: Vec<Part>,
    /// Measure an open loop at this rate where else the peak is.
    #[arg(long, value_name = "TX_PER_S")]
    rate: Option<u32>,
    /// Verifications in a second, all cores; nothing is calibrated then.
    #[arg(long, hide = true)]
    verifications: Option<f64>,
    /// Append every set of figures to this file, as a line of JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Throughput in a closed window.
    Peak,
    /// The same with twice the window, once.
    Window,
    /// Latency at a quarter and at half of the peak.
    Open,
    /// Single transactions on an idle network.
    Lone,
    /// The peak of a network that keeps the newest states only.
    Pruned,
}

fn main() {
    let arguments = Arguments::parse_from(words());
    match arguments.compare {
        Some(compare) => compare.run(),
        None => arguments.full.run(),
    }
}

/// One kind of load on one kind of network.
#[derive(Clone, Copy)]
struct Kind {
    shape: Shape,
    curve: CurveName,
    batch_size: u32,
}

impl Full {
    fn run(&self) {
        let mut output = Output::new("consortium", self.json.as_deref());
        for shape in &self.shapes {
            println!("{shape}");
            let mut stand = prepare(*shape, None);
            for curve in &self.curves {
                for batch_size in &self.batch_sizes {
                    let kind = Kind { shape: *shape, curve: *curve, batch_size: *batch_size };
                    self.measure(kind, &mut stand, &mut output);
                }
            }
            if self.has(Part::Lone) {
                lone(*shape, &mut stand, &mut output);
            }
            drop(stand);
            if self.has(Part::Pruned) {
                self.pruned(*shape, &mut output);
            }
        }
    }

    fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// The peak of a network, and how long batches take below it.
    fn measure(&self, kind: Kind, stand: &mut Stand, output: &mut Output) {
        if ![Part::Peak, Part::Window, Part::Open].iter().any(|part| self.has(*part)) {
            return;
        }
        let ceiling = self.ceiling(kind, output);
        let pace = self.rate.map_or_else(|| kind.window(1), |rate| format!("--rate {rate}"));
        let peak = kind.show(&pace, stand, output, runs(), ceiling).median("committed_per_second");
        if self.has(Part::Window) {
            let twice = kind.show(&kind.window(2), stand, output, 1, ceiling);
            let ratio = twice.median("committed_per_second") / peak;
            println!("    twice the window commits {ratio:.2} times the median peak\n");
        }
        if self.has(Part::Open) {
            for share in [0.25, 0.5] {
                let rate = (peak * share).max(1.0) as u32;
                kind.show(&format!("--rate {rate}"), stand, output, runs(), ceiling);
            }
        }
    }

    /// What this machine could commit at the moment if signatures were all.
    fn ceiling(&self, kind: Kind, output: &mut Output) -> f64 {
        let curve = Curve::from(kind.curve);
        let verifications =
            self.verifications.unwrap_or_else(|| show_calibration(output).verifications(curve));
        ceiling(verifications, kind.shape.all_nodes(), kind.batch_size)
    }

    fn pruned(&self, shape: Shape, output: &mut Output) {
        let kind = Kind { shape, curve: CurveName::Ed25519, batch_size: 100 };
        let ceiling = self.ceiling(kind, output);
        println!("{shape}, the newest {KEPT} states kept");
        let mut stand = prepare(shape, Some(KEPT));
        kind.show_as("pruned", &kind.window(1), &mut stand, output, runs(), ceiling);
    }
}

impl Kind {
    /// The closed window of the peak, or so many of them.
    fn window(self, times: u32) -> String {
        let (_, in_flight) = IN_FLIGHT
            .into_iter()
            .find(|(size, _)| self.batch_size >= *size)
            .expect("invariant: a batch has one transaction");
        format!("--window {}", (times * in_flight / self.batch_size).max(1))
    }

    fn show(self, pace: &str, stand: &mut Stand, output: &mut Output, runs: u32, ceiling: f64) -> Summary {
        self.show_as("load", pace, stand, output, runs, ceiling)
    }

    /// Measures so often, each time from the beginning.
    fn show_as(
        self,
        what: &str,
        pace: &str,
        stand: &mut Stand,
        output: &mut Output,
        runs: u32,
        ceiling: f64,
    ) -> Summary {
        let Self { shape, curve, batch_size } = self;
        let curve = Curve::from(curve).to_string();
        let words = format!("--curve {curve} --batch-size {batch_size} --hot-share {HOT_SHARE} {pace}");
        let per_second = at_most(ceiling, shape.all_nodes(), batch_size);
        let run = |_| {
            stand.begin();
            let mut figures = stand.measure(&words, per_second);
            let committed = figures.get("committed_per_second").expect("invariant: every run has it");
            figures.add("share_of_ceiling", committed / ceiling);
            figures
        };
        let runs: Vec<Figures> = (0..runs).map(run).collect();
        let setting = [
            ("what", what.to_owned()),
            ("shape", shape.to_string()),
            ("curve", curve.clone()),
            ("batch_size", batch_size.to_string()),
            ("pace", pace.to_owned()),
        ];
        output.show(
            &format!("{shape} {curve}, batches of {batch_size}, {pace}, {} run(s)", runs.len()),
            &setting,
            &runs,
        )
    }
}

/// Single transactions, beside what the disk takes for a sync: some apart, so that the network is idle when each comes; then
/// one as soon as the other is decided on all nodes.
fn lone(shape: Shape, stand: &mut Stand, output: &mut Output) {
    let calibration = show_calibration(output);
    for (pace, words) in [
        (format!("{LONE} a second, each alone"), format!("--rate {LONE}")),
        ("one after the other".into(), "--window 1".into()),
    ] {
        let run = |_| {
            stand.begin();
            let mut figures = stand.measure(&words, ONE_BY_ONE);
            figures.add("fdatasync_ms", calibration.fdatasync_ms);
            figures.add("synced_commit_ms", 1e3 / calibration.synced_commits);
            figures
        };
        let runs: Vec<Figures> = (0..runs()).map(run).collect();
        let setting = [("what", "lone".to_owned()), ("shape", shape.to_string()), ("pace", words.clone())];
        output.show(&format!("{shape} single transactions, {pace}, {} run(s)", runs.len()), &setting, &runs);
    }
}

fn show_calibration(output: &mut Output) -> Calibration {
    let calibration = Calibration::measure();
    output.show("calibration", &[("what", "calibration".to_owned())], &[calibration.figures()]);
    calibration
}

fn prepare(shape: Shape, keep_versions: Option<u64>) -> Stand {
    let mut stand = Stand::new(shape, keep_versions);
    stand.fill(number_from_env("DGT_BENCH_ACCOUNTS", ACCOUNTS));
    stand.lay_aside();
    stand
}

fn runs() -> u32 {
    number_from_env("DGT_BENCH_RUNS", RUNS)
}
