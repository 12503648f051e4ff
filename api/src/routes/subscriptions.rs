//! `/subscriptions`: state deltas over a WebSocket, as the ancestor sends them.
//!
//! There is no queue: a subscriber holds one message at a time, and the next block is read when that is sent. One that
//! does not take a message in time is dropped.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use ledger_types::BlockId;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, interval_at, timeout};

use crate::closing::Closing;
use crate::error::{ApiResult, ErrorKind};
use crate::shared::Shared;

/// `GET /subscriptions`.
pub(crate) async fn upgrade(
    State(shared): State<Arc<Shared>>,
    closing: Option<Extension<Closing>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    if !shared.limits.cors.permits(&headers) {
        return Err(ErrorKind::OriginNotAllowed.into());
    }
    let upgrade = upgrade.map_err(|_| ErrorKind::WebSocketExpected)?;
    let slot = shared.stream_slot()?;
    let bytes = shared.limits.message_bytes;
    let closing = closing.map(|Extension(closing)| closing);
    Ok(upgrade.max_message_size(bytes).max_frame_size(bytes).on_upgrade(move |socket| async move {
        let head = shared.api.head.clone();
        let mut subscriber = Subscriber { shared, socket, head, subscription: None, _slot: slot };
        // However it ends, the client is told, if it still listens.
        let code = subscriber.converse(closing).await.unwrap_or(close_code::ERROR);
        let close = Message::Close(Some(CloseFrame { code, reason: "".into() }));
        let _ = timeout(subscriber.shared.limits.write_timeout, subscriber.socket.send(close)).await;
    }))
}

/// What a client asks for.
#[derive(Deserialize)]
struct Request {
    action: Option<String>,
    block_id: Option<String>,
    #[serde(default)]
    address_prefixes: Vec<String>,
}

/// What a client gets: the changes of these prefixes, from a height on.
struct Subscription {
    prefixes: Vec<String>,
    next: u64,
}

/// The client is gone, or does not take what is sent.
struct Gone;

struct Subscriber {
    shared: Arc<Shared>,
    socket: WebSocket,
    head: watch::Receiver<u64>,
    subscription: Option<Subscription>,
    _slot: OwnedSemaphorePermit,
}

impl Subscriber {
    /// Serves the client until it leaves or the node stops. Returns the code to close with.
    async fn converse(&mut self, mut closing: Option<Closing>) -> Result<u16, Gone> {
        let every = self.shared.limits.ping_every.max(Duration::from_millis(1));
        let mut ping = interval_at(Instant::now() + every, every);
        loop {
            let next = self.subscription.as_ref().map(|subscription| subscription.next);
            let due = async {
                match next {
                    Some(next) => self.head.wait_for(|head| *head >= next).await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            let closed = async {
                match &mut closing {
                    Some(closing) => closing.begun().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = closed => return Ok(close_code::AWAY),
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => self.on_text(text.as_str()).await?,
                    Some(Ok(Message::Close(_))) | None => return Ok(close_code::NORMAL),
                    Some(Ok(_)) => {}
                    Some(Err(_broken)) => return Err(Gone),
                },
                _ = ping.tick() => self.send(Message::Ping(Bytes::new())).await?,
                is_due = due => match is_due {
                    true => self.send_next().await?,
                    // Nobody shows new heads any more: the node stops.
                    false => return Ok(close_code::AWAY),
                },
            }
        }
    }

    async fn on_text(&mut self, text: &str) -> Result<(), Gone> {
        let request = serde_json::from_str::<Request>(text).ok();
        let few = |request: &Request| request.address_prefixes.len() <= self.shared.limits.ids;
        let Some(request) = request.filter(few) else {
            return self.send_error(&format!("Invalid input: \"{text}\"")).await;
        };
        match request.action.as_deref() {
            Some("subscribe") => self.subscribe(request.address_prefixes).await,
            Some("unsubscribe") => {
                self.subscription = None;
                Ok(())
            }
            Some("get_block_deltas") => match request.block_id {
                Some(id) => self.send_block(&id, &request.address_prefixes).await,
                None => self.send_error("Must specify a block id").await,
            },
            action => self.send_error(&format!("Unknown action \"{}\"", action.unwrap_or("None"))).await,
        }
    }

    /// The newest block at once, and from then on every block.
    async fn subscribe(&mut self, prefixes: Vec<String>) -> Result<(), Gone> {
        let next = self.shared.api.reader.head().height;
        self.subscription = Some(Subscription { prefixes, next });
        if self.shared.api.status.fault().is_some() {
            self.send_json(&json!({"warning": "Validator unavailable"})).await?;
        }
        self.send_next().await
    }

    /// Sends the next block, which is committed.
    async fn send_next(&mut self) -> Result<(), Gone> {
        let Some(Subscription { prefixes, next }) = self.subscription.take() else { return Ok(()) };
        self.send_delta(next, &prefixes).await?;
        self.subscription = Some(Subscription { prefixes, next: next + 1 });
        Ok(())
    }

    async fn send_block(&mut self, id: &str, prefixes: &[String]) -> Result<(), Gone> {
        let height = match id.parse::<BlockId>() {
            Ok(id) => self.shared.api.reader.height_of(&id).map_err(|_| Gone)?,
            Err(_) => None,
        };
        match height {
            Some(height) => self.send_delta(height, prefixes).await,
            None => self.send_error(ErrorKind::BlockNotFound.row().3).await,
        }
    }

    async fn send_delta(&mut self, height: u64, prefixes: &[String]) -> Result<(), Gone> {
        let delta = self.shared.deltas.at(&self.shared, height).await.map_err(|_| Gone)?;
        let memory = self.shared.reserve_message(delta.message_bytes(prefixes)).await.map_err(|_| Gone)?;
        let message = delta.message(prefixes);
        drop(delta);
        let sent = self.send(Message::text(message)).await;
        drop(memory);
        sent
    }

    async fn send_error(&mut self, text: &str) -> Result<(), Gone> {
        self.send_json(&json!({"error": text})).await
    }

    async fn send_json(&mut self, value: &serde_json::Value) -> Result<(), Gone> {
        self.send(Message::text(value.to_string())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Gone> {
        match timeout(self.shared.limits.write_timeout, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}
