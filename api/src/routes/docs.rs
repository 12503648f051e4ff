//! `/openapi.json` and `/docs`: the description of this interface, and a page that shows it without any other site.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use crate::{envelope, openapi};

static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi::document);
const PAGE: &str = include_str!("docs.html");
/// The page may run what stands in it and ask this node, nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";

/// `GET /openapi.json`.
pub(crate) async fn openapi() -> Response {
    envelope::json(StatusCode::OK, &*DOCUMENT)
}

/// `GET /docs`.
pub(crate) async fn page() -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    (headers, PAGE).into_response()
}
