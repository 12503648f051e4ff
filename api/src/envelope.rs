//! The one envelope of successful answers, and how a value becomes a response.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use ledger_types::BlockId;
use serde::Serialize;

use crate::json;
use crate::paging::Paging;

/// What stands beside the data. Absent parts are left out.
#[derive(Serialize)]
pub(crate) struct Envelope<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<BlockId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paging: Option<Paging>,
}

impl<T: Serialize> Envelope<T> {
    /// Data alone, as POST routes answer.
    pub(crate) fn data(data: T) -> Self {
        Self { data: Some(data), head: None, link: None, paging: None }
    }

    /// Adds the link to this very answer.
    pub(crate) fn link(self, link: String) -> Self {
        Self { link: Some(link), ..self }
    }

    /// Adds a link where there is one.
    pub(crate) fn optional_link(self, link: Option<String>) -> Self {
        Self { link, ..self }
    }

    /// Adds the block that the answer is pinned to.
    pub(crate) fn head(self, head: BlockId) -> Self {
        Self { head: Some(head), ..self }
    }

    /// Adds the way to the next page.
    pub(crate) fn paging(self, paging: Paging) -> Self {
        Self { paging: Some(paging), ..self }
    }

    /// The response, 200.
    pub(crate) fn ok(&self) -> Response {
        json(StatusCode::OK, self)
    }

    /// The response, 200, to a request that will never be answered otherwise.
    pub(crate) fn ok_for_ever(&self) -> Response {
        let mut response = self.ok();
        let year = HeaderValue::from_static("public, max-age=31536000, immutable");
        response.headers_mut().insert(CACHE_CONTROL, year);
        response
    }
}

/// The response to an accepted submission, 202: where to ask for the statuses.
pub(crate) fn accepted(link: String) -> Response {
    let envelope = Envelope::<()> { data: None, head: None, link: Some(link), paging: None };
    json(StatusCode::ACCEPTED, &envelope)
}

/// A response with a JSON body.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let text = json::to_text(value).expect("invariant: shapes have string keys and total serialisers");
    let content_type = HeaderValue::from_static("application/json; charset=utf-8");
    (status, [(CONTENT_TYPE, content_type)], text).into_response()
}
