//! `/metrics`, and the counting of every request.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;

use crate::shared::Shared;

/// What requests are counted under that match no route.
const NO_ROUTE: &str = "none";

/// `GET /metrics`, in the OpenMetrics text format.
pub(crate) async fn scrape(State(shared): State<Arc<Shared>>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = shared.api.metrics.encode(&shared.api);
    ([(CONTENT_TYPE, HeaderValue::from_static(content_type))], text).into_response()
}

/// Counts a request when it is answered.
pub(crate) async fn count(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let begun = Instant::now();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    shared.api.metrics.count(route, response.status(), begun.elapsed());
    response
}
