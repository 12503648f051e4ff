//! The simulator from the command line: `sim run` plays many seeds, `sim replay` tells the story of one.
#![allow(clippy::print_stdout, reason = "its reports are what it is for")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};
use tests::byzantine::Casting;
use tests::sim::{self, Family, Model, Scenario, Share, Summary, Verbosity};
use tests::twins;

/// Seeds between two saves: what a killed run loses at most.
const SEEDS_PER_SAVE: u64 = 200;

/// Networks of real replicas in a simulated world.
#[derive(Debug, Parser)]
#[command(name = "sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays many seeds and sums up; exits with 1 if something happened that must not.
    Run {
        /// How many seeds.
        #[arg(long, default_value_t = 1_000)]
        seeds: u64,
        /// The first seed.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Threads.
        #[arg(long, default_value_t = 2)]
        jobs: usize,
        /// A file that keeps how far the run is: the same command goes on where it ended.
        #[arg(long)]
        state: Option<PathBuf>,
        #[command(flatten)]
        family: FamilyArgs,
    },
    /// Plays every split of the first four views of a network of four in which one validator runs twice.
    Twins {
        /// How many of the 262,144 scenarios, in an order that makes any number a fair sample.
        #[arg(long, default_value_t = twins::SCENARIOS)]
        scenarios: u64,
        /// Threads.
        #[arg(long, default_value_t = 2)]
        jobs: u64,
    },
    /// Plays one seed and tells what happens.
    Replay {
        /// The seed.
        seed: u64,
        /// Only the scenario and the outcome.
        #[arg(long)]
        quiet: bool,
        #[command(flatten)]
        family: FamilyArgs,
    },
}

/// Which scenarios; all if nothing is said.
#[derive(Args, Debug)]
struct FamilyArgs {
    /// The sizes of the clusters, as in `4,4,4,4`.
    #[arg(long, value_delimiter = ',')]
    shape: Option<Vec<usize>>,
    /// honest, m1, m2 or beyond.
    #[arg(long)]
    model: Option<String>,
    /// The number of liars.
    #[arg(long)]
    liars: Option<usize>,
    /// The characters to choose from, as in `silent,late`.
    #[arg(long, value_delimiter = ',')]
    casting: Option<Vec<String>>,
    /// What never happens: losses, partitions, crashes, disks, clocks, restores, rollbacks, or all.
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
    /// What always happens.
    #[arg(long = "with", value_delimiter = ',')]
    always: Vec<String>,
}

impl FamilyArgs {
    fn family(&self) -> Result<Family> {
        let model = self.model.as_ref().map(|name| {
            Model::ALL
                .into_iter()
                .find(|model| model.name() == name)
                .with_context(|| format!("{name}: no such model"))
        });
        let castings = self.casting.as_ref().map(|names| {
            let one = |name: &String| {
                Casting::from_name(name).with_context(|| format!("{name}: no such character"))
            };
            names.iter().map(one).collect::<Result<Vec<_>>>()
        });
        let mut family = Family {
            shape: self.shape.clone(),
            model: model.transpose()?,
            liars: self.liars,
            castings: castings.transpose()?,
            ..Family::default()
        };
        let settings = [(&self.without, Share::Never), (&self.always, Share::Always)];
        for (name, share) in
            settings.into_iter().flat_map(|(names, share)| names.iter().map(move |it| (it, share)))
        {
            set(&mut family, name, share)?;
        }
        Ok(family)
    }
}

fn set(family: &mut Family, name: &str, share: Share) -> Result<()> {
    let all = [
        ("losses", &mut family.losses),
        ("partitions", &mut family.partitions),
        ("crashes", &mut family.crashes),
        ("disks", &mut family.disks),
        ("clocks", &mut family.clocks),
        ("restores", &mut family.restores),
        ("rollbacks", &mut family.rollbacks),
    ];
    let mut is_known = false;
    for (known, field) in all {
        if known == name || name == "all" {
            (*field, is_known) = (share, true);
        }
    }
    if is_known { Ok(()) } else { bail!("{name}: no such trouble") }
}

fn main() -> Result<ExitCode> {
    match Cli::parse().command {
        Command::Run { seeds, from, jobs, state, family } => {
            let family = family.family()?;
            let summary = run(from..from + seeds, &family, jobs, state.as_deref())?;
            println!("{summary}");
            Ok(if summary.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Twins { scenarios, jobs } => {
            let report = twins::run(0..scenarios.min(twins::SCENARIOS), jobs);
            println!("{report}");
            if let Some((number, _)) = report.first_violation {
                println!("scenario {number}: {}", twins::describe(number));
            }
            Ok(if report.violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Replay { seed, quiet, family } => {
            let scenario = Scenario::draw(seed, &family.family()?);
            // First, so that it can be read of a world that does not end.
            println!("{scenario:#?}");
            let outcome = sim::run(&scenario, if quiet { Verbosity::Figures } else { Verbosity::Story });
            outcome.story.iter().for_each(|line| println!("{line}"));
            for (name, count) in &outcome.counters {
                println!("{name}: {count}");
            }
            for ((character, act), count) in &outcome.acts {
                println!("{character}: {act}: {count}");
            }
            println!(
                "blocks {}, events {}, virtual ms {}",
                outcome.blocks, outcome.events, outcome.virtual_ms
            );
            println!(
                "views to progress {:?}, must progress {}",
                outcome.views_to_progress, outcome.must_progress
            );
            println!("trace {:016x}", outcome.trace);
            if let Some(violation) = &outcome.violation {
                println!("VIOLATION at {} ms: {}", violation.at_ms, violation.text);
                return Ok(ExitCode::FAILURE);
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn run(seeds: std::ops::Range<u64>, family: &Family, jobs: usize, state: Option<&Path>) -> Result<Summary> {
    let began = Instant::now();
    let (mut next, mut summary) = match state.filter(|path| path.exists()) {
        Some(path) => load(path, &seeds)?,
        None => (seeds.start, Summary::default()),
    };
    let first = next;
    while next < seeds.end {
        let end = seeds.end.min(next + SEEDS_PER_SAVE);
        summary.merge(sim::play(next..end, family, jobs));
        next = end;
        if let Some(path) = state {
            save(path, &seeds, next, &summary)?;
            let rate = (next - first) as f64 / began.elapsed().as_secs_f64();
            println!("{next} of {}, {} violations, {rate:.0} seeds/s", seeds.end, summary.violations.len());
        }
    }
    println!("{:.1} s for {} seeds", began.elapsed().as_secs_f64(), next - first);
    Ok(summary)
}

/// Writes the state beside the old one, then in its place.
fn save(path: &Path, seeds: &std::ops::Range<u64>, next: u64, summary: &Summary) -> Result<()> {
    let value = json!({
        "from": seeds.start,
        "next": next,
        "sums": summary.sums,
        "distributions": summary.distributions,
        "violations": summary.violations,
        "not_run": summary.not_run,
        "slowest": summary.slowest,
    });
    let beside = path.with_extension("new");
    std::fs::write(&beside, serde_json::to_vec_pretty(&value)?)
        .with_context(|| format!("{}", beside.display()))?;
    std::fs::rename(&beside, path).with_context(|| format!("{}", path.display()))
}

fn load(path: &Path, seeds: &std::ops::Range<u64>) -> Result<(u64, Summary)> {
    let mut value: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    if value["from"] != seeds.start {
        bail!("{}: of a run from another first seed", path.display());
    }
    let next = value["next"].as_u64().context("next")?;
    let summary = Summary {
        sums: serde_json::from_value(value["sums"].take())?,
        distributions: serde_json::from_value(value["distributions"].take())?,
        violations: serde_json::from_value(value["violations"].take())?,
        not_run: serde_json::from_value(value["not_run"].take())?,
        slowest: serde_json::from_value(value["slowest"].take())?,
    };
    Ok((next, summary))
}
