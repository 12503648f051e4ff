//! Threads that verify signatures of batches, and give way to everything else of the node: while there is more to verify
//! than the machine can, votes and blocks still go on, and what waits is the door for new batches.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ledger::Source;
use parking_lot::{Condvar, Mutex};

/// How much the threads give way: the step of `nice`, which leaves them a tenth of a busy core.
const NICENESS: i32 = 10;

/// The threads, one for each core. What clients gave and what peers sent gets the same time while there is both, so that
/// neither waits for all of the other.
pub(crate) struct Verifiers(Arc<Shared>);

/// What the threads share.
#[derive(Default)]
struct Shared {
    queues: Mutex<Queues>,
    changed: Condvar,
}

/// What is to be done, each in the order in which it was given.
#[derive(Default)]
struct Queues {
    of_clients: VecDeque<Job>,
    of_peers: VecDeque<Job>,
    /// Nanoseconds that clients have had more than peers since both had something to do.
    lead_of_clients: i64,
    is_stopped: bool,
}

type Job = Box<dyn FnOnce() + Send>;

impl Verifiers {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub(crate) fn start() -> Result<Self> {
        let verifiers = Self(Arc::default());
        for number in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let shared = verifiers.0.clone();
            let thread = std::thread::Builder::new().name(format!("verify-{number}"));
            thread.spawn(move || shared.work()).context("starting the threads that verify signatures")?;
        }
        Ok(verifiers)
    }

    /// Has a piece of work done after what was given before from the same side. A piece should take a few milliseconds at
    /// most: others wait for it.
    pub(crate) fn spawn(&self, source: Source, work: impl FnOnce() + Send + 'static) {
        self.0.queues.lock().of(source).push_back(Box::new(work));
        self.0.changed.notify_one();
    }
}

impl Drop for Verifiers {
    /// The threads end with the piece that they are at; nobody waits for that, since one of them may be who drops this.
    fn drop(&mut self) {
        let mut queues = self.0.queues.lock();
        queues.is_stopped = true;
        let left = (std::mem::take(&mut queues.of_clients), std::mem::take(&mut queues.of_peers));
        drop(queues);
        self.0.changed.notify_all();
        // Not under the lock: what a piece holds may be anything.
        drop(left);
    }
}

impl Shared {
    fn work(&self) {
        // A system that does not allow it has them as the other threads are.
        let _ = rustix::process::nice(NICENESS);
        while let Some((source, job)) = self.next() {
            let begun = Instant::now();
            // Who waits for the piece is told when what it holds is dropped, and the panic itself is in the log.
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a piece of verification panicked");
            }
            self.queues.lock().count(source, begun.elapsed());
        }
    }

    /// Waits for the next piece; `None` when there will be none.
    fn next(&self) -> Option<(Source, Job)> {
        let mut queues = self.queues.lock();
        self.changed.wait_while(&mut queues, |it| {
            !it.is_stopped && it.of_clients.is_empty() && it.of_peers.is_empty()
        });
        queues.take()
    }
}

impl Queues {
    fn of(&mut self, source: Source) -> &mut VecDeque<Job> {
        match source {
            Source::Client => &mut self.of_clients,
            Source::Peer => &mut self.of_peers,
        }
    }

    fn take(&mut self) -> Option<(Source, Job)> {
        let source = match (self.of_clients.is_empty(), self.of_peers.is_empty()) {
            (false, false) if self.lead_of_clients <= 0 => Source::Client,
            (false, false) => Source::Peer,
            (is_empty, _) => {
                // Nobody saves up turns while there is nothing to do.
                self.lead_of_clients = 0;
                if is_empty { Source::Peer } else { Source::Client }
            }
        };
        self.of(source).pop_front().map(|job| (source, job))
    }

    /// Counts what a piece took.
    fn count(&mut self, source: Source, took: Duration) {
        let nanoseconds = i64::try_from(took.as_nanos()).unwrap_or(i64::MAX);
        self.lead_of_clients = match source {
            Source::Client => self.lead_of_clients.saturating_add(nanoseconds),
            Source::Peer => self.lead_of_clients.saturating_sub(nanoseconds),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Queues, Source};

    #[test]
    fn both_sides_get_the_same_time_and_each_goes_on_in_order() {
        let mut queues = Queues::default();
        let (told, heard) = std::sync::mpsc::channel();
        let put = |queues: &mut Queues, source, name| {
            let told = told.clone();
            queues.of(source).push_back(Box::new(move || _ = told.send(name)));
        };
        ["p1", "p2", "p3", "p4"].into_iter().for_each(|name| put(&mut queues, Source::Peer, name));
        ["c1", "c2"].into_iter().for_each(|name| put(&mut queues, Source::Client, name));
        // A piece of a client takes twice as long as one of a peer.
        while let Some((source, job)) = queues.take() {
            job();
            queues.count(source, Duration::from_millis(if source == Source::Client { 2 } else { 1 }));
        }
        put(&mut queues, Source::Peer, "p5");
        put(&mut queues, Source::Client, "c3");
        (0..2).for_each(|_| _ = queues.take().map(|(_, job)| job()));
        let order: Vec<_> = heard.try_iter().collect();
        assert_eq!(order, ["c1", "p1", "p2", "c2", "p3", "p4", "c3", "p5"]);
        assert!(queues.take().is_none());
    }
}
