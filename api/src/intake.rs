//! The door through which batches enter the node.

use std::future::Future;
use std::pin::Pin;

use ledger_types::{Batch, BatchId};
use thiserror::Error;

/// The answer to a submission, when it comes.
pub type Submission<'a> = Pin<Box<dyn Future<Output = Result<(), IntakeError>> + Send + 'a>>;

/// Takes batches for the ledger. The node implements it.
pub trait BatchIntake: Send + Sync + 'static {
    /// Verifies the signatures of all batches and admits all or none. When it answers `Ok`, every batch is either
    /// committed already or [`BatchIntake::is_pending`], so that no client ever sees UNKNOWN after a 202.
    fn submit(&self, batches: Vec<Batch>) -> Submission<'_>;

    /// Whether this node holds the batch and it is not decided yet. A batch stops being pending only after the
    /// block that decides it is readable.
    fn is_pending(&self, id: &BatchId) -> bool;
}

/// Why batches are not admitted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IntakeError {
    /// A signature or a rule is broken.
    #[error("batch {batch}: {reason}")]
    Invalid {
        /// The batch.
        batch: BatchId,
        /// The rule, for the client.
        reason: String,
    },
    /// The pool holds as much as it may.
    #[error("the pool is full")]
    QueueFull,
    /// The node cannot take batches now: it starts or stops, has a fault, or hears too few validators. The reason is
    /// for the client.
    #[error("not ready: {0}")]
    NotReady(String),
}
