//! What a run found out.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::options::Options;

/// The whole report; as JSON it has these names.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the run was told.
    pub options: Options,
    /// The seed that was used.
    pub seed: u64,
    /// The part of the run that was measured.
    pub measured: Measured,
    /// The run from its first batch to its last decision.
    pub whole_run: WholeRun,
    /// What the generator itself took.
    pub generator: Generator,
}

/// Between the heads at the start and at the end of the measurement. Counts are the run's own transactions in the
/// blocks between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// What ended the measurement.
    pub ended_by: Ended,
    /// How long it took.
    pub seconds: f64,
    /// Transactions committed.
    pub committed: u64,
    /// The same in a second.
    pub committed_per_second: f64,
    /// Bytes of the requests that posted batches, for each transaction of the run but those that make accounts.
    pub posted_bytes_per_transaction: f64,
    /// Blocks.
    pub blocks: u64,
    /// The same in a second.
    pub blocks_per_second: f64,
    /// From POST, or when it was due, to COMMITTED on the last node; of the batches that
    /// were due in the measurement and committed. `None` without any.
    pub latency: Option<Latency>,
    /// How often a node did not take a batch at once.
    pub refusals: u64,
}

/// What ended a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// The time asked for was over.
    Time,
    /// All transactions signed ahead were posted: sign more.
    Supply,
}

/// A distribution of times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many batches.
    pub batches: u64,
    /// Half of them took at most this.
    pub p50_ms: f64,
    /// Nine tenths.
    pub p90_ms: f64,
    /// Ninety-nine hundredths.
    pub p99_ms: f64,
    /// All of them.
    pub max_ms: f64,
}

/// From the first batch to the last decision, accounts and warm-up included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholeRun {
    /// Transactions posted.
    pub posted: u64,
    /// Those on the chain; a re-execution counts as many.
    pub committed: u64,
    /// Transactions of batches that were rejected.
    pub rejected: u64,
    /// Transactions of batches about which no answer came.
    pub undecided: u64,
    /// Transactions of others on the same stretch of the chain.
    pub foreign: u64,
    /// Blocks on that stretch.
    pub blocks: u64,
    /// Why the first rejected batch was.
    pub first_rejection: Option<String>,
}

/// What the generator itself took while it measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// CPU time.
    pub cpu_seconds: f64,
    /// The same for each transaction committed.
    pub cpu_us_per_transaction: f64,
    /// The most that a batch of the open loop went out behind its time.
    pub lag_ms_max: f64,
    /// The time that signing ahead took, before the run.
    pub signing_seconds: f64,
}

impl Latency {
    /// The distribution of these times; `None` of none.
    pub(super) fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let max_ms = times.last()?.as_secs_f64() * 1e3;
        // The smallest time that so many percent of all do not exceed.
        let at = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1e3;
        Some(Self { batches: times.len() as u64, p50_ms: at(50), p90_ms: at(90), p99_ms: at(99), max_ms })
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { options, measured, whole_run, generator, .. } = self;
        let pace = match options.rate {
            Some(rate) => format!("open loop at {rate} tx/s"),
            None => format!("closed window of {} batches", options.window()),
        };
        let curve = ledger_types::signature::Curve::from(options.curve);
        writeln!(f, "{pace}, batches of {}, {curve}, {} node(s)", options.batch_size, options.urls.len())?;
        let Measured { seconds, committed, committed_per_second: rate, blocks_per_second, .. } = measured;
        writeln!(
            f,
            "  committed      {rate:.0} tx/s ({committed} in {seconds:.1} s, counted from the chain)"
        )?;
        writeln!(f, "  blocks         {blocks_per_second:.1} /s")?;
        match &measured.latency {
            None => writeln!(f, "  latency        no batch was committed")?,
            Some(Latency { p50_ms, p90_ms, p99_ms, max_ms, .. }) => writeln!(
                f,
                "  latency        p50 {p50_ms:.1} ms, p90 {p90_ms:.1} ms, p99 {p99_ms:.1} ms, most {max_ms:.1} ms"
            )?,
        }
        let cpu = generator.cpu_us_per_transaction;
        writeln!(f, "  generator      {:.2} s of CPU, {cpu:.0} us/tx", generator.cpu_seconds)?;
        let WholeRun { posted, committed, rejected, undecided, .. } = whole_run;
        writeln!(
            f,
            "  whole run      {posted} posted, {committed} on the chain, {rejected} rejected, {undecided} undecided"
        )?;
        if measured.refusals > 0 {
            writeln!(f, "  refused        {} times at first: the pool was full", measured.refusals)?;
        }
        if let Some(reason) = &whole_run.first_rejection {
            writeln!(f, "  first rejected {reason}")?;
        }
        if options.rate.is_some() {
            writeln!(f, "  lag            {:.1} ms behind the clock at most", generator.lag_ms_max)?;
        }
        if measured.ended_by == Ended::Supply {
            writeln!(f, "  cut short      all signed transactions were posted; give --transactions more")?;
        }
        write!(f, "  seed           {}", self.seed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Latency;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let of = |count: u64| Latency::of((1..=count).rev().map(Duration::from_millis).collect());
        assert_eq!(of(0), None);
        let lone = of(1).unwrap();
        assert_eq!((lone.p50_ms, lone.p99_ms, lone.max_ms), (1.0, 1.0, 1.0));
        let many = of(200).unwrap();
        assert_eq!((many.p50_ms, many.p90_ms, many.p99_ms, many.max_ms), (100.0, 180.0, 198.0, 200.0));
        assert_eq!(many.batches, 200);
    }
}
