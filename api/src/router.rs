//! Which handler answers which route.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use crate::limits::ApiLimits;
use crate::node::ApiState;
use crate::routes::{batches, blocks, receipts, state, status, statuses, transactions};
use crate::shared::Shared;

/// The API of one node. HEAD is answered wherever GET is.
pub fn router(state: ApiState, limits: ApiLimits) -> Router {
    Router::new()
        .route("/batches", get(batches::list).post(batches::submit))
        .route("/batches/{id}", get(batches::fetch))
        .route("/batch_statuses", get(statuses::by_query).post(statuses::by_body))
        .route("/state", get(state::list))
        .route("/state/{address}", get(state::fetch))
        .route("/blocks", get(blocks::list))
        .route("/blocks/{id}", get(blocks::fetch))
        .route("/transactions", get(transactions::list))
        .route("/transactions/{id}", get(transactions::fetch))
        .route("/receipts", get(receipts::by_query).post(receipts::by_body))
        .route("/peers", get(status::peers))
        .route("/status", get(status::status))
        .fallback(|| text(StatusCode::NOT_FOUND, "404: Not Found"))
        .method_not_allowed_fallback(|| text(StatusCode::METHOD_NOT_ALLOWED, "405: Method Not Allowed"))
        .with_state(Arc::new(Shared::new(state, limits)))
}

async fn text(status: StatusCode, text: &'static str) -> (StatusCode, &'static str) {
    (status, text)
}
