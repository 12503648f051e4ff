//! Memory of answers that their clients have not read yet: bounded over all clients. What a client does not take stays
//! here until the connection's write timeout, so without a bound slow readers would fill the memory.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::error::{ApiError, ErrorKind};
use crate::shared::Shared;

/// Answers up to this size are not counted: the number of connections bounds them.
const SMALL_BYTES: u64 = 64 * 1024;
/// Bytes of an answer that are handed to its connection at a time.
const PART_BYTES: usize = 64 * 1024;

/// Sets memory aside for a large answer, or gives 105 in its place. It never waits: whoever waited would hold the answer.
pub(crate) async fn hold(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    // Streams have no size; they are bounded on their own.
    let Some(bytes) = response.body().size_hint().exact().filter(|bytes| *bytes > SMALL_BYTES) else {
        return response;
    };
    match shared.reserve_answer(usize::try_from(bytes).unwrap_or(usize::MAX)) {
        Some(memory) => response.map(|body| Body::new(Held { body, rest: Bytes::new(), _memory: memory })),
        None => ApiError::from(ErrorKind::Busy).into_response(),
    }
}

/// A body and the memory set aside for it, given back together. The content leaves in small parts, as the client takes
/// them: in one part it would move into the connection's buffer at once, and the memory seem free.
struct Held {
    body: Body,
    /// What the body gave and has not left yet.
    rest: Bytes,
    _memory: OwnedSemaphorePermit,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(content) => self.rest = content,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let part = PART_BYTES.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(part)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}
