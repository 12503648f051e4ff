//! `/events`: block commits and state deltas as server-sent events.
//!
//! For each block a `block-commit` and then a `state-delta`, whose id is the height: a client that comes back with it in
//! `Last-Event-ID` goes on with the next block and misses none. A stream ends after the longest wait of the node, and
//! clients come back by themselves.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::call::Call;
use crate::closing::Closing;
use crate::error::{ApiError, ApiResult};
use crate::shared::Shared;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// What keeps proxies from giving up a quiet stream.
const KEEP_ALIVE: &str = ":\n\n";

/// `GET /events?address=prefix,prefix`. Begins with the newest block, or behind the one in `Last-Event-ID`.
pub(crate) async fn stream(
    State(shared): State<Arc<Shared>>,
    closing: Option<Extension<Closing>>,
    headers: HeaderMap,
    call: Call,
) -> ApiResult<Response> {
    let next = first_height(&headers, shared.api.reader.head().height)?;
    let prefixes = call.query.prefixes(&shared.limits)?;
    let slot = shared.stream_slot()?;
    let feed = Feed {
        next,
        prefixes,
        head: shared.api.head.clone(),
        end: Instant::now() + shared.limits.wait_max,
        closing: closing.map(|Extension(closing)| closing),
        shared,
        unsent: None,
        _slot: slot,
    };
    let frames = unfold(feed, |mut feed| async {
        let frame = feed.next().await?;
        Some((Ok::<_, Infallible>(frame), feed))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(frames)).into_response())
}

/// # Errors
/// 107 when the last event is not of a committed block.
fn first_height(headers: &HeaderMap, head: u64) -> ApiResult<u64> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(head) };
    let text = value.to_str().unwrap_or_default();
    let last = text.parse::<u64>().ok().filter(|last| *last <= head);
    last.map(|last| last + 1).ok_or_else(|| ApiError::invalid_height(text))
}

/// One subscriber. It holds the events of one block at a time and reads the next only when those are taken.
struct Feed {
    shared: Arc<Shared>,
    next: u64,
    prefixes: Vec<String>,
    head: watch::Receiver<u64>,
    end: Instant,
    closing: Option<Closing>,
    /// The memory of the events handed out last.
    unsent: Option<OwnedSemaphorePermit>,
    _slot: OwnedSemaphorePermit,
}

impl Feed {
    /// The events of the next block when it is there; something to keep the stream alive when it is quiet; `None` at the
    /// end.
    async fn next(&mut self) -> Option<String> {
        self.unsent = None;
        let ping_every = self.shared.limits.ping_every;
        let (end, mut closing) = (self.end, self.closing.clone());
        let closed = async {
            match &mut closing {
                Some(closing) => closing.begun().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = closed => None,
            () = sleep_until(end) => None,
            frame = self.block_or_ping(ping_every) => frame,
        }
    }

    async fn block_or_ping(&mut self, ping_every: Duration) -> Option<String> {
        let next = self.next;
        match timeout(ping_every, self.head.wait_for(|head| *head >= next)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_no_more_heads)) => return None,
            Err(_elapsed) => return Some(KEEP_ALIVE.to_owned()),
        }
        // What cannot be read ends the stream; the error is in the log.
        let delta = self.shared.deltas.at(&self.shared, next).await.ok()?;
        self.unsent = Some(self.shared.reserve_message(delta.message_bytes(&self.prefixes)).await.ok()?);
        let (commit, changes) = (delta.commit(), delta.message(&self.prefixes));
        self.next += 1;
        Some(format!(
            "event: block-commit\ndata: {commit}\n\nid: {next}\nevent: state-delta\ndata: {changes}\n\n"
        ))
    }
}
