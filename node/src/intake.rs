//! The door for batches: signatures are verified here, once, on all cores; then the pool decides, and the peers get them.

use std::sync::Arc;
use std::time::Instant;

use api::{BatchIntake, IntakeError, Pipeline, Stage, Submission};
use ledger::{AdmitError, Pool, Reader, Source};
use ledger_types::{Batch, BatchError, BatchId};
use tokio::sync::Semaphore;

use crate::broadcast::Broadcast;
use crate::clock::Clock;
use crate::engine::EngineHandle;
use crate::verifiers::Verifiers;

/// Takes batches from the API into the pool and to the peers.
pub(crate) struct Intake {
    pub(crate) pool: Arc<Pool>,
    pub(crate) reader: Reader,
    pub(crate) engine: EngineHandle,
    pub(crate) broadcast: Arc<Broadcast>,
    pub(crate) clock: Clock,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) verifiers: Arc<Verifiers>,
    /// Submissions verified at the same time; more wait, so that none starves the others.
    pub(crate) verifying: Arc<Semaphore>,
}

impl Intake {
    /// Places for submissions that are verified at the same time.
    pub(crate) fn places() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(2 * std::thread::available_parallelism().map_or(1, usize::from)))
    }

    async fn admit(&self, batches: Vec<Batch>) -> Result<(), IntakeError> {
        if let Some(reason) = self.engine.not_ready() {
            return Err(IntakeError::NotReady(reason));
        }
        let stopped = |_| IntakeError::NotReady("the node is stopping".to_owned());
        let permit = self.verifying.clone().acquire_owned().await.map_err(stopped)?;
        let (pool, reader, engine) = (self.pool.clone(), self.reader.clone(), self.engine.clone());
        let (broadcast, pipeline) = (self.broadcast.clone(), self.pipeline.clone());
        let verifiers = self.verifiers.clone();
        let now_ms = self.clock.now().monotonic_ms;
        // All of it in one task that runs on when the client goes away: no batch is admitted and never proposed.
        let admitted = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let begun = Instant::now();
            let verified = verifiers.verify(batches).map_err(invalid)?;
            pipeline.stage(Stage::Verify, begun.elapsed());
            let prepared = broadcast.prepare(&verified);
            pool.admit(verified, Source::Client, &reader, now_ms).map_err(refusal)?;
            broadcast.send(prepared);
            engine.pool_changed();
            Ok(())
        });
        admitted.await.map_err(|_| IntakeError::NotReady("the node is stopping".to_owned()))?
    }
}

impl BatchIntake for Intake {
    fn submit(&self, batches: Vec<Batch>) -> Submission<'_> {
        Box::pin(self.admit(batches))
    }

    fn is_pending(&self, id: &BatchId) -> bool {
        self.pool.contains(id)
    }
}

fn invalid((batch, error): (BatchId, BatchError)) -> IntakeError {
    IntakeError::Invalid { batch, reason: error.to_string() }
}

fn refusal(error: AdmitError) -> IntakeError {
    match error {
        AdmitError::Full { .. } => IntakeError::QueueFull,
        AdmitError::Store(error) => IntakeError::NotReady(error.to_string()),
    }
}
