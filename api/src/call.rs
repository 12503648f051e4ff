//! What a handler needs of the request line and headers.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::error::ApiResult;
use crate::link::Origin;
use crate::query::{Query, parse_id};
use crate::tls::OverTls;

/// A request without its body.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    path: String,
    origin: Origin,
    /// The parameters.
    pub(crate) query: Query,
}

impl Call {
    /// Reads the request line and headers.
    pub(crate) fn of(parts: &Parts) -> Self {
        Self {
            path: parts.uri.path().to_owned(),
            origin: Origin::of(&parts.headers, parts.extensions.get::<OverTls>().is_some()),
            query: Query::of(&parts.uri),
        }
    }

    /// The last segment of the path, as sent: what is percent-encoded there is no id and no address.
    pub(crate) fn last_segment(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The id in the last segment.
    ///
    /// # Errors
    /// 60 when it is not one.
    pub(crate) fn path_id<T: FromStr>(&self) -> ApiResult<T> {
        parse_id(self.last_segment())
    }

    /// The id in the last segment but one.
    ///
    /// # Errors
    /// 60 when it is not one.
    pub(crate) fn id_before_last<T: FromStr>(&self) -> ApiResult<T> {
        parse_id(self.path.rsplit('/').nth(1).unwrap_or_default())
    }

    /// The link to this request, with some parameters changed.
    pub(crate) fn link(&self, changes: &[(&str, &str)]) -> String {
        self.link_to(&self.path, changes)
    }

    /// A link to another path with this request's parameters, some changed.
    pub(crate) fn link_to(&self, path: &str, changes: &[(&str, &str)]) -> String {
        self.origin.link(path, &self.query, changes)
    }
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}
