//! One run: sign, make the accounts, warm up, measure, drain, count.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use ledger_types::{BlockId, TransactionId};
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use super::chain::{self, Walk};
use super::driver::{Carried, Driver, Pace, Routes, Stopped};
use super::node::Node;
use super::options::Options;
use super::progress::{Counters, Progress};
use super::report::{Ended, Generator, Latency, Measured, Report, WholeRun};
use super::workload::{Prepared, Workload};

/// Batches of accounts in flight.
const ACCOUNTS_WINDOW: usize = 16;
/// How long the last batches may take to be decided.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than any run.
const A_WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Where the chain and the generator were at one moment.
struct Mark {
    at: Instant,
    head: BlockId,
    cpu: Duration,
}

/// The measurement.
struct Span {
    /// When its first batch was due.
    begin: Instant,
    from: Mark,
    to: Mark,
    stopped: Stopped,
}

/// Runs a load to its end.
///
/// # Errors
/// When a node does not answer or the accounts cannot be made; when the supply ends before the measurement begins; and
/// when the chain does not hold what the answers said.
pub async fn run(options: Options) -> Result<Report> {
    let nodes = options.urls.iter().map(|url| Node::new(url)).collect::<Result<Vec<_>>>()?;
    let first = Arc::clone(nodes.first().context("no node is named")?);
    let seed = options.seed.map_or_else(random_seed, Ok)?;
    let counters = Counters::new();
    let _progress = Progress::start(Arc::clone(&counters));
    counters.enter("signing");
    let signing = Instant::now();
    let workload = Workload::new(&options, seed);
    let supply = options.supply();
    let sign = move || (workload.sign_accounts(), workload.sign_changes(supply));
    let (accounts, changes) = tokio::task::spawn_blocking(sign).await?;
    let signing_seconds = signing.elapsed().as_secs_f64();

    let start = first.head().await?;
    let routes = Routes::new(&nodes, Arc::clone(&counters));
    counters.enter("accounts");
    let account_ids = make_accounts(Arc::clone(&routes), accounts).await?;
    let mut driver = Driver::new(routes, changes);
    let span = measure(&options, &mut driver, &first, &counters).await?;
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
    Ok(Report {
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
    })
}

/// Commits the accounts; their transactions.
async fn make_accounts(routes: Arc<Routes>, accounts: Vec<Prepared>) -> Result<Vec<TransactionId>> {
    let batches = accounts.len();
    let mut driver = Driver::new(routes, accounts);
    let now = Instant::now();
    driver.drive(Pace::Closed { window: ACCOUNTS_WINDOW }, now, now + A_WEEK).await?;
    driver.drain(PATIENCE).await?;
    if let Some(reason) = driver.carried().iter().find_map(|carried| carried.rejection.as_ref()) {
        bail!("the accounts cannot be made: {reason} (a chain takes each seed once)");
    }
    ensure!(driver.carried().len() == batches, "the accounts are not decided after {PATIENCE:?}");
    Ok(driver.posted().iter().flat_map(|batch| batch.transactions.iter().copied()).collect())
}

/// Warms up and measures.
async fn measure(options: &Options, driver: &mut Driver, node: &Node, counters: &Counters) -> Result<Span> {
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
    let (from, stopped) = tokio::join!(mark(node), driver.drive(pace, begin, end));
    Ok(Span { begin, from: from?, to: mark(node).await?, stopped: stopped? })
}

async fn mark(node: &Node) -> Result<Mark> {
    let head = node.head().await?;
    Ok(Mark { at: Instant::now(), head, cpu: cpu_time() })
}

/// CPU time of this process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("invariant: CPU time is not negative");
    Duration::new(seconds, u32::try_from(time.tv_nsec).expect("invariant: below a second"))
}

fn measured(walk: &Walk, driver: &Driver, span: &Span) -> Measured {
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
        blocks: count.blocks,
        blocks_per_second: count.blocks as f64 / seconds,
        latency: Latency::of(committed.map(|carried| carried.decided - carried.due).collect()),
        refusals: batches.iter().map(|carried| carried.refusals).sum(),
    }
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
