//! One run: sign, make the accounts, warm up, measure, drain, count.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use ledger_types::{BlockId, TransactionId};
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use super::accounts;
use super::chain::{self, Walk};
use super::driver::{Carried, Driver, Pace, Routes, Stopped};
use super::node::Node;
use super::options::Options;
use super::progress::{Counters, Progress};
use super::report::{Ended, Generator, Latency, Measured, Report, WholeRun};
use super::workload::{Prepared, Workload};

/// How long the last batches may take to be decided.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Where the chain, the generator and what the caller looks at were at one moment.
struct Mark<S> {
    at: Instant,
    head: BlockId,
    cpu: Duration,
    seen: S,
}

/// The measurement.
struct Span<S> {
    /// When its first batch was due.
    begin: Instant,
    from: Mark<S>,
    to: Mark<S>,
    stopped: Stopped,
}

/// Runs a load to its end.
///
/// # Errors
/// When a node does not answer or the accounts cannot be made; when the supply ends before the measurement begins; and
/// when the chain does not hold what the answers said.
pub async fn run(options: Options) -> Result<Report> {
    Ok(run_watched(options, || ()).await?.0)
}

/// The same, with what `look` sees when the measurement begins and when it ends: it is called by a thread of its own.
///
/// # Errors
/// As [`run`].
pub async fn run_watched<S: Send + 'static>(
    options: Options,
    look: impl Fn() -> S + Send + Sync + 'static,
) -> Result<(Report, [S; 2])> {
    let look = Arc::new(look);
    let nodes = options.urls.iter().map(|url| Node::new(url)).collect::<Result<Vec<_>>>()?;
    let first = Arc::clone(nodes.first().context("no node is named")?);
    let seed = options.seed.map_or_else(random_seed, Ok)?;
    let counters = Counters::new();
    let _progress = Progress::start(Arc::clone(&counters));
    counters.enter("signing");
    let signing = Instant::now();
    let workload = Workload::new(&options, seed);
    let supply = options.supply();
    let new_accounts = if options.accounts_of.is_none() { options.accounts } else { 0 };
    let sign = move || (workload.sign_accounts(0..new_accounts), workload.sign_changes(supply));
    let (accounts, changes) = tokio::task::spawn_blocking(sign).await?;
    let signing_seconds = signing.elapsed().as_secs_f64();

    let start = first.head().await?;
    let routes = Routes::new(&nodes, Arc::clone(&counters));
    counters.enter("accounts");
    let account_ids = accounts::make(Arc::clone(&routes), accounts).await?;
    let mut driver = Driver::new(routes, changes);
    let span = measure(&options, &mut driver, (&first, &look), &counters).await?;
    counters.enter("draining");
    driver.drain(PATIENCE).await?;
    counters.enter("counting");
    let end = first.head().await?;
    let own = account_ids.iter().chain(driver.posted().iter().flat_map(|batch| &batch.transactions));
    let own: BTreeSet<TransactionId> = own.copied().collect();
    let posted = own.len() as u64;
    let walk = chain::walk(&first, &start, &end, own).await?;

    let measured = measured(&walk, &driver, &span);
    let cpu_seconds = (span.to.cpu - span.from.cpu).as_secs_f64();
    let report = Report {
        whole_run: whole_run(&walk, &driver, posted, account_ids.len() as u64)?,
        generator: Generator {
            cpu_seconds,
            cpu_us_per_transaction: cpu_seconds * 1e6 / measured.committed.max(1) as f64,
            lag_ms_max: driver.lag().as_secs_f64() * 1e3,
            signing_seconds,
        },
        measured,
        options,
        seed,
    };
    Ok((report, [span.from.seen, span.to.seen]))
}

/// Warms up and measures.
async fn measure<S: Send + 'static>(
    options: &Options,
    driver: &mut Driver,
    (node, look): (&Node, &Arc<impl Fn() -> S + Send + Sync + 'static>),
    counters: &Counters,
) -> Result<Span<S>> {
    let pace = match options.rate {
        None => Pace::Closed { window: options.window() as usize },
        Some(rate) => Pace::Open { rate, batch_size: options.batch_size },
    };
    let start = Instant::now();
    let begin = start + Duration::from_secs(options.warm_up.into());
    let end = begin + Duration::from_secs(options.seconds.into());
    counters.enter("warming up");
    if driver.drive(pace, start, begin).await? == Stopped::Supply {
        bail!("all signed transactions were posted during the warm-up; give --transactions more");
    }
    counters.enter("measuring");
    let (from, stopped) = tokio::join!(mark(node, look), driver.drive(pace, begin, end));
    Ok(Span { begin, from: from?, to: mark(node, look).await?, stopped: stopped? })
}

async fn mark<S: Send + 'static>(
    node: &Node,
    look: &Arc<impl Fn() -> S + Send + Sync + 'static>,
) -> Result<Mark<S>> {
    let head = node.head().await?;
    let (at, cpu, look) = (Instant::now(), cpu_time(), Arc::clone(look));
    Ok(Mark { at, head, cpu, seen: tokio::task::spawn_blocking(move || look()).await? })
}

/// CPU time of this process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("invariant: CPU time is not negative");
    Duration::new(seconds, u32::try_from(time.tv_nsec).expect("invariant: below a second"))
}

fn measured<S>(walk: &Walk, driver: &Driver, span: &Span<S>) -> Measured {
    let Span { begin, from, to, stopped } = span;
    let count = walk.between(&from.head, &to.head);
    let seconds = (to.at - from.at).as_secs_f64();
    let batches: Vec<&Carried> = driver.carried().iter().filter(|carried| carried.due >= *begin).collect();
    let committed = batches.iter().filter(|carried| carried.rejection.is_none());
    Measured {
        ended_by: match stopped {
            Stopped::Time => Ended::Time,
            Stopped::Supply => Ended::Supply,
        },
        seconds,
        committed: count.own,
        committed_per_second: count.own as f64 / seconds,
        posted_bytes_per_transaction: bytes_per_transaction(driver.posted()),
        blocks: count.blocks,
        blocks_per_second: count.blocks as f64 / seconds,
        latency: Latency::of(committed.map(|carried| carried.decided - carried.due).collect()),
        refusals: batches.iter().map(|carried| carried.refusals).sum(),
    }
}

/// What a client sends for a transaction: the bodies of its requests.
fn bytes_per_transaction(posted: &[Prepared]) -> f64 {
    let bytes: usize = posted.iter().map(|batch| batch.body.len()).sum();
    let transactions: usize = posted.iter().map(|batch| batch.transactions.len()).sum();
    bytes as f64 / transactions.max(1) as f64
}

/// # Errors
/// When the chain holds another number of transactions than the answers said, though all are decided.
fn whole_run(walk: &Walk, driver: &Driver, posted: u64, accounts: u64) -> Result<WholeRun> {
    let count = walk.whole();
    let transactions = |carried: &Carried| driver.posted()[carried.batch].transactions.len() as u64;
    let rejections = driver.carried().iter().filter(|carried| carried.rejection.is_some());
    let rejected: u64 = rejections.clone().map(transactions).sum();
    let decided: u64 = driver.carried().iter().map(transactions).sum();
    let undecided = posted - accounts - decided;
    let answered = accounts + decided - rejected;
    let is_possible = (answered..=answered + undecided).contains(&count.own);
    ensure!(
        is_possible,
        "{answered} transactions were answered COMMITTED, the chain has {} since this run began (it takes each seed once)",
        count.own
    );
    Ok(WholeRun {
        posted,
        committed: count.own,
        rejected,
        undecided,
        foreign: count.foreign,
        blocks: count.blocks,
        first_rejection: rejections.clone().find_map(|carried| carried.rejection.clone()),
    })
}

/// # Errors
/// When the operating system has no randomness.
fn random_seed() -> Result<u64> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("randomness of the operating system: {error}"))?;
    Ok(u32::from_le_bytes(bytes).into())
}
