//! `/healthz` and `/readyz`: for whoever starts, restarts and balances nodes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::envelope;
use crate::error::{ApiError, ApiResult};
use crate::shared::Shared;

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> Response {
    envelope::json(StatusCode::OK, &StateShape { status: "ok" })
}

/// `GET /readyz`: the node takes batches; 503 with the reason when it does not. It answers reads all the same.
pub(crate) async fn ready(State(shared): State<Arc<Shared>>) -> ApiResult {
    match shared.api.status.not_ready() {
        None => Ok(envelope::json(StatusCode::OK, &StateShape { status: "ready" })),
        Some(reason) => Err(ApiError::not_ready(&reason)),
    }
}

#[derive(Serialize)]
struct StateShape {
    status: &'static str,
}
