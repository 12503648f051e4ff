//! Two builds beside each other: short runs of both in turn, each on a new network, so that what the machine does
//! meanwhile meets both.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Subcommand;
use ledger_types::signature::Curve;
use tests::binary::run;
use tests::load_generator::CurveName;
use tests::measure::{Calibration, Figures, Output, Shape, Summary, number_from_env};

/// Runs of each build, unless `DGT_BENCH_RUNS` says otherwise.
const RUNS: u32 = 5;
/// How long each is measured, seconds, unless `DGT_BENCH_SECONDS` says otherwise.
const SECONDS: u32 = 15;
/// Accounts of each network, unless `DGT_BENCH_ACCOUNTS` says otherwise.
const ACCOUNTS: u32 = 20_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Compare {
    /// Measures two binaries in turn and prints the ratios of their figures.
    Compare {
        /// The binary that is compared with.
        #[arg(long, value_name = "DGT")]
        base: PathBuf,
        /// The binary that may be better.
        #[arg(long, value_name = "DGT")]
        with: PathBuf,
        /// CLUSTERSxNODES.
        #[arg(long, default_value = "1x4")]
        shape: Shape,
        /// Whose signatures.
        #[arg(long, value_enum, default_value = "ed25519")]
        curve: CurveName,
        /// Transactions in a batch.
        #[arg(long, default_value_t = 100)]
        batch_size: u32,
        /// An open loop at this rate instead of the peak: for latencies.
        #[arg(long, value_name = "TX_PER_S")]
        rate: Option<u32>,
        /// Append the figures to this file, as lines of JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
}

impl Compare {
    pub(crate) fn run(&self) {
        let Self::Compare { base, with, shape, curve, batch_size, rate, json } = self;
        let curve = Curve::from(*curve);
        let mut output = Output::new("compare", json.as_deref());
        let calibration = Calibration::measure();
        output.show("calibration", &[], &[calibration.figures()]);
        let verifications = calibration.verifications(curve);
        let mut words = format!(
            "{shape} --curve {curve} --batch-size {batch_size} --only peak --verifications {verifications}"
        );
        if let Some(rate) = rate {
            words += &format!(" --rate {rate}");
        }
        let (mut of_base, mut of_with) = (Vec::new(), Vec::new());
        for _ in 0..number_from_env("DGT_BENCH_RUNS", RUNS) {
            for (name, binary, runs) in [("base", base, &mut of_base), ("with", with, &mut of_with)] {
                let figures = measure(binary, &words);
                let get = |figure: &str| figures.get(figure).unwrap_or(f64::NAN);
                let (rate, cpu) = (get("committed_per_second"), get("cpu_us_per_tx"));
                println!("  {name}  {rate:>6.0} tx/s  {cpu:>5.0} us CPU/tx  {}", binary.display());
                runs.push(figures);
            }
        }
        println!();
        let setting = |which: &str| [("which", which.to_owned()), ("load", words.clone())];
        let base = output.show("base", &setting("base"), &of_base);
        let with = output.show("with", &setting("with"), &of_with);
        let ratios: Vec<Figures> =
            of_base.iter().zip(&of_with).map(|(base, with)| ratios(base, with)).collect();
        let pairs = output.show("with / base, pair by pair", &setting("pairs"), &ratios);
        print_ratios(&base, &with, &pairs);
    }
}

/// One run of a binary in a process of its own, on a new network.
fn measure(binary: &Path, words: &str) -> Figures {
    let binary = binary.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut command = Command::new(std::env::current_exe().expect("the path of this benchmark"));
    command.args(words.split(' ')).arg("--json").arg(file.path());
    command.env("DGT_BINARY", binary).env("DGT_BENCH_RUNS", "1");
    for (name, default) in [("DGT_BENCH_SECONDS", SECONDS), ("DGT_BENCH_ACCOUNTS", ACCOUNTS)] {
        command.env(name, number_from_env(name, default).to_string());
    }
    run(&mut command).ok();
    let text = std::fs::read_to_string(file.path()).expect("the figures of a run");
    let summary: Summary =
        serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut figures = Figures::default();
    summary.figures.into_iter().for_each(|(name, spread)| figures.add(name, spread.median));
    figures
}

/// Each figure of the one run as a multiple of the other's; without those that are nothing in either.
fn ratios(base: &Figures, with: &Figures) -> Figures {
    let mut ratios = Figures::default();
    for (name, value) in with.iter() {
        if let Some(base) = base.get(name).filter(|base| *base > 0.0 && value > 0.0) {
            ratios.add(name, value / base);
        }
    }
    ratios
}

/// The ratio of the medians, and between which ratios the pairs were. A build is other than the base in a figure when all
/// pairs lie on the same side of 1.
fn print_ratios(base: &Summary, with: &Summary, pairs: &Summary) {
    println!("  {:<34} {:>10} {:>10}   with / base", "medians", "base", "with");
    for (name, spread) in pairs.whole() {
        let (base, with) = (base.median(name), with.median(name));
        let verdict = match (spread.min > 1.0, spread.max < 1.0) {
            (true, _) => "more in all pairs",
            (_, true) => "less in all pairs",
            _ => "",
        };
        let (least, most) = (spread.min, spread.max);
        println!(
            "  {name:<34} {base:>10.1} {with:>10.1}   {:.3}  pairs {least:.3} to {most:.3}  {verdict}",
            with / base
        );
    }
}
