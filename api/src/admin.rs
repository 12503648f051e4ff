//! The operator's routes. They belong on a listener of their own that only this machine can reach: nobody is asked who
//! he is.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;

use crate::body;
use crate::envelope::{self, Envelope};
use crate::error::{ApiError, ApiResult};
use crate::limits::ApiLimits;
use crate::node::ApiState;
use crate::router::{not_allowed, not_found};
use crate::routes::{health, metrics};
use crate::shared::Shared;

/// The log's filter, changed while the node runs. The node implements it.
pub trait LogLevels: Send + Sync + 'static {
    /// The filter in use, for example `info,ledger=debug`.
    fn filter(&self) -> String;

    /// Takes another filter.
    ///
    /// # Errors
    /// Why the text is not a filter; the old one stays.
    fn set_filter(&self, filter: &str) -> Result<(), String>;
}

/// Bytes of a filter.
const FILTER_BYTES: usize = 4096;

/// `/metrics`, `/healthz`, `/readyz`, and `/log`: GET shows the log's filter, PUT takes another as plain text.
pub fn admin_router(state: ApiState, levels: Arc<dyn LogLevels>) -> Router {
    let limits =
        ApiLimits { body_bytes: FILTER_BYTES, bodies_bytes: 64 * FILTER_BYTES, ..ApiLimits::default() };
    let shared = Arc::new(Shared::new(state, limits));
    let log = get(show_filter).put(set_filter).with_state(Admin { shared: Arc::clone(&shared), levels });
    Router::new()
        .route("/metrics", get(metrics::scrape))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .with_state(shared)
        .route("/log", log)
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
}

#[derive(Clone)]
struct Admin {
    shared: Arc<Shared>,
    levels: Arc<dyn LogLevels>,
}

#[derive(Serialize)]
struct FilterShape {
    filter: String,
}

async fn show_filter(State(admin): State<Admin>) -> Response {
    envelope::json(StatusCode::OK, &Envelope::data(FilterShape { filter: admin.levels.filter() }))
}

async fn set_filter(State(admin): State<Admin>, request: Request) -> ApiResult {
    let (parts, body) = request.into_parts();
    let body = body::read(&admin.shared, &parts.headers, body).await?;
    let text =
        std::str::from_utf8(&body.bytes).map_err(|error| ApiError::invalid_filter(&error.to_string()))?;
    admin.levels.set_filter(text.trim()).map_err(|reason| ApiError::invalid_filter(&reason))?;
    Ok(show_filter(State(admin)).await)
}
