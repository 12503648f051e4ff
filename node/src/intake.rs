//! The door for batches: signatures are verified here, once, on all cores; then the pool decides.

use std::sync::Arc;

use api::{BatchIntake, IntakeError, Submission};
use ledger::{AdmitError, Pool, Reader};
use ledger_types::{Batch, BatchId, Verified};
use rayon::prelude::*;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::engine::EngineHandle;

/// Takes batches from the API into the pool.
pub(crate) struct Intake {
    pool: Arc<Pool>,
    reader: Reader,
    engine: EngineHandle,
    clock: Clock,
    /// Submissions verified at the same time; more wait, so that none starves the others.
    verifying: Arc<Semaphore>,
}

impl Intake {
    pub(crate) fn new(pool: Arc<Pool>, reader: Reader, engine: EngineHandle, clock: Clock) -> Self {
        let at_once = 2 * std::thread::available_parallelism().map_or(1, usize::from);
        Self { pool, reader, engine, clock, verifying: Arc::new(Semaphore::new(at_once)) }
    }

    async fn admit(&self, batches: Vec<Batch>) -> Result<(), IntakeError> {
        if let Some(fault) = self.engine.refusal() {
            return Err(IntakeError::NotReady(fault));
        }
        let stopped = |_| IntakeError::NotReady("the node is stopping".to_owned());
        let permit = self.verifying.clone().acquire_owned().await.map_err(stopped)?;
        let (pool, reader, engine) = (self.pool.clone(), self.reader.clone(), self.engine.clone());
        let now_ms = self.clock.now().monotonic_ms;
        // All of it in one task that runs on when the client goes away: no batch is admitted and never proposed.
        let admitted = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let verified = verify(batches)?;
            pool.admit(verified, &reader, now_ms).map_err(refusal)?;
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

fn verify(batches: Vec<Batch>) -> Result<Vec<Verified<Batch>>, IntakeError> {
    let verify = |batch: Batch| {
        let id = batch.id;
        batch.verify().map_err(|error| IntakeError::Invalid { batch: id, reason: error.to_string() })
    };
    batches.into_par_iter().map(verify).collect()
}

fn refusal(error: AdmitError) -> IntakeError {
    match error {
        AdmitError::Full { .. } => IntakeError::QueueFull,
        AdmitError::Store(error) => IntakeError::NotReady(error.to_string()),
    }
}
