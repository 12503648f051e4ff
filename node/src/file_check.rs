//! What reads large files from end to end while the node runs: it looks for damage, and learns the chain's ids.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use ledger::Ledger;

use crate::engine::EngineHandle;

/// Reads in a thread of low priority; damage that it finds stops the node, since it might be served as truth.
pub(crate) struct FileCheck {
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl FileCheck {
    /// Starts it; the check is of files above this size.
    pub(crate) fn start(ledger: Arc<Ledger>, check_bytes: u64, engine: EngineHandle) -> Result<Self> {
        let stopped = Arc::new(AtomicBool::new(false));
        let seen = stopped.clone();
        let check = move || {
            // On Linux a thread of its own; without it the check only takes more from the others.
            let _ = rustix::process::nice(19);
            let go_on = || !seen.load(Ordering::Relaxed);
            // First the pages: LMDB would follow a bad one anywhere.
            let done = ledger.check_large_files(check_bytes, &go_on).and_then(|()| ledger.load_ids(&go_on));
            match done {
                Err(error) if go_on() => engine.fail(error.to_string()),
                _ => {}
            }
        };
        let thread = std::thread::Builder::new().name("check".to_owned()).spawn(check);
        Ok(Self { stopped, thread: thread.context("starting the check of files")? })
    }

    /// Ends it; the ledger can be closed then.
    pub(crate) fn stop(self) {
        self.stopped.store(true, Ordering::Relaxed);
        // A panic has been reported; there is nothing to save here.
        let _ = self.thread.join();
    }
}
