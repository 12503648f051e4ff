//! Threads that verify signatures of batches, and give way to everything else of the node: while there is more to verify
//! than the machine can, votes and blocks still go on, and what waits is the door for new batches.

use anyhow::{Context as _, Result};
use ledger_types::{Batch, BatchError, BatchId, Verified};
use rayon::ThreadPool;

use crate::batch_list;

/// How much the threads give way: the step of `nice`, which leaves them a tenth of a busy core.
const NICENESS: i32 = 10;

/// The threads, one for each core.
pub(crate) struct Verifiers(ThreadPool);

impl Verifiers {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub(crate) fn start() -> Result<Self> {
        let threads = rayon::ThreadPoolBuilder::new()
            .thread_name(|number| format!("verify-{number}"))
            .start_handler(|_| {
                // A system that does not allow it has them as the other threads are.
                let _ = rustix::process::nice(NICENESS);
            })
            .build();
        threads.map(Self).context("starting the threads that verify signatures")
    }

    /// Verifies every signature of these batches and waits for that.
    ///
    /// # Errors
    /// As [`batch_list::verify`].
    pub(crate) fn verify(&self, batches: Vec<Batch>) -> Result<Vec<Verified<Batch>>, (BatchId, BatchError)> {
        self.0.install(|| batch_list::verify(batches))
    }

    /// Does a piece of work after those that were given before.
    pub(crate) fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        self.0.spawn_fifo(work);
    }
}
