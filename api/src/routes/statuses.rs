//! `/batch_statuses`: what became of batches, now or when it is decided.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use ledger_types::{BatchId, Rejection, TransactionId};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use crate::body;
use crate::call::Call;
use crate::envelope::Envelope;
use crate::error::{ApiResult, ErrorKind};
use crate::shared::Shared;

/// So many ids are looked up at once; for more a thread is taken.
const INLINE_IDS: usize = 16;

/// `GET /batch_statuses?id=&wait=`.
pub(crate) async fn by_query(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let ids = call.query.ids(&shared.limits)?.ok_or(ErrorKind::StatusIdQueryInvalid)?;
    let statuses = await_statuses(&shared, ids, call.query.wait(&shared.limits)).await?;
    Ok(Envelope::data(statuses).link(call.link(&[])).ok())
}

/// `POST /batch_statuses?wait=`.
pub(crate) async fn by_body(State(shared): State<Arc<Shared>>, request: Request) -> ApiResult {
    let (wrong_type, invalid) = (ErrorKind::StatusWrongContentType, ErrorKind::StatusBodyInvalid);
    let (call, ids) = body::read_ids(&shared, request, wrong_type, invalid).await?;
    let statuses = await_statuses(&shared, ids, call.query.wait(&shared.limits)).await?;
    Ok(Envelope::data(statuses).ok())
}

/// The statuses once none is PENDING, or after the wait. They are looked up again at every new head, never by the clock.
async fn await_statuses(
    shared: &Arc<Shared>,
    ids: Vec<BatchId>,
    wait: Option<Duration>,
) -> ApiResult<Vec<StatusShape>> {
    let (ids, mut head) = (Arc::from(ids), shared.api.head.clone());
    let deadline = Instant::now() + wait.unwrap_or_default();
    let mut waiting = wait.is_some_and(|wait| !wait.is_zero());
    loop {
        // Seen before looking, so that a head published while looking wakes this request.
        head.mark_unchanged();
        let statuses = look_up(shared, &ids).await?;
        if !waiting || statuses.iter().all(|status| status.status != Status::Pending) {
            return Ok(statuses);
        }
        // When the time is over, or the node stops publishing heads, the last look counts.
        waiting = matches!(timeout_at(deadline, head.changed()).await, Ok(Ok(())));
    }
}

async fn look_up(shared: &Arc<Shared>, ids: &Arc<[BatchId]>) -> ApiResult<Vec<StatusShape>> {
    if ids.len() <= INLINE_IDS {
        return ids.iter().map(|id| StatusShape::of(shared, id)).collect();
    }
    let ids = Arc::clone(ids);
    Arc::clone(shared).heavy(move |shared| ids.iter().map(|id| StatusShape::of(shared, id)).collect()).await
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Committed,
    Invalid,
    Pending,
    Unknown,
}

#[derive(Serialize)]
struct StatusShape {
    id: BatchId,
    invalid_transactions: Vec<InvalidShape>,
    status: Status,
}

#[derive(Serialize)]
struct InvalidShape {
    id: TransactionId,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
}

impl StatusShape {
    /// Pending is asked first: a batch leaves the pool only after its block is readable, so one that is decided in
    /// between is found in the ledger. A commit counts for more than an earlier rejection, and so does a new attempt.
    fn of(shared: &Shared, id: &BatchId) -> ApiResult<Self> {
        let (api, pending) = (&shared.api, shared.api.intake.is_pending(id));
        let (status, rejection) = if api.reader.batch_place(id)?.is_some() {
            (Status::Committed, None)
        } else if pending {
            (Status::Pending, None)
        } else {
            match api.reader.rejection(id)? {
                Some(rejection) => (Status::Invalid, Some(rejection)),
                None => (Status::Unknown, None),
            }
        };
        let invalid =
            |rejection: Rejection| InvalidShape { id: rejection.transaction, message: rejection.message };
        Ok(Self { id: *id, invalid_transactions: rejection.into_iter().map(invalid).collect(), status })
    }
}
