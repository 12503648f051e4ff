//! Keeps batches in flight, by a window or by the clock.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::node::{Node, Posted};
use super::observer::Observer;
use super::progress::Counters;
use super::workload::Prepared;

/// The pause before a node that was busy gets the batch again.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// When the next batch goes out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// When fewer than this many are in flight.
    Closed { window: usize },
    /// When its time has come: at so many transactions a second, in batches of this many.
    Open { rate: u32, batch_size: u32 },
}

/// Why driving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The time was over.
    Time,
    /// All batches are posted.
    Supply,
}

/// What became of one batch.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    /// Its place in the supply.
    pub(super) batch: usize,
    /// When it was to be posted: latency counts from here.
    pub(super) due: Instant,
    /// When the last node had decided it.
    pub(super) decided: Instant,
    /// Why it did not take effect; `None` when it did.
    pub(super) rejection: Option<String>,
    /// How often a node refused to take it at once.
    pub(super) refusals: u64,
}

/// Posts a supply of batches, in order.
pub(super) struct Driver {
    routes: Arc<Routes>,
    supply: Arc<[Prepared]>,
    next: usize,
    in_flight: JoinSet<Result<Carried>>,
    carried: Vec<Carried>,
    /// The most that a batch of the open loop went out behind its time.
    lag: Duration,
}

/// The nodes, with the ways to ask them.
pub(super) struct Routes {
    nodes: Vec<(Arc<Node>, Observer)>,
    counters: Arc<Counters>,
}

impl Routes {
    pub(super) fn new(nodes: &[Arc<Node>], counters: Arc<Counters>) -> Arc<Self> {
        let nodes = nodes.iter().map(|node| (Arc::clone(node), Observer::start(Arc::clone(node))));
        Arc::new(Self { nodes: nodes.collect(), counters })
    }

    /// Posts a batch to one node, and waits until all have decided it.
    async fn carry(&self, batch: usize, prepared: &Prepared, due: Instant) -> Result<Carried> {
        let (node, _) = &self.nodes[batch % self.nodes.len()];
        let mut refusals = 0;
        self.counters.count_posted(prepared.transactions.len());
        while node.post(prepared.body.clone()).await? == Posted::Busy {
            refusals += 1;
            sleep(BUSY_PAUSE).await;
        }
        let mut carried = Carried { batch, due, decided: due, rejection: None, refusals };
        // All are asked before the first answer is awaited, and each answer carries its own time.
        let answers: Vec<_> = self.nodes.iter().map(|(_, observer)| observer.ask(prepared.id)).collect();
        for answer in answers {
            let decision = answer.wait().await?;
            carried.decided = carried.decided.max(decision.at);
            carried.rejection = carried.rejection.or(decision.rejection);
        }
        self.counters.count_decided(prepared.transactions.len());
        Ok(carried)
    }
}

impl Driver {
    pub(super) fn new(routes: Arc<Routes>, supply: Vec<Prepared>) -> Self {
        Self {
            routes,
            supply: supply.into(),
            next: 0,
            in_flight: JoinSet::new(),
            carried: Vec::new(),
            lag: Duration::ZERO,
        }
    }

    /// Posts until the time is over, or the supply.
    ///
    /// # Errors
    /// The first of a node.
    pub(super) async fn drive(&mut self, pace: Pace, from: Instant, until: Instant) -> Result<Stopped> {
        let stopped = match pace {
            Pace::Closed { window } => self.keep_in_flight(window, until).await?,
            Pace::Open { rate, batch_size } => self.keep_time(rate, batch_size, from, until).await?,
        };
        if stopped == Stopped::Time {
            sleep_until(until).await;
        }
        Ok(stopped)
    }

    async fn keep_in_flight(&mut self, window: usize, until: Instant) -> Result<Stopped> {
        while Instant::now() < until {
            if self.next == self.supply.len() {
                return Ok(Stopped::Supply);
            }
            if self.in_flight.len() < window {
                self.launch(Instant::now());
            } else if let Ok(Some(ended)) = timeout_at(until, self.in_flight.join_next()).await {
                self.note(ended)?;
            }
        }
        Ok(Stopped::Time)
    }

    /// Whatever is due before the end goes out, also when this process is late: nothing is left out of a latency.
    async fn keep_time(
        &mut self,
        rate: u32,
        batch_size: u32,
        from: Instant,
        until: Instant,
    ) -> Result<Stopped> {
        for number in 0.. {
            let due = from + due_after(number, rate, batch_size);
            if due >= until {
                break;
            }
            if self.next == self.supply.len() {
                return Ok(Stopped::Supply);
            }
            sleep_until(due).await;
            self.lag = self.lag.max(due.elapsed());
            self.launch(due);
            while let Some(ended) = self.in_flight.try_join_next() {
                self.note(ended)?;
            }
        }
        Ok(Stopped::Time)
    }

    fn launch(&mut self, due: Instant) {
        let (routes, supply, batch) = (Arc::clone(&self.routes), Arc::clone(&self.supply), self.next);
        self.in_flight.spawn(async move { routes.carry(batch, &supply[batch], due).await });
        self.next += 1;
    }

    fn note(&mut self, ended: Result<Result<Carried>, JoinError>) -> Result<()> {
        self.carried.push(ended.context("a batch's task")??);
        Ok(())
    }

    /// Waits until all that is in flight is decided, or for the patience. What is then still undecided stays so.
    ///
    /// # Errors
    /// The first of a node.
    pub(super) async fn drain(&mut self, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        while let Ok(Some(ended)) = timeout_at(until, self.in_flight.join_next()).await {
            self.note(ended)?;
        }
        self.in_flight.abort_all();
        Ok(())
    }

    /// The batches that went out.
    pub(super) fn posted(&self) -> &[Prepared] {
        &self.supply[..self.next]
    }

    /// What is decided, in the order of the decisions.
    pub(super) fn carried(&self) -> &[Carried] {
        &self.carried
    }

    /// The most that a batch of the open loop went out behind its time.
    pub(super) fn lag(&self) -> Duration {
        self.lag
    }
}

/// When the batch of this number is due, without an error that adds up.
fn due_after(number: u64, rate: u32, batch_size: u32) -> Duration {
    let (transactions, rate) = (number * u64::from(batch_size), u64::from(rate));
    let (seconds, rest) = (transactions / rate, transactions % rate);
    Duration::from_secs(seconds) + Duration::from_nanos(rest * 1_000_000_000 / rate)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::due_after;

    #[test]
    fn the_clock_does_not_drift() {
        assert_eq!(due_after(0, 3, 1), Duration::ZERO);
        assert_eq!(due_after(1, 3, 1), Duration::from_nanos(333_333_333));
        assert_eq!(due_after(3 * 86_400, 3, 1), Duration::from_secs(86_400));
        assert_eq!(due_after(7, 50, 100), Duration::from_secs(14));
    }
}
