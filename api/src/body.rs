//! Request bodies: bounded in size, in time, and in memory over all clients.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::Pin;
use std::str::FromStr;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::call::Call;
use crate::error::{ApiError, ApiResult, ErrorKind};
use crate::query::parse_ids;
use crate::shared::Shared;

/// A body, and the memory set aside for it: keep both until the body's content is handed on.
pub(crate) struct HeldBody {
    pub(crate) bytes: Bytes,
    _memory: OwnedSemaphorePermit,
}

/// Whether the content type is exactly the one wanted: upstream takes no parameters.
pub(crate) fn has_content_type(headers: &HeaderMap, wanted: &str) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value == wanted)
}

/// Reads a whole body.
///
/// # Errors
/// 100 when it is too large, 104 when it does not arrive in time, 105 when there is no memory for it in that time.
pub(crate) async fn read(shared: &Shared, headers: &HeaderMap, body: Body) -> ApiResult<HeldBody> {
    let limit = shared.limits.body_bytes;
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > limit) {
        return Err(ApiError::limit(ErrorKind::BodyTooLarge, limit));
    }
    let deadline = Instant::now() + shared.limits.body_timeout;
    let memory = timeout_at(deadline, shared.reserve_body(declared.unwrap_or(limit))).await;
    let memory = memory.map_err(|_elapsed| ErrorKind::Busy)??;
    let bytes = timeout_at(deadline, collect(body, declared.unwrap_or(0), limit)).await;
    let bytes = bytes.map_err(|_elapsed| ErrorKind::BodyIncomplete)??;
    Ok(HeldBody { bytes, _memory: memory })
}

/// Reads a JSON array of ids.
///
/// # Errors
/// `wrong_type` when the content type is not JSON, `invalid` when the body is not an array of at least one string; 60
/// and 102 for the ids; and those of [`read`].
pub(crate) async fn read_ids<T: FromStr>(
    shared: &Shared,
    request: Request,
    wrong_type: ErrorKind,
    invalid: ErrorKind,
) -> ApiResult<(Call, Vec<T>)> {
    let (parts, body) = request.into_parts();
    if !has_content_type(&parts.headers, "application/json") {
        return Err(wrong_type.into());
    }
    let body = read(shared, &parts.headers, body).await?;
    let texts: Vec<Cow<'_, str>> = serde_json::from_slice(&body.bytes).map_err(|_| invalid)?;
    if texts.is_empty() {
        return Err(invalid.into());
    }
    Ok((Call::of(&parts), parse_ids(texts.iter().map(AsRef::as_ref), &shared.limits)?))
}

async fn collect(mut body: Body, expected: usize, limit: usize) -> ApiResult<Bytes> {
    let mut bytes = BytesMut::with_capacity(expected);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_broken_off| ErrorKind::BodyIncomplete)?;
        let Ok(chunk) = frame.into_data() else { continue };
        if chunk.len() > limit - bytes.len() {
            return Err(ApiError::limit(ErrorKind::BodyTooLarge, limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::collect;
    use crate::error::ErrorKind;

    #[tokio::test]
    async fn a_body_may_have_the_limit_and_not_a_byte_more() {
        assert_eq!(collect(Body::from("12345"), 0, 5).await.unwrap(), "12345");
        assert_eq!(collect(Body::from("123456"), 0, 5).await.unwrap_err().kind, ErrorKind::BodyTooLarge);
        assert_eq!(collect(Body::empty(), 0, 0).await.unwrap(), "");
    }
}
