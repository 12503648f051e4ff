//! Which handler answers which route.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use crate::answers;
use crate::limits::ApiLimits;
use crate::node::ApiState;
use crate::routes::{
    batches, blocks, certificates, dag, docs, events, health, metrics, network, proofs, receipts, state,
    status, statuses, subscriptions, transactions,
};
use crate::shared::Shared;

/// The API of one node. HEAD is answered wherever GET is.
pub fn router(state: ApiState, limits: ApiLimits) -> Router {
    let cors = limits.cors.layer();
    let shared = Arc::new(Shared::new(state, limits));
    let router = ancestor_routes()
        .merge(own_routes())
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(Arc::clone(&shared))
        .layer(from_fn_with_state(Arc::clone(&shared), answers::hold))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest));
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(from_fn_with_state(shared, metrics::count))
}

/// What clients of Sawtooth 1.x know.
fn ancestor_routes() -> Router<Arc<Shared>> {
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
        .route("/subscriptions", get(subscriptions::upgrade))
}

/// What DGT adds to it, and we.
fn own_routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/topology", get(network::topology))
        .route("/gates", get(network::gates))
        .route("/tx_families", get(network::families))
        .route("/dag", get(dag::list))
        .route("/dag/{id}", get(dag::fetch))
        .route("/graph", get(dag::graph))
        .route("/blocks/{id}/certificate", get(certificates::of_block))
        .route("/votes", get(certificates::by_height))
        .route("/transactions/{id}/proof", get(proofs::of_transaction))
        .route("/receipts/{id}/proof", get(proofs::of_receipt))
        .route("/events", get(events::stream))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::scrape))
        .route("/openapi.json", get(docs::openapi))
        .route("/docs", get(docs::page))
}

/// As the ancestor answers a path that it does not know.
pub(crate) async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "404: Not Found")
}

/// As the ancestor answers a method that a route does not have.
pub(crate) async fn not_allowed() -> (StatusCode, &'static str) {
    (StatusCode::METHOD_NOT_ALLOWED, "405: Method Not Allowed")
}
