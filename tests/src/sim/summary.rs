//! What many runs come to together.

use std::collections::BTreeMap;
use std::fmt;

use super::outcome::Outcome;
use super::scenario::Scenario;

/// Seeds named of those that did not run, at most.
const NAMED: usize = 20;

/// Sums and distributions over many runs. Plain maps, so that it can be kept in any format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Sums by `"group: name"`.
    pub sums: BTreeMap<String, u64>,
    /// How often which value was seen, by what was measured.
    pub distributions: BTreeMap<String, BTreeMap<u64, u64>>,
    /// Seeds in which something happened that must not, with what.
    pub violations: BTreeMap<u64, String>,
    /// Some of the seeds that did not run.
    pub not_run: Vec<u64>,
    /// The most views that progress took after healing, and the seed.
    pub slowest: (u64, u64),
}

impl Summary {
    /// Adds a run.
    pub fn add(&mut self, scenario: &Scenario, outcome: &Outcome) {
        self.sum("seeds", 1);
        self.sum(&format!("shape: {}", shape_name(&scenario.shape)), 1);
        self.sum(&format!("model: {}", scenario.model.name()), 1);
        self.sum("events", outcome.events);
        self.sum("virtual ms", outcome.virtual_ms);
        self.sum("blocks", outcome.blocks);
        for (name, count) in &outcome.counters {
            self.sum(name, *count);
        }
        for ((character, act), count) in &outcome.acts {
            self.sum(&format!("act: {character}: {act}"), *count);
        }
        self.observe("blocks per seed", outcome.blocks);
        if !outcome.was_run() && outcome.violation.is_none() {
            self.sum("not run", 1);
            self.not_run.push(outcome.seed);
            self.not_run.truncate(NAMED);
        }
        if outcome.must_progress {
            self.sum("liveness: demanded", 1);
            if let (Some(views), Some(waited_ms)) = (outcome.views_to_progress, outcome.progress_ms) {
                self.observe("views to progress", views);
                self.slowest = self.slowest.max((views, outcome.seed));
                self.observe("ms to progress", waited_ms / 10 * 10);
            }
        }
        if outcome.has_forked {
            self.sum("beyond: forked seeds", 1);
        }
        if outcome.halted > 0 {
            self.sum("beyond: seeds with a halted node", 1);
        }
        if let Some(violation) = &outcome.violation {
            self.violations.insert(outcome.seed, format!("{} ms: {}", violation.at_ms, violation.text));
        }
    }

    /// Adds all runs of another summary.
    pub fn merge(&mut self, other: Self) {
        for (name, count) in other.sums {
            self.sum(&name, count);
        }
        for (name, values) in other.distributions {
            let own = self.distributions.entry(name).or_default();
            for (value, count) in values {
                *own.entry(value).or_default() += count;
            }
        }
        self.violations.extend(other.violations);
        self.slowest = self.slowest.max(other.slowest);
        self.not_run.extend(other.not_run);
        self.not_run.truncate(NAMED);
    }

    /// A sum; 0 if there is none.
    pub fn get(&self, name: &str) -> u64 {
        self.sums.get(name).copied().unwrap_or(0)
    }

    fn sum(&mut self, name: &str, count: u64) {
        match self.sums.get_mut(name) {
            Some(sum) => *sum += count,
            None => _ = self.sums.insert(name.to_owned(), count),
        }
    }

    fn observe(&mut self, name: &str, value: u64) {
        *self.distributions.entry(name.to_owned()).or_default().entry(value).or_default() += 1;
    }
}

/// A shape as people write it: `4x4`, or `4+3+5` if clusters differ.
pub fn shape_name(shape: &[usize]) -> String {
    match shape {
        [first, rest @ ..] if rest.iter().all(|size| size == first) => format!("{}x{first}", shape.len()),
        _ => shape.iter().map(usize::to_string).collect::<Vec<_>>().join("+"),
    }
}

/// The value below which a share of all lies, in thousandths.
fn quantile(values: &BTreeMap<u64, u64>, permille: u64) -> u64 {
    let all: u64 = values.values().sum();
    let wanted = (all * permille).div_ceil(1_000).max(1);
    let mut seen = 0;
    for (value, count) in values {
        seen += count;
        if seen >= wanted {
            return *value;
        }
    }
    0
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (seed, text) in &self.violations {
            writeln!(f, "VIOLATION in seed {seed} at {text}\n  again: sim replay {seed}")?;
        }
        writeln!(f, "violations: {}", self.violations.len())?;
        writeln!(f, "not run (fewer than 5 blocks): {} {:?}", self.get("not run"), self.not_run)?;
        writeln!(f, "slowest: {} views to progress in seed {}", self.slowest.0, self.slowest.1)?;
        for (name, values) in &self.distributions {
            let all: u64 = values.values().sum();
            let total: u64 = values.iter().map(|(value, count)| value * count).sum();
            let [least, p50, p90, p99, most] = [0, 500, 900, 990, 1_000].map(|it| quantile(values, it));
            let mean = total / all.max(1);
            writeln!(
                f,
                "{name}: min {least}, p50 {p50}, mean {mean}, p90 {p90}, p99 {p99}, max {most} ({all} seeds)"
            )?;
        }
        for (name, sum) in &self.sums {
            writeln!(f, "{name}: {sum}")?;
        }
        Ok(())
    }
}
