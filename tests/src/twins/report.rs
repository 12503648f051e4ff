//! What a run adds up to.

/// What happened in one scenario, or in many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that arrived.
    pub delivered: u64,
    /// Messages that the groups kept back.
    pub withheld: u64,
    /// Heights at which a block became final.
    pub blocks: u64,
    /// Commits, of all processes, while there were groups.
    pub early_commits: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.withheld += other.withheld;
        self.blocks += other.blocks;
        self.early_commits += other.early_commits;
    }
}

/// A run over many scenarios.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many were run.
    pub scenarios: u64,
    /// How many went wrong.
    pub violations: u64,
    /// The first of these, by number: the scenario and what went wrong.
    pub first_violation: Option<(u64, String)>,
    /// What happened in all others together.
    pub counts: Counts,
}

impl Report {
    /// Takes the outcome of one scenario.
    pub(crate) fn add(&mut self, number: u64, outcome: Result<Counts, String>) {
        self.scenarios += 1;
        match outcome {
            Ok(counts) => self.counts += counts,
            Err(reason) => {
                self.violations += 1;
                self.keep_first(Some((number, reason)));
            }
        }
    }

    /// Takes another part of the same run.
    pub(crate) fn merge(&mut self, other: Self) {
        self.scenarios += other.scenarios;
        self.violations += other.violations;
        self.counts += other.counts;
        self.keep_first(other.first_violation);
    }

    fn keep_first(&mut self, violation: Option<(u64, String)>) {
        let first = self.first_violation.take().into_iter().chain(violation);
        self.first_violation = first.min_by_key(|(number, _)| *number);
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts { delivered, withheld, blocks, early_commits } = self.counts;
        writeln!(f, "{} scenarios of {}", self.scenarios, super::SCENARIOS)?;
        writeln!(f, "{blocks} final blocks, {early_commits} commits while there were groups")?;
        writeln!(f, "{delivered} messages arrived, {withheld} kept back")?;
        write!(f, "{} violations", self.violations)?;
        match &self.first_violation {
            Some((number, reason)) => write!(f, "; the first in scenario {number}: {reason}"),
            None => Ok(()),
        }
    }
}
