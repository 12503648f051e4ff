//! `/transactions`: list, one.

use std::sync::Arc;

use axum::extract::State;
use ledger_types::{Transaction, TransactionId};

use crate::call::Call;
use crate::envelope::Envelope;
use crate::error::{ApiResult, ErrorKind};
use crate::listing::{page_of_chain, page_of_ids};
use crate::shapes::TransactionShape;
use crate::shared::Shared;

/// `GET /transactions`.
pub(crate) async fn list(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    shared
        .heavy(move |shared| {
            let request = call.query.page(&shared.limits)?;
            let head = call.query.head()?;
            let ids = call.query.ids::<TransactionId>(&shared.limits)?;
            let pin = shared.pin(head, ErrorKind::HeadNotFound)?;
            let order = call.query.order("default")?;
            let reader = &shared.api.reader;
            let page = match ids {
                Some(ids) => page_of_ids::<Transaction>(reader, &ids, pin, order, &request)?,
                None => page_of_chain::<Transaction>(reader, pin, order, &request)?,
            };
            let shapes = page.items().iter().map(TransactionShape::of).collect();
            Ok(page.respond(shapes, &call, &request, pin.id))
        })
        .await
}

/// `GET /transactions/{id}`.
pub(crate) async fn fetch(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let id = call.path_id()?;
    let transaction = shared.api.reader.transaction(&id)?.ok_or(ErrorKind::TransactionNotFound)?;
    Ok(Envelope::data(TransactionShape::of(&transaction)).link(call.link(&[])).ok_for_ever())
}
