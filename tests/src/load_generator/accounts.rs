//! The accounts that a load changes.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use ledger_types::TransactionId;
use tokio::time::Instant;

use super::driver::{Driver, Pace, Routes};
use super::node::Node;
use super::options::Options;
use super::progress::Counters;
use super::run::PATIENCE;
use super::workload::{Prepared, Workload};

/// Batches of accounts in flight.
const WINDOW: usize = 16;
/// Accounts that are signed while those before them are made.
const SIGNED_AHEAD: u32 = 50_000;
/// Longer than any run.
const A_WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Makes these accounts of a seed, for runs with `--accounts-of`: what is signed never lies in memory all at once, so there
/// may be millions.
///
/// # Errors
/// When a node does not answer or the accounts cannot be made.
pub async fn make_accounts(options: &Options, seed: u64, accounts: Range<u32>) -> Result<()> {
    let nodes = options.urls.iter().map(|url| Node::new(url)).collect::<Result<Vec<_>>>()?;
    let routes = Routes::new(&nodes, Counters::new());
    let workload = Arc::new(Workload::new(options, seed));
    let sign = |first: u32| {
        let (workload, end) = (Arc::clone(&workload), accounts.end.min(first.saturating_add(SIGNED_AHEAD)));
        tokio::task::spawn_blocking(move || workload.sign_accounts(first..end))
    };
    let step = SIGNED_AHEAD as usize;
    let mut signing = sign(accounts.start);
    for first in accounts.clone().step_by(step) {
        let signed = signing.await?;
        signing = sign(accounts.end.min(first.saturating_add(SIGNED_AHEAD)));
        make(Arc::clone(&routes), signed).await?;
    }
    Ok(())
}

/// Commits the accounts; their transactions.
pub(super) async fn make(routes: Arc<Routes>, accounts: Vec<Prepared>) -> Result<Vec<TransactionId>> {
    let batches = accounts.len();
    let mut driver = Driver::new(routes, accounts);
    let now = Instant::now();
    driver.drive(Pace::Closed { window: WINDOW }, now, now + A_WEEK).await?;
    driver.drain(PATIENCE).await?;
    if let Some(reason) = driver.carried().iter().find_map(|carried| carried.rejection.as_ref()) {
        bail!("the accounts cannot be made: {reason} (a chain takes each seed once)");
    }
    ensure!(driver.carried().len() == batches, "the accounts are not decided after {PATIENCE:?}");
    Ok(driver.posted().iter().flat_map(|batch| batch.transactions.iter().copied()).collect())
}
