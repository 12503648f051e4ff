//! Threads that verify signatures of batches, and give way to everything else of the node: while there is more to verify
//! than the machine can, votes and blocks still go on, and what waits is the door for new batches.

use anyhow::{Context as _, Result};
use ledger_types::{Batch, BatchError, BatchId, Verified};
use rayon::ThreadPool;

use crate::batch_list;

/// How much the threads give way: the step of `nice`, which leaves them a tenth of a busy core.
const NICENESS: i32 = 10;

/// The threads: for clients and for peers, each one for each core, so that no client waits behind what peers send.
pub(crate) struct Verifiers {
    of_clients: ThreadPool,
    of_peers: ThreadPool,
}

impl Verifiers {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub(crate) fn start() -> Result<Self> {
        Ok(Self { of_clients: threads("verify")?, of_peers: threads("verify-peers")? })
    }

    /// Verifies every signature of a client's batches and waits for that.
    ///
    /// # Errors
    /// As [`batch_list::verify`].
    pub(crate) fn verify(&self, batches: Vec<Batch>) -> Result<Vec<Verified<Batch>>, (BatchId, BatchError)> {
        self.of_clients.install(|| batch_list::verify(batches))
    }

    /// Verifies what peers sent, after what was given before.
    pub(crate) fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        self.of_peers.spawn_fifo(work);
    }
}

fn threads(name: &'static str) -> Result<ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .thread_name(move |number| format!("{name}-{number}"))
        .start_handler(|_| {
            // A system that does not allow it has them as the other threads are.
            let _ = rustix::process::nice(NICENESS);
        })
        .build()
        .context("starting the threads that verify signatures")
}
