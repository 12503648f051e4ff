//! What all handlers share: the node's side, the limits, and the gates that keep memory bounded.

use std::sync::Arc;

use ledger::reader::Head;
use ledger_types::BlockId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::deltas::Deltas;
use crate::error::{ApiError, ApiResult, ErrorKind};
use crate::limits::ApiLimits;
use crate::node::ApiState;

/// Bytes that one permit of the gates for memory stands for.
const PERMIT_BYTES: usize = 1024;

/// The state of the router.
pub(crate) struct Shared {
    pub(crate) api: ApiState,
    pub(crate) limits: ApiLimits,
    /// Counts the memory for request bodies in permits of [`PERMIT_BYTES`].
    bodies: Arc<Semaphore>,
    /// Counts the memory for answers that are not read yet in permits of [`PERMIT_BYTES`].
    answers: Arc<Semaphore>,
    /// Counts the work that needs a thread and much memory.
    heavy: Arc<Semaphore>,
    /// Counts subscribers.
    streams: Arc<Semaphore>,
    /// Counts the memory for messages to subscribers in permits of [`PERMIT_BYTES`].
    messages: Arc<Semaphore>,
    /// The newest block's changes, which all subscribers want at the same time.
    pub(crate) deltas: Deltas,
}

impl Shared {
    /// The state of a new router.
    pub(crate) fn new(api: ApiState, limits: ApiLimits) -> Self {
        let bodies = permits(limits.bodies_bytes.max(limits.body_bytes)) as usize;
        let answers = permits(limits.answers_bytes) as usize;
        let heavy = limits.concurrent_heavy.clamp(1, Semaphore::MAX_PERMITS);
        let streams = limits.streams.min(Semaphore::MAX_PERMITS);
        let messages = permits(limits.stream_bytes).max(1) as usize;
        let gate = |permits| Arc::new(Semaphore::new(permits));
        let (bodies, answers, heavy) = (gate(bodies), gate(answers), gate(heavy));
        let (streams, messages) = (gate(streams), gate(messages));
        Self { api, limits, bodies, answers, heavy, streams, messages, deltas: Deltas::default() }
    }

    /// Waits until there is memory for a body of so many bytes. It is set aside until the permit is dropped.
    pub(crate) async fn reserve_body(&self, bytes: usize) -> ApiResult<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.bodies).acquire_many_owned(permits(bytes)).await;
        permit.map_err(|_closed| ErrorKind::Busy.into())
    }

    /// Sets memory aside for an answer of so many bytes; `None` when there is none now. An answer above the whole limit takes
    /// all of it.
    pub(crate) fn reserve_answer(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let wanted = permits(bytes).min(permits(self.limits.answers_bytes));
        Arc::clone(&self.answers).try_acquire_many_owned(wanted).ok()
    }

    /// Waits until there is memory for a message of so many bytes; a message above the whole limit takes all of it.
    pub(crate) async fn reserve_message(&self, bytes: usize) -> ApiResult<OwnedSemaphorePermit> {
        let wanted = permits(bytes).clamp(1, permits(self.limits.stream_bytes).max(1));
        let permit = Arc::clone(&self.messages).acquire_many_owned(wanted).await;
        permit.map_err(|_closed| ErrorKind::Busy.into())
    }

    /// Makes room for one more subscriber.
    ///
    /// # Errors
    /// 109 when there is none.
    pub(crate) fn stream_slot(&self) -> ApiResult<OwnedSemaphorePermit> {
        let slot = Arc::clone(&self.streams).try_acquire_owned();
        slot.map_err(|_full| ApiError::limit(ErrorKind::TooManyStreams, self.limits.streams))
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

fn permits(bytes: usize) -> u32 {
    let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
    u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX).min(most)
}
