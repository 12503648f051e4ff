//! What one node grants its clients. Node settings, not network parameters: nodes may differ.

use std::time::Duration;

use ledger_types::limits::{BATCHES_PER_LIST, BLOCK_BYTES, REST_BODY_BYTES};

/// Bounds on memory, time and connections. [`ApiLimits::default`] suits a node with 1 GiB of memory.
#[derive(Clone, Debug)]
pub struct ApiLimits {
    /// Bytes of one request body.
    pub body_bytes: usize,
    /// Bytes of all request bodies held at the same time; at least `body_bytes`.
    pub bodies_bytes: usize,
    /// Bytes of all large answers that their clients have not read yet; beyond it, large answers are refused.
    pub answers_bytes: usize,
    /// How long a request body may take to arrive.
    pub body_timeout: Duration,
    /// Batches in one submitted list.
    pub batches_per_list: usize,
    /// Ids in one query or one JSON array.
    pub ids: usize,
    /// Items of a page when the client names no limit.
    pub page_default: usize,
    /// The most items of a page.
    pub page_max: usize,
    /// Bytes of content after which a page ends early; its first item is served whatever its size.
    pub page_bytes: usize,
    /// Lists read, and large submissions decoded, at the same time; more wait.
    pub concurrent_heavy: usize,
    /// The longest wait for a batch's status.
    pub wait_max: Duration,
    /// Connections served at the same time; more wait to be accepted.
    pub connections: usize,
    /// How long the head of a request may take to arrive, and a connection may stay without one.
    pub header_timeout: Duration,
    /// Subscriptions (WebSockets and event streams) at the same time; more are refused.
    pub streams: usize,
    /// Bytes of messages to subscribers held at the same time; more wait.
    pub stream_bytes: usize,
    /// Bytes of one message that a subscriber sends.
    pub message_bytes: usize,
    /// How often a subscriber is shown that the node is there, and asked whether it is.
    pub ping_every: Duration,
    /// How long a client may leave an answer unread before its connection is dropped.
    pub write_timeout: Duration,
    /// How long requests in progress may take to end after a shutdown began.
    pub shutdown_grace: Duration,
    /// Which other sites' pages may call this node from a browser.
    pub cors: Cors,
}

/// Which other sites' pages may call this node from a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cors {
    /// None.
    Off,
    /// All.
    Any,
    /// Those of these origins, for example `https://wallet.example`.
    Origins(Vec<String>),
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            body_bytes: REST_BODY_BYTES,
            bodies_bytes: 128 * 1024 * 1024,
            answers_bytes: 128 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            batches_per_list: BATCHES_PER_LIST,
            ids: 1_000,
            page_default: 100,
            page_max: 1_000,
            page_bytes: BLOCK_BYTES,
            concurrent_heavy: 4,
            wait_max: Duration::from_secs(300),
            connections: 512,
            header_timeout: Duration::from_secs(30),
            streams: 128,
            stream_bytes: 64 * 1024 * 1024,
            message_bytes: 64 * 1024,
            ping_every: Duration::from_secs(20),
            write_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(5),
            cors: Cors::Off,
        }
    }
}
