//! `/batches`: submission, list, one.

use std::sync::Arc;

use axum::extract::{Request, State};
use bytes::Bytes;
use ledger_types::proto::client as proto;
use ledger_types::{Batch, BatchError, BatchId, limits::TRANSACTIONS_PER_BATCH};
use prost::Message as _;

use crate::body::{self, has_content_type};
use crate::call::Call;
use crate::envelope::{self, Envelope};
use crate::error::{ApiError, ApiResult, ErrorKind};
use crate::intake::IntakeError;
use crate::listing::{page_of_chain, page_of_ids};
use crate::shapes::BatchShape;
use crate::shared::Shared;
use crate::wire::submessages;

/// A body up to this size is decoded at once: that takes less than a millisecond.
const INLINE_BODY_BYTES: usize = 64 * 1024;
/// `BatchList.batches` and `Batch.transactions` on the wire.
const BATCHES_FIELD: u32 = 1;
const TRANSACTIONS_FIELD: u32 = 3;

/// `POST /batches`: all batches of the list are admitted, or none.
pub(crate) async fn submit(State(shared): State<Arc<Shared>>, request: Request) -> ApiResult {
    let (parts, body) = request.into_parts();
    let call = Call::of(&parts);
    if !has_content_type(&parts.headers, "application/octet-stream") {
        return Err(ErrorKind::SubmissionWrongContentType.into());
    }
    let body = body::read(&shared, &parts.headers, body).await?;
    let (list, most) = (body.bytes.clone(), shared.limits.batches_per_list);
    let batches = if list.len() <= INLINE_BODY_BYTES {
        decode(list, most)?
    } else {
        Arc::clone(&shared).heavy(move |_| decode(list, most)).await?
    };
    let ids: Vec<BatchId> = batches.iter().map(|batch| batch.id).collect();
    shared.api.intake.submit(batches).await.map_err(|error| refusal(error, &ids))?;
    tracing::debug!(count = ids.len(), first = %ids[0], "batches admitted");
    let ids = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    Ok(envelope::accepted(call.link_to("/batch_statuses", &[("id", &ids)])))
}

/// Decodes a BatchList of at least one batch. Batch by batch, so that a list that is not worth its size in memory is
/// refused at its first batch.
fn decode(list: Bytes, most: usize) -> ApiResult<Vec<Batch>> {
    let parts = submessages(list, BATCHES_FIELD).take(most.saturating_add(1)).collect::<Result<Vec<_>, _>>();
    let parts = parts.map_err(|_malformed| ErrorKind::BadProtobufSubmitted)?;
    if parts.is_empty() {
        return Err(ErrorKind::NoBatchesSubmitted.into());
    }
    if parts.len() > most {
        return Err(ApiError::limit(ErrorKind::TooManyBatches, most));
    }
    let count = parts.len();
    parts.into_iter().enumerate().map(|(at, part)| decode_one(part, at, count)).collect()
}

fn decode_one(part: Bytes, at: usize, count: usize) -> ApiResult<Batch> {
    let invalid = |error: BatchError| ApiError::invalid_batches(&format!("{}{error}", place(at, count)));
    if submessages(part.clone(), TRANSACTIONS_FIELD).nth(TRANSACTIONS_PER_BATCH).is_some() {
        return Err(invalid(BatchError::TooManyTransactions));
    }
    let received = part.len();
    let message = proto::Batch::decode(part).map_err(|_| ErrorKind::BadProtobufSubmitted)?;
    let mut batch = Batch::from_proto(message).map_err(invalid)?;
    // A batch that waits for long must not keep its neighbours' bytes in memory, or fields that nobody knows.
    if count > 1 || received > 4 * batch.encoded_len() {
        batch.detach();
    }
    Ok(batch)
}

/// Which batch of a list a reason is about; nothing when there is but one.
fn place(at: usize, count: usize) -> String {
    if count == 1 { String::new() } else { format!("batch {at}: ") }
}

fn refusal(error: IntakeError, ids: &[BatchId]) -> ApiError {
    match error {
        IntakeError::Invalid { batch, reason } => {
            let at = ids.iter().position(|id| *id == batch).unwrap_or_default();
            ApiError::invalid_batches(&format!("{}{reason}", place(at, ids.len())))
        }
        IntakeError::QueueFull => ErrorKind::BatchQueueFull.into(),
        IntakeError::NotReady(reason) => {
            tracing::info!(reason, "batches refused");
            ApiError::batches_refused(&reason)
        }
    }
}

/// `GET /batches`.
pub(crate) async fn list(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    shared
        .heavy(move |shared| {
            let request = call.query.page(&shared.limits)?;
            let head = call.query.head()?;
            let ids = call.query.ids::<BatchId>(&shared.limits)?;
            let pin = shared.pin(head, ErrorKind::HeadNotFound)?;
            let order = call.query.order("default")?;
            let reader = &shared.api.reader;
            let page = match ids {
                Some(ids) => page_of_ids::<Batch>(reader, &ids, pin, order, &request)?,
                None => page_of_chain::<Batch>(reader, pin, order, &request)?,
            };
            let shapes = page.items().iter().map(BatchShape::of).collect();
            Ok(page.respond(shapes, &call, &request, pin.id))
        })
        .await
}

/// `GET /batches/{id}`.
pub(crate) async fn fetch(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let id = call.path_id()?;
    let batch = shared.api.reader.batch(&id)?.ok_or(ErrorKind::BatchNotFound)?;
    Ok(Envelope::data(BatchShape::of(&batch)).link(call.link(&[])).ok_for_ever())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ledger_types::proto::client as proto;
    use proptest::prelude::*;
    use prost::Message as _;

    use super::decode;
    use crate::error::ErrorKind;

    /// A list that passes for wire format down to the transactions.
    fn list(transactions: usize) -> Vec<u8> {
        let batch = proto::Batch {
            transactions: vec![proto::Transaction::default(); transactions],
            ..Default::default()
        };
        proto::BatchList { batches: vec![batch], ..Default::default() }.encode_to_vec()
    }

    #[test]
    fn transactions_are_counted_before_they_are_decoded() {
        let message = |transactions| format!("{:?}", decode(list(transactions).into(), 1).unwrap_err());
        assert!(
            message(1_001).contains("the number of transactions exceeds the limit"),
            "{}",
            message(1_001)
        );
        assert!(!message(1_000).contains("exceeds"), "{}", message(1_000));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_by_name(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let kind = decode(Bytes::from(bytes), 3).unwrap_err().kind;
            use ErrorKind as K;
            prop_assert!(matches!(kind, K::NoBatchesSubmitted | K::BadProtobufSubmitted | K::SubmittedBatchesInvalid | K::TooManyBatches));
        }

        #[test]
        fn a_changed_list_is_refused_by_name(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = list(3);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            prop_assert!(decode(Bytes::from(bytes), 3).is_err());
        }
    }
}
