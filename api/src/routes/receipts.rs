//! `/receipts`: what committed transactions did.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use ledger_types::TransactionId;
use ledger_types::receipt::Receipt;

use crate::body;
use crate::call::Call;
use crate::envelope::Envelope;
use crate::error::{ApiResult, ErrorKind};
use crate::shapes::ReceiptShape;
use crate::shared::Shared;

/// `GET /receipts?id=`.
pub(crate) async fn by_query(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let ids = call.query.ids(&shared.limits)?.ok_or(ErrorKind::ReceiptIdQueryInvalid)?;
    answer(shared, ids, Some(call.link(&[]))).await
}

/// `POST /receipts`.
pub(crate) async fn by_body(State(shared): State<Arc<Shared>>, request: Request) -> ApiResult {
    let (wrong_type, invalid) = (ErrorKind::ReceiptWrongContentType, ErrorKind::ReceiptBodyInvalid);
    let (_, ids) = body::read_ids(&shared, request, wrong_type, invalid).await?;
    answer(shared, ids, None).await
}

async fn answer(shared: Arc<Shared>, ids: Vec<TransactionId>, link: Option<String>) -> ApiResult<Response> {
    shared
        .heavy(move |shared| {
            let receipts = receipts(shared, &ids)?;
            let envelope = Envelope::data(receipts.iter().map(ReceiptShape::of).collect::<Vec<_>>());
            Ok(envelope.optional_link(link).ok())
        })
        .await
}

/// The receipts in the client's order.
///
/// # Errors
/// 80 when one is missing, 103 when together they are larger than a page may be.
fn receipts(shared: &Shared, ids: &[TransactionId]) -> ApiResult<Vec<Receipt>> {
    let (mut receipts, mut bytes) = (Vec::with_capacity(ids.len()), 0_usize);
    for id in ids {
        let receipt = shared.api.reader.receipt(id)?.ok_or(ErrorKind::ReceiptNotFound)?;
        bytes = bytes.saturating_add(receipt_bytes(&receipt));
        if bytes > shared.limits.page_bytes && !receipts.is_empty() {
            return Err(ErrorKind::AnswerTooLarge.into());
        }
        receipts.push(receipt);
    }
    Ok(receipts)
}

/// Bytes of what a receipt's size comes from.
fn receipt_bytes(receipt: &Receipt) -> usize {
    let changes = receipt.state_changes.iter().map(|change| 64 + change.value.as_ref().map_or(0, Bytes::len));
    let events = receipt.events.iter().map(|event| {
        let attributes = event.attributes.iter().map(|(key, value)| key.len() + value.len());
        event.event_type.len() + event.data.len() + attributes.sum::<usize>()
    });
    changes.chain(events).chain(receipt.data.iter().map(Bytes::len)).sum()
}
