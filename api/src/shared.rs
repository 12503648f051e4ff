//! What all handlers share: the node's side, the limits, and the gates that keep memory bounded.

use std::sync::Arc;

use ledger::reader::Head;
use ledger_types::BlockId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{ApiResult, ErrorKind};
use crate::limits::ApiLimits;
use crate::node::ApiState;

/// Bytes that one permit of the body gate stands for.
const BODY_PERMIT_BYTES: usize = 1024;

/// The state of the router.
pub(crate) struct Shared {
    pub(crate) api: ApiState,
    pub(crate) limits: ApiLimits,
    /// Counts the memory for request bodies in permits of [`BODY_PERMIT_BYTES`].
    bodies: Arc<Semaphore>,
    /// Counts the work that needs a thread and much memory.
    heavy: Arc<Semaphore>,
}

impl Shared {
    /// The state of a new router.
    pub(crate) fn new(api: ApiState, limits: ApiLimits) -> Self {
        let bodies = body_permits(limits.bodies_bytes.max(limits.body_bytes)) as usize;
        let heavy = limits.concurrent_heavy.clamp(1, Semaphore::MAX_PERMITS);
        Self { api, limits, bodies: Arc::new(Semaphore::new(bodies)), heavy: Arc::new(Semaphore::new(heavy)) }
    }

    /// Waits until there is memory for a body of so many bytes. It is set aside until the permit is dropped.
    pub(crate) async fn reserve_body(&self, bytes: usize) -> ApiResult<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.bodies).acquire_many_owned(body_permits(bytes)).await;
        permit.map_err(|_closed| ErrorKind::Busy.into())
    }

    /// Runs work that would hold up a thread of the runtime. The gate stays taken until the work ends, even when the
    /// client has left.
    pub(crate) async fn heavy<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&Self) -> ApiResult<T> + Send + 'static,
    ) -> ApiResult<T> {
        let permit = Arc::clone(&self.heavy).acquire_owned().await.map_err(|_closed| ErrorKind::Busy)?;
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&self)
        });
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request's work did not end");
            Err(ErrorKind::UnknownValidatorError.into())
        })
    }

    /// The block that an answer is pinned to: the one that the client names, else the newest.
    ///
    /// # Errors
    /// `missing` when no committed block has the id.
    pub(crate) fn pin(&self, wanted: Option<BlockId>, missing: ErrorKind) -> ApiResult<Pin> {
        let Some(id) = wanted else {
            let Head { height, id, .. } = self.api.reader.head();
            return Ok(Pin { height, id });
        };
        let height = self.api.reader.height_of(&id)?.ok_or(missing)?;
        Ok(Pin { height, id })
    }
}

/// The block that an answer is pinned to: what came later is as if it were not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) height: u64,
    pub(crate) id: BlockId,
}

fn body_permits(bytes: usize) -> u32 {
    let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
    u32::try_from(bytes.div_ceil(BODY_PERMIT_BYTES)).unwrap_or(u32::MAX).min(most)
}
